"""`decide(command, state, rules, now)`: facts or a refusal. Pure; layers 4 to 7 of the validation are asked here."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Draft
from esaa.protocol.admin import (
    amend_task,
    bind_issue,
    binding,
    create_hotfix,
    create_task,
    reject_output,
    report_deadlock,
    resolve_issue,
    start_run,
)
from esaa.protocol.attempts import refuse_attempt
from esaa.protocol.blocking import refuse_blocked
from esaa.protocol.commands import (
    AmendTask,
    AnyCommand,
    BindIssue,
    CreateHotfix,
    CreateTask,
    EndRun,
    RecordRepair,
    RecordTimeout,
    RecordVerification,
    RejectOutput,
    ReportDeadlock,
    ResolveIssue,
    StartRun,
    Submit,
)
from esaa.protocol.deliver import deliver
from esaa.protocol.facts import (
    Fact,
    IssueReported,
    RunEnded,
    TaskClaimed,
    TaskReviewed,
    VerificationFailed,
    VerificationPassed,
    VerificationStarted,
    ViewMutated,
)
from esaa.protocol.gates import refuse_lesson_report, refuse_lessons
from esaa.protocol.identity import recorded_signature, refuse_identity
from esaa.protocol.intentions import AgentResult, AnyIntention, Claim, Complete, ReportIssue, Review
from esaa.protocol.lessons import Delivery
from esaa.protocol.rejections import reject
from esaa.protocol.result import Refused
from esaa.protocol.roadmap import schema_version
from esaa.protocol.state import State
from esaa.protocol.task_table import Task
from esaa.protocol.transitions import refuse_actor, refuse_dependencies, refuse_done, refuse_transition

ORCHESTRATOR = "orchestrator"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided: facts in order, the contents of the files that they write by digest, and warnings."""

    drafts: tuple[Draft[Fact], ...]
    contents: dict[str, bytes] = {}
    warnings: tuple[str, ...] = ()


def decide(command: AnyCommand, state: State, rules: Governance, now: str) -> Decision | Rejected:
    """The facts that a command leads to, before reactions. `now` is the log's time, ISO-8601 UTC in seconds."""
    match command:
        case Submit():
            return _submit(command, state, rules, now)
        case RecordTimeout():
            return reject("ATTEMPT_TIMEOUT", command.message, "The task stays with its owner, who is asked again.")
        case CreateTask():
            return _one(create_task(command, state))
        case AmendTask():
            return _one(amend_task(command, state))
        case CreateHotfix():
            return _one(create_hotfix(command, state, rules))
        case ResolveIssue():
            return _one(resolve_issue(command, state))
        case RejectOutput():
            return _one(reject_output(command, state, rules))
        case StartRun():
            return _started(command, state)
        case BindIssue():
            bound = bind_issue(command.issue_key, state)
            return Decision(drafts=()) if bound is None else _one(bound)
        case EndRun():
            return _one(RunEnded(status=command.status, message=command.message))
        case ReportDeadlock():
            draft = report_deadlock(command, state)
            return Decision(drafts=() if draft is None else (draft,))
        case RecordVerification():
            return Decision(drafts=_verification(command))
        case RecordRepair():
            return _one(ViewMutated(target=command.target, change=command.change, detail=command.detail))
        case _:
            assert_never(command)


def _one(fact: Fact | Rejected) -> Decision | Rejected:
    if isinstance(fact, Rejected):
        return fact
    return Decision(drafts=(Draft(actor=ORCHESTRATOR, fact=fact),))


def _started(command: StartRun, state: State) -> Decision | Rejected:
    """A run that belongs to an issue says so in its first batch: nobody ever sees it begin elsewhere."""
    decision = _one(start_run(command, state))
    if isinstance(decision, Rejected) or command.issue_key is None:
        return decision
    bound: Draft[Fact] = Draft(actor=ORCHESTRATOR, fact=binding(command.issue_key), follows=True)
    return Decision(drafts=(*decision.drafts, bound))


def _verification(command: RecordVerification) -> tuple[Draft[Fact], ...]:
    start: Draft[Fact] = Draft(actor=ORCHESTRATOR, fact=VerificationStarted(strict=True))
    outcome: Fact = VerificationPassed(projection_hash_sha256=command.expected_sha256)
    if command.message is not None:
        outcome = VerificationFailed(
            verify_status="mismatch",
            message=command.message,
            expected_sha256=command.expected_sha256,
            found_sha256=command.found_sha256,
        )
    return start, Draft(actor=ORCHESTRATOR, fact=outcome, follows=True)


def _submit(command: Submit, state: State, rules: Governance, now: str) -> Decision | Rejected:
    result = command.result
    refusal = refuse_identity(command, state, rules)
    if refusal is not None:
        return refusal
    if isinstance(result, Refused):
        return result.rejected
    intention = result.intention
    task = state.task(intention.task_id)
    if task is None:
        return reject("TASK_NOT_FOUND", f"There is no task {intention.task_id!r}.", "`esaa task list` names all tasks.")
    refusal = _state_machine(command, intention, task, state, rules, now)
    if refusal is not None:
        return refusal
    match intention:
        case Complete():
            delivered = deliver(task, command, intention, result, state, rules)
            if isinstance(delivered, Rejected):
                return delivered
            act, *effects = delivered.drafts
            drafts = (_attributed(act, command, rules), *effects)
            return Decision(drafts=drafts, contents=delivered.contents, warnings=delivered.warnings)
        case Claim():
            fact: Fact = TaskClaimed(task_id=task.task_id, prior_status=intention.prior_status, notes=intention.notes)
        case Review():
            fact = TaskReviewed(
                task_id=task.task_id,
                prior_status=intention.prior_status,
                notes=intention.notes,
                decision=intention.decision,
                tasks=intention.tasks,
                reviewer_role="qa",
            )
        case ReportIssue():
            refusal = refuse_lesson_report(intention)
            fact = _issue_reported(intention)
        case _:
            assert_never(intention)
    refusal = _immutable(task, intention) or refusal
    warnings: list[str] = []
    if refusal is None and not isinstance(intention, ReportIssue):
        refusal, warnings = refuse_lessons(task, _delivery(result), state)
    if refusal is not None:
        return refusal
    act = _attributed(Draft(actor=command.actor, fact=fact), command, rules)
    return Decision(drafts=(act,), warnings=tuple(warnings))


def _attributed(act: Draft[Fact], command: Submit, rules: Governance) -> Draft[Fact]:
    """The act, with the signature under which it was taken, and where it came from."""
    signature = recorded_signature(command, rules)
    known = {"signature": signature, "provenance": command.provenance}
    values = {name: value for name, value in known.items() if value is not None}
    if not values:
        return act
    return msgspec.structs.replace(act, fact=msgspec.structs.replace(act.fact, **values))


def _state_machine(
    command: Submit, intention: AnyIntention, task: Task, state: State, rules: Governance, now: str
) -> Rejected | None:
    act = f"review:{intention.decision}" if isinstance(intention, Review) else intention.action
    if command.asked_task_id is not None and command.asked_task_id != task.task_id:
        return reject(
            "WRONG_TASK",
            f"{command.actor} was asked about {command.asked_task_id} and answered about {task.task_id}.",
            "Answer about the task that was asked.",
        )
    if intention.prior_status is UNSET and schema_version(state) == "0.4.1":
        message = "The output has no `prior_status`, which protocol 0.4.1 asks for."
        return reject("SCHEMA_INVALID", message, f"Send prior_status: {task.status}.")
    if isinstance(intention.prior_status, str) and intention.prior_status != task.status:
        return _prior_status(intention, task)
    if isinstance(intention, ReportIssue):
        return _refuse_reports_only(command, task, state, rules) or _refuse_report(
            command.actor, intention, task, state, rules
        )
    refusal = (
        refuse_blocked(task, act, state, rules)
        or refuse_transition(task, intention.action)
        or refuse_actor(task, intention.action, command.actor, rules)
        or refuse_attempt(task, intention.action, state, rules, now, command.received_at)
    )
    if refusal is None and isinstance(intention, Claim):
        refusal = refuse_dependencies(task, state)
    return refusal


def _prior_status(intention: AnyIntention, task: Task) -> Rejected | None:
    # On a done task the immutability layer has the more telling answer.
    if task.status == "done" and not isinstance(intention, ReportIssue):
        return None
    transition = refuse_transition(task, intention.action)
    if transition is not None:
        return transition
    return reject(
        "PRIOR_STATUS_MISMATCH",
        f"prior_status says {intention.prior_status}, but {task.task_id} is {task.status}.",
        "Ask for the context again; the task has moved on.",
    )


def _immutable(task: Task, intention: AnyIntention) -> Rejected | None:
    if task.status != "done" or isinstance(intention, ReportIssue):
        return None
    return refuse_done(task, intention.action)


def _refuse_reports_only(command: Submit, task: Task, state: State, rules: Governance) -> Rejected | None:
    """A dispatched agent that only ever reports would be asked for ever; a person may report as much as there is."""
    limit = rules.runtime.attempts.max
    if command.asked_task_id is None or state.work(task.task_id).reports < limit:
        return None
    return reject(
        "REPORTS_EXCEEDED",
        f"{limit} issues in a row were reported from {task.task_id} without any other act on it.",
        "Act on the task, or let the reported issues be resolved first.",
    )


def _refuse_report(actor: str, intention: ReportIssue, task: Task, state: State, rules: Governance) -> Rejected | None:
    if isinstance(intention.fixes, str) and state.task(intention.fixes) is None:
        return reject("TASK_NOT_FOUND", f"`fixes` names the unknown task {intention.fixes!r}.", "`esaa task list`.")
    if intention.severity not in ("high", "critical"):
        return None
    roles = rules.swarm.actors[actor].roles
    if "qa" in roles or "monitor" in roles or task.assigned_to == actor:
        return None
    return reject(
        "SEVERITY_NOT_ALLOWED",
        f"{actor} neither owns {task.task_id} nor has the role qa; it may not report `{intention.severity}`.",
        "Report `medium`, or let the owner or a reviewer report it.",
    )


def _issue_reported(intention: ReportIssue) -> IssueReported:
    return IssueReported(
        task_id=intention.task_id,
        prior_status=intention.prior_status,
        notes=intention.notes,
        issue_id=intention.issue_id,
        severity=intention.severity,
        title=intention.title,
        evidence=intention.evidence,
        affected=intention.affected,
        category=intention.category,
        subtype=intention.subtype,
        lesson=intention.lesson,
        fixes=intention.fixes,
    )


def _delivery(result: AgentResult) -> Delivery:
    return Delivery(fields=result.fields, is_complete=False, checks=(), files={})
