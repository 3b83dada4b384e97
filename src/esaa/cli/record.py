"""`esaa record`: one event of the trail, or a batch of them, from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from esaa.cli.face import Face, face_options, pass_face

if TYPE_CHECKING:
    from esaa.runtime.trail.recorder import TrailRecorder
    from esaa.trail.intake import Proposal
    from esaa.trail.types import EventTypes

_BATCH_MAX = 1000


@click.command()
@click.argument("event_type", required=False, metavar="[TYPE]")
@click.argument("fields", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--issue", metavar="KEY", help="The tracker issue, such as PROJ-123 (default: none, the global stream).")
@click.option("--data", metavar="JSON|@FILE|-", help="The metadata as a JSON object; KEY=VALUE pairs stand above it.")
@click.option("--actor", metavar="TYPE:ID", help="Who acted: user:ID, system:ID or agent:ID (default: user:LOGIN).")
@click.option("--model", metavar="NAME", help="The model behind an agent.")
@click.option("--session", metavar="UUID", help="The session (default: the last one of the stream, or a new one).")
@click.option("--id", "event_id", metavar="UUID", help="The event's id: recording it again changes nothing.")
@click.option("--at", "timestamp", metavar="TIME", help="When it happened, ISO-8601 with its zone (default: now).")
@click.option("--correlation", metavar="ID", help="The story that the event belongs to.")
@click.option("--causation", metavar="ID", help="The event that caused this one.")
@click.option("--codebase-state", metavar="HASH", help="A digest of the code that the event is about.")
@click.option("--erasable", multiple=True, metavar="FIELD", help="Keep this field erasable. May be given often.")
@click.option("--subject", metavar="NAME", help="Whom the erasable fields are about, by a pseudonym.")
@click.option("--batch", metavar="FILE|-", help="Record every line of a file: events as JSON objects.")
@click.option("--list", "list_types", is_flag=True, help="Name the event types.")
@click.option("--describe", is_flag=True, help="Show the fields of TYPE.")
@click.option("--dry-run", is_flag=True, help="Examine the event, record nothing.")
@face_options
@pass_face
def record(
    face: Face,
    event_type: str | None,
    fields: tuple[str, ...],
    issue: str | None,
    data: str | None,
    actor: str | None,
    model: str | None,
    session: str | None,
    event_id: str | None,
    timestamp: str | None,
    correlation: str | None,
    causation: str | None,
    codebase_state: str | None,
    erasable: tuple[str, ...],
    subject: str | None,
    batch: str | None,
    list_types: bool,
    describe: bool,
    dry_run: bool,
) -> None:
    """Record an event of the audit trail.

    The metadata comes as KEY=VALUE pairs, as JSON, or both. A value that is JSON is taken as such
    (files_changed=8, labels='["auth"]'); any other is a text.

    Example: esaa record PhaseStarted --issue PROJ-123 phase=PLAN expected_agents=2
    """
    from esaa.open import open_trail
    from esaa.runtime.trail.recorder import TrailRecorder
    from esaa.trail.intake import Proposal

    trail = open_trail(face.find_root())
    if list_types:
        _list(face, trail.types)
        return
    if describe:
        _describe(face, trail.types, _needed(event_type))
        return
    recorder = TrailRecorder(trail, actor=_actor(actor, model))
    if batch is not None:
        _record_batch(face, recorder, batch, dry_run=dry_run)
        return
    proposal = Proposal(
        event_type=_needed(event_type),
        metadata=_metadata(data, fields),
        actor=None,
        issue_key=issue,
        session_id=session,
        event_id=event_id,
        timestamp=timestamp,
        correlation_id=correlation,
        causation_id=causation,
        codebase_state=codebase_state,
        erasable=erasable,
        subject=subject,
    )
    _record_all(face, recorder, [proposal], dry_run=dry_run)


def _record_all(face: Face, recorder: TrailRecorder, proposals: list[Proposal], *, dry_run: bool) -> None:
    from esaa.trail.event import stream_of
    from esaa.trail.wire import event_view

    types = recorder.trail.types
    if dry_run:
        for proposal in proposals:
            prepared = recorder.examine(proposal)
            seen = prepared.draft.fact
            for finding in prepared.findings:
                face.warn(f"{finding.path}: {finding.message}")
            face.data(
                {"dry_run": True, "event_type": seen.event_type, "issue_key": seen.issue_key},
                f"would be: {seen.event_type} in {seen.issue_key or 'global'}",
            )
        return
    receipt = recorder.record_many(proposals)
    recorder.close()
    for notice in receipt.notices:
        face.warn(notice)
    for event in receipt.events:
        is_repeat = event.event_id in receipt.repeated
        summary = types.fact_of(event).summary()
        face.data(
            event_view(event) | ({"is_repeat": True} if is_repeat else {}),
            f"{'already recorded: ' if is_repeat else ''}{stream_of(event)} #{event.version} {event.fact.event_type}: "
            f"{summary} ({event.event_id})",
        )


def _record_batch(face: Face, recorder: TrailRecorder, source: str, *, dry_run: bool) -> None:
    import msgspec

    from esaa.errors import NotFound, UsageError
    from esaa.kernel.ingest import BATCH_LINE, NotIngested, capped_lines, json_of
    from esaa.stores.outside import NotReadable, open_named
    from esaa.trail.intake import Proposal

    pending: list[Proposal] = []
    number, recorded = 1, 0
    try:
        with open_named(source) as file:
            for line in capped_lines(file, BATCH_LINE.bytes_max):
                if line.strip():
                    pending.append(msgspec.convert(_with_actor(json_of(line.strip(), BATCH_LINE)), Proposal))
                number += 1
                if len(pending) == _BATCH_MAX:
                    _record_all(face, recorder, pending, dry_run=dry_run)
                    recorded += len(pending)
                    pending = []
    except NotReadable as error:
        raise NotFound("FILE_NOT_FOUND", f"{source} cannot be read: {error}.", "Check the path.") from error
    except (NotIngested, msgspec.ValidationError) as error:
        raise UsageError(
            "BATCH_INVALID",
            f"Line {number} of {source} is no event: {error}.",
            f"{recorded} events before it were recorded; give them ids to repeat safely.",
        ) from error
    if pending:
        _record_all(face, recorder, pending, dry_run=dry_run)


def _with_actor(value: Any) -> Any:
    return {"actor": None, "metadata": {}} | value if isinstance(value, dict) else value


def _needed(event_type: str | None) -> str:
    if event_type is None:
        raise click.UsageError("Which event? Name a TYPE; `esaa record --list` shows them.")
    return event_type


def _metadata(data: str | None, fields: tuple[str, ...]) -> dict[str, Any]:
    from esaa.errors import NotFound, UsageError
    from esaa.kernel.ingest import METADATA, NotIngested, json_object_of
    from esaa.stores.outside import NotReadable, read_named

    metadata: dict[str, Any] = {}
    if data is not None:
        source = data[1:] if data.startswith("@") else data
        is_inline = data != "-" and source is data
        try:
            metadata |= json_object_of(data.encode() if is_inline else read_named(source, METADATA), METADATA)
        except NotReadable as error:
            raise NotFound("FILE_NOT_FOUND", f"{source} cannot be read: {error}.", "Check the path.") from error
        except NotIngested as error:
            raise UsageError("METADATA_INVALID", f"--data: {error}.", 'Write {"key": "value"}.') from error
    for field in fields:
        key, equals, text_value = field.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{field[:60]!r} is no KEY=VALUE pair.")
        metadata[key] = _value(text_value)
    return metadata


def _value(text: str) -> Any:
    from esaa.kernel.ingest import METADATA, NotIngested, json_of

    try:
        return json_of(text.encode(), METADATA)
    except NotIngested:
        return text


def _actor(text: str | None, model: str | None) -> dict[str, str]:
    import getpass

    from esaa.errors import UsageError

    kind, colon, name = (text or f"user:{getpass.getuser()}").partition(":")
    if not colon:
        raise UsageError("ACTOR_INVALID", f"{text!r} is no actor.", "Write it as agent:NAME, user:NAME or system:NAME.")
    return {"type": kind, "id": name} | ({"model": model} if model else {})


def _list(face: Face, types: EventTypes) -> None:
    from esaa.cli.terminal import columns
    from esaa.trail.registry import FAMILIES

    families = [(family, [fact.__name__ for fact in facts]) for family, facts in FAMILIES.items()]
    custom = [one.name for one in types.custom()]
    if custom:
        families.append(("of this project", custom))
    rows = [(name, family) for family, names in families for name in names]
    face.data(dict(families), *columns(rows))


def _describe(face: Face, types: EventTypes, name: str) -> None:
    from esaa.cli.terminal import columns
    from esaa.errors import UsageError
    from esaa.trail.versions.schema import described

    if not types.knows(name):
        raise UsageError("EVENT_TYPE_UNKNOWN", f"{name!r} is no event type.", "`esaa record --list` names the types.")
    about = described(types, name)
    rows = [(one.name, one.type, "required" if one.required else "", one.meaning) for one in about.fields]
    face.data(about.schema, *about.prose.splitlines(), "", *columns(rows))
