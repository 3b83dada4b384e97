"""Frontiers, inclusion proofs and consistency proofs, against RFC 6962's definition and known vectors."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.chain import leaf_hash
from esaa.kernel.merkle import (
    EMPTY_ROOT,
    Frontier,
    Subtree,
    consistency_proof,
    inclusion_proof,
    leaves_under,
    root,
    subtrees,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(70)]
CT_LEAVES = [
    leaf_hash(bytes.fromhex(one))
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
# Audit paths and consistency proofs of the Certificate Transparency project's own tests.
INCLUSION_VECTORS = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
CONSISTENCY_VECTORS = {
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def flipped(digest: str) -> str:
    return f"{int(digest, 16) ^ 1:064x}"


@pytest.mark.parametrize(("index", "size"), INCLUSION_VECTORS)
def test_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int) -> None:
    assert inclusion_proof(CT_LEAVES[:size], index) == INCLUSION_VECTORS[index, size]


@pytest.mark.parametrize(("first", "size"), CONSISTENCY_VECTORS)
def test_consistency_proofs_are_those_of_certificate_transparency(first: int, size: int) -> None:
    assert consistency_proof(CT_LEAVES[:size], first) == CONSISTENCY_VECTORS[first, size]


def test_frontier_has_the_root_and_the_subtrees_of_its_leaves_at_every_size() -> None:
    frontier = Frontier()
    for size, leaf in enumerate(LEAVES):
        assert frontier.size == size
        assert frontier.root() == root(LEAVES[:size])
        assert frontier.parts() == subtrees(LEAVES[:size])
        frontier.append(leaf)


@given(st.integers(0, 70), st.integers(0, 70))
def test_frontier_goes_on_from_its_parts(first: int, size: int) -> None:
    frontier = Frontier.of(subtrees(LEAVES[:first]))
    frontier.extend(LEAVES[first:size])
    assert (frontier.size, frontier.root()) == (max(first, size), root(LEAVES[: max(first, size)]))


def test_frontier_takes_subtrees_that_are_smaller_than_they_could_be() -> None:
    frontier = Frontier.of([*subtrees(LEAVES[:3]), *subtrees(LEAVES[3:5], 3)])
    assert frontier.parts() == subtrees(LEAVES[:5])


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((Subtree(level=0, index=1, hash=EMPTY_ROOT),), "from 0 on"),
        ((Subtree(level=0, index=0, hash=EMPTY_ROOT), Subtree(level=1, index=1, hash=EMPTY_ROOT)), "from 1 on"),
        ((Subtree(level=0, index=0, hash="xyz"),), "no hash"),
        ((Subtree(level=0, index=0, hash=EMPTY_ROOT.upper()),), "no hash"),
    ],
)
def test_frontier_is_not_made_of_parts_that_leave_a_gap(parts: tuple[Subtree, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Frontier.of(parts)


def test_every_leaf_of_every_size_is_proved_and_nothing_else_is() -> None:
    for size in range(1, 36):
        leaves, whole = LEAVES[:size], root(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(leaves, index)
            assert verify_inclusion(leaves[index], index, size, proof, whole)
            for other in range(size):
                assert (other == index) == verify_inclusion(leaves[other], index, size, proof, whole)
                assert (other == index) == verify_inclusion(leaves[index], other, size, proof, whole)


def test_every_size_is_proved_to_begin_with_every_smaller_one_and_with_no_other() -> None:
    for size in range(36):
        whole = root(LEAVES[:size])
        for first in range(size + 1):
            proof = consistency_proof(LEAVES[:size], first)
            assert verify_consistency(first, root(LEAVES[:first]), size, whole, proof)
            assert not verify_consistency(first, flipped(root(LEAVES[:first])), size, whole, proof)
            assert not verify_consistency(first, root(LEAVES[:first]), size, whole, (*proof, EMPTY_ROOT))
            if proof:
                assert not verify_consistency(first, root(LEAVES[:first]), size, whole, proof[:-1])
                assert not verify_consistency(first, root(LEAVES[:first]), size, flipped(whole), proof)
            assert first == size or not verify_consistency(size, whole, first, root(LEAVES[:first]), proof)


@given(st.data())
def test_inclusion_holds_for_nothing_that_was_changed(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    leaves = LEAVES[:size]
    proof, whole = list(inclusion_proof(leaves, index)), root(leaves)
    how = data.draw(st.sampled_from(("leaf", "root", "hash", "longer", "shorter")))
    if how == "leaf":
        assert not verify_inclusion(flipped(leaves[index]), index, size, proof, whole)
    elif how == "root":
        assert not verify_inclusion(leaves[index], index, size, proof, flipped(whole))
    elif how == "longer":
        assert not verify_inclusion(leaves[index], index, size, [*proof, whole], whole)
    elif proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], *([flipped(proof[at])] if how == "hash" else []), *proof[at + 1 :]]
        assert not verify_inclusion(leaves[index], index, size, changed, whole)


@given(st.data())
def test_consistency_holds_for_no_changed_hash(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 70))
    first = data.draw(st.integers(1, size - 1))
    proof = list(consistency_proof(LEAVES[:size], first))
    at = data.draw(st.integers(0, len(proof) - 1))
    proof[at] = flipped(proof[at])
    assert not verify_consistency(first, root(LEAVES[:first]), size, root(LEAVES[:size]), proof)


@given(st.integers(-2, 9), st.integers(-2, 9), st.lists(st.sampled_from([*LEAVES[:3], "", "zz", "é" * 64]), max_size=5))
def test_verifying_anything_at_all_answers(first: int, size: int, texts: list[str]) -> None:
    for one in (*texts, EMPTY_ROOT):
        assert verify_inclusion(one, first, size, texts, EMPTY_ROOT) in (False, True)
        assert verify_consistency(first, one, size, EMPTY_ROOT, texts) in (False, True)


def test_proofs_beyond_the_tree_are_refused() -> None:
    for index in (-1, 3):
        with pytest.raises(ValueError, match=f"no leaf {index} in a tree of 3"):
            inclusion_proof(LEAVES[:3], index)
    for first in (-1, 4):
        with pytest.raises(ValueError, match=f"of 3 leaves never had {first}"):
            consistency_proof(LEAVES[:3], first)


def test_a_tree_without_leaves_begins_every_other_and_has_one_root() -> None:
    other = hashlib.sha256(b"x").hexdigest()
    assert verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    assert verify_consistency(0, EMPTY_ROOT, 3, root(LEAVES[:3]), ())
    assert not verify_consistency(0, other, 3, root(LEAVES[:3]), ())
    assert not verify_consistency(0, EMPTY_ROOT, 0, other, ())
    assert not verify_consistency(0, EMPTY_ROOT, 3, root(LEAVES[:3]), (other,))
    assert not verify_consistency(3, root(LEAVES[:3]), 5, root(LEAVES[:5]), ())
    assert not verify_inclusion(other, 0, 0, (), EMPTY_ROOT)


@pytest.mark.parametrize("cuts", [(8,), (5,), (3, 9), (1, 2, 3, 4, 21)])
def test_leaves_that_are_gone_are_replaced_by_their_subtrees_in_every_proof(cuts: tuple[int, ...]) -> None:
    size = 37
    before: list[Subtree] = []
    at = 0
    for cut in cuts:
        before += subtrees(LEAVES[at:cut], at)
        at = cut
    left = LEAVES[at:size]
    assert leaves_under(before) == at
    for index in range(at, size):
        assert inclusion_proof(left, index, before) == inclusion_proof(LEAVES[:size], index)
    for first in range(at, size + 1):
        assert consistency_proof(left, first, before) == consistency_proof(LEAVES[:size], first)


def test_what_is_gone_can_not_be_proved() -> None:
    before, left = subtrees(LEAVES[:8]), LEAVES[8:20]
    with pytest.raises(ValueError, match="from 0 to 7 are gone"):
        inclusion_proof(left, 3, before)
    with pytest.raises(ValueError, match="from 0 to 7 are gone"):
        consistency_proof(left, 3, before)
    with pytest.raises(ValueError, match="no leaf 20 in a tree of 20"):
        inclusion_proof(left, 20, before)
