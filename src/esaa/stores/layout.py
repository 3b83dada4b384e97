"""Where a workspace keeps its log: the two names that everything else hangs on."""

ROADMAP = ".roadmap"
LOG_NAME = "activity.jsonl"
