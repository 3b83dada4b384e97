"""The files that a past tells of, as they were at a moment: which there are, what was in them, what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal, NamedTuple

from msgspec import UNSET

from esaa.errors import EsaaError, NotFound
from esaa.history.entries import Entry
from esaa.history.members import HasMembers
from esaa.history.past import Past
from esaa.history.pointers import parse_pointer, pointer_of
from esaa.history.tree import is_binary, patch_text
from esaa.protocol.facts import FileWritten
from esaa.runtime.history.changed_parts import changed_in
from esaa.runtime.history.commands import command
from esaa.runtime.history.lines import fact_of
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.views import FileRow, FilesView

WRITE = "orchestrator.file.write"
CONTENT_SHOWN_MAX = 512 * 1024
Changed = Literal["added", "changed", "removed", ""]


class Content(NamedTuple):
    """The content of a digest, or why there is none."""

    data: bytes | None
    fault: str = ""


def files_view(
    past: Past, sources: Sources, seq: int, *, since: int | None, path: str | None, offset: int, count: int
) -> FilesView:
    """A page of the files, or one with its content and patch. Raises `NotFound` for a file that was never there."""
    removed = [] if since is None else list(_removed(past, since, seq))
    said = command(past, "checkout", "--at", seq, "DIR")
    if since is not None:
        said = command(past, "diff", f"{since}..{seq}", "--files")
    if path is not None:
        return _one(past, sources, seq, since, path, said)
    rows = [
        _row(past, seq, name, part, since) for name, part in islice(past.parts(seq, "files"), offset, offset + count)
    ]
    total = (
        past.member_sizes(seq)["files"] if isinstance(past, HasMembers) else sum(1 for _ in past.parts(seq, "files"))
    )
    # What is gone stands at the end, after all that is there.
    rest = max(offset - total, 0)
    rows += [FileRow(path=one, sha256=None, bytes=None, task_id=None, seq=None, changed="removed") for one in removed][
        rest : rest + max(count - len(rows), 0)
    ]
    return FilesView(
        past=past.name,
        at=seq,
        cli=said,
        since=since,
        total=total + len(removed),
        offset=offset,
        files=tuple(rows),
    )


def digest_of(part: Any) -> str | None:
    """The digest of a file's content as its part tells it: of either vocabulary."""
    found = part.get("sha256") if isinstance(part, Mapping) else part
    return found if isinstance(found, str) else None


def content_at(past: Past, sources: Sources, seq: int, path: str) -> Content:
    """The content of a file at a moment."""
    part = past.part(seq, pointer_of(("files", path)))
    if part is UNSET or (part is None and past.kind == "trail"):
        return Content(None, "not there")
    digest = digest_of(part)
    if digest is None:
        return Content(None, "the log does not tell its digest")
    return stored_content(sources, digest)


def stored_content(sources: Sources, digest: str) -> Content:
    """The content of a digest from what was kept."""
    try:
        data = sources.content_of(digest)
    except (EsaaError, OSError) as error:
        return Content(None, str(error))
    return Content(None, "its content was not kept, or was erased") if data is None else Content(data)


def rows_of_write(past: Past, entry: Entry) -> Iterator[FileRow]:
    """The files that one event of the log wrote."""
    fact = fact_of(past, entry.seq)
    if not isinstance(fact, FileWritten):
        return
    effects = {
        one["path"]: one
        for one in (fact.effects if isinstance(fact.effects, list) else ())
        if isinstance(one, dict) and isinstance(one.get("path"), str)
    }
    for path in fact.files:
        effect = effects.get(path, {})
        yield FileRow(
            path=path,
            sha256=_text(effect.get("after_sha256")),
            bytes=size if isinstance(size := effect.get("bytes"), int) else None,
            task_id=entry.subject,
            seq=entry.seq,
        )


def changed_files(past: Past, since: int, seq: int) -> list[str]:
    """The paths of the files that differ between two moments, in the order of the alphabet."""
    found: list[str] = []
    for pointer in changed_in(past, min(since, seq), max(since, seq), "files"):
        names = parse_pointer(pointer)
        if len(names) == 2:
            before, after = (_digest_at(past, one, names[1]) for one in (since, seq))
            if before != after:
                found.append(names[1])
    return sorted(found)


def patch_between(past: Past, sources: Sources, since: int, seq: int, path: str) -> str:
    """What changed in one file, as a unified diff that `git apply` takes; a remark where a content is not there."""
    before, after = (content_at(past, sources, one, path) for one in (since, seq))
    return patch_text(
        path,
        before.data,
        after.data,
        was_there=_is_there(past, since, path),
        is_there=_is_there(past, seq, path),
    )


def _one(past: Past, sources: Sources, seq: int, since: int | None, path: str, said: str) -> FilesView:
    pointer = pointer_of(("files", path))
    part = past.part(seq, pointer)
    before = UNSET if since is None else past.part(since, pointer)
    if part is UNSET and before is UNSET:
        raise NotFound("FILE_NOT_FOUND", f"Up to event #{seq} nobody wrote {path[:120]}.", "Look at another time.")
    found = content_at(past, sources, seq, path)
    binary = found.data is not None and is_binary(found.data)
    note = found.fault
    text: str | None = None
    if binary:
        note = "it is binary"
    elif found.data is not None and len(found.data) > CONTENT_SHOWN_MAX:
        note = f"it has {len(found.data):,} bytes, and is not shown"
    elif found.data is not None:
        text = found.data.decode("utf-8", "replace")
    row = (
        FileRow(path=path, sha256=None, bytes=None, task_id=None, seq=None, changed="removed")
        if part is UNSET
        else _row(past, seq, path, part, since)
    )
    return FilesView(
        past=past.name,
        at=seq,
        cli=said,
        since=since,
        total=1,
        offset=0,
        files=(row,),
        path=path,
        content=text,
        is_binary=binary,
        patch=None if since is None else patch_between(past, sources, since, seq, path),
        note=note,
    )


def _row(past: Past, seq: int, path: str, part: Any, since: int | None) -> FileRow:
    pointer = pointer_of(("files", path))
    seqs = past.part_changes(pointer, seq)
    written = seqs[-1] if seqs else None
    size: int | None = None
    if past.kind == "log" and written is not None:
        entry = past.entry(written)
        size = next((one.bytes for one in rows_of_write(past, entry) if one.path == path), None)
    task_id = part.get("task_id") if isinstance(part, Mapping) else None
    return FileRow(
        path=path,
        sha256=digest_of(part),
        bytes=size,
        task_id=_text(task_id),
        seq=written,
        changed="" if since is None else _change(past, since, path, part),
    )


def _change(past: Past, since: int, path: str, part: Any) -> Changed:
    before = past.part(since, pointer_of(("files", path)))
    if before is UNSET:
        return "added"
    return "" if digest_of(before) == digest_of(part) else "changed"


def _removed(past: Past, since: int, seq: int) -> Iterator[str]:
    if past.kind == "log" and since <= seq:
        return  # events of the log write files, and remove none
    gone = (one for one in changed_in(past, min(since, seq), max(since, seq), "files") if past.part(seq, one) is UNSET)
    yield from sorted(parse_pointer(one)[1] for one in gone)


def _digest_at(past: Past, seq: int, path: str) -> tuple[bool, str | None]:
    part = past.part(seq, pointer_of(("files", path)))
    return part is not UNSET, None if part is UNSET else digest_of(part)


def _is_there(past: Past, seq: int, path: str) -> bool:
    part = past.part(seq, pointer_of(("files", path)))
    return part is not UNSET and not (part is None and past.kind == "trail")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
