"""Merging two histories of one stream, written on two machines or two branches, into one that both agree on.

What both have in common stays byte for byte. What follows is put into one order that keeps the order in which each
writer wrote and what is known of causes (vector clocks, `causation_id`); where nothing is known, the time decides, then
the id. So it does not matter which side is called first, nor in which order three machines merge. A moved line carries
its `origin`, from which the line of its writer can be made again. At the end a `TrailMerged` names the heads that were
joined.

Histories form a graph as commits do: the line of a writer names the one before it by `prev_hash`, a `TrailMerged` names
the heads. That is the order that a later merge keeps; how an earlier one decided between concurrent events is not.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from esaa.errors import CorruptLog, MergeConflict
from esaa.kernel.canonical import compact
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Recorded
from esaa.trail.event import Actor, Origin, TrailEvent, Witnessed, stream_of
from esaa.trail.facts.records import CONCURRENT_SHOWN_MAX, MergedHead, TrailMerged
from esaa.trail.joining.clocks import joined
from esaa.trail.joining.concurrency import Pairs, concurrent_pairs, ordered
from esaa.trail.wire import TrailVocabulary

Line = tuple[bytes, TrailEvent]
"""A stored line without its line feed, and the event that it holds."""

_VOCABULARY = TrailVocabulary()


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """The joined history.

    - `lines`: all lines, without line feeds.
    - `common`: how many of them both sides had from the start; they are as they were.
    - `joined`: how many events follow them, without the `TrailMerged`.
    - `concurrent`: pairs of events of which neither knew of the other, those that came to lie nearest first, at most
      as many as `TrailMerged` shows.
    - `concurrent_pairs`: how many such pairs there are. Where `is_every_pair` is False there were too many to look at
      (see `concurrency.PAIRS_MAX`), and only neighbours in the new order are counted.
    - `changes_first`, `changes_second`: whether the history differs from that side's own.
    """

    lines: tuple[bytes, ...]
    common: int
    joined: int = 0
    concurrent: tuple[tuple[str, str], ...] = ()
    concurrent_pairs: int = 0
    is_every_pair: bool = True
    changes_first: bool = False
    changes_second: bool = False


class _Node(msgspec.Struct, frozen=True):
    """An event as its writer wrote it, its line of that time, and whether an earlier merge moved it."""

    event: TrailEvent
    line: bytes
    is_moved: bool


def merge(first: Sequence[Line], second: Sequence[Line]) -> Merged:
    """Joins two histories of one stream. The result is the same whichever side is called first.

    A side that has all events of the other is the result as it is: merging again changes nothing. Raises
    `MergeConflict` where the sides are of different streams or beginnings, where an id means one event here and
    another one there, and where a line would have to be moved that this version cannot make again byte for byte;
    `CorruptLog` where a side has an id twice.
    """
    _refuse_damage(first)
    _refuse_damage(second)
    _refuse_other_stream(first, second)
    start, *rests = _divided(first, second)
    sides = [[_node(line, event) for line, event in rest] for rest in rests]
    nodes = _united(sides)
    lines = _one_side(start, rests, len(nodes))
    if lines is not None:
        return _result(lines, len(start), first, second)
    events = {event_id: node.event for event_id, node in nodes.items()}
    order = ordered(events, _own_order(sides))
    pairs = concurrent_pairs(
        events, [[node.event.event_id for node in side] for side in sides], order, CONCURRENT_SHOWN_MAX
    )
    moved = _moved([nodes[event_id] for event_id in order], start, rests[0][0][1])
    told = _VOCABULARY.encode(_told(start, rests, moved[-1], pairs))
    merged = _result([*(line for line, _ in (*start, *moved)), told], len(start), first, second)
    return msgspec.structs.replace(
        merged,
        joined=len(moved),
        concurrent=pairs.named,
        concurrent_pairs=pairs.total,
        is_every_pair=pairs.is_complete,
    )


def original_event(event: TrailEvent) -> TrailEvent:
    """The event as its writer wrote it, before any merge."""
    seen, origin = event.fact, event.fact.origin
    if origin is None:
        return event
    ts, occurred_at = event.ts, seen.occurred_at
    if origin.timestamp is not None:
        ts = origin.timestamp
        occurred_at = _exchanged(occurred_at, ts)
    return msgspec.structs.replace(
        event,
        version=origin.event_sequence,
        prev_hash=origin.prev_hash,
        ts=ts,
        fact=msgspec.structs.replace(seen, occurred_at=occurred_at, origin=None),
    )


def original_line(event: TrailEvent) -> bytes:
    """The line of an event as its writer wrote it, byte for byte, before any merge.

    That holds for every event that a merge moved: it refuses to move what it cannot make again. For an event that was
    never moved, the stored line is the original; this one is equal to it where esaa wrote it.
    """
    return _VOCABULARY.encode(original_event(event))


def _divided(first: Sequence[Line], second: Sequence[Line]) -> tuple[list[Line], list[Line], list[Line]]:
    """What both have in common, and what each has after that. A side may begin later: its older events are gone."""
    if not first or not second:
        return [], list(first), list(second)
    ahead = second[0][1].version - first[0][1].version
    if ahead < 0:
        start, theirs, ours = _divided(second, first)
        return start, ours, theirs
    before = leaf_hash(first[ahead - 1][0]) if 0 < ahead <= len(first) else first[0][1].prev_hash
    if ahead > len(first) or before != second[0][1].prev_hash:
        raise MergeConflict(
            "MERGE_HISTORIES_APART",
            f"The histories do not meet: event {second[0][1].version}, with which one of them begins, follows nothing "
            "in the other.",
            "Merge copies of one stream that begin alike, or unpack the archived events first.",
        )
    same = 0
    while ahead + same < len(first) and same < len(second) and first[ahead + same][0] == second[same][0]:
        same += 1
    return list(first[: ahead + same]), list(first[ahead + same :]), list(second[same:])


def _one_side(start: list[Line], rests: list[list[Line]], count: int) -> list[bytes] | None:
    """The lines of the side that has all events; None where each has some of its own."""
    whole = [rest for rest in rests if len(rest) == count]
    if not whole:
        return None
    # Two sides with the same events in different lines: any rule will do that does not ask which one is called first.
    return [line for line, _ in start] + min([line for line, _ in rest] for rest in whole)


def _node(line: bytes, event: TrailEvent) -> _Node:
    if event.fact.origin is None:
        return _Node(event, line, False)
    original = original_event(event)
    return _Node(original, _VOCABULARY.encode(original), True)


def _united(sides: list[list[_Node]]) -> dict[str, _Node]:
    """Every event once, as its writer wrote it."""
    nodes: dict[str, _Node] = {}
    for node in itertools.chain(*sides):
        known = nodes.setdefault(node.event.event_id, node)
        if known.line != node.line:
            _refuse_other_content(known.event, node.event)
            # What two machines recorded for themselves (a fed event) stands as one of them wrote it.
            nodes[node.event.event_id] = min(known, node, key=lambda each: each.line)
    return nodes


def _own_order(sides: list[list[_Node]]) -> Iterator[tuple[str, str]]:
    """Pairs of an event and the next one of the same history, as the writers wrote them."""
    written = {leaf_hash(node.line): node.event.event_id for side in sides for node in side}
    for side in sides:
        for before, node in itertools.pairwise([None, *side]):
            assert node is not None, "only the first one has nothing before it"
            event = node.event
            leaves = _heads(event) if event.fact.event_type == TrailMerged.__name__ else [event.prev_hash or ""]
            found = [written[leaf] for leaf in leaves if leaf in written]
            if not found and before is not None and not node.is_moved:
                found = [before.event.event_id]  # a chain that is broken; its order still counts
            for event_id in found:
                yield event_id, event.event_id


def _heads(event: TrailEvent) -> list[str]:
    try:
        return [head.leaf_hash for head in msgspec.json.decode(event.fact.metadata, type=TrailMerged).heads]
    except msgspec.DecodeError:
        return []


def _moved(nodes: Sequence[_Node], start: list[Line], begin: TrailEvent) -> list[Line]:
    """The events in their new places."""
    moved: list[Line] = []
    sequence, prev_hash, floor = begin.version, begin.prev_hash, start[-1][1].ts if start else ""
    for node in nodes:
        event = _placed(node.event, sequence, prev_hash, floor)
        if event is node.event:
            line = node.line
        else:
            _refuse_foreign(node)
            line = _VOCABULARY.encode(event)
        moved.append((line, event))
        sequence, prev_hash, floor = sequence + 1, leaf_hash(line), event.ts
    return moved


def _placed(original: TrailEvent, sequence: int, prev_hash: str | None, floor: str) -> TrailEvent:
    """An event in a new place, with its origin; itself where the place is its own."""
    ts = max(original.ts, floor)
    if (sequence, prev_hash, ts) == (original.version, original.prev_hash, original.ts):
        return original
    is_later = ts != original.ts
    occurred_at = original.fact.occurred_at
    if is_later:
        occurred_at = _exchanged(occurred_at, original.ts)
    origin = Origin(
        event_sequence=original.version, prev_hash=original.prev_hash, timestamp=original.ts if is_later else None
    )
    fact = msgspec.structs.replace(original.fact, occurred_at=occurred_at, origin=origin)
    return msgspec.structs.replace(original, version=sequence, prev_hash=prev_hash, ts=ts, fact=fact)


def _exchanged(occurred_at: str | None, ts: str) -> str | None:
    """`occurred_at` of a line whose timestamp moves, and back: it keeps the witness's own time.

    Where there is none, the old timestamp is that time. Where it is the old timestamp, it goes, so that the way back
    is certain; the origin has it.
    """
    if occurred_at is None:
        return ts
    return None if occurred_at == ts else occurred_at


def _told(start: list[Line], rests: list[list[Line]], end: Line, pairs: Pairs) -> TrailEvent:
    """The event that tells of the merge, after the last line."""
    heads = [
        MergedHead(leaf_hash=leaf_hash(rest[-1][0]), event_sequence=rest[-1][1].version, events=len(rest))
        for rest in rests
    ]
    heads.sort(key=lambda head: head.leaf_hash)
    last = end[1]
    fact = TrailMerged(
        heads=tuple(heads),
        common_sequence=start[-1][1].version if start else 0,
        events_joined=last.version - rests[0][0][1].version + 1,
        concurrent_pairs=pairs.total,
        concurrent=pairs.named,
        extra=msgspec.UNSET if pairs.is_complete else {"concurrent_pairs_are": "neighbours"},
    )
    actor = Actor(type="system", id="esaa")
    return Recorded(
        version=last.version + 1,
        event_id=_merge_id(heads),
        ts=last.ts,
        actor=actor.id,
        schema_version=TrailMerged.version,
        prev_hash=leaf_hash(end[0]),
        fact=Witnessed(
            event_type=TrailMerged.__name__,
            metadata=msgspec.Raw(compact(fact)),
            issue_key=last.fact.issue_key,
            session_id=last.fact.session_id,
            actor=actor,
            vector_clock=_clock([*start[-1:], *itertools.chain(*rests)]),
        ),
    )


def _merge_id(heads: Sequence[MergedHead]) -> str:
    """A UUID of version 8 that follows from the heads: whoever joins them gives the event the same id."""
    digest = bytearray(hashlib.sha256("\n".join(head.leaf_hash for head in heads).encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _clock(lines: Sequence[Line]) -> dict[str, int] | None:
    """The clock that knows all that any of them knows; None where nobody keeps one."""
    clock: Mapping[str, int] = {}
    for _, event in lines:
        if event.fact.vector_clock:
            clock = joined(clock, event.fact.vector_clock)
    return dict(clock) or None


def _result(lines: Sequence[bytes], common: int, first: Sequence[Line], second: Sequence[Line]) -> Merged:
    return Merged(
        lines=tuple(lines),
        common=common,
        joined=len(lines) - common,
        changes_first=[line for line, _ in first] != list(lines),
        changes_second=[line for line, _ in second] != list(lines),
    )


def _refuse_damage(side: Sequence[Line]) -> None:
    seen: set[str] = set()
    for number, (_, event) in enumerate(side, start=1):
        if event.event_id in seen:
            raise CorruptLog(
                "EVENT_ID_DUPLICATE",
                f"The event {event.event_id} stands twice in one history, again as event {event.version}.",
                "Run `esaa trail check`, and mend the history before it is merged.",
                number,
            )
        seen.add(event.event_id)


def _refuse_other_stream(first: Sequence[Line], second: Sequence[Line]) -> None:
    streams = sorted({stream_of(event) for _, event in (*first, *second)})
    if len(streams) > 1:
        raise MergeConflict(
            "MERGE_STREAMS_DIFFER",
            f"The histories are of different streams: {', '.join(streams[:5])}.",
            "Merge stream by stream.",
        )


def _refuse_other_content(one: TrailEvent, other: TrailEvent) -> None:
    if _content(one) != _content(other):
        raise MergeConflict(
            "MERGE_EVENT_CONFLICT",
            f"The event {one.event_id} says one thing in one history and another in the other "
            f"({one.fact.event_type}, event {one.version}; {other.fact.event_type}, event {other.version}).",
            "One of the histories was changed by hand. Verify both, and keep the sound one.",
            event_id=one.event_id,
        )


def _content(event: TrailEvent) -> bytes:
    """What was witnessed, wherever and whenever it was written down."""
    fact = msgspec.structs.replace(event.fact, occurred_at=None, vector_clock=None, origin=None)
    ts = event.fact.occurred_at or event.ts
    return _VOCABULARY.encode(msgspec.structs.replace(event, version=0, prev_hash=None, ts=ts, fact=fact))


def _refuse_foreign(node: _Node) -> None:
    if _VOCABULARY.encode(node.event) != node.line:
        raise MergeConflict(
            "MERGE_LINE_FOREIGN",
            f"The line of the event {node.event.event_id} has keys or a form that this version does not know; moved to "
            "another place, it could not be made again.",
            "Merge with the version of esaa that wrote it.",
            event_id=node.event.event_id,
        )
