"""What is done with the trail itself: replays, settings, read models, archives, erasures, repairs, merges."""

from __future__ import annotations

from msgspec.structs import replace

from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.records import ConfigurationChanged, ReadModelUpdated
from esaa.trail.facts.replays import EventReplayed, ReplayCompleted, ReplayStarted
from esaa.trail.folds.reading import given
from esaa.trail.state import OrchestrationState
from esaa.trail.state_values import Replay, StoreAct


def replay_started(state: OrchestrationState, event: TrailEvent, fact: ReplayStarted) -> None:
    """The replay runs."""
    state.replays[fact.replay_id] = Replay(is_dry=fact.dry_run, started_at=event.ts)


def event_replayed(state: OrchestrationState, _event: TrailEvent, fact: EventReplayed) -> None:
    """Counted. That an event was replayed changes nothing else: what its handler did has events of its own."""
    known = state.replays.get(fact.replay_id) or Replay()
    state.replays[fact.replay_id] = replace(
        known,
        replayed=known.replayed + (fact.status == "success"),
        skipped=known.skipped + (fact.status == "skipped"),
        failed=known.failed + (fact.status == "failed"),
        mismatched=known.mismatched + (fact.matches_recorded is False),
    )


def replay_completed(state: OrchestrationState, event: TrailEvent, fact: ReplayCompleted) -> None:
    """The replay has ended; its own counts hold."""
    known = state.replays.get(fact.replay_id) or Replay()
    mismatched = given(fact.mismatched_count)
    state.replays[fact.replay_id] = replace(
        known,
        is_dry=fact.dry_run,
        completed_at=event.ts,
        replayed=fact.replayed_count,
        skipped=fact.skipped_count,
        failed=fact.failed_count,
        mismatched=known.mismatched if mismatched is None else mismatched,
    )


def configuration_changed(state: OrchestrationState, _event: TrailEvent, fact: ConfigurationChanged) -> None:
    """The setting has this value."""
    state.configuration[fact.key] = given(fact.new_value)


def read_model_updated(state: OrchestrationState, _event: TrailEvent, fact: ReadModelUpdated) -> None:
    """The view has this digest."""
    state.views[fact.target] = given(fact.sha256)


def store_changed(state: OrchestrationState, event: TrailEvent, fact: TrailFact) -> None:
    """The store was changed by more than an append: one more act."""
    act = StoreAct(event_type=event.fact.event_type, sequence=event.version, timestamp=event.ts, what=fact.summary())
    state.store_acts.append(act)
