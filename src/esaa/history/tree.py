"""What changed in a file, as a patch that `git apply` takes.

What git could not apply is told in a remark: a binary content, and one that is not there. A remark stands before any
header, where git passes it over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_CONTEXT = 3
"""How many lines around a change are shown."""
_COMPARED_MAX = 4_000_000
"""How many pairs of lines may be compared. Where there are more, the lines are told as replaced."""
_BINARY_LOOK = 8_000
_NO_NEWLINE = "\\ No newline at end of file\n"
_SHORT = {0x07: "a", 0x08: "b", 0x09: "t", 0x0A: "n", 0x0B: "v", 0x0C: "f", 0x0D: "r", 0x22: '"', 0x5C: "\\"}


class _Run(NamedTuple):
    """Lines that are the same on both sides, or that replace each other: `[first, last)` on either side."""

    is_same: bool
    first: int
    last: int
    other_first: int
    other_last: int


def is_binary(data: bytes) -> bool:
    """True where a content is no text: it has a NUL near its beginning (as git looks), or is not UTF-8."""
    if b"\0" in data[:_BINARY_LOOK]:
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def patch_text(
    path: str, before: bytes | None, after: bytes | None, *, was_there: bool = True, is_there: bool = True
) -> str:
    """What turns one content of a file into another; empty where they are the same, or there never was a file.

    None is a content that nobody kept, unless the file was not there (`was_there`), or is not there any more
    (`is_there`). Of such a content, and of a binary one, the patch has a remark alone.
    """
    if not was_there and not is_there:
        return ""
    if (was_there and before is None) or (is_there and after is None):
        return f"esaa: {_quoted(path)} may have changed; a content of it was not kept, or was erased.\n"
    old, new = (before if was_there else None), (after if is_there else None)
    if old == new:
        return ""
    if any(one is not None and is_binary(one) for one in (old, new)):
        return f"esaa: {_quoted(path)} is binary; {_size(old)} became {_size(new)}.\n"
    return "".join(_lines(path, old, new))


def _lines(path: str, old: bytes | None, new: bytes | None) -> Iterator[str]:
    names = (_quoted(f"a/{path}"), _quoted(f"b/{path}"))
    yield f"diff --git {names[0]} {names[1]}\n"
    if old is None:
        yield "new file mode 100644\n"
    if new is None:
        yield "deleted file mode 100644\n"
    if not old and not new:
        return
    # A name that has a blank ends with a tab: other tools would take the rest for a time.
    yield f"--- {'/dev/null' if old is None else _ended(names[0])}\n"
    yield f"+++ {'/dev/null' if new is None else _ended(names[1])}\n"
    a, b = _split(old or b""), _split(new or b"")
    for hunk in _hunks(_runs(a, b)):
        yield from _hunk_lines(hunk, a, b)


def _split(data: bytes) -> list[str]:
    """The lines with their ends. Nothing but a line feed ends a line: a patch is about bytes."""
    lines = data.decode().split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _runs(a: Sequence[str], b: Sequence[str]) -> list[_Run]:
    """What is the same and what is not, over all lines. What the ends have in common is not compared again."""
    shorter = min(len(a), len(b))
    head = next((index for index in range(shorter) if a[index] != b[index]), shorter)
    tail = next((index for index in range(shorter - head) if a[-1 - index] != b[-1 - index]), shorter - head)
    old, new = a[head : len(a) - tail], b[head : len(b) - tail]
    runs = [_Run(True, 0, head, 0, head)]
    if len(old) * len(new) > _COMPARED_MAX:
        runs.append(_Run(False, head, len(a) - tail, head, len(b) - tail))
    else:
        codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        runs += [_Run(tag == "equal", head + i, head + j, head + k, head + n) for tag, i, j, k, n in codes]
    runs.append(_Run(True, len(a) - tail, len(a), len(b) - tail, len(b)))
    return [run for run in runs if run.last > run.first or run.other_last > run.other_first]


def _hunks(runs: Sequence[_Run]) -> Iterator[list[_Run]]:
    """Groups of runs with a few lines around them; those whose surroundings meet are one."""
    hunk: list[_Run] = []
    for index, run in enumerate(runs):
        if not run.is_same:
            hunk.append(run)
            continue
        length = run.last - run.first
        lead = 0 if index == 0 else min(_CONTEXT, length)
        trail = 0 if index == len(runs) - 1 else min(_CONTEXT, length)
        if hunk and trail and length <= 2 * _CONTEXT:
            hunk.append(run)
            continue
        if hunk:
            yield [*hunk, _Run(True, run.first, run.first + lead, run.other_first, run.other_first + lead)]
        hunk = [_Run(True, run.last - trail, run.last, run.other_last - trail, run.other_last)]
    if any(not run.is_same for run in hunk):
        yield hunk


def _hunk_lines(hunk: Sequence[_Run], a: Sequence[str], b: Sequence[str]) -> Iterator[str]:
    old = _range(hunk[0].first, hunk[-1].last)
    new = _range(hunk[0].other_first, hunk[-1].other_last)
    yield f"@@ -{old} +{new} @@\n"
    for run in hunk:
        if run.is_same:
            yield from _marked(" ", a[run.first : run.last])
        else:
            yield from _marked("-", a[run.first : run.last])
            yield from _marked("+", b[run.other_first : run.other_last])


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n{_NO_NEWLINE}"


def _range(first: int, last: int) -> str:
    """Lines as a hunk names them: counted from 1, and by the line before where there are none."""
    length = last - first
    start = first + 1 if length else first
    return f"{start}" if length == 1 else f"{start},{length}"


def _quoted(path: str) -> str:
    """A path as git writes it: in quotes with escapes where it has anything but plain characters."""
    data = path.encode("utf-8", "surrogatepass")
    if all(0x20 <= one < 0x7F and one not in _SHORT for one in data):
        return path
    return '"' + "".join(_escaped(one) for one in data) + '"'


def _escaped(one: int) -> str:
    if one in _SHORT:
        return f"\\{_SHORT[one]}"
    return chr(one) if 0x20 <= one < 0x7F else f"\\{one:03o}"


def _ended(name: str) -> str:
    return f"{name}\t" if " " in name and not name.startswith('"') else name


def _size(data: bytes | None) -> str:
    return "nothing" if data is None else f"{len(data):,} bytes"
