"""The issues read model."""

from __future__ import annotations

from typing import Any

from esaa.kernel.canonical import pretty
from esaa.protocol.roadmap import ESAA_VERSION, schema_version
from esaa.protocol.state import Issue, State

SOURCE = ".roadmap/activity.jsonl"
NO_BASELINE = "none"


def issues_json(state: State) -> bytes:
    """`issues.json`, byte for byte: sorted by id, open ones indexed by baseline."""
    issues = [state.header.issues[issue_id] for issue_id in sorted(state.header.issues)]
    by_baseline: dict[str, list[str]] = {}
    for issue in issues:
        if issue.is_open:
            by_baseline.setdefault(issue.baseline_id or NO_BASELINE, []).append(issue.issue_id)
    document = {
        "meta": {
            "schema_version": schema_version(state),
            "esaa_version": ESAA_VERSION,
            "generated_by": "esaa.project",
            "source_event_store": SOURCE,
            "last_event_seq": state.seq,
            "updated_at": state.header.last_ts,
        },
        "issues": [issue_view(issue) for issue in issues],
        "indexes": {"open_by_baseline": dict(sorted(by_baseline.items()))},
    }
    return pretty(document) + b"\n"


def issue_view(issue: Issue) -> dict[str, Any]:
    """An issue as the read model shows it."""
    return {
        "issue_id": issue.issue_id,
        "status": issue.status,
        "severity": issue.severity,
        "title": issue.title,
        "baseline_id": issue.baseline_id,
        "affected": issue.affected,
        "evidence": issue.evidence,
        "resolution": issue.resolution,
        "links": {
            "reported_by_task_id": issue.reported_by_task_id,
            "fixes_task_id": issue.fixes_task_id,
            "hotfix_task_id": issue.hotfix_task_id,
        },
        "timeline": {
            "created_event_seq": issue.created_event_seq,
            "resolved_event_seq": issue.resolved_event_seq,
        },
    }
