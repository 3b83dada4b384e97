"""The audit of envelopes, which needs no state: seq, ids, times, and who may write which action.

Runs beside `kernel.line_audit`, on the same parsed lines; the meaning of the facts is `protocol.verify`'s.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from esaa.contracts.governance import Governance
from esaa.contracts.swarm import MONITOR, ORCHESTRATOR
from esaa.kernel.findings import Finding, Severity
from esaa.protocol.facts import IssueReported, VerificationStarted, ViewMutated

LOG = "activity.jsonl"
FINDINGS_MAX = 1000
RESTORE = "Restore the log from a copy that verifies; never edit it."

_STATELESS: dict[str, type[msgspec.Struct]] = {
    ViewMutated.action_name: ViewMutated,
    VerificationStarted.action_name: VerificationStarted,
}


class EnvelopeAudit:
    """Feed it every parsed line. `rules` None: authority is not judged."""

    def __init__(self, rules: Governance | None) -> None:
        self.findings: list[Finding] = []
        self._expected = 1
        self._last_ts = ""
        self._unusual_ids: set[str] = set()
        self._sound_payload: dict[str, object] = {}
        self._rules = rules
        self._authority: dict[tuple[str, str], str | None] = {}

    def skip(self) -> None:
        """A line that is no JSON object takes one seq."""
        self._expected += 1

    def feed(self, event: dict[str, Any], line: int) -> None:
        """One more line. Missing and malformed keys are the decoder's findings, not this audit's."""
        seq, ts = event.get("event_seq"), event.get("ts")
        own = "prev_hash" in event
        if seq != self._expected:
            text = f"event_seq {str(seq)[:40]} stands where {self._expected} belongs"
            self._add("EVENT_SEQ_INVALID", line, text, "INV-004: seq has no gaps. " + RESTORE)
        if type(seq) is not int:
            seq = self._expected
        self._expected = seq + 1
        event_id = event.get("event_id")
        if event_id != f"EV-{seq:08d}" and isinstance(event_id, str):
            self._check_id(event_id, seq, line, own)
        if isinstance(ts, str):
            if ts < self._last_ts:
                self._check_time(ts, line, own)
            self._last_ts = ts
        action, actor = event.get("action"), event.get("actor")
        if not (isinstance(action, str) and isinstance(actor, str)):
            return
        if self._rules is not None:
            who = (actor, action)
            if who not in self._authority:
                self._authority[who] = _usurps(actor, action, self._rules)
            usurped = self._authority[who]
            if usurped is not None:
                hint = "Ask who wrote to the log past the orchestrator."
                self._add("AUTHORITY_VIOLATION", line, usurped, hint)
        if action in _STATELESS and event.get("payload") != self._sound_payload.get(action):
            self._check_payload(action, event.get("payload"), line)

    def _check_payload(self, action: str, payload: object, line: int) -> None:
        # The audit of meaning passes over these actions, so their payload is looked at here.
        try:
            msgspec.convert(payload, _STATELESS[action])
        except msgspec.ValidationError as error:
            self._add("SCHEMA_INVALID", line, f"the payload of `{action}` is malformed: {error}", RESTORE)
        else:
            self._sound_payload[action] = payload

    def _check_id(self, event_id: str, seq: int, line: int, own: bool) -> None:
        number = re.fullmatch(r"EV-(\d{8,18})", event_id)
        if event_id in self._unusual_ids or (number and int(number.group(1)) < seq):
            text = f"event_id {event_id[:40]} was used before"
            self._add("EVENT_ID_DUPLICATE", line, text, "INV-004: ids are unique. " + RESTORE)
        elif own:
            self._add("EVENT_ID_INVALID", line, f"event_id {event_id[:40]} is not EV-{seq:08d}", RESTORE)
        self._unusual_ids.add(event_id)

    def _check_time(self, ts: str, line: int, own: bool) -> None:
        if ts.endswith("Z") == self._last_ts.endswith("Z"):
            text = f"ts {ts[:40]} is before {self._last_ts[:40]}, the time of the event before"
            self._add("TIME_GOES_BACK", line, text, "The order is the seq's.", "error" if own else "warning")

    def _add(self, code: str, line: int, message: str, hint: str, severity: Severity = "error") -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(
                Finding(
                    code=code, severity=severity, effect="corrupted", line=line, where=LOG, message=message, hint=hint
                )
            )


def _usurps(actor: str, action: str, rules: Governance) -> str | None:
    """Why an actor may not have written an action, or None. The answer depends on the two alone."""
    if action not in rules.agent.allowed_actions:
        if actor != ORCHESTRATOR and action in rules.agent.reserved_actions:
            return f"{actor} wrote `{action}`, which is the orchestrator's alone"
    elif actor == ORCHESTRATOR:
        return f"the orchestrator wrote `{action}`, which is an agent's act"
    elif actor not in rules.swarm.actors:
        return f"the unregistered actor {actor} wrote `{action}`, which is an agent's act"
    elif actor == MONITOR and action != IssueReported.action_name:
        return f"{MONITOR} wrote `{action}`; its only right is {IssueReported.action_name}"
    return None
