"""Project paths on the disk: nothing that is a link, or no plain file, is read or written through."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from pathlib import Path

import pytest

from esaa.effects import beneath, paths
from esaa.effects.paths import UnsafePath, inspect, parent_of
from esaa.errors import StoreError
from esaa.kernel.canonical import sha256_hex
from esaa.stores.disk import Disk
from tests.workspaces import log_bytes, make_workspace, new_task, result, submit

LIMIT = 1000


@pytest.fixture(autouse=True, params=["openat2", "walk"])
def resolver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to a directory: the kernel's call, and the walk that serves where there is none."""
    if request.param == "walk":
        monkeypatch.setattr(beneath, "kernel_opener", lambda: None)
    elif beneath.kernel_opener() is None:
        pytest.skip("this kernel has no openat2, or a sandbox forbids it")
    return str(request.param)


NOBODY = 65534


def look(root: Path, path: str, *, want_content: bool = True) -> tuple[str | None, bytes | None, str | None]:
    found = inspect(root, path, bytes_max=LIMIT, want_content=want_content)
    return found.sha256, found.content, found.fault


def fault(root: Path, path: str) -> str:
    digest, content, said = look(root, path)
    assert digest is None
    assert content is None
    assert said is not None
    return said


def test_plain_file_shows_its_digest_and_its_content_where_asked(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.txt").write_bytes(b"hello")
    assert look(tmp_path, "src/a.txt") == (sha256_hex(b"hello"), b"hello", None)
    assert look(tmp_path, "src/a.txt", want_content=False) == (sha256_hex(b"hello"), None, None)


@pytest.mark.parametrize("path", ["none.txt", "src/none.txt", "none/deep/er.txt"])
def test_nothing_is_no_fault(tmp_path: Path, path: str) -> None:
    (tmp_path / "src").mkdir()
    assert look(tmp_path, path) == (None, None, None)
    assert look(tmp_path / "no-root", path) == (None, None, None)


@pytest.mark.parametrize("is_dangling", [False, True])
def test_symbolic_link_at_the_end_is_a_fault(tmp_path: Path, is_dangling: bool) -> None:
    if not is_dangling:
        (tmp_path / "target").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert fault(tmp_path, "link") == "is a symbolic link"


@pytest.mark.parametrize("target", ["inside", "../outside", "/etc", "none"])
def test_symbolic_link_on_the_way_is_a_fault_wherever_it_leads(tmp_path: Path, target: str) -> None:
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (root / "inside" / "passwd").write_bytes(b"x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "passwd").write_bytes(b"x")
    (root / "link").symlink_to(target)
    assert "`link`, which is a link or no directory" in fault(root, "link/passwd")


def test_hard_link_directory_fifo_and_socket_are_faults(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x")
    os.link(tmp_path / "one", tmp_path / "two")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    assert fault(tmp_path, "two") == "has a second hard link"
    assert fault(tmp_path, "folder") == "is a directory"
    assert fault(tmp_path, "fifo") == "is no plain file"
    assert "`fifo`" in fault(tmp_path, "fifo/below")
    assert "`one`" in fault(tmp_path, "one/below")


def test_file_that_is_too_large_is_a_fault_and_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(LIMIT + 1))
    (tmp_path / "fits").write_bytes(bytes(LIMIT))
    assert "1001 bytes" in fault(tmp_path, "large")
    assert look(tmp_path, "fits")[2] is None


def test_name_that_is_too_long_for_the_disk_is_a_fault(tmp_path: Path) -> None:
    assert "cannot be read" in fault(tmp_path, "x" * 300)


def test_file_that_becomes_a_link_while_it_is_looked_at_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    path = tmp_path / "a.txt"
    path.write_bytes(b"hello")
    real = os.stat

    def swapping(*arguments: object, **options: object) -> os.stat_result:
        status = real(*arguments, **options)  # type: ignore[arg-type]  # passed on as it came
        path.unlink()
        path.symlink_to("secret")
        return status

    monkeypatch.setattr("esaa.effects.paths.os.stat", swapping)
    found = inspect(tmp_path, "a.txt", bytes_max=LIMIT, want_content=True)
    monkeypatch.undo()
    assert found.content is None
    assert found.fault is not None


def test_directories_are_made_only_where_that_is_asked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), parent_of(tmp_path, "a/b/c.txt", create=None):
        pass
    assert not (tmp_path / "a").exists()
    with parent_of(tmp_path, "a/b/c.txt", create=Disk()) as (directory, name):
        assert name == "c.txt"
        assert os.fstat(directory).st_ino == (tmp_path / "a" / "b").stat().st_ino


def test_descriptor_stays_in_the_directory_that_was_checked_when_the_path_is_turned_away(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "src").mkdir(parents=True)
    outside.mkdir()
    with parent_of(root, "src/a.txt", create=Disk()) as (directory, name):
        (root / "src").rename(root / "moved")
        (root / "src").symlink_to(outside)
        fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=directory)
        os.close(fd)
    assert (root / "moved" / "a.txt").exists()
    assert list(outside.iterdir()) == []


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    before = os.open(tmp_path, os.O_RDONLY)
    os.close(before)
    for path in ("a/b/c.txt", "link/b/c.txt", "none/c.txt", "a/b/none/c.txt"):
        inspect(tmp_path, path, bytes_max=LIMIT, want_content=True)
    with pytest.raises(UnsafePath), parent_of(tmp_path, "link/x", create=Disk()):
        pass
    after = os.open(tmp_path, os.O_RDONLY)
    os.close(after)
    assert before == after


def test_directory_that_may_not_be_entered_is_not_called_a_link() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "closed").mkdir()
        (root / "closed" / "a.txt").write_bytes(b"x")
        (root / "closed").chmod(0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(NOBODY)
        try:
            assert fault(root, "closed/a.txt") == "cannot be read: Permission denied"
        finally:
            if is_root:
                os.seteuid(0)
            (root / "closed").chmod(0o755)


@pytest.mark.parametrize(
    "path",
    ["../a.txt", "src/../a.txt", "/etc/passwd", "src//a.txt", "./a.txt", "..", ".", "", "src/..", "a\0b", "a\0b/c"],
)
def test_path_that_would_leave_is_refused_even_where_nobody_looked_at_its_text(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    (root / "src").mkdir(parents=True)
    (tmp_path / "a.txt").write_bytes(b"outside")
    (root / "a.txt").write_bytes(b"inside")
    (root / "a").write_bytes(b"before the NUL")
    assert fault(root, path) == "is no path within the project"
    with pytest.raises(UnsafePath), parent_of(root, path, create=Disk()):
        pass


@pytest.mark.parametrize("where", ["self/root/etc/passwd", "self/cwd/x", "self/fd/0", "thread-self/root/etc/passwd"])
def test_magic_links_lead_nowhere(where: str) -> None:
    with pytest.raises((UnsafePath, FileNotFoundError)), parent_of(Path("/proc"), where, create=None) as (fd, name):
        os.close(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd))


def test_another_file_system_is_not_the_project(tmp_path: Path) -> None:
    if os.stat("/").st_dev == os.stat("/proc").st_dev:
        pytest.skip("/proc is no file system of its own here")
    assert "`proc`, which is on another file system" in fault(Path("/"), "proc/version")


def test_name_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    assert "no file can have" in fault(tmp_path, "a\ud800")
    assert "no file can have" in fault(tmp_path, "a\ud800/b")


def test_hole_in_a_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    for want_content in (False, True):
        found = inspect(tmp_path, "sparse", bytes_max=1 << 62, want_content=want_content)
        assert "more than the limit" in str(found.fault)


def test_file_that_grows_while_it_is_read_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"hello")
    real = paths.file_fault

    def growing(status: os.stat_result) -> str | None:
        (tmp_path / "a.txt").write_bytes(bytes(LIMIT + 1))
        return real(status)

    monkeypatch.setattr(paths, "file_fault", growing)
    for want_content in (False, True):
        (tmp_path / "a.txt").write_bytes(b"hello")
        assert inspect(tmp_path, "a.txt", bytes_max=LIMIT, want_content=want_content).fault == "grew while it was read"


def test_digest_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    found = inspect(tmp_path, "a", bytes_max=1 << 62, want_content=False)
    assert found.sha256 == sha256_hex(b"x" * 3_000_000)


def test_rename_in_the_middle_of_a_resolution_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never_quiet(fd: int, path: str) -> int:
        raise OSError(errno.EAGAIN, "try again")

    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_bytes(b"x")
    monkeypatch.setattr(beneath, "kernel_opener", lambda: never_quiet)
    assert look(tmp_path, "src/a")[0] == sha256_hex(b"x")


def test_directory_swapped_for_a_link_in_a_race_never_leads_out(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "src").mkdir(parents=True)
    outside.mkdir()
    (outside / "a.txt").write_bytes(b"outside")
    (root / "src" / "a.txt").write_bytes(b"inside")
    is_over = threading.Event()

    def swap() -> None:
        while not is_over.is_set():
            (root / "src").rename(root / "moved")
            (root / "src").symlink_to(outside)
            (root / "src").unlink()
            (root / "moved").rename(root / "src")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = {look(root, "src/a.txt")[1] for _ in range(500)}
    finally:
        is_over.set()
        swapper.join()
    assert seen <= {b"inside", None}


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EMFILE, errno.ENOMEM, errno.EINTR])
def test_disk_that_fails_is_no_answer_about_the_path_and_nobody_is_refused_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    workspace = make_workspace(tmp_path / "project", [new_task("T-1", outputs=["src/a.txt"])])
    submit(workspace, "agent-impl", result("claim", "T-1"))
    before = log_bytes(workspace.root)

    def failing(*arguments: object, **options: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("esaa.effects.paths.open_beneath", failing)
        with pytest.raises(StoreError, match=r"Reading .*src/a\.txt failed") as caught:
            submit(workspace, "agent-impl", result("complete", "T-1", files={"src/a.txt": "hello\n"}))
    assert caught.value.exit_code == 10
    assert caught.value.hint
    assert log_bytes(workspace.root) == before
    receipt = submit(workspace, "agent-impl", result("complete", "T-1", files={"src/a.txt": "hello\n"}))
    assert receipt.rejected is None
