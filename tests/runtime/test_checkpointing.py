"""Checkpoints: when they are made, that they are true, and that nothing is signed which was not signed before."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import shutil
from pathlib import Path

import pytest

from esaa.config import Config
from esaa.errors import CorruptLog, EsaaError
from esaa.kernel.checkpoint import checkpoint_of, parse_note, signed_by
from esaa.open import open_checkpoints
from esaa.runtime.doctor import repair
from esaa.stores.checkpoints import CheckpointStore
from esaa.stores.disk import Disk
from esaa.stores.keys import KeyStore, verify_ed25519
from esaa.stores.seen_heads import SeenHead, SeenHeads
from tests.crash.disks import CountingDisk, DeadlyDisk, Death, FailingDisk, Killed
from tests.signed import (
    codes,
    config_dir,
    judged,
    key_of,
    latest,
    rewritten,
    root_of_lines,
    signed_workspace,
)
from tests.workspaces import NO_COOLDOWN, Edits, log_bytes, log_lines, make_workspace, new_task, reopen, run

EVERY_FIVE: Edits = {
    "RUNTIME_POLICY.yaml": [
        ("cadence: adaptive", "cadence: run_end"),
        ("unknown_actors:", "checkpoints:\n  every_events: 5\nunknown_actors:"),
    ]
}


def kept(root: Path) -> list[int]:
    return CheckpointStore(latest(root).parent, Disk()).kept()


def test_a_verified_head_is_signed(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = signed_workspace(root, [new_task("T-1")])
    assert not latest(root).exists(), "there is nothing to sign before something is verified"
    workspace.verify_now()
    note = parse_note(latest(root).read_bytes())
    found = checkpoint_of(note)
    lines = log_bytes(root).splitlines()
    assert (found.size, found.root) == (len(lines), root_of_lines(lines))
    assert found.origin == (root / ".roadmap" / "origin").read_text().strip()
    assert signed_by(note, key_of(root).verifier, verify_ed25519) is not None
    assert kept(root) == [], "what is signed in passing is not kept"
    verdict = judged(root)
    assert verdict.findings == ()
    assert (verdict.trust.answer, verdict.trust.signed_through) == ("VALID-UNANCHORED", len(lines))
    assert verdict.trust.unanchored_tail == len(lines)


def test_the_end_of_a_run_is_signed_and_kept(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = signed_workspace(root, [new_task("T-1"), new_task("T-2", "spec")], edits=NO_COOLDOWN)
    asyncio.run(run(workspace))
    size = len(log_bytes(root).splitlines())
    assert kept(root) == [size]
    assert judged(root).trust.signed_through == size


def test_without_verifications_every_so_many_events_are_signed(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = signed_workspace(root, edits=EVERY_FIVE)
    sizes: list[int] = []
    for number in range(12):
        workspace.commit(new_task(f"T-{number}"))
        if latest(root).exists():
            sizes.append(checkpoint_of(parse_note(latest(root).read_bytes())).size)
    heads = list(dict.fromkeys(sizes))
    assert len(heads) > 2
    assert all(later - earlier >= 5 for earlier, later in itertools.pairwise(heads))
    assert judged(root).findings == ()


def test_a_checkpoint_costs_the_tail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the frontier kept, no line before it is read again."""
    root = tmp_path / "project"
    workspace = signed_workspace(root, [new_task(f"T-{number}") for number in range(50)])
    workspace.verify_now()
    from esaa.runtime.trust.checkpoint_sources import LogSource

    read: list[int] = []
    leaves = LogSource.leaves

    def counted(source: LogSource, after: object) -> object:
        found = list(leaves(source, after))  # type: ignore[arg-type]
        read.append(len(found))
        return iter(found)

    monkeypatch.setattr(LogSource, "leaves", counted)
    before = len(log_bytes(root).splitlines())
    again = reopen(root)
    again.commit(new_task("T-50"))
    again.verify_now()
    assert sum(read) == len(log_bytes(root).splitlines()) - before
    read.clear()
    (root / ".roadmap" / ".esaa" / "frontier").unlink()
    again.verify_now()
    assert read == [len(log_bytes(root).splitlines())]
    assert judged(root).findings == ()


def test_a_forged_or_foreign_frontier_is_not_believed(tmp_path: Path) -> None:
    root, other = tmp_path / "one" / "project", tmp_path / "two" / "project"
    workspace = signed_workspace(root, [new_task("T-1")])
    signed_workspace(other, [new_task("T-1"), new_task("T-2")]).verify_now()
    workspace.verify_now()
    cache = root / ".roadmap" / ".esaa" / "frontier"
    sound = cache.read_bytes()
    for forged in (
        *(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :] for at in range(0, len(sound), 7)),
        sound[: len(sound) // 2],
        b"",
        (other / ".roadmap" / ".esaa" / "frontier").read_bytes(),
    ):
        cache.write_bytes(forged)
        reopen(root).verify_now()
        verdict = judged(root)
        assert verdict.findings == ()
        assert verdict.trust.signed_through == len(log_bytes(root).splitlines())
        cache.write_bytes(sound)


def test_without_a_key_nothing_is_signed_and_that_is_said_once(tmp_path: Path) -> None:
    root = tmp_path / "project"
    signed_workspace(root, [new_task("T-1")])
    shutil.rmtree(config_dir(root) / "keys")
    first = reopen(root).verify_now()
    assert [notice for notice in first.notices if "has no key" in notice] != []
    assert reopen(root).verify_now().notices == ()
    assert not latest(root).exists()


def test_a_log_without_a_name_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = make_workspace(root, [new_task("T-1")])
    assert workspace.verify_now().notices == ()
    assert not latest(root).parent.exists()


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_key_that_others_may_read_signs_nothing(tmp_path: Path, mode: int) -> None:
    root = tmp_path / "project"
    signed_workspace(root, [new_task("T-1")])
    next((config_dir(root) / "keys").glob("*.key")).chmod(mode)
    receipt = reopen(root).verify_now()
    assert len(receipt.events) == 2, "what was decided stands"
    assert any("has mode" in notice for notice in receipt.notices)
    assert not latest(root).exists()


def test_a_key_inside_the_workspace_signs_nothing(tmp_path: Path) -> None:
    root = tmp_path / "project"
    signed_workspace(root, [new_task("T-1")])
    shutil.move(config_dir(root), root / "config")
    from esaa.open import open_workspace

    inside = open_workspace(root, Config(config_dir=str(root / "config")))
    assert any("inside the workspace" in notice for notice in inside.verify_now().notices)
    assert not latest(root).exists()


@pytest.mark.parametrize("is_cache_kept", [True, False])
def test_a_rewritten_log_is_never_signed_again(tmp_path: Path, is_cache_kept: bool) -> None:
    root = tmp_path / "project"
    workspace = signed_workspace(root, [new_task("T-1"), new_task("T-2")])
    workspace.verify_now()
    before = latest(root).read_bytes()
    rewritten(root, lambda event: retitled(event, "T-2"))
    if not is_cache_kept:
        shutil.rmtree(root / ".roadmap" / ".esaa")
    with pytest.raises(CorruptLog) as raised:
        reopen(root).verify_now()
    assert raised.value.code == "LOG_ROLLED_BACK"
    assert latest(root).read_bytes() == before
    # Also past the check of a workspace that is opened for writing: the one who signs looks for himself.
    reading = reopen(root)
    reading.state()
    with pytest.raises(CorruptLog) as raised:
        open_checkpoints(reading, Config(config_dir=str(config_dir(root)))).make("demand")
    assert raised.value.code == "CHECKPOINT_MISMATCH"
    assert latest(root).read_bytes() == before


def test_what_its_own_key_has_signed_binds_a_machine_that_forgot(tmp_path: Path) -> None:
    root = tmp_path / "project"
    signed_workspace(root, [new_task("T-1"), new_task("T-2")]).verify_now()
    shutil.rmtree(config_dir(root) / "seen")
    shutil.rmtree(root / ".roadmap" / ".esaa")
    sound = log_bytes(root)
    rewritten(root, lambda event: retitled(event, "T-2"))
    reading = reopen(root)
    reading.state()
    checkpoints = open_checkpoints(reading, Config(config_dir=str(config_dir(root))))
    with pytest.raises(CorruptLog) as raised:
        checkpoints.make("demand")
    assert raised.value.code == "CHECKPOINT_MISMATCH"
    (root / ".roadmap" / "activity.jsonl").write_bytes(b"".join(sound.splitlines(keepends=True)[:2]))
    reading = reopen(root)
    reading.state()
    with pytest.raises(CorruptLog) as raised:
        open_checkpoints(reading, Config(config_dir=str(config_dir(root)))).make("demand")
    assert raised.value.code == "CHECKPOINT_BEYOND_LOG"


def retitled(event: dict[str, object], task_id: str) -> dict[str, object]:
    payload = event.get("payload")
    if isinstance(payload, dict) and payload.get("title") == f"Make {task_id}":
        payload["title"] = "Make something else"
    return event


def test_a_machine_remembers_a_log_that_was_cut_with_everything_beside_it(tmp_path: Path) -> None:
    root = tmp_path / "project"
    signed_workspace(root, [new_task("T-1"), new_task("T-2")]).verify_now()
    lines = log_bytes(root).splitlines(keepends=True)
    for cut in range(1, len(lines)):
        (root / ".roadmap" / "activity.jsonl").write_bytes(b"".join(lines[:cut]))
        shutil.rmtree(latest(root).parent, ignore_errors=True)
        shutil.rmtree(root / ".roadmap" / ".esaa", ignore_errors=True)
        verdict = judged(root)
        found = [one for one in verdict.findings if one.code == "LOG_ROLLED_BACK"]
        assert [one.line for one in found] in ([cut + 1], [None]), verdict.findings
        with pytest.raises(CorruptLog) as raised:
            reopen(root).commit(new_task("T-3"))
        assert raised.value.code in ("LOG_ROLLED_BACK", "UNCLOSED_BATCH")


def test_a_log_accepted_on_purpose_goes_on_under_another_name(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = signed_workspace(root, [new_task("T-1")])
    workspace.verify_now()
    shorter = log_bytes(root)
    workspace.commit(new_task("T-2"))
    workspace.verify_now()
    before = (root / ".roadmap" / "origin").read_text()
    (root / ".roadmap" / "activity.jsonl").write_bytes(shorter)
    done = repair(reopen(root), accept_log=True)
    assert any("accepted, and recorded" in text for text in done)
    after = (root / ".roadmap" / "origin").read_text()
    assert after != before
    reopen(root).verify_now()
    verdict = judged(root)
    assert verdict.findings == ()
    assert verdict.trust.signed_through == len(log_bytes(root).splitlines())
    assert (latest(root).parent / "refuted" / "latest").exists()
    repaired = [event["payload"] for event in log_lines(root) if event["payload"].get("target") == "log"]
    assert {"origin_before": before.strip(), "origin": after.strip()}.items() <= repaired[-1]["detail"].items()


def test_rotation_is_signed_by_both_and_old_checkpoints_stay_good(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = signed_workspace(root, [new_task("T-1")])
    workspace.verify_now()
    old = key_of(root)
    with workspace.writing():
        workspace.state()
        checkpoints = workspace.checkpoints()
        assert checkpoints is not None
        was, now, made = checkpoints.rotate()
    assert was.verifier == old.verifier
    assert key_of(root).verifier == now.verifier
    assert made is not None
    note = parse_note(latest(root).read_bytes())
    assert signed_by(note, was.verifier, verify_ed25519) is not None
    assert signed_by(note, now.verifier, verify_ed25519) is not None
    assert kept(root) == [made.size]
    # Who knows the old key alone is led to the new one's first checkpoint, and no further.
    reopen(root).commit(new_task("T-2"))
    reopen(root).verify_now()
    elsewhere = judged(root, here=False, keys=[was.verifier])
    assert elsewhere.trust.signed_through == made.size
    assert codes(elsewhere) == ["CHECKPOINT_KEY_UNKNOWN"]
    both = judged(root, here=False, keys=[was.verifier, now.verifier])
    assert codes(both) == []
    assert both.trust.signed_through == len(log_bytes(root).splitlines())
    assert judged(root).findings == ()


def broken_disks(at: int) -> list[Disk]:
    """Disks that fail at a step, or die before, after or in the middle of it."""
    deaths: tuple[Death, ...] = ("before", "after", "torn")
    return [FailingDisk(at, errno.EIO), *(DeadlyDisk(at, death) for death in deaths)]


def steps_of_a_checkpoint(base: Path) -> int:
    """How many durability steps a verification with its checkpoint takes."""
    root = base / "project"
    signed_workspace(root, [new_task("T-1")])
    disk = CountingDisk()
    reopen(root, disk=disk).verify_now()
    return len(disk.steps)


def test_a_failure_at_any_step_leaves_a_sound_log_and_the_next_checkpoint_is_made(tmp_path: Path) -> None:
    total = steps_of_a_checkpoint(tmp_path / "count")
    assert total > 10
    signed_workspace(tmp_path / "template" / "project", [new_task("T-1")])
    for at in range(1, total + 1):
        for number, disk in enumerate(broken_disks(at)):
            root = shutil.copytree(tmp_path / "template", tmp_path / f"{at}-{number}") / "project"
            with contextlib.suppress(EsaaError, OSError, Killed):
                reopen(root, disk=disk).verify_now()
            verdict = judged(root)
            wrong = [one.code for one in verdict.findings if one.severity == "error" and one.effect == "corrupted"]
            assert wrong in ([], ["UNCLOSED_BATCH"], ["TORN_TAIL"]), (at, verdict.findings)
            assert verdict.trust.signed_through in (None, verdict.events)
            reopen(root).verify_now()
            verdict = judged(root)
            assert verdict.findings == (), (at, verdict.findings)
            assert verdict.trust.signed_through == verdict.events


def test_a_failure_at_any_step_of_a_rotation_loses_no_key(tmp_path: Path) -> None:
    signed_workspace(tmp_path / "template" / "project", [new_task("T-1")]).verify_now()
    counting = CountingDisk()
    rotate(shutil.copytree(tmp_path / "template", tmp_path / "count") / "project", counting)
    assert len(counting.steps) > 8
    for at in range(1, len(counting.steps) + 1):
        for number, disk in enumerate(broken_disks(at)):
            root = shutil.copytree(tmp_path / "template", tmp_path / f"{at}-{number}") / "project"
            first = key_of(root).verifier
            with contextlib.suppress(EsaaError, OSError, Killed):
                rotate(root, disk)
            assert judged(root).findings == (), at
            now = key_of(root).verifier
            assert {first, now} <= set(KeyStore(config_dir(root)).known(first.name))
            rotate(root, Disk())
            reopen(root).verify_now()
            verdict = judged(root)
            assert verdict.findings == (), at
            assert verdict.trust.signed_through == verdict.events
            assert key_of(root).verifier != first


def rotate(root: Path, disk: Disk) -> None:
    workspace = reopen(root, disk=disk)
    with workspace.writing():
        workspace.state()
        checkpoints = workspace.checkpoints()
        assert checkpoints is not None
        checkpoints.rotate()


def test_the_memory_of_heads_only_goes_on(tmp_path: Path) -> None:
    seen = SeenHeads(tmp_path)
    assert seen.of("a.example") is None
    later, earlier = (SeenHead(size=size, root="r", leaf_hash="l") for size in (9, 3))
    seen.note("a.example/x", later)
    seen.note("a.example/x", earlier)
    assert seen.of("a.example/x") == later
    assert seen.names() == ["a.example/x"]
    seen.forget("a.example/x")
    assert seen.of("a.example/x") is None
