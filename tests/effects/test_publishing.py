"""Publishing files: idempotent, never over somebody else's change, never through a link, repaired by running again."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from esaa.effects.files import FileEffect, Publisher
from esaa.errors import StoreError
from esaa.kernel.canonical import sha256_hex
from esaa.stores.blobs import BlobStore
from esaa.stores.disk import Disk
from tests.crash.disks import CountingDisk, DeadlyDisk, Death, FailingDisk, Killed


class Project:
    """A project with blobs, and effects by their contents."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = BlobStore(root / ".roadmap" / "blobs", CountingDisk())
        root.mkdir(exist_ok=True)

    def publish(self, *effects: FileEffect, disk: Disk | None = None) -> list[str]:
        staging = self.root / ".roadmap" / ".esaa" / "staging"
        return Publisher(self.root, staging, self.blobs, disk or CountingDisk()).publish(list(effects))

    def effect(self, path: str, before: bytes | None, after: bytes, number: int = 1) -> FileEffect:
        return FileEffect(
            event_id=f"EV-{number:08d}",
            path=path,
            before_sha256=None if before is None else sha256_hex(before),
            after_sha256=self.blobs.put(after),
        )

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_new_file_is_written_with_its_directories(project: Project) -> None:
    assert project.publish(project.effect("src/deep/a.txt", None, b"hello")) == []
    assert project.read("src/deep/a.txt") == b"hello"
    assert list((project.root / ".roadmap" / ".esaa" / "staging").iterdir()) == []


class _Thief(CountingDisk):
    """Moves a folder away as soon as a name is made in it."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__()
        self._folder = folder
        self._name = name

    def make_dir(self, name: str, directory: int) -> None:
        """Makes a directory, and has a folder stolen."""
        super().make_dir(name, directory)
        if name == self._name:
            self._folder.rename(self._folder.with_name("stolen"))


@pytest.mark.parametrize(("stolen", "told"), [("src", "`src/deep`"), ("src/deep", "`deep`")])
def test_folder_that_is_moved_away_meanwhile_is_a_finding_and_no_fault_of_the_disk(
    project: Project, stolen: str, told: str
) -> None:
    effect = project.effect("src/deep/a.txt", None, b"hello")

    (finding,) = project.publish(effect, disk=_Thief(project.root / stolen, "deep"))

    assert f"`src/deep/a.txt` leads through {told}, which was moved away meanwhile and was not written" in finding
    assert not list(project.root.rglob("a.txt"))
    assert project.publish(effect) == []
    assert project.read("src/deep/a.txt") == b"hello"


def test_content_is_synced_before_the_name_and_the_name_after(project: Project) -> None:
    disk = CountingDisk()
    project.publish(project.effect("a.txt", None, b"hello"), disk=disk)
    assert disk.steps[-4:] == ["write", "fsync", "rename a.txt", "fsync"]


def test_publishing_again_writes_nothing_and_makes_the_names_durable(project: Project) -> None:
    effect = project.effect("src/a.txt", None, b"hello")
    project.publish(effect)
    before = (project.root / "src" / "a.txt").stat()
    disk = CountingDisk()
    assert project.publish(effect, disk=disk) == []
    after = (project.root / "src" / "a.txt").stat()
    # The process that put it there may have been killed before that: of `src` in the project, of `a.txt` in `src`.
    assert disk.steps == ["fsync", "fsync"]
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_file_of_the_expected_digest_is_replaced(project: Project) -> None:
    project.publish(project.effect("src/a.txt", None, b"one"))
    assert project.publish(project.effect("src/a.txt", b"one", b"two")) == []
    assert project.read("src/a.txt") == b"two"


@pytest.mark.parametrize("before", [None, b"one"])
def test_file_that_someone_else_changed_is_not_overwritten(project: Project, before: bytes | None) -> None:
    (project.root / "a.txt").write_bytes(b"mine!")
    (finding,) = project.publish(project.effect("a.txt", before, b"two"))
    assert "EV-00000001: `a.txt` was changed by someone else and was not overwritten" in finding
    assert project.read("a.txt") == b"mine!"


def test_file_that_someone_removed_is_not_brought_back_by_a_change_to_it(project: Project) -> None:
    (finding,) = project.publish(project.effect("a.txt", b"one", b"two"))
    assert "changed by someone else" in finding
    assert not (project.root / "a.txt").exists()


def test_missing_content_is_reported_and_the_others_are_published(project: Project) -> None:
    lost = FileEffect(event_id="EV-00000009", path="lost.txt", before_sha256=None, after_sha256=sha256_hex(b"lost"))
    (finding,) = project.publish(lost, project.effect("a.txt", None, b"hello"))
    assert "EV-00000009: the content of `lost.txt` is missing from .roadmap/blobs" in finding
    assert project.read("a.txt") == b"hello"
    assert not (project.root / "lost.txt").exists()


@pytest.mark.parametrize("published", range(4))
def test_chain_of_changes_is_brought_to_its_end_from_wherever_it_stopped(project: Project, published: int) -> None:
    chain = [
        project.effect("a.txt", None, b"one", 1),
        project.effect("a.txt", b"one", b"two", 2),
        project.effect("a.txt", b"two", b"three", 3),
    ]
    for effect in chain[:published]:
        assert project.publish(effect) == []
    assert project.publish(*chain) == []
    assert project.read("a.txt") == b"three"


def test_chain_of_changes_is_left_alone_where_someone_changed_the_file_in_between(project: Project) -> None:
    chain = [project.effect("a.txt", None, b"one", 1), project.effect("a.txt", b"one", b"two", 2)]
    (project.root / "a.txt").write_bytes(b"mine!")
    assert len(project.publish(*chain)) == 1
    assert project.read("a.txt") == b"mine!"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755, 0o777, 0o400])
def test_mode_of_a_replaced_file_is_kept_whatever_the_umask(project: Project, mode: int) -> None:
    project.publish(project.effect("run.sh", None, b"one"))
    (project.root / "run.sh").chmod(mode)
    umask = os.umask(0o027)
    try:
        assert project.publish(project.effect("run.sh", b"one", b"two")) == []
    finally:
        os.umask(umask)
    assert project.read("run.sh") == b"two"
    assert stat.S_IMODE((project.root / "run.sh").stat().st_mode) == mode


def test_left_over_of_a_killed_publication_does_not_lend_its_mode(project: Project) -> None:
    effect = project.effect("a.txt", None, b"hello")
    staging = project.root / ".roadmap" / ".esaa" / "staging"
    staging.mkdir(parents=True)
    left_over = staging / f"{effect.event_id}-{effect.after_sha256[:16]}"
    left_over.write_bytes(b"something much longer than the content")
    left_over.chmod(0o600)
    (project.root / "a.txt").write_bytes(b"one")
    (project.root / "a.txt").chmod(0o640)
    assert project.publish(project.effect("a.txt", b"one", b"hello")) == []
    assert project.read("a.txt") == b"hello"
    assert stat.S_IMODE((project.root / "a.txt").stat().st_mode) == 0o640


# What lies in the way


def obstruct(root: Path, kind: str) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "a.txt").write_bytes(b"precious")
    source = root / "src"
    if kind == "directory is a link":
        source.symlink_to(outside)
        return
    if kind == "directory is a file":
        source.write_bytes(b"")
        return
    if kind == "directory is a fifo":
        os.mkfifo(source)
        return
    source.mkdir()
    if kind == "file is a link":
        (source / "a.txt").symlink_to(outside / "a.txt")
    if kind == "file is a hard link":
        os.link(outside / "a.txt", source / "a.txt")
    if kind == "file is a directory":
        (source / "a.txt").mkdir()
    if kind == "file is a fifo":
        os.mkfifo(source / "a.txt")


KINDS = [
    "directory is a link",
    "directory is a file",
    "directory is a fifo",
    "file is a link",
    "file is a hard link",
    "file is a directory",
    "file is a fifo",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [None, b"precious"])
def test_nothing_is_written_through_or_over_what_is_no_plain_file(
    project: Project, kind: str, before: bytes | None
) -> None:
    obstruct(project.root, kind)
    (finding,) = project.publish(project.effect("src/a.txt", before, b"new"))
    assert "and was not written" in finding
    outside = project.root.parent / "outside"
    assert [path.name for path in outside.iterdir()] == ["a.txt"]
    assert (outside / "a.txt").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", KINDS)
def test_obstacle_that_appears_after_the_look_is_found_on_the_descriptor(
    project: Project, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = project.blobs.get

    def obstructing(digest: str) -> bytes | None:
        obstruct(project.root, kind)
        return real(digest)

    effect = project.effect("src/a.txt", None, b"new")
    monkeypatch.setattr(project.blobs, "get", obstructing)
    (finding,) = project.publish(effect)
    assert "and was not written" in finding
    assert (project.root.parent / "outside" / "a.txt").read_bytes() == b"precious"


# Failing and dying


def test_failing_disk_is_a_storage_error_and_running_again_goes_on(project: Project) -> None:
    effects = [project.effect(f"src/{name}.txt", None, name.encode()) for name in "abc"]
    disk = CountingDisk()
    project.publish(*effects, disk=disk)
    assert len(disk.steps) > 12
    for step in range(1, len(disk.steps) + 1):
        again = Project(project.root.parent / f"at-{step}")
        effects = [again.effect(f"src/{name}.txt", None, name.encode()) for name in "abc"]
        with pytest.raises(StoreError) as caught:
            again.publish(*effects, disk=FailingDisk(step, errno.ENOSPC))
        assert caught.value.exit_code == 10
        assert again.publish(*effects) == []
        assert [again.read(f"src/{name}.txt") for name in "abc"] == [b"a", b"b", b"c"]


@pytest.mark.parametrize("death", ["before", "torn", "after"])
def test_killed_publication_leaves_whole_files_and_is_finished_by_running_again(project: Project, death: Death) -> None:
    def effects_of(one: Project) -> list[FileEffect]:
        return [one.effect(f"src/{name}.txt", b"old", name.encode() * 1000) for name in "abc"]

    for step in range(1, 13):
        again = Project(project.root.parent / f"at-{step}")
        again.publish(*(again.effect(f"src/{name}.txt", None, b"old") for name in "abc"))
        effects = effects_of(again)
        with pytest.raises(Killed):
            again.publish(*effects, disk=DeadlyDisk(step, death))
        for name in "abc":
            assert again.read(f"src/{name}.txt") in (b"old", name.encode() * 1000)
        assert again.publish(*effects) == []
        assert [again.read(f"src/{name}.txt") for name in "abc"] == [name.encode() * 1000 for name in "abc"]
