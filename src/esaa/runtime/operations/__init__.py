"""What people do to a run that works: set limits to it, allow what it asks for, pause it, stop it, look at it."""
