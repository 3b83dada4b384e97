"""The audit of a governed log's meaning: refold it, ask the rules again, return all findings. Never raises.

Bytes and chain are `kernel.line_audit`'s; read models on disk are `protocol.read_model_audit`'s.
"""

from __future__ import annotations

import re

from esaa.contracts.governance import Governance
from esaa.contracts.swarm import MONITOR, ORCHESTRATOR
from esaa.kernel.findings import Effect, Finding, Severity
from esaa.kernel.recorded import Recorded
from esaa.protocol.boundaries import write_boundary
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    ForeignRecorded,
    IssueReported,
    TaskAmended,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
    VerificationPassed,
)
from esaa.protocol.paths import path_fault
from esaa.protocol.roadmap import projection_hash
from esaa.protocol.state import State
from esaa.protocol.transitions import ACTION_OF_STATUS
from esaa.protocol.wire import action_of

LOG = "activity.jsonl"
FINDINGS_MAX = 1000
FREE_TASK_HASHES = 2_000_000
"""Hashed tasks that the plain command may spend beyond one per event: small logs are checked whole."""

_EXTENSIONS = re.compile(
    r"runner\.metrics|project\.profile\.set|chain\.anchor|actor\.(bootstrap|register|bind_alias)"
    r"|verification\.(configure|run)|plugin\..+|roadmap\..+"
)
_LEGACY = re.compile(r"attempt\.create|orchestrator\.dispatch")
_RESTORE = "Restore the log from a copy that verifies; never edit it."


class LogAudit:
    """Feed it the events in order. `rules` None: authority and boundaries are not judged.

    `hash_all` recomputes every historical `verify.ok`; else as many as cost no more than the rest, and always
    `last_verified` (the seq of the log's last `verify.ok`).
    """

    def __init__(self, rules: Governance | None, *, hash_all: bool, last_verified: int | None) -> None:
        self.state = State()
        self.findings: list[Finding] = []
        self.events = 0
        self.hashes = 0
        self.hashes_recomputed = 0
        self.is_chained = False
        self.file_digests: dict[str, tuple[str, int]] = {}
        self.writes_without_effects = 0
        self._rules = rules
        self._hash_all = hash_all
        self._last_verified = last_verified
        self._credit = FREE_TASK_HASHES
        self._expected = 1
        self._unusual_ids: set[str] = set()

    def feed(self, recorded: Recorded[Fact], line: int) -> None:
        """One more event."""
        self.events += 1
        self._credit += 4
        own = recorded.prev_hash is not None
        if own:
            self.is_chained = True
        version = recorded.version
        if version != self._expected:
            text = f"event_seq {version} stands where {self._expected} belongs"
            self.add("EVENT_SEQ_INVALID", line, text, "INV-004: seq has no gaps. " + _RESTORE)
        self._expected = version + 1
        if recorded.event_id != f"EV-{version:08d}":
            self._check_id(recorded, line)
        if recorded.ts < self.state.header.last_ts:
            self._check_time(recorded, line, own)
        self._check_fact(recorded, line, own)
        evolve(self.state, recorded)

    def skip(self) -> None:
        """A line that could not be read as an event takes one seq."""
        self._expected += 1

    def add(
        self,
        code: str,
        line: int | None,
        message: str,
        hint: str,
        *,
        severity: Severity = "error",
        effect: Effect = "corrupted",
        where: str = LOG,
    ) -> None:
        """Adds a finding, as long as there is room."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(
                Finding(
                    code=code, severity=severity, effect=effect, line=line, where=where, message=message, hint=hint
                )
            )

    def _check_id(self, recorded: Recorded[Fact], line: int) -> None:
        number = re.fullmatch(r"EV-(\d{8,})", recorded.event_id)
        is_used = recorded.event_id in self._unusual_ids or (number and int(number.group(1)) < recorded.version)
        if is_used:
            text = f"event_id {recorded.event_id} was used before"
            self.add("EVENT_ID_DUPLICATE", line, text, "INV-004: ids are unique. " + _RESTORE)
        elif recorded.prev_hash is not None:
            text = f"event_id {recorded.event_id} is not EV-{recorded.version:08d}"
            self.add("EVENT_ID_INVALID", line, text, _RESTORE)
        self._unusual_ids.add(recorded.event_id)

    def _check_time(self, recorded: Recorded[Fact], line: int, own: bool) -> None:
        last = self.state.header.last_ts
        if recorded.ts.endswith("Z") == last.endswith("Z"):
            text = f"ts {recorded.ts} is before {last}, the time of the event before"
            self.add("TIME_GOES_BACK", line, text, "The order is the seq's.", severity="error" if own else "warning")

    def _check_fact(self, recorded: Recorded[Fact], line: int, own: bool) -> None:
        fact = recorded.fact
        if isinstance(fact, VerificationPassed):
            self._check_hash(recorded.version, fact, line)
        elif isinstance(fact, TaskClaimed | TaskCompleted | TaskReviewed):
            self._check_act(fact, recorded.actor, line, own)
        elif isinstance(fact, FileWritten):
            self._check_write(fact, line)
        elif isinstance(fact, TaskCreated) and fact.task_id in self.state.tasks:
            text = f"the task {fact.task_id} is created a second time"
            self.add("DUPLICATE_TASK", line, text, _RESTORE, severity="error" if own else "warning")
        elif isinstance(fact, ForeignRecorded):
            self._check_foreign(fact, line)
        elif isinstance(fact, TaskAmended):
            self._check_amend(fact, line, own)
        if self._rules is not None:
            self._check_authority(recorded, line, self._rules)

    def _check_hash(self, version: int, fact: VerificationPassed, line: int) -> None:
        self.hashes += 1
        cost = len(self.state.tasks)
        if not (self._hash_all or version == self._last_verified or self._credit >= cost):
            return
        self._credit = max(self._credit - cost, 0)
        self.hashes_recomputed += 1
        computed = projection_hash(self.state)
        if computed != fact.projection_hash_sha256:
            self.add(
                "VERIFY_NOT_OK",
                line,
                f"verify.ok says {fact.projection_hash_sha256[:16]}..., but the events before it give"
                f" {computed[:16]}...",
                "The log stands; this entry of it is false. Ask who wrote it.",
                severity="warning",
                effect="mismatch",
            )

    def _check_act(self, fact: TaskClaimed | TaskCompleted | TaskReviewed, actor: str, line: int, own: bool) -> None:
        task = self.state.tasks.get(fact.task_id)
        severity: Severity = "error" if own else "warning"
        if task is None:
            self.add("TASK_NOT_FOUND", line, f"`{fact.action_name}` on the unknown task {fact.task_id}", _RESTORE,
                     severity=severity)
        elif task.status == "done":
            text = f"`{fact.action_name}` on {task.task_id}, which is done"
            self.add("IMMUTABLE_DONE_VIOLATION", line, text, "INV-001: done is terminal. " + _RESTORE)
        elif ACTION_OF_STATUS.get(task.status) != fact.action_name:
            text = f"`{fact.action_name}` on {task.task_id}, which is {task.status}"
            self.add("INVALID_TRANSITION", line, text, _RESTORE, severity=severity)
        elif isinstance(fact, TaskCompleted) and own and task.assigned_to != actor:
            text = f"{actor} completes {task.task_id}, which belongs to {task.assigned_to}"
            self.add("LOCK_VIOLATION", line, text, _RESTORE)

    def _check_write(self, fact: FileWritten, line: int) -> None:
        effects = fact.effects if isinstance(fact.effects, list) else []
        if not effects:
            self.writes_without_effects += 1
        for effect in effects:
            if isinstance(effect, dict) and isinstance(effect.get("after_sha256"), str):
                self.file_digests[str(effect.get("path"))] = (effect["after_sha256"], line)
        if self._rules is None:
            return
        task = self.state.tasks.get(fact.task_id)
        boundary = None if task is None else write_boundary(task, self._rules.agent)
        paths = dict.fromkeys([*fact.files, *(str(one.get("path")) for one in effects if isinstance(one, dict))])
        for path in paths:
            fault = path_fault(path)
            outside = f"{fault}" if fault else "has no boundary" if boundary is None else boundary.refusal(path)
            if outside is not None:
                text = f"{fact.task_id} wrote `{path}`, which {outside}"
                self.add("BOUNDARY_VIOLATION", line, text, "INV-003. Look at the file and at who wrote the event.")

    def _check_foreign(self, fact: ForeignRecorded, line: int) -> None:
        version = self.state.header.schema_version
        if (version == "0.4.1" and _EXTENSIONS.fullmatch(fact.name)) or (
            version == "0.3.0" and _LEGACY.fullmatch(fact.name)
        ):
            return
        text = f"the action `{fact.name[:80]}` is not of protocol {version or '0.4.0'}"
        self.add("UNKNOWN_ACTION", line, text, "It changes no task; ask its writer.", severity="warning")

    def _check_amend(self, fact: TaskAmended, line: int, own: bool) -> None:
        task = self.state.tasks.get(fact.task_id)
        if task is None or task.status != "todo":
            status = "unknown" if task is None else task.status
            text = f"task.amend on {fact.task_id}, which is {status}; it changes nothing"
            self.add("INVALID_TRANSITION", line, text, _RESTORE, severity="error" if own else "warning")

    def _check_authority(self, recorded: Recorded[Fact], line: int, rules: Governance) -> None:
        action, actor = action_of(recorded.fact), recorded.actor
        if action not in rules.agent.allowed_actions:
            if actor != ORCHESTRATOR and action in rules.agent.reserved_actions:
                text = f"{actor} wrote `{action}`, which is the orchestrator's alone"
                self.add("AUTHORITY_VIOLATION", line, text, "Ask who wrote to the log past the orchestrator.")
            return
        if actor == ORCHESTRATOR or actor not in rules.swarm.actors:
            whose = "the orchestrator" if actor == ORCHESTRATOR else f"the unregistered actor {actor}"
            text = f"{whose} wrote `{action}`, which is an agent's act"
            self.add("AUTHORITY_VIOLATION", line, text, "Ask who wrote to the log past the orchestrator.")
        elif actor == MONITOR and not isinstance(recorded.fact, IssueReported):
            text = f"{MONITOR} wrote `{action}`; its only right is issue.report"
            self.add("AUTHORITY_VIOLATION", line, text, "Ask who wrote to the log past the orchestrator.")
