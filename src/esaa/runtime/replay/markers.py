"""The markers of a replay: ReplayStarted, an EventReplayed for each event, ReplayCompleted, in the same stream.

They carry the replay's name as their correlation and the replayed event as their cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from esaa.errors import EventRefused
from esaa.runtime.replay.prospect import Done, Prospect
from esaa.runtime.replay.result import EventResult
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.trail.event import GLOBAL
from esaa.trail.intake import Proposal


class ReplayMarkers:
    """Records the markers of one replay. `flush` makes durable what was noted."""

    def __init__(self, recorder: TrailRecorder, stream: str, prospect: Prospect) -> None:
        self._recorder = recorder
        self._key = None if stream == GLOBAL else stream
        self._prospect = prospect
        self._pending: list[Proposal] = []
        self.replay_id = prospect.wish.replay_id or ""
        self._start_id = prospect.resumed_id

    def start(self, replay_id: str) -> None:
        """The replay begins. It is durable before anything is done."""
        wish, selection = self._prospect.wish, self._prospect.plan.selection
        metadata: dict[str, Any] = {
            "replay_id": replay_id,
            "dry_run": False,
            "from_sequence": selection.from_sequence,
            "to_sequence": selection.to_sequence,
            "planned_count": len(self._prospect.plan.acting()),
        }
        chosen = {"event_types": selection.types, "agents": selection.agents, "phases": selection.phases}
        metadata |= {key: list(names) for key, names in chosen.items() if names}
        if self._prospect.start is not None:
            metadata["checkpoint_id"] = self._prospect.start.checkpoint_id
        # What going on with it must know, and no projection.
        extra = {"again": wish.again, "has_own_filter": wish.event_filter is not None}
        if any(extra.values()):
            metadata["extra"] = {key: value for key, value in extra.items() if value}
        self.replay_id = replay_id
        proposal = self._proposal("ReplayStarted", self._with_issue(metadata), None)
        self._start_id = self._recorder.record_many([proposal]).events[0].event_id

    def note(self, result: EventResult, duration_s: float | None = None) -> None:
        """What became of an event."""
        metadata: dict[str, Any] = {
            "replay_id": self.replay_id,
            "replayed_event_id": result.event_id,
            "replayed_event_type": result.event_type,
            "replayed_sequence": result.sequence,
            "status": result.status,
            "dry_run": False,
        }
        if result.status == "success":
            metadata |= {"outcome": result.result, "matches_recorded": result.matches_recorded}
        else:
            metadata["reason"] = result.why()
        if isinstance(result.handler, str):
            metadata["handler"] = result.handler
        if duration_s is not None:
            metadata["duration_seconds"] = duration_s
        try:
            self._recorder.examine(self._proposal("EventReplayed", metadata, result.event_id))
        except EventRefused as error:
            # A handler's outcome may be too large or too deep. That it acted must be on record all the same.
            metadata["outcome"] = {"left_out": error.code}
        self._pending.append(self._proposal("EventReplayed", metadata, result.event_id))

    def end(self, results: Iterable[EventResult], duration_s: float) -> None:
        """The replay is at its end."""
        ended = {"replay_id": self.replay_id, "dry_run": False, **self._counts(results), "duration_seconds": duration_s}
        self._pending.append(self._proposal("ReplayCompleted", self._with_issue(ended), self._start_id))
        self.flush()

    def flush(self) -> None:
        """Writes what was noted. Raises what the store raises."""
        self._recorder.record_many(self._pending)
        self._pending = []

    def _counts(self, results: Iterable[EventResult]) -> dict[str, int]:
        """Over the whole replay: what it did before it was interrupted counts, too."""
        known: dict[str, Done] = dict(self._prospect.done)
        for one in results:
            before = known.get(one.event_id)
            if one.status != "skipped" or before is None or before.status != "success":
                verdict = one.matches_recorded if isinstance(one.matches_recorded, bool) else None
                known[one.event_id] = Done(status=one.status, matches_recorded=verdict)
        statuses = [done.status for done in known.values()]
        verdicts = [done.matches_recorded for done in known.values()]
        return {
            "replayed_count": statuses.count("success"),
            "skipped_count": statuses.count("skipped"),
            "failed_count": statuses.count("failed"),
            "verified_count": verdicts.count(True),
            "mismatched_count": verdicts.count(False),
        }

    def _with_issue(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return metadata if self._key is None else {**metadata, "issue_key": self._key}

    def _proposal(self, event_type: str, metadata: Mapping[str, Any], cause: str | None) -> Proposal:
        return Proposal(
            event_type=event_type,
            metadata=metadata,
            actor=None,
            issue_key=self._key,
            correlation_id=self.replay_id,
            causation_id=cause,
        )
