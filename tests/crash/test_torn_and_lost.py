"""A log cut at any byte of its last batch, and disposable files that are lost: what recovery makes of it."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import msgspec
import pytest

from esaa.errors import CorruptLog
from esaa.kernel.canonical import canonical, sha256_hex
from esaa.protocol.commands import ResolveIssue
from esaa.runtime.clock import ManualClock
from esaa.runtime.workspace import Workspace
from esaa.stores.secrets import state_key
from tests.crash.disks import CountingDisk, DeadlyDisk, FailingDisk, Killed
from tests.crash.stories import begin, go_on
from tests.workspaces import (
    MORNING,
    NO_COOLDOWN,
    actions,
    assert_sound,
    log_bytes,
    log_lines,
    make_workspace,
    new_task,
    reopen,
    result,
    submit,
    verdict,
)


class LastBatch(msgspec.Struct):
    """A workspace that died before the append of a batch, and the batch."""

    root: Path
    data: bytes

    def cut(self, root: Path, size: int) -> None:
        """A copy of the workspace in which `size` bytes of the batch were written."""
        shutil.copytree(self.root, root)
        with (root / ".roadmap" / "activity.jsonl").open("ab") as file:
            file.write(self.data[:size])

    def borders(self) -> list[int]:
        """Where its lines end."""
        return [at + 1 for at, byte in enumerate(self.data) if byte == 0x0A]


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LastBatch]:
    """Each batch of a whole run, by its actions."""
    folder = tmp_path_factory.mktemp("batches")
    begin(folder / "start")
    disk = CountingDisk()
    play(folder / "start", folder / "whole", disk)
    found: dict[str, LastBatch] = {}
    log = log_bytes(folder / "whole")
    for step in [number for number, name in enumerate(disk.steps, start=1) if name == "fdatasync"]:
        root = folder / str(step)
        with pytest.raises(Killed):
            play(folder / "start", root, DeadlyDisk(step - 1, "before"))
        with pytest.raises(Killed):
            play(folder / "start", folder / "after", DeadlyDisk(step, "before"))
        size = len(log_bytes(root))
        data = log[size : len(log_bytes(folder / "after"))]
        shutil.rmtree(folder / "after")
        names = " ".join(json.loads(line)["action"] for line in data.splitlines())
        found.setdefault(names.replace("orchestrator.", ""), LastBatch(root, data))
    return found


def play(start: Path, root: Path, disk: CountingDisk) -> None:
    shutil.copytree(start, root)
    state_key(root.parent / "config")
    asyncio.run(go_on(reopen(root, clock=ManualClock(MORNING), disk=disk)))


def mended(root: Path) -> list[str]:
    with reopen(root, disk=CountingDisk()).writing() as notices:
        assert_sound(root)
        return list(notices)


FILES = "complete file.write file.write view.mutate"
BATCHES = [FILES, "claim view.mutate", "output.rejected", "verify.start verify.ok", "run.end"]
BATCHES += ["issue.report hotfix.create view.mutate view.mutate", "review issue.resolve view.mutate view.mutate"]


def test_batches_are_those_of_the_run(batches: dict[str, LastBatch]) -> None:
    assert set(BATCHES) <= batches.keys()


def test_log_cut_at_every_byte_of_its_last_batch_is_mended(batches: dict[str, LastBatch], tmp_path: Path) -> None:
    batch = batches[FILES]
    closed = len(batch.data)
    before = log_bytes(batch.root)
    for size in range(closed + 1):
        root = tmp_path / "cut"
        batch.cut(root, size)
        # The log is looked at after every cut, the rest of the workspace after those that may differ.
        is_looked_at = size % 20 == 0 or any(abs(size - at) < 3 for at in batch.borders())
        codes = {finding.code for finding in verdict(root).findings} if is_looked_at else None
        with reopen(root, disk=CountingDisk()).writing() as notices:
            pass
        if is_looked_at:
            assert_sound(root)
        after = log_bytes(root)
        if size == 0:
            assert after == before
        elif size == closed:
            assert after == before + batch.data
            assert codes is not None
            assert {"FILE_DIFFERS"} <= codes <= {"FILE_DIFFERS", "READ_MODEL_DIFFERS"}
            assert (root / "src" / "a.txt").read_bytes() == b"wrong\n"
        else:
            assert after.startswith(before), size
            assert codes is None or {"TORN_TAIL", "UNCLOSED_BATCH"} & codes, size
            assert not (root / "src" / "a.txt").exists(), "an unfinished decision has no effect (INV-002)"
            repairs = [json.loads(line) for line in after[len(before) :].splitlines()]
            assert len(repairs) == len(notices) >= 1
            removed = b""
            for event in reversed(repairs):
                assert (event["actor"], event["action"]) == ("orchestrator", "orchestrator.view.mutate")
                assert event["payload"]["target"] == "log"
                detail = event["payload"]["detail"]
                copy = (root / detail["quarantine"]).read_bytes()
                assert sha256_hex(copy) == detail["sha256"]
                removed += copy
            assert removed == batch.data[:size], "nothing is lost"
        shutil.rmtree(root)


@pytest.mark.parametrize("name", BATCHES)
def test_log_cut_between_lines_or_beside_is_mended_and_the_run_goes_on(
    batches: dict[str, LastBatch], tmp_path: Path, name: str
) -> None:
    batch = batches[name]
    before = log_bytes(batch.root)
    sizes = {0, 1, len(batch.data)} | {at + offset for at in batch.borders() for offset in (-2, -1, 0, 1)}
    for size in sorted(size for size in sizes if 0 <= size <= len(batch.data)):
        root = tmp_path / str(size)
        batch.cut(root, size)
        mended(root)
        assert log_bytes(root).startswith(before)
        assert asyncio.run(go_on(reopen(root, disk=CountingDisk()))).outcome == "success"
        assert_sound(root)


@pytest.mark.parametrize("name", BATCHES)
def test_batch_with_a_hole_of_zeros_was_never_acknowledged_and_goes_to_quarantine(
    batches: dict[str, LastBatch], tmp_path: Path, name: str
) -> None:
    # The pages of one append reach the disk in any order; what did not reach it reads as zeros.
    batch = batches[name]
    size = len(batch.data)
    spans = [(0, size // 2), (size // 2, size - 1), (size // 3, size // 2), (0, size), (size - 3, size)]
    for start, end in spans:
        root = tmp_path / f"{start}-{end}"
        batch.cut(root, 0)
        with (root / ".roadmap" / "activity.jsonl").open("ab") as file:
            file.write(batch.data[:start] + bytes(end - start) + batch.data[end:])
        notices = mended(root)
        assert any("quarantine" in notice for notice in notices)
        assert log_bytes(root).startswith(log_bytes(batch.root))
        assert not (root / "src" / "a.txt").exists() or name != FILES
        assert asyncio.run(go_on(reopen(root, disk=CountingDisk()))).outcome == "success"
        assert_sound(root)


def test_hole_in_what_this_machine_has_seen_is_damage_and_is_never_cut(
    batches: dict[str, LastBatch], tmp_path: Path
) -> None:
    root = tmp_path / "project"
    batches[FILES].cut(root, 0)
    assert_never_cut(root, -1)


def test_hole_that_many_batches_follow_is_damage_and_is_never_cut(tmp_path: Path) -> None:
    root = tmp_path / "project"
    asyncio.run(go_on(begin(root)))
    shutil.rmtree(root / ".roadmap" / ".esaa")
    assert_never_cut(root, 8)


def assert_never_cut(root: Path, line: int) -> None:
    path = root / ".roadmap" / "activity.jsonl"
    lines = log_bytes(root).splitlines(keepends=True)
    lines[line] = bytes(100) + lines[line][100:]
    path.write_bytes(b"".join(lines))
    (root / ".roadmap" / ".esaa" / "state.snapshot").unlink(missing_ok=True)
    with pytest.raises(CorruptLog) as caught, reopen(root).writing():
        pass
    assert caught.value.exit_code == 4
    assert path.read_bytes() == b"".join(lines)


def test_reader_sees_a_torn_tail_and_leaves_it(batches: dict[str, LastBatch], tmp_path: Path) -> None:
    root = tmp_path / "cut"
    batches[FILES].cut(root, 100)
    data = log_bytes(root)
    assert verdict(root).findings[0].code == "TORN_TAIL"
    with pytest.raises(Exception, match="torn line"):
        reopen(root).state()
    assert log_bytes(root) == data


def test_repair_that_is_killed_at_any_step_is_done_again(batches: dict[str, LastBatch], tmp_path: Path) -> None:
    batch = batches[FILES]
    size = batch.borders()[1] + 10
    for step in range(1, 100):
        root = tmp_path / str(step)
        batch.cut(root, size)
        disk = DeadlyDisk(step, "before")
        try:
            with reopen(root, disk=disk).writing():
                pass
        except Killed:
            mended(root)
            assert not (root / "src" / "a.txt").exists()
            copies = b"".join(path.read_bytes() for path in sorted((root / ".roadmap" / "snapshots").glob("*.jsonl")))
            assert len(copies) == size
            assert log_bytes(root).startswith(log_bytes(batch.root))
        else:
            assert step > 20
            return
    raise AssertionError("the repair never came to its end")


# Lost and restored files


def decided_and_not_published(batches: dict[str, LastBatch], root: Path) -> None:
    batches[FILES].cut(root, len(batches[FILES].data))
    assert not (root / "src").exists()


@pytest.mark.parametrize("lost", ["cursors.json", "state.snapshot", "."])
def test_files_are_published_though_what_is_disposable_was_lost(
    batches: dict[str, LastBatch], tmp_path: Path, lost: str
) -> None:
    root = tmp_path / "project"
    decided_and_not_published(batches, root)
    path = root / ".roadmap" / ".esaa" / lost
    shutil.rmtree(path) if lost == "." else path.unlink()
    mended(root)
    assert (root / "src" / "a.txt").read_bytes() == b"wrong\n"
    assert asyncio.run(go_on(reopen(root))).outcome == "success"
    assert_sound(root)


def test_read_model_that_a_power_cut_emptied_is_projected_again_and_nobody_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    asyncio.run(go_on(begin(root)))
    before = log_bytes(root)
    (root / ".roadmap" / "roadmap.json").write_bytes(b"")
    monkeypatch.setattr("esaa.stores.views.boot_name", lambda: "the next start of the machine")
    with reopen(root).writing() as notices:
        assert notices == []
    assert log_bytes(root) == before
    assert_sound(root)
    # In one and the same time it was a hand.
    (root / ".roadmap" / "roadmap.json").write_bytes(b"")
    with reopen(root).writing() as notices:
        assert any("changed by hand" in notice for notice in notices)
    assert actions(root)[-1] == "verify.fail"


def test_batch_of_a_killed_process_is_made_durable_before_anything_rests_on_it(
    batches: dict[str, LastBatch], tmp_path: Path
) -> None:
    root = tmp_path / "project"
    decided_and_not_published(batches, root)
    state_key(tmp_path / "config")
    disk = CountingDisk()
    with reopen(root, disk=disk).writing():
        pass
    assert disk.steps[:2] == ["fdatasync", "sync .roadmap"]
    assert "rename a.txt" in disk.steps


def test_file_that_someone_made_meanwhile_is_told_once_and_left_alone(
    batches: dict[str, LastBatch], tmp_path: Path
) -> None:
    root = tmp_path / "project"
    decided_and_not_published(batches, root)
    (root / "src").mkdir()
    (root / "src" / "a.txt").write_bytes(b"mine!")
    with reopen(root).writing() as notices:
        assert len([notice for notice in notices if "`src/a.txt` was changed by someone else" in notice]) == 1
    assert (root / "src" / "a.txt").read_bytes() == b"mine!"
    assert (root / "src" / "deep" / "b.txt").exists()
    assert [finding.code for finding in verdict(root).findings] == ["FILE_DIFFERS"]
    with reopen(root).writing() as notices:
        assert notices == []


def test_file_that_a_person_removed_later_stays_removed_when_the_cursors_are_lost(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = begin(root)
    asyncio.run(go_on(workspace))
    (root / "src" / "a.txt").unlink()
    shutil.rmtree(root / ".roadmap" / ".esaa")
    with reopen(root).writing() as notices:
        assert notices == []
    assert not (root / "src" / "a.txt").exists()


def test_damage_before_the_tail_halts_with_a_copy_and_nothing_is_written(tmp_path: Path) -> None:
    root = tmp_path / "project"
    asyncio.run(go_on(begin(root)))
    path = root / ".roadmap" / "activity.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[7] = lines[7].replace(b"T-1", b"T-9")
    damaged = b"".join(lines)
    path.write_bytes(damaged)
    shutil.rmtree(root / ".roadmap" / ".esaa")
    workspace = reopen(root)
    for _ in range(2):
        with pytest.raises(CorruptLog, match="line 8") as caught:
            submit(workspace, "agent-impl", result("claim", "T-1"))
        assert caught.value.exit_code == 4
        (copy,) = (root / ".roadmap" / "snapshots").glob("*.jsonl")
        assert copy.read_bytes() == damaged
        assert copy.name in caught.value.hint
        assert path.read_bytes() == damaged


def test_damage_is_told_though_the_copy_cannot_be_made(tmp_path: Path) -> None:
    root = tmp_path / "project"
    make_workspace(root, [new_task("T-1"), new_task("T-2")])
    path = root / ".roadmap" / "activity.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"T-1"', b'"T-9"'))
    with pytest.raises(CorruptLog) as caught:
        submit(reopen(root, disk=FailingDisk(1, 28)), "agent-impl", result("claim", "T-1"))
    assert caught.value.exit_code == 4
    assert "no copy could be made" in caught.value.hint


def test_reader_that_saw_a_batch_which_was_taken_back_folds_anew(batches: dict[str, LastBatch], tmp_path: Path) -> None:
    batch = batches[FILES]
    for lines in (1, 2, 3):
        root = tmp_path / str(lines)
        batch.cut(root, batch.borders()[lines - 1])
        reader = reopen(root)
        seen = reader.state()
        assert seen.task("T-1") is not None
        assert seen.header.last_seq == len(log_lines(root))
        mended(root)
        assert reader.state().seq == len(log_lines(root))
        assert reader.read_models() == reopen(root).read_models()
        receipt = submit(reader, "agent-impl", result("complete", "T-1"))
        assert receipt.rejected is None
        assert_sound(root)


def test_last_refusal_that_was_cut_off_from_its_issue_leaves_a_task_that_can_be_freed(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = make_workspace(root, [new_task("T-1")], edits=NO_COOLDOWN)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    refuse(workspace)
    refuse(workspace)
    shutil.copytree(root, tmp_path / "cut")
    refuse(workspace)
    assert actions(root)[-3:] == ["output.rejected", "issue.report", "orchestrator.view.mutate"]
    lines = log_bytes(root).splitlines(keepends=True)
    (tmp_path / "cut" / ".roadmap" / "activity.jsonl").write_bytes(b"".join(lines[:-2]))
    again = reopen(tmp_path / "cut")
    with again.writing():
        pass
    receipt = submit(again, "agent-impl", result("complete", "T-1", files={".git/x": "no"}))
    assert receipt.rejected is not None
    assert receipt.rejected.error_code == "MAX_ATTEMPTS_EXCEEDED"
    assert again.commit(ResolveIssue(issue_id="ISS-ATTEMPTS-T-1")).rejected is None


def refuse(workspace: Workspace) -> None:
    receipt = submit(workspace, "agent-impl", result("complete", "T-1", files={".git/x": "no"}))
    assert receipt.rejected is not None
    assert receipt.rejected.error_code == "BOUNDARY_VIOLATION"


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\n\r\n"])
def test_log_of_another_writer_is_opened_again_and_again_however_it_ends(tmp_path: Path, end: bytes) -> None:
    root = tmp_path / "project"
    make_workspace(root, [new_task("T-1")])
    path = root / ".roadmap" / "activity.jsonl"
    theirs = log_lines(root)
    for event in theirs:
        event.pop("prev_hash", None)
    path.write_bytes(b"\n".join(canonical(event) for event in theirs) + end)
    for _ in range(2):
        with reopen(root).writing() as notices:
            assert notices == []
    assert submit(reopen(root), "agent-impl", result("claim", "T-1")).rejected is None
    with reopen(root).writing() as notices:
        assert notices == []
    found = verdict(root)
    assert found.verify_status == "ok", found.findings
