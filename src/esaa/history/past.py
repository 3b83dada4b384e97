"""The port of a past: a sequence of events, and the state after each of them as one JSON document.

The state document consists of *parts*. A part is named by a JSON pointer of one or two members (`/tasks/T-1000`,
`/issues/ISS-7`, `/run`), and an event changes a part as a whole or not at all. What asks for one task of a hundred
thousand reads one part. Everything that history answers is written once, over this port.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from esaa.history.entries import Entry, EntryFilter, EntryPage, Kind


class Past(Protocol):
    """Events of one log, or of one stream, with the states between them. Nothing here can write.

    Seq 0 is the moment before the first event. A seq that is not there raises `NotFound`.
    """

    @property
    def name(self) -> str:
        """`log`, or the key of the stream."""
        ...

    @property
    def kind(self) -> Kind:
        """Which vocabulary it speaks."""
        ...

    def head(self) -> int:
        """The seq of the last event; 0 where there is none. Asked anew each time: a past may grow."""
        ...

    def seq_of(self, ref: str) -> int:
        """The seq of the last event at a moment (`#12`, `EV-00000012`, `HEAD~3`, a time, `@{2h}`, an event id).

        Raises `UsageError` for a text that names no moment, `NotFound` for one that is not there.
        """
        ...

    def seq_of_id(self, event_id: str) -> int | None:
        """The seq of an event by its id."""
        ...

    def entry(self, seq: int) -> Entry:
        """One event."""
        ...

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        """The events from `first` to `last`, both included, oldest first."""
        ...

    def line(self, seq: int) -> bytes:
        """The stored line of an event, without its line end."""
        ...

    def find(self, wanted: EntryFilter, *, offset: int = 0, count: int = 100) -> EntryPage:
        """The events that fit a filter, oldest first, by their rank among them."""
        ...

    def caused_by(self, event_id: str) -> Sequence[int]:
        """The seqs of the events that name this one as their cause, ascending."""
        ...

    def document(self, seq: int) -> dict[str, Any]:
        """The whole state after an event."""
        ...

    def part(self, seq: int, pointer: str) -> Any:
        """A part of the state after an event; `UNSET` where there is none (yet)."""
        ...

    def parts(self, seq: int, member: str) -> Iterator[tuple[str, Any]]:
        """All parts below a member of the document (`tasks`), by their last name, in the order of their creation."""
        ...

    def changed_parts(self, after: int, until: int) -> Iterator[str]:
        """The pointers of the parts that events after `after` up to `until` changed, in the order of first change."""
        ...

    def part_changes(self, pointer: str, until: int) -> Sequence[int]:
        """The seqs of the events up to `until` that changed the part that a pointer lies in, ascending."""
        ...

    def count_changed(self, after: int, until: int) -> int:
        """How many parts `changed_parts` names."""
        ...
