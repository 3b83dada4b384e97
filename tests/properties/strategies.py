"""What properties draw from: JSON values, facts of every kind, and stories."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from msgspec import UNSET

from esaa.protocol.facts import (
    Fact,
    FileWritten,
    ForeignRecorded,
    HotfixCreated,
    IssueReported,
    IssueResolved,
    OutputRejected,
    RunEnded,
    RunStarted,
    TaskAmended,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
    VerificationFailed,
    VerificationPassed,
    VerificationStarted,
    ViewMutated,
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
_NUMBERS = (
    st.integers(-(10**25), 10**25)
    | st.integers(-(2**64) - 5, 2**64 + 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e-05, 1e-07, 1e16, 1e20, 1e22, -0.0, 0.1])
)
SCALARS = st.none() | st.booleans() | _NUMBERS | TEXTS | st.sampled_from(['":1.5', "[2e3", ",-1E5", "\\u0041", '"'])
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)

TASK_IDS = st.sampled_from(["T-1", "T-2", "T-3", "HF-1", "T-é"])
ISSUE_IDS = st.sampled_from(["ISS-1", "ISS-2", "ISS-ATTEMPTS-T-1"])
KINDS = st.sampled_from(["spec", "impl", "qa", "docs"])
ACTORS = st.sampled_from(["agent-spec", "agent-impl", "agent-qa", "runtime-monitor", "orchestrator", "somebody é"])
TIMES = st.sampled_from(["2026-03-01T12:00:00Z", "2026-03-01T12:05:00Z", "2026-03-01T12:59:00Z", "yesterday"])
_PATHS = st.sampled_from(["src/a.py", "src/b/**", "docs/x.md", "a\\b", "../x", ""])
_TUPLES = st.lists(_PATHS | TASK_IDS, max_size=3).map(tuple)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.just(UNSET) | strategy


_OUTPUTS = st.fixed_dictionaries({"files": st.lists(_PATHS, max_size=2)}) | JSON
_TASK_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "description": _maybe(TEXTS),
    "depends_on": _maybe(st.lists(TASK_IDS, max_size=2).map(tuple)),
    "targets": _maybe(JSON),
    "outputs": _maybe(_OUTPUTS),
    "boundary_grant": _maybe(_TUPLES | st.none()),
    "task_type": _maybe(JSON),
    "acceptance_criteria": _maybe(JSON),
    "required_review_mode": _maybe(JSON),
    "supersedes": _maybe(st.lists(TASK_IDS, max_size=2).map(tuple)),
    "executable_checks": _maybe(_TUPLES),
    "plugin": _maybe(JSON),
    "is_hotfix": _maybe(st.booleans()),
    "issue_id": _maybe(ISSUE_IDS | st.none()),
    "fixes": _maybe(TASK_IDS | st.none()),
    "scope_patch": _maybe(_TUPLES),
    "required_verification": _maybe(JSON),
    "baseline_id": _maybe(TEXTS | st.none()),
}
_LESSON = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(["forbid text x", "require field notes", "be careful"]),
        "scope": st.just({"task_kinds": ["impl"]}),
        "enforcement": st.sampled_from([{"mode": "reject", "applies_to": "template"}, {}, "x"]),
    }
)

_CREATED = st.builds(TaskCreated, task_id=TASK_IDS, task_kind=KINDS, title=TEXTS, **_TASK_FIELDS)
_HOTFIX = st.builds(HotfixCreated, task_id=TASK_IDS, task_kind=KINDS, title=TEXTS, **_TASK_FIELDS)
_CLAIMED = st.builds(TaskClaimed, task_id=TASK_IDS, prior_status=_maybe(TEXTS), notes=_maybe(TEXTS | st.none()))
_COMPLETED = st.builds(
    TaskCompleted,
    task_id=TASK_IDS,
    verification=_maybe(JSON),
    issue_id=_maybe(ISSUE_IDS | st.none()),
    fixes=_maybe(TASK_IDS),
)
_REVIEWED = st.builds(
    TaskReviewed,
    task_id=TASK_IDS,
    decision=st.sampled_from(["approve", "request_changes", "other"]),
    tasks=st.lists(TEXTS, max_size=2).map(tuple),
    reviewer_role=_maybe(st.sampled_from(["qa", "orchestrator", "spec"])),
)
_REPORTED = st.builds(
    IssueReported,
    task_id=TASK_IDS,
    issue_id=ISSUE_IDS,
    severity=st.sampled_from(["low", "medium", "high", "critical", "odd"]),
    title=TEXTS,
    evidence=_maybe(JSON),
    affected=_maybe(JSON | st.fixed_dictionaries({"baseline_id": JSON})),
    category=_maybe(st.sampled_from(["process", "defect", None])),
    subtype=_maybe(st.sampled_from(["lesson", None])),
    lesson=_maybe(_LESSON | JSON),
    fixes=_maybe(TASK_IDS | st.none()),
)
_REJECTED = st.builds(
    OutputRejected,
    task_id=TASK_IDS | st.none(),
    error_code=TEXTS,
    message=TEXTS,
    source_action=TEXTS | st.none(),
    hint=_maybe(TEXTS),
    counts=_maybe(st.booleans()),
    count=_maybe(st.integers(0, 3)),
    digests=_maybe(_TUPLES),
)
_AMENDED = st.builds(
    TaskAmended,
    task_id=TASK_IDS,
    title=_maybe(TEXTS | st.none()),
    boundary_grant=_maybe(_TUPLES | st.none()),
    depends_on=_maybe(st.lists(TASK_IDS, max_size=2).map(tuple) | st.none()),
    task_kind=_maybe(KINDS | st.none()),
    outputs=_maybe(_OUTPUTS),
    executable_checks=_maybe(_TUPLES | st.none()),
    acceptance_criteria=_maybe(JSON),
    required_verification=_maybe(JSON),
)
_RUN = st.builds(
    RunStarted,
    run_id=TEXTS | st.none(),
    status=TEXTS,
    baseline_id=TEXTS | st.none(),
    project_name=_maybe(TEXTS),
    audit_scope=_maybe(TEXTS),
)

FACTS: st.SearchStrategy[Fact] = st.one_of(
    _CREATED,
    _CLAIMED,
    _COMPLETED,
    _REVIEWED,
    _REPORTED,
    _REJECTED,
    _HOTFIX,
    _AMENDED,
    _RUN,
    st.builds(RunEnded, status=TEXTS, message=_maybe(TEXTS)),
    st.builds(IssueResolved, issue_id=ISSUE_IDS, resolution=_maybe(JSON)),
    st.builds(FileWritten, task_id=TASK_IDS, files=_TUPLES, effects=_maybe(JSON)),
    st.builds(
        ViewMutated,
        target=TEXTS,
        change=_maybe(JSON),
        lessons=_maybe(st.lists(_LESSON, max_size=2) | JSON),
        warnings=_maybe(_TUPLES),
        detail=_maybe(JSON),
    ),
    st.builds(VerificationStarted, strict=_maybe(JSON)),
    st.builds(VerificationPassed, projection_hash_sha256=TEXTS),
    st.builds(VerificationFailed, verify_status=st.sampled_from(["", "mismatch", "corrupted"]), message=_maybe(JSON)),
    st.builds(ForeignRecorded, name=st.sampled_from(["runner.metrics", "chain.anchor", "x"]), payload=JSON),
)
STORIES = st.lists(st.tuples(FACTS, ACTORS, TIMES), max_size=25)
