"""The Merkle tree of RFC 6962 over leaf hashes, and the subtrees that stand for a part of it.

A part of a tree that is gone can be replaced by the hashes of the largest complete subtrees that cover it: with them
the root, and the proof of every other leaf, can still be computed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

_NODE = b"\x01"
EMPTY_ROOT = hashlib.sha256(b"").hexdigest()
"""The root of a tree without leaves."""


class Subtree(msgspec.Struct, frozen=True, kw_only=True):
    """A complete subtree: 2^`level` leaves, beginning at leaf `index` * 2^`level`. `hash` is hex."""

    level: int
    index: int
    hash: str


def node_hash(left: str, right: str) -> str:
    """SHA-256(0x01 || left || right), all in hex."""
    return hashlib.sha256(_NODE + bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()


def subtrees(leaves: Iterable[str], start: int = 0) -> tuple[Subtree, ...]:
    """The fewest complete subtrees that cover these leaf hashes, the first of which is leaf `start` of the tree."""
    found: list[Subtree] = []
    for number, leaf in enumerate(leaves, start):
        last = Subtree(level=0, index=number, hash=leaf)
        while found and last.index % 2 and found[-1].level == last.level and found[-1].index == last.index - 1:
            left = found.pop()
            last = Subtree(level=last.level + 1, index=last.index // 2, hash=node_hash(left.hash, last.hash))
        found.append(last)
    return tuple(found)


def root_of(parts: Sequence[Subtree]) -> str:
    """The root of the tree that subtrees cover from leaf 0 on without a gap. Raises `ValueError` for a gap."""
    at = 0
    stack: list[Subtree] = []
    for part in parts:
        if part.index << part.level != at:
            raise ValueError(f"the leaves from {at} on are not covered")
        at += 1 << part.level
        stack.append(part)
        while len(stack) > 1 and stack[-1].index % 2 and stack[-2].level == stack[-1].level:
            right, left = stack.pop(), stack.pop()
            stack.append(Subtree(level=left.level + 1, index=left.index // 2, hash=node_hash(left.hash, right.hash)))
    if not stack:
        return EMPTY_ROOT
    root = stack.pop().hash
    while stack:
        root = node_hash(stack.pop().hash, root)
    return root


def root(leaves: Iterable[str]) -> str:
    """The root over leaf hashes (hex)."""
    return root_of(subtrees(leaves))
