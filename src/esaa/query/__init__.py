"""Finding events: an index that can be made again at any time, and the same answers by reading every stream.

The answers are in one canonical order, (timestamp, stream, sequence), whichever way they were found.
"""
