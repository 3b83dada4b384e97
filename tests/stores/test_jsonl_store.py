"""What only a file can suffer: torn tails, damage, other writers' lines, short writes, full and failing disks."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from esaa.errors import CorruptLog, StoreError, WrongExpectedVersion
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Draft, Recorded
from esaa.protocol.facts import Fact, TaskCreated
from esaa.protocol.wire import ProtocolVocabulary
from esaa.stores.base import START, Batch
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore, TornTail
from tests.crash.disks import CountingDisk, FailingDisk

BATCH = Batch(ts="2026-01-05T09:00:00Z")
NOBODY = 65534


def open_store(path: Path, disk: Disk | None = None) -> JsonlStore[Fact]:
    return JsonlStore(path, ProtocolVocabulary("0.4.0"), disk or CountingDisk())


def created(number: int) -> Draft[Fact]:
    return Draft(actor="orchestrator", fact=TaskCreated(task_id=f"T-{number}", task_kind="impl", title="A task"))


def written(path: Path, count: int) -> bytes:
    """A chained log of `count` events, and its bytes."""
    open_store(path).append([created(number) for number in range(1, count + 1)], 0, BATCH)
    return path.read_bytes()


def foreign(seq: int, end: str = "\n", comma: str = ",") -> bytes:
    """A line of another writer: no prev_hash."""
    fields = [
        '"schema_version":"0.4.0"',
        f'"event_id":"EV-{seq:08d}"',
        f'"event_seq":{seq}',
        '"ts":"2026-01-05T08:00:00Z"',
        '"actor":"orchestrator"',
        '"action":"task.create"',
        f'"payload":{{"task_id":"F-{seq}","task_kind":"impl","title":"Théirs"}}',
    ]
    return ("{" + comma.join(fields) + "}" + end).encode()


def read(path: Path) -> list[Recorded[Fact]]:
    return list(open_store(path).read())


# Another writer's log


@pytest.mark.parametrize("last_end", ["\n", "", "\r\n", "\n\n", "\n\r\n \n"])
def test_log_of_another_writer_goes_on_with_the_hash_of_its_last_line(tmp_path: Path, last_end: str) -> None:
    path = tmp_path / "activity.jsonl"
    theirs = foreign(1, "\r\n") + b"\n" + foreign(2, "\n", ", ") + foreign(3, last_end)
    path.write_bytes(theirs)
    store = open_store(path)
    assert [event.version for event in store.read()] == [1, 2, 3]
    first, second = store.append([created(4), created(5)], 3, BATCH)
    last_line = foreign(3, "\r" if last_end.startswith("\r") else "")
    assert first.prev_hash == leaf_hash(last_line)
    assert second.prev_hash == leaf_hash(ProtocolVocabulary().encode(first))
    stored = path.read_bytes()
    assert stored.startswith(theirs), "what another writer wrote is never changed"
    assert stored.endswith(b"}\n")
    assert [event.version for event in read(path)] == [1, 2, 3, 4, 5]
    third = store.append([created(6)], 5, BATCH)
    assert tuple(open_store(path).read(START))[5:] == third


def test_reading_goes_on_after_a_last_line_that_got_its_line_feed_later(tmp_path: Path) -> None:
    path = tmp_path / "activity.jsonl"
    path.write_bytes(foreign(1, ""))
    reader, writer = open_store(path), open_store(path)
    assert len(list(reader.read())) == len(list(writer.read())) == 1
    writer.append([created(2)], 1, BATCH)
    assert [event.version for event in reader.read(reader.head())] == [2]


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n", "\n\r\n \n"])
@pytest.mark.parametrize("count", [1, 2])
def test_place_at_the_end_of_another_writers_log_is_found_again(tmp_path: Path, count: int, end: str) -> None:
    path = tmp_path / "activity.jsonl"
    path.write_bytes(b"".join(foreign(seq) for seq in range(1, count)) + foreign(count, end))
    store = open_store(path)
    list(store.read())
    place = store.head()
    assert store.is_at(place)
    store.append([created(count + 1)], count, BATCH)
    assert open_store(path).is_at(place)
    assert open_store(path).is_at(store.head())


def test_place_is_not_found_in_a_log_that_has_other_lines_there(tmp_path: Path) -> None:
    path, other = tmp_path / "activity.jsonl", tmp_path / "other.jsonl"
    written(path, 3)
    store = open_store(path)
    list(store.read())
    place = store.head()
    assert store.is_at(START)
    data = path.read_bytes()
    for changed in (b"", data[:-1] + b" ", data[:-2], data[:-2] + b" \n", data.replace(b"T-3", b"T-4")):
        other.write_bytes(changed)
        assert not open_store(other).is_at(place), changed
    assert not open_store(tmp_path / "none.jsonl").is_at(place)


# Torn tail or damage


def test_last_line_cut_at_any_byte_is_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "activity.jsonl"
    data = written(path, 3)
    sound = data.rindex(b"\n", 0, -1) + 1
    for size in range(sound + 1, len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(TornTail) as caught:
            read(path)
        assert (caught.value.keep, caught.value.line) == (sound, 3), size
        assert caught.value.exit_code == 4
    path.write_bytes(data[:sound])
    assert len(read(path)) == 2


def test_zeros_where_the_last_line_should_be_are_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "activity.jsonl"
    data = written(path, 2)
    path.write_bytes(data + bytes(300))
    with pytest.raises(TornTail) as caught:
        read(path)
    assert caught.value.keep == len(data)


def test_cut_removes_the_torn_tail_and_the_log_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "activity.jsonl"
    data = written(path, 2)
    path.write_bytes(data + b'{"schema_version":"0.4.0","ev')
    disk = CountingDisk()
    store = open_store(path, disk)
    with pytest.raises(TornTail) as caught:
        list(store.read())
    store.cut(caught.value.keep)
    assert disk.steps == ["truncate", "fsync"]
    assert path.read_bytes() == data
    assert store.append([created(3)], 2, BATCH)[0].version == 3


@pytest.mark.parametrize("line", [1, 2, 3, 4])
def test_garbage_in_a_whole_line_is_damage_wherever_it_stands(tmp_path: Path, line: int) -> None:
    path = tmp_path / "activity.jsonl"
    lines = written(path, 4).splitlines(keepends=True)
    lines[line - 1] = b"garbage\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(CorruptLog) as caught:
        read(path)
    assert (caught.value.line, caught.value.exit_code) == (line, 4)
    assert f"line {line}" in caught.value.message


@pytest.mark.parametrize("line", [1, 2, 3])
def test_changed_byte_is_found_by_the_link_of_the_next_line(tmp_path: Path, line: int) -> None:
    path = tmp_path / "activity.jsonl"
    lines = written(path, 4).splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b"A task", b"A tusk")
    path.write_bytes(b"".join(lines))
    with pytest.raises(CorruptLog) as caught:
        read(path)
    assert (caught.value.code, caught.value.line) == ("CHAIN_BROKEN", line)
    assert f"line {line + 1}" in caught.value.message


def test_missing_line_is_a_gap_and_a_missing_link_breaks_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "activity.jsonl"
    lines = written(path, 4).splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2] + lines[3])
    with pytest.raises(CorruptLog, match="event_seq 3 follows 1") as caught:
        read(path)
    assert caught.value.line == 2
    link = lines[2].index(b',"prev_hash"')
    path.write_bytes(lines[0] + lines[1] + lines[2][:link] + b"}\n" + lines[3])
    with pytest.raises(CorruptLog, match="prev_hash is missing") as caught:
        read(path)
    assert (caught.value.code, caught.value.line) == ("CHAIN_BROKEN", 3)


def test_damage_is_reported_after_the_sound_events_before_it(tmp_path: Path) -> None:
    path = tmp_path / "activity.jsonl"
    lines = written(path, 3).splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + b"{}\n" + lines[2])
    events = open_store(path).read()
    assert [next(events).version, next(events).version] == [1, 2]
    with pytest.raises(CorruptLog):
        next(events)


# Writing


def test_batch_is_one_write_and_one_sync_and_a_new_file_is_entered_durably(tmp_path: Path) -> None:
    disk = CountingDisk()
    store = open_store(tmp_path / "activity.jsonl", disk)
    store.append([created(1), created(2), created(3)], 0, BATCH)
    assert disk.steps == ["open", "write", "fdatasync", f"sync {tmp_path.name}"]
    store.append([created(4), created(5)], 3, BATCH)
    assert disk.steps[4:] == ["open", "write", "fdatasync"]


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    sizes: list[int] = []

    def short(fd: int, data: bytes) -> int:
        sizes.append(real(fd, bytes(data[:7])))
        return sizes[-1]

    monkeypatch.setattr("esaa.stores.disk.os.write", short)
    path = tmp_path / "activity.jsonl"
    store = open_store(path, Disk())
    events = store.append([created(1), created(2)], 0, BATCH)
    monkeypatch.undo()
    assert len(sizes) > 20
    assert tuple(read(path)) == events


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_failed_write_is_undone_and_poisons_the_store(tmp_path: Path, number: int) -> None:
    path = tmp_path / "activity.jsonl"
    before = written(path, 2)
    store = open_store(path, FailingDisk(2, number))
    list(store.read())
    with pytest.raises(StoreError) as caught:
        store.append([created(3)], 2, BATCH)
    assert caught.value.exit_code == 10
    assert caught.value.context["errno"] == number
    assert caught.value.hint
    assert path.read_bytes() == before
    with pytest.raises(StoreError) as again:
        store.append([created(3)], 2, BATCH)
    assert again.value.code == "STORE_POISONED"
    assert path.read_bytes() == before
    fresh = open_store(path)
    list(fresh.read())
    assert fresh.append([created(3)], 2, BATCH)[0].version == 3


def test_write_that_fails_and_cannot_be_undone_leaves_a_torn_tail(tmp_path: Path) -> None:
    class NoUndo(FailingDisk):
        def truncate(self, fd: int, size: int) -> None:
            raise OSError(errno.EIO, "no")

    path = tmp_path / "activity.jsonl"
    before = written(path, 2)
    store = open_store(path, NoUndo(2, errno.ENOSPC))
    list(store.read())
    with pytest.raises(StoreError) as caught:
        store.append([created(3)], 2, BATCH)
    assert caught.value.context["errno"] == errno.ENOSPC, "the first error is the one that is told"
    with pytest.raises(TornTail) as torn:
        read(path)
    assert torn.value.keep == len(before)


@pytest.mark.parametrize(("step", "is_new"), [(3, True), (3, False), (4, True)])
def test_failed_sync_poisons_the_store_and_is_never_tried_again(tmp_path: Path, step: int, is_new: bool) -> None:
    path = tmp_path / "activity.jsonl"
    if not is_new:
        written(path, 2)
    disk = FailingDisk(step, errno.EIO)
    store = open_store(path, disk)
    version = len(list(store.read()))
    with pytest.raises(StoreError) as caught:
        store.append([created(9)], version, BATCH)
    assert caught.value.exit_code == 10
    assert store.head().version == version, "nothing was acknowledged"
    steps = list(disk.steps)
    with pytest.raises(StoreError) as again:
        store.append([created(9)], version, BATCH)
    assert again.value.code == "STORE_POISONED"
    assert disk.steps == steps


def test_log_that_grew_since_it_was_read_is_not_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "activity.jsonl"
    written(path, 1)
    ours, theirs = open_store(path), open_store(path)
    list(ours.read()), list(theirs.read())
    theirs.append([created(2)], 1, BATCH)
    data = path.read_bytes()
    with pytest.raises(WrongExpectedVersion):
        ours.append([created(2)], 1, BATCH)
    assert path.read_bytes() == data
    list(ours.read(ours.head()))
    assert ours.append([created(3)], 2, BATCH)[0].version == 3


@pytest.mark.parametrize("is_dangling", [False, True])
def test_log_that_was_replaced_by_a_symbolic_link_is_not_written(tmp_path: Path, is_dangling: bool) -> None:
    path, elsewhere = tmp_path / "activity.jsonl", tmp_path / "elsewhere.jsonl"
    data = written(elsewhere, 1)
    store = open_store(path)
    if is_dangling:
        elsewhere.unlink()
    path.symlink_to(elsewhere)
    list(store.read())
    with pytest.raises(StoreError, match="symbolic link") as caught:
        store.append([created(2)], store.head().version, BATCH)
    assert caught.value.context["errno"] == errno.ELOOP
    with pytest.raises(OSError, match="symbolic links"):
        store.cut(0)
    assert elsewhere.exists() != is_dangling
    assert is_dangling or elsewhere.read_bytes() == data


@contextmanager
def unprivileged_folder() -> Iterator[Path]:
    """A folder that this process may read and not write; root first becomes somebody else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_folder_that_may_not_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    with unprivileged_folder() as folder:
        store = open_store(folder / "activity.jsonl")
        with pytest.raises(StoreError, match="check owner and permissions") as caught:
            store.append([created(1)], 0, BATCH)
        assert caught.value.exit_code == 10
        assert list(folder.iterdir()) == []


def test_reading_is_possible_where_writing_is_not() -> None:
    with unprivileged_folder() as folder:
        assert list(open_store(folder / "activity.jsonl").read()) == []
        assert open_store(folder / "activity.jsonl").size() == 0
