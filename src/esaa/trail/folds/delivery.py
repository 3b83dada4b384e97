"""What the work finds and delivers: gaps, commits and pull requests, the tracker, documents."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from esaa.trail.event import TrailEvent
from esaa.trail.facts.documentation import ConfluencePageCreated, DocumentationCreated
from esaa.trail.facts.gaps import GapEscalated, GapIdentified, GapResolved
from esaa.trail.facts.git import CommitCreated, PRClosed, PRCreated, PRMerged
from esaa.trail.facts.tracker import CommentPosted, IssueTransitioned, WorklogAdded
from esaa.trail.facts.wording import brief
from esaa.trail.folds.reading import excerpt, given, metadata_as_sent
from esaa.trail.state import OrchestrationState
from esaa.trail.state_values import Comment, Commit, Document, Escalation, Transition, Worklog


def gap_identified(state: OrchestrationState, event: TrailEvent, fact: GapIdentified) -> None:
    """The gap is open, with all that was said about it."""
    state.identified_gaps.append(metadata_as_sent(event, fact))


def gap_resolved(state: OrchestrationState, event: TrailEvent, fact: GapResolved) -> None:
    """The gap is closed, however often it was found."""
    gap_id = fact.gap_id
    state.resolved_gaps.append(gap_id)
    state.identified_gaps = [gap for gap in state.identified_gaps if gap["gap_id"] != gap_id]
    escalated = state.escalated_gaps.get(gap_id)
    if escalated is not None:
        state.escalated_gaps[gap_id] = replace(escalated, resolved_at=event.ts)


def gap_escalated(state: OrchestrationState, event: TrailEvent, fact: GapEscalated) -> None:
    """The gap waits for someone else; it stays among the open ones if it is there."""
    state.escalated_gaps[fact.gap_id] = Escalation(
        reason=excerpt(fact.escalation_reason),
        escalated_at=event.ts,
        escalated_to=given(fact.escalated_to),
        channel=given(fact.escalation_channel),
        severity=given(fact.severity),
        work_paused=given(fact.work_paused),
        blocking_deployment=given(fact.blocking_deployment),
    )


def commit_created(state: OrchestrationState, event: TrailEvent, fact: CommitCreated) -> None:
    """One more commit."""
    commit = Commit(
        sha=fact.commit_sha,
        message=fact.commit_message,
        timestamp=event.ts,
        agent_author=given(fact.agent_author),
    )
    state.commits.append(commit)


def pr_created(state: OrchestrationState, event: TrailEvent, fact: PRCreated) -> None:
    """One more pull request, open."""
    state.prs.append(metadata_as_sent(event, fact) | {"status": "open"})


def pr_merged(state: OrchestrationState, event: TrailEvent, fact: PRMerged) -> None:
    """The pull request is merged."""
    end: dict[str, Any] = {
        "status": "merged",
        "merged_at": event.ts,
        "merged_by": given(fact.merged_by),
        "merged_commit_sha": given(fact.merged_commit_sha),
        "ci_status": given(fact.ci_status),
    }
    _pr_ended(state, fact.pr_number, end)


def pr_closed(state: OrchestrationState, event: TrailEvent, fact: PRClosed) -> None:
    """The pull request is closed without a merge."""
    end: dict[str, Any] = {
        "status": "closed",
        "closed_at": event.ts,
        "closed_by": given(fact.closed_by),
        "close_reason": given(fact.close_reason),
        "superseded_by_pr": given(fact.superseded_by_pr),
    }
    _pr_ended(state, fact.pr_number, end)


def _pr_ended(state: OrchestrationState, number: int, end: dict[str, Any]) -> None:
    known = {key: value for key, value in end.items() if value is not None}
    for place in range(len(state.prs) - 1, -1, -1):  # the newest first: mostly it is that one
        if state.prs[place]["pr_number"] == number:
            state.prs[place] = state.prs[place] | known
            return
    # Its opening was not recorded; its end is true nevertheless.
    state.prs.append({"pr_number": number} | known)


def issue_transitioned(state: OrchestrationState, event: TrailEvent, fact: IssueTransitioned) -> None:
    """One more move in the tracker."""
    move = Transition(
        issue_key=fact.issue_key,
        to_status=fact.to_status,
        timestamp=event.ts,
        from_status=given(fact.from_status),
        transition_trigger=given(fact.transition_trigger),
        automated=given(fact.automated),
    )
    state.jira_transitions.append(move)


def comment_posted(state: OrchestrationState, event: TrailEvent, fact: CommentPosted) -> None:
    """One more comment."""
    comment = Comment(
        issue_key=fact.issue_key,
        excerpt=brief(fact.comment_body),
        timestamp=event.ts,
        comment_id=given(fact.comment_id),
        comment_type=given(fact.comment_type),
        posted_by=given(fact.posted_by),
    )
    state.comments.append(comment)


def worklog_added(state: OrchestrationState, event: TrailEvent, fact: WorklogAdded) -> None:
    """More working time."""
    worklog = Worklog(
        issue_key=fact.issue_key,
        time_spent_seconds=fact.time_spent_seconds,
        timestamp=event.ts,
        author=given(fact.author),
    )
    state.worklogs.append(worklog)


def documentation_created(state: OrchestrationState, event: TrailEvent, fact: DocumentationCreated) -> None:
    """One more document in the project."""
    document = Document(
        timestamp=event.ts,
        doc_path=fact.doc_path,
        title=given(fact.doc_title),
        doc_type=given(fact.doc_type),
        created_by=given(fact.created_by),
    )
    state.documentation.append(document)


def confluence_page_created(state: OrchestrationState, event: TrailEvent, fact: ConfluencePageCreated) -> None:
    """One more page of the wiki."""
    page = Document(
        timestamp=event.ts,
        page_id=fact.page_id,
        url=given(fact.page_url),
        title=fact.page_title,
        doc_type="confluence_page",
        created_by=given(fact.created_by),
    )
    state.documentation.append(page)
