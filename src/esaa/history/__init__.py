"""Questions about the past, answered from events. Pure: nothing here can write to a log."""
