"""What an issue looked like: `esaa state`, `esaa time-travel`, and the snapshots that make both quick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from esaa.cli.face import Face, FaceGroup, face_options, pass_face
from esaa.errors import UsageError
from esaa.trail.event import GLOBAL

if TYPE_CHECKING:
    from esaa.runtime.trail.trail import Trail
    from esaa.trail.event import TrailEvent
    from esaa.trail.facts.base import TrailFact

_NAMES_SHOWN = 6
PROJECTIONS = ("state", "agents", "timeline", "phases", "quality", "gaps", "failures")


@click.command()
@click.argument("pointer", metavar="[POINTER]", required=False)
@click.option("--issue", metavar="KEY", help="The state of an issue, or of global (default: of the governed run).")
@click.option("--at", "moment", metavar="REF", help="12, HEAD~3, a time, @{2h} or an event id (default: now).")
@click.option("--select", metavar="EXPRESSION", help="A part of the answer, as a JMESPath expression.")
@click.option("--projection", type=click.Choice(PROJECTIONS), default="state", help="Which view of an issue's events.")
@click.option("--no-snapshots", is_flag=True, help="Fold every event of an issue from the first one on.")
@click.option("--after", metavar="NAME", help="The members after this one, where there are many.")
@click.option("--count", type=click.IntRange(1), default=200, help="So many members at most (default: 200).")
@face_options
@pass_face
def state(
    face: Face,
    pointer: str | None,
    issue: str | None,
    moment: str | None,
    select: str | None,
    projection: str,
    no_snapshots: bool,
    after: str | None,
    count: int,
) -> None:
    """Show the state of the governed run or of an issue, now or at any moment, or the value at POINTER in it.

    POINTER is a JSON pointer, such as /tasks/T-1000/status. Without a log it is the state of the global stream.

    Example: esaa state /tasks/T-1000 --at HEAD~20
    """
    from esaa.cli.pasts import past_named
    from esaa.runtime.history.opening import LOG

    is_view = projection != "state"
    if pointer is not None and (is_view or no_snapshots):
        raise UsageError("USAGE", "--projection and --no-snapshots are of a whole issue.", "Leave out POINTER.")
    past = issue or (GLOBAL if is_view else past_named(face, None))
    if (past == LOG and issue is None) or pointer is not None:
        from esaa.cli.state_values import show_value

        show_value(face, issue, pointer or "", "HEAD" if moment is None else moment, select, after, count)
    else:
        _state_of_stream(face, past, moment, select, projection, no_snapshots)


def _state_of_stream(
    face: Face, issue: str, moment: str | None, select: str | None, projection: str, no_snapshots: bool
) -> None:
    from esaa.open import open_trail
    from esaa.runtime.trail.moments import sequence_of
    from esaa.runtime.trail.states import TrailStates, check_stream

    trail = open_trail(face.find_root())
    check_stream(issue)
    sequence = None if moment is None else sequence_of(trail, issue, moment)
    found = TrailStates(trail).reconstruct(issue, sequence=sequence, use_snapshots=not no_snapshots)
    for finding in found.findings:
        face.warn(finding)
    value = builtins(found.state if projection == "state" else _projected(trail, issue, found.sequence, projection))
    if select is not None:
        value = _selected(value, select)
    face.say(f"{issue} after event {found.sequence}")
    face.data(value, *_lines(value))


@click.command(name="time-travel")
@click.argument("issue", metavar="KEY")
@click.argument("moment", metavar="TIME")
@click.option("--window", "window_minutes", default=5.0, metavar="MINUTES", help="Events around it (default: 5).")
@face_options
@pass_face
def time_travel(face: Face, issue: str, moment: str, window_minutes: float) -> None:
    """Show what an issue looked like at a time: its state, and the events around it.

    Example: esaa time-travel PROJ-123 2025-12-22T14:00:00Z
    """
    from esaa.open import open_trail
    from esaa.runtime.trail.time_travel import time_travel_query
    from esaa.trail.wire import event_of_view

    trail = open_trail(face.find_root())
    found = time_travel_query(trail, issue, moment, window_minutes=window_minutes)
    for finding in found.findings:
        face.warn(finding)
    lines = [f"{key.replace('_', ' ')}: {_short(value)}" for key, value in found.state_summary.items()]
    around = [event_of_view(view) for view in found.surrounding_events]
    lines += ["", *(f"{event.ts}  #{event.version}  {_told(trail, event)}" for event in around)]
    face.data(builtins(found), f"{issue} at {moment}, after event {found.sequence}", *lines)


@click.group(cls=FaceGroup)
@face_options
def snapshot() -> None:
    """Folded states beside the events, which make reconstructions quick.

    Example: esaa snapshot create --issue PROJ-123
    """


@snapshot.command()
@click.option("--issue", metavar="KEY", required=True, help="The tracker issue, or global.")
@click.option("--at", "moment", metavar="REF", help="After which event (default: the last one).")
@face_options
@pass_face
def create(face: Face, issue: str, moment: str | None) -> None:
    """Save the state of an issue, so that reconstructions begin there. The snapshot is an event of the trail.

    Example: esaa snapshot create --issue PROJ-123
    """
    from esaa.open import open_trail
    from esaa.runtime.trail.moments import sequence_of
    from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
    from esaa.runtime.trail.states import check_stream

    trail = open_trail(face.find_root())
    check_stream(issue)
    with TrailRecorder(trail, actor=RECORDER) as recorder:
        sequence = None if moment is None else sequence_of(trail, issue, moment)
        path, saved = recorder.states.snapshot(issue, sequence)
        shown = str(path.relative_to(trail.store.base))
        recorder.record(
            "SnapshotCreated",
            {
                "snapshot_id": saved.snapshot_id,
                "event_sequence": saved.event_sequence,
                "path": shown,
                "sha256": saved.checksum,
                "leaf_hash": saved.leaf_hash,
                "size_bytes": path.stat().st_size,
                "trigger": "manual",
            },
            issue_key=None if issue == "global" else issue,
        )
    face.data(
        {"snapshot_id": saved.snapshot_id, "event_sequence": saved.event_sequence, "path": shown},
        f"{saved.snapshot_id} of {issue} saved in {shown}",
    )


@snapshot.command(name="list")
@click.option("--issue", metavar="KEY", required=True, help="The tracker issue, or global.")
@face_options
@pass_face
def list_(face: Face, issue: str) -> None:
    """Name the snapshots of an issue, and those that would not be used, with the reason.

    Example: esaa snapshot list --issue PROJ-123
    """
    from esaa.cli.terminal import columns
    from esaa.open import open_trail
    from esaa.runtime.trail.states import TrailStates, check_stream
    from esaa.stores.trail_snapshots import snapshot_files

    trail = open_trail(face.find_root())
    check_stream(issue)
    bad = {one.path: one.reason for one in TrailStates(trail).check_snapshots(issue)}
    rows = [
        (f"#{one.sequence}", str(one.path.relative_to(trail.store.base)), bad.get(one.path, "holds"))
        for one in snapshot_files(trail.store.base, issue)
    ]
    face.data([dict(zip(("event", "path", "verdict"), row, strict=True)) for row in rows], *columns(rows))


@snapshot.command()
@click.option("--issue", metavar="KEY", help="The tracker issue, or global (default: every stream).")
@click.option("--dry-run", is_flag=True, help="Name them, remove nothing.")
@face_options
@pass_face
def gc(face: Face, issue: str | None, dry_run: bool) -> None:
    """Remove snapshots older than `snapshots.retention_days`; the newest of each stream stays.

    Example: esaa snapshot gc --dry-run
    """
    from esaa.open import open_trail
    from esaa.runtime.trail.states import TrailStates, check_stream

    trail = open_trail(face.find_root())
    if issue is not None:
        check_stream(issue)
    states = TrailStates(trail)
    removed = [
        str(path.relative_to(trail.store.base))
        for stream in ([issue] if issue else trail.store.names())
        for path in states.collect_garbage(stream, dry_run=dry_run)
    ]
    verb = "would be removed" if dry_run else "removed"
    face.data({"removed": removed, "dry_run": dry_run}, *(f"{verb}: {path}" for path in removed))
    face.say(f"{len(removed)} snapshots {verb}")


def builtins(value: Any) -> Any:
    """A value as builtins, for JSON."""
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(value))


def _projected(trail: Trail, issue: str, sequence: int, projection: str) -> Any:
    from esaa.trail.views.agent_metrics import agent_metrics
    from esaa.trail.views.failures import failures
    from esaa.trail.views.gaps import gaps
    from esaa.trail.views.phases import phases
    from esaa.trail.views.quality import quality
    from esaa.trail.views.timeline import timeline

    folds: dict[str, Callable[[Iterable[tuple[TrailEvent, TrailFact]]], Any]] = {
        "agents": agent_metrics,
        "timeline": timeline,
        "phases": phases,
        "quality": quality,
        "gaps": gaps,
        "failures": failures,
    }
    located = trail.store.stream(issue).events(1, sequence)
    return folds[projection]((one.event, trail.types.fact_of(one.event)) for one in located)


def _selected(value: Any, expression: str) -> Any:
    from esaa.runtime.trail.states import select

    return select(value, expression)


def _told(trail: Trail, event: TrailEvent) -> str:
    return f"{event.fact.event_type}  {event.actor}  {trail.types.fact_of(event).summary()}"


def _lines(value: Any) -> list[str]:
    """An answer for people: what has a value, lists and maps by their number and first names; --json has it all."""
    if isinstance(value, dict):
        shown = {key.replace("_", " "): _brief(item) for key, item in value.items() if item not in (None, [], {}, "")}
        width = max(map(len, shown), default=0)
        return [f"{key.ljust(width)}  {text}" for key, text in shown.items()]
    if isinstance(value, list):
        return [_line(item) for item in value]
    return [_short(value)]


def _line(item: Any) -> str:
    if isinstance(item, dict) and {"timestamp", "event_type", "summary"} <= item.keys():
        return f"{item['timestamp']}  #{item['sequence']}  {item['event_type']}  {item['actor']}  {item['summary']}"
    if isinstance(item, dict):
        known = {key: part for key, part in item.items() if part not in (None, [], {}, "")}
        return "  ".join(f"{key}={_short(part)}" for key, part in known.items())
    return _short(item)


def _brief(item: Any) -> str:
    if isinstance(item, list) and item and isinstance(item[0], dict):
        return _counted(len(item), [_name(one) for one in item])
    if isinstance(item, list):
        names = [_short(one) for one in item]
        return ", ".join(f"{name} x{count}" if count > 1 else name for name, count in Counter(names).items())
    if isinstance(item, dict) and all(isinstance(part, dict) for part in item.values()):
        return _counted(len(item), list(item))
    if isinstance(item, dict):
        return _counted(len(item), [f"{key}={_short(part)}" for key, part in item.items()])
    return _short(item)


def _counted(count: int, names: list[str]) -> str:
    kinds = list(dict.fromkeys(name for name in names if name))
    more = ", ..." if len(kinds) > _NAMES_SHOWN else ""
    return f"{count}: {', '.join(name[:60] for name in kinds[:_NAMES_SHOWN])}{more}" if kinds else str(count)


def _name(item: dict[str, Any]) -> str:
    """What a thing is called: the first of its texts that is no time."""
    texts = (part for key, part in item.items() if isinstance(part, str) and key not in ("timestamp", "at"))
    return next(texts, "")


def _short(value: Any) -> str:
    import json

    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "none"
    return json.dumps(value, ensure_ascii=False)
