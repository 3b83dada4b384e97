"""The audit of envelopes, which needs no state: seq, ids, times, and who may write which action.

Runs beside `kernel.line_audit`, on the same parsed lines; the meaning of the facts is `protocol.verify`'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from esaa.contracts.governance import Governance
from esaa.contracts.swarm import MONITOR, ORCHESTRATOR
from esaa.kernel.findings import Finding, Severity
from esaa.protocol.facts import IssueReported, OutputRejected, TaskAmended, VerificationStarted, ViewMutated
from esaa.protocol.line_runs import lines_of
from esaa.protocol.wire import WRITABLE

LOG = "activity.jsonl"
FINDINGS_MAX = 1000
RESTORE = "Restore the log from a copy that verifies; never edit it."

_STATELESS: dict[str, type[msgspec.Struct]] = {
    ViewMutated.action_name: ViewMutated,
    VerificationStarted.action_name: VerificationStarted,
    OutputRejected.action_name: OutputRejected,
}


_REQUIRED_TEXTS = ("event_id", "ts", "actor")
_OPTIONAL_TEXTS = ("command_id", "correlation_id", "causation_id", "prev_hash")
_SEQ_MAX = 1 << 63


class EnvelopeAudit:
    """Feed it every parsed line. `rules` None: authority is not judged."""

    def __init__(self, rules: Governance | None) -> None:
        self.findings: list[Finding] = []
        self._expected = 1
        self._last_ts = b""
        self._unusual_ids: set[str] = set()
        self._unusual_seqs: set[int] = set()
        self._counts: dict[Severity, int] = {}
        self._version = b""
        self._sound_payload: dict[str, object] = {}
        self._sound_shape: dict[str, tuple[object, ...]] = {}
        self._rules = rules
        self._authority: dict[tuple[str, str], str | None] = {}

    def resume(self, seq: int, ts: str, version: str) -> None:
        """Goes on after an event of a log in which nothing was found up to there."""
        self._expected, self._last_ts, self._version = seq + 1, ts.encode(), version.encode()

    def place(self) -> tuple[str, str]:
        """The time and the version of the last event, for `resume`."""
        return self._last_ts.decode(), self._version.decode()

    def skip(self) -> None:
        """A line that is no JSON object takes one seq."""
        self._expected += 1

    def knows(self, run: bytes, links: Sequence[str]) -> bool:
        """True for a run of ordinary lines: in their places, linked to `links`, of times that do not go back, by actors
        who may do what they say. Then it goes on behind them."""
        lines = None if self._unusual_ids else lines_of(run, len(links))
        if lines is None:
            return False
        first, last_ts = self._expected, self._last_ts.decode()
        seqs = range(first, first + len(lines))
        times = [line.ts for line in lines]
        is_known = (
            [line.event_seq for line in lines] == list(seqs)
            and [line.prev_hash for line in lines] == links
            and [line.event_id for line in lines] == [f"EV-{seq:08d}" for seq in seqs]
            and {line.schema_version for line in lines} == {self._version.decode()}
            and last_ts <= times[0]
            and times == sorted(times)
            and all(self._usurpation(*who) is None for who in {(line.actor, line.action) for line in lines})
        )
        if is_known:
            self._expected, self._last_ts = seqs.stop, times[-1].encode()
        return is_known

    def feed(self, event: dict[str, Any], line: int) -> None:
        """One more line. Missing and malformed keys are the decoder's findings, not this audit's."""
        seq, ts = event.get("event_seq"), event.get("ts")
        own = "prev_hash" in event
        if seq != self._expected:
            text = f"event_seq {_short(seq)} stands where {self._expected} belongs"
            self._add("EVENT_SEQ_INVALID", line, text, "INV-004: seq has no gaps. " + RESTORE)
        if type(seq) is not int or not 0 <= seq < _SEQ_MAX:
            seq = self._expected
        self._expected = seq + 1
        version = event.get("schema_version")
        if isinstance(version, str) and version in WRITABLE:
            self._version = version.encode()
        event_id = event.get("event_id")
        if isinstance(event_id, str) and (event_id != f"EV-{seq:08d}" or event_id in self._unusual_ids):
            self._check_id(event_id, seq, line, own)
        if isinstance(ts, str):
            if ts.encode() < self._last_ts:
                self._check_time(ts, self._last_ts.decode(), line, own)
            self._last_ts = ts.encode()
        action, actor = event.get("action"), event.get("actor")
        if not isinstance(action, str):
            return
        if action in _STATELESS:
            self._check_stateless(action, event, line)
        if isinstance(actor, str):
            usurped = self._usurpation(actor, action)
            if usurped is not None:
                hint = "Ask who wrote to the log past the orchestrator."
                self._add("AUTHORITY_VIOLATION", line, usurped, hint)

    def _usurpation(self, actor: str, action: str) -> str | None:
        """Why an actor may not have written an action, or None; judged once for the two."""
        who = (actor, action)
        if who not in self._authority:
            self._authority[who] = None if self._rules is None else _usurps(actor, action, self._rules)
        return self._authority[who]

    def _check_stateless(self, action: str, event: dict[str, Any], line: int) -> None:
        """Does the decoder's work for the actions that the audit of meaning passes over."""
        shape = (*event, *map(type, event.values()))
        if shape == self._sound_shape.get(action) and event.get("payload") == self._sound_payload.get(action):
            return
        found = len(self.findings)
        for key in _REQUIRED_TEXTS:
            if key not in event:
                self._add("EVENT_MISSING_FIELDS", line, f"the event has no `{key}`", RESTORE)
            elif not isinstance(event[key], str):
                self._add("SCHEMA_INVALID", line, f"`{key}` is not a text", RESTORE)
        for key in _OPTIONAL_TEXTS:
            if event.get(key) is not None and not isinstance(event[key], str):
                self._add("SCHEMA_INVALID", line, f"`{key}` is not a text", RESTORE)
        if not isinstance(event.get("schema_version", ""), str):
            self._add("SCHEMA_INVALID", line, "`schema_version` is not a text", RESTORE)
        payload = event.get("payload")
        if payload is None or payload == self._sound_payload.get(action):
            return  # a line without a payload is not passed over
        try:
            msgspec.convert(payload, _STATELESS[action])
        except msgspec.ValidationError as error:
            self._add("SCHEMA_INVALID", line, f"the payload of `{action}` is malformed: {error}", RESTORE)
        else:
            self._sound_payload[action] = payload
            if len(self.findings) == found:
                self._sound_shape[action] = shape

    def _check_id(self, event_id: str, seq: int, line: int, own: bool) -> None:
        number = re.fullmatch(r"EV-([0-9]{8,18})", event_id)
        usual = 0 if number is None else int(number.group(1))
        was_usual = 0 < usual < seq and usual not in self._unusual_seqs and event_id == f"EV-{usual:08d}"
        if event_id in self._unusual_ids or was_usual:
            text = f"event_id {event_id[:40]} was used before"
            self._add("EVENT_ID_DUPLICATE", line, text, "INV-004: ids are unique. " + RESTORE)
        elif own:
            self._add("EVENT_ID_INVALID", line, f"event_id {event_id[:40]} is not EV-{seq:08d}", RESTORE)
        self._unusual_ids.add(event_id)
        self._unusual_seqs.add(seq)

    def _check_time(self, ts: str, last: str, line: int, own: bool) -> None:
        if ts.endswith("Z") == last.endswith("Z"):
            text = f"ts {ts[:40]} is before {last[:40]}, the time of the event before"
            self._add("TIME_GOES_BACK", line, text, "The order is the seq's.", "error" if own else "warning")

    def _add(self, code: str, line: int, message: str, hint: str, severity: Severity = "error") -> None:
        # Room for each kind: a flood of warnings must not hide an error.
        self._counts[severity] = self._counts.get(severity, 0) + 1
        if self._counts[severity] <= FINDINGS_MAX:
            self.findings.append(
                Finding(
                    code=code, severity=severity, effect="corrupted", line=line, where=LOG, message=message, hint=hint
                )
            )


def _short(seq: object) -> str:
    return str(seq)[:40] if not isinstance(seq, int) or abs(seq) < _SEQ_MAX else "of too many digits"


def _usurps(actor: str, action: str, rules: Governance) -> str | None:
    """Why an actor may not have written an action, or None. The answer depends on the two alone."""
    if action not in rules.agent.allowed_actions:
        is_reserved = action in rules.agent.reserved_actions or action == TaskAmended.action_name
        if actor != ORCHESTRATOR and is_reserved:
            return f"{actor} wrote `{action}`, which is the orchestrator's alone"
    elif actor == ORCHESTRATOR:
        return f"the orchestrator wrote `{action}`, which is an agent's act"
    elif actor not in rules.swarm.actors:
        return f"the unregistered actor {actor} wrote `{action}`, which is an agent's act"
    elif actor == MONITOR and action != IssueReported.action_name:
        return f"{MONITOR} wrote `{action}`; its only right is {IssueReported.action_name}"
    return None
