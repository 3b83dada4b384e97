"""What rule tests share: the shipped contracts, facts in a row, folding, and decisions at a fixed time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from esaa.contracts.governance import Governance
from esaa.contracts.load import parse_governance
from esaa.contracts.values import ProtocolVersion
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.chain import leaf_hash
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Draft, Recorded
from esaa.kernel.spec import Spec
from esaa.protocol.commands import AnyCommand, FileOnDisk, Submit
from esaa.protocol.decide import decide
from esaa.protocol.evolve import evolve
from esaa.protocol.fact_base import FactBase
from esaa.protocol.facts import (
    Fact,
    HotfixCreated,
    IssueReported,
    RunStarted,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
)
from esaa.protocol.result import parse_result
from esaa.protocol.settle import Settlement, settle
from esaa.protocol.state import State
from esaa.protocol.wire import ProtocolVocabulary, action_of
from esaa.stores.contracts import shipped_files

NOON = "2026-03-01T12:00:00Z"
"""When everything that is given has happened."""
LATER = "2026-03-01T12:10:00Z"
"""When commands are put: after any cooldown, before any deadline."""

SPEC, IMPL, QA, MONITOR, ORCHESTRATOR = "agent-spec", "agent-impl", "agent-qa", "runtime-monitor", "orchestrator"
_AGENT_OF_KIND = {"spec": SPEC, "impl": IMPL, "qa": QA}

SPEC_TEXT = "# Page\n\n## Objective\na\n\n## Scope\nb\n\n## Requirements\nc\n\n## Acceptance Criteria\nd\n"

Edits = Mapping[str, Sequence[tuple[str, str]]]


@cache
def governance(protocol: ProtocolVersion = "0.4.0") -> Governance:
    """The shipped contracts."""
    return parse_governance(shipped_files(protocol))


def governed(edits: Edits, protocol: ProtocolVersion = "0.4.0") -> Governance:
    """The shipped contracts with texts replaced; every text must stand there."""
    files = dict(shipped_files(protocol))
    for name, changes in edits.items():
        text = files[name].decode()
        for old, new in changes:
            assert old in text, f"{name} does not hold {old!r}"
            text = text.replace(old, new)
        files[name] = text.encode()
    return parse_governance(files)


def actor_of(fact: Fact, state: State) -> str:
    """Who writes such a fact when nobody is named: the assigned agent, the owner, a reviewer, or the orchestrator."""
    match fact:
        case TaskClaimed() | IssueReported():
            task = state.task(fact.task_id)
            return IMPL if task is None else _AGENT_OF_KIND.get(task.task_kind, IMPL)
        case TaskCompleted():
            task = state.task(fact.task_id)
            return IMPL if task is None or not isinstance(task.assigned_to, str) else task.assigned_to
        case TaskReviewed():
            task = state.task(fact.task_id)
            return SPEC if task is not None and task.task_kind == "qa" else QA
        case _:
            return ORCHESTRATOR


def record(
    fact: Fact, version: int, *, actor: str | None = None, ts: str = NOON, schema_version: str = "0.4.0", **more: Any
) -> Recorded[Fact]:
    """A fact with its place in the log."""
    return Recorded(
        version=version,
        event_id=f"EV-{version:08d}",
        ts=ts,
        actor=ORCHESTRATOR if actor is None else actor,
        fact=fact,
        schema_version=schema_version,
        **more,
    )


Story = FactBase | tuple[FactBase, str] | tuple[FactBase, str, str]
"""A fact, a fact by somebody, or a fact by somebody at some time."""


def story(*facts: Story, schema_version: str = "0.4.0") -> list[Recorded[Fact]]:
    """Facts in a row as recorded events."""
    state = State()
    events: list[Recorded[Fact]] = []
    for version, given in enumerate(facts, start=1):
        parts = given if isinstance(given, tuple) else (given,)
        fact: Fact = parts[0]  # type: ignore[assignment]  # a fact of the closed union
        actor = parts[1] if len(parts) > 1 else actor_of(fact, state)
        ts = parts[2] if len(parts) > 2 else NOON
        event = record(fact, version, actor=actor, ts=ts, schema_version=schema_version)
        state = evolve(state, event)
        events.append(event)
    return events


def fold(events: Iterable[Recorded[Fact]], state: State | None = None) -> State:
    """The state after the events."""
    state = State() if state is None else state
    for event in events:
        state = evolve(state, event)
    return state


def folded(*facts: Story, schema_version: str = "0.4.0") -> State:
    """The state after facts in a row."""
    return fold(story(*facts, schema_version=schema_version))


def facts_of(outcome: Settlement) -> tuple[Fact, ...]:
    """The facts of a settlement."""
    return tuple(draft.fact for draft in outcome.drafts)


def append(state: State, drafts: Iterable[Draft[Fact]], now: str = LATER) -> list[Recorded[Fact]]:
    """Folds drafts on as a store would record them; the state is changed in place."""
    events: list[Recorded[Fact]] = []
    for draft in drafts:
        event = record(draft.fact, state.seq + 1, actor=draft.actor, ts=now)
        evolve(state, event)
        events.append(event)
    return events


def protocol_spec(rules: Governance | None = None, now: str = LATER) -> Spec[AnyCommand, Story, State]:
    """Given, when, then over `decide`, at a fixed time."""
    in_force = governance() if rules is None else rules

    def answer(command: AnyCommand, state: State) -> tuple[Story, ...] | Rejected:
        decision = decide(command, state, in_force, now)
        return decision if isinstance(decision, Rejected) else tuple(draft.fact for draft in decision.drafts)

    return Spec(fold=lambda facts: folded(*facts), decide=answer)


def settled(command: AnyCommand, state: State, rules: Governance | None = None, now: str = LATER) -> Settlement:
    """What a command leads to, with everything that follows from it."""
    return settle(command, state, governance() if rules is None else rules, now)


# The words of a story.


def run_start(**fields: Any) -> RunStarted:
    """A run begins."""
    return RunStarted(run_id="RUN-0001", baseline_id="B-000", master_correlation_id="CID", **fields)


def created(task_id: str = "T-1", kind: str = "impl", *, outputs: Sequence[str] = (), **fields: Any) -> TaskCreated:
    """A task of a kind, with declared outputs."""
    return TaskCreated(
        task_id=task_id, task_kind=kind, title=f"Make {task_id}", outputs={"files": list(outputs)}, **fields
    )


def claimed(task_id: str = "T-1") -> TaskClaimed:
    """The task was claimed."""
    return TaskClaimed(task_id=task_id)


def completed(task_id: str = "T-1", **fields: Any) -> TaskCompleted:
    """The task was delivered."""
    return TaskCompleted(task_id=task_id, verification={"checks": ["ran it"]}, **fields)


def approved(task_id: str = "T-1") -> TaskReviewed:
    """The review approved."""
    return TaskReviewed(task_id=task_id, decision="approve", tasks=(task_id,), reviewer_role="qa")


def sent_back(task_id: str = "T-1") -> TaskReviewed:
    """The review asked for changes."""
    return TaskReviewed(task_id=task_id, decision="request_changes", tasks=("mend it",), reviewer_role="qa")


def reported(issue_id: str = "ISS-1", task_id: str = "T-1", severity: str = "low", **fields: Any) -> IssueReported:
    """An issue was reported."""
    return IssueReported(
        task_id=task_id,
        issue_id=issue_id,
        severity=severity,
        title=f"Issue {issue_id}",
        evidence={"symptom": "broken", "repro_steps": ["look"]},
        **fields,
    )


def hotfix(task_id: str = "HF-1", *, issue_id: str = "ISS-1", fixes: str = "T-1", **fields: Any) -> HotfixCreated:
    """A hotfix of an issue on a done task."""
    scope = fields.pop("scope_patch", ("src/a.py",))
    return HotfixCreated(
        task_id=task_id,
        task_kind=fields.pop("kind", "impl"),
        title=f"Hotfix {task_id}",
        outputs={"files": [path for path in scope if "*" not in path and not path.endswith("/")]},
        is_hotfix=True,
        issue_id=issue_id,
        fixes=fixes,
        scope_patch=scope,
        required_verification={"checks_min": 2},
        **fields,
    )


def todo(task_id: str = "T-1", kind: str = "impl", **fields: Any) -> tuple[Story, ...]:
    """The story of a task that nobody has begun."""
    return (created(task_id, kind, **fields),)


def in_progress(task_id: str = "T-1", kind: str = "impl", **fields: Any) -> tuple[Story, ...]:
    """The story of a task that is claimed."""
    return (*todo(task_id, kind, **fields), claimed(task_id))


def in_review(task_id: str = "T-1", kind: str = "impl", **fields: Any) -> tuple[Story, ...]:
    """The story of a task that is delivered."""
    return (*in_progress(task_id, kind, **fields), completed(task_id))


def done(task_id: str = "T-1", kind: str = "impl", **fields: Any) -> tuple[Story, ...]:
    """The story of a task that is approved."""
    return (*in_review(task_id, kind, **fields), approved(task_id))


STORIES = {"todo": todo, "in_progress": in_progress, "review": in_review, "done": done}
"""How a task gets into each status."""


# What agents send.


def claim(task_id: str = "T-1", **fields: Any) -> dict[str, Any]:
    """A claim as an agent sends it."""
    return {"activity_event": {"action": "claim", "task_id": task_id, **fields}}


def complete(
    task_id: str = "T-1", files: Mapping[str, str] | Sequence[dict[str, Any]] = (), *, checks: int = 1, **fields: Any
) -> dict[str, Any]:
    """A delivery as an agent sends it."""
    event: dict[str, Any] = {"action": "complete", "task_id": task_id, **fields}
    if checks:
        event["verification"] = {"checks": [f"ran `make check-{number}`: 0 errors" for number in range(checks)]}
    updates = (
        [{"path": path, "content": content} for path, content in files.items()]
        if isinstance(files, Mapping)
        else list(files)
    )
    return {"activity_event": event, **({"file_updates": updates} if updates else {})}


def review(task_id: str = "T-1", decision: str = "approve", **fields: Any) -> dict[str, Any]:
    """A review as an agent sends it."""
    tasks = [task_id] if decision == "approve" else ["mend the title"]
    return {"activity_event": {"action": "review", "task_id": task_id, "decision": decision, "tasks": tasks, **fields}}


def report(task_id: str = "T-1", issue_id: str = "ISS-1", severity: str = "low", **fields: Any) -> dict[str, Any]:
    """A report as an agent sends it."""
    return {
        "activity_event": {
            "action": "issue.report",
            "task_id": task_id,
            "issue_id": issue_id,
            "severity": severity,
            "title": f"Issue {issue_id}",
            "evidence": {"symptom": "broken", "repro_steps": ["look"]},
            **fields,
        }
    }


def lesson(
    rule: str, *, mode: str = "reject", applies_to: str = "verification_gate", kinds: Sequence[str] = ("impl",)
) -> dict[str, Any]:
    """A lesson as an agent sends it."""
    return {
        "mistake": "it went wrong",
        "rule": rule,
        "scope": {"task_kinds": list(kinds)},
        "enforcement": {"mode": mode, "applies_to": applies_to},
    }


def lesson_learned(rule: str, issue_id: str = "ISS-L", task_id: str = "T-1", **how: Any) -> IssueReported:
    """A report that carries a lesson."""
    return reported(issue_id, task_id, category="process", subtype="lesson", lesson=lesson(rule, **how))


def submit(
    actor: str,
    output: Mapping[str, Any] | bytes,
    *,
    files: Mapping[str, bytes | FileOnDisk] | None = None,
    asked: str | None = None,
    rules: Governance | None = None,
) -> Submit:
    """An actor's output as a command. `files` is what lies on the disk."""
    data = output if isinstance(output, bytes) else json.dumps(output).encode()
    lying = {
        path: found if isinstance(found, FileOnDisk) else FileOnDisk(sha256=sha256_hex(found), content=found)
        for path, found in (files or {}).items()
    }
    result = parse_result(data, governance() if rules is None else rules)
    return Submit(actor=actor, result=result, files=lying, asked_task_id=asked)


# Logs as bytes.


def log_lines(events: Iterable[Recorded[Fact]], *, chained: bool = True) -> list[bytes]:
    """The events as lines, linked by `prev_hash` from the second on."""
    vocabulary = ProtocolVocabulary()
    lines: list[bytes] = []
    for event in events:
        link = leaf_hash(lines[-1]) if chained and lines else None
        lines.append(vocabulary.encode(msgspec.structs.replace(event, prev_hash=link)))
    return lines


def actions(facts: Iterable[Fact]) -> list[str]:
    """The wire names of facts."""
    return [action_of(fact) for fact in facts]
