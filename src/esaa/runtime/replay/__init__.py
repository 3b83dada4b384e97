"""Recorded events acted out again, and files and state brought back."""
