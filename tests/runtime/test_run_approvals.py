"""Approvals in a run: asked for once, bound to the content, given by someone else, and committed without a new call."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from esaa.agents.base import Dispatch, Usage
from esaa.agents.scripted import ScriptedAgent, obedient
from esaa.errors import CommandConflict, NotFound, UsageError
from esaa.kernel.canonical import canonical, sha256_hex
from esaa.runtime.clock import ManualClock
from esaa.runtime.operations.approvals import Request, content_of, decide, requests
from esaa.runtime.trail.recorder import TrailRecorder
from tests.operations import PaidAgent, governed, told, trail_of, work
from tests.workspaces import MORNING, actions, assert_sound, new_task, payloads, reopen, result

PAGE = new_task("T-1", outputs=["src/page.html"])
POLICY = """
approvals:
  rules:
    - {name: source, paths: ["src/**"], risk: high, approvers: [ada, bob, agent-impl], expires: PT8H}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project"


def waiting(root: Path, clock: ManualClock | None = None) -> Request:
    """The one request that is open."""
    [request] = requests(trail_of(reopen(root, clock=clock)))
    return request


def answer(
    root: Path, *, grant: bool = True, by: str = "ada", reason: str = "", clock: ManualClock | None = None
) -> None:
    """Answers the open request."""
    workspace = reopen(root, clock=clock)
    request = waiting(root, clock)
    decide(trail_of(workspace), workspace.rules, request.approval_id, grant=grant, by=by, reason=reason)


def test_answer_waits_for_a_person_and_is_committed_without_a_new_call(root: Path) -> None:
    agent = PaidAgent()
    report = asyncio.run(work(governed(root, POLICY, [PAGE]), agent))
    request = waiting(root)
    assert report.outcome == "waiting"
    assert request.approval_id in report.message
    assert agent.asked == [("T-1", "claim"), ("T-1", "complete")]
    assert "complete" not in actions(root)
    assert not (root / "src" / "page.html").exists()
    assert (request.approval.risk, request.approval.requested_by) == ("high", "agent-impl")
    assert "complete T-1 (attempt 1), writes 1 file: src/page.html" in str(request.approval.subject)
    content = content_of(reopen(root), request)
    assert content is not None
    assert sha256_hex(content) == request.approval.content_sha256
    answer(root)
    report = asyncio.run(work(reopen(root), agent))
    assert report.outcome == "success"
    assert agent.asked == [("T-1", "claim"), ("T-1", "complete"), ("T-1", "review")]
    assert [one["type"] for one in told(root, "Approval")] == ["ApprovalRequested", "ApprovalGranted"]
    assert told(root, "ApprovalGranted")[0]["content_sha256"] == request.approval.content_sha256
    assert told(root, "ApprovalGranted")[0]["actor"] == {"type": "user", "id": "ada"}
    assert_sound(root)


def test_run_that_begins_again_asks_neither_the_agent_nor_the_person_twice(root: Path) -> None:
    agent = PaidAgent()
    asyncio.run(work(governed(root, POLICY, [PAGE]), agent))
    for _ in range(2):
        assert asyncio.run(work(reopen(root), agent)).outcome == "waiting"
    assert agent.asked == [("T-1", "claim"), ("T-1", "complete")]
    assert [one["type"] for one in told(root, "Approval")] == ["ApprovalRequested"]


def test_approval_late_in_the_attempt_costs_no_attempt(root: Path) -> None:
    agent, clock = PaidAgent(), ManualClock(MORNING)
    asyncio.run(work(governed(root, POLICY, [PAGE], clock), agent))
    clock.advance(timedelta(hours=6).total_seconds())
    answer(root, clock=clock)
    report = asyncio.run(work(reopen(root, clock=clock), agent))
    assert (report.outcome, report.rejections) == ("success", ())


def test_denied_answer_is_rejected_with_the_reason_and_the_agent_does_better(root: Path) -> None:
    def learns(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        rejection = context["last_rejection"]
        if dispatch.order.action == "complete" and rejection is not None:
            assert "it drops the index" in rejection["message"]
            return result("complete", "T-1", files={"src/page.html": "better\n"})
        return obedient(dispatch, context)

    agent = PaidAgent(script=learns)
    asyncio.run(work(governed(root, POLICY, [PAGE]), agent))
    answer(root, grant=False, reason="it drops the index")
    report = asyncio.run(work(reopen(root), agent))
    assert [one["error_code"] for one in payloads(root, "output.rejected")] == ["APPROVAL_DENIED"]
    assert report.outcome == "waiting", "the better answer is another content, and needs its own approval"
    answer(root, by="bob")
    assert asyncio.run(work(reopen(root), agent)).outcome == "success"
    assert (root / "src" / "page.html").read_text() == "better\n"
    assert_sound(root)


def test_denied_content_is_refused_again_without_asking_a_person(root: Path) -> None:
    agent = PaidAgent()
    asyncio.run(work(governed(root, POLICY, [PAGE]), agent))
    answer(root, grant=False, reason="no")
    report = asyncio.run(work(reopen(root), agent))
    assert report.outcome == "failed"
    assert {one["error_code"] for one in payloads(root, "output.rejected")} == {"APPROVAL_DENIED"}
    assert [one["type"] for one in told(root, "Approval")] == ["ApprovalRequested", "ApprovalDenied"]


def test_request_expires_and_the_next_run_asks_for_it_anew(root: Path) -> None:
    agent, clock = PaidAgent(), ManualClock(MORNING)
    asyncio.run(work(governed(root, POLICY, [PAGE], clock), agent))
    first = waiting(root)
    clock.advance(timedelta(hours=9).total_seconds())
    workspace = reopen(root, clock=clock)
    with pytest.raises(UsageError, match="is expired"):
        decide(trail_of(workspace), workspace.rules, first.approval_id, grant=True, by="ada")
    report = asyncio.run(work(workspace, agent))
    assert (report.outcome, len(agent.asked)) == ("waiting", 2)
    assert "expired" in report.message
    asyncio.run(work(reopen(root, clock=clock), agent))
    second = waiting(root, clock)
    assert second.approval_id != first.approval_id
    assert second.approval.content_sha256 == first.approval.content_sha256
    assert len(agent.asked) == 2
    answer(root, clock=clock)
    assert asyncio.run(work(reopen(root, clock=clock), agent)).outcome == "success"
    assert [one["type"] for one in told(root, "Approval")] == [
        "ApprovalRequested",
        "ApprovalExpired",
        "ApprovalRequested",
        "ApprovalGranted",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [("agent-impl", "author"), ("eve", "names ada, bob"), ("orchestrator", "no person"), (" ", "empty")],
)
def test_who_may_not_answer_is_told_why(root: Path, name: str, said: str) -> None:
    workspace = governed(root, POLICY, [PAGE])
    asyncio.run(work(workspace, PaidAgent()))
    with pytest.raises(UsageError, match=said):
        answer(root, by=name)
    assert told(root, "ApprovalGranted") == []


def test_grant_that_someone_else_wrote_into_the_trail_counts_for_nothing(root: Path) -> None:
    agent = PaidAgent()
    asyncio.run(work(governed(root, POLICY, [PAGE]), agent))
    request = waiting(root)
    with TrailRecorder(trail_of(reopen(root)), actor={"type": "agent", "id": "agent-impl"}) as recorder:
        recorder.record("ApprovalGranted", {"approval_id": request.approval_id, "granted_by": "agent-impl"})
    report = asyncio.run(work(reopen(root), agent))
    assert report.outcome == "waiting"
    assert "complete" not in actions(root)
    assert waiting(root).approval_id != request.approval_id, "it is asked for again, under another name"


def test_request_is_decided_once(root: Path) -> None:
    workspace = governed(root, POLICY, [PAGE])
    asyncio.run(work(workspace, PaidAgent()))
    request = waiting(root)
    trail = trail_of(workspace)
    first = decide(trail, workspace.rules, request.approval_id, grant=True, by="ada")
    assert first.event_id is not None
    assert decide(trail, workspace.rules, request.approval_id, grant=True, by="ada").is_repeat
    with pytest.raises(UsageError, match="is granted by ada"):
        decide(trail, workspace.rules, request.approval_id, grant=False, by="bob")
    # As two who answer at the same moment: both have seen it open.
    stale = TrailRecorder(trail, actor={"type": "user", "id": "bob"})
    with pytest.raises(CommandConflict):
        stale.record(
            "ApprovalDenied", {"approval_id": request.approval_id, "denied_by": "bob"}, event_id=first.event_id
        )


def test_what_does_not_exist_or_is_another_content_is_not_decided(root: Path) -> None:
    workspace = governed(root, POLICY, [PAGE])
    asyncio.run(work(workspace, PaidAgent()))
    trail, request = trail_of(workspace), waiting(root)
    with pytest.raises(NotFound):
        decide(trail, workspace.rules, "AP-none", grant=True, by="ada")
    with pytest.raises(UsageError, match="is about"):
        decide(trail, workspace.rules, request.approval_id, grant=True, by="ada", content_sha256="ab" * 32)
    assert decide(trail, workspace.rules, request.approval_id, grant=True, by="ada", dry_run=True).event_id is None
    assert told(root, "ApprovalGranted") == []


def test_nobody_is_asked_about_what_the_rules_refuse(root: Path) -> None:
    def outside(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        if dispatch.order.action == "complete":
            return result("complete", "T-1", files={"src/page.html": "x", "docs/qa/other.md": "x"})
        return obedient(dispatch, context)

    report = asyncio.run(work(governed(root, POLICY, [PAGE]), PaidAgent(script=outside)))
    assert report.outcome == "failed"
    assert told(root, "Approval") == []
    assert {one["error_code"] for one in payloads(root, "output.rejected")} == {"BOUNDARY_VIOLATION"}


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ("{name: r}", True),
        ("{name: r, actions: [claim]}", False),
        ("{name: r, task_kinds: [impl]}", True),
        ("{name: r, task_kinds: [qa, spec]}", False),
        ("{name: r, hotfix: true}", False),
        ("{name: r, hotfix: false}", True),
        ("{name: r, paths: ['SRC/PAGE.html']}", True),
        ("{name: r, paths: ['src/db/**']}", False),
        ("{name: r, cost_over_micro_usd: 99}", True),
        ("{name: r, cost_over_micro_usd: 100}", False),
    ],
)
def test_rule_fits_by_kind_path_and_cost(root: Path, rule: str, fits: bool) -> None:
    text = f"approvals:\n  rules:\n    - {rule}\n"
    workspace = governed(root, text, [PAGE])
    asyncio.run(work(workspace, PaidAgent(Usage(cost_micro_usd=100))))
    asked = [one for one in told(root, "ApprovalRequested") if ": complete T-1" in one["subject"]]
    assert bool(asked) is fits


def test_others_go_on_meanwhile(root: Path) -> None:
    tasks = [PAGE, new_task("T-2", "spec", outputs=["docs/spec/other.md"])]
    report = asyncio.run(work(governed(root, POLICY, tasks), PaidAgent(), parallel=2))
    assert report.outcome == "waiting"
    done = [one for one in reopen(root).state().tasks.by_status.items() if one[0] == "done"]
    assert done == [("done", 1)]


def test_answer_of_an_agent_that_costs_nothing_can_be_looked_at_too(root: Path) -> None:
    agent = ScriptedAgent()
    asyncio.run(work(governed(root, POLICY, [PAGE]), agent))
    content = content_of(reopen(root), waiting(root))
    assert content is not None
    assert b"src/page.html" in content
    answer(root)
    assert asyncio.run(work(reopen(root), agent)).outcome == "success"


def test_other_content_under_the_same_request_needs_its_own(root: Path) -> None:
    versions = iter(["one\n", "two\n"])

    def fickle(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        if dispatch.order.action == "complete":
            return result("complete", "T-1", files={"src/page.html": next(versions)})
        return canonical(obedient(dispatch, context))

    agent = ScriptedAgent(fickle)
    asyncio.run(work(governed(root, POLICY, [PAGE]), agent))
    answer(root)
    shutil.rmtree(root / ".roadmap" / ".esaa" / "answers")  # it is disposable; the agent is asked again
    assert asyncio.run(work(reopen(root), agent)).outcome == "waiting"
    assert "complete" not in actions(root)
