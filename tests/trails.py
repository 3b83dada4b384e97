"""What trail tests share: a trail in a folder, a clock that is moved by hand, ids that can be told in advance."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from esaa.kernel.chain import leaf_hash
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.trail import Trail
from esaa.stores.disk import Disk
from esaa.stores.trail import TrailStore
from esaa.stores.trail_types import load_types
from esaa.trail.intake import Proposal
from esaa.trail.settings import TrailSettings

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SESSION = "5e551000-0000-4000-8000-000000000001"
ISSUE = "PROJ-123"
ME = {"type": "user", "id": "ada"}
SECRET = b"k" * 32


def ids(prefix: int = 0) -> Callable[[], str]:
    """Ids that count up."""
    numbers = itertools.count(1)
    return lambda: f"{prefix:08x}-0000-4000-8000-{next(numbers):012x}"


def settings(**sections: Mapping[str, Any]) -> TrailSettings:
    """Settings with some keys set: `settings(storage={"format": "json"})`."""
    return msgspec.convert(sections, TrailSettings)


def a_trail(
    root: Path,
    chosen: TrailSettings | None = None,
    *,
    clock: ManualClock | None = None,
    disk: Disk | None = None,
    new_id: Callable[[], str] | None = None,
) -> Trail:
    """A trail in `root/events`."""
    chosen = chosen or TrailSettings()
    base = root / "events"
    return Trail(
        root=root,
        settings=chosen,
        types=load_types(base),
        store=TrailStore(base, chosen.storage, disk or Disk(), lines_cached_max=chosen.performance.cache_recent_events),
        clock=clock or ManualClock(MORNING),
        new_id=new_id or ids(),
        secret=SECRET,
    )


def a_recorder(root: Path, chosen: TrailSettings | None = None, **options: Any) -> TrailRecorder:
    """A recorder of that trail, for Ada, in PROJ-123."""
    return TrailRecorder(a_trail(root, chosen, **options), actor=ME, issue_key=ISSUE, session_id=SESSION)


def phase(name: str = "PLAN", **more: Any) -> Proposal:
    """A PhaseStarted to record."""
    return Proposal(event_type="PhaseStarted", metadata={"phase": name}, actor=None, **more)


def assert_whole(trail: Trail, stream: str = ISSUE) -> list[dict[str, Any]]:
    """Every stored line of a stream as JSON, after checking that the sequence has no gap, no id stands twice, the
    chain holds and time never goes back."""
    lines = [located.line for located in trail.store.stream(stream).events()]
    events = [json.loads(line) for line in lines]
    assert [event["event_sequence"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["event_id"] for event in events}) == len(events)
    previous = None
    for line, event in zip(lines, events, strict=True):
        assert event.get("prev_hash") == previous
        previous = leaf_hash(line)
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    return events
