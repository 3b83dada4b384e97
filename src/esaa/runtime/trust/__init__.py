"""Signed checkpoints, receipts, witnesses and anchors."""
