"""Agents that speak the Agent Client Protocol (ACP): we are their client, so their writes and questions come to us."""
