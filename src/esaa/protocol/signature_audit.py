"""The audit of recorded signatures: did the key that an act names really sign that act, once, and is it the actor's?"""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec

from esaa.contracts.governance import Governance
from esaa.kernel.checkpoint import ED25519, CheckpointInvalid, parse_vkey
from esaa.kernel.recorded import Recorded
from esaa.protocol.envelope_audit import RESTORE
from esaa.protocol.facts import Fact, IssueReported, TaskClaimed, TaskCompleted, TaskReviewed
from esaa.protocol.identity import Turn, signing_message
from esaa.protocol.verify import LogAudit

Verify = Callable[[bytes, bytes, bytes], bool]

_ACTS = TaskClaimed | TaskCompleted | TaskReviewed | IssueReported


class RecordedSignature(msgspec.Struct, frozen=True, kw_only=True):
    """What an accepted act keeps of its signature."""

    ask: str
    attempt: int
    key: str
    result_sha256: str
    value: str
    workspace: str


class SignatureAudit:
    """Feed it every event; what it finds goes into `audit`. `rules` None: whose key it is, is not judged."""

    def __init__(self, audit: LogAudit, rules: Governance | None, verify: Verify) -> None:
        self._audit = audit
        self._rules = rules
        self._verify = verify
        self._seen: dict[str, int] = {}

    def feed(self, recorded: Recorded[Fact], line: int) -> None:
        """One more event."""
        fact = recorded.fact
        if not isinstance(fact, _ACTS) or fact.signature is msgspec.UNSET:
            return
        try:
            signature = msgspec.convert(fact.signature, RecordedSignature)
            key = parse_vkey(signature.key)
            value = base64.b64decode(signature.value, validate=True)
        except (msgspec.ValidationError, CheckpointInvalid, ValueError) as error:
            self._audit.add("SIGNATURE_INVALID", line, f"the act's signature is malformed: {error}", RESTORE)
            return
        message = signing_message(
            workspace=signature.workspace,
            actor=recorded.actor,
            task_id=fact.task_id,
            action=fact.action_name,
            turn=Turn(signature.ask, signature.attempt),
            result_sha256=signature.result_sha256,
        )
        if key.algorithm != ED25519 or not self._verify(key.public, message, value):
            text = f"the key that the act names did not sign it for {recorded.actor} and {fact.task_id}"
            self._audit.add("SIGNATURE_INVALID", line, text, RESTORE)
            return
        before = self._seen.setdefault(signature.value, line)
        if before != line:
            text = f"the signature stood at line {before} already; one signature is good for one act"
            self._audit.add("SIGNATURE_REPEATED", line, text, RESTORE)
        actor = None if self._rules is None else self._rules.swarm.actors.get(recorded.actor)
        if actor is not None and actor.key is not None and actor.key != signature.key:
            text = f"{recorded.actor} signed with another key than the one that agents_swarm.yaml registers today"
            hint = "Look into the history of agents_swarm.yaml: was that key the actor's at the time?"
            self._audit.add("SIGNATURE_KEY_CHANGED", line, text, hint, severity="warning")
