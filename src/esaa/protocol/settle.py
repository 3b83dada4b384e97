"""From a command to the whole batch: the decision, its refusal as a fact, the reactions, and the closing events.

Accepted and rejected take the same road. A batch that begins with an agent's act is closed by its first
`orchestrator.view.mutate`; a batch that a crash cut before that is undone (`unclosed_act`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.contracts.swarm import MONITOR, ORCHESTRATOR
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Draft, Recorded
from esaa.kernel.times import moment_of, parse_ts
from esaa.protocol.admin import next_run_id
from esaa.protocol.blocking import escalation
from esaa.protocol.commands import AnyCommand, RecordTimeout, StartRun, Submit
from esaa.protocol.decide import Decision, decide
from esaa.protocol.facts import (
    Fact,
    FileWritten,
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
    ViewMutated,
)
from esaa.protocol.hotfix import hotfix_fact
from esaa.protocol.rejections import reject
from esaa.protocol.result import Refused
from esaa.protocol.state import Issue, State
from esaa.protocol.transitions import ACTION_OF_STATUS, responsible_actor


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """All that a command leads to. `drafts` may be empty: an unknown actor's refusal that was coalesced."""

    drafts: tuple[Draft[Fact], ...]
    rejected: Rejected | None = None
    contents: dict[str, bytes] = {}
    warnings: tuple[str, ...] = ()


def settle(command: AnyCommand, state: State, rules: Governance, now: str) -> Settlement:
    """Decides, reacts and closes. The drafts are one batch: all of them are appended, or none."""
    if isinstance(command, Submit) and command.actor not in rules.swarm.actors:
        return _unknown_actor(command, state, rules, now)
    decision = decide(command, state, rules, now)
    if isinstance(decision, Rejected):
        if not isinstance(command, Submit | RecordTimeout):
            return Settlement(drafts=(), rejected=decision)
        refusal = Draft[Fact](actor=ORCHESTRATOR, fact=_refusal(command, decision, state, rules))
        drafts = _with_reactions(Decision(drafts=(refusal,)), state, rules)
        return Settlement(drafts=_in_a_run(command, drafts, state), rejected=decision)
    drafts = _with_reactions(decision, state, rules)
    return Settlement(drafts=_in_a_run(command, drafts, state), contents=decision.contents, warnings=decision.warnings)


def unclosed_act(newest_first: Iterable[Recorded[Fact]]) -> int | None:
    """The version of an agent's act at the end of the log whose batch was cut before it was closed, or None."""
    for recorded in newest_first:
        if isinstance(recorded.fact, TaskClaimed | TaskCompleted | TaskReviewed | IssueReported):
            return recorded.version
        if not isinstance(recorded.fact, FileWritten | HotfixCreated | IssueResolved):
            return None
    return None


def _with_reactions(decision: Decision, state: State, rules: Governance) -> list[Draft[Fact]]:
    drafts = list(decision.drafts)
    for draft in decision.drafts:
        drafts += _reactions(draft.fact, state, rules)
    drafts = _closed(drafts, decision)
    return drafts + _halts(drafts, state, rules)


def _in_a_run(command: AnyCommand, drafts: list[Draft[Fact]], state: State) -> tuple[Draft[Fact], ...]:
    run = state.header.run
    if not drafts or run.is_open or run.count == 0 or isinstance(command, StartRun):
        return tuple(drafts)
    start = RunStarted(
        run_id=next_run_id(state),
        status="initialized",
        master_correlation_id=run.master_correlation_id,
        baseline_id=run.baseline_id,
    )
    return Draft(actor=ORCHESTRATOR, fact=start), *drafts


def _refusal(command: Submit | RecordTimeout, rejected: Rejected, state: State, rules: Governance) -> OutputRejected:
    digest: str | None = None
    if isinstance(command, RecordTimeout):
        task_id: str | None = command.task_id
        action: str | None = command.source_action
    elif isinstance(command.result, Refused):
        task_id, action = command.result.task_id, command.result.source_action
        digest = command.result.result_sha256
    else:
        task_id, action = command.result.intention.task_id, command.result.intention.action
        digest = command.result.result_sha256
    if isinstance(command, Submit) and command.asked_task_id is not None:
        # What a dispatched agent answered belongs to the task that it was asked about, whatever it says.
        task_id = command.asked_task_id
    task = None if task_id is None else state.task(task_id)
    # Only the actor that holds the attempt can use it up, and no task can use more than it has.
    costs = (
        task is not None
        and responsible_actor(task, state, rules) == command.actor
        and state.work(task.task_id).attempts < rules.runtime.attempts.max
    )
    return OutputRejected(
        task_id=task_id,
        error_code=rejected.error_code,
        message=rejected.message,
        source_action=action if action is not None or task is None else ACTION_OF_STATUS.get(task.status),
        reason=rejected.reason,
        layer=rejected.layer,
        hint=rejected.hint,
        rejected_actor=command.actor,
        counts=rejected.counts and costs,
        result_sha256=UNSET if digest is None else digest,
        provenance=UNSET if command.provenance is None else command.provenance,
    )


def _attempts_used_up(refusal: OutputRejected, state: State, rules: Governance) -> list[Draft[Fact]]:
    task = None if refusal.task_id is None else state.task(refusal.task_id)
    if task is None or task.status == "done":
        return []
    attempts = state.work(task.task_id).attempts + (refusal.counts is True)
    known = state.header.issues.get(f"ISS-ATTEMPTS-{task.task_id}")
    # Not only at the last attempt: where a crash cut the report off, the next refusal of any kind brings it.
    if attempts < rules.runtime.attempts.max or (known is not None and known.is_open):
        return []
    report = IssueReported(
        task_id=task.task_id,
        prior_status=task.status,
        issue_id=f"ISS-ATTEMPTS-{task.task_id}",
        severity="high",
        title=f"{task.task_id} used up its {attempts} attempts",
        evidence={
            "symptom": f"{refusal.error_code}: {refusal.message}",
            "repro_steps": [f"esaa log --task {task.task_id} --action output.rejected"],
        },
    )
    return [Draft(actor=MONITOR, fact=report, follows=True)]


def _reactions(fact: Fact, state: State, rules: Governance) -> list[Draft[Fact]]:
    if isinstance(fact, OutputRejected):
        return _attempts_used_up(fact, state, rules)
    if isinstance(fact, IssueReported) and isinstance(fact.fixes, str):
        return _hotfix_for(fact, state, rules)
    if isinstance(fact, TaskReviewed) and fact.decision == "approve":
        task = state.task(fact.task_id)
        issue = state.header.issues.get(str(task.issue_id)) if task is not None and task.is_hotfix is True else None
        if task is not None and issue is not None and issue.is_open:
            resolution = {"status": "resolved_by_hotfix", "hotfix_task_id": task.task_id}
            resolved = IssueResolved(issue_id=issue.issue_id, resolution=resolution)
            return [Draft(actor=ORCHESTRATOR, fact=resolved, follows=True)]
    return []


def _hotfix_for(fact: IssueReported, state: State, rules: Governance) -> list[Draft[Fact]]:
    fixes = state.task(str(fact.fixes))
    known = state.header.issues.get(fact.issue_id)
    existing = None if known is None or known.hotfix_task_id is None else state.task(known.hotfix_task_id)
    if fixes is None or fixes.status != "done" or (existing is not None and existing.status != "done"):
        return []
    hotfix = hotfix_fact(_as_issue(fact), fixes, state, rules)
    return [] if hotfix is None else [Draft(actor=ORCHESTRATOR, fact=hotfix, follows=True)]


def _as_issue(fact: IssueReported) -> Issue:
    affected = {} if fact.affected is UNSET else fact.affected
    baseline = affected.get("baseline_id") if isinstance(affected, dict) else None
    return Issue(
        issue_id=fact.issue_id,
        status="open",
        severity=fact.severity,
        title=fact.title,
        baseline_id=baseline if isinstance(baseline, str) else None,
        affected=affected,
        evidence={},
        resolution={},
        reported_by_task_id=fact.task_id,
        fixes_task_id=fact.fixes if isinstance(fact.fixes, str) else None,
        hotfix_task_id=None,
        created_event_seq=0,
        resolved_event_seq=None,
    )


_TOUCHES_ROADMAP = (TaskCreated, TaskAmended, TaskClaimed, TaskCompleted, TaskReviewed, HotfixCreated)
_TOUCHES_ISSUES = (IssueReported, IssueResolved, HotfixCreated)


def _closed(drafts: list[Draft[Fact]], decision: Decision) -> list[Draft[Fact]]:
    facts = [draft.fact for draft in drafts]
    targets: list[str] = []
    if any(isinstance(fact, _TOUCHES_ROADMAP) for fact in facts):
        targets.append("roadmap")
    if any(isinstance(fact, _TOUCHES_ISSUES) for fact in facts):
        targets.append("issues")
    if any(isinstance(fact, IssueReported) and fact.lesson is not UNSET for fact in facts):
        targets.append("lessons")
    closing: list[Draft[Fact]] = []
    for number, target in enumerate(targets):
        warnings = decision.warnings if number == 0 and decision.warnings else UNSET
        mutated = ViewMutated(target=target, change="projected", warnings=warnings)
        closing.append(Draft(actor=ORCHESTRATOR, fact=mutated, follows=True))
    return drafts + closing


def _halts(drafts: list[Draft[Fact]], state: State, rules: Governance) -> list[Draft[Fact]]:
    run = state.header.run
    for draft in drafts:
        fact = draft.fact
        # A log that has had a run is in one by now: `_in_a_run` begins it.
        if not isinstance(fact, IssueReported) or not (run.is_open or run.count):
            continue
        if escalation(_as_issue(fact), rules) == "halt_pipeline":
            ended = RunEnded(status="halted", message=f"{fact.severity} issue {fact.issue_id}: {fact.title}")
            return [Draft(actor=ORCHESTRATOR, fact=ended, follows=True)]
    return []


def _unknown_actor(command: Submit, state: State, rules: Governance, now: str) -> Settlement:
    rejected = reject(
        "ACTOR_UNKNOWN",
        f"{command.actor[:64]!r} is not an actor of this workspace.",
        f"agents_swarm.yaml registers: {', '.join(rules.swarm.actors)}.",
        counts=False,
    )
    last = moment_of(state.header.unknown_actors.recorded_at or "")
    window: timedelta = rules.runtime.unknown_actors.window
    if last is not None and parse_ts(now) - last < window:
        return Settlement(drafts=(), rejected=rejected)
    result = command.result
    fact = OutputRejected(
        error_code=rejected.error_code,
        message="Output of an unregistered actor; further ones are coalesced.",
        reason=rejected.reason,
        layer=rejected.layer,
        hint=rejected.hint,
        counts=False,
        count=1,
        digests=(result.result_sha256,),
    )
    return Settlement(drafts=_in_a_run(command, [Draft(actor=ORCHESTRATOR, fact=fact)], state), rejected=rejected)
