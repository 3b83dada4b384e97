"""Vocabulary 1, the governed run (ESAA 0.4.x): facts, commands, rules, projections, verification. Pure."""
