"""`esaa reveal` and `esaa erase`: values that were recorded erasable, shown and destroyed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from esaa.cli.face import Face, exit_with, face_options, pass_face

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esaa.runtime.privacy.withholding import Revealed


@click.command()
@click.argument("event", required=False, metavar="[EVENT]")
@face_options
@pass_face
def reveal(face: Face, event: str | None) -> None:
    """Show the erasable values of an event: EV-00000012 of the log, or a UUID of the trail.

    Without EVENT: how all erasable values stand. HELD can be erased, ERASED was, MISSING lies on another machine or is
    lost, MISMATCH is not what was committed to, UNFINISHED is recorded as erased and still there. Ends with 4 for a
    mismatch, with 1 for an erasure that is not finished.

    Example: esaa reveal EV-00000012
    """
    root = face.find_root()
    if event is None:
        _standing(face, root)
        return
    values = _revealed(root, event)
    lines = [f"{one.path}: {one.status}" + (f" {_shown(one.value)}" if one.status == "HELD" else "") for one in values]
    face.data(
        {"event_id": event, "values": [_view(one) for one in values]},
        *(lines or [f"{event} has no erasable values"]),
    )


@click.command()
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@click.option("--subject", metavar="NAME", help="Everything of the trail about this subject, and its key.")
@click.option("--field", "fields", multiple=True, metavar="FIELD", help="Only this field. May be given often.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one sentence that does not repeat the data.")
@click.option("--authority", required=True, metavar="WHO", help="Who asks for it, or who decided it.")
@click.option("--legal-basis", metavar="RULE", help="The rule that asks for it.")
@click.option("--dry-run", is_flag=True, help="Say what would be erased, do nothing.")
@face_options
@pass_face
def erase(
    face: Face,
    events: tuple[str, ...],
    subject: str | None,
    fields: tuple[str, ...],
    reason: str,
    authority: str,
    legal_basis: str | None,
    dry_run: bool,
) -> None:
    """Erase values that were recorded erasable: their salts, contents and keys are destroyed, and that is recorded.

    Every proof and every replay holds as before. Doing it again finishes what a crash cut short.

    Example: esaa erase EV-00000012 --reason "the customer asked for it" --authority "data protection officer"
    """
    if bool(events) == (subject is not None):
        raise click.UsageError("Name the events, or a --subject.")
    root = face.find_root()
    said: dict[str, Any] = {"reason": reason, "authority": authority, "legal_basis": legal_basis, "dry_run": dry_run}
    of_log = [one for one in events if one.startswith("EV-")]
    of_trail = [one for one in events if not one.startswith("EV-")]
    done: list[tuple[str, str]] = []
    records: list[str] = []
    before = orphans = 0
    is_key_destroyed = False
    if of_log:
        from esaa.runtime.privacy.log_erasables import erase_in_log

        workspace = face.workspace() if dry_run else face.writable()
        found = erase_in_log(workspace, of_log, fields=fields, **said)
        done += found.values
        records += found.record_ids
        before, orphans = found.erased_before, found.orphans
    if of_trail or subject is not None:
        from esaa.open import open_trail
        from esaa.runtime.privacy.erasing import erase_events, erase_subject
        from esaa.runtime.trail.recorder import RECORDER, TrailRecorder

        with TrailRecorder(open_trail(root), actor=RECORDER, is_async=False) as recorder:
            if subject is not None:
                erased = erase_subject(recorder, subject, **said)
            else:
                erased = erase_events(recorder, of_trail, fields=fields, **said)
        done += erased.values
        records += erased.record_ids
        before, orphans = before + erased.erased_before, orphans + erased.orphans
        is_key_destroyed = erased.is_key_destroyed
    verb = "would be erased" if dry_run else "erased"
    lines = [f"{verb}: {event_id} {path}" for event_id, path in done]
    if is_key_destroyed:
        lines.append("would destroy the subject's key" if dry_run else "the subject's key is destroyed")
    if orphans:
        lines.append(f"{orphans} remains of interrupted recordings are destroyed")
    face.data(
        {
            "dry_run": dry_run,
            "values": [{"event_id": event_id, "path": path} for event_id, path in done],
            "erased_before": before,
            "is_key_destroyed": is_key_destroyed,
            "record_ids": records,
            "orphans": orphans,
        },
        *lines,
    )
    if before:
        face.say(f"{before} of them had been erased before")


def _revealed(root: Path, event: str) -> Sequence[Revealed]:
    if event.startswith("EV-"):
        from esaa.open import open_workspace
        from esaa.runtime.privacy.log_erasables import reveal_in_log

        return reveal_in_log(open_workspace(root), event)[1]
    from esaa.open import open_trail
    from esaa.runtime.privacy.erasing import reveal as reveal_in_trail

    return reveal_in_trail(open_trail(root), event)[1]


def _standing(face: Face, root: Path) -> None:
    from esaa.errors import NotFound
    from esaa.open import find_log, open_trail, open_workspace
    from esaa.runtime.privacy.erasing import standing
    from esaa.runtime.privacy.log_erasables import standing_in_log

    try:
        find_log(root)
        found = standing_in_log(open_workspace(root))
    except NotFound:  # a trail needs no governed run
        found = {}
    for status, places in standing(open_trail(root)).items():
        found.setdefault(status, []).extend(places)
    counts = {status: len(found.get(status, ())) for status in _STATUSES}
    lines = [", ".join(f"{count} {status}" for status, count in counts.items() if count) or "no erasable values"]
    lines += [f"{status}: {place}" for status in _TOLD for place in found.get(status, ())]
    face.data({"counts": counts} | {status.lower(): found.get(status, []) for status in _TOLD}, *lines)
    exit_with(4 if found.get("MISMATCH") else 1 if found.get("UNFINISHED") else 0)


_STATUSES = ("HELD", "ERASED", "MISSING", "MISMATCH", "UNFINISHED", "ORPHAN")
_TOLD = ("MISSING", "MISMATCH", "UNFINISHED", "ORPHAN")


def _view(one: Revealed) -> dict[str, object]:
    import msgspec

    view: dict[str, object] = msgspec.to_builtins(one)
    return view if one.status == "HELD" else {key: value for key, value in view.items() if key != "value"}


def _shown(value: object) -> str:
    from esaa.cli.face import as_json

    return value if isinstance(value, str) else as_json(value)
