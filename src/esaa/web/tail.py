"""The events of a past as they come: server-sent events, which a browser takes up again by itself where it left off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from esaa.errors import EsaaError
from esaa.history.entries import Entry
from esaa.runtime.history.machine import TimeMachine
from esaa.web.faults import fault
from esaa.web.machines import Machines
from esaa.web.parameters import Parameter, read

PARAMETERS = (
    Parameter(
        name="since", kind="moment", default="HEAD", about="After which event to begin; Last-Event-ID goes before it."
    ),
)
LISTENERS_MAX = 64
_AT_ONCE = 500
_LOOK_S = 0.25
_SIGN_OF_LIFE_S = 15.0


class _Place(msgspec.Struct, frozen=True):
    """How far a listener has heard: the last event, and its hash."""

    seq: int
    leaf_hash: str


class _News(msgspec.Struct, frozen=True):
    place: _Place
    entries: tuple[Entry, ...] = ()
    is_reset: bool = False
    damage: EsaaError | None = None


class Tail:
    """Serves the listeners. `change_of` is cheap and differs where there may be news; `is_closing` ends them all."""

    def __init__(
        self, machines: Machines, change_of: Callable[[str], Hashable], is_closing: Callable[[], bool]
    ) -> None:
        self._machines = machines
        self._change_of = change_of
        self._is_closing = is_closing
        self._listeners = 0

    async def answer(self, request: Request, past: str) -> Response:
        """The stream. Raises for a past or a moment that is not there, before anything is sent."""
        if self._listeners >= LISTENERS_MAX:
            return fault(503, "TOO_MANY_LISTENERS", f"{LISTENERS_MAX} pages listen already.", "Close some of them.")
        since = str(read(PARAMETERS, request.query_params)["since"])
        heard = request.headers.get("last-event-id", "")

        def begin(machine: TimeMachine) -> _Place:
            head = machine.past.head()
            # A browser comes back with the number of the last event that it heard.
            is_number = heard.isascii() and heard.isdigit() and len(heard) < 16
            seq = min(int(heard), head) if is_number else machine.seq(since)
            return _place(machine, seq)

        first = await self._machines.ask(past, begin)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._listen(past, first), media_type="text/event-stream", headers=headers)

    async def _listen(self, past: str, place: _Place) -> AsyncIterator[bytes]:
        self._listeners += 1
        try:
            yield _message("ready", _said(place), place.seq, retry_ms=2000)
            seen: Hashable = None
            fault_told = ""
            alive = time.monotonic()
            while not self._is_closing():
                change = self._change_of(past)
                if change != seen or fault_told:
                    try:
                        news = await self._machines.ask(past, lambda machine: _news(machine, place))  # noqa: B023
                    except (EsaaError, OSError) as error:
                        # Said once; the listener waits with us until it is mended.
                        if str(error) != fault_told:
                            fault_told = str(error) or type(error).__name__
                            yield _message("problem", _problem(error))
                    else:
                        place = news.place
                        is_new = news.damage is not None and str(news.damage) != fault_told
                        is_mended = bool(fault_told) and news.damage is None
                        fault_told = "" if news.damage is None else str(news.damage)
                        if is_mended:
                            yield _message("ready", _said(place), place.seq)
                        if news.is_reset:
                            yield _message("reset", {"head": place.seq}, place.seq)
                        for entry in news.entries:
                            yield _message("entry", entry, entry.seq)
                        if is_new and news.damage is not None:
                            yield _message("problem", _problem(news.damage))
                        if len(news.entries) < _AT_ONCE:
                            seen = change
                if time.monotonic() - alive > _SIGN_OF_LIFE_S:
                    alive = time.monotonic()
                    yield b": still here\n\n"
                await asyncio.sleep(_LOOK_S)
        finally:
            self._listeners -= 1


def _said(place: _Place) -> dict[str, object]:
    """A listener that comes back knows by the hash whether it is the log that it listened to."""
    return {"head": place.seq, "hash": place.leaf_hash}


def _place(machine: TimeMachine, seq: int) -> _Place:
    return _Place(seq, machine.past.entry(seq).leaf_hash if seq else "")


def _news(machine: TimeMachine, place: _Place) -> _News:
    head = machine.past.head()
    # What lies before the damage is answered for; that there is some is said all the same.
    damage: EsaaError | None = getattr(machine.past, "damage", None)
    if place.seq > head or _place(machine, place.seq) != place:
        return _News(_place(machine, head), is_reset=True, damage=damage)
    entries = machine.tail(place.seq, count=_AT_ONCE)
    if not entries:
        return _News(place, damage=damage)
    return _News(_Place(entries[-1].seq, entries[-1].leaf_hash), entries, damage=damage)


def _problem(error: EsaaError | OSError) -> dict[str, str]:
    if isinstance(error, EsaaError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {"code": "STORAGE_FAILED", "message": f"Reading failed: {error.strerror or error}.", "hint": ""}


def _message(name: str, value: object, seq: int | None = None, *, retry_ms: int | None = None) -> bytes:
    """One event. JSON has no line ends, so no text of a log can end a message or begin another one."""
    lines = [b"event: " + name.encode(), b"data: " + msgspec.json.encode(value)]
    if seq is not None:
        lines.insert(0, b"id: %d" % seq)
    if retry_ms is not None:
        lines.insert(0, b"retry: %d" % retry_ms)
    return b"\n".join(lines) + b"\n\n"
