"""Which rules an event of the governed run passed, or by which it was refused, layer by layer.

What was accepted passed all seven layers. What was refused passed those before the one that refused, and the others
were never asked. Where the contracts are given, the rules are told with their values: those in force now, which need
not be those of then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.kernel.decider import LAYERS, Layer
from esaa.protocol.boundaries import write_boundary
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    ForeignRecorded,
    IssueReported,
    OutputRejected,
    TaskClaimed,
    TaskCompleted,
    TaskReviewed,
    VerificationFailed,
    VerificationPassed,
    VerificationStarted,
)
from esaa.protocol.gates import checks_needed
from esaa.protocol.rejections import CODES
from esaa.protocol.task_table import Task

Outcome = Literal["passed", "refused", "not_asked"]

ORCHESTRATOR_LAYER = "orchestrator"
"""The layer of what the orchestrator writes by itself: no output of an agent stands behind it."""

_Act = TaskClaimed | TaskCompleted | TaskReviewed | IssueReported
_PATHS_SHOWN = 5
_MEANINGS: dict[Layer, str] = {
    "json_parse": "The output is one strict JSON value, within the limits.",
    "schema": "It matches the schema of agent results, with one act and nothing that only the orchestrator says.",
    "vocabulary": "The act is one that agents may emit, and the actor is registered.",
    "state_machine": "The act fits the status of the task, and the actor may do it.",
    "boundary": "All files lie inside what the task may write.",
    "immutability": "The task is not done.",
    "verification_gate": "There are enough checks, and no lesson is broken.",
}
_NO_OUTPUT = frozenset({"AGENT_FAILED", "ATTEMPT_TIMEOUT"})
"""Refusals that judge no output: there was none in time."""
_BEFORE_ALL = frozenset(
    {"ACTOR_UNKNOWN", "IDENTITY_MISSING", "IDENTITY_UNREGISTERED", "IDENTITY_INVALID", "IDENTITY_REPLAYED"}
)
"""Who sends something is asked before what was sent is read."""


class RuleMet(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that an event met.

    - `layer`: one of the seven layers of validation, or `orchestrator`.
    - `rule`: the code of the refusal, or a name for what was asked.
    - `outcome`: `not_asked` where an earlier layer refused already.
    - `text`: what it says here.
    """

    layer: str
    rule: str
    outcome: Outcome
    text: str


def rules_met(
    fact: Fact,
    actor: str,
    *,
    rules: Governance | None = None,
    task: Mapping[str, Any] | None = None,
    files: Sequence[str] = (),
) -> tuple[RuleMet, ...]:
    """The rules that an event met.

    `task` is the task that it is about as the state before it shows it, `files` what the event's batch wrote.
    """
    if isinstance(fact, OutputRejected):
        return tuple(_refused(fact))
    if isinstance(fact, TaskClaimed | TaskCompleted | TaskReviewed | IssueReported):
        return tuple(_accepted(fact, actor, rules, _task_of(task), files))
    return (RuleMet(layer=ORCHESTRATOR_LAYER, rule=_rule_of(fact), outcome="passed", text=_text_of(fact)),)


def _refused(fact: OutputRejected) -> Iterator[RuleMet]:
    known = CODES.get(fact.error_code)
    layer = fact.layer if isinstance(fact.layer, str) else known.layer if known else ""
    meaning = f"{known.meaning} " if known and known.meaning not in fact.message else ""
    hint = f" {fact.hint}" if isinstance(fact.hint, str) and fact.hint else ""
    refusal = RuleMet(
        layer=layer, rule=fact.error_code, outcome="refused", text=f"{meaning}{fact.message}{hint}".strip()
    )
    if layer not in LAYERS:
        yield refusal
        return
    place = LAYERS.index(layer)
    was_asked = fact.error_code not in _NO_OUTPUT | _BEFORE_ALL
    for number, one in enumerate(LAYERS):
        if number == place:
            yield refusal
        else:
            outcome: Outcome = "passed" if number < place and was_asked else "not_asked"
            yield RuleMet(layer=one, rule=one, outcome=outcome, text=_MEANINGS[one])


def _accepted(
    fact: _Act, actor: str, rules: Governance | None, task: Task | None, files: Sequence[str]
) -> Iterator[RuleMet]:
    said: dict[Layer, str] = {
        "vocabulary": _vocabulary_text(fact, actor, rules),
        "state_machine": _state_machine_text(fact, actor, task),
        "boundary": _boundary_text(fact, files, rules, task),
        "immutability": _immutability_text(fact, task),
        "verification_gate": _gate_text(fact, rules, task),
    }
    for layer in LAYERS:
        yield RuleMet(layer=layer, rule=layer, outcome="passed", text=said.get(layer) or _MEANINGS[layer])


def _vocabulary_text(fact: _Act, actor: str, rules: Governance | None) -> str:
    known = rules.swarm.actors.get(actor) if rules is not None else None
    roles = f" with the role {', '.join(known.roles)}" if known is not None else ""
    return f"`{fact.action}` is an act that agents may emit, and {actor} is registered{roles}."


def _state_machine_text(fact: _Act, actor: str, task: Task | None) -> str:
    if isinstance(fact, IssueReported):
        return f"An issue may be reported in every status; {actor} may report the severity {fact.severity}."
    status = task.status if task is not None else fact.prior_status
    was = "" if status is UNSET else f"{fact.task_id} was {status}, where `{fact.action}` is the act that it waits for"
    if isinstance(fact, TaskClaimed):
        waits = ", ".join(task.depends_on) if task is not None else ""
        rest = f"all that it depends on was done: {waits}" if waits else "nothing that it depends on was open"
    elif isinstance(fact, TaskCompleted):
        rest = f"{actor} owned it"
    else:
        owner = task.assigned_to if task is not None and isinstance(task.assigned_to, str) else "another actor"
        rest = f"{actor} may review it; the work was done by {owner}"
    return f"{was}; {rest}." if was else f"On {fact.task_id}: {rest}."


def _boundary_text(fact: _Act, files: Sequence[str], rules: Governance | None, task: Task | None) -> str:
    if not isinstance(fact, TaskCompleted) or not files:
        return "No file is written."
    named = ", ".join(files[:_PATHS_SHOWN]) + (" and others" if len(files) > _PATHS_SHOWN else "")
    boundary = write_boundary(task, rules.agent) if rules is not None and task is not None else None
    if boundary is None:
        return f"{named}: inside what the task may write."
    outside = [path for path in files if boundary.refusal(path) is not None]
    if outside:
        return f"{named}: allowed then. Under the contracts in force now, {outside[0]} would be outside."
    inside, denied = (", ".join(dict.fromkeys(one)) for one in (boundary.scope or boundary.allow, boundary.deny))
    return f"{named}: inside {inside}, and not in {denied}."


def _immutability_text(fact: _Act, task: Task | None) -> str:
    if isinstance(fact, IssueReported):
        return "A report changes no task, so it may be about one that is done."
    return f"{fact.task_id} was not done" + (f", it was {task.status}." if task is not None else ".")


def _gate_text(fact: _Act, rules: Governance | None, task: Task | None) -> str:
    if not isinstance(fact, TaskCompleted):
        return ""
    checks = fact.verification.get("checks") if isinstance(fact.verification, dict) else None
    given = len(checks) if isinstance(checks, list) else 0
    needed = f", {checks_needed(task, rules)} needed" if rules is not None and task is not None else ""
    return f"{given} verification checks given{needed}; no lesson is broken."


def _rule_of(fact: Fact) -> str:
    if isinstance(fact, VerificationStarted | VerificationPassed | VerificationFailed):
        return "INV-006"
    return fact.name if isinstance(fact, ForeignRecorded) else type(fact).action_name


def _text_of(fact: Fact) -> str:
    if isinstance(fact, FileWritten):
        return "It follows from an accepted output; the rules that this passed stand at its cause."
    if isinstance(fact, ForeignRecorded):
        return "Another writer's event: it is kept as it is, changes no task, and is judged by no rule here."
    if isinstance(fact, VerificationStarted | VerificationPassed | VerificationFailed):
        return "The read model is compared with what the log gives."
    return "The orchestrator wrote it by itself: no output of an agent was judged."


def _task_of(task: Mapping[str, Any] | None) -> Task | None:
    """A task of a state document; None for another writer's, which may lack what ours have."""
    if task is None:
        return None
    try:
        return msgspec.convert(task, Task)
    except msgspec.ValidationError:
        return None
