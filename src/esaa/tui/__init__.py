"""The stepper on a terminal (extra `tui`): the events of a past, what each changed, and the state between them."""
