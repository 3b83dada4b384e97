"""The shell that acts: locks, commits, publishes, dispatches agents, and verifies what it wrote."""
