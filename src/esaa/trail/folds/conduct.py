"""How the work is done: sessions, models and tools, other systems; what is allowed, what is spent, what is decided."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from esaa.trail.event import TrailEvent
from esaa.trail.facts.approvals import ApprovalDenied, ApprovalExpired, ApprovalGranted, ApprovalRequested
from esaa.trail.facts.budgets import BudgetExceeded, BudgetReserved, BudgetSettled
from esaa.trail.facts.decisions import AssumptionRecorded, DecisionMade
from esaa.trail.facts.external import (
    ExternalCallCompleted,
    ExternalCallFailed,
    ExternalCallStarted,
    ForeignEventObserved,
    NotificationSent,
)
from esaa.trail.facts.sessions import (
    ContextCompacted,
    PromptSubmitted,
    ResponseReceived,
    SessionEnded,
    SessionStarted,
)
from esaa.trail.facts.tools import ToolCompleted, ToolDenied, ToolFailed, ToolRequested
from esaa.trail.folds.reading import excerpt, given
from esaa.trail.state import OrchestrationState
from esaa.trail.state_values import Approval, Assumption, Budget, Calls, Decision, ModelUse, Session, ToolUse

UNKNOWN_MODEL = "unknown"
"""The key of what was used of a language model that was not named."""

_NO_TOOL_USE = ToolUse()
_NO_CALLS = Calls()
_NO_MODEL_USE = ModelUse()


def session_started(state: OrchestrationState, event: TrailEvent, fact: SessionStarted) -> None:
    """The session is open, also where it has ended before."""
    state.sessions[event.fact.session_id] = Session(
        agent_name=given(fact.agent_name),
        model=given(fact.model),
        client=given(fact.client),
        started_at=event.ts,
    )


def session_ended(state: OrchestrationState, event: TrailEvent, fact: SessionEnded) -> None:
    """The session is over."""
    known = state.sessions.get(event.fact.session_id) or Session()
    state.sessions[event.fact.session_id] = replace(
        known,
        agent_name=known.agent_name or given(fact.agent_name),
        ended_at=event.ts,
        outcome=given(fact.outcome),
    )


def prompt_submitted(state: OrchestrationState, _event: TrailEvent, fact: PromptSubmitted) -> None:
    """One prompt more; its tokens are counted with the response."""
    model = given(fact.model) or UNKNOWN_MODEL
    known = state.model_use.get(model, _NO_MODEL_USE)
    state.model_use[model] = replace(known, prompts=known.prompts + 1)


def response_received(state: OrchestrationState, _event: TrailEvent, fact: ResponseReceived) -> None:
    """One response more, with what it cost."""
    model = given(fact.model) or UNKNOWN_MODEL
    known = state.model_use.get(model, _NO_MODEL_USE)
    state.model_use[model] = replace(
        known,
        responses=known.responses + 1,
        tokens_in=known.tokens_in + (given(fact.tokens_in) or 0),
        tokens_out=known.tokens_out + (given(fact.tokens_out) or 0),
        tokens_cached=known.tokens_cached + (given(fact.tokens_cached) or 0),
        cost_micro_usd=known.cost_micro_usd + (given(fact.cost_micro_usd) or 0),
    )


def context_compacted(state: OrchestrationState, _event: TrailEvent, fact: ContextCompacted) -> None:
    """The model may have forgotten something, once more."""
    model = given(fact.model) or UNKNOWN_MODEL
    known = state.model_use.get(model, _NO_MODEL_USE)
    state.model_use[model] = replace(known, compactions=known.compactions + 1)


def tool_requested(state: OrchestrationState, _event: TrailEvent, fact: ToolRequested) -> None:
    """Counted."""
    known = state.tools.get(fact.tool_name, _NO_TOOL_USE)
    state.tools[fact.tool_name] = replace(known, requested=known.requested + 1)


def tool_denied(state: OrchestrationState, _event: TrailEvent, fact: ToolDenied) -> None:
    """Counted."""
    known = state.tools.get(fact.tool_name, _NO_TOOL_USE)
    state.tools[fact.tool_name] = replace(known, denied=known.denied + 1)


def tool_completed(state: OrchestrationState, _event: TrailEvent, fact: ToolCompleted) -> None:
    """Counted."""
    known = state.tools.get(fact.tool_name, _NO_TOOL_USE)
    state.tools[fact.tool_name] = replace(known, completed=known.completed + 1)


def tool_failed(state: OrchestrationState, _event: TrailEvent, fact: ToolFailed) -> None:
    """Counted."""
    known = state.tools.get(fact.tool_name, _NO_TOOL_USE)
    state.tools[fact.tool_name] = replace(known, failed=known.failed + 1)


def external_call_started(state: OrchestrationState, _event: TrailEvent, fact: ExternalCallStarted) -> None:
    """Counted."""
    known = state.external_calls.get(fact.system, _NO_CALLS)
    state.external_calls[fact.system] = replace(known, started=known.started + 1)


def external_call_completed(state: OrchestrationState, _event: TrailEvent, fact: ExternalCallCompleted) -> None:
    """Counted."""
    known = state.external_calls.get(fact.system, _NO_CALLS)
    state.external_calls[fact.system] = replace(known, completed=known.completed + 1)


def external_call_failed(state: OrchestrationState, _event: TrailEvent, fact: ExternalCallFailed) -> None:
    """Counted."""
    known = state.external_calls.get(fact.system, _NO_CALLS)
    state.external_calls[fact.system] = replace(known, failed=known.failed + 1)


def notification_sent(state: OrchestrationState, _event: TrailEvent, fact: NotificationSent) -> None:
    """Counted."""
    state.notifications[fact.channel] = state.notifications.get(fact.channel, 0) + 1


def foreign_event_observed(state: OrchestrationState, _event: TrailEvent, fact: ForeignEventObserved) -> None:
    """Counted."""
    state.foreign_events[fact.system] = state.foreign_events.get(fact.system, 0) + 1


def approval_requested(state: OrchestrationState, event: TrailEvent, fact: ApprovalRequested) -> None:
    """The approval is open, also where it was decided before."""
    state.approvals[fact.approval_id] = Approval(
        status="open",
        subject=excerpt(fact.subject),
        approval_type=given(fact.approval_type),
        risk=given(fact.risk),
        requested_by=given(fact.requested_by) or given(fact.agent_name),
        requested_at=event.ts,
        expires_at=given(fact.expires_at),
        task_id=given(fact.task_id),
        content_sha256=given(fact.content_sha256),
    )


def approval_granted(state: OrchestrationState, event: TrailEvent, fact: ApprovalGranted) -> None:
    """It is allowed; `expires_at` says until when."""
    asked = _asked(state, fact)
    state.approvals[fact.approval_id] = replace(
        asked,
        status="granted",
        decided_by=fact.granted_by,
        decided_at=event.ts,
        expires_at=given(fact.expires_at),
        reason=given(fact.reason),
        content_sha256=given(fact.content_sha256) or asked.content_sha256,
    )


def approval_denied(state: OrchestrationState, event: TrailEvent, fact: ApprovalDenied) -> None:
    """It is not allowed."""
    asked = _asked(state, fact)
    state.approvals[fact.approval_id] = replace(
        asked, status="denied", decided_by=fact.denied_by, decided_at=event.ts, reason=given(fact.reason)
    )


def approval_expired(state: OrchestrationState, event: TrailEvent, fact: ApprovalExpired) -> None:
    """Nobody has answered in time."""
    asked = _asked(state, fact)
    state.approvals[fact.approval_id] = replace(
        asked,
        status="expired",
        requested_by=asked.requested_by or given(fact.requested_by),
        decided_by=None,
        decided_at=event.ts,
        reason=None,
    )


def budget_reserved(state: OrchestrationState, _event: TrailEvent, fact: BudgetReserved) -> None:
    """The amount is set aside. A reservation of the same name is replaced."""
    known = _budget(state, fact)
    reserved, reservations = known.reserved + fact.amount, known.reservations
    name = given(fact.reservation_id)
    if name is not None:
        reserved -= reservations.get(name, 0)
        reservations = reservations | {name: fact.amount}
    spent = given(fact.spent)
    state.budgets[fact.budget_id] = replace(
        known, reserved=reserved, reservations=reservations, spent=known.spent if spent is None else spent
    )


def budget_settled(state: OrchestrationState, _event: TrailEvent, fact: BudgetSettled) -> None:
    """What was set aside is free again; what was really spent is spent."""
    known = _budget(state, fact)
    reservations, name = known.reservations, given(fact.reservation_id)
    if name is not None and name in reservations:
        released = reservations[name]
        reservations = {key: amount for key, amount in reservations.items() if key != name}
    else:
        # No more is released than was set aside without a name.
        unnamed = known.reserved - sum(reservations.values())
        released = min(unnamed, given(fact.reserved) or 0)
    spent = given(fact.spent)
    state.budgets[fact.budget_id] = replace(
        known,
        reserved=known.reserved - released,
        reservations=reservations,
        spent=known.spent + fact.amount if spent is None else spent,
    )


def budget_exceeded(state: OrchestrationState, event: TrailEvent, fact: BudgetExceeded) -> None:
    """The limit was reached once more. The event's `spent` counts what is set aside, so it is taken only at first."""
    is_new = fact.budget_id not in state.budgets
    known = _budget(state, fact)
    state.budgets[fact.budget_id] = replace(
        known,
        spent=fact.spent if is_new else known.spent,
        times_exceeded=known.times_exceeded + 1,
        exceeded_at=event.ts,
    )


def decision_made(state: OrchestrationState, event: TrailEvent, fact: DecisionMade) -> None:
    """One more decision."""
    decision = Decision(
        question=excerpt(fact.question),
        choice=excerpt(fact.choice),
        timestamp=event.ts,
        decision_id=given(fact.decision_id),
        decided_by=given(fact.decided_by),
        supersedes=given(fact.supersedes),
    )
    state.decisions.append(decision)


def assumption_recorded(state: OrchestrationState, event: TrailEvent, fact: AssumptionRecorded) -> None:
    """The assumption stands as the last event about it says."""
    text = excerpt(fact.assumption)
    state.assumptions[given(fact.assumption_id) or text] = Assumption(
        assumption=text,
        timestamp=event.ts,
        status="open" if fact.status is UNSET else fact.status,
        agent_name=given(fact.agent_name),
        decision_id=given(fact.decision_id),
    )


def _asked(state: OrchestrationState, fact: ApprovalGranted | ApprovalDenied | ApprovalExpired) -> Approval:
    known = state.approvals.get(fact.approval_id)
    return known or Approval(
        status="open",
        subject=given(fact.subject),
        task_id=given(fact.task_id),
        content_sha256=given(fact.content_sha256),
    )


def _budget(state: OrchestrationState, fact: BudgetReserved | BudgetSettled | BudgetExceeded) -> Budget:
    """The budget so far, with what every event about it says."""
    known = state.budgets.get(fact.budget_id)
    if known is None:
        return Budget(scope=fact.scope, unit=fact.unit, limit=given(fact.limit))
    limit = known.limit if fact.limit is UNSET else fact.limit
    return replace(known, scope=fact.scope, unit=fact.unit, limit=limit)
