"""What a past consists of: how long it is, who acted in it, which runs it holds, what was verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET

from esaa.history.axes import AxisName
from esaa.history.entries import Entry, EntryFilter
from esaa.history.indexed import Facets, HasFacets
from esaa.history.lanes import lanes
from esaa.history.past import Past
from esaa.runtime.history.commands import command
from esaa.runtime.history.views import LanesView, Meta, PastSummary, RunSummary, VerifyView

RUNS_MAX = 200
LANE_EVENTS_MAX = 20_000
_VERIFICATIONS = ("verify.ok", "verify.fail")


def meta_view(past: Past) -> Meta:
    """What a past consists of now."""
    head = past.head()
    found = _facets(past)
    first, last = _ends(past, head)
    return Meta(
        past=past.name,
        at=head,
        cli=command(past, "log", "-n", 1) if past.kind == "log" else command(past, "state"),
        kind=past.kind,
        head=head,
        head_hash=None if last is None else last.leaf_hash,
        first_ts=None if first is None else first.ts,
        last_ts=None if last is None else last.ts,
        names=found.names,
        actors=found.actors,
        subjects_count=found.subjects_count,
        runs=runs_of(past),
        verify=_verified(past, head),
    )


def past_summary(past: Past) -> PastSummary:
    """A past in one line."""
    head = past.head()
    first, last = _ends(past, head)
    return PastSummary(
        name=past.name,
        kind=past.kind,
        head=head,
        first_ts=None if first is None else first.ts,
        last_ts=None if last is None else last.ts,
        summary="" if last is None else last.summary,
    )


def runs_of(past: Past) -> tuple[RunSummary, ...]:
    """The newest runs of the governed log, the oldest of them first; a stream of the trail has none."""
    if past.kind != "log":
        return ()
    wanted = EntryFilter(names=("run.start", "run.end"))
    total = past.find(wanted, count=0).total
    marks = list(past.find(wanted, offset=max(total - 2 * RUNS_MAX, 0), count=2 * RUNS_MAX).entries)
    return tuple(_runs(past, marks))[-RUNS_MAX:]


def lanes_view(past: Past, first: int, last: int, width: int, axis: AxisName) -> LanesView:
    """Who acted when. Of a longer stretch the newest events are shown; `first` says from which on."""
    first = max(first, last - LANE_EVENTS_MAX + 1, 1)
    chart = lanes(past.entries(first, last), kind=past.kind, axis=axis, width=width)
    return LanesView(
        past=past.name,
        at=last,
        cli=command(past, "log", f"{first}..{last}") if past.kind == "log" else command(past, "tail", "--since", first),
        axis=chart.axis,
        first=chart.first,
        last=chart.last,
        width=chart.width,
        lanes=chart.lanes,
        ticks=chart.ticks,
        gaps=chart.gaps,
    )


def _runs(past: Past, marks: list[Entry]) -> Iterator[RunSummary]:
    head = past.head()
    for index, mark in enumerate(marks):
        if mark.name != "run.start":
            continue
        following = marks[index + 1] if index + 1 < len(marks) else None
        end = following if following is not None and following.name == "run.end" else None
        # A run without an end goes on until the next one begins.
        last = head if following is None else following.seq if end is not None else following.seq - 1
        part = past.part(last, "/run")
        run: Mapping[str, Any] = part if isinstance(part, Mapping) else {}
        yield RunSummary(
            run_id=str(run.get("run_id") or f"#{mark.seq}"),
            status=None if end is None else str(run.get("status", "")),
            first_seq=mark.seq,
            last_seq=last,
            first_ts=mark.ts,
            last_ts=past.entry(last).ts,
            issue_key=key if isinstance(key := run.get("issue_key"), str) else None,
        )


def _facets(past: Past) -> Facets:
    if isinstance(past, HasFacets):
        return past.facets()
    names: set[str] = set()
    actors: set[str] = set()
    subjects: set[str] = set()
    for entry in past.entries(1, past.head()):
        names.add(entry.name)
        actors.add(entry.actor)
        subjects |= {entry.subject} if entry.subject is not None else set()
    return Facets(names=tuple(sorted(names)), actors=tuple(sorted(actors)), subjects_count=len(subjects))


def _ends(past: Past, head: int) -> tuple[Entry | None, Entry | None]:
    """The first event that is still there, and the last one."""
    if head == 0:
        return None, None
    return next(past.entries(1, head), None), next(past.entries(head, head), None)


def _verified(past: Past, head: int) -> VerifyView:
    part = past.part(head, "/verification")
    status = str(part.get("status", "unknown")) if part is not UNSET and isinstance(part, Mapping) else "unknown"
    if past.kind != "log":
        return VerifyView(status="unknown", detail="`esaa trail check` verifies the streams")
    wanted = EntryFilter(names=_VERIFICATIONS)
    total = past.find(wanted, count=0).total
    if not total:
        return VerifyView(status=status, detail="the log was never verified")
    newest = past.find(wanted, offset=total - 1, count=1).entries[0]
    since = head - newest.seq
    detail = f"#{newest.seq} at {newest.ts}: {newest.summary}" + (f"; {since} events since" if since else "")
    return VerifyView(status=status, detail=detail)
