"""`esaa replay`: acts recorded events out again, or says what that would do."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, exit_with, face_options, pass_face

if TYPE_CHECKING:
    from esaa.runtime.replay.result import EventResult, ReplayResult
    from esaa.runtime.trail.trail import Trail


@click.command()
@click.argument("issue", metavar="KEY")
@click.option("--from", "first", metavar="REF", help="The first event: #12, HEAD~3, a time, @{2h} or an event id.")
@click.option("--to", "last", metavar="REF", help="The last event (default: the last one there is).")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; may be given often.")
@click.option("--agent", "agents", multiple=True, metavar="NAME", help="Only events of this agent; may be given often.")
@click.option("--phase", "phases", multiple=True, metavar="NAME", help="Only events of this phase; may be given often.")
@click.option("--from-restore-point", "restore_point", metavar="ID", help="Only what came after a restore point.")
@click.option("--execute", is_flag=True, help="Do it. Without this nothing is done or recorded.")
@click.option(
    "--handlers", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Programs for event types."
)
@click.option("--again", is_flag=True, help="Also what an earlier replay did with success.")
@click.option("--force", is_flag=True, help="Restore files also where someone changed them since.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first event that fails.")
@click.option("--replay-id", metavar="ID", help="Go on with a replay that was interrupted.")
@face_options
@pass_face
def replay(
    face: Face,
    issue: str,
    first: str | None,
    last: str | None,
    types: tuple[str, ...],
    agents: tuple[str, ...],
    phases: tuple[str, ...],
    restore_point: str | None,
    execute: bool,
    handlers: Path | None,
    again: bool,
    force: bool,
    fail_fast: bool,
    replay_id: str | None,
) -> None:
    """Act the events of an issue out again: restore files, recompute states, run your own handlers.

    Without --execute it only says what would be done. Events that must not be repeated are skipped, and so are those
    that were replayed before. Every outcome is compared with the recorded one. Ends with 1 where an event failed, had
    another outcome, or a precondition does not hold.

    Example: esaa replay PROJ-123 --from 50 --execute
    """
    from esaa.open import open_trail
    from esaa.runtime.replay.commands import with_commands
    from esaa.runtime.replay.handlers import HANDLERS
    from esaa.runtime.replay.replaying import replay_events
    from esaa.runtime.trail.moments import sequence_of
    from esaa.runtime.trail.states import check_stream

    trail = open_trail(face.find_root())
    check_stream(issue)
    result = replay_events(
        trail,
        issue,
        0 if first is None else _first_of(trail, issue, first),
        None if last is None else sequence_of(trail, issue, last),
        dry_run=not execute,
        types=types,
        agents=agents,
        phases=phases,
        handlers=HANDLERS if handlers is None else with_commands(HANDLERS, handlers, trail.types),
        restore_point=restore_point,
        replay_id=replay_id,
        again=again,
        force=force,
        fail_fast=fail_fast,
        actor={"type": "user", "id": getpass.getuser()},
        on_result=None if face.is_json else lambda one: face.data(None, _line(one, dry_run=not execute)),
        on_start=lambda name: face.say(f"{name} begins; interrupted, it goes on with --replay-id {name}"),
    )
    for warning in (*result.faults, *result.warnings):
        face.warn(warning)
    for one in result.results:
        for warning in one.warnings:
            face.warn(f"#{one.sequence} {one.event_type}: {warning}")
    face.data(_answer(result), *_summary(result))
    exit_with(0 if result.is_good else 1)


def _first_of(trail: Trail, issue: str, text: str) -> int:
    """The first event that a moment means: that event, or the first one that is not before a time."""
    from esaa.history.refs import AtTime, parse_ref
    from esaa.runtime.trail.moments import sequence_of
    from esaa.trail.intake import is_uuid, parse_time, trail_time

    moment = parse_time(text)
    ts = None if moment is None else trail_time(moment)
    if ts is None and not is_uuid(text):
        ref = parse_ref(text, trail.clock.now())
        ts = ref.ts if isinstance(ref, AtTime) else None
    if ts is None:
        return sequence_of(trail, issue, text)
    # Without its `Z` a time sorts before itself: an event of that very moment is not before it.
    return trail.store.stream(issue).sequence_at(ts.removesuffix("Z")) + 1


def _line(one: EventResult, *, dry_run: bool) -> str:
    words = {"success": "would replay" if dry_run else "replayed", "skipped": "skipped", "failed": "failed"}
    told = one.why()
    if isinstance(one.result, dict):
        told = str(one.result.get("summary", "")) or str(one.handler)
    verdict = {True: " (as recorded)", False: " (not as recorded)"}
    known = verdict[one.matches_recorded] if isinstance(one.matches_recorded, bool) else ""
    return f"#{one.sequence}  {one.event_type}  {words[one.status]}  {told}{known}"


def _summary(result: ReplayResult) -> list[str]:
    counts = f"{result.replayed_count} replayed, {result.skipped_count} skipped, {result.failed_count} failed"
    outcomes = f"{result.verified_count} as recorded, {result.mismatched_count} not as recorded"
    left_out = f", {result.filtered_count} not selected" if result.filtered_count else ""
    if not result.dry_run:
        name = f"{result.replay_id}: " if result.replay_id else "nothing to do: "
        return [f"{name}{counts} ({outcomes}){left_out}"]
    return [f"dry run, nothing was done: {counts} ({outcomes}){left_out}; --execute does it"]


def _answer(result: ReplayResult) -> object:
    import msgspec

    return msgspec.to_builtins(result)
