"""`esaa audit check`: makes a report again from the trail, up to the heads that it names, and compares.

The file is believed in nothing but what it was asked, which heads it names and when it was made. What was recorded
after those heads does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import msgspec

from esaa.audit.comparison import DIFFERENCES_MAX, differences, first_difference
from esaa.audit.embedded import Embedded, ReportFile, Unreadable, read_report
from esaa.audit.render.pdf import BUILT_IN, renderer_of
from esaa.audit.report import as_data
from esaa.audit.request import Format, Request, request_of
from esaa.errors import CorruptLog, StoreError, UsageError
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.chain import leaf_hash
from esaa.runtime.audit.reading import UNTO_THE_END
from esaa.runtime.audit.report import FileOptions, Gathered, Told, gather, pieces
from esaa.runtime.trail.trail import Trail
from esaa.trail.event import GLOBAL
from esaa.trail.intake import is_issue_key, parse_time
from esaa.trail.wire import metadata_of
from esaa.version import __version__

_VIEWS = ("command", "events", "kind", "options")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the check came to. `is_recorded` says that the trail's own `ReportGenerated` names this very file.

    `events_since` counts what was recorded in the report's streams after it.
    """

    status: Literal["ok", "differs"]
    format: Format
    generated_at: str
    report_sha256: str
    streams: int
    events: int
    events_since: int
    is_recorded: bool
    differences: tuple[str, ...] = ()


def check_report(trail: Trail, data: bytes, *, font_paths: tuple[str, ...] = (), told: Told = lambda _: None) -> Answer:
    """Compares a report's file with the trail.

    Raises `UsageError` for a file that is no readable report, `CorruptLog` where the trail no longer holds a head that
    the report names, or the events before it.
    """
    file = _read(data)
    embedded = file.embedded
    since = _events_since(trail, embedded)
    gathered = gather(
        trail,
        embedded.request,
        until=_until(file),
        generated_at=embedded.generated_at,
        generator_version=embedded.evidence.generator.version,
        told=told,
    )
    recorded = _is_recorded(trail, data)
    found = list(islice(_compare(file, data, gathered, font_paths), DIFFERENCES_MAX))
    if not recorded:
        found += _unnamed_streams(trail, embedded)
    if found and embedded.evidence.generator.version != __version__:
        made_by = embedded.evidence.generator.version
        found.append(f"the file was made by esaa {made_by}, this is {__version__}: that version may write it so")
    return Answer(
        status="differs" if found else "ok",
        format=file.format,
        generated_at=embedded.generated_at,
        report_sha256=gathered.report.evidence.report_sha256,
        streams=len(embedded.evidence.heads),
        events=gathered.report.totals.events,
        events_since=since,
        is_recorded=recorded,
        differences=tuple(found),
    )


def _read(data: bytes) -> ReportFile:
    try:
        file = read_report(data)
        embedded = file.embedded
        if any(head.stream != GLOBAL and not is_issue_key(head.stream) for head in embedded.evidence.heads):
            raise Unreadable("it names a stream that cannot be one")
        if any(not 1 <= head.first_sequence <= head.sequence for head in embedded.evidence.heads):
            raise Unreadable("it names a head that cannot be one")
        if parse_time(embedded.generated_at) is None:
            raise Unreadable("it does not say when it was made")
        _check_request(embedded.request)
    except Unreadable as error:
        raise UsageError(
            "REPORT_UNREADABLE", f"The report cannot be read: {error}.", "Give a file that `esaa audit` has made."
        ) from error
    return file


def _check_request(request: Request) -> None:
    """The file's request is one that could have been asked."""
    try:
        again = request_of(
            issue_keys=request.issue_keys,
            from_date=request.from_time,
            to_date=request.to_time,
            event_types=request.event_types,
            by=request.by,
        )
    except UsageError as error:
        raise Unreadable(f"what it was asked makes no sense: {error.message}") from error
    if again != request:
        raise Unreadable("what it was asked is not written as esaa writes it")


def _events_since(trail: Trail, embedded: Embedded) -> int:
    """How many events followed the heads. Raises `CorruptLog` where a head is not there any more."""
    since = 0
    for head in embedded.evidence.heads:
        stream = trail.store.stream(head.stream)
        try:
            line = stream.line_at(head.sequence)
            segments = stream.segments()
            tip = stream.tip().head.version
        except StoreError:
            if head.chain == "intact":
                raise
            continue  # it was damaged when the report was made, and the report says so
        if line is None or leaf_hash(line) != head.leaf_hash:
            what = "is not there" if line is None else "is another one"
            raise CorruptLog(
                "HEAD_GONE",
                f"The trail no longer holds what the report names: event {head.sequence} of {head.stream} {what}.",
                "Either the trail or the file was changed: compare with a copy of the trail.",
                head.sequence,
            )
        if segments[0].first > head.first_sequence:
            raise CorruptLog(
                "EVENTS_RETIRED",
                f"The trail still holds the head of {head.stream}, but no longer the events from "
                f"{head.first_sequence} to {segments[0].first - 1} before it.",
                "Restore them from a backup of the archive to make the report again.",
                head.first_sequence,
            )
        since += max(tip - head.sequence, 0)
    return since


def _until(file: ReportFile) -> dict[str, int]:
    """The streams and sequences that the report was made from. A damaged stream is read as far as it goes."""
    evidence = file.embedded.evidence
    until = {head.stream: head.sequence for head in evidence.heads}
    for finding in evidence.findings:
        if finding.sequence > until.get(finding.stream, 0):
            until[finding.stream] = UNTO_THE_END
    return until


def _compare(file: ReportFile, data: bytes, gathered: Gathered, font_paths: tuple[str, ...]) -> Iterator[str]:
    """Every difference, the figures before the letters."""
    options = FileOptions(is_raw=file.embedded.options.raw, with_bom=file.embedded.options.bom, font_paths=font_paths)
    if file.format == "pdf":
        yield from _figures(file, gathered)
        yield from _pages(file, data, gathered, options)
        return
    line = first_difference(data, pieces(gathered, file.format, options, []))
    if line is None:
        return
    if file.data is not None:
        yield from _figures(file, gathered)
    yield line


def _figures(file: ReportFile, gathered: Gathered) -> Iterator[str]:
    said: Any = msgspec.json.decode(file.data or b"{}")
    true = msgspec.json.decode(msgspec.json.encode(as_data(gathered.report)))
    for key in _VIEWS:
        said.pop(key, None)
        true.pop(key, None)
    for section in (said.get("issues") or {}).values():
        # The events themselves are compared line by line.
        for key in ("events", "issue_key"):
            section.pop(key, None)
        section.get("summary", {}).pop("timeline", None)
    missing = {"issues", "users", "phases"} - said.keys()
    yield from differences(said, {key: value for key, value in true.items() if key not in missing})


def _pages(file: ReportFile, data: bytes, gathered: Gathered, options: FileOptions) -> Iterator[str]:
    told, here = file.embedded.options, renderer_of()
    if told.renderer != here:
        by = told.renderer or "something else"
        yield f"its pages could not be compared: they were typeset by {by}, here is {here}"
    elif (told.fonts != BUILT_IN) != bool(options.font_paths):
        yield "its pages could not be compared: they were typeset with other fonts; name the same with --font-path"
    elif b"".join(pieces(gathered, "pdf", options, [])) != data:
        yield "its pages are not those that its data gives"


def _is_recorded(trail: Trail, data: bytes) -> bool:
    """True where the trail was told of this very file when it was made."""
    digest = sha256_hex(data)
    events = trail.store.stream(GLOBAL)
    try:
        if not events.mentions(f'"sha256":"{digest}"'):
            return False
        return any(
            located.event.fact.event_type == "ReportGenerated" and metadata_of(located.event).get("sha256") == digest
            for located in events.events()
        )
    except StoreError:
        return False


def _unnamed_streams(trail: Trail, embedded: Embedded) -> Iterator[str]:
    """Streams that a report of all streams should name: their first event is older than the report."""
    if embedded.request.issue_keys:
        return
    named = {head.stream for head in embedded.evidence.heads} | {one.stream for one in embedded.evidence.findings}
    made_at = max([embedded.generated_at, *(head.timestamp for head in embedded.evidence.heads)])
    for stream in trail.store.names():
        if stream in named:
            continue
        try:
            first = next(trail.store.stream(stream).events(), None)
        except StoreError:
            yield f"{stream} is not named, and cannot be read"
            continue
        # `global` may have begun with the record of this report.
        if first is not None and first.event.ts <= made_at and first.event.fact.event_type != "ReportGenerated":
            yield f"{stream} is not named, though its first event is of {first.event.ts}"
