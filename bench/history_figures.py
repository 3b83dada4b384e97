"""Figures of the time machine: any task, board, difference and page of events of a long log, from its kept index."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.figure import Figure
from bench.workspaces import EVENTS_PER_TASK, task_id
from esaa.history.entries import EntryFilter
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import Fact
from esaa.protocol.state import State
from esaa.protocol.wire import ProtocolVocabulary
from esaa.query.history.log_past import LogPast
from esaa.query.history.opening import open_log_past
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore

_PAGE = 100
_CARDS = 50
_WORDS = ("taking", "checks", "ruff", "missing", "projected", "agent-impl", '"name the unit"', "rejected", "appro*")


def history(root: Path, repeats: int) -> list[Figure]:
    """The figures of one workspace, in a warm process with a kept index."""
    making = _making(root, min(repeats, 2))
    opening = [_ms(lambda: open_log_past(root).close()) for _ in range(9)]
    past = open_log_past(root)
    head = past.head()
    chance = random.Random(6)
    tasks = head // EVENTS_PER_TASK

    def at() -> int:
        return chance.randrange(1, head)

    def name() -> str:
        return task_id(chance.randrange(1, tasks))

    texts = [
        *_WORDS,
        *(name() for _ in range(6)),
        *(f"test_{chance.randrange(tasks)} claim OR passes" for _ in range(5)),
    ]
    filters = [
        EntryFilter(),
        EntryFilter(names=("claim", "review"), first=at()),
        EntryFilter(actors=("orchestrator",)),
        EntryFilter(rejections_only=True),
        EntryFilter(subjects=(name(), name())),
        EntryFilter(actors=("agent-qa",), text="approved"),
    ]
    states = [partial(past.part, at(), f"/tasks/{name()}") for _ in range(100)]
    boards = [partial(past.board, at(), at(), None, None, _CARDS) for _ in range(100)]
    columns = [partial(past.board, at(), at(), "done", name(), _CARDS) for _ in range(100)]
    ranges = [(0, head, chance.randrange(tasks)) for _ in range(40)]
    for _ in range(60):
        after, until = sorted((at(), at()))
        ranges.append((after, until, chance.randrange(200)))
    pages = [partial(past.find, EntryFilter(text=text), offset=offset) for text in texts for offset in (0, 100, 500)]
    pages += [partial(past.find, one, offset=chance.randrange(2000)) for one in filters for _ in range(10)]
    diffs = [partial(_difference, past, *one) for one in ranges]
    figures = [
        making,
        _percentile("history: one task or one board page at any seq, p95", states + boards + columns, 50),
        _percentile("history: a page of the difference of any two seqs, p95", diffs, 80),
        _percentile("history: a page of events by text or filter, p95", pages, 50),
        Figure(
            name="history: opening a log whose index is kept",
            ratio=statistics.median(opening),
            bar=2000,
            unit=" ms",
            detail={"max_ms": max(opening), "events": head},
        ),
    ]
    past.close()
    return figures


def _making(root: Path, repeats: int) -> Figure:
    """What the index costs that is made once, against folding the log once."""
    log = root / ".roadmap" / "activity.jsonl"
    index = root / ".roadmap" / ".esaa" / "history.db"
    folds: list[float] = []
    makings: list[float] = []
    for _ in range(repeats):
        folds.append(_cpu(partial(_fold, log)))
        for file in index.parent.glob(f"{index.name}*"):
            file.unlink()
        makings.append(_cpu(lambda: open_log_past(root).close()))
    ratio = statistics.median(making / fold for making, fold in zip(makings, folds, strict=True))
    detail = {
        "fold_cpu_s": min(folds),
        "index_cpu_s": min(makings),
        "index_bytes": index.stat().st_size,
        "log_bytes": log.stat().st_size,
    }
    return Figure(name="history: CPU of making the index / folding the log once", ratio=ratio, bar=8, detail=detail)


def _fold(log: Path) -> None:
    store: JsonlStore[Fact] = JsonlStore(log, ProtocolVocabulary(), Disk())
    state = State()
    for recorded in store.read():
        evolve(state, recorded)


def _difference(past: LogPast, after: int, until: int, offset: int) -> None:
    """A page of what differs: how much there is, which parts, and both values of each."""
    past.changed_members(after, until)
    for pointer in past.changed_page(after, until, offset, _PAGE):
        past.part(after, pointer)
        past.part(until, pointer)


def _percentile(name: str, questions: Sequence[Callable[[], object]], bar: float) -> Figure:
    times = sorted(map(_ms, questions))
    detail = {"p50_ms": times[len(times) // 2], "max_ms": times[-1], "count": len(times)}
    return Figure(name=name, ratio=times[int(len(times) * 0.95)], bar=bar, unit=" ms", detail=detail)


def _ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
