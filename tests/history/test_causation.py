"""What led to an event and what followed, whatever events say about their causes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from esaa.history.causation import cause_graph, causes_of, effects_of
from esaa.history.premises import enabled_by, premises_of
from tests.history.memory_past import MemoryPast, entry, story
from tests.history.values import pasts


def past_with(*causes: int | None, times: tuple[str, ...] = ()) -> MemoryPast:
    """An event for each cause."""
    past = MemoryPast()
    for seq, cause in enumerate(causes, start=1):
        more = {"ts": times[seq - 1]} if times else {}
        past.append(entry(seq, causation_id=None if cause is None else f"EV-{cause:08d}", **more), {})
    return past


def seqs(past: MemoryPast, seq: int, **bounds: int) -> dict[int, int]:
    return {node.entry.seq: node.depth for node in cause_graph(past, seq, **bounds).nodes}


def test_the_chain_of_causes_begins_with_the_nearest() -> None:
    past = past_with(None, 1, 2, 3)
    assert [one.seq for one in causes_of(past, 4)] == [3, 2, 1]
    assert [one.seq for one in causes_of(past, 4, count=2)] == [3, 2]
    assert [one.seq for one in effects_of(past_with(None, 1, 1, 2), 1)] == [2, 3]
    assert [one.seq for one in effects_of(past_with(None, 1, 1, 2), 1, count=1)] == [2]


def test_a_circle_ends() -> None:
    past = past_with(3, 1, 2)
    assert [one.seq for one in causes_of(past, 2)] == [1, 3]
    graph = cause_graph(past, 2)
    assert {node.entry.seq for node in graph.nodes} == {1, 2, 3}
    assert {(edge.cause, edge.effect) for edge in graph.edges} == {(1, 2), (3, 1), (2, 3)}
    assert not graph.is_cut
    short = cause_graph(past, 2, depth=1)
    assert {(edge.cause, edge.effect) for edge in short.edges} == {(1, 2), (2, 3), (3, 1)}
    assert (short.critical, short.is_cut) == ((1, 2, 3), True)
    itself = cause_graph(past_with(1), 1)
    assert ([node.depth for node in itself.nodes], itself.critical) == ([0], (1,))
    assert [(edge.cause, edge.effect) for edge in itself.edges] == [(1, 1)]


def test_a_graph_has_causes_and_effects_by_depth() -> None:
    past = past_with(None, 1, 2, 3, 3, 1)
    assert seqs(past, 3) == {1: -2, 2: -1, 3: 0, 4: 1, 5: 1}


def test_bounds_are_kept_and_told() -> None:
    past = past_with(None, 1, 2, 3, 4)
    assert seqs(past, 3, depth=1) == {2: -1, 3: 0, 4: 1}
    assert cause_graph(past, 3, depth=1).is_cut
    assert not cause_graph(past, 3, depth=2).is_cut
    assert seqs(past, 3, depth=0) == {3: 0}
    assert cause_graph(past, 3, depth=0).is_cut
    broad = past_with(None, *[1] * 50)
    graph = cause_graph(broad, 1, nodes_max=10)
    assert (len(graph.nodes), graph.is_cut) == (10, True)
    assert cause_graph(past, 5, nodes_max=2).is_cut


def test_a_cause_of_elsewhere_is_named() -> None:
    graph = cause_graph(past_with(None, 99), 2)
    assert (graph.missing, graph.edges, graph.is_cut) == (("EV-00000099",), (), False)


def test_the_slowest_chain_goes_through_the_event() -> None:
    times = ("2026-01-01T10:00:00Z", "2026-01-01T10:00:10Z", "2026-01-01T12:00:00Z", "2026-01-01T10:00:20Z", "?")
    graph = cause_graph(past_with(None, 1, 1, 2, 2, times=times), 2)
    assert graph.critical == (1, 2, 4)
    assert {(edge.cause, edge.effect): edge.seconds for edge in graph.edges} == {(1, 2): 10, (2, 4): 10, (2, 5): 0}
    assert cause_graph(past_with(None, 1, 1, 2, 2, times=times), 1).critical == (1, 3)


def test_a_graph_goes_on_through_what_made_an_event_possible() -> None:
    """T-2 depends on T-1; what is written at once with an act names that act as its cause."""
    past = story(
        ("task.create", "T-1", "todo"),
        ("task.create", "T-2", "todo", ["T-1"]),
        ("claim", "T-1", "in_progress"),
        ("complete", "T-1", "review"),
        ("orchestrator.file.write", "T-1", "review", [], 4),
        ("review", "T-1", "done"),
        ("claim", "T-2", "in_progress", ["T-1"]),
    )
    graph = cause_graph(past, 4)
    assert {node.entry.seq: node.depth for node in graph.nodes} == {1: -2, 3: -1, 4: 0, 5: 1, 6: 1, 7: 2}
    assert [(edge.cause, edge.effect, edge.kind) for edge in graph.edges] == [
        (1, 3, "enabled"),
        (3, 4, "enabled"),
        (4, 5, "caused"),
        (4, 6, "enabled"),
        (6, 7, "enabled"),
    ]
    assert graph.critical == (1, 3, 4, 6, 7)
    # T-2 could be claimed when it was there and T-1 was done: it waited for what came last.
    assert cause_graph(past, 7).critical == (1, 3, 4, 6, 7)
    assert {(edge.cause, edge.effect) for edge in cause_graph(past, 7, depth=1).edges} == {(2, 7), (6, 7)}


def test_of_two_ways_to_an_event_the_slower_one_counts_also_where_a_clock_was_set_back() -> None:
    """T-1 and T-2 wait for T-0, T-3 for both; T-2 was done last, on a machine whose clock was behind."""
    past = story(
        ("task.create", "T-1", "todo", ["T-0"]),
        ("task.create", "T-2", "todo", ["T-0"]),
        ("task.create", "T-3", "todo", ["T-1", "T-2"]),
        ("task.create", "T-0", "done"),
        ("review", "T-1", "done", ["T-0"]),
        ("review", "T-2", "done", ["T-0"]),
        ("claim", "T-3", "in_progress", ["T-1", "T-2"]),
        times={
            4: "2026-01-01T10:00:00Z",
            5: "2026-01-01T10:30:00Z",
            6: "2026-01-01T09:00:00Z",
            7: "2026-01-01T09:20:00Z",
        },
    )
    assert cause_graph(past, 4, depth=2).critical == (4, 5, 7)


@given(pasts(), st.integers(0, 4), st.integers(1, 8))
def test_a_graph_is_sound(past: MemoryPast, depth: int, nodes_max: int) -> None:
    for seq in range(1, past.head() + 1):
        graph = cause_graph(past, seq, depth=depth, nodes_max=nodes_max)
        found = {node.entry.seq: node for node in graph.nodes}
        assert found[seq].depth == 0
        assert len(found) == len(graph.nodes) <= nodes_max
        assert all(abs(node.depth) <= depth for node in graph.nodes)
        edges = {(edge.cause, edge.effect): edge for edge in graph.edges}
        assert len(edges) == len(graph.edges)
        for (cause, effect), edge in edges.items():
            if edge.kind == "caused":
                assert found[effect].entry.causation_id == found[cause].entry.event_id
            else:
                assert cause in premises_of(past, found[effect].entry)
        assert seq in graph.critical
        assert set(pairwise(graph.critical)) <= set(edges)
        assert list(graph.critical) == sorted(set(graph.critical))
        if not graph.is_cut:
            # Nothing is left out: every cause and every effect of what is shown on its way is there.
            assert {one.seq for one in causes_of(past, seq)} <= set(found)
            assert {one.seq for one in effects_of(past, seq)} <= set(found)
            assert set(premises_of(past, past.entry(seq))) <= set(found)
            assert set(enabled_by(past, past.entry(seq))) <= set(found)
        behind = [one for one in graph.critical if one >= seq]
        slowest = sum(edges[step].seconds for step in pairwise(behind))
        assert all(slowest >= edge.seconds for edge in graph.edges if edge.cause == seq < edge.effect)
