"""The end of a log under verification: a crash's leftovers, a link that no line follows, and events that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from esaa.kernel.line_audit import LineAudit
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.facts import Fact, VerificationPassed
from esaa.protocol.settle import unclosed_act
from esaa.protocol.verify import LogAudit
from esaa.protocol.wire import ProtocolVocabulary
from esaa.stores.base import Head
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore
from esaa.stores.locate import events_backwards, lines_backwards

_REPAIR = "`esaa doctor --repair` moves it to quarantine; so does the next command that writes."


def audit_tail(audit: LogAudit, path: Path, last_line: int) -> None:
    """A crash's leftovers at the end of our own log: a last line without line feed, a batch that was not closed."""
    if not audit.is_chained:
        return
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 1, 0))
        ends = file.read(1) in (b"\n", b"")
    if not ends:
        audit.findings = [one for one in audit.findings if one.line != last_line]
        audit.add("TORN_TAIL", last_line, "the last line was cut by a crash, never acknowledged", _REPAIR)
        return
    vocabulary = ProtocolVocabulary()
    offset = size

    def newest_first() -> Iterator[Recorded[Fact]]:
        nonlocal offset
        for line, begins in lines_backwards(path):
            offset = begins
            yield vocabulary.decode(line)

    try:
        is_cut = unclosed_act(newest_first()) is not None
    except MalformedLine:
        return
    if is_cut:
        with path.open("rb") as file:
            file.seek(offset)
            line = last_line + 1 - file.read().count(b"\n")  # by its place: its event_seq may be wrong too
        audit.add("UNCLOSED_BATCH", line, "the last batch was cut by a crash, never acknowledged", _REPAIR)


def place_last_link(lines: LineAudit, seen: Head | None) -> None:
    """No line follows the last one to tell whether its broken link was changed; what this machine saw of it may."""
    if seen is not None and seen.version == lines.events and lines.relinked == seen.leaf_hash:
        lines.blame_link(lines.lines)


def audit_seen(audit: LogAudit, seen: Head, log: Path, events: int) -> None:
    """Whole lines dropped from the end leave a sound log; but this machine remembers how far it has seen it."""
    store: JsonlStore[Fact] = JsonlStore(log, ProtocolVocabulary(), Disk())
    if not store.holds(seen):
        text = f"event {seen.version}, which this machine has seen, is not in the log any more"
        hint = "Restore the missing events; if the log was restored on purpose: `esaa doctor --accept-log`."
        audit.add("LOG_ROLLED_BACK", min(events, seen.version - 1) + 1, text, hint)


def last_verified(path: Path) -> int | None:
    """The seq of the last `verify.ok`, read from the end."""
    mentions = events_backwards(path, ProtocolVocabulary(), mention=b'"verify.ok"')
    return next((one.version for one in mentions if isinstance(one.fact, VerificationPassed)), None)
