"""The governed log as decisions: an event that somebody asked for, with all that followed from it in the same batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decision as the log has it. The first of its events is the decision itself, the others follow from it.

    Where a batch began a run first, the run's beginning is a decision of its own.
    """

    events: tuple[Recorded[Fact], ...]

    @property
    def head(self) -> Recorded[Fact]:
        """The event that was asked for."""
        return self.events[0]

    @property
    def followers(self) -> tuple[Recorded[Fact], ...]:
        """What followed from it."""
        return self.events[1:]

    @property
    def is_foreign(self) -> bool:
        """True where another writer recorded it: its lines are not chained, and nobody knows its batches and rules."""
        return self.head.prev_hash is None and self.head.version > 1


def decisions(events: Iterable[Recorded[Fact]]) -> Iterator[Decision]:
    """The decisions of a log, in its order. Every event is in exactly one."""
    batch: list[Recorded[Fact]] = []
    for recorded in events:
        if batch and (recorded.causation_id is None or recorded.causation_id != batch[0].event_id):
            yield Decision(events=tuple(batch))
            batch = []
        batch.append(recorded)
    if batch:
        yield Decision(events=tuple(batch))
