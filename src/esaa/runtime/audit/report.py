"""Audit reports: gathers the events, verifies their chains on the way, and writes the file (workflow 5).

The events are read twice: once for what they come to, once for the list of them. In between nothing of them is held;
while a stream is read, those of its events that the projections ask for are.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, assert_never

import msgspec

from esaa.audit.render.as_csv import csv_report
from esaa.audit.render.as_html import HtmlAssets, html_report
from esaa.audit.render.as_json import json_report
from esaa.audit.render.as_markdown import markdown_report
from esaa.audit.render.pdf import pdf_report
from esaa.audit.report import Report, ReportFold
from esaa.audit.request import Format, Request, as_format, request_of, stream_order
from esaa.audit.seen import Seen, seen_events
from esaa.errors import NotFound, StoreError, UsageError
from esaa.runtime.audit.reading import UNTO_THE_END, read_stream
from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
from esaa.runtime.trail.trail import Trail
from esaa.stores.jsonl import storage_error
from esaa.stores.trail_layout import REPORTS
from esaa.trail.event import GLOBAL
from esaa.trail.intake import Proposal, trail_time
from esaa.version import __version__

Told = Callable[[str], None]


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and a way to its events: the selected ones of a stream, as often as they are asked for."""

    report: Report
    events_of: Callable[[str], Iterator[Seen]]


class FileOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a report is written. `is_raw` and `with_bom` are for CSV, `font_paths` for PDF."""

    is_raw: bool = False
    with_bom: bool = False
    font_paths: tuple[str, ...] = ()


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was written: where, its digests, and what a reader should be told."""

    path: str
    format: Format
    events: int
    chain: str
    sha256: str
    size_bytes: int
    report_sha256: str
    heads_sha256: str
    event_id: str | None = None
    warnings: tuple[str, ...] = ()


def generate_audit_trail(
    trail: Trail,
    issue_key: str | Sequence[str] | None = None,
    from_date: str | None = None,
    to_date: str | None = None,
    event_types: Sequence[str] | None = None,
    format: str = "json",  # noqa: A002  # the specification's name
    *,
    by: str = "issue",
    output: str | Path | None = None,
    record: bool = True,
    requested_by: str | None = None,
) -> str:
    """Writes an audit report and returns its path: `reports/audit-YYYYMMDD-HHMMSS.EXT` of the store, or `output`.

    A date such as `2025-12-15` is a whole day, UTC. In the store's folder the report is recorded as `ReportGenerated`
    unless `record` is False. Raises `UsageError` for what cannot be asked, `NotFound` for an issue without events,
    `StoreError`.
    """
    keys = (issue_key,) if isinstance(issue_key, str) else tuple(issue_key or ())
    request = request_of(issue_keys=keys, from_date=from_date, to_date=to_date, event_types=event_types or (), by=by)
    written = write_report(
        trail,
        gather(trail, request),
        as_format(format),
        output=None if output is None else Path(output),
        record=record,
        requested_by=requested_by,
    )
    return written.path


def gather(
    trail: Trail,
    request: Request,
    *,
    until: Mapping[str, int] | None = None,
    generated_at: str | None = None,
    generator_version: str = __version__,
    told: Told = lambda _: None,
) -> Gathered:
    """The report of a request. With `until` it is made from these streams, up to these sequences, and no others;
    `UNTO_THE_END` reads as far as it goes.

    Raises `NotFound` for an issue without events, `UsageError` for a type that is neither known nor in the trail.
    Damage of a stream is not raised: the report says it.
    """
    moment = generated_at or trail_time(trail.clock.now())
    streams = until if until is not None else _heads(trail, request)
    fold = ReportFold(request, trail.types)
    for stream in sorted(streams, key=stream_order):
        told(f"reading {stream}")
        read_stream(trail, stream, streams[stream], fold)
    if until is None:
        _refuse_unknown_types(trail, request, fold)
    report = fold.finish(moment, generator_version, trail.settings.validation.schema_version)
    heads = {head.stream: head for head in report.evidence.heads}

    def events_of(stream: str) -> Iterator[Seen]:
        head = heads[stream]
        # The damage after the head of a broken stream is in the report already.
        with suppress(StoreError):
            located = trail.store.stream(stream).events(head.first_sequence, head.sequence)
            yield from seen_events(stream, located, request, trail.types)

    return Gathered(report=report, events_of=events_of)


def pieces(gathered: Gathered, format_: Format, options: FileOptions, warnings: list[str]) -> Iterator[bytes]:
    """The bytes of a report's file. What its reader should know is appended to `warnings`.

    Raises `UsageError` where the extra of a format is missing.
    """
    report, events_of = gathered.report, gathered.events_of
    match format_:
        case "json":
            return json_report(report, events_of)
        case "csv":
            return csv_report(report, events_of, is_raw=options.is_raw, with_bom=options.with_bom)
        case "md":
            return markdown_report(report, events_of)
        case "html":
            return html_report(report, events_of, HtmlAssets(_asset("report.css"), _asset("report.js")))
        case "pdf":
            made = pdf_report(report, events_of, _asset("report.typ"), font_paths=options.font_paths)
            warnings += made.warnings
            return iter([made.data])
        case _:
            assert_never(format_)


def write_report(
    trail: Trail,
    gathered: Gathered,
    format_: Format,
    *,
    output: Path | None = None,
    options: FileOptions | None = None,
    record: bool = True,
    requested_by: str | None = None,
) -> Written:
    """Writes the file. In the reports folder of the store (no `output`) it is recorded in `global`, after its heads
    were taken: the report names the heads before that event. Raises `StoreError` where the file cannot be written,
    `UsageError` where the extra of a format is missing."""
    report = gathered.report
    warnings: list[str] = []
    content = pieces(gathered, format_, options or FileOptions(), warnings)
    sink = _Sink(trail)
    path = output or sink.reserve(report.generated_at, format_)
    sink.write(path, content, is_reserved=output is None)
    written = Written(
        path=str(path),
        format=format_,
        events=report.totals.events,
        chain=report.evidence.chain,
        sha256=sink.digest.hexdigest(),
        size_bytes=sink.size,
        report_sha256=report.evidence.report_sha256,
        heads_sha256=report.evidence.heads_sha256,
        warnings=tuple(warnings),
    )
    if output is not None or not record:
        return written
    try:
        return msgspec.structs.replace(written, event_id=_record(trail, report, written, requested_by))
    except StoreError as error:
        # The report is there and right; that it was made can be recorded by hand.
        told = f"the trail could not be told of this report: {error.message}"
        return msgspec.structs.replace(written, warnings=(*written.warnings, told))


class _Sink:
    """Writes a file piece by piece, and digests it on the way."""

    def __init__(self, trail: Trail) -> None:
        self._disk = trail.store.disk
        self._folder = trail.store.base / REPORTS
        self.digest = hashlib.sha256()
        self.size = 0

    def reserve(self, generated_at: str, format_: Format) -> Path:
        """A name of its own in the reports folder, as the specification writes it; a second one of the same second
        ends in `-2`."""
        stem = "audit-" + "".join(one for one in generated_at[:19] if one.isdigit() or one == "T").replace("T", "-")
        try:
            self._disk.mkdir(self._folder)
            number = 1
            while True:
                path = self._folder / (f"{stem}.{format_}" if number == 1 else f"{stem}-{number}.{format_}")
                try:
                    os.close(self._disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    number += 1
                else:
                    return path
        except OSError as error:
            raise storage_error(self._folder, error) from error

    def write(self, path: Path, content: Iterator[bytes], *, is_reserved: bool) -> None:
        """The pieces, durably: beside the path first, then in its place. A device or pipe is written to as it is."""
        is_special = path.exists() and not path.is_file()
        target = path if is_special else path.with_name(f".{path.name}.{os.getpid()}.tmp")
        flags = os.O_WRONLY if is_special else os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            fd = self._disk.open(target, flags)
            try:
                for piece in content:
                    self._disk.write(fd, piece)
                    self.digest.update(piece)
                    self.size += len(piece)
                if not is_special:
                    self._disk.fsync(fd)
            finally:
                os.close(fd)
            if not is_special:
                self._disk.rename(str(target), str(path))
                self._disk.sync_dir(path.parent)
        except BaseException as error:
            with suppress(OSError):
                if not is_special:
                    target.unlink()
            with suppress(OSError):
                if is_reserved:
                    path.unlink()
            if isinstance(error, OSError):
                raise storage_error(path, error) from error
            raise


def _heads(trail: Trail, request: Request) -> dict[str, int]:
    """The streams of a request with their heads, taken before anything is read."""
    found: dict[str, int] = {}
    for stream in request.issue_keys or trail.store.names():
        try:
            head = trail.store.stream(stream).tip().head.version
        except StoreError:
            head = UNTO_THE_END
        if head == 0 and request.issue_keys:
            raise NotFound("ISSUE_NOT_FOUND", f"The trail has no events of {stream}.", "`esaa trail list` names them.")
        if head != 0:
            found[stream] = head
    return found


def _refuse_unknown_types(trail: Trail, request: Request, fold: ReportFold) -> None:
    for name in request.event_types:
        if not trail.types.knows(name) and name not in fold.types_seen:
            from difflib import get_close_matches

            near = get_close_matches(name, trail.types.names(), n=1)
            hint = f"Did you mean {near[0]}?" if near else "`esaa record --list` names the types."
            raise UsageError("EVENT_TYPE_UNKNOWN", f"{name!r} is no event type.", hint)


@cache
def _asset(name: str) -> str:
    return files("esaa.audit.render").joinpath("assets", name).read_text("utf-8")


def _record(trail: Trail, report: Report, written: Written, requested_by: str | None) -> str:
    request, heads = report.request, report.evidence.heads
    told = [head for head in heads if head.selected]
    metadata: dict[str, Any] = {
        "path": str(Path(written.path).relative_to(trail.store.base)),
        "format": written.format,
        "sha256": written.sha256,
        "size_bytes": written.size_bytes,
        "events": written.events,
        "grouped_by": request.by,
        "extra": {"heads_sha256": written.heads_sha256, "report_sha256": written.report_sha256},
    }
    optional = {
        "issue_keys": list(request.issue_keys),
        "event_types": list(request.event_types),
        "from_time": request.from_time,
        "to_time": request.to_time,
        "head_leaf_hash": told[0].leaf_hash if len(told) == 1 else None,
        "requested_by": requested_by,
    }
    metadata |= {key: value for key, value in optional.items() if value}
    recorder = TrailRecorder(trail, is_async=False)
    proposal = Proposal(event_type="ReportGenerated", metadata=metadata, actor=RECORDER, stream=GLOBAL)
    receipt = recorder.record_many([proposal])
    recorder.close()
    return receipt.events[0].event_id
