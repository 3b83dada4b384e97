"""Anchors: where copies of checkpoints go, behind one port."""
