"""The histories that lie mixed in a set of lines: one for each line that nothing follows.

After two branches of a repository came together, a stream can hold lines of both. Each line names the one before it by
its hash, so the history of each branch can be told apart again; of a line that a merge moved, the original counts too.
"""

from __future__ import annotations

from collections.abc import Sequence

from esaa.errors import CorruptLog
from esaa.kernel.chain import leaf_hash
from esaa.trail.joining.merge import Line, original_event, original_line


def histories(lines: Sequence[Line]) -> list[list[Line]]:
    """The histories of one stream, each from its first line on, in an order that does not depend on that of `lines`.

    Raises `CorruptLog` where a line names one before it that is not there.
    """
    by_leaf: dict[str, Line] = {}
    for _, event in lines:
        if event.fact.origin is not None:
            original = original_line(event)
            by_leaf.setdefault(leaf_hash(original), (original, original_event(event)))
    actual = {leaf_hash(line): (line, event) for line, event in lines}
    by_leaf |= actual
    followed = {event.prev_hash for _, event in actual.values()}
    heads = sorted(leaf for leaf in actual if leaf not in followed)
    return [_back_from(by_leaf[head], by_leaf) for head in heads]


def _back_from(head: Line, by_leaf: dict[str, Line]) -> list[Line]:
    history = [head]
    while (previous := history[-1][1].prev_hash) is not None:
        found = by_leaf.get(previous)
        if found is None:
            event = history[-1][1]
            if event.version == min(one.version for _, one in by_leaf.values()):
                break  # what lies before was archived or deleted
            raise CorruptLog(
                "CHAIN_BROKEN",
                f"The event before {event.version} of its history is not there.",
                "Restore it from a copy that verifies.",
                event.version,
            )
        history.append(found)
    history.reverse()
    return history
