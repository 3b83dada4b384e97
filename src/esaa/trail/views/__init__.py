"""What one sees of a stream: agents, phases, quality, gaps, failures, the timeline. Pure."""
