"""Values of a state for people: whole where they are small, else their members, a page of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esaa.cli.face import Face
from esaa.cli.pasts import builtins, opened, pretty
from esaa.cli.terminal import columns

if TYPE_CHECKING:
    from esaa.runtime.history.views import StateView


def show_value(
    face: Face, issue: str | None, pointer: str, at: str, select: str | None, after: str | None, count: int
) -> None:
    """Prints the value at a pointer, or what an expression names of it."""
    with opened(face, issue) as machine:
        if select is not None:
            value = machine.select(select, at, pointer=pointer)
            face.data(value, *pretty(value))
            return
        answer = machine.state(at, pointer=pointer, after=after, count=count)
    face.data(builtins(answer), *_lines(answer))
    face.say(f"{answer.past} after event {answer.at}")
    last = answer.children[-1].name if answer.children else ""
    if answer.kind != "value" and answer.value is None and len(answer.children) < answer.total:
        face.say(f"{len(answer.children)} of {answer.total} members; go on with --after {last}")


def _lines(answer: StateView) -> list[str]:
    # Objects with names of their own (tasks, issues) are listed, however few there are.
    is_list_of_parts = answer.pointer.count("/") == 1 and any(one.kind == "object" for one in answer.children)
    if answer.pointer and not is_list_of_parts and (answer.value is not None or answer.kind == "value"):
        return pretty(answer.preview if answer.value is None and answer.preview != "null" else answer.value)
    return columns([(one.name, _size(one.kind, one.size), one.preview) for one in answer.children])


def _size(kind: str, size: int) -> str:
    return "" if kind == "value" else f"{size} members" if kind == "object" else f"{size} items"
