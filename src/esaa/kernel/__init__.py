"""Event sourcing without a vocabulary: recorded facts, chains, canonical JSON, snapshots. Pure."""
