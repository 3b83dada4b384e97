"""The audit trail: recorded, fed by the governed run, folded, merged, kept and let go."""
