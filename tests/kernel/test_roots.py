"""The roots of a growing tree at chosen sizes are those of the tree made anew at each of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.chain import leaf_hash
from esaa.kernel.merkle import EMPTY_ROOT, Frontier, root
from esaa.kernel.roots import RootsAt, TreeHead

LEAVES = [leaf_hash(b"%d" % number) for number in range(2100)]


@given(st.integers(0, 60), st.sets(st.integers(0, 80)))
def test_every_wanted_size_that_is_reached_has_its_head(count: int, sizes: set[int]) -> None:
    roots = RootsAt(sizes)
    for leaf in LEAVES[:count]:
        roots.add(leaf)
    assert roots.size == count
    assert roots.end() == TreeHead(root=root(LEAVES[:count]), leaf=LEAVES[count - 1] if count else None)
    assert set(roots.heads) == {size for size in sizes if size <= count}
    for size, head in roots.heads.items():
        assert head == TreeHead(root=root(LEAVES[:size]), leaf=LEAVES[size - 1] if size else None)


@pytest.mark.parametrize("count", [1023, 1024, 1025, 2047, 2048, 2049, 2100])
def test_leaves_are_folded_together_without_losing_one(count: int) -> None:
    sizes = [0, 1, 1000, 1023, 1024, 1025, 2048]
    roots = RootsAt(sizes)
    for leaf in LEAVES[:count]:
        roots.add(leaf)
    assert roots.end().root == root(LEAVES[:count])
    assert {size: head.root for size, head in roots.heads.items()} == {
        size: root(LEAVES[:size]) for size in sizes if size <= count
    }


def test_a_tree_that_begins_later_goes_on() -> None:
    frontier = Frontier()
    frontier.extend(LEAVES[:700])
    roots = RootsAt([3, 700, 701, 900], frontier)
    assert roots.heads == {700: TreeHead(root=root(LEAVES[:700]), leaf=None)}
    for leaf in LEAVES[700:901]:
        roots.add(leaf)
    roots.end()
    assert {size: head.root for size, head in roots.heads.items()} == {
        size: root(LEAVES[:size]) for size in (700, 701, 900)
    }


def test_the_empty_tree_has_a_root() -> None:
    assert RootsAt([0]).end().root == EMPTY_ROOT


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_parts_at_the_end_are_where_another_goes_on(count: int, more: int) -> None:
    first = RootsAt([])
    for leaf in LEAVES[:count]:
        first.add(leaf)

    second = RootsAt([], Frontier.of(first.parts()))
    for leaf in LEAVES[count : count + more]:
        second.add(leaf)

    assert second.size == count + more
    assert second.end().root == root(LEAVES[: count + more])
