"""What makes the log worth its promise, measured: each area tries to break one part of it, and counts."""
