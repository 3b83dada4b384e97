"""`esaa verify`: what is asked of a governed log, in two halves and a memory of what was sound."""
