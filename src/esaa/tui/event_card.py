"""One event and what it changed, as text for the middle of the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from esaa.history.causation import causes_of
from esaa.history.changes import Change
from esaa.history.entries import Entry
from esaa.history.past import Past
from esaa.history.values import changes_between
from esaa.tui.look import brief, one_line, plural

CHANGES_MAX = 200
_EFFECTS_MAX = 4
_CHAIN_MAX = 6
_SHORT_MAX = 36

Tones = Mapping[str, str]
"""The colours of the theme by their names."""


class Told(NamedTuple):
    """One event with what led to it, what followed, and what it changed; `is_cut` where it changed more than that."""

    entry: Entry
    causes: tuple[Entry, ...]
    effects: tuple[Entry, ...]
    effects_count: int
    changes: tuple[Change, ...]
    is_cut: bool


def told_at(past: Past, seq: int) -> Told:
    """What there is to tell of an event, bounded."""
    entry = past.entry(seq)
    effects = past.caused_by(entry.event_id)
    changes, is_cut = changes_at(past, seq)
    return Told(
        entry,
        tuple(causes_of(past, seq, count=_CHAIN_MAX)),
        tuple(past.entry(one) for one in effects[:_EFFECTS_MAX]),
        len(effects),
        changes,
        is_cut,
    )


def changes_at(past: Past, seq: int) -> tuple[tuple[Change, ...], bool]:
    """What an event changed in the state, and whether there is more than is given."""
    if seq == 0:
        return (), False
    found = tuple(islice(changes_between(past, seq - 1, seq), CHANGES_MAX + 1))
    return found[:CHANGES_MAX], len(found) > CHANGES_MAX


def card(told: Told, tones: Tones) -> Text:
    """The event: what happened, who, when, why."""
    entry = told.entry
    text = Text(overflow="fold")
    text.append(one_line(entry.name), style=f"bold {tones['error'] if entry.is_rejection else tones['accent']}")
    if entry.subject is not None:
        text.append(f"  {one_line(entry.subject)}", style="bold")
    text.append(f"\n{one_line(entry.summary)}\n")
    rows: list[tuple[str, str]] = [("by", one_line(entry.actor)), ("at", one_line(entry.ts))]
    rows.append(("id", one_line(entry.event_id)))
    if entry.correlation_id is not None:
        rows.append(("story", one_line(entry.correlation_id)))
    rows += [("because" if place == 0 else "", _named(one)) for place, one in enumerate(told.causes)]
    rows += [("led to" if place == 0 else "", _named(one)) for place, one in enumerate(told.effects)]
    if told.effects_count > len(told.effects):
        rows.append(("", f"and {told.effects_count - len(told.effects):,} more"))
    rows.append(("hash", entry.leaf_hash[:16]))
    for label, value in rows:
        text.append(f"\n{label:<9}", style=tones["quiet"])
        text.append(value)
    return text


def changes_shown(changes: Sequence[Change], tones: Tones, *, is_cut: bool = False) -> Group:
    """The changes: where, and from what to what."""
    if not changes:
        return Group(Text("The state is the same as before.", style=tones["quiet"]))
    shown: list[RenderableType] = []
    for change in changes:
        shown.append(_pointer(change.pointer, tones))
        before, after = Text(brief(change.before), tones["error"]), Text(brief(change.after), tones["success"])
        if change.op == "replace" and len(before) + len(after) <= _SHORT_MAX:
            shown.append(Padding(Text.assemble(before, (" → ", tones["quiet"]), after), (0, 0, 0, 2)))
            continue
        if change.op != "add":
            shown.append(_signed("-", before))
        if change.op != "remove":
            shown.append(_signed("+", after))
    if is_cut:
        shown.append(Text(f"… and more than {plural(len(changes), 'change')}", style=tones["quiet"]))
    return Group(*shown)


def _pointer(pointer: str, tones: Tones) -> Text:
    *way, last = pointer.split("/")
    text = Text(one_line("/".join(way)) + "/", style=tones["quiet"], overflow="fold")
    return text.append(one_line(last), style=f"bold {tones['foreground']}")


def _signed(sign: str, value: Text) -> Table:
    value.overflow = "fold"
    row = Table.grid(padding=(0, 1))
    row.add_column(width=3, justify="right")
    row.add_column(overflow="fold")
    row.add_row(Text(sign, style=value.style), value)
    return row


def _named(entry: Entry) -> str:
    return f"#{entry.seq} {one_line(entry.name.removeprefix('orchestrator.'))}"
