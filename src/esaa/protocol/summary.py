"""One readable line for every fact, for logs and progress."""

from __future__ import annotations

from typing import assert_never

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


def summary(fact: Fact) -> str:
    """What happened, in a few words, without who and when."""
    match fact:
        case RunStarted():
            return f"run {fact.run_id} begins"
        case RunEnded():
            return f"run ends: {fact.status}" + ("" if fact.message is UNSET else f" ({fact.message})")
        case HotfixCreated():
            return f"{fact.task_id} is created: hotfix of {fact.fixes} for {fact.issue_id}"
        case TaskCreated():
            return f"{fact.task_id} is created: {fact.title}"
        case TaskAmended():
            return f"{fact.task_id} is amended"
        case TaskClaimed():
            return f"{fact.task_id} is claimed"
        case TaskCompleted():
            return f"{fact.task_id} is completed"
        case TaskReviewed():
            asked = "" if fact.decision == "approve" else f": {'; '.join(fact.tasks)}"
            return f"{fact.task_id} is {'approved' if fact.decision == 'approve' else 'sent back'}{asked}"
        case IssueReported():
            return f"{fact.issue_id} ({fact.severity}) on {_about(fact)}: {fact.title}"
        case IssueResolved():
            return f"{fact.issue_id} is resolved"
        case OutputRejected():
            return (
                f"{fact.task_id or 'an output'} {fact.source_action or ''} rejected, {fact.error_code}: {fact.message}"
            )
        case FileWritten():
            return f"{fact.task_id} writes {', '.join(fact.files)}"
        case ViewMutated():
            warned = "" if fact.warnings is UNSET else f" (warning: {'; '.join(fact.warnings)})"
            return f"{fact.target}: {fact.change}{warned}"
        case VerificationStarted():
            return "verification begins"
        case VerificationPassed():
            return f"verified, projection {fact.projection_hash_sha256[:12]}"
        case VerificationFailed():
            return f"verification fails: {fact.verify_status}"
        case ForeignRecorded():
            return f"{fact.name} (another writer's)"
        case _:
            assert_never(fact)


def task_of(fact: Fact) -> str | None:
    """The task that a fact is about, or None."""
    task_id = getattr(fact, "task_id", None)
    return task_id if isinstance(task_id, str) else None


def _about(fact: IssueReported) -> str:
    return fact.fixes if isinstance(fact.fixes, str) else fact.task_id
