"""Tells of tasks what an act on them means: who works on what, what was delivered and decided, what failed and why.

As the narrator it knows nothing of the log's vocabulary; it is called with plain values.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from esaa.trail.facts.agents import AgentCompleted, AgentFailed
from esaa.trail.facts.documentation import DocumentationCreated
from esaa.trail.facts.external import ForeignEventObserved
from esaa.trail.facts.files import FileWritten
from esaa.trail.facts.recovery import ErrorOccurred, RecoverySucceeded
from esaa.trail.facts.reviews import ReviewCompleted, ReviewRequested
from esaa.trail.facts.tasks import (
    OutputRejected,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskDone,
    TaskReopened,
)
from esaa.trail.telling.fitting import count, name, sha256
from esaa.trail.telling.narrator import Narrator
from esaa.trail.telling.run_story import Delivery, ErrorTold, TaskStory, lasted

_ERROR_TYPES = {
    "AGENT_FAILED": "agent_failure",
    "ATTEMPT_TIMEOUT": "timeout",
    "RESOURCE_LIMIT_EXCEEDED": "resource_limit",
}
"""Refusals that are errors: the agent did not answer, or not in a way that could be read."""
_DOCUMENTS = (".md", ".rst", ".adoc")
_DECISIONS: dict[str, Literal["approve", "request_changes"]] = {
    "approve": "approve",
    "request_changes": "request_changes",
}


class TaskTelling:
    """The acts on tasks, told by a narrator."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator

    def created(self, task_id: str, kind: str, fact: TaskCreated) -> None:
        """A task, or a hotfix, enters the roadmap."""
        self._narrator.story.add_task(task_id, kind, fact.title, is_hotfix=fact.is_hotfix is True)
        self._narrator.tell(fact)

    def claimed(self, task_id: str, actor: str, notes: str | UnsetType | None) -> None:
        """An agent takes a task, and begins to work on it."""
        task = self._acted_on(task_id)
        task.status, task.owner, task.claimed_at = "in_progress", actor, self._now
        self._narrator.tell(
            TaskClaimed(
                task_id=name(task_id),
                agent_name=name(actor),
                task_kind=name(task.kind),
                title=task.title or UNSET,
                phase=task.phase,
                attempt=task.attempts + 1,
                notes=notes,
            )
        )
        self._narrator.spawn(task_id, task, f"claimed {task_id}")

    def delivers(self, task_id: str, agent: str) -> None:
        """The owner delivers; what is written for it comes next."""
        self._acted_on(task_id).owner = agent

    def delivered(self, delivery: Delivery, *, has_warnings: bool) -> None:
        """What was written for a delivery is known. The task waits for its review."""
        held, self._narrator.cause = self._narrator.cause, delivery.cause
        task = self._narrator.story.task(delivery.task_id)
        task.status = "review"
        task.deliveries += 1
        self._narrator.take_part(task)
        files = tuple(delivery.files)
        self._narrator.tell(
            TaskCompleted(
                task_id=name(delivery.task_id),
                agent_name=name(delivery.agent),
                task_kind=name(task.kind),
                phase=task.phase,
                checks=delivery.checks,
                files_written=files,
                duration_seconds=lasted(task.claimed_at, self._now),
                notes=delivery.notes,
                issue_id=delivery.issue_id or UNSET,
                fixes=delivery.fixes or UNSET,
            )
        )
        self._narrator.tell(
            AgentCompleted(
                agent_name=name(delivery.agent),
                duration_seconds=lasted(task.spawned_at, self._now),
                outputs_created=files,
                task_status="success_with_warnings" if has_warnings else "success",
            )
        )
        task.spawned_at = None
        self._narrator.tell(
            ReviewRequested(
                review_id=_review_id(delivery.task_id, task),
                subject=name(task.title, delivery.task_id or "unknown"),
                task_id=name(delivery.task_id),
                phase=task.phase,
                requested_by=delivery.agent or UNSET,
                items=files,
            )
        )
        self._narrator.cause = held

    def written(self, task_id: str, effect: Any, agent: str | None) -> str | None:
        """A file got new content; returns its path, or None for an effect that does not say which content."""
        path = effect.get("path") if isinstance(effect, dict) else None
        after = sha256(effect.get("after_sha256")) if isinstance(effect, dict) else UNSET
        if not isinstance(path, str) or not path or after is UNSET:
            return None
        task = self._narrator.story.tasks.get(task_id)
        phase = None if task is None else task.phase
        before = effect.get("before_sha256")
        self._narrator.tell(
            FileWritten(
                path=path,
                after_sha256=after,
                before_sha256=None if before is None else sha256(before),
                size_bytes=count(effect.get("bytes")),
                task_id=name(task_id),
                agent_name=agent or UNSET,
                phase=phase or UNSET,
            )
        )
        if path.endswith(_DOCUMENTS):
            self._narrator.tell(
                DocumentationCreated(
                    doc_path=path,
                    doc_type=UNSET if task is None else task.kind,
                    doc_title=UNSET if task is None or not task.title else task.title,
                    created_by=agent or UNSET,
                )
            )
        self._note_file(task_id, path)
        return path

    def written_somehow(self, task_id: str, files: tuple[str, ...], effects: Any) -> None:
        """Files got new contents, and the log does not say which: another writer's event, as it is."""
        payload = {"task_id": task_id, "files": list(files)} | ({} if effects is UNSET else {"effects": effects})
        self._narrator.tell(ForeignEventObserved(system="esaa", name="orchestrator.file.write", payload=payload))
        for path in files:
            self._note_file(task_id, path)

    def reviewed(
        self,
        task_id: str,
        reviewer: str,
        decision: str,
        items: tuple[str, ...],
        *,
        role: str | UnsetType,
        notes: str | UnsetType | None,
    ) -> None:
        """A reviewer approves a task, which is done then, or sends it back to its owner."""
        task = self._acted_on(task_id)
        is_approved = decision == "approve"
        self._narrator.tell(
            ReviewCompleted(
                review_id=_review_id(task_id, task),
                decision=_DECISIONS.get(decision, "comment"),
                subject=task.title or UNSET,
                task_id=name(task_id),
                phase=task.phase,
                reviewer=name(reviewer),
                reviewer_role=role,
                items=() if is_approved else items,
                notes=notes,
            )
        )
        if is_approved:
            self._done(task_id, task, reviewer)
            return
        task.status = "in_progress"
        self._narrator.tell(
            TaskReopened(
                task_id=name(task_id),
                agent_name=task.owner or UNSET,
                phase=task.phase,
                items=items,
                reviewer=name(reviewer),
                reason=notes,
            )
        )
        if task.owner is not None:
            self._narrator.spawn(task_id, task, f"{reviewer} asks for changes")

    def rejected(self, fact: OutputRejected, agent: str | None, *, counts: bool) -> None:
        """An output was refused. Where that costs an attempt, the attempt has failed and the next one begins."""
        task_id = fact.task_id if isinstance(fact.task_id, str) else None
        task = self._narrator.story.tasks.get(task_id) if task_id is not None else None
        phase = None if task is None else task.phase
        for tally in self._narrator.story.tallies(phase):
            tally.outputs_rejected += 1
        self._narrator.tell(fact)
        error_type = _ERROR_TYPES.get(fact.error_code)
        is_owner = task is not None and task.spawned_at is not None and task.owner == agent
        if agent is not None and (counts or error_type is not None) and (is_owner or not self._is_at_work(agent)):
            # Who works on another task is not taken off it by a refused claim or review.
            self._narrator.agent_failed(task, _agent_failed(fact, agent))
        if error_type is not None:
            self._failed(fact, error_type, agent, task)
        if task is None or task_id is None or not counts:
            return
        task.attempts += 1
        if is_owner:
            self._narrator.spawn(task_id, task, f"attempt {task.attempts + 1} after {fact.error_code}")

    @property
    def _now(self) -> str:
        return self._narrator.cause.ts

    def _acted_on(self, task_id: str) -> TaskStory:
        """The task of an accepted act: its phase is active, its readers know it, and its errors are overcome."""
        narrator = self._narrator
        task = narrator.story.task(task_id)
        narrator.enter_phase(task.phase)
        narrator.introduce(task_id, task)
        for number, error in enumerate(task.errors, start=1):
            for tally in narrator.story.tallies(task.phase):
                tally.recoveries += 1
            narrator.tell(
                RecoverySucceeded(
                    recovery_from=error.event_id,
                    recovery_attempt=len(task.errors) - number + 1,
                    recovery_duration_seconds=lasted(error.ts, self._now),
                    can_continue=True,
                )
            )
        task.errors = []
        return task

    def _done(self, task_id: str, task: TaskStory, reviewer: str) -> None:
        for tally in self._narrator.story.tallies(task.phase):
            tally.tasks_done += 1
        self._narrator.tell(
            TaskDone(
                task_id=name(task_id),
                agent_name=task.owner or UNSET,
                task_kind=name(task.kind),
                title=task.title or UNSET,
                phase=task.phase,
                approved_by=name(reviewer),
                attempts=task.attempts + task.deliveries,
                duration_seconds=lasted(task.claimed_at, self._now),
            )
        )
        self._narrator.story.forget_task(task_id)
        self._narrator.leave_phase(task.phase)

    def _failed(self, fact: OutputRejected, error_type: str, agent: str | None, task: TaskStory | None) -> None:
        context = {key: value for key, value in (("task_id", fact.task_id), ("agent_name", agent)) if value}
        for tally in self._narrator.story.tallies(None if task is None else task.phase):
            tally.errors += 1
        event_id = self._narrator.tell(
            ErrorOccurred(
                error_type=error_type,
                error_code=fact.error_code,
                error_message=_reason(fact),
                error_context=context or UNSET,
                recoverable=task is not None,
                recovery_strategy="ask_again" if task is not None else UNSET,
            )
        )
        if task is not None:
            task.errors.append(ErrorTold(event_id=event_id, ts=self._now))

    def _is_at_work(self, agent: str) -> bool:
        tasks = self._narrator.story.tasks.values()
        return any(task.owner == agent and task.spawned_at is not None for task in tasks)

    def _note_file(self, task_id: str, path: str) -> None:
        story = self._narrator.story
        task = story.tasks.get(task_id)
        for tally in story.tallies(None if task is None else task.phase):
            tally.files[path] = None
        active = None if task is None else story.phases.get(task.phase)
        if active is not None:
            paths = active.outputs.setdefault(task_id, [])
            if path not in paths:
                paths.append(path)


def _agent_failed(fact: OutputRejected, agent: str) -> AgentFailed:
    details = {"error_code": fact.error_code, "task_id": fact.task_id, "layer": fact.layer, "hint": fact.hint}
    return AgentFailed(
        agent_name=agent,
        failure_reason=f"its output was refused: {fact.error_code}",
        error_message=_reason(fact),
        error_details={key: value for key, value in details.items() if isinstance(value, str) and value},
    )


def _reason(fact: OutputRejected) -> str:
    return fact.message if isinstance(fact.message, str) and fact.message else fact.error_code


def _review_id(task_id: str, task: TaskStory) -> str:
    """The reviews of a task are numbered as its deliveries."""
    return f"{name(task_id)}#{max(task.deliveries, 1)}"
