"""What a report is asked for: which events, arranged how. As data, so that anyone can ask again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from esaa.errors import UsageError
from esaa.trail.event import GLOBAL, TrailEvent
from esaa.trail.intake import is_issue_key, parse_time, trail_time
from esaa.trail.types import NAME

Grouping = Literal["issue", "user", "phase"]
Format = Literal["json", "csv", "html", "md", "pdf"]
GROUPINGS: tuple[Grouping, ...] = ("issue", "user", "phase")
FORMATS: tuple[Format, ...] = ("json", "csv", "html", "md", "pdf")

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The selection of a report. Both times are inclusive; no issue and no type means every one."""

    by: Grouping = "issue"
    event_types: tuple[str, ...] = ()
    from_time: str | None = None
    issue_keys: tuple[str, ...] = ()
    to_time: str | None = None

    def selects(self, event: TrailEvent) -> bool:
        """True for an event that the report is about. Its stream is a question of its own."""
        if self.from_time is not None and event.ts < self.from_time:
            return False
        if self.to_time is not None and event.ts > self.to_time:
            return False
        return not self.event_types or event.fact.event_type in self.event_types

    @property
    def is_whole(self) -> bool:
        """True where nothing is left out of the streams that the report is about."""
        return self.from_time is None and self.to_time is None and not self.event_types


def request_of(
    *,
    issue_keys: Iterable[str] = (),
    from_date: str | None = None,
    to_date: str | None = None,
    event_types: Iterable[str] = (),
    by: str = "issue",
) -> Request:
    """The request that a user means. A date such as `2025-12-15` is a whole day, UTC; `to_date` belongs to it.

    Raises `UsageError` for what is no issue key, time, grouping, or for an end before the beginning.
    """
    keys = set(issue_keys)
    for key in keys:
        if key != GLOBAL and not is_issue_key(key):
            raise UsageError(
                "ISSUE_KEY_INVALID", f"{key[:80]!r} is no issue key.", "Write it as PROJ-123, or `global`."
            )
    if by not in GROUPINGS:
        raise UsageError("GROUPING_INVALID", f"{by[:40]!r} is no way to group a report.", "Use issue, user or phase.")
    types = sorted(set(event_types))
    for name in types:
        if NAME.fullmatch(name) is None:
            raise UsageError(
                "EVENT_TYPE_UNKNOWN", f"{name[:80]!r} is no event type.", "`esaa record --list` names the types."
            )
    first = None if from_date is None else _moment(from_date, "from", "T00:00:00.000Z")
    last = None if to_date is None else _moment(to_date, "to", "T23:59:59.999Z")
    if first is not None and last is not None and last < first:
        raise UsageError("RANGE_INVALID", f"The range ends ({last}) before it begins ({first}).", "Swap the two.")
    return Request(
        by=by,
        event_types=tuple(types),
        from_time=first,
        issue_keys=tuple(sorted(keys, key=stream_order)),
        to_time=last,
    )


def stream_order(name: str) -> tuple[str, int]:
    """What streams are sorted by: `global` first, then the issues by project and number."""
    project, _, number = name.rpartition("-")
    return (project, int(number)) if project else ("", 0)


def as_format(text: str) -> Format:
    """The format of a name. Raises `UsageError`, where the specification raises `ValueError`."""
    for one in FORMATS:
        if one == text:
            return one
    raise UsageError("FORMAT_UNSUPPORTED", f"Unsupported format: {text[:40]}.", f"Use one of {', '.join(FORMATS)}.")


def command_of(request: Request, format_: Format) -> str:
    """The command line that makes such a report again."""
    words = ["esaa audit", *(f"--issue {key}" for key in request.issue_keys)]
    words += [f"--from {request.from_time}"] if request.from_time else []
    words += [f"--to {request.to_time}"] if request.to_time else []
    words += [f"--types {','.join(request.event_types)}"] if request.event_types else []
    words += [f"--by {request.by}"] if request.by != "issue" else []
    return " ".join([*words, f"--format {format_}"])


def _moment(text: str, what: str, rest_of_day: str) -> str:
    if _DAY.fullmatch(text) is not None:
        text += rest_of_day
    moment: datetime | None = parse_time(text)
    if moment is None:
        raise UsageError(
            "TIMESTAMP_INVALID",
            f"--{what}: {text[:80]!r} is no date and no time.",
            "Write 2025-12-15, or ISO-8601 with its zone: 2025-12-15T10:30:00Z.",
        )
    return trail_time(moment)
