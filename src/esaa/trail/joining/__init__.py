"""Histories of two machines or branches, made one. Pure."""
