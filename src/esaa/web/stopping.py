"""Work that nobody waits for any more is stopped: what a browser asked for that went away ends at its next step."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")


class Stopped(Exception):
    """Nobody waits for the answer."""


class Stop:
    """A sign between the loop that hears of it and the thread that works."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Ends the work."""
        self._is_set = True

    def look(self) -> None:
        """Raises `Stopped` where the work is to end."""
        if self._is_set:
            raise Stopped


async def while_wanted(request: Request, work: Coroutine[Any, Any, T], stop: Stop) -> T:
    """What the work gives. Raises `Stopped` where the browser goes away first; the work is told to stop, and is not
    even begun where it still waits for its turn."""
    asking = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise Stopped
        return asking.result()
    finally:
        # However this ends, by an error or by the end of the server too: nobody waits for either any more.
        stop.set()
        for one in (asking, leaving):
            one.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        """The body of a question is empty."""
