"""Writing behind: events wait in memory for a moment and are made durable together, by a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

_BATCH_MAX = 256


class WriteBehind(Generic[T]):
    """Collects items for at most `window_s` seconds, then hands them to `write`. A crash loses what still waits.

    A failed write is raised by the next `put` or `flush`; the items of that write are lost, and the error says so.
    """

    def __init__(self, write: Callable[[Sequence[T]], object], window_s: float) -> None:
        self._write = write
        self._window_s = window_s
        self._waiting: list[T] = []
        self._writing = 0
        self._error: BaseException | None = None
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="esaa-write-behind", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Takes an item. Raises what an earlier write failed with."""
        with self._changed:
            self._raise_error()
            self._waiting.append(item)
            self._changed.notify_all()

    def flush(self) -> None:
        """Waits until everything that was put is written. Raises what a write failed with."""
        with self._changed:
            self._is_flushing = True
            self._changed.notify_all()
            while (self._waiting or self._writing) and self._error is None and self._thread.is_alive():
                self._changed.wait(0.1)
            self._is_flushing = False
            self._raise_error()

    def close(self) -> None:
        """Writes what waits and ends the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    _is_flushing = False

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                if len(self._waiting) < _BATCH_MAX and not (self._is_closed or self._is_flushing):
                    self._changed.wait_for(
                        lambda: len(self._waiting) >= _BATCH_MAX or self._is_closed or self._is_flushing, self._window_s
                    )
                batch, self._waiting = self._waiting, []
                self._writing = len(batch)
            try:
                self._write(batch)
            except Exception as error:  # raised to the caller by its next put or flush
                with self._changed:
                    self._error = error
            finally:
                with self._changed:
                    self._writing = 0
                    self._changed.notify_all()

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
