"""The time machines of a server: one for each past, opened once, and anew where something else lies there.

The log's past may be asked by several threads at once; a stream is asked by one at a time.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Generator, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from esaa.errors import EsaaError, StoreError
from esaa.runtime.history.machine import TimeMachine

T = TypeVar("T")

Told = Callable[[int, int], None]
"""Called while an index is made: how much is in, of how much."""
OpenMachine = Callable[[str, Told], TimeMachine]
THREADS = 4
SLOW_THREADS = 2
PATIENCE_S = 2.0


class IndexBuilding(EsaaError):
    """The index of a long log is being made; the answer comes later. `done` and `total` say how far it is."""

    exit_code = 6

    def __init__(self, past: str, done: int, total: int) -> None:
        share = f" ({done * 100 // total} %)" if total else ""
        super().__init__(
            "INDEX_BUILDING",
            f"The index of {past} is being made{share}.",
            "Ask again in a moment; it is made once and kept.",
            done=done,
            total=total,
        )


class Machines:
    """Asks the time machine of each past. `version_of` names what lies there: another value means another thing."""

    def __init__(
        self,
        open_machine: OpenMachine,
        version_of: Callable[[str], Hashable],
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._open_machine = open_machine
        self._version_of = version_of
        self._patience_s = patience_s
        self._workers = ThreadPoolExecutor(THREADS, thread_name_prefix="esaa-asks")
        self._slow_workers = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="esaa-reads")
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="esaa-opens")
        self._opening: dict[str, asyncio.Future[_Opened]] = {}
        self._opened: dict[str, _Opened] = {}
        self._to_close: list[_Opened] = []
        self._progress: dict[str, tuple[int, int]] = {}

    async def ask(self, past: str, question: Callable[[TimeMachine], T], *, is_slow: bool = False) -> T:
        """What a question gives. Raises `IndexBuilding` where one would wait too long, and what the question raises.

        An index that SQLite cannot read is a `StoreError`: whoever listens to the tail is told, and waits.
        """
        workers = self._slow_workers if is_slow else self._workers
        version = self._version_of(past)
        kept = self._opened.get(past)
        if kept is None or kept.version != version:
            kept = await self._open(past, version)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(workers, kept.asked, question)
        except (StoreError, sqlite3.Error, OSError) as error:
            # The log's past looks anew at each question; whatever else fails is opened again by the next one.
            if not (kept.is_shared and isinstance(error, StoreError)) and self._opened.get(past) is kept:
                self._put_away(self._opened.pop(past))
            if isinstance(error, sqlite3.Error):
                hint = "Ask again. Where that does not help, delete it; it is made again from the log."
                raise StoreError("INDEX_UNREADABLE", f"The index of {past} cannot be read: {error}.", hint) from error
            raise

    def close(self) -> None:
        """Lets go of the threads, and of what they hold."""
        self._workers.shutdown(cancel_futures=True)
        self._slow_workers.shutdown(cancel_futures=True)
        self._opener.shutdown(cancel_futures=True)
        for one in (*self._opened.values(), *self._to_close):
            one.close()

    async def _open(self, past: str, version: Hashable) -> _Opened:
        opening = self._opening.get(past)
        if opening is None:
            opening = asyncio.get_running_loop().run_in_executor(self._opener, self._open_now, past, version)
            self._opening[past] = opening
            opening.add_done_callback(lambda done: self._keep(past, done))
        try:
            return await asyncio.wait_for(asyncio.shield(opening), self._patience_s)
        except TimeoutError:
            raise IndexBuilding(past, *self._progress.get(past, (0, 0))) from None

    def _open_now(self, past: str, version: Hashable) -> _Opened:
        def told(done: int, total: int) -> None:
            self._progress[past] = (done, total)

        try:
            return _Opened(self._open_machine(past, told), version)
        finally:
            self._progress.pop(past, None)

    def _keep(self, past: str, done: asyncio.Future[_Opened]) -> None:
        del self._opening[past]
        if done.cancelled() or done.exception() is not None:
            return
        if past in self._opened:
            self._put_away(self._opened.pop(past))
        self._opened[past] = done.result()

    def _put_away(self, one: _Opened) -> None:
        """Closes it beside the loop, for someone may be asking it still."""
        self._to_close.append(one)
        self._workers.submit(self._close_kept)

    def _close_kept(self) -> None:
        while self._to_close:
            self._to_close.pop().close()


class _Opened:
    """A machine, and what lay there when it was opened."""

    def __init__(self, machine: TimeMachine, version: Hashable) -> None:
        self.version = version
        self.is_shared = machine.past.kind == "log"
        self._machine = machine
        self._lock = threading.Lock()

    def asked(self, question: Callable[[TimeMachine], T]) -> T:
        """What a question gives, asked by this thread."""
        with self._turn():
            return question(self._machine)

    def close(self) -> None:
        """Lets go of what the past holds open. Who asks it at this moment makes it open that again."""
        self._machine.close()

    @contextmanager
    def _turn(self) -> Generator[None, None, None]:
        with nullcontext() if self.is_shared else self._lock:
            yield
