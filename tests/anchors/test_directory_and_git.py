"""Anchors that are a folder, a git tag, a git note: real files, real git, a real bare remote."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from esaa.contracts.anchors import AnchorSettings, DirectoryAnchor, GitNoteAnchor, GitTagAnchor
from esaa.errors import ContractError, CorruptLog, IntegrationError, NotFound
from esaa.kernel.checkpoint import parse_note, signed_by
from tests.anchors.services import LOG_KEY, ORIGIN, SignedLog, git, repository
from tests.kernel.signing import verify

KINDS: dict[str, AnchorSettings] = {
    "directory": DirectoryAnchor(path="../elsewhere"),
    "git_tag": GitTagAnchor(),
    "git_tag_pushed": GitTagAnchor(remote="origin"),
    "git_note": GitNoteAnchor(),
    "git_note_pushed": GitNoteAnchor(remote="origin"),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest, log: SignedLog, tmp_path: Path) -> AnchorSettings:
    """Each kind of anchor, with what it needs."""
    if request.param != "directory":
        repository(log.root, tmp_path / "remote.git")
    settings: AnchorSettings = KINDS[request.param]
    return settings


def test_what_is_anchored_comes_back_byte_for_byte(log: SignedLog, kind: AnchorSettings) -> None:
    notes = [log.sign(10)]
    log.anchoring(one=kind).put("one")
    notes.append(log.sign(20))
    log.anchoring(one=kind).put("one")
    assert sorted(log.anchor(kind).fetch()) == sorted(notes)
    assert all(signed_by(parse_note(one), LOG_KEY.key, verify) for one in notes)


def test_anchoring_again_changes_nothing(log: SignedLog, kind: AnchorSettings) -> None:
    first = log.anchoring(one=kind).put("one")
    assert log.anchoring(one=kind).put("one") == first
    assert len(list(log.anchor(kind).fetch())) == 1
    assert log.receipts.all() == [first]
    assert (first.size, first.origin, first.at) == (10, ORIGIN, "2026-03-02T12:00:00Z")


def test_rewritten_log_is_found_though_its_operator_signed_it_again(log: SignedLog, kind: AnchorSettings) -> None:
    log.anchoring(one=kind).put("one")
    assert log.anchoring(one=kind).compare(["one"], [LOG_KEY.key]).anchored_through == 10
    log.rewrite()
    log.sign(10)
    found = log.anchoring(one=kind).compare(["one"], [LOG_KEY.key])
    assert [(one.size, one.standing) for one in found.checkpoints] == [(10, "differs")]
    assert (found.is_contradicted, found.anchored_through) == (True, 0)
    with pytest.raises(IntegrationError, match="another checkpoint of 10 events"):
        log.anchoring(one=kind).put("one")
    assert len(list(log.anchor(kind).fetch())) == 1, "the evidence is still there"


def test_truncated_log_is_found(log: SignedLog, kind: AnchorSettings) -> None:
    log.anchoring(one=kind).put("one")
    log.write([b'{"event_seq":%d}' % number for number in range(1, 8)])
    found = log.anchoring(one=kind).compare(["one"], [LOG_KEY.key])
    assert [(one.size, one.standing) for one in found.checkpoints] == [(10, "beyond")]


def test_checkpoint_of_a_stranger_is_told_apart_and_vouches_for_nothing(log: SignedLog, kind: AnchorSettings) -> None:
    log.anchoring(one=kind).put("one")
    found = log.anchoring(one=kind).compare(["one"], [])
    assert [one.standing for one in found.checkpoints] == ["unsigned"]
    assert (found.anchored_through, found.is_contradicted) == (0, False)


def test_log_that_is_not_what_was_signed_is_not_anchored(log: SignedLog, kind: AnchorSettings) -> None:
    log.rewrite()
    with pytest.raises(CorruptLog, match="first 10 events"):
        log.anchoring(one=kind).put("one")
    assert log.receipts.all() == []


def test_pushed_tags_and_notes_outlive_the_repository(log: SignedLog, tmp_path: Path) -> None:
    repository(log.root, tmp_path / "remote.git")
    for settings in (GitTagAnchor(remote="origin"), GitNoteAnchor(remote="origin")):
        log.anchoring(one=settings).put("one")
    shutil.rmtree(log.root / ".git")
    git(log.root, "init", "--quiet")
    git(log.root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    for settings in (GitTagAnchor(remote="origin"), GitNoteAnchor(remote="origin")):
        assert log.anchoring(one=settings).compare(["one"], [LOG_KEY.key]).anchored_through == 10
    assert git(log.root, "for-each-ref") == "", "looking changes no ref"


def test_local_tag_that_was_moved_does_not_hide_the_pushed_one(log: SignedLog, tmp_path: Path) -> None:
    repository(log.root, tmp_path / "remote.git")
    settings = GitTagAnchor(remote="origin")
    log.anchoring(one=settings).put("one")
    git(log.root, "tag", "--delete", "esaa/5b2b1f6e/10")
    log.rewrite()
    log.sign(10)
    with pytest.raises(IntegrationError, match="git push failed"):
        log.anchoring(one=settings).put("one")
    assert log.anchoring(one=settings).compare(["one"], [LOG_KEY.key]).is_contradicted


def test_no_hook_of_the_repository_runs(log: SignedLog, tmp_path: Path) -> None:
    repository(log.root, tmp_path / "remote.git")
    for name in ("pre-push", "reference-transaction", "post-checkout"):
        hook = log.root / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
        hook.chmod(0o755)
    log.anchoring(one=GitTagAnchor(remote="origin")).put("one")
    log.anchoring(two=GitNoteAnchor(remote="origin")).put("two")
    assert not (tmp_path / "ran").exists()


def test_tag_without_a_commit_is_of_the_checkpoint_and_a_note_needs_one(log: SignedLog) -> None:
    git(log.root, "init", "--quiet")
    log.anchoring(one=GitTagAnchor()).put("one")
    assert git(log.root, "cat-file", "-t", "esaa/5b2b1f6e/10^{}").strip() == "blob"
    assert log.anchoring(one=GitTagAnchor()).compare(["one"], [LOG_KEY.key]).anchored_through == 10
    with pytest.raises(IntegrationError, match="no commit"):
        log.anchoring(one=GitNoteAnchor()).put("one")
    assert list(log.anchor(GitNoteAnchor()).fetch()) == []


def test_notes_of_two_logs_share_a_commit(log: SignedLog, tmp_path: Path) -> None:
    repository(log.root)
    note = log.sign(10).replace(b"esaa.local", b"other.local")
    commit = git(log.root, "rev-parse", "HEAD").strip()
    blob = subprocess.run(
        ["git", "-C", str(log.root), "hash-object", "-w", "--stdin"], input=note, check=True, capture_output=True
    ).stdout.decode()
    git(log.root, "notes", "--ref=esaa", "add", "-C", blob.strip(), commit)
    found = log.anchoring(one=GitNoteAnchor())
    found.put("one")
    assert found.compare(["one"], [LOG_KEY.key]).anchored_through == 10
    assert len(list(log.anchor(GitNoteAnchor()).fetch())) == 2


def test_what_can_not_be_reached_is_said(log: SignedLog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    found = log.anchoring(
        folder=DirectoryAnchor(path="../file/x"),
        tag=GitTagAnchor(),
        remote=GitTagAnchor(remote="nowhere"),
        gone=DirectoryAnchor(path="../gone"),
    )
    for name in ("folder", "tag", "remote"):
        with pytest.raises(IntegrationError):
            found.put(name)
    assert set(found.compare(["folder", "tag", "remote", "gone"], []).failed) == {"folder", "tag", "remote", "gone"}
    with pytest.raises(ContractError, match="configured: folder, tag"):
        found.put("other")
    with pytest.raises(ContractError, match="inside of"):
        log.anchoring(near=DirectoryAnchor(path=".roadmap/x")).put("near")


def test_foreign_files_in_the_folder_are_no_checkpoints(log: SignedLog, tmp_path: Path) -> None:
    settings = DirectoryAnchor(path=str(tmp_path / "elsewhere"))
    log.anchoring(one=settings).put("one")
    folder = tmp_path / "elsewhere" / ORIGIN.replace("/", "+")
    (folder / "11").write_bytes(b"hello\n")
    (folder / "12").mkdir()
    (folder / "13").symlink_to(folder / "10")
    (folder / "README").write_text("x")
    found = log.anchoring(one=settings).compare(["one"], [LOG_KEY.key])
    assert [(one.size, one.standing) for one in found.checkpoints] == [(10, "holds")]


def test_log_without_a_checkpoint_has_nothing_to_anchor(log: SignedLog) -> None:
    (log.roadmap / "checkpoints" / "latest").unlink()
    with pytest.raises(NotFound, match="esaa checkpoint"):
        log.anchoring(one=DirectoryAnchor(path="../elsewhere")).put("one")
