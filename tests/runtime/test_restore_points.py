"""Restore points: what is saved, what going back touches, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from esaa.errors import NotFound, UsageError
from esaa.kernel.canonical import sha256_hex
from esaa.runtime.replay.going_back import FileOutcome, Return, go_back
from esaa.runtime.replay.replaying import replay_events
from esaa.runtime.replay.restore_points import (
    RestorePoint,
    check_state,
    contents_of,
    create_restore_point,
    find_restore_point,
    restore_points,
    state_path,
)
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.trail.event import GLOBAL
from esaa.trail.state import encode_state
from tests.runtime.test_replay import digest_of, started, write
from tests.trails import ISSUE, ME, a_recorder, a_trail, assert_whole, settings


def point(trail: Trail, stream: str = ISSUE, **more: Any) -> RestorePoint:
    """A restore point, made now."""
    metadata, _ = create_restore_point(trail, stream, **more)
    return find_restore_point(trail, metadata["checkpoint_id"])


def fates(found: Return) -> dict[str, str]:
    return {one.path: one.fate for one in found.files}


def told(found: Return, path: str) -> FileOutcome:
    (one,) = [one for one in found.files if one.path == path]
    return one


def test_restore_point_holds_the_state_and_the_event_vouches_for_it(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"a")
    trail = recorder.trail
    before = TrailStates(trail).reconstruct(ISSUE)
    metadata, event = create_restore_point(trail, ISSUE, phase="CODE", reason="major_milestone_completed", actor=ME)
    assert event is not None
    assert event.fact.event_type == "CheckpointCreated"
    stored = assert_whole(trail)[-1]
    assert stored["actor"] == ME
    assert stored["metadata"] == metadata
    assert metadata["checkpoint_phase"] == "CODE"
    assert metadata["checkpoint_reason"] == "major_milestone_completed"
    assert metadata["state_snapshot"] == f"2026-03-02/{ISSUE}/checkpoints/{metadata['checkpoint_id']}.json"
    saved = json.loads((trail.store.base / metadata["state_snapshot"]).read_bytes())
    assert saved["event_sequence"] == 2
    assert saved["state"] == json.loads(encode_state(before.state))
    assert saved["checksum"] == metadata["extra"]["state_sha256"] == sha256_hex(encode_state(before.state))
    assert saved["leaf_hash"] == metadata["extra"]["leaf_hash"] == event.prev_hash
    assert check_state(trail, find_restore_point(trail, metadata["checkpoint_id"])).is_same is True


def test_restore_point_knows_what_changed_since_the_last_one_and_whether_going_back_is_possible(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"a")
    write(recorder, "src/a.py", b"b", b"a")
    recorder.record("CommitCreated", {"commit_sha": "abc", "commit_message": "m"})
    first, _ = create_restore_point(recorder.trail, ISSUE)
    assert (first["files_changed_since_last"], first["commits_since_last"]) == (1, 1)
    assert first["can_rollback"] is True
    assert first["checkpoint_phase"] == "CODE", "by default the one that the work is in"
    recorder.record("FileDeleted", {"path": "src/a.py"})
    recorder.record("FileWritten", {"path": "src/z.py", "after_sha256": "0" * 64})
    second, _ = create_restore_point(recorder.trail, ISSUE)
    assert (second["files_changed_since_last"], second["commits_since_last"]) == (2, 0)
    assert second["can_rollback"] is False, "a content is missing"


def test_dry_run_of_a_restore_point_writes_nothing(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    recorder.close()
    before = digest_of(tmp_path)
    _, event = create_restore_point(recorder.trail, ISSUE, dry_run=True)
    assert event is None
    assert digest_of(tmp_path) == before


def test_restore_point_of_an_issue_without_events_is_refused(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    with pytest.raises(NotFound):
        create_restore_point(trail, ISSUE)
    with pytest.raises(UsageError):
        create_restore_point(trail, "../x")
    assert list(tmp_path.iterdir()) == []


def test_going_back_gives_changed_and_deleted_files_what_they_held(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/changed.py", b"old")
    write(recorder, "src/deleted.py", b"kept")
    write(recorder, "src/same.py", b"same")
    here = point(recorder.trail)
    write(recorder, "src/changed.py", b"new", b"old")
    recorder.record("FileDeleted", {"path": "src/deleted.py", "before_sha256": sha256_hex(b"kept")})
    (tmp_path / "src/deleted.py").unlink()
    write(recorder, "src/created.py", b"created")
    dry = go_back(recorder.trail, here)
    assert dry.dry_run
    assert dry.event_id is None
    assert (tmp_path / "src/changed.py").read_bytes() == b"new"
    assert dry.files_restored == 2

    found = go_back(recorder.trail, here, dry_run=False, reason="test_failure_rollback", actor=ME)
    assert fates(found) == {
        "src/changed.py": "restored",
        "src/created.py": "left",
        "src/deleted.py": "restored",
    }
    assert "created since; nothing is deleted" in told(found, "src/created.py").detail
    assert (tmp_path / "src/changed.py").read_bytes() == b"old"
    assert (tmp_path / "src/deleted.py").read_bytes() == b"kept"
    assert (tmp_path / "src/created.py").read_bytes() == b"created"
    last = assert_whole(recorder.trail)[-1]
    assert (last["event_type"], last["event_id"]) == ("CheckpointRestored", found.event_id)
    assert last["causation_id"] == here.event.event_id
    assert last["metadata"] == {
        "checkpoint_id": here.checkpoint_id,
        "restored_by": "ada",
        "files_restored": 2,
        "state_validated": True,
        "restore_reason": "test_failure_rollback",
    }
    again = go_back(recorder.trail, here, dry_run=False)
    assert again.files_restored == 0
    assert fates(again)["src/changed.py"] == "as_it_was"
    (known,) = TrailStates(recorder.trail).reconstruct(ISSUE).state.checkpoints
    assert known.restores == 2


def test_file_that_was_written_before_the_trail_began_goes_back_to_its_first_known_content(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    contents_of(recorder.trail).put(b"ancient")
    here = point(recorder.trail)
    write(recorder, "src/a.py", b"new", b"ancient")
    recorder.record("FileWritten", {"path": "src/b.py", "after_sha256": sha256_hex(b"b")})
    recorder.record("FileDeleted", {"path": "src/c.py"})
    (tmp_path / "src/b.py").write_bytes(b"b")
    found = go_back(recorder.trail, here, dry_run=False)
    assert (tmp_path / "src/a.py").read_bytes() == b"ancient"
    assert "nobody told what it held then" in told(found, "src/b.py").detail
    assert fates(found)["src/c.py"] == "as_it_was"


def test_file_that_someone_changed_since_is_left_alone_unless_forced(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"old")
    here = point(recorder.trail)
    write(recorder, "src/a.py", b"new", b"old")
    (tmp_path / "src/a.py").write_bytes(b"mine")
    found = go_back(recorder.trail, here, dry_run=False)
    assert not found.is_complete
    assert "someone changed it since" in told(found, "src/a.py").detail
    assert (tmp_path / "src/a.py").read_bytes() == b"mine"
    assert go_back(recorder.trail, here, dry_run=False, force=True).is_complete
    assert (tmp_path / "src/a.py").read_bytes() == b"old"


@pytest.mark.parametrize("path", ["../out.txt", ".git/config", "/etc/x", "events/2026-03-02/x", "link/a"])
def test_path_that_an_event_names_cannot_lead_out(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    recorder = started(root)
    digest = contents_of(recorder.trail).put(b"evil")
    (root / "link").symlink_to(tmp_path)
    recorder.record("FileWritten", {"path": path, "after_sha256": digest})
    here = point(recorder.trail)
    recorder.record("FileDeleted", {"path": path})
    recorder.close()
    before = digest_of(tmp_path)
    found = go_back(recorder.trail, here, force=True)
    assert fates(found) == {path: "left"}
    assert digest_of(tmp_path) == before
    go_back(recorder.trail, here, dry_run=False, force=True)
    evil = [one for one in tmp_path.rglob("*") if one.is_file() and one.read_bytes() == b"evil"]
    assert evil == [root / ".roadmap/blobs" / digest[:2] / digest]


def poison_state(path: Path) -> None:
    path.write_text(path.read_text().replace('"in_progress"', '"completed"'))


def poison_well(path: Path) -> None:
    """Another state with a checksum that fits it."""
    value = json.loads(path.read_bytes())
    value["state"]["files"]["src/a.py"] = sha256_hex(b"evil")
    value["checksum"] = sha256_hex(json.dumps(value["state"], separators=(",", ":")).encode())
    path.write_text(json.dumps(value))


def another_issue(path: Path) -> None:
    path.write_text(path.read_text().replace('"issue_key": "PROJ-123"', '"issue_key": "PROJ-9"', 1))


def another_place(path: Path) -> None:
    path.write_text(path.read_text().replace('"event_sequence": 2', '"event_sequence": 1', 1))


def link_elsewhere(path: Path) -> None:
    other = path.with_name("other.json")
    path.rename(other)
    path.symlink_to(other)


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (poison_state, "the checksum of its file is not that of the state in it"),
    (poison_well, "its file holds another state than its event says"),
    (another_issue, "its file belongs to another restore point"),
    (another_place, "its file is about event #1, not #2"),
    (lambda path: path.write_bytes(b"\xff"), "its file cannot be read"),
    (lambda path: path.write_bytes(b"[" * 100_000), "its file cannot be read"),
    (lambda path: path.unlink(), "its file is missing"),
    (link_elsewhere, "its file is missing"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE, ids=[said for _, said in DAMAGE])
def test_file_of_a_restore_point_that_was_poisoned_steers_nothing(
    tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    recorder = started(tmp_path)
    contents_of(recorder.trail).put(b"evil")
    write(recorder, "src/a.py", b"old")
    here = point(recorder.trail)
    path = state_path(recorder.trail, here)
    assert path is not None
    write(recorder, "src/a.py", b"new", b"old")
    damage(path)
    found = go_back(recorder.trail, here, dry_run=False)
    assert said in found.state_fault
    assert found.state_validated is False
    assert not found.is_complete
    assert (tmp_path / "src/a.py").read_bytes() == b"old", "the events decide, not the file"
    assert assert_whole(recorder.trail)[-1]["metadata"]["state_validated"] is False


def test_file_that_tells_of_another_projection_is_not_compared(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    here = point(recorder.trail)
    path = state_path(recorder.trail, here)
    assert path is not None
    path.write_text(path.read_text().replace('"projection_version": 1', '"projection_version": 99'))
    check = check_state(recorder.trail, here)
    assert check.is_same is None
    assert "projection 99" in check.fault


def test_restore_point_of_another_tool_is_folded_and_goes_back_all_the_same(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"old")
    outside = {"checkpoint_id": "../../ckpt", "state_snapshot": "/sessions/PROJ-123/checkpoints/ckpt.json"}
    recorder.record("CheckpointCreated", outside)
    write(recorder, "src/a.py", b"new", b"old")
    here = find_restore_point(recorder.trail, "../../ckpt")
    assert here.sequence == 2
    found = go_back(recorder.trail, here, dry_run=False)
    assert (tmp_path / "src/a.py").read_bytes() == b"old"
    assert found.state_validated is False
    assert "its file is missing" in found.state_fault


@pytest.mark.parametrize("sequence", [0, -1, 3, 99, True, "2", None])
def test_place_that_an_event_cannot_mean_is_the_event_before_it(tmp_path: Path, sequence: Any) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"a")
    recorder.record("CheckpointCreated", {"checkpoint_id": "ckpt-1", "extra": {"event_sequence": sequence}})
    assert find_restore_point(recorder.trail, "ckpt-1").sequence == 2


def test_restore_point_at_the_very_beginning_holds_the_empty_state(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    recorder.record("CheckpointCreated", {"checkpoint_id": "ckpt-1"})
    write(recorder, "src/a.py", b"a")
    found = go_back(recorder.trail, find_restore_point(recorder.trail, "ckpt-1"))
    assert fates(found) == {"src/a.py": "left"}


def test_restore_points_are_found_by_name_in_every_stream(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    for key in ("PROJ-1", "PROJ-2", None):
        with TrailRecorder(trail, actor=ME, issue_key=key) as recorder:
            recorder.record("CommitCreated", {"commit_sha": "abc", "commit_message": "m"})
    first, second, third = (point(trail, stream) for stream in ("PROJ-1", "PROJ-2", GLOBAL))
    assert [one.checkpoint_id for one in restore_points(trail)] == [
        third.checkpoint_id,
        first.checkpoint_id,
        second.checkpoint_id,
    ]
    assert [one.stream for one in restore_points(trail, "PROJ-2")] == ["PROJ-2"]
    assert find_restore_point(trail, third.checkpoint_id).stream == GLOBAL
    assert go_back(trail, third, dry_run=False).event_id
    with pytest.raises(NotFound, match="Did you mean"):
        find_restore_point(trail, first.checkpoint_id[:-1] + "x", "PROJ-1")
    with pytest.raises(NotFound, match="restore-point list"):
        find_restore_point(trail, "what")
    with TrailRecorder(trail, actor=ME, issue_key="PROJ-2") as recorder:
        recorder.record("CheckpointCreated", {"checkpoint_id": first.checkpoint_id})
    with pytest.raises(UsageError, match="PROJ-1, PROJ-2 each have"):
        find_restore_point(trail, first.checkpoint_id)
    assert find_restore_point(trail, first.checkpoint_id, "PROJ-2").stream == "PROJ-2"


@pytest.mark.parametrize("partition_by", ["date", "issue", "session"])
def test_files_of_restore_points_lie_with_the_events_and_disturb_no_reader(tmp_path: Path, partition_by: str) -> None:
    recorder = started(tmp_path, chosen=settings(storage={"partition_by": partition_by}))
    here = point(recorder.trail)
    assert state_path(recorder.trail, here) is not None
    assert check_state(recorder.trail, here).is_same is True
    recorder.trail.store.names()
    trail = a_trail(tmp_path, settings(storage={"partition_by": partition_by}))
    assert [event["event_type"] for event in assert_whole(trail)] == ["OrchestrationStarted", "CheckpointCreated"]
    assert trail.store.names() == [ISSUE]


# With git.


@pytest.fixture
def git(tmp_path: Path, need_tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs git in `root`, with a user of its own, and gives what it prints."""
    program = need_tool("git")
    (tmp_path / "root").mkdir()
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments], cwd=tmp_path / "root", check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    run("init", "--quiet", "--initial-branch", "main")
    return run


def committed(git: Callable[..., str], *paths: str) -> str:
    git("add", *paths)
    git("commit", "--quiet", "-m", "work")
    return git("rev-parse", "HEAD")


def a_story_in_git(root: Path, git: Callable[..., str]) -> tuple[TrailRecorder, RestorePoint, str]:
    """A restore point at the first of two commits."""
    recorder = started(root)
    write(recorder, "src/a.py", b"old")
    first = committed(git, "src")
    here = point(recorder.trail)
    assert here.git_sha == first
    write(recorder, "src/a.py", b"new", b"old")
    committed(git, "src")
    return recorder, here, first


def test_git_is_reset_only_when_asked(tmp_path: Path, git: Callable[..., str]) -> None:
    recorder, here, first = a_story_in_git(tmp_path / "root", git)
    second = git("rev-parse", "HEAD")
    found = go_back(recorder.trail, here, dry_run=False)
    assert git("rev-parse", "HEAD") == second
    assert found.git_reset_to is None
    git("checkout", "--quiet", "--", "src/a.py")

    dry = go_back(recorder.trail, here, git=True)
    assert (dry.git_reset_to, dry.git_commits_back) == (first, 1)
    assert git("rev-parse", "HEAD") == second
    found = go_back(recorder.trail, here, dry_run=False, git=True)
    assert git("rev-parse", "HEAD") == first
    assert git("status", "--porcelain", "--untracked-files=no") == ""
    assert found.git_reset_to == first
    assert found.is_complete
    assert assert_whole(recorder.trail)[-1]["metadata"]["git_reset_to"] == first


def test_file_that_the_commit_has_otherwise_goes_on_to_what_it_held_at_the_restore_point(
    tmp_path: Path, git: Callable[..., str]
) -> None:
    root = tmp_path / "root"
    recorder = started(root)
    (root / "src").mkdir()
    (root / "src/a.py").write_bytes(b"committed before the trail began")
    committed(git, "src")
    write(recorder, "src/a.py", b"old")  # in no commit, at the time of the restore point
    here = point(recorder.trail)
    write(recorder, "src/a.py", b"new", b"old")
    committed(git, "src")
    assert go_back(recorder.trail, here, dry_run=False, git=True).is_complete
    assert (root / "src/a.py").read_bytes() == b"old"


def test_git_is_not_reset_over_changes_that_are_in_no_commit(tmp_path: Path, git: Callable[..., str]) -> None:
    recorder, here, _ = a_story_in_git(tmp_path / "root", git)
    (tmp_path / "root/src/a.py").write_bytes(b"mine")
    length = len(assert_whole(recorder.trail))
    for dry_run in (True, False):
        with pytest.raises(UsageError, match=r"src/a\.py") as found:
            go_back(recorder.trail, here, dry_run=dry_run, git=True, force=True)
        assert found.value.code == "GIT_TREE_DIRTY"
    assert (tmp_path / "root/src/a.py").read_bytes() == b"mine"
    assert len(assert_whole(recorder.trail)) == length


def test_git_is_not_reset_where_that_would_take_events_back(tmp_path: Path, git: Callable[..., str]) -> None:
    root = tmp_path / "root"
    recorder = started(root)
    write(recorder, "src/a.py", b"old")
    committed(git, "src", "events")
    here = point(recorder.trail)
    write(recorder, "src/a.py", b"new", b"old")
    committed(git, "src", "events")
    with pytest.raises(UsageError, match="take events back"):
        go_back(recorder.trail, here, dry_run=False, git=True)
    assert len(assert_whole(recorder.trail)) == 4
    assert go_back(recorder.trail, here, dry_run=False).files_restored == 1


def test_untracked_file_in_the_way_of_a_reset_is_not_overwritten(tmp_path: Path, git: Callable[..., str]) -> None:
    root = tmp_path / "root"
    recorder, here, _ = a_story_in_git(root, git)
    git("rm", "--quiet", "src/a.py")
    git("commit", "--quiet", "-m", "gone")
    (root / "src").mkdir(exist_ok=True)
    (root / "src/a.py").write_bytes(b"mine")
    with pytest.raises(UsageError) as found:
        go_back(recorder.trail, here, dry_run=False, git=True, force=True)
    assert found.value.code == "GIT_RESET_REFUSED"
    assert (root / "src/a.py").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("sha", "code"),
    [
        ("f" * 40, "GIT_COMMIT_UNKNOWN"),
        ("--hard", "GIT_COMMIT_UNKNOWN"),
        ("HEAD~1", "GIT_COMMIT_UNKNOWN"),
        (None, "RESTORE_POINT_WITHOUT_COMMIT"),
    ],
)
def test_commit_that_is_none_is_refused(tmp_path: Path, git: Callable[..., str], sha: str | None, code: str) -> None:
    recorder = started(tmp_path / "root")
    (tmp_path / "root/file").write_text("x")
    committed(git, "file")
    named = {} if sha is None else {"git_sha": sha}
    recorder.record("CheckpointCreated", {"checkpoint_id": "ckpt-1", **named})
    with pytest.raises(UsageError) as found:
        go_back(recorder.trail, find_restore_point(recorder.trail, "ckpt-1"), dry_run=False, git=True)
    assert found.value.code == code


def test_replay_from_a_restore_point_wants_its_commit(tmp_path: Path, git: Callable[..., str]) -> None:
    root = tmp_path / "root"
    recorder, here, _ = a_story_in_git(root, git)
    elsewhere = replay_events(recorder.trail, ISSUE, restore_point=here.checkpoint_id)
    assert "the working tree is at" in elsewhere.faults[0]
    go_back(recorder.trail, here, dry_run=False, git=True)
    recorder.close()
    before = digest_of(root)
    dry = replay_events(recorder.trail, ISSUE, restore_point=here.checkpoint_id)
    assert digest_of(root) == before, "git is asked without locks"
    assert dry.faults == ()
    assert dry.warnings == ()
    assert replay_events(recorder.trail, ISSUE, restore_point=here.checkpoint_id, dry_run=False).is_good
    assert (root / "src/a.py").read_bytes() == b"new"
