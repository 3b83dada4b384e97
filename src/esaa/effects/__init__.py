"""Effects on the project's files: idempotent, keyed by event, repaired by running again."""
