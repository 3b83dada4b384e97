"""Replays: recorded events acted out again. Each leaves a marker at its start, one per event, and one at its end."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import Data, TrailFact
from esaa.trail.facts.values import Count, Number, Seconds
from esaa.trail.facts.wording import counted, line, seconds, told


class ReplayStarted(TrailFact, frozen=True, kw_only=True):
    """A replay begins. Recorded by the command that replays.

    - `replay_id`: the replay's name; its later events carry it too.
    - `dry_run`: true where nothing is done, only said what would be.
    - `from_sequence`: the first event of the range.
    - `to_sequence`: the last event of the range; null for the last one there is.
    - `event_types`: only events of these types.
    - `agents`: only events about these agents.
    - `phases`: only events about these phases.
    - `planned_count`: how many events are to be replayed.
    - `checkpoint_id`: the restore point that it starts from.
    - `reason`: why, in one sentence.
    """

    replay_id: str
    dry_run: bool
    issue_key: str | UnsetType | None = UNSET
    from_sequence: Count | UnsetType = UNSET
    to_sequence: Count | UnsetType | None = UNSET
    event_types: tuple[str, ...] | UnsetType = UNSET
    agents: tuple[str, ...] | UnsetType = UNSET
    phases: tuple[str, ...] | UnsetType = UNSET
    planned_count: Count | UnsetType = UNSET
    checkpoint_id: str | UnsetType | None = UNSET
    reason: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        kind = "dry replay" if self.dry_run else "replay"
        span = told(" from #{}", self.from_sequence) + told(" to #{}", self.to_sequence)
        planned = told(" of {}", self.planned_count, lambda total: counted(total, "event"))
        return line(f"{kind} {self.replay_id}{planned}{span} begins" + told(": {}", self.reason))


class EventReplayed(TrailFact, frozen=True, kw_only=True):
    """One event was replayed, or passed over. Recorded by the command that replays.

    - `replay_id`: the replay.
    - `replayed_event_id`: the event.
    - `replayed_event_type`: its type.
    - `status`: whether its handler did it, failed at it, or it was passed over.
    - `dry_run`: true where nothing was done, only said what would be.
    - `replayed_sequence`: its sequence number in its stream.
    - `reason`: why it failed or was passed over.
    - `handler`: what did it.
    - `outcome`: what the handler gave back.
    - `matches_recorded`: true where the outcome is the recorded one; null where none was recorded.
    """

    replay_id: str
    replayed_event_id: str
    replayed_event_type: str
    status: Literal["success", "failed", "skipped"]
    dry_run: bool | UnsetType = UNSET
    replayed_sequence: Number | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    handler: str | UnsetType = UNSET
    outcome: Data | UnsetType | None = UNSET
    matches_recorded: bool | UnsetType | None = UNSET
    duration_seconds: Seconds | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        done = "would be replayed" if self.dry_run is True else "is replayed"
        verdict = {"success": done, "failed": "fails in replay", "skipped": "is passed over"}[self.status]
        differs = ", with another outcome than recorded" if self.matches_recorded is False else ""
        event = f"{self.replayed_event_type}{told(' #{}', self.replayed_sequence)}"
        return line(f"{event} {verdict}{differs}" + told(": {}", self.reason))


class ReplayCompleted(TrailFact, frozen=True, kw_only=True):
    """A replay came to its end. Recorded by the command that replayed.

    - `replay_id`: the replay.
    - `dry_run`: true where nothing was done.
    - `replayed_count`: how many events were replayed.
    - `skipped_count`: how many were passed over.
    - `failed_count`: how many failed.
    - `verified_count`: how many had the recorded outcome.
    - `mismatched_count`: how many had another outcome than recorded.
    """

    replay_id: str
    dry_run: bool
    replayed_count: Count
    skipped_count: Count
    failed_count: Count
    verified_count: Count | UnsetType = UNSET
    mismatched_count: Count | UnsetType = UNSET
    issue_key: str | UnsetType | None = UNSET
    duration_seconds: Seconds | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        kind = "dry replay" if self.dry_run else "replay"
        took = told(" after {}", self.duration_seconds, seconds)
        counts = f"{self.replayed_count} replayed, {self.skipped_count} passed over, {self.failed_count} failed"
        return line(f"{kind} {self.replay_id} ends{took}: {counts}")
