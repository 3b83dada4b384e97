"""The report as CSV (RFC 4180): one record per event, and at the end the evidence in records of the same columns.

The column `record` says what a line is: `event`, then one `head` per stream, and one `report` whose `summary` is the
request and the digests as JSON. So the file needs no comment lines that other readers would stumble over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from esaa.audit.embedded import KIND
from esaa.audit.render.as_json import EventsOf
from esaa.audit.report import Report
from esaa.audit.request import command_of
from esaa.audit.seen import Seen, section_key
from esaa.kernel.canonical import canonical

COLUMNS = (
    "record", "stream", "sequence", "timestamp", "event_type", "actor_type", "actor_id", "actor_model", "section",
    "phase", "agent", "summary", "event_id", "session_id", "correlation_id", "causation_id", "git_sha", "branch",
    "leaf_hash", "metadata",
)  # fmt: skip

_BOM = "\ufeff"
_QUOTED = re.compile(r'[",\r\n\x00]|^\s|\s$')
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
# What a spreadsheet takes for a formula, a command or the end of a cell, after whatever blanks it skips.
_STARTS_FORMULA = re.compile(
    "[\\s\x00\u00ad\u180e\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]*[=+\\-@\t\r\n\x00|%\uff1d\uff0b\uff0d\uff20\u2212\ufe62\ufe63\ufe66\ufe6b]"
)


def csv_report(report: Report, events_of: EventsOf, *, is_raw: bool = False, with_bom: bool = False) -> Iterator[bytes]:
    """The pieces of the file. `is_raw` leaves cells alone that a spreadsheet would take for formulas."""
    yield (_BOM if with_bom else "").encode() + _record(COLUMNS, is_raw=True)
    for head in report.evidence.heads:
        if head.selected:
            for seen in events_of(head.stream):
                yield _record(_event(report, seen), is_raw=is_raw)
    for head in report.evidence.heads:
        yield _named(
            {
                "record": "head",
                "stream": head.stream,
                "sequence": str(head.sequence),
                "timestamp": head.timestamp,
                "summary": _json(head),
                "leaf_hash": head.leaf_hash,
            }
        )
    evidence: dict[str, Any] = msgspec.to_builtins(report.evidence)
    del evidence["heads"]
    told = {
        "command": command_of(report.request, "csv"),
        "evidence": evidence,
        "generated_at": report.generated_at,
        "kind": KIND,
        "options": {"bom": with_bom, "raw": is_raw},
        "request": report.request,
    }
    yield _named({"record": "report", "timestamp": report.generated_at, "summary": _json(told)})


def safe_cell(text: str) -> str:
    """The cell with `'` before it where a spreadsheet would take it for a formula; plain numbers stay numbers."""
    if _STARTS_FORMULA.match(text) is None or _NUMBER.fullmatch(text) is not None:
        return text
    return f"'{text}"


def _event(report: Report, seen: Seen) -> Sequence[str]:
    event, told = seen.event, seen.event.fact
    return (
        "event",
        seen.stream,
        str(event.version),
        event.ts,
        told.event_type,
        told.actor.type,
        told.actor.id,
        told.actor.model or "",
        section_key(report.request, seen),
        seen.phase or "",
        seen.agent or "",
        seen.fact.summary(),
        event.event_id,
        told.session_id,
        event.correlation_id or "",
        event.causation_id or "",
        told.git_sha or "",
        told.branch or "",
        seen.leaf,
        bytes(told.metadata).decode(),
    )


def _named(cells: dict[str, str]) -> bytes:
    return _record([cells.get(name, "") for name in COLUMNS], is_raw=True)


def _record(cells: Sequence[str], *, is_raw: bool) -> bytes:
    shown = cells if is_raw else [safe_cell(cell) for cell in cells]
    return (",".join(_cell(cell) for cell in shown) + "\r\n").encode()


def _cell(text: str) -> str:
    # NUL has no place in a text file, quoted or not.
    text = text.replace("\x00", "\\0")
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _json(value: object) -> str:
    return canonical(msgspec.to_builtins(value)).decode()
