"""The Merkle tree of RFC 6962 over leaf hashes, the subtrees that stand for a part of it, and proofs about it.

A part of a tree that is gone can be replaced by the hashes of the largest complete subtrees that cover it: with them
the root, and the proof of every other leaf, can still be computed. Hashes are lower-case hex wherever they are seen.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

import msgspec

_NODE = b"\x01"
EMPTY_ROOT = hashlib.sha256(b"").hexdigest()
"""The root of a tree without leaves."""
_HASH = re.compile(r"[0-9a-f]{64}")


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


def leaves_under(parts: Iterable[Subtree]) -> int:
    """How many leaves subtrees cover."""
    return sum(1 << part.level for part in parts)


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


class Frontier:
    """A tree that grows at its end and keeps no more than its complete subtrees: 64 hashes at most.

    A leaf costs one or two hashes on average, the root one for each subtree that is left.
    """

    __slots__ = ("_complete", "size")

    def __init__(self) -> None:
        self.size = 0
        self._complete: list[bytes] = []

    @classmethod
    def of(cls, parts: Iterable[Subtree]) -> Frontier:
        """A frontier over subtrees that cover the leaves from 0 on. Raises `ValueError` for a gap or a wrong hash."""
        found = cls()
        for part in parts:
            if part.index << part.level != found.size:
                raise ValueError(f"the leaves from {found.size} on are not covered")
            found.add_subtree(part.level, part.hash)
        return found

    def append(self, leaf: str) -> None:
        """Adds one leaf hash."""
        self._add(bytes.fromhex(leaf), 0)

    def extend(self, leaves: Iterable[str]) -> None:
        """Adds leaf hashes in their order; as `append` of each, and half as long again as fast."""
        complete, size, sha256, from_hex = self._complete, self.size, hashlib.sha256, bytes.fromhex
        for leaf in leaves:
            digest = from_hex(leaf)
            number = size
            while number & 1:
                digest = sha256(_NODE + complete.pop() + digest).digest()
                number >>= 1
            complete.append(digest)
            size += 1
            self.size = size

    def add_subtree(self, level: int, digest: str) -> None:
        """Adds 2^`level` leaves by the hash (hex) of their complete subtree; the size must be a multiple of them."""
        self._add(_digest(digest), level)

    def root(self) -> str:
        """The root of the tree so far."""
        if not self._complete:
            return EMPTY_ROOT
        found = self._complete[-1]
        for left in reversed(self._complete[:-1]):
            found = _node(left, found)
        return found.hex()

    def parts(self) -> tuple[Subtree, ...]:
        """The complete subtrees, from leaf 0 on: `Frontier.of` makes an equal frontier of them."""
        levels = [level for level in reversed(range(self.size.bit_length())) if self.size >> level & 1]
        return tuple(
            Subtree(level=level, index=(self.size >> level) - 1, hash=digest.hex())
            for level, digest in zip(levels, self._complete, strict=True)
        )

    def _add(self, digest: bytes, level: int) -> None:
        number = self.size >> level
        self.size += 1 << level
        while number & 1:
            digest = _node(self._complete.pop(), digest)
            number >>= 1
        self._complete.append(digest)


def inclusion_proof(leaves: Sequence[str], index: int, before: Sequence[Subtree] = ()) -> tuple[str, ...]:
    """The hashes that lead from leaf `index` to the root (RFC 6962, 2.1.1).

    `before` stands for the first leaves where these are gone; `leaves` are then those after them. Raises `ValueError`
    for a leaf that is not there, or gone.
    """
    size = leaves_under(before) + len(leaves)
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    found: list[str] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            found.append(_root_between(leaves, before, split, end))
            end = split
        else:
            found.append(_root_between(leaves, before, start, split))
            start = split
    return tuple(reversed(found))


def verify_inclusion(leaf: str, index: int, size: int, proof: Sequence[str], root: str) -> bool:
    """Whether `leaf` is leaf `index` of the tree with this size and root (RFC 9162, 2.1.3.2). Never raises."""
    if not 0 <= index < size or not _are_hashes((leaf, root, *proof)):
        return False
    at, last = index, size - 1
    found = bytes.fromhex(leaf)
    for text in proof:
        if last == 0:
            return False
        other = bytes.fromhex(text)
        if at & 1 or at == last:
            found = _node(other, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = _node(found, other)
        at, last = at >> 1, last >> 1
    return last == 0 and found.hex() == root


def consistency_proof(leaves: Sequence[str], first: int, before: Sequence[Subtree] = ()) -> tuple[str, ...]:
    """The hashes that show that the tree over `first` leaves is where this one began (RFC 6962, 2.1.2).

    It is empty for the empty tree and for the whole one. `before` is as in `inclusion_proof`. Raises `ValueError`
    where there are fewer leaves, or where `first` lies among those that are gone.
    """
    size = leaves_under(before) + len(leaves)
    if not 0 <= first <= size:
        raise ValueError(f"a tree of {size} leaves never had {first}")
    found: list[str] = []
    start, end, is_known = 0, size, True
    at = first
    while 0 < at < end - start:
        split = _split(end - start)
        if at <= split:
            found.append(_root_between(leaves, before, start + split, end))
            end = start + split
        else:
            found.append(_root_between(leaves, before, start, start + split))
            start, at, is_known = start + split, at - split, False
    if not is_known:
        found.append(_root_between(leaves, before, start, end))
    return tuple(reversed(found))


def verify_consistency(first: int, first_root: str, size: int, root: str, proof: Sequence[str]) -> bool:
    """Whether the tree with `size` and `root` begins with the one of `first` and `first_root` (RFC 9162, 2.1.4.2).

    Never raises. Every tree begins with the empty one.
    """
    if not 0 <= first <= size or not _are_hashes((first_root, root, *proof)):
        return False
    if first in (0, size):
        return not proof and first_root == (EMPTY_ROOT if first == 0 else root) and (size > 0 or root == EMPTY_ROOT)
    path = [bytes.fromhex(one) for one in proof]
    if first & (first - 1) == 0:
        path.insert(0, bytes.fromhex(first_root))
    if not path:
        return False
    at, last = first - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = _node(other, old), _node(other, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = _node(new, other)
        at, last = at >> 1, last >> 1
    return last == 0 and old.hex() == first_root and new.hex() == root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


def _digest(text: str) -> bytes:
    if not _are_hashes((text,)):
        raise ValueError(f"{text[:80]!r} is no hash")
    return bytes.fromhex(text)


def _are_hashes(texts: Iterable[str]) -> bool:
    return all(_HASH.fullmatch(one) for one in texts)


def _split(count: int) -> int:
    """The largest power of two below `count`, where RFC 6962 divides a tree of that many leaves."""
    return 1 << (count - 1).bit_length() - 1


def _root_between(leaves: Sequence[str], before: Sequence[Subtree], start: int, end: int) -> str:
    part = Frontier()
    gone = 0
    for one in before:
        first, gone = gone, gone + (1 << one.level)
        if gone <= start or first >= end:
            continue
        if first < start or gone > end:
            raise ValueError(f"the leaves from {first} to {gone - 1} are gone")
        part.add_subtree(one.level, one.hash)
    part.extend(leaves[number - gone] for number in range(start + part.size, end))
    return part.root()
