"""Answers that a person has to allow: asked for, kept meanwhile, committed or refused when the person has spoken."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from esaa.agents.base import Usage
from esaa.contracts.approvals import ApprovalPolicy, ApprovalRule
from esaa.kernel.decider import Rejected
from esaa.protocol.intentions import AgentResult
from esaa.protocol.paths import covered_folded
from esaa.protocol.rejections import reject
from esaa.protocol.scheduling import Order
from esaa.protocol.task_table import Task
from esaa.runtime.operations.gate import Held
from esaa.runtime.operations.spending import Tell
from esaa.runtime.workspace import Workspace
from esaa.trail.approvals import allows, approval_id, is_expired
from esaa.trail.facts.approvals import ApprovalExpired, ApprovalRequested
from esaa.trail.facts.wording import counted
from esaa.trail.intake import trail_time
from esaa.trail.state_values import Approval

_SUBJECT_FILES = 5


class Approving:
    """The approvals of one run. `approvals_of` gives what a stream of the trail knows now, by id.

    The answers themselves lie where every answer lies until it is settled; here is only what they wait for.
    """

    def __init__(
        self,
        workspace: Workspace,
        policy: ApprovalPolicy,
        tell: Tell,
        approvals_of: Callable[[str], Mapping[str, Approval]],
        *,
        stream: str,
    ) -> None:
        self._workspace = workspace
        self._policy = policy
        self._tell = tell
        self._approvals_of = approvals_of
        self._stream = stream
        self._waiting: dict[tuple[str, str], str] = {}
        self._expired: dict[tuple[str, str], str] = {}

    def hold(self, order: Order) -> Held | None:
        """Whether the order's answer waits for a person. One that was allowed or denied may be given again."""
        place = (order.task_id, order.action)
        expired = self._expired.get(place)
        if expired is not None:
            return Held(task_id=order.task_id, reason=f"{expired} expired without an answer; the next run asks again")
        name = self._waiting.get(place)
        approval = None if name is None else self._approvals_of(self._stream).get(name)
        if name is None or approval is None or approval.status in ("denied", "granted"):
            self._waiting.pop(place, None)
            return None
        if is_expired(approval, self._workspace.clock.now()):
            self._expire(order, name, approval)
            return self.hold(order)
        return _waiting(order, name)

    def judge(
        self, order: Order, usage: Usage, result: AgentResult, would_pass: Callable[[], bool]
    ) -> Held | Rejected | None:
        """None where no rule fits, or where a person has allowed this very content; else it is asked for."""
        task = self._workspace.state().task(order.task_id)
        rule = None if task is None else self._rule_for(usage, result, task)
        if rule is None:
            return None
        digest, number = result.result_sha256, 0
        known = self._approvals_of(self._stream)
        name = approval_id(order.task_id, order.action, digest, number)
        while name in known and (known[name].status == "expired" or _is_void(known[name], rule, digest)):
            number += 1
            name = approval_id(order.task_id, order.action, digest, number)
        approval = known.get(name)
        if allows(approval, rule, digest):
            return None
        if approval is not None and approval.status == "denied":
            reason = f": {approval.reason}" if approval.reason else "."
            return reject(
                "APPROVAL_DENIED",
                f"{approval.decided_by} does not allow what was delivered{reason}",
                "Deliver something else, which answers this reason.",
            )
        if approval is None:
            if not would_pass():
                return None
            self._tell(self._stream, [self._request(order, result, rule, name)])
        self._waiting[order.task_id, order.action] = name
        return _waiting(order, name)

    def _request(self, order: Order, result: AgentResult, rule: ApprovalRule, name: str) -> ApprovalRequested:
        files = [update.path for update in result.updates]
        shown = ", ".join(files[:_SUBJECT_FILES]) + (" ..." if len(files) > _SUBJECT_FILES else "")
        writes = f", writes {counted(len(files), 'file')}: {shown}" if files else ""
        return ApprovalRequested(
            approval_id=name,
            subject=f"{order.actor}: {order.action} {order.task_id} (attempt {order.attempt}){writes}",
            approval_type=rule.name,
            requested_by=order.actor,
            agent_name=order.actor,
            approvers=rule.approvers or msgspec.UNSET,
            risk=rule.risk,
            expires_at=trail_time(self._workspace.clock.now() + rule.expires),
            task_id=order.task_id,
            content_sha256=result.result_sha256,
        )

    def _rule_for(self, usage: Usage, result: AgentResult, task: Task) -> ApprovalRule | None:
        paths = [update.path for update in result.updates]
        cost = usage.cost_micro_usd or 0

        def fits(rule: ApprovalRule) -> bool:
            return (
                result.intention.action in rule.actions
                and (not rule.task_kinds or task.task_kind in rule.task_kinds)
                and (rule.hotfix is None or rule.hotfix == (task.is_hotfix is True))
                and (not rule.paths or any(covered_folded(path, rule.paths) for path in paths))
                and (rule.cost_over_micro_usd is None or cost > rule.cost_over_micro_usd)
            )

        return next((rule for rule in self._policy.rules if fits(rule)), None)

    def _expire(self, order: Order, name: str, approval: Approval) -> None:
        self._expired[order.task_id, order.action] = name
        expired = ApprovalExpired(
            approval_id=name,
            subject=approval.subject or msgspec.UNSET,
            requested_by=approval.requested_by or msgspec.UNSET,
            agent_name=order.actor,
            expired_at=approval.expires_at or msgspec.UNSET,
            task_id=order.task_id,
            content_sha256=approval.content_sha256 or msgspec.UNSET,
        )
        self._tell(self._stream, [expired])


def _is_void(approval: Approval, rule: ApprovalRule, digest: str) -> bool:
    """A grant by someone who may not give it, or for another content: it is asked for again, under another name."""
    return approval.status == "granted" and not allows(approval, rule, digest)


def _waiting(order: Order, name: str) -> Held:
    text = f"{name} waits for a person: `esaa approve {name} --as NAME`, or `esaa deny`"
    return Held(task_id=order.task_id, reason=text)
