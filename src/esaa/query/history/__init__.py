"""The past of the governed log, behind an index that may be thrown away at any time. `opening` is the way in."""
