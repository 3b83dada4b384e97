"""The one road on which commands become history: receipts, repeats, dry runs, snapshots and folds."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from esaa.config import Config
from esaa.errors import CommandConflict, NotFound, UsageError
from esaa.open import find_root, open_workspace
from esaa.protocol.commands import CreateTask, RejectOutput, ResolveIssue
from esaa.protocol.evolve import evolve
from esaa.protocol.roadmap import projection_hash
from esaa.runtime.clock import ManualClock, log_time
from esaa.runtime.workspace import Workspace
from tests.crash.disks import CountingDisk
from tests.workspaces import (
    MORNING,
    NO_COOLDOWN,
    actions,
    actions_of,
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
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project"


@pytest.fixture
def workspace(root: Path) -> Workspace:
    return make_workspace(root, [new_task("T-1", outputs=["src/a.txt"]), new_task("T-2")], edits=NO_COOLDOWN)


# Receipts


def test_receipt_holds_the_events_that_the_log_holds(workspace: Workspace, root: Path) -> None:
    receipt = submit(workspace, "agent-impl", result("claim", "T-1"))
    assert actions_of(receipt) == ["claim", "orchestrator.view.mutate", "verify.start", "verify.ok"]
    stored = log_lines(root)[-4:]
    assert [event["event_id"] for event in stored] == [event.event_id for event in receipt.events]
    assert stored[1]["causation_id"] == stored[0]["event_id"]
    assert stored[3]["causation_id"] == stored[2]["event_id"]


def test_decided_contents_are_durable_before_the_decision_and_published_after_it(root: Path) -> None:
    make_workspace(root, [new_task("T-1")])
    disk = CountingDisk()
    workspace = reopen(root, disk=disk)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    done = len(disk.steps)
    receipt = submit(workspace, "agent-impl", result("complete", "T-1", files={"src/a.txt": "a\n", "src/b.txt": "b\n"}))
    assert receipt.rejected is None
    steps = disk.steps[done:]
    decided = steps.index("fdatasync")
    blobs = [at for at, name in enumerate(steps) if name.startswith("rename") and len(name) > 60]
    assert len(blobs) == 2
    for at in blobs:
        assert steps[at - 1] == "fsync"
        assert steps[at + 1 : at + 3] == [f"sync {steps[at][7:9]}", "sync blobs"]
        assert at + 2 < decided
    assert decided < steps.index("rename a.txt") < steps.index("rename b.txt") < steps.index("rename roadmap.json")


def test_repeated_command_gets_its_first_receipt_and_does_nothing_again(workspace: Workspace, root: Path) -> None:
    first = submit(workspace, "agent-impl", result("claim", "T-1"), "c-1")
    size = len(log_bytes(root))
    for again in (workspace, reopen(root)):
        repeat = submit(again, "agent-impl", result("claim", "T-1"), "c-1")
        assert repeat.is_repeat
        assert repeat.rejected is None
        assert list(repeat.events) == [event for event in first.events if event.command_id is not None]
        assert actions_of(repeat) == ["claim", "orchestrator.view.mutate"]
    assert len(log_bytes(root)) == size


def test_repeat_of_a_refused_command_is_refused_again(workspace: Workspace, root: Path) -> None:
    submit(workspace, "agent-impl", result("claim", "T-1"))
    first = submit(workspace, "agent-impl", result("complete", "T-1", files={".git/x": "no"}), "c-1")
    assert first.rejected is not None
    repeat = submit(reopen(root), "agent-impl", result("complete", "T-1", files={".git/x": "no"}), "c-1")
    assert repeat.is_repeat
    assert repeat.rejected == first.rejected
    assert repeat.events == first.events
    assert actions(root).count("output.rejected") == 1


def test_repeat_of_a_persons_refusal_is_no_refusal_of_the_person(workspace: Workspace, root: Path) -> None:
    submit(workspace, "agent-impl", result("claim", "T-1"))
    command = RejectOutput(task_id="T-1", actor="agent-impl", error_code="AGENT_FAILED", message="it wrote past us")
    assert workspace.commit(command, "c-1").rejected is None
    repeat = workspace.commit(command, "c-1")
    assert (repeat.is_repeat, repeat.rejected) == (True, None)
    assert actions(root).count("output.rejected") == 1


def test_repeat_tells_the_warnings_again(workspace: Workspace) -> None:
    submit(workspace, "agent-impl", result("claim", "T-2"))
    done = result("complete", "T-2", verification={"checks": ["code works"]})
    first = submit(workspace, "agent-impl", done, "c-1")
    assert first.warnings
    assert submit(workspace, "agent-impl", done, "c-1").warnings == first.warnings


def test_other_command_under_a_used_id_is_a_conflict(workspace: Workspace, root: Path) -> None:
    submit(workspace, "agent-impl", result("claim", "T-1"), "c-1")
    size = len(log_bytes(root))
    others: list[Callable[[], object]] = [
        lambda: submit(workspace, "agent-impl", result("claim", "T-2"), "c-1"),
        lambda: submit(workspace, "agent-qa", result("claim", "T-1"), "c-1"),
        lambda: workspace.commit(CreateTask(task_id="T-9", task_kind="impl", title="x"), "c-1"),
        lambda: workspace.commit(ResolveIssue(issue_id="ISS-1"), "c-1"),
    ]
    for other in others:
        with pytest.raises(CommandConflict) as caught:
            other()
        assert caught.value.exit_code == 6
    assert len(log_bytes(root)) == size


def test_receipts_are_kept_for_the_current_run(workspace: Workspace, root: Path) -> None:
    create = CreateTask(task_id="T-9", task_kind="impl", title="x")
    workspace.commit(create, "c-1")
    assert asyncio.run(run(workspace)).outcome == "success"
    assert workspace.commit(create, "c-1").is_repeat, "a run that ended is the current one until the next begins"
    workspace.commit(CreateTask(task_id="T-10", task_kind="impl", title="x"), "c-2")
    again = workspace.commit(create, "c-1")
    assert again.rejected is not None
    assert again.rejected.error_code == "DUPLICATE_TASK"
    assert workspace.commit(CreateTask(task_id="T-10", task_kind="impl", title="x"), "c-2").is_repeat


def test_dry_run_decides_and_leaves_no_trace(workspace: Workspace, root: Path) -> None:
    with workspace.writing():
        pass
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != "lock"}
    command = CreateTask(task_id="T-9", task_kind="impl", title="x")
    receipt = workspace.commit(command, dry_run=True)
    assert receipt.is_dry_run
    assert actions_of(receipt) == ["task.create", "orchestrator.view.mutate"]
    refused = workspace.commit(CreateTask(task_id="T-1", task_kind="impl", title="x"), dry_run=True)
    assert refused.rejected is not None
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != "lock"} == before


def test_administration_that_is_refused_is_no_event(workspace: Workspace, root: Path) -> None:
    size = len(log_bytes(root))
    receipt = workspace.commit(ResolveIssue(issue_id="ISS-404"))
    assert receipt.rejected is not None
    assert receipt.events == ()
    assert len(log_bytes(root)) == size


# What the disk holds against the decision


def test_file_that_changed_between_decision_and_publication_is_told_and_kept(
    workspace: Workspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(workspace, "agent-impl", result("claim", "T-1"))
    append = workspace.log.append

    def appending(*arguments: object, **options: object) -> object:
        events = append(*arguments, **options)  # type: ignore[arg-type]  # passed on as it came
        (root / "src").mkdir(exist_ok=True)
        (root / "src" / "a.txt").write_bytes(b"mine!")
        return events

    monkeypatch.setattr(workspace.log, "append", appending)
    receipt = submit(workspace, "agent-impl", result("complete", "T-1", files={"src/a.txt": "theirs"}))
    assert receipt.rejected is None
    assert len(receipt.notices) == 1
    assert "changed by someone else" in receipt.notices[0]
    assert (root / "src" / "a.txt").read_bytes() == b"mine!"


@pytest.mark.parametrize("kind", ["link", "hard link", "directory", "fifo"])
def test_result_that_would_write_over_what_is_no_plain_file_is_refused(
    workspace: Workspace, root: Path, kind: str
) -> None:
    (root / "src").mkdir()
    (root / "precious").write_bytes(b"precious")
    path = root / "src" / "a.txt"
    match kind:
        case "link":
            path.symlink_to(root / "precious")
        case "hard link":
            os.link(root / "precious", path)
        case "directory":
            path.mkdir()
        case _:
            os.mkfifo(path)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    receipt = submit(workspace, "agent-impl", result("complete", "T-1", files={"src/a.txt": "new"}))
    assert receipt.rejected is not None
    assert receipt.rejected.error_code == "PATH_INVALID"
    assert (root / "precious").read_bytes() == b"precious"
    path.rmdir() if kind == "directory" else path.unlink()
    assert_sound(root)


# Snapshots and folds


def rich_workspace(root: Path) -> None:
    """A workspace with all sorts of state, and a snapshot in the middle of its log."""
    edits = {**NO_COOLDOWN, "STORAGE_POLICY.yaml": [("every_events: 256", "every_events: 7")]}
    plan = [new_task(f"T-{number}", outputs=[f"src/{number}.txt"]) for number in range(1, 6)]
    workspace = make_workspace(root, plan, edits=edits)
    submit(workspace, "agent-impl", result("claim", "T-1"), "c-1")
    submit(workspace, "agent-impl", result("complete", "T-1", files={"src/1.txt": "é 1e-05 ünï\n"}))
    submit(workspace, "agent-qa", result("review", "T-1"))
    submit(workspace, "agent-impl", result("claim", "T-2"))
    submit(workspace, "agent-impl", result("complete", "T-2", files={".git/x": "no"}))
    submit(workspace, "agent-qa", issue("T-1", "ISS-1", "medium", fixes="T-1", affected={"z": 1.5, "a": [None, {}]}))
    submit(workspace, "stranger", result("claim", "T-3"))
    submit(workspace, "agent-impl", result("claim", "T-3"))


def test_state_from_a_snapshot_is_the_state_of_the_whole_fold(root: Path, tmp_path: Path) -> None:
    rich_workspace(root)
    quick = reopen(root)
    quick.state()
    assert 0 < quick.log.snapshot_place.version < quick.state().seq, "a snapshot and a tail behind it are in use"
    slow = open_workspace(root, Config(config_dir=str(tmp_path / "another")), clock=ManualClock(MORNING))
    slow.state()
    assert slow.log.snapshot_place.version == 0, "a snapshot of another key is not trusted"
    assert quick.read_models() == slow.read_models()
    assert projection_hash(quick.state()) == projection_hash(slow.state())
    assert quick.state().header == slow.state().header
    assert list(quick.state().tasks) == list(slow.state().tasks)
    for name, data in quick.read_models().items():
        assert (root / ".roadmap" / name).read_bytes() == data


def test_every_decision_after_a_snapshot_is_the_one_without(root: Path, tmp_path: Path) -> None:
    rich_workspace(root)
    shutil.copytree(root, tmp_path / "other")
    (tmp_path / "other" / ".roadmap" / ".esaa" / "state.snapshot").unlink()
    for one in (root, tmp_path / "other"):
        workspace = reopen(one)
        submit(workspace, "agent-impl", result("complete", "T-2", files={"src/2.txt": "2"}))
        submit(workspace, "agent-impl", result("claim", "T-1"), "c-1")
        asyncio.run(run(workspace))
    assert log_bytes(root) == log_bytes(tmp_path / "other")
    assert_sound(root)


def test_snapshot_that_does_not_fit_the_log_is_ignored(root: Path, tmp_path: Path) -> None:
    rich_workspace(root)
    make_workspace(tmp_path / "other", [new_task("T-1")])
    shutil.copy(root / ".roadmap/.esaa/state.snapshot", tmp_path / "other/.roadmap/.esaa/state.snapshot")
    stranger = reopen(tmp_path / "other")
    assert [task.task_id for task in stranger.state().tasks] == ["T-1"]
    assert stranger.state().seq == 2
    assert stranger.log.snapshot_place.version == 0


def test_command_after_a_snapshot_reads_only_the_tail(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rich_workspace(root)
    workspace = reopen(root)
    folded: list[int] = []

    def counting(state: object, recorded: object) -> object:
        folded.append(1)
        return evolve(state, recorded)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr("esaa.runtime.folded_log.evolve", counting)
    seq = workspace.state().seq
    assert len(folded) < 7 < seq


# Opening


def test_root_is_found_from_below_and_told_where_it_is_not(workspace: Workspace, root: Path, tmp_path: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    assert find_root(root / "a" / "b") == root
    with pytest.raises(NotFound, match="esaa init"):
        find_root(tmp_path)
    (tmp_path / ".roadmap").mkdir()
    with pytest.raises(NotFound, match=r"activity\.jsonl"):
        open_workspace(tmp_path, Config(config_dir=str(tmp_path / "config")))


def test_legacy_log_is_read_and_not_written(workspace: Workspace, root: Path) -> None:
    line = b'{"event_id":"EV-00000001","event_seq":1,"ts":"2026-01-05T09:00:00-03:00","actor":"orchestrator"'
    line += b',"action":"run.init","data":{"run_id":"RUN-1"}}\n'
    (root / ".roadmap" / "activity.jsonl").write_bytes(line)
    again = reopen(root)
    assert again.state().header.run.run_id == "RUN-1"
    with pytest.raises(UsageError) as caught:
        again.commit(CreateTask(task_id="T-1", task_kind="impl", title="x"))
    assert caught.value.code == "LOG_READ_ONLY"
    assert log_bytes(root) == line


def test_time_of_the_log_never_goes_back() -> None:
    assert log_time(MORNING, "") == "2026-01-05T09:00:00Z"
    assert log_time(MORNING, "2026-01-05T08:59:59Z") == "2026-01-05T09:00:00Z"
    assert log_time(MORNING, "2026-01-05T10:00:00Z") == "2026-01-05T10:00:00Z"


def test_rejections_of_strangers_and_of_actors_are_recorded_alike_by_every_entrance(
    workspace: Workspace, root: Path
) -> None:
    assert submit(workspace, "agent-qa", result("complete", "T-1")).rejected is not None
    assert submit(workspace, "agent-impl", b"not json at all").rejected is not None
    codes = [one["error_code"] for one in payloads(root, "output.rejected")]
    assert codes == ["MISSING_CLAIM", "JSON_INVALID"]
    assert [one["counts"] for one in payloads(root, "output.rejected")] == [False, False]
