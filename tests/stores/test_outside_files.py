"""Files from outside: what is named may be anything that can be read, what lies at its place is a plain file."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from esaa.kernel.ingest import Limit, NotIngested, TooLarge
from esaa.stores.outside import NotReadable, open_named, read_named, read_placed

LIMIT = Limit(10)


def test_plain_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 10)
    assert read_placed(path, LIMIT) == read_named(path, LIMIT) == b"x" * 10
    path.write_bytes(b"x" * 1000)
    for read in (read_placed, read_named):
        with pytest.raises(TooLarge):
            read(path, LIMIT)
        assert read(path, LIMIT, keeps_excess=True) == b"x" * 11


def test_missing_file_is_told_apart_where_it_has_a_place(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_placed(tmp_path / "none", LIMIT)
    with pytest.raises(NotReadable, match="No such file"):
        read_named(tmp_path / "none", LIMIT)


def test_link_pipe_socket_folder_and_device_have_no_place(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to("secret")
    (tmp_path / "dangling").symlink_to("none")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    try:
        for name, why in (
            ("link", "symbolic link"),
            ("dangling", "symbolic link"),
            ("pipe", "not a regular file"),
            ("folder", "not a regular file"),
            ("socket", "No such device"),
        ):
            with pytest.raises(NotReadable, match=why):
                read_placed(tmp_path / name, LIMIT)
    finally:
        server.close()
    with pytest.raises(NotReadable, match="not a regular file"):
        read_placed(Path("/dev/zero"), LIMIT)


def test_endless_device_that_a_person_names_is_read_to_the_limit() -> None:
    with pytest.raises(TooLarge):
        read_named("/dev/zero", LIMIT)


def test_pipe_that_a_person_names_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"12345",))
    writer.start()
    assert read_named(tmp_path / "pipe", LIMIT) == b"12345"
    writer.join()


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "", "."])
def test_name_that_opens_nothing_is_a_refusal(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotIngested):
        read_named(name, LIMIT)
    with pytest.raises((NotIngested, FileNotFoundError)):
        read_placed(Path(name), LIMIT)


def test_closed_standard_input_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(NotReadable, match="standard input is closed"), open_named("-"):
        pass


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 100)
    before = len(os.listdir("/proc/self/fd"))
    for path in (tmp_path / "large", tmp_path, Path("/dev/zero")):
        for read in (read_placed, read_named):
            with pytest.raises(NotIngested):
                read(path, LIMIT)
    assert len(os.listdir("/proc/self/fd")) == before
