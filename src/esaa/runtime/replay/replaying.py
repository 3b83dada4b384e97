"""Replay: recorded events are handed to their handlers again, and what comes of it is compared with what was recorded.

A dry run, the default, says what would be done and writes nothing. A real run leaves markers in the stream: one at its
start, one for each event, one at its end. Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from esaa.history.replay_plan import ReplayStep, Selection
from esaa.runtime.replay.handlers import HANDLERS, Handler, HandlerRegistry, ReplayContext, simulated
from esaa.runtime.replay.markers import ReplayMarkers
from esaa.runtime.replay.prospect import EventFilter, Prospect, Wish, prospect_of
from esaa.runtime.replay.result import EventResult, ReplayResult, settled, skipped
from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
from esaa.runtime.trail.trail import Trail
from esaa.stores.lock import writer_lock
from esaa.trail.event import Actor

_STOPPED = "an event before it failed, and the replay was to stop there"


def replay_events(
    trail: Trail,
    issue_key: str,
    from_sequence: int = 0,
    to_sequence: int | None = None,
    event_filter: EventFilter | None = None,
    dry_run: bool = True,
    *,
    types: tuple[str, ...] = (),
    agents: tuple[str, ...] = (),
    phases: tuple[str, ...] = (),
    handlers: HandlerRegistry = HANDLERS,
    restore_point: str | None = None,
    replay_id: str | None = None,
    again: bool = False,
    force: bool = False,
    fail_fast: bool = False,
    actor: Actor | Mapping[str, Any] = RECORDER,
    on_result: Callable[[EventResult], None] | None = None,
    on_start: Callable[[str], None] | None = None,
) -> ReplayResult:
    """Replays the events of an issue (the specification's workflow 4).

    `event_filter` gets each event as the object that its line is. `replay_id` goes on with an interrupted replay, as
    it began. What a handler did with success is not handed to it again, in this replay or a later one, unless `again`.
    A handler that fails is recorded; the rest goes on unless `fail_fast`. `on_start` is told the name of a real replay,
    `on_result` each result as it comes.

    Raises `NotFound`, `UsageError`, `CorruptLog`; in a real run also `StoreLocked` while another one is at work.
    """
    wish = Wish(
        selection=Selection(
            from_sequence=from_sequence, to_sequence=to_sequence, types=types, agents=agents, phases=phases
        ),
        event_filter=event_filter,
        restore_point=restore_point,
        replay_id=replay_id,
        again=again,
    )
    prospect = prospect_of(trail, issue_key, wish, handlers.names())
    if dry_run or prospect.plan.faults:
        return _Run(trail, issue_key, prospect, handlers, on_result, force=force).dry(dry_run=dry_run)
    trail.store.prepare()
    lock = trail.store.disposable(f"locks/replay-{issue_key}.lock")
    with writer_lock(lock, timeout_s=trail.store.lock_timeout_s, what="another replay"):
        # Again, for another one may have been at work until now.
        prospect = prospect_of(trail, issue_key, wish, handlers.names())
        run = _Run(trail, issue_key, prospect, handlers, on_result, force=force)
        with TrailRecorder(trail, actor=actor, is_async=False) as recorder:
            return run.real(recorder, on_start, fail_fast=fail_fast)


def replay_success_rate(trail: Trail, issue_key: str) -> tuple[int, int]:
    """How many of the repeatable events of a stream can be replayed, and how many there are (the success metric).

    An event can be replayed where the preconditions hold, its metadata fits its type, and the dry run of its handler
    succeeds. A type without a handler here counts as well: everything that a handler would need is there.
    Raises `NotFound`, `CorruptLog`.
    """
    prospect = prospect_of(trail, issue_key, Wish(selection=Selection(), again=True), HANDLERS.names())
    # What the files hold now says nothing about the trail.
    bound = HANDLERS.bound(ReplayContext(trail=trail, stream=issue_key, written=prospect.written, force=True))
    done = total = 0
    for step in prospect.plan.steps:
        if not trail.types.is_repeatable(step.event.fact.event_type):
            continue
        total += 1
        if step.acts:
            done += _simulated(step, bound).status == "success"
        else:
            done += step.skip == "no_handler"
    return done, total


class _Run:
    """One run through a plan."""

    def __init__(
        self,
        trail: Trail,
        stream: str,
        prospect: Prospect,
        handlers: HandlerRegistry,
        on_result: Callable[[EventResult], None] | None,
        *,
        force: bool,
    ) -> None:
        self._trail = trail
        self._stream = stream
        self._prospect = prospect
        self._handlers = handlers
        self._on_result = on_result
        self._force = force
        self._results: list[EventResult] = []
        self._steps = [step for step in prospect.plan.steps if step.skip != "filtered"]

    def dry(self, *, dry_run: bool = True) -> ReplayResult:
        """Says what would be done; so does a real run whose preconditions fail, or that has nothing to do."""
        replay_id = self._prospect.wish.replay_id
        bound = self._bound(replay_id or "")
        for step in self._steps:
            self._keep(_simulated(step, bound) if step.acts else skipped(step))
        return self._result(dry_run=dry_run, replay_id=replay_id)

    def real(self, recorder: TrailRecorder, on_start: Callable[[str], None] | None, *, fail_fast: bool) -> ReplayResult:
        """Hands the events to their handlers and records what comes of it. The lock is held."""
        prospect = self._prospect
        replay_id = prospect.wish.replay_id
        is_open = replay_id is not None and not prospect.is_complete
        if prospect.plan.faults or not (prospect.plan.acting() or is_open):
            return self.dry(dry_run=False)
        markers = ReplayMarkers(recorder, self._stream, prospect)
        began = self._trail.clock.now()
        if replay_id is None:
            replay_id = f"replay-{self._trail.new_id().replace('-', '')[-12:]}"
            markers.start(replay_id)
        if on_start is not None:
            on_start(replay_id)
        self._act(markers, fail_fast=fail_fast)
        markers.end(self._results, self._since(began))
        return self._result(dry_run=False, replay_id=replay_id)

    def _act(self, markers: ReplayMarkers, *, fail_fast: bool) -> None:
        bound = self._bound(markers.replay_id)
        is_stopped = False
        for step in self._steps:
            if not step.acts:
                result = skipped(step)
                if step.event.event_id not in self._prospect.done:
                    markers.note(result)
            elif is_stopped:
                result = skipped(msgspec.structs.replace(step, skip="stopped", detail=_STOPPED))
            else:
                began = self._trail.clock.now()
                result = _acted(step, bound)
                markers.note(result, self._since(began))
                # What was done is on record before anything else is done.
                markers.flush()
                is_stopped = fail_fast and result.status == "failed"
            self._keep(result)

    def _bound(self, replay_id: str) -> dict[str, Handler]:
        return self._handlers.bound(
            ReplayContext(
                trail=self._trail,
                stream=self._stream,
                replay_id=replay_id,
                written=self._prospect.written,
                force=self._force,
            )
        )

    def _keep(self, result: EventResult) -> None:
        self._results.append(result)
        if self._on_result is not None:
            self._on_result(result)

    def _since(self, began: datetime) -> float:
        # A clock that was set back must not make a duration negative.
        return round(max((self._trail.clock.now() - began).total_seconds(), 0.0), 3)

    def _result(self, *, dry_run: bool, replay_id: str | None) -> ReplayResult:
        plan = self._prospect.plan
        statuses = [one.status for one in self._results]
        verdicts = [one.matches_recorded for one in self._results]
        last = plan.selection.to_sequence
        return ReplayResult(
            replayed_count=statuses.count("success"),
            skipped_count=statuses.count("skipped"),
            failed_count=statuses.count("failed"),
            results=tuple(self._results),
            verified_count=verdicts.count(True),
            mismatched_count=verdicts.count(False),
            filtered_count=len(plan.steps) - len(self._steps),
            dry_run=dry_run,
            issue_key=self._stream,
            replay_id=replay_id,
            from_sequence=plan.selection.from_sequence,
            to_sequence=self._prospect.head if last is None else last,
            faults=plan.faults,
            warnings=self._prospect.warnings,
        )


def _simulated(step: ReplayStep, bound: Mapping[str, Handler]) -> EventResult:
    name = str(step.handler)
    return settled(step, lambda: simulated(bound[step.event.fact.event_type], name, step))


def _acted(step: ReplayStep, bound: Mapping[str, Handler]) -> EventResult:
    return settled(step, lambda: bound[step.event.fact.event_type](step, step.event.event_id))
