"""Secrets, found and taken out before they reach the disk. Both vocabularies come through here; pure."""
