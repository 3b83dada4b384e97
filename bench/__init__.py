"""Measurements: every figure is a ratio taken in one run, with the machine's yardstick beside it."""
