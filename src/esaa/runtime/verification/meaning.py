"""The half of a verification that folds the log and asks the rules again, run by run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.envelope_audit import RESTORE
from esaa.protocol.line_runs import events_of
from esaa.protocol.signature_audit import SignatureAudit
from esaa.protocol.stateless import is_stateless
from esaa.protocol.verify import LogAudit
from esaa.protocol.wire import ProtocolVocabulary


def audit_meaning(audit: LogAudit, runs: Iterable[bytes], number: int, signatures: SignatureAudit | None) -> set[int]:
    """Feeds the events after `number`, of which nothing more than their meaning is asked here. Returns the numbers of
    malformed lines.

    Lines that change no state are passed over, but for the last, which dates the read models.
    """
    meaning = _Meaning(audit, number, signatures)
    for run in runs:
        meaning.run(run)
    meaning.end()
    return meaning.malformed


class _Meaning:
    """Feeds an audit with runs of lines: a run of ordinary ones at once, any other line by line."""

    def __init__(self, audit: LogAudit, number: int, signatures: SignatureAudit | None) -> None:
        self.malformed: set[int] = set()
        self._audit = audit
        self._number = number
        self._signatures = signatures
        self._decode = ProtocolVocabulary().read
        self._passed_over: bytes | None = None

    def run(self, run: bytes) -> None:
        """Some lines, each with its line feed; the last one of a log may lack it."""
        # The first line says what version the log has.
        events = events_of(run, run.count(b"\n")) if self._number and self._signatures is None else None
        if events is None:
            for line in run.removesuffix(b"\n").split(b"\n"):
                self._line(line)
            return
        for number, event in enumerate(events, start=self._number + 1):
            if event is not None:
                self._audit.feed(event, number)
        self._number += len(events)
        self._passed_over = run[run.rfind(b"\n", 0, -1) + 1 : -1] if events[-1] is None else None

    def end(self) -> None:
        """There are no more lines."""
        if self._passed_over is not None:
            with contextlib.suppress(MalformedLine):  # a finding of the envelope audit already
                self._audit.feed(self._decode(self._passed_over), self._number)

    def _line(self, line: bytes) -> None:
        self._number += 1
        if self._number > 1 and is_stateless(line):
            self._passed_over = line
            return
        if not line or line.isspace():
            return
        self._passed_over = None
        try:
            recorded = self._decode(line)
        except MalformedLine as error:
            self.malformed.add(self._number)
            self._audit.add(error.code, self._number, error.message, RESTORE)
            return
        self._audit.feed(recorded, self._number)
        if self._signatures is not None:
            self._signatures.feed(recorded, self._number)
