"""Vocabulary 2, the orchestration trail: what anyone witnessed, one stream per tracker issue, and `global`."""
