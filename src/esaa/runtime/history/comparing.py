"""What changed between two moments, page by page, and which events made a value what it is."""

from __future__ import annotations

from esaa.history.blame import blame
from esaa.history.changes import Change
from esaa.history.past import Past
from esaa.history.pointers import parse_pointer
from esaa.history.values import changes_between, changes_of_part
from esaa.runtime.history.changed_parts import changed_page
from esaa.runtime.history.commands import command, option
from esaa.runtime.history.rules_met import RulesMet
from esaa.runtime.history.views import BlameView, DiffView


def diff_view(past: Past, a: int, b: int, *, pointer: str, offset: int, count: int) -> DiffView:
    """A page of what differs between two states; `a` may be the later one."""
    names = parse_pointer(pointer)
    first, last = min(a, b), max(a, b)
    counts, page = changed_page(past, first, last, names, offset, count)
    total = sum(counts.values())
    return DiffView(
        past=past.name,
        at=b,
        cli=command(past, "diff", f"{a}..{b}", *option("--path", pointer)),
        a=a,
        b=b,
        pointer=pointer,
        total=total,
        offset=offset,
        counts=counts,
        changes=tuple(change for part in page for change in changes_of_part(past, a, b, part, names)),
    )


def changes_of_event(past: Past, seq: int) -> tuple[Change, ...]:
    """What one event changed."""
    return tuple(changes_between(past, seq - 1, seq))


def blame_view(past: Past, seq: int, pointer: str, rules: RulesMet) -> BlameView:
    """Which events made a value what it is, and what stood behind the last of them. Raises `NotFound`."""
    found = blame(past, pointer, seq)
    newest = found.history[-1].entry if found.history else None
    return BlameView(
        past=past.name,
        at=seq,
        cli=command(past, "blame", pointer, "--at", seq),
        pointer=pointer,
        value=found.value,
        history=found.history,
        cause=found.cause,
        output=None if newest is None else rules.output_behind(newest, found.cause),
        rules=() if newest is None else rules.met_by(newest),
        is_cut=found.is_cut,
    )
