"""Pages: an answer's events, and the cursor to the next ones.

A cursor says where the page ended, not how many events lie before it: what is recorded meanwhile neither repeats nor
hides an event of the following pages.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from esaa.errors import UsageError
from esaa.kernel.canonical import canonical, sha256_hex

if TYPE_CHECKING:
    from esaa.query.filters import Query
    from esaa.stores.trail import Located

_CURSOR_CHARS_MAX = 2000
_DIGEST_CHARS = 16


class Position(NamedTuple):
    """The place of an event in the canonical order."""

    ts: str
    stream: str
    sequence: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Events in the order that was asked for, and the cursor to the next ones; None on the last page."""

    events: tuple[Located, ...]
    next_cursor: str | None = None


class _Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    ts: str
    stream: str
    sequence: int
    since: str | None
    until: str | None
    query: str


def cursor_of(position: Position, query: Query, times: tuple[str | None, str | None]) -> str:
    """A position with the time range that the query came to mean, as an opaque text."""
    cursor = _Cursor(*position, *times, _digest(query))
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def parse_cursor(text: str, query: Query) -> tuple[Position, tuple[str | None, str | None]]:
    """What a cursor says. Raises `UsageError` with CURSOR_INVALID, for the cursor of another query too."""
    try:
        if len(text) > _CURSOR_CHARS_MAX:
            raise ValueError("it is too long")
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
        cursor = msgspec.json.decode(data, type=_Cursor)
    except (ValueError, binascii.Error, msgspec.DecodeError, UnicodeEncodeError) as error:
        raise _refused("The cursor is not one that a query gave", error) from error
    if cursor.query != _digest(query):
        raise _refused("The cursor belongs to another query", None)
    return Position(cursor.ts, cursor.stream, cursor.sequence), (cursor.since, cursor.until)


def _digest(query: Query) -> str:
    """Of all that decides which events follow which; the size of a page does not."""
    asked = msgspec.structs.replace(query, limit=1, cursor=None)
    return sha256_hex(canonical(asked))[:_DIGEST_CHARS]


def _refused(what: str, cause: Exception | None) -> UsageError:
    text = f"{what} ({' '.join(str(cause).split())[:100]})." if cause else f"{what}."
    return UsageError("CURSOR_INVALID", text, "Begin without a cursor, and change no filter from page to page.")
