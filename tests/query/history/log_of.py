"""Logs in temporary folders, and what their past has to answer: folded event by event, without an index."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from esaa.history.board import Board, board_of, card_of
from esaa.history.log_document import FileOfTask, document_of
from esaa.history.log_fold import written_files
from esaa.history.pointers import pointer_of
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Recorded
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import Fact, FileWritten
from esaa.protocol.state import State
from esaa.protocol.wire import ProtocolVocabulary
from esaa.query.history.log_index import LogIndex
from esaa.query.history.log_past import LogPast
from tests.scenarios import record

WIRE = ProtocolVocabulary()
NOW = datetime(2026, 3, 1, 14, tzinfo=UTC)
WHOLE = ("run", "verification")
_WITH_BLOCKS = ("event_rows", "feed", "finding", "moments", "standing")


@contextmanager
def small_blocks(size: int = 8) -> Generator[None, None, None]:
    """Blocks so small that a short log has many of them."""
    with patch.multiple("esaa.query.history.schema", BLOCK=size):
        patches = [patch(f"esaa.query.history.{name}.BLOCK", size) for name in _WITH_BLOCKS]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()


def lines_of(told: Iterable[tuple[Fact, str, str]], *, are_chained: bool = True) -> list[bytes]:
    """Facts as the lines of a log: (fact, actor, time). Every third event names the one before it as its cause."""
    lines: list[bytes] = []
    for version, (fact, actor, ts) in enumerate(told, start=1):
        recorded = record(fact, version, actor=actor, ts=ts)
        cause = f"EV-{version - 1:08d}" if version % 3 == 0 else None
        previous = leaf_hash(lines[-1]) if lines and are_chained else None
        lines.append(WIRE.encode(msgspec.structs.replace(recorded, causation_id=cause, prev_hash=previous)))
    return lines


def write_log(root: Path, lines: Sequence[bytes]) -> Path:
    """A workspace that has a log and nothing else."""
    log = root / ".roadmap" / "activity.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"".join(line + b"\n" for line in lines))
    return log


def past_of(log: Path, said: list[str] | None = None, *, held_max: int = 30_000, wait_s: float = 5.0) -> LogPast:
    """The past of a log."""
    say = (lambda _: None) if said is None else said.append
    return LogPast(LogIndex(log, say, held_max=held_max, wait_s=wait_s, making_s=wait_s), lambda: NOW)


class Folded:
    """The documents of a log, by a fold that keeps everything."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.events: list[Recorded[Fact]] = [WIRE.decode(line) for line in lines]
        self.documents = [_plain(document_of(State(), {}))]
        state, files = State(), dict[str, FileOfTask]()
        for event in self.events:
            evolve(state, event)
            if isinstance(event.fact, FileWritten):
                files |= written_files(event.fact)
            self.documents.append(_plain(document_of(state, files)))

    def parts(self, seq: int) -> dict[str, Any]:
        """The parts after an event, by pointer."""
        found: dict[str, Any] = {}
        for member, value in self.documents[seq].items():
            if member in WHOLE:
                found[pointer_of((member,))] = value
            else:
                found |= {pointer_of((member, name)): one for name, one in value.items()}
        return found

    def changes(self, seq: int) -> set[str]:
        """The parts that an event changed."""
        before, after = self.parts(seq - 1), self.parts(seq)
        return {
            one
            for one in before.keys() | after.keys()
            if one not in before or one not in after or json.dumps(before[one]) != json.dumps(after[one])
        }

    def board(self, at: int, since: int | None, status: str | None, after: str | None, count: int) -> Board:
        """The task board after an event."""
        document = self.documents[at]
        changed = set[str]() if since is None else set[str]().union(*map(self.changes, range(since + 1, at + 1)))
        about = [
            one["links"]["fixes_task_id"] or one["links"]["reported_by_task_id"]
            for one in document["issues"].values()
            if one["status"] == "open"
        ]
        cards = [
            card_of(
                task,
                document["work"].get(name),
                about.count(name),
                is_changed=not changed.isdisjoint((pointer_of(("tasks", name)), pointer_of(("work", name)))),
            )
            for name, task in document["tasks"].items()
        ]
        return board_of(cards, status=status, after=after, count=count)


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(document, default=msgspec.to_builtins)
    plain: dict[str, Any] = json.loads(text)
    return plain
