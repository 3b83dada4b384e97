"""The Merkle tree, against the definition of RFC 6962 and its test vectors, and trees of which a part is gone."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.chain import leaf_hash
from esaa.kernel.merkle import root, root_of, subtrees

# The leaves and roots that Certificate Transparency implementations test with (RFC 6962 names no vectors itself).
LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def defined(leaves: list[str]) -> bytes:
    """MTH(D[n]) as RFC 6962 section 2.1 defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return bytes.fromhex(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:split]) + defined(leaves[split:])).digest()


@pytest.mark.parametrize("size", ROOTS)
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root(leaf_hash(leaf) for leaf in LEAVES[:size]) == ROOTS[size]


@pytest.mark.parametrize("size", range(70))
def test_root_is_as_defined(size: int) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    assert root(leaves) == defined(leaves).hex()


@given(st.integers(0, 60), st.lists(st.integers(1, 30), max_size=4))
def test_parts_that_are_gone_are_replaced_by_their_subtrees(first: int, sizes: list[int]) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(first + sum(sizes))]
    parts = list(subtrees(leaves[:first]))
    at = first
    for size in sizes:
        kept = subtrees(leaves[at : at + size], at)
        assert len(kept) <= 2 * size.bit_length() + 1
        parts += kept
        at += size
    assert root_of(parts) == defined(leaves).hex()


def test_gap_is_refused() -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(5)]
    with pytest.raises(ValueError, match="from 2 on"):
        root_of([*subtrees(leaves[:2]), *subtrees(leaves[3:], 3)])
