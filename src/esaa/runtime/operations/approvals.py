"""Approvals as people answer them: one call for the command line, the web, and what brings answers from outside."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from esaa.contracts.governance import Governance
from esaa.errors import CommandConflict, NotFound, UsageError
from esaa.kernel.canonical import sha256_hex
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.runtime.workspace import Workspace
from esaa.trail.approvals import fault_of_decider, is_expired
from esaa.trail.event import GLOBAL, Actor
from esaa.trail.facts.approvals import ApprovalDenied, ApprovalGranted
from esaa.trail.state_values import Approval

_DECISIONS = uuid.UUID("6f1c1b0e-8a1b-5a55-9f0a-1d6c53a1d2c4")
"""The name space of the decisions' event ids: a request has one id for its decision, so it is decided once."""
_TEXT_MAX = 2000


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a person sees it. `stream` is the issue, or `global`; `status` is that of this moment."""

    approval_id: str
    stream: str
    status: Literal["open", "granted", "denied", "expired"]
    approval: Approval


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an answer. `is_repeat`: the same person had given the same answer before."""

    request: Request
    event_id: str | None
    is_repeat: bool = False
    is_dry_run: bool = False


def requests(trail: Trail, *, everything: bool = False) -> Iterator[Request]:
    """The requests that wait for an answer, the streams in their order; with `everything` the others too."""
    states, now = TrailStates(trail), trail.clock.now()
    for stream in trail.store.names():
        for approval_id, approval in states.reconstruct(stream).state.approvals.items():
            status = "expired" if is_expired(approval, now) else approval.status
            if everything or status == "open":
                yield Request(approval_id=approval_id, stream=stream, status=status, approval=approval)


def request_view(request: Request) -> dict[str, Any]:
    """A request as stable JSON."""
    approval = msgspec.to_builtins(request.approval)
    return {"approval_id": request.approval_id, "stream": request.stream, **approval, "status": request.status}


def decide(
    trail: Trail,
    rules: Governance | None,
    approval_id: str,
    *,
    grant: bool,
    by: str,
    reason: str = "",
    content_sha256: str | None = None,
    dry_run: bool = False,
) -> Decided:
    """Allows or denies, on behalf of `by`. The author of what is asked for may not answer, and a rule may name who may.

    `content_sha256` is what the person has seen; another content is not decided. Raises `NotFound` for an unknown
    request, `UsageError` for one that is over, for someone who may not answer, for a digest that is another one, and
    `CommandConflict` where it was decided otherwise meanwhile.
    """
    if not by.strip() or len(by) > _TEXT_MAX or len(reason) > _TEXT_MAX:
        raise UsageError("NAME_INVALID", "The name is empty, or name or reason are too long.", "Use --as NAME.")
    request = find(trail, approval_id)
    approval, verb = request.approval, "granted" if grant else "denied"
    if approval.status == verb and approval.decided_by == by:
        return Decided(request=request, event_id=None, is_repeat=True)
    if request.status != "open":
        by_whom = f" by {approval.decided_by}" if approval.decided_by else ""
        raise UsageError(
            "APPROVAL_OVER",
            f"The request {approval_id} is {request.status}{by_whom}.",
            "`esaa approvals` lists what waits; the next run asks again where it still needs to.",
        )
    rule = None if rules is None else rules.runtime.approvals.rule(approval.approval_type or "")
    fault = fault_of_decider(approval, rule, by)
    if fault is not None:
        raise UsageError("APPROVER_INVALID", f"{by} may not answer {approval_id}: {fault}.", "Let someone else answer.")
    if content_sha256 is not None and content_sha256 != approval.content_sha256:
        raise UsageError(
            "APPROVAL_CONTENT_DIFFERS",
            f"{approval_id} is about {approval.content_sha256 or 'no content'}, not about {content_sha256[:64]}.",
            "Look at it again with `esaa approvals --show`.",
        )
    if dry_run:
        return Decided(request=request, event_id=None, is_dry_run=True)
    fact = _fact(request, grant=grant, by=by, reason=reason)
    issue_key = None if request.stream == GLOBAL else request.stream
    event_id = str(uuid.uuid5(_DECISIONS, f"{request.stream}\n{approval_id}"))
    with TrailRecorder(trail, actor=Actor(type="user", id=by), issue_key=issue_key, is_async=False) as recorder:
        try:
            recorder.record(type(fact).__name__, msgspec.to_builtins(fact), issue_key=issue_key, event_id=event_id)
        except CommandConflict as error:
            raise CommandConflict(
                "APPROVAL_DECIDED_OTHERWISE",
                f"The request {approval_id} was decided otherwise meanwhile.",
                "`esaa approvals --all` shows how.",
            ) from error
    return Decided(request=find(trail, approval_id), event_id=event_id)


def content_of(workspace: Workspace, request: Request) -> bytes | None:
    """The answer that a request is about; None where this machine does not have it."""
    kept = (one.result for one in workspace.answers.all())
    return next((result for result in kept if sha256_hex(result) == request.approval.content_sha256), None)


def find(trail: Trail, approval_id: str) -> Request:
    """One request by its name. Raises `NotFound`."""
    for request in requests(trail, everything=True):
        if request.approval_id == approval_id:
            return request
    raise NotFound(
        "APPROVAL_NOT_FOUND", f"There is no request {approval_id[:80]!r}.", "`esaa approvals` lists what waits."
    )


def _fact(request: Request, *, grant: bool, by: str, reason: str) -> ApprovalGranted | ApprovalDenied:
    approval = request.approval
    subject, task_id = approval.subject or msgspec.UNSET, approval.task_id or msgspec.UNSET
    digest, why = approval.content_sha256 or msgspec.UNSET, reason or msgspec.UNSET
    if grant:
        return ApprovalGranted(
            approval_id=request.approval_id,
            granted_by=by,
            subject=subject,
            reason=why,
            scope="once",
            task_id=task_id,
            content_sha256=digest,
        )
    return ApprovalDenied(
        approval_id=request.approval_id,
        denied_by=by,
        subject=subject,
        reason=why,
        task_id=task_id,
        content_sha256=digest,
    )
