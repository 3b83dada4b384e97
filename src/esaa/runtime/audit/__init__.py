"""Audit reports, made and checked again."""
