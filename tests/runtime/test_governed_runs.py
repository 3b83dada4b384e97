"""The loop of a governed run, on a clock that stands still: how it begins, goes on, waits, halts and ends."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from esaa.agents.base import Answer, Dispatch
from esaa.agents.cassette import CassetteAgent, RecordingAgent
from esaa.agents.scripted import Script, ScriptedAgent, obedient
from esaa.errors import AgentCrashed, AgentError, AgentTimedOut, Halted, ProjectionMismatch, UsageError
from esaa.kernel.canonical import canonical
from esaa.protocol.commands import CreateTask, ResolveIssue
from esaa.runtime.clock import ManualClock
from esaa.runtime.orchestrator import Orchestrator
from esaa.stores.disk import Disk
from tests.workspaces import (
    MORNING,
    NO_COOLDOWN,
    Watcher,
    actions,
    assert_sound,
    issue,
    log_bytes,
    log_lines,
    make_workspace,
    new_task,
    payloads,
    reopen,
    result,
    run,
    submit,
    verdict,
)

PAGE = new_task("T-1", outputs=["src/page.html"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project"


def disobedient(times: int) -> Script:
    """A script whose first `times` deliveries leave the boundary."""
    given: Counter[str] = Counter()

    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        order = dispatch.order
        if order.action == "complete":
            given[order.task_id] += 1
            if given[order.task_id] <= times:
                return result("complete", order.task_id, files={".roadmap/activity.jsonl": "mine"})
        return obedient(dispatch, context)

    return script


# Success


def test_run_leads_every_task_to_done_and_proves_it(root: Path) -> None:
    plan = [
        new_task("T-1", "spec", outputs=["docs/spec/page.md"]),
        new_task("T-2", outputs=["src/page.html"], after=["T-1"]),
        new_task("T-3", "qa", outputs=["docs/qa/page.md"], after=["T-2"]),
    ]
    watcher = Watcher()
    report = asyncio.run(run(make_workspace(root, plan), watcher=watcher))
    assert (report.outcome, report.results, report.rejections, report.waiting) == ("success", 9, (), ())
    assert [(order.actor, order.action, order.task_id) for order in watcher.orders] == [
        ("agent-spec", "claim", "T-1"),
        ("agent-spec", "complete", "T-1"),
        ("agent-qa", "review", "T-1"),
        ("agent-impl", "claim", "T-2"),
        ("agent-impl", "complete", "T-2"),
        ("agent-qa", "review", "T-2"),
        ("agent-qa", "claim", "T-3"),
        ("agent-qa", "complete", "T-3"),
        ("agent-spec", "review", "T-3"),
    ]
    assert actions(root)[-3:] == ["verify.start", "verify.ok", "run.end"]
    assert payloads(root, "run.end") == [{"status": "success"}]
    assert_sound(root)


def test_run_on_an_empty_plan_waits_for_a_task(root: Path) -> None:
    report = asyncio.run(run(make_workspace(root)))
    assert report.outcome == "waiting"
    assert "esaa task create" in report.message


def test_actor_without_an_agent_is_waited_for(root: Path) -> None:
    workspace = make_workspace(root, [PAGE])
    report = asyncio.run(
        Orchestrator(workspace, lambda actor: None, Watcher()).run(run_id=None, parallel=1, steps=None)
    )
    assert (report.outcome, report.results) == ("waiting", 0)
    assert "agent-impl must act on T-1" in report.message
    assert "run.end" not in actions(root)


def test_run_pauses_after_the_asked_number_of_results_and_goes_on_later(root: Path) -> None:
    workspace = make_workspace(root, [PAGE])
    report = asyncio.run(run(workspace, steps=2))
    assert (report.outcome, report.results) == ("paused", 2)
    report = asyncio.run(run(reopen(root), steps=1))
    assert report.outcome in ("paused", "success")
    report = asyncio.run(run(reopen(root)))
    assert report.outcome == "success"
    assert actions(root).count("run.start") == 1
    assert_sound(root)


def test_open_run_goes_on_under_its_own_id_alone(root: Path) -> None:
    workspace = make_workspace(root, [PAGE])
    with pytest.raises(UsageError, match="RUN-0001 is open"):
        asyncio.run(run(workspace, run_id="RUN-0007"))
    assert asyncio.run(run(workspace, run_id="RUN-0001")).outcome == "success"
    workspace.commit(CreateTask(task_id="T-2", task_kind="impl", title="Later"))
    assert actions(root)[-3:-1] != ["run.end", "task.create"], "what follows a run.end begins with a run.start"
    assert asyncio.run(run(workspace)).run_id == "RUN-0002"
    assert_sound(root)


# Rejection


def test_rejected_result_is_told_to_the_agent_which_does_better(root: Path) -> None:
    shown: list[Any] = []

    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        if dispatch.order.action == "complete":
            shown.append(context["last_rejection"])
        return disobeying(dispatch, context)

    disobeying = disobedient(1)
    report = asyncio.run(run(make_workspace(root, [PAGE]), script))
    assert report.outcome == "success"
    assert [(order.attempt, rejected.error_code) for order, rejected in report.rejections] == [
        (1, "BOUNDARY_VIOLATION")
    ]
    assert shown[0] is None
    assert shown[1]["error_code"] == "BOUNDARY_VIOLATION"
    assert shown[1]["hint"]
    (refusal,) = payloads(root, "output.rejected")
    assert (refusal["task_id"], refusal["rejected_actor"], refusal["counts"]) == ("T-1", "agent-impl", True)
    assert b"mine" not in log_bytes(root)
    assert_sound(root)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"Here is what you asked for.", "JSON_INVALID"),
        (b"", "JSON_INVALID"),
        (b"\xff\xfe", "JSON_INVALID"),
        (b'{"activity_event":{"action":"run.end","task_id":"T-1"}}', "UNKNOWN_ACTION"),
        (b'{"activity_event":{"action":"claim","task_id":"T-2"}}', "WRONG_TASK"),
        (b'{"activity_event":{"action":"claim","task_id":"T-9"}}', "TASK_NOT_FOUND"),
        (b'{"activity_event":{"action":"claim","task_id":"T-1","actor":"orchestrator"}}', "SCHEMA_INVALID"),
    ],
)
def test_whatever_an_agent_says_is_refused_as_an_event_and_never_an_error(root: Path, answer: bytes, code: str) -> None:
    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        is_first = dispatch.order.action == "claim" and dispatch.order.attempt == 1
        return answer if is_first and dispatch.order.task_id == "T-1" else obedient(dispatch, context)

    report = asyncio.run(run(make_workspace(root, [PAGE, new_task("T-2", outputs=["src/b.txt"])]), script))
    assert report.outcome == "success"
    assert [(one["error_code"], one["task_id"]) for one in payloads(root, "output.rejected")] == [(code, "T-1")]
    assert_sound(root)


def test_agent_that_crashed_costs_an_attempt_and_is_asked_again(root: Path) -> None:
    failures = iter([AgentCrashed("AGENT_CRASHED", "exit code 1"), AgentCrashed("OUTPUT_TOO_LARGE", "too much")])

    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        return obedient(dispatch, context)

    report = asyncio.run(run(make_workspace(root, [PAGE]), script))
    assert report.outcome == "success"
    codes = [(one["error_code"], one["counts"]) for one in payloads(root, "output.rejected")]
    assert codes == [("AGENT_FAILED", True), ("RESOURCE_LIMIT_EXCEEDED", True)]


def test_agent_that_cannot_be_asked_ends_the_run_and_leaves_the_workspace_whole(root: Path, tmp_path: Path) -> None:
    workspace = make_workspace(root, [PAGE])
    with pytest.raises(AgentError, match=r"T-1\.claim\.1\.json"):
        asyncio.run(run(workspace, CassetteAgent(tmp_path)))
    with reopen(root).writing():
        assert_sound(root)
    assert "output.rejected" not in actions(root)
    assert asyncio.run(run(reopen(root))).outcome == "success"


def test_three_rejections_raise_an_issue_that_blocks_the_task_until_it_is_resolved(root: Path) -> None:
    workspace = make_workspace(root, [PAGE, new_task("T-2", outputs=["src/b.txt"])])
    report = asyncio.run(run(workspace, disobedient(3)))
    assert report.outcome == "failed"
    assert "ISS-ATTEMPTS-T-1" in report.message
    assert len(payloads(root, "output.rejected")) == 6
    reports = {one["issue_id"]: one for one in payloads(root, "issue.report")}
    assert reports.keys() == {"ISS-ATTEMPTS-T-1", "ISS-ATTEMPTS-T-2"}
    assert {one["severity"] for one in reports.values()} == {"high"}
    assert {event["actor"] for event in log_lines(root) if event["action"] == "issue.report"} == {"runtime-monitor"}
    assert [end["status"] for end in payloads(root, "run.end")] == ["failed"]
    assert_sound(root)

    refused = submit(workspace, "agent-impl", result("complete", "T-1", files={"src/page.html": "x"})).rejected
    assert refused is not None
    assert refused.error_code == "TASK_BLOCKED"
    assert asyncio.run(run(reopen(root))).outcome == "failed", "the block outlives the process"

    for issue_id in reports:
        assert workspace.commit(ResolveIssue(issue_id=issue_id)).rejected is None
    watcher = Watcher()
    assert asyncio.run(run(workspace, disobedient(2), watcher=watcher)).outcome == "success", "the attempts count anew"
    assert len(payloads(root, "issue.report")) == 2
    assert_sound(root)


def test_other_tasks_go_on_while_one_is_blocked(root: Path) -> None:
    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        return disobeying(dispatch, context) if dispatch.order.task_id == "T-1" else obedient(dispatch, context)

    disobeying = disobedient(3)
    report = asyncio.run(run(make_workspace(root, [PAGE, new_task("T-2", outputs=["src/b.txt"])]), script))
    assert report.outcome == "failed"
    state = reopen(root).state()
    assert [task.status for task in state.tasks] == ["in_progress", "done"]


# Time


def test_cooldown_is_waited_for_on_the_clock(root: Path) -> None:
    clock = ManualClock(MORNING)
    watcher = Watcher()
    report = asyncio.run(run(make_workspace(root, [PAGE], clock=clock), disobedient(1), watcher=watcher))
    assert report.outcome == "success"
    assert clock.now() - MORNING == timedelta(minutes=2)
    assert watcher.sayings == ["waiting 120 s for the cooldown"]
    stamps = {event["action"]: event["ts"] for event in log_lines(root)}
    assert stamps["output.rejected"] == "2026-01-05T09:00:00Z"
    assert stamps["complete"] == "2026-01-05T09:02:00Z"


def test_cooldown_of_one_task_is_used_for_the_others(root: Path) -> None:
    clock = ManualClock(MORNING)
    watcher = Watcher()

    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        return disobeying(dispatch, context) if dispatch.order.task_id == "T-1" else obedient(dispatch, context)

    disobeying = disobedient(1)
    plan = [PAGE, new_task("T-2", outputs=["src/b.txt"])]
    asyncio.run(run(make_workspace(root, plan, clock=clock), script, watcher=watcher))
    tasks = [order.task_id for order in watcher.orders]
    assert tasks == ["T-1", "T-1", "T-2", "T-2", "T-2", "T-1", "T-1"]


def test_cooldown_counts_in_every_entrance(root: Path) -> None:
    clock = ManualClock(MORNING)
    workspace = make_workspace(root, [PAGE], clock=clock)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    submit(workspace, "agent-impl", result("complete", "T-1", files={".git/x": "no"}))
    clock.advance(119)
    good = result("complete", "T-1", files={"src/page.html": "x"})
    refused = submit(reopen(root, clock=clock), "agent-impl", good).rejected
    assert refused is not None
    assert refused.error_code == "COOLDOWN_ACTIVE"
    clock.advance(1)
    assert submit(workspace, "agent-impl", good).rejected is None


def test_attempt_that_timed_out_is_recorded_and_its_owner_is_asked_again(root: Path) -> None:
    clock = ManualClock(MORNING)
    asked: list[tuple[int, float]] = []

    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        if dispatch.order.action != "complete":
            return obedient(dispatch, context)
        asked.append((dispatch.order.attempt, dispatch.timeout_s))
        if len(asked) == 1:
            clock.advance(1800)
            raise AgentTimedOut("AGENT_TIMED_OUT", "no answer within 1800 s")
        return obedient(dispatch, context)

    report = asyncio.run(run(make_workspace(root, [PAGE], clock=clock), script))
    assert report.outcome == "success"
    (refusal,) = payloads(root, "output.rejected")
    assert (refusal["error_code"], refusal["counts"], refusal["source_action"]) == ("ATTEMPT_TIMEOUT", True, "complete")
    # The second attempt began when the first was refused; the cooldown is part of its time.
    assert asked == [(1, 1800.0), (2, 1680.0)]
    assert reopen(root).state().tasks.get("T-1").assigned_to == "agent-impl"  # type: ignore[union-attr]
    assert_sound(root)


def test_answer_that_comes_too_late_is_a_timeout(root: Path) -> None:
    clock = ManualClock(MORNING)

    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        if dispatch.order.action == "complete" and dispatch.order.attempt == 1:
            clock.advance(1801)
        return obedient(dispatch, context)

    report = asyncio.run(run(make_workspace(root, [PAGE], clock=clock), script))
    assert report.outcome == "success"
    assert [one["error_code"] for one in payloads(root, "output.rejected")] == ["ATTEMPT_TIMEOUT"]


def test_attempt_that_ended_while_nobody_ran_is_a_timeout_and_not_asked(root: Path) -> None:
    clock = ManualClock(MORNING)
    workspace = make_workspace(root, [PAGE], clock=clock)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    clock.advance(3600)
    watcher = Watcher()
    report = asyncio.run(run(reopen(root, clock=clock), watcher=watcher))
    assert report.outcome == "success"
    assert [one["error_code"] for one in payloads(root, "output.rejected")] == ["ATTEMPT_TIMEOUT"]


def test_three_timeouts_raise_the_issue_too(root: Path) -> None:
    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        raise AgentTimedOut("AGENT_TIMED_OUT", "no answer")

    report = asyncio.run(run(make_workspace(root, [PAGE]), script))
    assert report.outcome == "failed"
    assert [one["error_code"] for one in payloads(root, "output.rejected")] == ["ATTEMPT_TIMEOUT"] * 3
    assert [one["issue_id"] for one in payloads(root, "issue.report")] == ["ISS-ATTEMPTS-T-1"]


def test_clock_that_jumps_back_is_clamped(root: Path) -> None:
    clock = ManualClock(MORNING)

    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        clock.advance({"claim": 60, "complete": -86_400, "review": 30}[dispatch.order.action])
        return obedient(dispatch, context)

    report = asyncio.run(run(make_workspace(root, [PAGE], clock=clock), script))
    assert report.outcome == "success"
    stamps = [event["ts"] for event in log_lines(root)]
    assert stamps == sorted(stamps)
    assert stamps[-1] == "2026-01-05T09:01:00Z"
    assert_sound(root)


# Halting


def test_critical_issue_halts_the_run_and_forbids_the_next_until_it_is_resolved(root: Path) -> None:
    def script(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        if dispatch.order.action == "complete" and not context["issues"] and dispatch.order.task_id == "T-1":
            return issue("T-1", "ISS-1", "critical") if dispatch.order.attempt == 1 else obedient(dispatch, context)
        return obedient(dispatch, context)

    workspace = make_workspace(root, [PAGE, new_task("T-2", outputs=["src/b.txt"])])
    report = asyncio.run(run(workspace, script))
    assert report.outcome == "halted"
    assert "ISS-1" in report.message
    assert [end["status"] for end in payloads(root, "run.end")] == ["halted"]
    assert_sound(root)

    size = len(log_bytes(root))
    for again in (workspace, reopen(root)):
        with pytest.raises(Halted, match="ISS-1 halts the pipeline") as caught:
            asyncio.run(run(again))
        assert "esaa issue resolve ISS-1" in caught.value.hint
    assert len(log_bytes(root)) == size, "a run that may not begin leaves no trace"

    workspace.commit(ResolveIssue(issue_id="ISS-1"))
    assert asyncio.run(run(reopen(root), script)).outcome == "success"
    starts = [one["run_id"] for one in payloads(root, "run.start")]
    assert starts == ["RUN-0001", "RUN-0002"]
    assert_sound(root)


def test_results_that_are_in_flight_when_the_run_halts_are_not_taken(root: Path) -> None:
    taken: list[str] = []

    class Slow:
        async def answer(self, dispatch: Dispatch) -> Answer:
            order = dispatch.order
            if order.action == "claim":
                return Answer(result=result("claim", order.task_id))
            if order.task_id == "T-1":
                return Answer(result=issue("T-1", "ISS-1", "critical"))
            await asyncio.Event().wait()
            taken.append(order.task_id)
            return Answer(result=result("complete", order.task_id))

    plan = [PAGE, new_task("T-2", outputs=["src/b.txt"]), new_task("T-3", outputs=["src/c.txt"])]
    report = asyncio.run(run(make_workspace(root, plan), Slow(), parallel=3))
    assert report.outcome == "halted"
    assert taken == []
    assert actions(root)[-1] == "run.end"
    assert_sound(root)


# Deadlock


def deadlocked(root: Path, tasks: dict[str, list[str]]) -> None:
    """A log of another writer, with tasks that wait for what will never be."""
    make_workspace(root, [])
    first = json.loads(log_bytes(root))
    lines = [canonical(first)]
    for seq, (task_id, after) in enumerate(tasks.items(), start=2):
        payload = {"task_id": task_id, "task_kind": "impl", "title": task_id, "depends_on": after}
        event = first | {"event_seq": seq, "event_id": f"EV-{seq:08d}", "action": "task.create", "payload": payload}
        lines.append(canonical(event))
    (root / ".roadmap" / "activity.jsonl").write_bytes(b"\n".join(lines) + b"\n")


@pytest.mark.parametrize(
    "tasks",
    [
        {"T-1": ["T-404"], "T-2": ["T-1"], "T-3": ["T-2", "T-1"]},
        {"T-1": ["T-3"], "T-2": ["T-1"], "T-3": ["T-2"]},
        {"T-1": ["T-1"]},
    ],
    ids=["unknown", "circular", "itself"],
)
def test_deadlock_is_reported_once_with_all_its_tasks(root: Path, tasks: dict[str, list[str]]) -> None:
    deadlocked(root, tasks)
    for _ in range(3):
        report = asyncio.run(run(reopen(root)))
        assert (report.outcome, report.results) == ("failed", 0)
    (told,) = payloads(root, "issue.report")
    assert (told["issue_id"], told["severity"], told["task_id"]) == ("ISS-DEADLOCK-T-1", "high", "T-1")
    symptom = told["evidence"]["symptom"]
    assert all(f"{name} waits for {', '.join(after)}" in symptom for name, after in tasks.items())
    found = verdict(root)
    assert found.verify_status == "ok", found.findings


# Read models


@pytest.mark.parametrize("name", ["roadmap.json", "issues.json", "lessons.json"])
@pytest.mark.parametrize("change", ["edited", "removed"])
def test_read_model_that_was_changed_by_hand_is_recorded_and_written_again(root: Path, name: str, change: str) -> None:
    workspace = make_workspace(root, [PAGE])
    asyncio.run(run(workspace, steps=1))
    path = root / ".roadmap" / name
    before = path.read_bytes()
    if change == "edited":
        path.write_bytes(before.replace(b"{", b"{ ", 1))
    else:
        path.unlink()
    assert verdict(root).verify_status == "mismatch"
    watcher = Watcher()
    assert asyncio.run(run(workspace, watcher=watcher)).outcome == "success"
    (failed,) = payloads(root, "verify.fail")
    assert failed["verify_status"] == "mismatch"
    assert name in failed["message"]
    assert failed["found_sha256"] != failed["expected_sha256"]
    assert watcher.sayings == [f"{name} had been changed by hand; projected again from the log"]
    assert_sound(root)


def test_read_model_that_was_touched_and_not_changed_is_no_mismatch(root: Path) -> None:
    workspace = make_workspace(root, [PAGE])
    asyncio.run(run(workspace, steps=1))
    path = root / ".roadmap" / "roadmap.json"
    path.write_bytes(path.read_bytes())
    asyncio.run(run(workspace))
    assert "verify.fail" not in actions(root)


def test_read_model_that_another_program_keeps_changing_halts_the_run(root: Path) -> None:
    class Meddling(Disk):
        def rename(
            self, source: str, target: str, *, source_dir: int | None = None, target_dir: int | None = None
        ) -> None:
            super().rename(source, target, source_dir=source_dir, target_dir=target_dir)
            if target.endswith("roadmap.json") and self.is_on:
                Path(target).write_bytes(b"{}\n")

        is_on = False

    disk = Meddling()
    workspace = make_workspace(root, [PAGE], disk=disk)
    asyncio.run(run(workspace, steps=2))
    workspace = reopen(root, disk=disk)
    disk.is_on = True
    with pytest.raises(ProjectionMismatch) as caught:
        asyncio.run(run(workspace))
    assert caught.value.exit_code == 3
    assert payloads(root, "verify.fail")
    assert [end["status"] for end in payloads(root, "run.end")][-1:] == ["halted"]


# Determinism


def test_same_inputs_give_the_same_log(tmp_path: Path) -> None:
    logs = []
    for name in ("one", "two"):
        plan = [PAGE, new_task("T-2", "qa", outputs=["docs/qa/r.md"], after=["T-1"])]
        asyncio.run(run(make_workspace(tmp_path / name, plan), disobedient(2), parallel=4))
        logs.append(log_bytes(tmp_path / name))
    assert logs[0] == logs[1]
    assert (tmp_path / "one/.roadmap/roadmap.json").read_bytes() == (
        tmp_path / "two/.roadmap/roadmap.json"
    ).read_bytes()


def test_recorded_run_plays_back_to_the_same_log(tmp_path: Path) -> None:
    plan = [
        PAGE,
        new_task("T-2", outputs=["src/b.txt"]),
        new_task("T-3", "qa", outputs=["docs/qa/r.md"], after=["T-1"]),
    ]
    recorder = RecordingAgent(ScriptedAgent(disobedient(2)), tmp_path / "tapes")
    first = asyncio.run(run(make_workspace(tmp_path / "one", plan), recorder, parallel=2))
    second = asyncio.run(run(make_workspace(tmp_path / "two", plan), CassetteAgent(tmp_path / "tapes"), parallel=2))
    assert first.outcome == second.outcome == "success"
    assert len(first.rejections) == 6
    assert log_bytes(tmp_path / "one") == log_bytes(tmp_path / "two")
    assert len(list((tmp_path / "tapes").iterdir())) == first.results
    assert_sound(tmp_path / "two")


def test_log_that_was_made_without_a_cooldown_needs_no_time(root: Path) -> None:
    clock = ManualClock(MORNING)
    report = asyncio.run(run(make_workspace(root, [PAGE], edits=NO_COOLDOWN, clock=clock), disobedient(2)))
    assert report.outcome == "success"
    assert clock.now() == MORNING
