"""Values of parts as the index keeps them: whole ones, and what a later one changed of the members before it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import compress
from operator import is_not
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.history.log_document import FileOfTask
from esaa.history.log_fold import differs
from esaa.kernel.canonical import compact
from esaa.protocol.state import Issue, Work
from esaa.protocol.task_table import Task

STEPS_MAX = 15
"""So many values in a row say only what changed."""

_LARGE = 1000
_STEP, _COMPRESSED = b"+"[0], b"z"[0]
_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_FIELDS = Task.__struct_fields__
_PLAIN = frozenset({str, type(None)})
_astuple = msgspec.structs.astuple


def encoded(before: Any, after: Any, steps: int) -> tuple[bytes, int]:
    """A value as bytes, and the number of steps in a row with it. `before` is the value that it follows, or None."""
    if steps < STEPS_MAX and before is not None and isinstance(after, Task | Work):
        old, new = _astuple(before), _astuple(after)
        # An event replaces few fields; the others are the very same objects.
        moved = compress(zip(after.__struct_fields__, old, new, strict=True), map(is_not, old, new))
        changes = {name: value for name, one, value in moved if differs(one, value)}
        if UNSET not in changes.values():
            return _kept(b"+" + _json(changes)), steps + 1
    return _kept(compact(after)), 0


def decoded(values: Iterable[bytes]) -> tuple[dict[str, Any], int]:
    """The newest value, from it and those before it, newest first; and how many steps in a row led to it."""
    changes: list[dict[str, Any]] = []
    for value in values:
        raw = zlib.decompress(value[1:]) if value[0] == _COMPRESSED else value
        if raw[0] == _STEP:
            changes.append(_DECODER.decode(raw[1:]))
            continue
        whole: dict[str, Any] = _DECODER.decode(raw)
        break
    else:
        raise ValueError("no value is whole")
    if not changes:
        return whole, 0
    for step in reversed(changes):
        whole |= step
    if "task_kind" in whole:
        # In the order of the fields, as the read model shows them.
        whole = {name: whole[name] for name in _FIELDS if name in whole}
    return whole, len(changes)


def task_from(value: dict[str, Any]) -> Task:
    """A task again."""
    return msgspec.convert(value, Task)


def work_from(value: dict[str, Any]) -> Work:
    """The work on a task again."""
    return msgspec.convert(value, Work)


def file_from(value: dict[str, Any]) -> FileOfTask:
    """A file again."""
    return msgspec.convert(value, FileOfTask)


def issue_from(view: dict[str, Any]) -> Issue:
    """An issue again, from how the read model shows it."""
    flat = {name: value for name, value in view.items() if name not in ("links", "timeline")}
    return Issue(**flat, **view["links"], **view["timeline"])


def _json(changes: dict[str, Any]) -> bytes:
    # Texts and nulls need no second look; anything else may hold a number that is spelt in its own way.
    if _PLAIN.issuperset(map(type, changes.values())):
        return msgspec.json.encode(changes)
    return compact(changes)


def _kept(raw: bytes) -> bytes:
    return b"z" + zlib.compress(raw, 1) if len(raw) > _LARGE else raw
