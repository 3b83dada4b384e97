"""Events: pages of them, one in full, what led to it and what followed."""

from __future__ import annotations

import msgspec

from esaa.errors import NotFound
from esaa.history.causation import cause_graph, causes_of, effects_of
from esaa.history.entries import Entry, EntryFilter
from esaa.history.past import Past
from esaa.history.premises import premises_of
from esaa.runtime.history.commands import command, option
from esaa.runtime.history.comparing import changes_of_event
from esaa.runtime.history.lines import payload_of
from esaa.runtime.history.rules_met import RulesMet
from esaa.runtime.history.views import EventsView, EventView, GraphNode, GraphView, WhyView

_EFFECTS_SHOWN_MAX = 100


def events_view(past: Past, wanted: EntryFilter, *, offset: int, count: int) -> EventsView:
    """A page of the events that fit a filter."""
    page = past.find(wanted, offset=offset, count=count)
    return EventsView(
        past=past.name,
        at=past.head() if wanted.last is None else wanted.last,
        cli=_listing(past, wanted),
        total=page.total,
        offset=page.offset,
        entries=page.entries,
    )


def event_view(past: Past, seq: int, rules: RulesMet) -> EventView:
    """One event in full. Raises `NotFound`."""
    entry = existing(past, seq)
    return EventView(
        past=past.name,
        at=seq,
        cli=command(past, "show", seq),
        entry=entry,
        payload=payload_of(past, seq),
        line_bytes=len(past.line(seq)),
        changes=changes_of_event(past, seq),
        causes=tuple(causes_of(past, seq)),
        premises=_premises(past, entry),
        effects=tuple(effects_of(past, seq, count=_EFFECTS_SHOWN_MAX)),
        rules=rules.met_by(entry),
    )


def why_view(past: Past, seq: int, rules: RulesMet) -> WhyView:
    """Why an event is there. Raises `NotFound`."""
    entry = existing(past, seq)
    causes = tuple(causes_of(past, seq))
    return WhyView(
        past=past.name,
        at=seq,
        cli=command(past, "why", seq),
        entry=entry,
        causes=causes,
        premises=_premises(past, entry),
        effects=tuple(effects_of(past, seq, count=_EFFECTS_SHOWN_MAX)),
        rules=rules.met_by(entry),
        output=rules.output_behind(entry, causes),
    )


def graph_view(past: Past, seq: int, *, depth: int, count: int) -> GraphView:
    """The causes and effects around an event. Raises `NotFound`."""
    existing(past, seq)
    graph = cause_graph(past, seq, depth=depth, nodes_max=count)
    return GraphView(
        past=past.name,
        at=seq,
        cli=command(past, "graph", seq, "--depth", depth),
        nodes=tuple(GraphNode(**msgspec.structs.asdict(one.entry), depth=one.depth) for one in graph.nodes),
        edges=graph.edges,
        critical=graph.critical,
        is_cut=graph.is_cut,
    )


def _premises(past: Past, entry: Entry) -> tuple[Entry, ...]:
    return tuple(past.entry(seq) for seq in premises_of(past, entry))


def existing(past: Past, seq: int) -> Entry:
    """An event. Raises `NotFound` for the moment before the first one, which is none."""
    if seq == 0:
        raise NotFound("EVENT_NOT_FOUND", "#0 is the moment before the first event.", "Name #1 or a later one.")
    return past.entry(seq)


def _listing(past: Past, wanted: EntryFilter) -> str:
    if past.kind == "trail":
        words = [*option("--text", wanted.text)]
        for name, values in (("--type", wanted.names), ("--actor", wanted.actors)):
            words += [word for value in values for word in (name, value)]
        return command(past, "query", *words)
    words = [f"{wanted.first}..{wanted.last or ''}"] if wanted.first > 1 or wanted.last is not None else []
    for name, values in (("--action", wanted.names), ("--actor", wanted.actors), ("--task", wanted.subjects)):
        words += [word for value in values for word in (name, value)]
    words += [*option("--text", wanted.text), *(["--rejections"] if wanted.rejections_only else [])]
    return command(past, "log", *words)
