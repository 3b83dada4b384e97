"""Everything in a workspace that has a past, one line for each. Who asks again and again keeps what it knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from esaa.errors import EsaaError
from esaa.runtime.history.machine import TimeMachine
from esaa.runtime.history.stream_past import StreamPast
from esaa.runtime.history.summary import past_summary, runs_of
from esaa.runtime.history.views import Overview, PastSummary, RunSummary
from esaa.runtime.trail.trail import Trail
from esaa.stores.file_stamps import FileStamp, stamps_of, stream_stamps
from esaa.stores.trail_layout import SCHEMAS


class Summaries:
    """The streams of a trail in one line each. A stream whose files are the same is not read again."""

    def __init__(self) -> None:
        self._types: tuple[FileStamp, ...] = ()
        self._kept: dict[str, tuple[tuple[FileStamp, ...], PastSummary | None]] = {}

    def of(self, trail: Trail) -> Iterator[PastSummary]:
        """The streams that can be read, `global` first."""
        # The words of an event are those of its type, and a project may have its own.
        folder = trail.store.base / SCHEMAS
        types = stamps_of([folder, *sorted(folder.glob("custom/*"))])
        known = self._kept if types == self._types else {}
        stamps = stream_stamps(trail.store.base)
        kept: dict[str, tuple[tuple[FileStamp, ...], PastSummary | None]] = {}
        for name in trail.store.names():
            files = stamps.get(name, ())
            found = known.get(name)
            if found is None or not files or found[0] != files:
                found = (files, _summary(trail, name))
            kept[name] = found
            if found[1] is not None:
                yield found[1]
        self._types, self._kept = types, kept


def overview(machines: Iterable[TimeMachine], trail: Trail, summaries: Summaries) -> Overview:
    """Everything that has a past: the log, as `machines` has it open, and the streams of the trail."""
    pasts: list[PastSummary] = []
    runs: tuple[RunSummary, ...] = ()
    for machine in machines:
        pasts.append(past_summary(machine.past))
        runs += runs_of(machine.past)
    pasts += summaries.of(trail)
    return Overview(past="", at=0, cli="esaa pasts", pasts=tuple(pasts), runs=runs)


def _summary(trail: Trail, name: str) -> PastSummary | None:
    with contextlib.suppress(EsaaError):  # a damaged stream is no reason to show none
        return past_summary(StreamPast(trail, name))
    return None
