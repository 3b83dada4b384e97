"""A workspace from someone else: whatever its log says, opening it writes nothing where no task may write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from esaa.effects.files import FileEffect, Publisher
from esaa.effects.from_facts import file_effects
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.recorded import Draft, Recorded
from esaa.protocol.facts import Fact, FileWritten, ViewMutated
from esaa.stores.base import Batch
from esaa.stores.blobs import BlobStore
from esaa.stores.disk import Disk
from tests.workspaces import make_workspace, reopen

FORBIDDEN = (
    "../out.txt",
    "src/../../out.txt",
    "/tmp/out.txt",
    ".git/config",
    ".git/hooks/post-checkout",
    ".GIT/config",
    ".git",
    ".claude/settings.json",
    ".roadmap/RUNTIME_POLICY.yaml",
    ".roadmap/activity.jsonl",
    "\uff0egit/config",
    "GIT~1/config",
    "a\0b",
    "",
    ".",
)


def written(**effect: Any) -> FileWritten:
    return FileWritten(task_id="T-1", files=("x",), effects=[effect])


def recorded(fact: Fact, event_id: str = "EV-00000001") -> Recorded[Fact]:
    return Recorded(
        version=1, event_id=event_id, ts="2026-01-05T09:00:00Z", actor="x", fact=fact, schema_version="0.4.0"
    )


def everything_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("path", FORBIDDEN)
def test_log_that_names_a_forbidden_path_writes_nothing_there(tmp_path: Path, path: str) -> None:
    workspace = make_workspace(tmp_path / "project")
    digest = workspace.blobs.put(b"evil")
    workspace.state()
    fact = written(path=path, before_sha256=None, after_sha256=digest, bytes=4)
    drafts: list[Draft[Fact]] = [
        Draft(actor="orchestrator", fact=fact),
        Draft(actor="orchestrator", fact=ViewMutated(target="roadmap")),
    ]
    workspace.log.append(drafts, Batch(ts="2026-01-05T09:00:00Z"))
    contract = (tmp_path / "project" / ".roadmap" / "RUNTIME_POLICY.yaml").read_bytes()
    before = everything_in(tmp_path)

    for cursors in (True, False):
        if not cursors:  # as in a copy that came without this machine's memory
            (tmp_path / "project" / ".roadmap" / ".esaa" / "cursors.json").unlink(missing_ok=True)
        with reopen(tmp_path / "project").writing() as notices:
            pass
        if cursors:
            assert any("was not written" in notice for notice in notices)

    new = {name for name in everything_in(tmp_path) - before if not name.startswith("project/.roadmap/")}
    assert new == set()
    assert (tmp_path / "project" / ".roadmap" / "RUNTIME_POLICY.yaml").read_bytes() == contract
    assert not Path("/tmp/out.txt").exists()


@pytest.mark.parametrize("event_id", ["../../../../out", "/tmp/out", "a/b", "\0", "\ud800", "", "x" * 5000, "."])
def test_id_of_an_event_is_no_path(tmp_path: Path, event_id: str) -> None:
    root = tmp_path / "project"
    blobs = BlobStore(root / ".roadmap" / "blobs", Disk())
    digest = blobs.put(b"content")
    effect = FileEffect(event_id=event_id, path="src/a.txt", before_sha256=None, after_sha256=digest)
    publisher = Publisher(root, root / ".roadmap" / ".esaa" / "staging", blobs, Disk())

    assert publisher.publish([effect]) == []

    assert (root / "src" / "a.txt").read_bytes() == b"content"
    assert everything_in(tmp_path) == {"project/src/a.txt", f"project/.roadmap/blobs/{digest[:2]}/{digest}"}


@pytest.mark.parametrize(
    "digest", ["../../../../etc/passwd", "/etc/passwd", "", "a", "A" * 64, "\0" * 64, "\ud800" * 64, "x" * 10_000]
)
def test_what_a_log_calls_a_digest_is_looked_for_only_where_it_is_one(tmp_path: Path, digest: str) -> None:
    assert BlobStore(tmp_path / "blobs", Disk()).get(digest) is None


def test_content_that_is_a_pipe_or_a_link_is_damage(tmp_path: Path) -> None:
    import os

    from esaa.errors import StoreError

    blobs = BlobStore(tmp_path / "blobs", Disk())
    puts: tuple[Callable[[Path], None], ...] = (os.mkfifo, lambda path: path.symlink_to("/dev/zero"))
    for number, put in enumerate(puts):
        digest = sha256_hex(b"%d" % number)
        (tmp_path / "blobs" / digest[:2]).mkdir(parents=True)
        put(tmp_path / "blobs" / digest[:2] / digest)
        with pytest.raises(StoreError, match="cannot be taken"):
            blobs.get(digest)


@pytest.mark.parametrize(
    "effect",
    [
        {"path": ["src"], "after_sha256": "x"},
        {"path": "src/a", "after_sha256": {"a": 1}, "before_sha256": {"b": []}},
        {"path": None, "after_sha256": None, "before_sha256": 1},
        {"path": "src/a"},
        "src/a",
        None,
        [],
    ],
)
def test_effect_of_any_shape_raises_nothing(tmp_path: Path, effect: Any) -> None:
    fact = FileWritten(task_id="T-1", effects=[effect])
    root = tmp_path / "project"
    root.mkdir()
    blobs = BlobStore(root / ".roadmap" / "blobs", Disk())

    Publisher(root, root / "staging", blobs, Disk()).publish(file_effects([recorded(fact)]))

    assert everything_in(root) == set()
