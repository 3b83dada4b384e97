"""What the tests of queries share: a store that is quick to fill, and events that say only what a test is about."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esaa.kernel.recorded import Draft
from esaa.query.finder import Finder, open_index
from esaa.stores.disk import Disk
from esaa.stores.trail import TrailStore
from esaa.trail.event import GLOBAL, Actor, TrailEvent, Witnessed
from esaa.trail.settings import Indexing, Storage
from esaa.trail.types import EventTypes
from esaa.trail.wire import raw_metadata

SESSION = "5e551000-0000-4000-8000-000000000001"
TYPES = EventTypes()


class QuickDisk(Disk):
    """A disk that does not wait: these tests lose no power."""

    def fdatasync(self, fd: int) -> None:
        """Nothing."""

    def fsync(self, fd: int) -> None:
        """Nothing."""


class FilledTrail:
    """A store in a folder, with events that are appended one by one or in batches."""

    def __init__(self, base: Path, **storage: Any) -> None:
        self.base = base
        self.store = TrailStore(base, Storage(**storage), QuickDisk())
        self._numbers = itertools.count(1)

    def draft(
        self,
        event_type: str = "PhaseStarted",
        metadata: Mapping[str, Any] | None = None,
        *,
        ts: str = "2026-03-02T09:00:00.000Z",
        actor: str = "ada",
        session: str = SESSION,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        version: str = "1.0.0",
        event_id: str | None = None,
        issue: str | None = None,
    ) -> Draft[Witnessed]:
        """A draft, with an id that counts up."""
        if metadata is None:
            metadata = {"phase": "PLAN"}
        return Draft(
            actor=actor,
            event_id=event_id or f"{next(self._numbers):08x}-0000-4000-8000-000000000000",
            ts=ts,
            schema_version=version,
            correlation_id=correlation_id,
            causation_id=causation_id,
            fact=Witnessed(
                event_type=event_type,
                metadata=raw_metadata(metadata),
                issue_key=issue,
                session_id=session,
                actor=Actor(type="user", id=actor),
            ),
        )

    def add(self, stream: str = "PROJ-1", *args: Any, **event: Any) -> TrailEvent:
        """Appends one event."""
        return self.add_many(stream, [self.draft(*args, issue=None if stream == GLOBAL else stream, **event)])[0]

    def add_many(self, stream: str, drafts: list[Draft[Witnessed]]) -> tuple[TrailEvent, ...]:
        """Appends drafts in one batch."""
        return self.store.stream(stream).append(drafts).events

    def finder(self, **options: Any) -> Finder:
        """Who answers; what it says is kept in `said`."""
        indexing = options.pop("indexing", Indexing())
        return open_index(self.store, indexing, options.pop("types", TYPES), **options)


def sequences(page: Any) -> list[tuple[str, int]]:
    """The events of a page by stream and sequence."""
    return [(located.event.fact.issue_key or GLOBAL, located.event.version) for located in page.events]
