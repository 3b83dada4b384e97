"""Audit reports: what the trail says of a piece of work, as data with its evidence, and in five formats."""
