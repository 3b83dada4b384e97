"""What may be asked: the query as a value, and what is wrong with one before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Literal, get_args

import msgspec

from esaa.errors import UsageError
from esaa.history.refs import AtTime, parse_ref
from esaa.kernel.times import moment_of
from esaa.query.pages import Position, cursor_of, parse_cursor
from esaa.query.words import Words, parse_words
from esaa.trail.event import GLOBAL
from esaa.trail.intake import is_issue_key, is_uuid, trail_time
from esaa.trail.types import EventTypes

LIMIT_MAX = 1000
Sort = Literal["newest", "oldest"]
GroupBy = Literal["event_type", "issue_key", "phase", "agent_name", "actor", "session", "day", "hour"]
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)

_VALUES_MAX = 100
_FORMS = "Write 2026-02-27, 2026-02-27T01:25:22.500Z or @{2h}."


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question to the trail. All filters must hold; of several values in one filter, any.

    - `event_id`: the event with this id.
    - `issue_keys`: events of these issues; `global` means those that belong to none.
    - `phases`, `agents`: what the event is about, as its type says which field names it.
    - `event_types`, `actors`, `sessions`: the event's own type, the id of who acted, the session.
    - `correlation_id`, `causation_id`: events of one story, or with one cause.
    - `since`, `until`: a time range, `since` in it and `until` not: ISO-8601 (UTC where no zone is named), or `@{2h}`.
    - `first_sequence`, `last_sequence`: a range within the stream of each issue, both ends included.
    - `text`: words that the event must have; see `esaa.query.words`.
    - `sort`: `newest` first or `oldest` first, in the order (timestamp, stream, sequence).
    - `limit`: how many events a page has; 1 to 1000.
    - `cursor`: where the page before this one ended; all else must be as it was then.
    """

    event_id: str | None = None
    issue_keys: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    event_types: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    correlation_id: str | None = None
    causation_id: str | None = None
    since: str | None = None
    until: str | None = None
    first_sequence: int | None = None
    last_sequence: int | None = None
    text: str | None = None
    sort: Sort = "newest"
    limit: int = 50
    cursor: str | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A query that was found sound: times are trail times, words are parsed, the cursor is a position."""

    query: Query
    since: str | None = None
    until: str | None = None
    words: Words | None = None
    after: Position | None = None

    @property
    def is_newest_first(self) -> bool:
        """The direction."""
        return self.query.sort == "newest"

    def cursor_after(self, position: Position) -> str:
        """The cursor of the page that follows a position."""
        return cursor_of(position, self.query, (self.since, self.until))


def examine(query: Query, now: datetime) -> Wanted:
    """The query with everything resolved that it leaves open.

    Raises `UsageError` with QUERY_INVALID, ISSUE_KEY_INVALID or CURSOR_INVALID. The types are examined apart.
    """
    if not 1 <= query.limit <= LIMIT_MAX:
        raise _invalid(f"limit is {query.limit}; a page has 1 to {LIMIT_MAX} events", "Follow the cursor for more.")
    if query.sort not in get_args(Sort):
        raise _invalid(f"sort is {query.sort!r}", "Sort by newest or oldest.")
    for name in ("issue_keys", "phases", "agents", "event_types", "actors", "sessions"):
        _examine_values(name, getattr(query, name))
    for name in ("correlation_id", "causation_id"):
        if getattr(query, name) is not None:
            _examine_values(name, (getattr(query, name),))
    if query.event_id is not None and not is_uuid(query.event_id):
        raise _invalid(f"event_id {query.event_id[:80]!r} is no UUID", "`esaa query --json` shows the ids of events.")
    if query.event_id is not None:
        query = msgspec.structs.replace(query, event_id=query.event_id.lower())
    for key in query.issue_keys:
        if key != GLOBAL and not is_issue_key(key):
            raise UsageError(
                "ISSUE_KEY_INVALID",
                f"{key[:80]!r} is no issue key.",
                "Write a key such as PROJ-123, or global for events of no issue.",
            )
    for bound in (query.first_sequence, query.last_sequence):
        if bound is not None and not 1 <= bound < 1 << 63:
            raise _invalid(f"{bound} is no sequence of an event", "Sequences begin at 1.")
    if query.cursor is None:
        after = None
        since, until = moment(query.since, "since", now), moment(query.until, "until", now)
    else:
        # The time range of the first page, so that `@{2h}` does not move from page to page.
        after, (since, until) = parse_cursor(query.cursor, query)
    return Wanted(
        query=query,
        since=since,
        until=until,
        words=None if query.text is None else parse_words(query.text),
        after=after,
    )


def examine_types(query: Query, types: EventTypes, occurs: Callable[[str], bool]) -> None:
    """Raises `UsageError` with EVENT_TYPE_UNKNOWN for a type that neither is known nor `occurs` in the trail: a lenient
    store takes any, and a project may have given up a type of its own."""
    for name in query.event_types:
        if not types.knows(name) and not occurs(name):
            near = get_close_matches(name, types.names(), n=1)
            hint = f"Did you mean {near[0]}?" if near else "`esaa record --list` names the types."
            raise UsageError("EVENT_TYPE_UNKNOWN", f"{name[:80]!r} is no event type.", hint)


def moment(text: str | None, field: str, now: datetime) -> str | None:
    """A time as the trail writes it, rounded up to its millisecond. Raises `UsageError` with QUERY_INVALID."""
    if text is None:
        return None
    try:
        ref = parse_ref(text, now)
        if not isinstance(ref, AtTime):
            raise _invalid(f"{field} is {text[:80]!r}, which is no time", _FORMS)
        if text.startswith("@"):
            return ref.ts.removesuffix("Z") + ".000Z"
        # Read again: a ref has whole seconds.
        exact = moment_of(text)
        assert exact is not None, "a ref has read it"
        return trail_time(exact + timedelta(microseconds=-exact.microsecond % 1000))
    except (OverflowError, UsageError) as error:
        raise _invalid(f"{field} is {text[:80]!r}, which is no time", _FORMS) from error


def examine_group(by: str) -> None:
    """Raises `UsageError` with QUERY_INVALID for what events can't be grouped by."""
    if by not in GROUPS:
        raise _invalid(f"events can't be grouped by {by[:80]!r}", f"Group by one of {', '.join(GROUPS)}.")


def _examine_values(name: str, values: tuple[str, ...]) -> None:
    if len(values) > _VALUES_MAX:
        raise _invalid(f"{name} has {len(values)} values", f"Ask for at most {_VALUES_MAX} at once.")
    for value in values:
        if not value:
            raise _invalid(f"{name} has an empty value", "Leave the filter out, or name what you look for.")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _invalid(f"{name} {value[:80]!a} is not UTF-8 text", "Check where it comes from.") from error


def _invalid(what: str, hint: str) -> UsageError:
    return UsageError("QUERY_INVALID", f"The query can't be answered: {what}.", hint)
