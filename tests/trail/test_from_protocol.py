"""From the log of a governed run to the trail: what each event of the protocol is told as; none is left out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

import esaa.protocol.facts as log
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Recorded
from esaa.protocol.wire import ProtocolVocabulary
from esaa.trail.event import TrailEvent
from esaa.trail.evolve import evolve
from esaa.trail.facts.agents import AgentBlocked, AgentCompleted, AgentFailed, AgentSpawned
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.documentation import DocumentationCreated
from esaa.trail.facts.external import ForeignEventObserved
from esaa.trail.facts.files import FileWritten
from esaa.trail.facts.gaps import GapEscalated, GapIdentified, GapResolved
from esaa.trail.facts.orchestration import (
    OrchestrationCompleted,
    OrchestrationFailed,
    OrchestrationPaused,
    OrchestrationResumed,
    OrchestrationStarted,
)
from esaa.trail.facts.phases import PhaseCompleted, PhaseStarted
from esaa.trail.facts.quality import QualityCheckCompleted, QualityCheckFailed, QualityCheckStarted
from esaa.trail.facts.records import ConfigurationChanged, LogRepaired, ReadModelUpdated
from esaa.trail.facts.recovery import ErrorOccurred, RecoveryFailed, RecoverySucceeded
from esaa.trail.facts.reviews import ReviewCompleted, ReviewRequested
from esaa.trail.facts.sessions import SessionEnded, SessionStarted
from esaa.trail.facts.summaries import OrchestrationSummarized, PhaseSummarized
from esaa.trail.facts.tasks import (
    OutputRejected,
    TaskAmended,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskDone,
    TaskReopened,
)
from esaa.trail.from_protocol import Translator
from esaa.trail.intake import Proposal, prepare
from esaa.trail.state import OrchestrationState
from esaa.trail.state_audit import faults, warnings
from esaa.trail.telling.fitting import METADATA_BYTES, fitted
from esaa.trail.telling.narrator import Translated
from esaa.trail.types import EventTypes
from tests.properties.strategies import STORIES
from tests.scenarios import (
    IMPL,
    MONITOR,
    NOON,
    QA,
    Story,
    approved,
    claimed,
    completed,
    created,
    done,
    hotfix,
    in_progress,
    in_review,
    log_lines,
    reported,
    run_start,
    sent_back,
    story,
)

F = TypeVar("F", bound=TrailFact)

TYPES = EventTypes()
WIRE = ProtocolVocabulary()
LATER = datetime(2030, 1, 1, tzinfo=UTC)
FIVE_PAST = "2026-03-01T12:05:00Z"
DIGEST = "a" * 64
PROJECTED = log.ViewMutated(target="roadmap", change="projected")


class Log:
    """Recorded events as lines, with their leaf hashes."""

    def __init__(self, events: Iterable[Recorded[log.Fact]]) -> None:
        self.events = list(events)
        self.leaves = [leaf_hash(line) for line in log_lines(self.events)]

    def told(self, translator: Translator | None = None, **options: Any) -> list[Translated]:
        """What the trail is told of all of it."""
        translator = translator or Translator()
        return [
            one
            for event, leaf in zip(self.events, self.leaves, strict=True)
            for one in translator.take(event, leaf, **options)
        ]


def told(*facts: Story, **options: Any) -> list[Translated]:
    """What the trail is told of facts in a row."""
    return Log(story(*facts)).told(**options)


def told_last(*facts: Story) -> list[TrailFact]:
    """What the last fact adds to what was told before it."""
    before = len(told(*facts[:-1]))
    return [one.fact for one in told(*facts)[before:]]


def only(kind: type[F], events: Iterable[Translated | TrailFact]) -> F:
    """The one fact of a kind."""
    (fact,) = every(kind, events)
    return fact


def every(kind: type[F], events: Iterable[Translated | TrailFact]) -> list[F]:
    """All facts of a kind."""
    facts = (one.fact if isinstance(one, Translated) else one for one in events)
    return [fact for fact in facts if isinstance(fact, kind)]


def names(facts: Iterable[TrailFact]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


def written(task_id: str = "T-1", path: str = "src/a.py", **effect: Any) -> log.FileWritten:
    """A file is written for a task."""
    sent = {"path": path, "before_sha256": None, "after_sha256": DIGEST, "bytes": 12} | effect
    return log.FileWritten(task_id=task_id, files=(path,), effects=[sent])


def rejected(task_id: str | None = "T-1", code: str = "BOUNDARY_VIOLATION", **fields: Any) -> log.OutputRejected:
    """An output is refused."""
    sent: dict[str, Any] = {"source_action": "complete", "rejected_actor": IMPL, "counts": True} | fields
    return log.OutputRejected(task_id=task_id, error_code=code, message="it is outside", **sent)


def bound(issue_key: str = "PROJ-123") -> log.ViewMutated:
    """The run is bound to an issue."""
    return log.ViewMutated(target="trail", change="bound", detail={"issue_key": issue_key})


def gate_findings(one: Translated) -> tuple[object, ...]:
    """What the quality gates find."""
    proposal = Proposal(
        event_type=one.event_type,
        metadata=fitted(one.fact),
        actor=one.actor,
        issue_key=one.issue_key,
        session_id=one.session_id,
        event_id=one.event_id,
        timestamp=one.ts,
        correlation_id=one.correlation_id,
        causation_id=one.causation_id,
        source=one.source,
    )
    return prepare(proposal, TYPES, LATER, one.event_id).findings


def folded(events: Iterable[Translated]) -> OrchestrationState:
    """The state that the events of one stream lead to."""
    state = OrchestrationState()
    for number, one in enumerate(events, start=1):
        draft = prepare(
            Proposal(event_type=one.event_type, metadata=fitted(one.fact), actor=one.actor, session_id=one.session_id),
            TYPES,
            LATER,
            one.event_id,
        ).draft
        event: TrailEvent = Recorded(
            version=number,
            event_id=one.event_id,
            ts=one.ts,
            actor=draft.actor,
            fact=draft.fact,
            schema_version=str(draft.schema_version),
        )
        evolve(state, event, TYPES.fact_of(event))
    return state


# Runs


def test_run_begins_a_session_and_an_orchestration_in_the_phase_of_its_first_task() -> None:
    facts = told(run_start(project_name="tide"), created("T-1", "impl"))
    assert names(one.fact for one in facts) == ["SessionStarted", "OrchestrationStarted", "TaskCreated"]
    started = only(OrchestrationStarted, facts)
    assert (started.initial_phase, started.issue_key, started.issue_summary) == ("CODE", None, "tide")
    assert started.workflow_type == "governed"
    session, orchestration, task = facts
    assert session.session_id == orchestration.session_id == task.session_id
    assert {one.correlation_id for one in facts} == {"RUN-0001"}
    assert [one.causation_id for one in facts] == ["EV-00000001", "EV-00000001", "EV-00000002"]


def test_run_without_a_task_begins_in_the_first_phase() -> None:
    facts = told(run_start(), log.VerificationStarted())
    assert only(OrchestrationStarted, facts).initial_phase == "PLAN"


def test_later_run_begins_in_the_phase_of_the_work_at_hand() -> None:
    events = told(run_start(), *in_progress("T-1", "qa"), log.RunEnded(status="failed"), run_start())
    assert [one.initial_phase for one in every(OrchestrationStarted, events)] == ["TEST", "TEST"]
    assert names(one.fact for one in events[-4:]) == [
        "SessionStarted",
        "OrchestrationStarted",
        "PhaseStarted",
        "AgentSpawned",
    ]
    assert every(SessionStarted, events)[1].resumed_from == events[0].session_id
    assert every(AgentSpawned, events)[1].agent_name == QA


def test_finished_run_is_summed_up() -> None:
    events = told(
        (run_start(), "orchestrator", NOON),
        *in_progress(),
        (rejected(), "orchestrator", NOON),
        (completed(), IMPL, NOON),
        written(),
        PROJECTED,
        (approved(), QA, FIVE_PAST),
        (log.RunEnded(status="success"), "orchestrator", FIVE_PAST),
    )
    assert names(one.fact for one in events[-3:]) == [
        "OrchestrationCompleted",
        "OrchestrationSummarized",
        "SessionEnded",
    ]
    finished = only(OrchestrationCompleted, events)
    assert finished.final_state == "success"
    assert finished.duration_seconds == 300
    assert finished.phases_completed == ("CODE",)
    assert finished.total_agents_spawned == 2, "one for each attempt"
    assert finished.metrics is not UNSET
    assert finished.metrics.files_changed == 1
    summary = only(OrchestrationSummarized, events)
    assert (summary.status, summary.agents, summary.agents_failed) == ("completed", (IMPL,), 1)
    assert (summary.tasks_done, summary.outputs_rejected, summary.files_changed) == (1, 1, 1)
    assert summary.events == len(events) - 2, "all that were told before"
    assert only(SessionEnded, events).outcome == "completed"


def test_failed_run_names_its_phase_and_dismisses_its_agents() -> None:
    events = told(run_start(), *in_progress(), log.RunEnded(status="failed", message="deadlock"))
    failed = only(OrchestrationFailed, events)
    assert (failed.failure_reason, failed.failure_phase) == ("deadlock", "CODE")
    assert only(AgentFailed, events).failure_reason == "the run failed: deadlock"
    assert only(SessionEnded, events).outcome == "failed"
    assert folded(events).active_agents == []


def test_halted_run_pauses_and_the_next_one_resumes_it() -> None:
    events = told(
        run_start(),
        *in_progress(),
        (log.RunEnded(status="halted", message="critical issue ISS-1"), "orchestrator", NOON),
        (run_start(), "orchestrator", FIVE_PAST),
    )
    paused = only(OrchestrationPaused, events)
    assert (paused.pause_reason, paused.blocking_issue) == ("manual_intervention_required", "critical issue ISS-1")
    assert paused.can_resume is True
    resumed = only(OrchestrationResumed, events)
    assert (resumed.pause_duration_seconds, resumed.resume_phase) == (300, "CODE")
    assert resumed.paused_at == "2026-03-01T12:00:00.000Z"
    state = folded(events)
    assert (state.status, state.active_agents) == ("in_progress", [IMPL])


def test_log_without_a_run_is_told_all_the_same() -> None:
    events = told(created("T-1", "spec"), claimed())
    assert names(one.fact for one in events[:2]) == ["SessionStarted", "OrchestrationStarted"]
    assert only(OrchestrationStarted, events).initial_phase == "PLAN"


def test_log_that_goes_on_after_its_end_begins_anew_with_the_first_act() -> None:
    before = (run_start(), *done(), log.RunEnded(status="success"))
    quiet = told_last(*before, log.VerificationStarted())
    assert names(quiet) == ["QualityCheckStarted"]
    assert names(told_last(*before, created("T-2", "qa")))[:2] == ["SessionStarted", "OrchestrationStarted"]


def test_second_start_closes_the_session_before() -> None:
    events = told(run_start(), *in_progress(), run_start())
    assert only(SessionEnded, events).outcome == "interrupted"
    assert len({one.session_id for one in events}) == 2


# Tasks


def test_created_task_keeps_what_was_asked_for() -> None:
    (task,) = told_last(
        run_start(),
        created("T-1"),
        created("T-2", "qa", outputs=["docs/qa/a.md"], depends_on=("T-1",), targets=["web"], description="why"),
    )
    assert isinstance(task, TaskCreated)
    assert (task.task_id, task.task_kind, task.phase, task.title) == ("T-2", "qa", "TEST", "Make T-2")
    assert (task.depends_on, task.outputs, task.targets) == (("T-1",), ("docs/qa/a.md",), ("web",))
    assert task.description == "why"
    (task,) = told_last(run_start(), created(), created("T-2", boundary_grant=("web/**",), plugin={"x": 1}))
    assert task.extra == {"boundary_grant": ("web/**",), "plugin": {"x": 1}}, "what has no field of its own"


def test_hotfix_belongs_to_the_phase_that_mends() -> None:
    (task,) = told_last(run_start(), *done(), reported(), hotfix())
    assert isinstance(task, TaskCreated)
    assert (task.is_hotfix, task.phase, task.issue_id, task.fixes) == (True, "FIX", "ISS-1", "T-1")
    events = told(run_start(), *done(), reported(), hotfix(), claimed("HF-1"))
    assert every(PhaseStarted, events)[-1].phase == "FIX"


def test_amended_task_tells_the_new_values_and_changes_its_phase() -> None:
    amended = log.TaskAmended(task_id="T-1", title="Other", task_kind="qa")
    facts = told_last(run_start(), created(), created("T-2"), amended)
    assert facts == [TaskAmended(task_id="T-1", changes={"title": "Other", "task_kind": "qa"}, phase="TEST")]
    events = told(run_start(), created(), created("T-2"), amended, (claimed(), QA))
    claim = only(TaskClaimed, events)
    assert (claim.title, claim.phase) == ("Other", "TEST")


def test_amendment_of_anything_else_leaves_title_and_phase_alone() -> None:
    amended = log.TaskAmended(task_id="T-1", description="other")
    assert told_last(run_start(), created(), amended) == [
        TaskAmended(task_id="T-1", changes={"description": "other"}, phase="CODE")
    ]
    of_hotfix = log.TaskAmended(task_id="HF-1", task_kind="qa", title="")
    assert only(TaskAmended, told_last(run_start(), *done(), reported(), hotfix(), of_hotfix)).phase == "FIX"


def test_first_claim_of_a_kind_begins_its_phase_and_the_next_one_does_not() -> None:
    first = told_last(run_start(), created(), created("T-2"), claimed())
    assert names(first) == ["PhaseStarted", "TaskClaimed", "AgentSpawned"]
    assert only(PhaseStarted, first).inputs == {"tasks": ["T-1", "T-2"]}
    spawned = only(AgentSpawned, first)
    assert (spawned.agent_name, spawned.assigned_task, spawned.agent_type) == (IMPL, "T-1", "impl")
    assert names(told_last(run_start(), created(), created("T-2"), claimed(), claimed("T-2"))) == [
        "TaskClaimed",
        "AgentSpawned",
    ]


def test_delivery_is_told_when_its_files_are_known() -> None:
    given = (run_start(), created(), (claimed(), IMPL, NOON), (completed(), IMPL, FIVE_PAST))
    assert told_last(*given) == []
    assert names(told_last(*given, written())) == ["FileWritten"]
    facts = told_last(*given, written(), written(path="src/b.py"), PROJECTED)
    assert names(facts) == ["TaskCompleted", "AgentCompleted", "ReviewRequested", "ReadModelUpdated"]
    delivered = only(TaskCompleted, facts)
    assert (delivered.files_written, delivered.checks) == (("src/a.py", "src/b.py"), ("ran it",))
    assert delivered.duration_seconds == 300
    agent = only(AgentCompleted, facts)
    assert (agent.agent_name, agent.outputs_created) == (IMPL, ("src/a.py", "src/b.py"))
    assert (agent.duration_seconds, agent.task_status) == (300, "success")
    asked = only(ReviewRequested, facts)
    assert (asked.review_id, asked.items, asked.requested_by) == ("T-1#1", ("src/a.py", "src/b.py"), IMPL)


def test_delivery_names_the_event_that_it_was_decided_in() -> None:
    events = told(run_start(), created(), claimed(), completed(), written(), PROJECTED)
    sources = {one.event_type: one.source.event_id for one in events[-5:]}
    assert sources == {
        "FileWritten": "EV-00000005",
        "TaskCompleted": "EV-00000004",
        "AgentCompleted": "EV-00000004",
        "ReviewRequested": "EV-00000004",
        "ReadModelUpdated": "EV-00000006",
    }


def test_delivery_without_files_and_with_warnings() -> None:
    warned = msgspec.structs.replace(PROJECTED, warnings=("the check is vague",))
    facts = told_last(run_start(), *in_progress(), completed(notes="done"), warned)
    assert only(TaskCompleted, facts).files_written == ()
    assert only(TaskCompleted, facts).notes == "done"
    assert only(AgentCompleted, facts).task_status == "success_with_warnings"
    assert only(ReadModelUpdated, facts).warnings == ("the check is vague",)


def test_written_file_names_content_task_and_agent() -> None:
    facts = told_last(run_start(), *in_progress(), completed(), written(path="docs/a.md", before_sha256="b" * 64))
    assert facts == [
        FileWritten(
            path="docs/a.md",
            after_sha256=DIGEST,
            before_sha256="b" * 64,
            size_bytes=12,
            task_id="T-1",
            agent_name=IMPL,
            phase="CODE",
        ),
        DocumentationCreated(doc_path="docs/a.md", doc_type="impl", doc_title="Make T-1", created_by=IMPL),
    ]


@pytest.mark.parametrize("effects", [UNSET, [], "none", [{"path": "src/a.py"}], [{"path": 1, "after_sha256": DIGEST}]])
def test_file_of_which_the_content_is_not_told_is_kept_as_it_was_sent(effects: Any) -> None:
    file = log.FileWritten(task_id="T-1", files=("src/a.py",), effects=effects)
    (fact,) = told_last(run_start(), *in_progress(), completed(), file)
    assert isinstance(fact, ForeignEventObserved)
    assert fact.name == "orchestrator.file.write"
    assert fact.payload["files"] == ["src/a.py"]
    facts = told_last(run_start(), *in_progress(), completed(), file, PROJECTED)
    assert only(TaskCompleted, facts).files_written == ("src/a.py",)


def test_approval_makes_the_task_done_and_the_last_one_ends_its_phase() -> None:
    plan = (run_start(), created("T-1", "spec"), created("T-2", "spec"), created("T-3", "impl"))
    first = (claimed(), completed(), written(path="docs/a.md"), PROJECTED)
    assert names(told_last(*plan, *first, approved())) == ["ReviewCompleted", "TaskDone"]
    second = (claimed("T-2"), completed("T-2"), PROJECTED)
    facts = told_last(*plan, *first, approved(), *second, approved("T-2"))
    assert names(facts) == ["ReviewCompleted", "TaskDone", "PhaseCompleted", "PhaseSummarized"]
    review = only(ReviewCompleted, facts)
    assert (review.decision, review.reviewer, review.items) == ("approve", QA, ())
    assert only(TaskDone, facts).approved_by == QA
    ended = only(PhaseCompleted, facts)
    assert (ended.phase, ended.agents_used, ended.next_phase) == ("PLAN", ("agent-spec",), "CODE")
    assert ended.outputs == {"T-1": ["docs/a.md"]}
    assert only(PhaseSummarized, facts).text == "2 tasks done, 1 file written"


def test_phase_begins_again_with_a_later_task() -> None:
    events = told(run_start(), *done(), *done("T-2"))
    assert [type(one.fact).__name__ for one in events if isinstance(one.fact, PhaseStarted | PhaseCompleted)] == [
        "PhaseStarted",
        "PhaseCompleted",
    ] * 2
    assert every(PhaseCompleted, events)[0].next_phase is None


def test_mending_comes_back_to_the_phase_that_it_interrupted() -> None:
    events = told(
        run_start(),
        *done("T-1"),
        *in_progress("T-2", "qa"),
        reported("ISS-1", "T-2", fixes="T-1"),
        hotfix(),
        claimed("HF-1"),
        completed("HF-1"),
        PROJECTED,
        approved("HF-1"),
    )
    assert every(PhaseCompleted, events)[-1].next_phase == "TEST"
    state = folded(events)
    assert (state.current_phase, state.completed_phases) == ("TEST", ["CODE", "FIX"])


def test_request_for_changes_sends_the_owner_back_to_work() -> None:
    facts = told_last(run_start(), *in_review(), PROJECTED, sent_back())
    assert names(facts) == ["ReviewCompleted", "TaskReopened", "AgentSpawned"]
    assert only(ReviewCompleted, facts).items == ("mend it",)
    reopened = only(TaskReopened, facts)
    assert (reopened.items, reopened.agent_name, reopened.reviewer) == (("mend it",), IMPL, QA)
    events = told(run_start(), *in_review(), PROJECTED, sent_back(), completed(), PROJECTED, approved())
    assert [one.review_id for one in every(ReviewCompleted, events)] == ["T-1#1", "T-1#2"]
    assert only(TaskDone, events).attempts == 2


def test_review_of_another_word_is_a_comment_that_reopens() -> None:
    facts = told_last(run_start(), *in_review(), PROJECTED, log.TaskReviewed(task_id="T-1", decision="hm"))
    assert only(ReviewCompleted, facts).decision == "comment"
    assert every(TaskReopened, facts)


# Refused outputs


def test_refused_delivery_fails_the_attempt_and_the_next_one_begins() -> None:
    facts = told_last(run_start(), *in_progress(), rejected(layer="boundary", hint="stay inside", result_sha256=DIGEST))
    assert names(facts) == ["OutputRejected", "AgentFailed", "AgentSpawned"]
    refused = only(OutputRejected, facts)
    assert (refused.error_code, refused.agent_name, refused.counts) == ("BOUNDARY_VIOLATION", IMPL, True)
    assert (refused.layer, refused.result_sha256) == ("boundary", DIGEST)
    failed = only(AgentFailed, facts)
    assert failed.failure_reason == "its output was refused: BOUNDARY_VIOLATION"
    assert failed.error_message == "it is outside"
    assert only(AgentSpawned, facts).spawn_reason == "attempt 2 after BOUNDARY_VIOLATION"
    state = folded(told(run_start(), *in_progress(), rejected()))
    assert (state.active_agents, state.failed_agents) == ([IMPL], [IMPL])
    assert state.tasks["T-1"].outputs_rejected == 1


def test_refusal_that_costs_nothing_fails_nobody() -> None:
    assert names(told_last(run_start(), *in_progress(), rejected(code="COOLDOWN_ACTIVE", counts=False))) == [
        "OutputRejected"
    ]


def test_refused_claim_does_not_take_an_agent_off_its_other_task() -> None:
    given = (run_start(), *in_progress(), created("T-2"))
    refused = rejected("T-2", "DEPENDENCY_NOT_DONE", source_action="claim")
    assert names(told_last(*given, refused)) == ["OutputRejected"]
    assert names(told_last(run_start(), created("T-2"), refused)) == ["OutputRejected", "AgentFailed"]
    assert folded(told(*given, refused)).active_agents == [IMPL]


def test_refused_review_fails_the_reviewer_and_leaves_the_owner_alone() -> None:
    refused = rejected(rejected_actor=QA, source_action="review", code="SCHEMA_INVALID")
    facts = told_last(run_start(), *in_review(), PROJECTED, refused)
    assert names(facts) == ["OutputRejected", "AgentFailed"]
    assert only(AgentFailed, facts).agent_name == QA


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("AGENT_FAILED", "agent_failure"),
        ("ATTEMPT_TIMEOUT", "timeout"),
        ("RESOURCE_LIMIT_EXCEEDED", "resource_limit"),
    ],
)
def test_agent_without_an_answer_is_an_error_that_its_next_act_overcomes(code: str, error_type: str) -> None:
    given = (run_start(), *in_progress(), (rejected(code=code, result_sha256=""), "orchestrator", NOON))
    facts = told_last(*given)
    assert names(facts) == ["OutputRejected", "AgentFailed", "ErrorOccurred", "AgentSpawned"]
    error = only(ErrorOccurred, facts)
    assert (error.error_type, error.error_code, error.recoverable) == (error_type, code, True)
    assert only(OutputRejected, facts).result_sha256 is UNSET
    error_id = next(one.event_id for one in told(*given) if isinstance(one.fact, ErrorOccurred))
    recovered = only(RecoverySucceeded, told_last(*given, (completed(), IMPL, FIVE_PAST)))
    assert (recovered.recovery_from, recovered.recovery_attempt) == (error_id, 1)
    assert recovered.recovery_duration_seconds == 300


def test_error_about_no_task_is_told_and_nothing_waits_for_its_end() -> None:
    facts = told_last(run_start(), *in_progress(), rejected(None, "AGENT_FAILED", counts=False, rejected_actor=QA))
    assert names(facts) == ["OutputRejected", "AgentFailed", "ErrorOccurred"]
    assert only(ErrorOccurred, facts).recoverable is False


def test_used_up_attempts_end_the_recovery_and_escalate() -> None:
    given = (run_start(), *in_progress(), rejected(code="AGENT_FAILED"), rejected(code="AGENT_FAILED"))
    report = (reported("ISS-ATTEMPTS-T-1", "T-1", "high"), MONITOR)
    facts = told_last(*given, report)
    assert names(facts) == ["GapIdentified", "GapEscalated", "AgentBlocked", "RecoveryFailed", "RecoveryFailed"]
    assert every(RecoveryFailed, facts)[0].all_attempts_exhausted is True
    assert not every(RecoverySucceeded, told_last(*given, report, completed()))


def test_used_up_attempts_at_a_task_that_nobody_created_are_a_gap_and_no_more() -> None:
    facts = told_last(run_start(), (reported("ISS-ATTEMPTS-T-9", "T-9", "high"), MONITOR))
    assert "RecoveryFailed" not in names(facts)
    assert only(GapIdentified, facts).gap_id == "ISS-ATTEMPTS-T-9"


def test_outputs_of_strangers_are_one_event_with_their_number() -> None:
    refused = log.OutputRejected(error_code="ACTOR_UNKNOWN", message="?", counts=False, count=3, digests=(DIGEST,))
    (fact,) = told_last(run_start(), *in_progress(), refused)
    assert isinstance(fact, OutputRejected)
    assert (fact.count, fact.task_id, fact.agent_name) == (3, None, UNSET)
    assert fact.extra == {"digests": (DIGEST,)}


def test_another_writer_does_not_say_whose_output_it_was() -> None:
    refused = log.OutputRejected(task_id="T-1", error_code="X", message="", source_action="complete")
    facts = told_last(run_start(), *in_progress(), refused)
    assert only(AgentFailed, facts).agent_name == IMPL


# Issues


def test_issue_is_a_gap_with_what_was_sent() -> None:
    sent = reported(fixes="T-1", affected={"paths": ["src/a.py"]}, category="defect")
    (gap,) = told_last(run_start(), *in_progress(), (sent, QA))
    assert isinstance(gap, GapIdentified)
    assert (gap.gap_id, gap.severity, gap.gap_type, gap.phase) == ("ISS-1", "low", "defect", "CODE")
    assert (gap.affected_modules, gap.impact, gap.identified_by) == (("src/a.py",), "broken", QA)
    assert gap.blocking is False
    assert gap.extra is not UNSET
    assert (gap.extra["fixes"], gap.extra["evidence"]["repro_steps"]) == ("T-1", ["look"])


@pytest.mark.parametrize(("severity", "may_go_on"), [("high", True), ("critical", False)])
def test_grave_issue_is_escalated_and_blocks_who_works_on_the_task(severity: str, may_go_on: bool) -> None:
    facts = told_last(run_start(), *in_progress(), (reported(severity=severity), QA))
    assert names(facts) == ["GapIdentified", "GapEscalated", "AgentBlocked"]
    assert only(GapIdentified, facts).blocking is True
    assert only(GapEscalated, facts).severity == severity
    blocked = only(AgentBlocked, facts)
    assert (blocked.agent_name, blocked.can_work_on_other_tasks) == (IMPL, may_go_on)


def test_issue_of_an_unknown_severity_keeps_its_word() -> None:
    gap = only(GapIdentified, told_last(run_start(), *in_progress(), reported(severity="odd")))
    assert gap.severity == "medium"
    assert gap.extra is not UNSET
    assert gap.extra["severity"] == "odd"


def test_resolved_issue_closes_its_gap() -> None:
    resolved = log.IssueResolved(issue_id="ISS-1", resolution={"status": "resolved_by_hotfix"})
    (fact,) = told_last(run_start(), *in_progress(), (reported(), QA, NOON), (resolved, "orchestrator", FIVE_PAST))
    assert isinstance(fact, GapResolved)
    assert (fact.gap_id, fact.resolution_strategy) == ("ISS-1", "resolved_by_hotfix")
    assert fact.time_to_resolve_seconds == 300
    assert folded(told(run_start(), *in_progress(), reported(), resolved)).identified_gaps == []


# The orchestrator's own acts


def test_verification_is_a_quality_check() -> None:
    start = (run_start(), created())
    assert told_last(*start, log.VerificationStarted(strict=True)) == [
        QualityCheckStarted(check_type="projection_verification", check_scope="read_models")
    ]
    passed = only(QualityCheckCompleted, told_last(*start, log.VerificationPassed(projection_hash_sha256=DIGEST)))
    assert passed.passed_quality_gate is True
    assert passed.extra == {"projection_hash_sha256": DIGEST}
    failed = only(
        QualityCheckFailed,
        told_last(*start, log.VerificationFailed(verify_status="mismatch", message="it differs", found_sha256=DIGEST)),
    )
    assert (failed.failure_reason, failed.remediation_required) == ("it differs", True)
    assert failed.extra == {"found_sha256": DIGEST}


def test_read_model_follows() -> None:
    assert told_last(run_start(), created(), PROJECTED) == [ReadModelUpdated(target="roadmap", change="projected")]
    (odd,) = told_last(run_start(), created(), log.ViewMutated(target="", change={"by": 1}))
    assert odd == ReadModelUpdated(target="unknown")


def test_repair_of_the_log_is_told_with_its_digest() -> None:
    detail = {"removed_bytes": 7, "sha256": DIGEST, "quarantine": ".roadmap/snapshots/x"}
    (fact,) = told_last(
        run_start(), created(), log.ViewMutated(target="log", change="torn tail moved to quarantine", detail=detail)
    )
    assert isinstance(fact, LogRepaired)
    assert (fact.target, fact.change) == (".roadmap/activity.jsonl", "torn tail moved to quarantine")
    assert (fact.removed_bytes, fact.removed_sha256, fact.quarantine) == (7, DIGEST, ".roadmap/snapshots/x")
    assert fact.extra == detail


def test_action_of_another_vocabulary_is_observed() -> None:
    (fact,) = told_last(run_start(), created(), log.ForeignRecorded(name="runner.metrics", payload={"cpu": 1}))
    assert fact == ForeignEventObserved(
        system="esaa", name="runner.metrics", payload={"cpu": 1}, foreign_id="EV-00000003"
    )


@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        ("agent-impl", "agent"),
        ("builder", "agent"),
        ("orchestrator", "system"),
        ("runtime-monitor", "system"),
        ("ada", "user"),
    ],
)
def test_actor_is_an_agent_a_part_of_the_system_or_a_person(actor: str, kind: str) -> None:
    events = Log(story(run_start(), created(), (claimed(), actor))).told(Translator(["builder"]))
    claim = next(one for one in events if isinstance(one.fact, TaskClaimed))
    assert (claim.actor.type, claim.actor.id) == (kind, actor)
    spawned = next(one for one in events if isinstance(one.fact, AgentSpawned))
    assert spawned.actor.id == "orchestrator"


# Issues of the tracker


def test_run_that_will_be_bound_is_told_in_its_issue_from_the_start() -> None:
    events = told(run_start(), created(), bound(), claimed(), issue_key_ahead="PROJ-123")
    assert {one.issue_key for one in events} == {"PROJ-123"}
    assert len(every(OrchestrationStarted, events)) == 1
    assert only(OrchestrationStarted, events).issue_key == "PROJ-123"
    change = only(ConfigurationChanged, events)
    assert (change.key, change.old_value, change.new_value) == ("trail.issue_key", None, "PROJ-123")


def test_binding_in_the_middle_moves_the_story_to_the_issue() -> None:
    events = told(run_start(), *in_progress(), bound(), completed(), PROJECTED, approved())
    before = [one for one in events if one.issue_key is None]
    after = [one for one in events if one.issue_key == "PROJ-123"]
    assert before + after == events
    assert names(one.fact for one in before[-2:]) == ["OrchestrationPaused", "SessionEnded"]
    assert only(OrchestrationPaused, before).blocking_issue == "the run goes on in PROJ-123"
    assert names(one.fact for one in after[:6]) == [
        "SessionStarted",
        "OrchestrationStarted",
        "PhaseStarted",
        "TaskCreated",
        "AgentSpawned",
        "ConfigurationChanged",
    ]
    assert only(OrchestrationStarted, after).initial_phase == "CODE"
    state = folded(after)
    assert faults(state) == []
    assert warnings(state) == []
    assert (state.completed_phases, state.active_agents, state.tasks["T-1"].status) == (["CODE"], [], "done")
    assert folded(before).status == "paused"


def test_summary_after_a_binding_is_about_what_was_told_since() -> None:
    events = told(
        (run_start(), "orchestrator", NOON),
        *done("T-1", "spec"),
        *in_progress("T-2"),
        (bound(), "orchestrator", FIVE_PAST),
        (completed("T-2"), IMPL, FIVE_PAST),
        PROJECTED,
        (approved("T-2"), QA, FIVE_PAST),
        (log.RunEnded(status="success"), "orchestrator", "2026-03-01T12:06:00Z"),
    )
    after = [one for one in events if one.issue_key == "PROJ-123"]
    finished = only(OrchestrationCompleted, after)
    assert (finished.duration_seconds, finished.phases_completed) == (60, ("CODE",))
    assert finished.total_agents_spawned == len(every(AgentSpawned, after)) == 1
    summary = only(OrchestrationSummarized, after)
    assert (summary.tasks_done, summary.agents, summary.events) == (1, (IMPL,), len(after) - 2)
    state = folded(after)
    assert (state.started_at, state.completed_at) == ("2026-03-01T12:05:00.000Z", "2026-03-01T12:06:00.000Z")


def test_second_binding_moves_on_and_the_same_one_does_not() -> None:
    events = told(run_start(), created(), bound("A-1"), bound("B-2"), bound("B-2"), claimed())
    assert [one.issue_key for one in events if isinstance(one.fact, ConfigurationChanged)] == ["A-1", "B-2", "B-2"]
    assert len(every(SessionStarted, events)) == 3
    assert events[-1].issue_key == "B-2"


def test_next_run_is_not_bound_and_introduces_the_tasks_that_it_touches() -> None:
    first = (run_start(), created(), created("T-2"), bound("A-1"), log.RunEnded(status="failed"))
    events = told(*first, run_start(), claimed())
    claim = next(one for one in events if isinstance(one.fact, TaskClaimed))
    assert claim.issue_key is None
    assert [task.task_id for task in every(TaskCreated, events[-6:])] == ["T-1"]
    assert warnings(folded(one for one in events if one.issue_key is None)) == []


def test_halted_run_is_not_resumed_in_another_issue() -> None:
    halted = (run_start(), *in_progress(), log.RunEnded(status="halted"))
    events = Log(story(*halted, run_start(), PROJECTED)).told(issue_key_ahead="B-2")
    assert every(OrchestrationResumed, events), "it is the same issue"
    translator = Translator()
    parts = Log(story(*halted, run_start(), PROJECTED))
    last: list[Translated] = []
    for number, (event, leaf) in enumerate(zip(parts.events, parts.leaves, strict=True)):
        last = [*last, *translator.take(event, leaf, issue_key_ahead="B-2" if number > 1 else None)]
    assert not every(OrchestrationResumed, last)
    assert [one.issue_key for one in last if isinstance(one.fact, OrchestrationStarted)] == [None, "B-2"]


@pytest.mark.parametrize("issue_key", ["", "proj-1", "../x", "PROJ-1/..", 7, None])
def test_binding_to_what_is_no_issue_key_changes_nothing(issue_key: Any) -> None:
    odd = log.ViewMutated(target="trail", change="bound", detail={"issue_key": issue_key})
    (fact,) = told_last(run_start(), created(), odd)
    assert isinstance(fact, ReadModelUpdated)
    assert told(run_start(), created(), odd, claimed(), issue_key_ahead="no key")[-1].issue_key is None


# Ids, times, sizes


def test_ids_are_version_5_uuids_of_line_and_number() -> None:
    lines = Log(story(run_start(), created(), claimed()))
    events = lines.told()
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "urn:esaa:trail:from-protocol")
    of_claim = [one for one in events if one.source.event_id == "EV-00000003"]
    assert [one.event_id for one in of_claim] == [
        str(uuid.uuid5(namespace, f"{lines.leaves[2]}:{number}")) for number in range(len(of_claim))
    ]
    assert events[0].session_id == str(uuid.uuid5(namespace, f"{lines.leaves[0]}:session:RUN-0001"))
    assert {one.source.leaf_hash for one in of_claim} == {lines.leaves[2]}


@pytest.mark.parametrize(
    ("ts", "moment"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z"),
        ("2026-03-01T09:00:00-03:00", "2026-03-01T12:00:00.000Z"),
        ("2026-03-01T12:00:00", "2026-03-01T12:00:00.000Z"),
        ("yesterday", "1970-01-01T00:00:00.000Z"),
    ],
)
def test_times_become_the_trails(ts: str, moment: str) -> None:
    assert told((run_start(), "orchestrator", ts))[0].ts == moment


def test_time_that_is_none_is_that_of_the_event_before() -> None:
    events = told((run_start(), "orchestrator", NOON), (created(), "orchestrator", "soon"))
    assert events[-1].ts == "2026-03-01T12:00:00.000Z"


def test_what_is_too_large_for_an_event_is_shortened_and_says_so() -> None:
    paths = tuple(f"src/{'deep/' * 20}{number}.py" for number in range(20_000))
    nested: Any = "end"
    for _ in range(40):
        nested = [nested]
    events = told(
        run_start(),
        created(description="x" * 2_000_000, acceptance_criteria=nested),
        claimed(),
        completed(),
        log.FileWritten(task_id="T-1", files=paths),
        PROJECTED,
    )
    for one in events:
        assert gate_findings(one) == ()
        assert len(msgspec.json.encode(fitted(one.fact))) <= METADATA_BYTES + 100
    assert fitted(only(TaskCreated, events))["extra"] == {"shortened": True}
    assert len(fitted(only(TaskCompleted, events))["files_written"]) <= 1_000
    assert "extra" not in fitted(only(TaskClaimed, events))


def test_what_is_large_in_every_way_is_shortened_until_it_fits() -> None:
    wide: Any = "x" * 200
    for _ in range(4):
        wide = [wide] * 12
    (task,) = told_last(run_start(), created(), created("T-2", acceptance_criteria=wide, targets=["t" * 64] * 9))
    metadata = fitted(task)
    assert len(msgspec.json.encode(metadata)) <= METADATA_BYTES
    assert metadata["targets"] == ["t" * 64] * 9
    assert metadata["extra"] == {"shortened": True}


def test_number_beyond_the_trails_is_a_text() -> None:
    (fact,) = told_last(run_start(), created(), log.ForeignRecorded(name="x", payload={"n": 1.5e308, "m": 1e300}))
    assert fitted(fact)["payload"] == {"n": "1.5e+308", "m": 1e300}


# All of it


def assert_whole(events: list[Recorded[log.Fact]], leaves: list[str]) -> list[Translated]:
    """Every event is told, with ids of its own, in a way that the gates let pass, and wherever it is cut the same."""
    translator = Translator()
    out: list[Translated] = []
    for event, leaf in zip(events, leaves, strict=True):
        out += translator.take(event, leaf)
        translator = Translator.load(translator.dump())
    straight = Translator()
    assert out == [one for event, leaf in zip(events, leaves, strict=True) for one in straight.take(event, leaf)]
    assert {(one.source.event_id, one.source.leaf_hash) for one in out} == {
        (event.event_id, leaf) for event, leaf in zip(events, leaves, strict=True)
    }
    assert len({one.event_id for one in out}) == len(out)
    for one in out:
        assert TYPES.faults(one.event_type, msgspec.Raw(msgspec.json.encode(fitted(one.fact)))) == []
        assert gate_findings(one) == (), one
    return out


@given(STORIES)
def test_whatever_a_log_says_is_told(facts: list[tuple[log.Fact, str, str]]) -> None:
    # The last event may wait for the one behind it.
    parts = Log(story(*facts, log.VerificationStarted()))
    events = assert_whole(parts.events, parts.leaves)
    assert faults(folded(events)) == []


@given(STORIES, st.integers(0, 25), st.sampled_from(["PROJ-1", None]))
def test_a_story_is_gone_on_with_wherever_it_was_left(
    facts: list[tuple[log.Fact, str, str]], cut: int, ahead: str | None
) -> None:
    parts = Log(story(*facts))
    whole = parts.told(issue_key_ahead=ahead)
    translator = Translator()
    out: list[Translated] = []
    for number, (event, leaf) in enumerate(zip(parts.events, parts.leaves, strict=True)):
        if number == cut:
            translator = Translator.load(translator.dump())
        out += translator.take(event, leaf, issue_key_ahead=ahead)
    assert out == whole


REAL_LOGS = (
    "esaa-0.3.0-legacy",
    "esaa-0.4.0-initial",
    "esaa-0.4.1-147-events",
    "esaa-0.4.1-1821-events",
    "esaa-core-290-false-checkpoint",
    "esaa-mixed-0.4.0-0.4.1",
)


@pytest.mark.parametrize("name", REAL_LOGS)
def test_real_log_is_told_to_its_last_event(real_logs: Path, name: str) -> None:
    lines = [line for line in (real_logs / name / "activity.jsonl").read_bytes().split(b"\n") if line.strip()]
    events = assert_whole([WIRE.decode(line) for line in lines], [leaf_hash(line) for line in lines])
    state = folded(events)
    assert faults(state) == []
    assert warnings(state) == []
    assert len(state.tasks) == sum(isinstance(one.fact, TaskCreated) for one in events)
    assert state.active_agents == []
