"""The published schemas, and how event types may change. Pure."""
