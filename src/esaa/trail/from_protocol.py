"""From the log of the governed run to the trail: every event of the protocol is told in events of the trail.

The translator folds: what it tells of an event depends on the events before it, never on when it is asked. Equal logs
give equal ids in the same order, whether they are told live or years later.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, assert_never

import msgspec
from msgspec import UNSET

import esaa.protocol.facts as log
from esaa.kernel.recorded import Recorded
from esaa.trail.event import Actor, ActorType
from esaa.trail.facts.external import ForeignEventObserved
from esaa.trail.facts.gaps import GapIdentified
from esaa.trail.facts.quality import QualityCheckCompleted, QualityCheckFailed, QualityCheckStarted, QualityIssue
from esaa.trail.facts.records import ConfigurationChanged, LogRepaired, ReadModelUpdated
from esaa.trail.facts.tasks import OutputRejected, TaskAmended, TaskCreated
from esaa.trail.facts.values import Severity
from esaa.trail.intake import is_issue_key, parse_time, trail_time
from esaa.trail.telling.calls import tell_call
from esaa.trail.telling.fitting import count, data, label, name, sent, sha256, text, texts
from esaa.trail.telling.gaps import GapTelling
from esaa.trail.telling.narrator import Narrator, Translated
from esaa.trail.telling.run_story import FIRST_PHASE, FIX, Cause, Delivery, RunStory, phase_of_kind
from esaa.trail.telling.tasks import TaskTelling

TRANSLATOR_VERSION = 1
"""Raised with every change of what is told, or of what the story holds; no other version's story is gone on with."""

_SYSTEM = ("orchestrator", "runtime-monitor")
_AGENT_PREFIX = "agent-"  # what the names of agents begin with where no registry says who is one
_EPOCH = "1970-01-01T00:00:00.000Z"
_LOG = ".roadmap/activity.jsonl"
_ROADMAP = ".roadmap/roadmap.json"
_CHECK = "projection_verification"
_SEVERITIES: dict[str, Severity] = {"low": "low", "medium": "medium", "high": "high", "critical": "critical"}
_ISSUE_EXTRAS = ("task_id", "fixes", "severity", "evidence", "affected", "lesson")
_TASK_EXTRAS = (
    "boundary_grant",
    "task_type",
    "required_review_mode",
    "required_verification",
    "executable_checks",
    "plugin",
    "baseline_id",
)
"""What was sent and has no field of its own in the trail; it is kept in `extra`."""
_QUIET = (log.VerificationStarted, log.VerificationPassed, log.VerificationFailed, log.ViewMutated, log.ForeignRecorded)
"""What another writer records after the end of a run without beginning one: it is told in the run that ended."""


class Translator:
    """Takes the events of one log in their order. `agents` are the names of the registry's actors that are agents."""

    def __init__(self, agents: Collection[str] = (), story: RunStory | None = None) -> None:
        self.story = RunStory() if story is None else story
        self._agents = frozenset(agents)
        self._narrator = Narrator(self.story)
        self._tasks = TaskTelling(self._narrator)
        self._gaps = GapTelling(self._narrator)

    def take(
        self, recorded: Recorded[log.Fact], leaf_hash: str, *, issue_key_ahead: str | None = None
    ) -> list[Translated]:
        """What the trail is told of an event, and of events before it that waited for this one.

        `issue_key_ahead` is the issue that a run which begins here is bound to later: it is told there from the start.
        """
        narrator, story = self._narrator, self.story
        narrator.told = []
        story.last_ts = trail_time_of(recorded.ts, story.last_ts)
        cause = Cause(
            event_id=recorded.event_id,
            leaf_hash=leaf_hash,
            ts=story.last_ts,
            actor=Actor(type=self._type_of(recorded.actor), id=label(recorded.actor) or "unknown"),
        )
        self._tell_what_waits(recorded.fact)
        narrator.cause = cause
        if not story.is_open and not isinstance(recorded.fact, log.RunStarted):
            self._begin_without_a_word(recorded.fact)
        self._tell(recorded, issue_key_ahead)
        return narrator.told

    def dump(self) -> bytes:
        """The story so far; `load` goes on with it."""
        return msgspec.json.encode(self.story)

    @classmethod
    def load(cls, story: bytes | msgspec.Raw, agents: Collection[str] = ()) -> Translator:
        """The translator that dumped a story. Raises `ValueError` where it is none."""
        return cls(agents, msgspec.json.decode(story, type=RunStory))

    def _tell(self, recorded: Recorded[log.Fact], issue_key_ahead: str | None) -> None:
        fact, actor = recorded.fact, recorded.actor
        self._tell_call(fact, actor)
        match fact:
            case log.VerificationStarted() | log.VerificationPassed() | log.VerificationFailed():
                self._verification(fact)
            case log.ViewMutated():
                self._view_mutated(fact)
            case log.TaskClaimed():
                self._tasks.claimed(fact.task_id, actor, fact.notes)
            case log.TaskCompleted():
                self._completed(fact, actor)
            case log.FileWritten():
                self._file_written(fact)
            case log.TaskReviewed():
                self._tasks.reviewed(
                    fact.task_id, actor, fact.decision, fact.tasks, role=fact.reviewer_role, notes=fact.notes
                )
            case log.TaskCreated():  # hotfixes too
                self._created(fact)
            case log.TaskAmended():
                self._amended(fact)
            case log.OutputRejected():
                self._rejected(fact)
            case log.IssueReported():
                self._reported(fact, actor)
            case log.IssueResolved():
                self._gaps.closed(fact.issue_id, actor, fact.resolution)
            case log.RunStarted():
                self._run_started(fact, issue_key_ahead)
            case log.RunEnded():
                self._narrator.end(fact.status, fact.message or None if fact.message is not UNSET else None)
            case log.ForeignRecorded():
                self._narrator.tell(
                    ForeignEventObserved(
                        system="esaa",
                        name=name(fact.name),
                        payload=fact.payload,
                        foreign_id=label(recorded.event_id) or UNSET,
                    )
                )
            case _:
                assert_never(fact)

    def _tell_call(self, fact: log.Fact, actor: str) -> None:
        """The call of a model that an agent's output came from."""
        if isinstance(fact, log.OutputRejected):
            agent, digest = text(fact.rejected_actor) or None, fact.result_sha256
        elif isinstance(fact, log.TaskClaimed | log.TaskCompleted | log.TaskReviewed | log.IssueReported):
            agent, digest = actor, UNSET
        else:
            return
        if fact.provenance is not UNSET:
            tell_call(self._narrator, fact.provenance, agent=agent, task_id=fact.task_id, digest=digest)

    # What waits for the next event

    def _tell_what_waits(self, fact: log.Fact) -> None:
        story = self.story
        delivery = story.delivery
        if delivery is not None and not (isinstance(fact, log.FileWritten) and fact.task_id == delivery.task_id):
            story.delivery = None
            warned = isinstance(fact, log.ViewMutated) and fact.warnings is not UNSET
            self._tasks.delivered(delivery, has_warnings=warned)
        if story.opening is not None:
            self._narrator.cause, story.opening = story.opening, None
            self._narrator.begin(_phase_of(fact) or FIRST_PHASE)

    def _completed(self, fact: log.TaskCompleted, actor: str) -> None:
        self._tasks.delivers(fact.task_id, actor)
        verification = fact.verification if isinstance(fact.verification, dict) else {}
        self.story.delivery = Delivery(
            cause=self._narrator.cause,
            task_id=fact.task_id,
            agent=actor,
            checks=texts(verification.get("checks")) or (),
            notes=fact.notes or None if fact.notes is not UNSET else None,
            issue_id=text(fact.issue_id) or None,
            fixes=text(fact.fixes) or None,
        )

    # Runs

    def _run_started(self, fact: log.RunStarted, issue_key_ahead: str | None) -> None:
        story = self.story
        if fact.project_name is not UNSET:
            story.project_name = fact.project_name
        self._narrator.open_session(
            run_id=label(fact.run_id),
            correlation_id=label(fact.run_id) or label(fact.master_correlation_id),
            issue_key=issue_key_ahead if issue_key_ahead is not None and is_issue_key(issue_key_ahead) else None,
            trigger="run.start",
        )
        phase = story.phase_at_hand()
        if phase is None and story.paused_at is None:
            story.opening = self._narrator.cause  # the next event says which phase it is
        else:
            self._narrator.begin(phase or story.current_phase)

    def _begin_without_a_word(self, fact: log.Fact) -> None:
        """Another writer's log may have no `run.start`, and goes on after its `run.end`."""
        story = self.story
        if story.session_id and isinstance(fact, _QUIET):
            return
        self._narrator.open_session(
            run_id=story.run_id, correlation_id=story.correlation_id, issue_key=None, trigger="first_event"
        )
        self._narrator.begin(_phase_of(fact) or story.phase_at_hand() or FIRST_PHASE)

    # The orchestrator's own acts

    def _view_mutated(self, fact: log.ViewMutated) -> None:
        issue_key = fact.bound_issue_key()
        if issue_key is not None and is_issue_key(issue_key):
            self._bound(issue_key)
            return
        change = fact.change if isinstance(fact.change, str) else ""
        detail = data(fact.detail)
        if fact.target in ("log", "files"):
            done = {} if detail is UNSET else detail
            self._narrator.tell(
                LogRepaired(
                    target=_LOG if fact.target == "log" else "files",
                    change=change or "repaired",
                    removed_bytes=count(done.get("removed_bytes")),
                    removed_sha256=sha256(done.get("sha256")),
                    quarantine=text(done.get("quarantine")),
                    extra=detail,
                )
            )
            return
        self._narrator.tell(
            ReadModelUpdated(target=name(fact.target), change=change or UNSET, warnings=fact.warnings, detail=detail)
        )

    def _bound(self, issue_key: str) -> None:
        story = self.story
        before = story.issue_key
        if issue_key != before:
            self._narrator.move(issue_key)
        self._narrator.tell(
            ConfigurationChanged(
                key="trail.issue_key",
                old_value=before if before != issue_key else None,
                new_value=issue_key,
                changed_by="esaa run --issue",
                reason=f"the run {story.run_id or ''} belongs to {issue_key}".replace("  ", " "),
            )
        )

    def _verification(self, fact: log.VerificationStarted | log.VerificationPassed | log.VerificationFailed) -> None:
        if isinstance(fact, log.VerificationStarted):
            self._narrator.tell(QualityCheckStarted(check_type=_CHECK, check_scope="read_models"))
        elif isinstance(fact, log.VerificationPassed):
            self._narrator.tell(
                QualityCheckCompleted(
                    check_type=_CHECK,
                    passed_quality_gate=True,
                    issues_found=0,
                    extra={"projection_hash_sha256": fact.projection_hash_sha256},
                )
            )
        else:
            reason = text(fact.message) or name(fact.verify_status, "mismatch")
            found = {"expected_sha256": fact.expected_sha256, "found_sha256": fact.found_sha256}
            self._narrator.tell(
                QualityCheckFailed(
                    check_type=_CHECK,
                    failure_reason=reason,
                    critical_issues=(QualityIssue(message=reason, type="projection_mismatch", file=_ROADMAP),),
                    remediation_required=True,
                    extra={key: value for key, value in found.items() if isinstance(value, str)} or UNSET,
                )
            )

    def _file_written(self, fact: log.FileWritten) -> None:
        delivery = self.story.delivery
        is_of_it = delivery is not None and delivery.task_id == fact.task_id
        task = self.story.tasks.get(fact.task_id)
        agent = delivery.agent if delivery is not None and is_of_it else None if task is None else task.owner
        effects = fact.effects if isinstance(fact.effects, list) else []
        told = [self._tasks.written(fact.task_id, effect, agent) for effect in effects]
        paths = [path for path in told if path is not None]
        if not told or None in told:
            self._tasks.written_somehow(fact.task_id, fact.files, fact.effects)
            paths += [path for path in fact.files if path and path not in paths]
        if delivery is not None and is_of_it:
            delivery.files += [path for path in paths if path not in delivery.files]

    # Tasks

    def _created(self, fact: log.TaskCreated) -> None:
        is_hotfix = isinstance(fact, log.HotfixCreated) or fact.is_hotfix is True
        outputs = fact.outputs.get("files") if isinstance(fact.outputs, dict) else UNSET
        self._tasks.created(
            fact.task_id,
            fact.task_kind,
            TaskCreated(
                task_id=name(fact.task_id),
                title=name(fact.title, fact.task_id or "unknown"),
                task_kind=name(fact.task_kind),
                phase=FIX if is_hotfix else phase_of_kind(fact.task_kind),
                description=fact.description,
                depends_on=texts(fact.depends_on),
                outputs=texts(outputs),
                targets=texts(fact.targets),
                acceptance_criteria=fact.acceptance_criteria,
                supersedes=texts(fact.supersedes),
                is_hotfix=True if is_hotfix else UNSET,
                issue_id=text(fact.issue_id),
                fixes=text(fact.fixes),
                scope_patch=texts(fact.scope_patch),
                extra=sent(fact, _TASK_EXTRAS),
            ),
        )

    def _amended(self, fact: log.TaskAmended) -> None:
        task = self.story.tasks.get(fact.task_id)
        changes: dict[str, Any] = msgspec.to_builtins(fact)
        del changes["task_id"]
        if task is not None and task.status == "todo":
            if isinstance(fact.title, str) and fact.title:
                task.title = fact.title
            if isinstance(fact.task_kind, str) and fact.task_kind and task.phase != FIX:
                self.story.change_kind(task, fact.task_kind)
        phase = UNSET if task is None else task.phase
        self._narrator.tell(TaskAmended(task_id=name(fact.task_id), changes=changes, phase=phase))

    def _rejected(self, fact: log.OutputRejected) -> None:
        task = None if fact.task_id is None else self.story.tasks.get(fact.task_id)
        agent = text(fact.rejected_actor) or None
        if agent is None and task is not None and task.status == "in_progress":
            agent = task.owner  # another writer does not say whose output it was
        self._tasks.rejected(
            OutputRejected(
                error_code=name(fact.error_code, "UNKNOWN"),
                task_id=fact.task_id or None,
                message=fact.message,
                layer=fact.layer,
                reason=fact.reason,
                hint=fact.hint,
                agent_name=agent or UNSET,
                phase=UNSET if task is None else task.phase,
                source_action=fact.source_action,
                counts=fact.counts,
                result_sha256=sha256(fact.result_sha256),
                count=count(fact.count),
                extra=sent(fact, ("digests",)),
            ),
            agent,
            counts=task is not None and fact.counts is not False,
        )

    # Issues

    def _reported(self, fact: log.IssueReported, actor: str) -> None:
        about = fact.fixes if isinstance(fact.fixes, str) and fact.fixes else fact.task_id
        task = self.story.tasks.get(about) or self.story.tasks.get(fact.task_id)
        phase = None if task is None else task.phase
        severity = _SEVERITIES.get(fact.severity)
        evidence = fact.evidence if isinstance(fact.evidence, dict) else {}
        affected = fact.affected if isinstance(fact.affected, dict) else {}
        self._gaps.found(
            GapIdentified(
                gap_id=name(fact.issue_id),
                severity=severity or "medium",
                description=name(fact.title, fact.issue_id or "unknown"),
                gap_type=text(fact.subtype) or text(fact.category) or "defect",
                phase=phase or UNSET,
                affected_modules=texts(affected.get("paths")),
                impact=text(evidence.get("symptom")),
                identified_by=name(actor),
                blocking=severity in ("high", "critical"),
                extra=sent(fact, _ISSUE_EXTRAS),
            ),
            about=about,
            phase=phase,
        )
        if actor == "runtime-monitor" and fact.issue_id.startswith("ISS-ATTEMPTS-"):
            self._gaps.given_up(fact.task_id, fact.title)

    def _type_of(self, actor: str) -> ActorType:
        if actor in _SYSTEM:
            return "system"
        return "agent" if actor in self._agents or actor.startswith(_AGENT_PREFIX) else "user"


def trail_time_of(ts: str, previous: str = "") -> str:
    """The log's time as the trail writes it; one that is no time is that of the event before."""
    moment = parse_time(ts) or parse_time(f"{ts}Z")  # another writer's may name no zone
    return previous or _EPOCH if moment is None else trail_time(moment)


def _phase_of(fact: log.Fact) -> str | None:
    """The phase that the first task of a run is in, where the event creates it."""
    if not isinstance(fact, log.TaskCreated):
        return None
    is_hotfix = isinstance(fact, log.HotfixCreated) or fact.is_hotfix is True
    return FIX if is_hotfix else phase_of_kind(fact.task_kind)
