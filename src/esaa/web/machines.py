"""The time machines of a server: opened once, asked by a few threads, and opened anew where a log was replaced.

A machine is asked by the thread that opened it and by no other, for what it stands on (files, SQLite) is of one thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from esaa.errors import EsaaError, StoreError
from esaa.runtime.history.machine import TimeMachine

T = TypeVar("T")

Told = Callable[[int, int], None]
"""Called while an index is built: how many events are in, of how many."""
OpenMachine = Callable[[str, Told], TimeMachine]
_PATIENCE_S = 2.0


class IndexBuilding(EsaaError):
    """The index of a long log is being built; the answer comes later. `done` and `total` say how far it is."""

    exit_code = 6

    def __init__(self, past: str, done: int, total: int) -> None:
        super().__init__(
            "INDEX_BUILDING",
            f"The index of {past} is being built: {done} of {total} events.",
            "Ask again in a moment; it is built once and kept.",
            done=done,
            total=total,
        )


class Machines:
    """Asks the time machine of each past. `version_of` names what lies there now: another value means another log."""

    def __init__(
        self,
        open_machine: OpenMachine,
        version_of: Callable[[str], Hashable],
        *,
        threads: int = 4,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._open_machine = open_machine
        self._version_of = version_of
        self._patience_s = patience_s
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="esaa-asks")
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="esaa-opens")
        self._own = threading.local()
        self._building: dict[str, asyncio.Future[None]] = {}
        self._ready: dict[str, Hashable] = {}
        self._progress: dict[str, tuple[int, int]] = {}

    async def ask(self, past: str, question: Callable[[TimeMachine], T]) -> T:
        """What a question gives. Raises `IndexBuilding` where that takes longer than one waits, and what it raises."""
        version = self._version_of(past)
        if self._ready.get(past) != version:
            await self._prepare(past, version)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, self._asked, past, version, question)

    def close(self) -> None:
        """Lets go of the threads, and of what they hold."""
        for one in (self._workers, self._builder):
            one.shutdown(wait=False, cancel_futures=True)

    async def _prepare(self, past: str, version: Hashable) -> None:
        building = self._building.get(past)
        if building is None:
            loop = asyncio.get_running_loop()
            building = loop.run_in_executor(self._builder, self._opened_once, past)
            self._building[past] = building
            building.add_done_callback(lambda done: self._built(past, version, done))
        try:
            await asyncio.wait_for(asyncio.shield(building), self._patience_s)
        except TimeoutError:
            raise IndexBuilding(past, *self._progress.get(past, (0, 0))) from None

    def _built(self, past: str, version: Hashable, done: asyncio.Future[None]) -> None:
        del self._building[past]
        if not done.cancelled() and done.exception() is None:
            self._ready[past] = version

    def _opened_once(self, past: str) -> None:
        def told(done: int, total: int) -> None:
            self._progress[past] = (done, total)

        try:
            _let_go(self._open_machine(past, told))
        finally:
            self._progress.pop(past, None)

    def _asked(self, past: str, version: Hashable, question: Callable[[TimeMachine], T]) -> T:
        own: dict[str, tuple[Hashable, TimeMachine]] = self._own.__dict__.setdefault("machines", {})
        kept = own.get(past)
        if kept is not None and kept[0] != version:
            _let_go(own.pop(past)[1])
            kept = None
        is_fresh = kept is None
        try:
            machine = self._open_machine(past, _say_nothing) if kept is None else kept[1]
            own[past] = (version, machine)
            return question(machine)
        except (StoreError, sqlite3.Error, OSError):
            # What lies there may have been replaced a moment ago: look again, once.
            if past in own:
                _let_go(own.pop(past)[1])
            if is_fresh:
                raise
        machine = self._open_machine(past, _say_nothing)
        own[past] = (version, machine)
        return question(machine)


def _say_nothing(_done: int, _total: int) -> None:
    pass


def _let_go(machine: TimeMachine) -> None:
    close = getattr(machine.past, "close", None)
    if close is not None:
        close()
