"""The specification's own calls over one trail, with its names, arguments and answers (workflows 1 to 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from esaa.runtime.audit.report import generate_audit_trail
from esaa.runtime.replay.replaying import replay_events
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.time_travel import time_travel_query
from esaa.runtime.trail.trail import Trail


class EventSourcing:
    """Everything that `event-sourcing-orchestrator.md` asks for by name. Answers are plain JSON values.

    All methods raise what the services below raise: `UsageError` for arguments that make no sense, `NotFound`,
    `EventRefused`, `CorruptLog`, `StoreError`.
    """

    def __init__(self, trail: Trail) -> None:
        self.trail = trail
        self.recorder = TrailRecorder(trail)

    def log_event(self, event_type: str, metadata: Mapping[str, Any], actor: Mapping[str, Any]) -> str:
        """Records one event durably and returns its id (workflow 1)."""
        event_id = self.recorder.log_event(event_type, metadata, actor)
        self.recorder.flush()
        return event_id

    def reconstruct_state(self, issue_key: str, at_timestamp: str | None = None) -> dict[str, Any]:
        """The state of an issue now, or at a time (workflow 2)."""
        return _plain(self.recorder.states.reconstruct(issue_key, at_timestamp).state)

    def time_travel_query(self, issue_key: str, query_timestamp: str) -> dict[str, Any]:
        """The state at a time, the events around it, and a summary (workflow 3)."""
        return _plain(time_travel_query(self.trail, issue_key, query_timestamp, states=self.recorder.states))

    def replay_events(
        self,
        issue_key: str,
        from_sequence: int = 0,
        to_sequence: int | None = None,
        event_filter: Callable[[Mapping[str, Any]], bool] | None = None,
        dry_run: bool = True,
    ) -> dict[str, Any]:
        """Acts events out again, or says what that would do (workflow 4)."""
        return _plain(replay_events(self.trail, issue_key, from_sequence, to_sequence, event_filter, dry_run))

    def generate_audit_trail(
        self,
        issue_key: str | None = None,
        from_date: str | None = None,
        to_date: str | None = None,
        event_types: Sequence[str] | None = None,
        format: str = "json",  # noqa: A002  # the specification's name
    ) -> str:
        """Writes an audit report and returns its path (workflow 5)."""
        return generate_audit_trail(self.trail, issue_key, from_date, to_date, event_types, format)

    def create_snapshot(self, issue_key: str, at_sequence: int | None = None) -> str:
        """Saves the state after an event and returns the snapshot's id (workflow 6)."""
        return self.recorder.states.snapshot(issue_key, at_sequence)[1].snapshot_id


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain
