"""The time machine: every question about a past, answered as one Struct that each face shows in its own way."""
