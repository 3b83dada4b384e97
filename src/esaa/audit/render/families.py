"""The families of a section, once for every page: which columns each has, and where their values come from."""

from __future__ import annotations

from typing import Literal, NamedTuple

CellKind = Literal["text", "code", "number", "time", "status", "event"]


class Field(NamedTuple):
    """Where a column's value comes from, and its form: as it is, as money, a duration, a name in words and so on."""

    attribute: str
    title: str
    kind: CellKind = "text"
    form: Literal["plain", "duration", "money", "percent", "unit", "list", "digest", "words"] = "plain"


FAMILIES: tuple[tuple[str, str, tuple[Field, ...]], ...] = (
    (
        "phases",
        "Phases",
        (
            Field("phase", "Phase", "code"),
            Field("status", "Status", "status"),
            Field("started_at", "Began", "time"),
            Field("ended_at", "Ended", "time"),
            Field("duration_seconds", "Duration", "number", "duration"),
            Field("agents", "Agents", "text", "list"),
            Field("retries", "Retries", "number"),
            Field("quality_score", "Score", "number"),
            Field("reason", "Reason"),
        ),
    ),
    (
        "agents",
        "Agents",
        (
            Field("agent", "Agent", "code"),
            Field("model", "Model", "code"),
            Field("status", "Status", "status"),
            Field("runs", "Runs", "number"),
            Field("completions", "Done", "number"),
            Field("failures", "Failed", "number"),
            Field("total_seconds", "Worked", "number", "duration"),
            Field("tasks_done", "Tasks done", "number"),
            Field("rejected_outputs", "Refused", "number"),
            Field("files_written", "Files", "number"),
            Field("commits", "Commits", "number"),
            Field("tools_used", "Tools used", "number"),
            Field("tools_denied", "Denied", "number"),
            Field("quality_score", "Score", "number"),
            Field("tokens_in", "Tokens in", "number"),
            Field("tokens_out", "Tokens out", "number"),
            Field("cost_micro_usd", "Cost", "number", "money"),
        ),
    ),
    (
        "tasks",
        "Tasks",
        (
            Field("task_id", "Task", "code"),
            Field("title", "Title"),
            Field("task_kind", "Kind"),
            Field("status", "Status", "status"),
            Field("owner", "Owner", "code"),
            Field("created_at", "Created", "time"),
            Field("completed_at", "Done", "time"),
            Field("times_reopened", "Sent back", "number"),
            Field("outputs_rejected", "Refused", "number"),
        ),
    ),
    (
        "commits",
        "Commits",
        (
            Field("timestamp", "When", "time"),
            Field("sha", "Commit", "code", "digest"),
            Field("message", "Message"),
            Field("author", "Author", "code"),
            Field("files_changed", "Files", "number"),
            Field("insertions", "Added", "number"),
            Field("deletions", "Removed", "number"),
        ),
    ),
    (
        "pull_requests",
        "Pull requests",
        (
            Field("number", "Number", "number"),
            Field("title", "Title"),
            Field("status", "Status", "status"),
            Field("head_branch", "From", "code"),
            Field("base_branch", "Into", "code"),
            Field("ended_at", "Ended", "time"),
            Field("ended_by", "By", "code"),
            Field("commit", "Merged as", "code", "digest"),
            Field("url", "Address", "code"),
        ),
    ),
    (
        "gaps",
        "Gaps",
        (
            Field("gap_id", "Gap", "code"),
            Field("severity", "Severity", "status"),
            Field("status", "Status", "status"),
            Field("description", "Description"),
            Field("identified_at", "Found", "time"),
            Field("identified_by", "Found by", "code"),
            Field("escalated_to", "Escalated to"),
            Field("resolved_at", "Closed", "time"),
            Field("resolved_by", "Closed by", "code"),
            Field("resolution", "How", "text", "words"),
            Field("open_seconds", "Open for", "number", "duration"),
        ),
    ),
    (
        "errors",
        "Errors and recoveries",
        (
            Field("timestamp", "When", "time"),
            Field("kind", "What failed", "text", "words"),
            Field("about", "Which", "code"),
            Field("message", "Message"),
            Field("code", "Code", "code"),
            Field("outcome", "Outcome", "status"),
            Field("attempts", "Attempts", "number"),
            Field("ended_at", "Settled", "time"),
            Field("recoveries", "What was done", "text", "list"),
        ),
    ),
    (
        "rejections",
        "Refused outputs",
        (
            Field("timestamp", "When", "time"),
            Field("asked", "Asked for"),
            Field("asked_by", "By", "code"),
            Field("about", "About", "code"),
            Field("rule", "Rule", "code"),
            Field("reason", "Condition", "text", "words"),
            Field("message", "Why"),
            Field("hint", "Instead"),
            Field("count", "Count", "number"),
            Field("outcome", "Outcome", "status"),
        ),
    ),
    (
        "checks",
        "Quality checks",
        (
            Field("timestamp", "When", "time"),
            Field("check_type", "Check", "code"),
            Field("status", "Result", "status"),
            Field("score", "Score", "number"),
            Field("issues_found", "Issues", "number"),
            Field("reason", "Reason"),
        ),
    ),
    (
        "tests",
        "Test runs",
        (
            Field("timestamp", "When", "time"),
            Field("suite", "Suite", "code"),
            Field("status", "Result", "status"),
            Field("total", "Tests", "number"),
            Field("passed", "Passed", "number"),
            Field("failed", "Failed", "number"),
            Field("skipped", "Skipped", "number"),
            Field("line_coverage", "Coverage", "number", "percent"),
            Field("duration_seconds", "Duration", "number", "duration"),
            Field("reason", "Reason"),
        ),
    ),
    (
        "approvals",
        "Approvals",
        (
            Field("approval_id", "Approval", "code"),
            Field("subject", "Subject"),
            Field("risk", "Risk", "status"),
            Field("requested_by", "Asked by", "code"),
            Field("requested_at", "Asked", "time"),
            Field("status", "Answer", "status"),
            Field("decided_by", "Decided by", "code"),
            Field("decided_at", "Decided", "time"),
            Field("reason", "Reason"),
        ),
    ),
    (
        "budgets",
        "Budgets",
        (
            Field("budget_id", "Budget", "code"),
            Field("scope", "For each"),
            Field("limit", "Limit", "number", "unit"),
            Field("spent", "Spent", "number", "unit"),
            Field("reserved", "Set aside", "number", "unit"),
            Field("times_exceeded", "Exceeded", "number"),
        ),
    ),
    (
        "notes",
        "Decisions and turning points",
        (
            Field("timestamp", "When", "time"),
            Field("event_type", "Event", "code"),
            Field("actor", "Actor", "code"),
            Field("summary", "What happened"),
        ),
    ),
)
"""The families of a section in the order of the page."""
