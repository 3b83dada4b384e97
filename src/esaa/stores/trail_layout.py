"""Where the events of a stream lie: `{date}/{issue}/events.jsonl` and the other partitions of the specification.

Readers find every partition, whatever is configured now; `archive/` repeats the layout for what is retired.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from esaa.trail.event import GLOBAL
from esaa.trail.intake import is_issue_key, is_uuid
from esaa.trail.settings import PartitionBy

ARCHIVE = "archive"
REPORTS = "reports"
SCHEMAS = "schemas"
DISPOSABLE = ".esaa"

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def base_folder(root: Path, base_path: str) -> Path:
    """Where the trail of a workspace lies: relative to it, or wherever an absolute path says."""
    return root / base_path.replace("<workspace>", str(root))


def is_date(name: str) -> bool:
    """True for the name of a date partition."""
    return _DATE.fullmatch(name) is not None


def partition(base: Path, partition_by: PartitionBy, stream: str, timestamp: str, session_id: str) -> Path:
    """The folder that an event belongs into."""
    if stream == GLOBAL:
        return base / GLOBAL
    assert is_issue_key(stream), f"{stream!r} went through no gate"
    match partition_by:
        case "date":
            return base / timestamp[:10] / stream
        case "issue":
            return base / stream
        case "session":
            return base / stream / session_id


def partitions_of(base: Path, stream: str) -> Iterator[Path]:
    """Every folder that holds events of a stream, archived ones included; in no order that matters."""
    for top in (base, base / ARCHIVE):
        yield from dated_partitions(top, stream)
        yield from undated_partitions(top, stream)


def dated_partitions(top: Path, stream: str) -> Iterator[Path]:
    """The day folders of a stream below a folder, the last day first. One may be empty: a crash can leave it so."""
    for name in reversed(_names(top)):
        if is_date(name) and os.path.isdir(f"{top}/{name}/{stream}"):
            yield top / name / stream


def days_after(top: Path, segment: Path) -> list[Path]:
    """The day folders after the one that a segment lies in; all of them where no day divides the stream."""
    own = segment.parent.parent.name
    return [top / name for name in _names(top) if is_date(name) and (not is_date(own) or name > own)]


def undated_partitions(top: Path, stream: str) -> list[Path]:
    """The folders of a stream below a folder that no day divides."""
    folder = top / stream
    if not folder.is_dir():
        return []
    return [folder, *(folder / name for name in _names(folder) if is_uuid(name))]


def stream_names(base: Path) -> list[str]:
    """Every stream of the store: `global` first where there is one, then the issues in the order of their keys."""
    found: set[str] = set()
    for top in (base, base / ARCHIVE):
        for name in _names(top):
            if is_date(name):
                found.update(key for key in _names(top / name) if is_issue_key(key))
            elif is_issue_key(name):
                found.add(name)
    keys = sorted(found, key=lambda key: (key.rpartition("-")[0], int(key.rpartition("-")[2])))
    has_global = any((top / GLOBAL).is_dir() for top in (base, base / ARCHIVE))
    return [GLOBAL, *keys] if has_global else keys


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
