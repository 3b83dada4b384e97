"""Random commands by random actors, settled and folded: the invariants hold after every step.

Whatever is sent, done stays done (INV-001), versions have no gaps (INV-004), writes stay inside the boundary (INV-003),
only owners complete, dependencies are done before a claim, attempts are bounded, and what the plan orders is accepted.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from esaa.kernel.recorded import Recorded
from esaa.protocol.commands import (
    AmendTask,
    AnyCommand,
    CreateHotfix,
    CreateTask,
    EndRun,
    RecordTimeout,
    RecordVerification,
    RejectOutput,
    ReportDeadlock,
    ResolveIssue,
    StartRun,
)
from esaa.protocol.envelope_audit import EnvelopeAudit
from esaa.protocol.facts import Fact, FileWritten, HotfixCreated, TaskClaimed, TaskCompleted
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.rejections import CODES
from esaa.protocol.roadmap import projection_hash, roadmap_json
from esaa.protocol.scheduling import plan
from esaa.protocol.settle import Settlement, settle, unclosed_act
from esaa.protocol.state import State
from esaa.protocol.task_table import Task
from esaa.protocol.transitions import NEXT_STATUS
from esaa.protocol.verify import LogAudit
from esaa.protocol.wire import ProtocolVocabulary
from tests.scenarios import (
    IMPL,
    MONITOR,
    QA,
    SPEC,
    SPEC_TEXT,
    claim,
    complete,
    fold,
    governance,
    lesson,
    log_lines,
    record,
    report,
    review,
    submit,
)

RULES = governance()
WIRE = ProtocolVocabulary()

_ACTORS = st.sampled_from([SPEC, IMPL, QA, MONITOR, "stranger"])
_TASKS = st.sampled_from(["T-1", "T-1", "T-2", "T-3", "HF-ISS-1", "HF-ISS-1", "T-404"])
_ISSUES = st.sampled_from(["ISS-1", "ISS-1", "ISS-2", "ISS-ATTEMPTS-T-1"])
_KINDS = st.sampled_from(["spec", "impl", "qa"])
_PATHS = st.sampled_from(
    [
        "src/a.py",
        "src/b.py",
        "tests/t.py",
        "docs/spec/T-1.md",
        "docs/qa/x.md",
        ".git/config",
        ".roadmap/x",
        "../a",
        "src/A.py",
    ]
)
_STATUSES = st.sampled_from(["todo", "in_progress", "review", "done"])
_SEVERITIES = st.sampled_from(["low", "medium", "high", "critical"])


class GovernedRun(RuleBasedStateMachine):
    """One workspace, driven from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.events: list[Recorded[Fact]] = []
        self.seconds = 0
        self.finished: dict[str, Task] = {}

    # How commands are put.

    def now(self) -> str:
        hours, rest = divmod(self.seconds, 3600)
        return f"2026-03-{1 + hours // 24:02d}T{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}Z"

    def put(self, command: AnyCommand) -> Settlement:
        """Settles a command and folds what it leads to; a refusal changes nothing but the work."""
        before = {task.task_id: task for task in self.state.tasks}
        frozen = self.state.copy()
        outcome = settle(command, self.state, RULES, self.now())
        assert roadmap_json(frozen) == roadmap_json(self.state), "settling changes nothing"
        for draft in outcome.drafts:
            event = record(draft.fact, self.state.seq + 1, actor=draft.actor, ts=self.now())
            self.check(event, {task.task_id: task for task in self.state.tasks})
            fold([event], self.state)
            self.events.append(event)
        if outcome.rejected is not None:
            code = outcome.rejected.error_code
            assert code in CODES
            assert outcome.rejected.reason == CODES[code].reason
            assert outcome.contents == {}
            assert {task.task_id: task for task in self.state.tasks} == before
        return outcome

    def check(self, event: Recorded[Fact], before: dict[str, Task]) -> None:
        """What must be true of each fact when it is recorded."""
        fact = event.fact
        if isinstance(fact, TaskClaimed):
            task = before[fact.task_id]
            assert task.task_kind in RULES.swarm.actors[event.actor].roles
            assert all(before[name].status == "done" for name in task.depends_on)
        elif isinstance(fact, TaskCompleted):
            assert before[fact.task_id].assigned_to == event.actor
        elif isinstance(fact, HotfixCreated):
            assert before[str(fact.fixes)].status == "done"
            assert fact.scope_patch
        elif isinstance(fact, FileWritten):
            for path in fact.files:
                assert path.startswith(("src/", "tests/", "docs/"))

    @initialize()
    def begin(self) -> None:
        self.put(StartRun())
        self.put(CreateTask(task_id="T-1", task_kind="impl", title="one", outputs=("src/a.py",)))
        self.put(CreateTask(task_id="T-2", task_kind="impl", title="two", depends_on=("T-1",)))

    # What agents send.

    @rule(actor=_ACTORS, task_id=_TASKS, asked=st.none() | _TASKS)
    def claim(self, actor: str, task_id: str, asked: str | None) -> None:
        self.put(submit(actor, claim(task_id), asked=asked))

    @rule(
        actor=_ACTORS,
        task_id=_TASKS,
        paths=st.lists(_PATHS, max_size=2, unique=True),
        checks=st.integers(0, 2),
        fields=st.sampled_from([{}, {"issue_id": "ISS-1", "fixes": "T-1"}]),
        prior=st.none() | _STATUSES,
    )
    def complete(
        self, actor: str, task_id: str, paths: list[str], checks: int, fields: dict[str, Any], prior: str | None
    ) -> None:
        extra = fields if prior is None else {**fields, "prior_status": prior}
        files = dict.fromkeys(paths, SPEC_TEXT)
        self.put(submit(actor, complete(task_id, files, checks=checks, **extra)))

    @rule(actor=_ACTORS, task_id=_TASKS, decision=st.sampled_from(["approve", "approve", "request_changes"]))
    def review(self, actor: str, task_id: str, decision: str) -> None:
        self.put(submit(actor, review(task_id, decision)))

    @rule(
        actor=_ACTORS,
        task_id=_TASKS,
        issue_id=_ISSUES,
        severity=_SEVERITIES,
        fixes=st.none() | _TASKS,
        taught=st.sampled_from([None, "require field notes", "be careful"]),
    )
    def report(
        self, actor: str, task_id: str, issue_id: str, severity: str, fixes: str | None, taught: str | None
    ) -> None:
        fields: dict[str, Any] = {} if fixes is None else {"fixes": fixes}
        if taught is not None:
            fields |= {"category": "process", "subtype": "lesson", "lesson": lesson(taught, mode="warn")}
        self.put(submit(actor, report(task_id, issue_id, severity, **fields)))

    @rule(actor=_ACTORS, data=st.sampled_from([b"", b"?", b"{}", b'{"activity_event":[]}']), asked=st.none() | _TASKS)
    def babble(self, actor: str, data: bytes, asked: str | None) -> None:
        self.put(submit(actor, data, asked=asked))

    @rule(actor=_ACTORS, task_id=_TASKS)
    def be_silent(self, actor: str, task_id: str) -> None:
        self.put(RecordTimeout(actor=actor, task_id=task_id, source_action="complete", message="no answer"))

    # What people and the orchestrator do.

    @rule(
        task_id=_TASKS,
        kind=_KINDS,
        depends_on=st.lists(_TASKS, max_size=2, unique=True),
        outputs=st.lists(_PATHS, max_size=1),
    )
    def create(self, task_id: str, kind: str, depends_on: list[str], outputs: list[str]) -> None:
        self.put(
            CreateTask(task_id=task_id, task_kind=kind, title="t", depends_on=tuple(depends_on), outputs=tuple(outputs))
        )

    @rule(task_id=_TASKS)
    def amend(self, task_id: str) -> None:
        assert self.put(AmendTask(task_id=task_id, title="x")).rejected is not None, "0.4.0 knows no amendments"

    @rule(issue_id=_ISSUES, scope=st.lists(_PATHS, max_size=1))
    def mend(self, issue_id: str, scope: list[str]) -> None:
        self.put(CreateHotfix(issue_id=issue_id, scope_patch=tuple(scope)))

    @rule(issue_id=_ISSUES)
    def resolve(self, issue_id: str) -> None:
        self.put(ResolveIssue(issue_id=issue_id))

    @rule()
    def resolve_everything(self) -> None:
        for issue in self.state.open_issues():
            assert self.put(ResolveIssue(issue_id=issue.issue_id)).rejected is None

    @rule(task_id=_TASKS, actor=_ACTORS)
    def reject(self, task_id: str, actor: str) -> None:
        self.put(RejectOutput(task_id=task_id, actor=actor, error_code="EDIT_INVALID", message="by hand"))

    @rule(status=st.sampled_from(["success", "failed", "halted"]))
    def end(self, status: Any) -> None:
        self.put(EndRun(status=status))

    @rule()
    def start(self) -> None:
        was_open = self.state.header.run.is_open

        assert (self.put(StartRun()).rejected is not None) == was_open

    @rule()
    def verify(self) -> None:
        self.put(RecordVerification(expected_sha256=projection_hash(self.state)))

    @rule(seconds=st.sampled_from([1, 60, 121, 1801]))
    def wait(self, seconds: int) -> None:
        self.seconds += seconds

    @rule(rounds=st.integers(1, 5))
    def follow_the_plan(self, rounds: int) -> None:
        """Every order of the plan, given to the actor it names, is accepted."""
        for _ in range(rounds):
            self.follow_once()

    def follow_once(self) -> None:
        made = plan(self.state, RULES, self.now())
        if made.deadlocked:
            self.put(
                ReportDeadlock(
                    task_ids=tuple(one.task_id for one in made.deadlocked),
                    reasons=tuple(one.reason for one in made.deadlocked),
                )
            )
        for order in made.orders[:1]:
            task = self.state.task(order.task_id)
            assert task is not None
            match order.action:
                case "claim":
                    output = claim(order.task_id, notes="as asked")
                case "complete":
                    links = {"issue_id": task.issue_id, "fixes": task.fixes} if task.is_hotfix is True else {}
                    output = complete(order.task_id, checks=2, notes="as asked", **links)
                case _:
                    output = review(order.task_id, notes="as asked")
            command = submit(order.actor, output, asked=order.task_id)
            rejected = self.put(command).rejected
            allowed = {"ATTEMPT_TIMEOUT"} | ({"TASK_BLOCKED"} if order.action == "review" else set())
            assert rejected is None or rejected.error_code in allowed, rejected

    # What is true after every step.

    @invariant()
    def done_never_regresses(self) -> None:
        for task_id, task in self.finished.items():
            assert self.state.task(task_id) == task
        for task in self.state.tasks:
            if task.status == "done":
                self.finished.setdefault(task.task_id, task)

    @invariant()
    def versions_have_no_gaps(self) -> None:
        assert [event.version for event in self.events] == list(range(1, len(self.events) + 1))
        assert self.state.seq == len(self.events)

    @invariant()
    def attempts_are_bounded(self) -> None:
        for task_id, work in self.state.header.work.items():
            assert 0 <= work.attempts <= RULES.runtime.attempts.max, task_id

    @invariant()
    def every_status_is_one_that_the_machine_knows(self) -> None:
        known = {"todo", *NEXT_STATUS.values()}
        for task in self.state.tasks:
            assert task.status in known
            assert (task.status == "todo") == (not isinstance(task.assigned_to, str))

    @invariant()
    def batches_are_closed(self) -> None:
        assert unclosed_act(reversed(self.events)) is None

    def teardown(self) -> None:
        again = fold([WIRE.decode(WIRE.encode(event)) for event in self.events])
        for render in (roadmap_json, issues_json, lessons_json):
            assert render(again) == render(self.state)
        meaning = LogAudit(RULES, hash_all=True, last_verified=None)
        envelopes = EnvelopeAudit(RULES)
        for number, line in enumerate(log_lines(self.events), start=1):
            envelopes.feed(json.loads(line), number)
            meaning.feed(WIRE.decode(line), number)
        assert envelopes.findings == meaning.findings == []


GovernedRun.TestCase.settings = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestGovernedRun = GovernedRun.TestCase
