"""What must not reach the disk, and what must be able to leave it."""
