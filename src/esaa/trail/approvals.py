"""Approvals of answers: their names, what they are bound to, and who may give them. Pure."""

from __future__ import annotations

from datetime import datetime

from esaa.contracts.approvals import ApprovalRule
from esaa.contracts.swarm import MONITOR, ORCHESTRATOR
from esaa.kernel.canonical import sha256_hex
from esaa.trail.intake import parse_time
from esaa.trail.state_values import Approval


def approval_id(task_id: str, action: str, content_sha256: str, number: int) -> str:
    """The name of a request: the same for the same content, and another one each time that it is asked for."""
    return "AP-" + sha256_hex(f"{task_id}\n{action}\n{content_sha256}\n{number}".encode())[:10]


def is_expired(approval: Approval, now: datetime) -> bool:
    """True for an open request of which the time is over. One without an end never expires."""
    end = None if approval.expires_at is None else parse_time(approval.expires_at)
    return approval.status == "open" and end is not None and now >= end


def fault_of_decider(approval: Approval, rule: ApprovalRule | None, name: str) -> str | None:
    """Why this person may not answer this request, or None. The author of what is to be allowed never may."""
    if name == approval.requested_by:
        return f"{name} is the author of what is to be allowed"
    if name in (ORCHESTRATOR, MONITOR):
        return f"{name} is no person"
    if rule is not None and rule.approvers and name not in rule.approvers:
        return f"the rule {rule.name!r} names {', '.join(rule.approvers)}"
    return None


def allows(approval: Approval | None, rule: ApprovalRule | None, content_sha256: str) -> bool:
    """True where this very content was allowed, by someone who may. The trail has many writers: it is asked again."""
    return (
        approval is not None
        and approval.status == "granted"
        and approval.content_sha256 == content_sha256
        and approval.decided_by is not None
        and fault_of_decider(approval, rule, approval.decided_by) is None
    )
