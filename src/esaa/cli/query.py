"""`esaa query`: events of the trail by what is known of them. `esaa index`: the index behind it."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, FaceGroup, exit_with, face_options, pass_face

if TYPE_CHECKING:
    from esaa.query.finder import Finder
    from esaa.query.pages import Page
    from esaa.runtime.trail.trail import Trail
    from esaa.trail.event import TrailEvent

_GROUPS = ("event_type", "issue_key", "phase", "agent_name", "actor", "session", "day", "hour")


@click.command()
@click.argument("text", required=False, metavar="[TEXT]")
@click.option("--issue", "issues", multiple=True, metavar="KEY", help="Of this issue, or global. May be given often.")
@click.option("--phase", "phases", multiple=True, metavar="NAME", help="About this phase. May be given often.")
@click.option("--agent", "agents", multiple=True, metavar="NAME", help="About this agent. May be given often.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Of this event type. May be given often.")
@click.option("--actor", "actors", multiple=True, metavar="ID", help="By this actor. May be given often.")
@click.option("--session", "sessions", multiple=True, metavar="UUID", help="Of this session. May be given often.")
@click.option("--id", "event_id", metavar="UUID", help="The event with this id.")
@click.option("--correlation", metavar="ID", help="Of this story.")
@click.option("--causation", metavar="ID", help="Caused by this event.")
@click.option("--since", metavar="TIME", help="Not before this time: a date, ISO-8601, or @{2h}.")
@click.option("--until", metavar="TIME", help="Before this time.")
@click.option("--sort", type=click.Choice(("newest", "oldest")), default="newest", help="Which comes first.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="Events of a page (default: 50).")
@click.option("--cursor", metavar="CURSOR", help="The next page, as the page before named it.")
@click.option("--count", "is_count", is_flag=True, help="Only how many there are.")
@click.option("--group-by", type=click.Choice(_GROUPS), help="How many there are of each value.")
@click.option("--scan", is_flag=True, help="Read the events themselves, not the index.")
@face_options
@pass_face
def query(
    face: Face,
    text: str | None,
    issues: tuple[str, ...],
    phases: tuple[str, ...],
    agents: tuple[str, ...],
    types: tuple[str, ...],
    actors: tuple[str, ...],
    sessions: tuple[str, ...],
    event_id: str | None,
    correlation: str | None,
    causation: str | None,
    since: str | None,
    until: str | None,
    sort: str,
    limit: int,
    cursor: str | None,
    is_count: bool,
    group_by: str | None,
    scan: bool,
) -> None:
    """Find events of the trail by field, time and text.

    TEXT is words that all must be there: "a phrase", begin*, -not, this OR that.

    Example: esaa query "token refresh" --issue PROJ-123 --type GapIdentified --since 2026-02-01
    """
    from esaa.cli.moments import builtins
    from esaa.open import open_trail
    from esaa.query.filters import Query

    trail = open_trail(face.find_root())
    wanted = Query(
        event_id=event_id,
        issue_keys=issues,
        phases=phases,
        agents=agents,
        event_types=types,
        actors=actors,
        sessions=sessions,
        correlation_id=correlation,
        causation_id=causation,
        since=since,
        until=until,
        text=text,
        sort="oldest" if sort == "oldest" else "newest",
        limit=limit,
        cursor=cursor,
    )
    with _finder(face, trail) as opened:
        finder = opened.scanning() if scan else opened
        if group_by is not None:
            groups = finder.group(wanted, group_by)  # type: ignore[arg-type]  # click has checked the choice
            face.data(builtins(groups), *(f"{count:>8}  {value or '-'}" for value, count in groups.items()))
        elif is_count:
            number = finder.count(wanted)
            face.data({"count": number}, str(number))
        else:
            _show(face, trail, finder.search(wanted))


def _show(face: Face, trail: Trail, page: Page) -> None:
    from esaa.trail.wire import event_view

    views = [event_view(located.event) for located in page.events] if face.is_json else []
    lines = (_line(trail, located.event) for located in page.events)
    face.data({"events": views, "next_cursor": page.next_cursor}, *lines)
    if not page.events:
        face.say("no event matches; `esaa query` without filters shows the newest ones")
    if page.next_cursor is not None:
        face.say(f"more: --cursor {page.next_cursor}")


@click.group(cls=FaceGroup)
@face_options
def index() -> None:
    """The index of the trail. It can be made again at any time.

    Example: esaa index status
    """


@index.command()
@face_options
@pass_face
def rebuild(face: Face) -> None:
    """Make the index again from the events.

    Example: esaa index rebuild
    """
    from esaa.open import open_trail
    from esaa.trail.facts.wording import counted

    started = time.monotonic()
    with _finder(face, open_trail(face.find_root())) as finder:
        built = finder.rebuild()
    seconds = max(time.monotonic() - started, 0.001)
    for damage in built.damaged:
        face.warn(damage)
    rate = round(built.events / seconds)
    face.data(
        {
            "events": built.events,
            "streams": built.streams,
            "seconds": round(seconds, 3),
            "events_per_second": rate,
            "damaged": list(built.damaged),
        },
        f"{counted(built.events, 'event')} of {counted(built.streams, 'stream')} in {seconds:.1f} s ({rate} events/s)",
    )
    if built.damaged:
        exit_with(4)


@index.command()
@face_options
@pass_face
def status(face: Face) -> None:
    """Say how the index stands: what it knows, and what it is behind with.

    Example: esaa index status
    """
    from esaa.cli.moments import builtins
    from esaa.open import open_trail
    from esaa.trail.facts.wording import counted, size

    with _finder(face, open_trail(face.find_root())) as finder:
        standing = finder.standing()
    if standing is None:
        face.data({"exists": False}, "there is no index; the next query makes it")
        return
    more = f" and {len(standing.behind) - 5} more" if len(standing.behind) > 5 else ""
    behind = f"; to be looked at: {', '.join(standing.behind[:5])}{more}" if standing.behind else ""
    events, streams = counted(standing.events, "event"), counted(standing.streams, "stream")
    face.data(
        {"exists": True} | builtins(standing),
        f"{events} of {streams}, {size(standing.size_bytes)}{behind}",
    )


@contextmanager
def _finder(face: Face, trail: Trail) -> Generator[Finder, None, None]:
    """Who answers. What takes longer than a second tells on a terminal how far it got."""
    from esaa.query.finder import open_index

    started = time.monotonic()
    is_shown = sys.stderr.isatty() and not face.is_quiet
    was_shown = False

    def tell(events: int) -> None:
        nonlocal was_shown
        if is_shown and time.monotonic() - started > 1:
            was_shown = True
            click.echo(f"\r\x1b[2K{events} events read", nl=False, err=True)

    with open_index(
        trail.store, trail.settings.indexing, trail.types, now=trail.clock.now, say=face.say, progress=tell
    ) as finder:
        try:
            yield finder
        finally:
            if was_shown:
                click.echo("\r\x1b[2K", nl=False, err=True)


def _line(trail: Trail, event: TrailEvent) -> str:
    from esaa.trail.event import stream_of

    told = trail.types.fact_of(event).summary()
    return f"{event.ts}  {stream_of(event)} #{event.version}  {event.fact.event_type}  {event.actor}  {told}"
