"""What a replay of a stream has before it: the events, what earlier replays did, and the plan that follows.

Everything here reads; nothing is written, not even a snapshot that does not hold is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from esaa.errors import CorruptLog, NotFound, UsageError
from esaa.history.replay_plan import (
    GitFacts,
    Pair,
    ReplayPlan,
    Selection,
    Situation,
    StartPoint,
    link_fault,
    plan_replay,
)
from esaa.kernel.chain import leaf_hash
from esaa.runtime.git_state import git_state
from esaa.runtime.git_worktree import GitWorktree
from esaa.runtime.replay.restore_points import find_restore_point
from esaa.runtime.trail.states import TrailStates, check_stream
from esaa.runtime.trail.trail import Trail
from esaa.trail.facts.files import FileWritten
from esaa.trail.facts.replays import EventReplayed, ReplayCompleted, ReplayStarted
from esaa.trail.state import OrchestrationState
from esaa.trail.wire import event_view

EventFilter = Callable[[dict[str, Any]], object]
"""The caller's own filter: gets an event with the keys of its line, and says whether it is replayed."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller asks for. `replay_id` names an earlier replay to go on with, `restore_point` where to begin."""

    selection: Selection
    event_filter: EventFilter | None = None
    restore_point: str | None = None
    replay_id: str | None = None
    again: bool = False


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay that is gone on with has noted about an event."""

    status: str
    matches_recorded: bool | None


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and what it was made from.

    - `written`: the digests that each file had, by the events from the range on.
    - `resumed`: the start of the replay that is gone on with, and `resumed_id` the id of that event.
    - `done`: what that replay noted, by the id of the replayed event; `is_complete` where it came to its end.
    """

    plan: ReplayPlan
    wish: Wish
    head: int
    written: Mapping[str, frozenset[str]]
    start: StartPoint | None = None
    resumed: ReplayStarted | None = None
    resumed_id: str | None = None
    done: Mapping[str, Done] = {}
    is_complete: bool = False
    warnings: tuple[str, ...] = ()


def prospect_of(trail: Trail, stream: str, wish: Wish, handlers: Mapping[str, str]) -> Prospect:
    """Reads a stream and plans its replay; `handlers` has the name of the handler of each type.

    Raises `NotFound` for a stream, event, restore point or replay that is not there, `UsageError` for a range or type
    that is none, `CorruptLog`.
    """
    head = _head_of(trail, stream)
    started = None if wish.replay_id is None else _find_replay(trail, stream, wish.replay_id)
    start: StartPoint | None = None
    if started is not None:
        wish = _as_begun(wish, started[1])
    elif wish.restore_point is not None:
        start, wish = _from_restore_point(trail, stream, wish)
    selection = _within(trail, stream, wish.selection, head)
    wish = msgspec.structs.replace(wish, selection=selection)
    pairs, chain_fault = _load(trail, stream, selection.from_sequence, head)
    state, state_fault = _state_before(trail, stream, selection.from_sequence)
    situation = Situation(
        handlers=handlers,
        state=state,
        state_fault=state_fault,
        chain_fault=chain_fault,
        succeeded=_succeeded(pairs, wish),
        excluded=_excluded(pairs, wish),
        earlier_ids=_earlier_causes(trail, stream, pairs, handlers),
        start=start,
        git=_git_facts(trail, start),
    )
    markers = {} if started is None else _noted(pairs, str(wish.replay_id))
    plan = plan_replay(pairs, selection, trail.types, situation)
    return Prospect(
        plan=plan,
        wish=wish,
        head=head,
        written=_written(pairs),
        start=start,
        resumed=None if started is None else started[1],
        resumed_id=None if started is None else started[0],
        done=markers,
        is_complete=any(isinstance(fact, ReplayCompleted) and fact.replay_id == wish.replay_id for _, fact in pairs),
        warnings=(*plan.warnings, *_interrupted(pairs, wish)),
    )


def _head_of(trail: Trail, stream: str) -> int:
    check_stream(stream)
    head = trail.store.stream(stream).tip().head.version
    if head == 0:
        from difflib import get_close_matches

        near = get_close_matches(stream, trail.store.names(), n=1)
        hint = f"Did you mean {near[0]}?" if near else "`esaa trail list` names the streams."
        raise NotFound("ISSUE_NOT_FOUND", f"The trail has no events of {stream}.", hint)
    return head


def _find_replay(trail: Trail, stream: str, replay_id: str) -> tuple[str, ReplayStarted]:
    known: list[str] = []
    for located in trail.store.stream(stream).events():
        if located.event.fact.event_type != "ReplayStarted":
            continue
        fact = trail.types.fact_of(located.event)
        if isinstance(fact, ReplayStarted) and not fact.dry_run:
            known.append(fact.replay_id)
            if fact.replay_id == replay_id:
                return located.event.event_id, fact
    hint = f"The last ones are {', '.join(known[-3:])}." if known else "There has been none yet."
    raise NotFound("REPLAY_NOT_FOUND", f"{stream} has no replay {replay_id[:80]!r}.", hint)


def _as_begun(wish: Wish, started: ReplayStarted) -> Wish:
    """The wish of a replay that is gone on with is the one that it began with. Raises `UsageError` for another one."""
    begun = Selection(
        from_sequence=started.from_sequence if isinstance(started.from_sequence, int) else 0,
        to_sequence=started.to_sequence if isinstance(started.to_sequence, int) else None,
        types=started.event_types if isinstance(started.event_types, tuple) else (),
        agents=started.agents if isinstance(started.agents, tuple) else (),
        phases=started.phases if isinstance(started.phases, tuple) else (),
    )
    asked, nothing = wish.selection, Selection()
    for name in Selection.__struct_fields__:
        value = getattr(asked, name)
        if value not in (getattr(nothing, name), getattr(begun, name)):
            raise UsageError(
                "REPLAY_DIFFERS",
                f"{started.replay_id} began with another {name.removesuffix('s').replace('_', ' ')}.",
                "Leave the selection out: a replay goes on as it began. Or begin another one.",
            )
    extra = started.extra if isinstance(started.extra, dict) else {}
    if extra.get("has_own_filter") and wish.event_filter is None:
        raise UsageError(
            "REPLAY_DIFFERS", f"{started.replay_id} began with a filter of its caller.", "Pass the same one."
        )
    return msgspec.structs.replace(
        wish, selection=begun, again=wish.again or extra.get("again") is True, restore_point=None
    )


def _from_restore_point(trail: Trail, stream: str, wish: Wish) -> tuple[StartPoint, Wish]:
    point = find_restore_point(trail, str(wish.restore_point), stream)
    start = StartPoint(checkpoint_id=point.checkpoint_id, sequence=point.event.version, git_sha=point.git_sha)
    first = wish.selection.from_sequence
    if 0 < first <= start.sequence:
        raise UsageError(
            "RANGE_INVALID",
            f"Event #{first} came before the restore point {start.checkpoint_id} (#{start.sequence}).",
            "Leave the beginning out, or the restore point.",
        )
    first = max(first, start.sequence + 1)
    return start, msgspec.structs.replace(wish, selection=msgspec.structs.replace(wish.selection, from_sequence=first))


def _within(trail: Trail, stream: str, selection: Selection, head: int) -> Selection:
    """The selection with both ends of its range. Raises `UsageError` and `NotFound`."""
    first, last = max(selection.from_sequence, 1), selection.to_sequence
    if selection.from_sequence < 0 or (last is not None and last < first):
        raise UsageError("RANGE_INVALID", f"There are no events from #{first} to #{last}.", "Swap the ends.")
    if first > head:
        raise NotFound("EVENT_NOT_FOUND", f"{stream} ends at event #{head}; there is no #{first}.", "")
    for name in selection.types:
        if not trail.types.knows(name):
            from difflib import get_close_matches

            near = get_close_matches(name, trail.types.names(), n=1)
            hint = f"Did you mean {near[0]}?" if near else "`esaa record --list` names the types."
            raise UsageError("EVENT_TYPE_UNKNOWN", f"{name[:80]!r} is no event type.", hint)
    return msgspec.structs.replace(
        selection, from_sequence=first, to_sequence=head if last is None else min(last, head)
    )


def _load(trail: Trail, stream: str, first: int, head: int) -> tuple[list[Pair], str]:
    """The events from the first of the range to the end, and where their chain is broken."""
    pairs: list[Pair] = []
    fault, previous = "", None
    for located in trail.store.stream(stream).events(max(first - 1, 1), head):
        fault = fault or link_fault(located.event, previous)
        previous = leaf_hash(located.line)
        if located.event.version >= first:
            pairs.append((located.event, trail.types.fact_of(located.event)))
    return pairs, fault


def _state_before(trail: Trail, stream: str, first: int) -> tuple[OrchestrationState | None, str]:
    if first <= 1:
        return OrchestrationState(), ""
    try:
        found = TrailStates(trail).reconstruct(stream, sequence=first - 1, use_snapshots=False)
    except CorruptLog as error:
        return None, error.message
    return found.state, ""


def _succeeded(pairs: list[Pair], wish: Wish) -> dict[tuple[str, str], str]:
    """What replays did with success. Their markers come after the events that they are about."""
    return {
        (fact.replayed_event_id, fact.handler): fact.replay_id
        for _, fact in pairs
        if isinstance(fact, EventReplayed)
        and fact.status == "success"
        and fact.dry_run is not True
        and isinstance(fact.handler, str)
        and (not wish.again or fact.replay_id == wish.replay_id)
    }


def _noted(pairs: list[Pair], replay_id: str) -> dict[str, Done]:
    return {
        fact.replayed_event_id: Done(
            status=fact.status,
            matches_recorded=fact.matches_recorded if isinstance(fact.matches_recorded, bool) else None,
        )
        for _, fact in pairs
        if isinstance(fact, EventReplayed) and fact.replay_id == replay_id
    }


def _excluded(pairs: list[Pair], wish: Wish) -> frozenset[str]:
    wanted = wish.event_filter
    if wanted is None:
        return frozenset()
    inside = (event for event, _ in pairs if wish.selection.holds(event.version))
    return frozenset(event.event_id for event in inside if not wanted(event_view(event)))


def _earlier_causes(trail: Trail, stream: str, pairs: list[Pair], handlers: Mapping[str, str]) -> frozenset[str]:
    """Those causes of events with a handler that lie before the range."""
    inside = {event.event_id for event, _ in pairs}
    causes = {event.causation_id for event, _ in pairs if event.fact.event_type in handlers and event.causation_id}
    return frozenset(trail.store.stream(stream).find(frozenset(one for one in causes if one and one not in inside)))


def _git_facts(trail: Trail, start: StartPoint | None) -> GitFacts | None:
    if start is None or start.git_sha is None:
        return None
    return GitFacts(sha=git_state(trail.root).sha, files_changed=GitWorktree(trail.root).files_changed() or 0)


def _written(pairs: list[Pair]) -> dict[str, frozenset[str]]:
    digests: dict[str, set[str]] = {}
    for _, fact in pairs:
        if isinstance(fact, FileWritten):
            digests.setdefault(fact.path, set()).add(fact.after_sha256)
    return {path: frozenset(found) for path, found in digests.items()}


def _interrupted(pairs: list[Pair], wish: Wish) -> tuple[str, ...]:
    """Replays that never came to their end, where nobody goes on with them."""
    if wish.replay_id is not None:
        return ()
    started = [fact.replay_id for _, fact in pairs if isinstance(fact, ReplayStarted) and not fact.dry_run]
    ended = {fact.replay_id for _, fact in pairs if isinstance(fact, ReplayCompleted)}
    return tuple(f"{one} was interrupted; `--replay-id {one}` goes on with it" for one in started if one not in ended)
