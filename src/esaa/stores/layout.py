"""Where a workspace keeps its log: the names that everything else hangs on."""

ROADMAP = ".roadmap"
LOG_NAME = "activity.jsonl"
ORIGIN_NAME = "origin"
