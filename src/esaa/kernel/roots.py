"""The roots that a tree had when it was as large as somebody says it was: what checkpoints are compared with."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esaa.kernel.merkle import Frontier, Subtree

_TOGETHER = 1024


class TreeHead(msgspec.Struct, frozen=True, kw_only=True):
    """A tree at a size: its root, and its last leaf (None where that lies before the first one given)."""

    root: str
    leaf: str | None


class RootsAt:
    """Takes leaf hashes one by one, and keeps the heads at chosen sizes, in constant memory."""

    def __init__(self, sizes: Iterable[int], frontier: Frontier | None = None) -> None:
        self.heads: dict[int, TreeHead] = {}
        self._frontier = Frontier() if frontier is None else frontier
        self._last: str | None = None
        self._wanted = sorted({size for size in sizes if size >= self._frontier.size}, reverse=True)
        self._pending: list[str] = []
        self._reached()

    @property
    def size(self) -> int:
        """How many leaves there are so far."""
        return self._frontier.size + len(self._pending)

    def add(self, leaf: str) -> None:
        """Takes the next leaf hash."""
        self._pending.append(leaf)
        if len(self._pending) >= self._room:
            self._fold()

    def end(self) -> TreeHead:
        """The head of the whole tree."""
        self._fold()
        return TreeHead(root=self._frontier.root(), leaf=self._last)

    def parts(self) -> tuple[Subtree, ...]:
        """The complete subtrees of the whole tree."""
        self._fold()
        return self._frontier.parts()

    def _fold(self) -> None:
        if self._pending:
            self._last = self._pending[-1]
            self._frontier.extend(self._pending)
            self._pending = []
        self._reached()

    def _reached(self) -> None:
        size = self._frontier.size
        while self._wanted and self._wanted[-1] <= size:
            self.heads[self._wanted.pop()] = TreeHead(root=self._frontier.root(), leaf=self._last)
        self._room = min(_TOGETHER, self._wanted[-1] - size) if self._wanted else _TOGETHER
