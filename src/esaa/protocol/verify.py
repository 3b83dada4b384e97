"""The audit of a governed log's meaning: refold it, ask the rules again, return all findings. Never raises.

Bytes and chain are `kernel.line_audit`'s, envelopes `protocol.envelope_audit`'s, and the read models on disk
`protocol.read_model_audit`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.kernel.by_type import ByType
from esaa.kernel.findings import Effect, Finding, Severity
from esaa.kernel.recorded import Recorded
from esaa.protocol.boundaries import WriteBoundary, write_boundary
from esaa.protocol.envelope_audit import FINDINGS_MAX, LOG, RESTORE
from esaa.protocol.evolve import project
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    ForeignRecorded,
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
from esaa.protocol.task_table import Task
from esaa.protocol.transitions import ACTION_OF_STATUS

FREE_TASK_HASHES = 100_000
LINES_FOR_A_TASK_HASH = 16
"""Tasks that the plain command may hash, and for how many lines one more: small logs are checked whole, and in long
ones recomputing old hashes stays cheaper than the rest."""

_Check = Callable[[Any, Recorded[Fact], int], None]

_EXTENSIONS = re.compile(
    r"runner\.metrics|project\.profile\.set|chain\.anchor|actor\.(bootstrap|register|bind_alias)"
    r"|verification\.(configure|run)|plugin\..+|roadmap\..+"
)
_LEGACY = re.compile(r"attempt\.create|orchestrator\.dispatch")


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit gathers beside the state and the findings."""

    hashes: int
    hashes_recomputed: int
    file_digests: dict[str, tuple[str, int]]
    writes_without_effects: int
    tasks_hashed: int


class LogAudit:
    """Feed it the events in order. `rules` None: authority and boundaries are not judged.

    `hash_all` recomputes every historical `verify.ok`; else as many as cost no more than the rest, and always
    `last_verified` (the seq of the log's last `verify.ok`). Events that `is_stateless` names need not be fed.
    """

    def __init__(self, rules: Governance | None, *, hash_all: bool, last_verified: int | None) -> None:
        self.state = State()
        self.findings: list[Finding] = []
        self.hashes = 0
        self.hashes_recomputed = 0
        self.is_chained = False
        self.file_digests: dict[str, tuple[str, int]] = {}
        self.writes_without_effects = 0
        self._rules = rules
        self._hash_all = hash_all
        self._last_verified = last_verified
        self._plain_boundaries: dict[str, WriteBoundary | None] = {}
        self._tasks_hashed = 0
        self._checks: ByType[_Check | None] = ByType(
            {
                TaskClaimed: self._check_act,
                TaskCompleted: self._check_act,
                TaskReviewed: self._check_act,
                TaskCreated: self._check_created,
                TaskAmended: self._check_amend,
                FileWritten: self._check_write,
                VerificationPassed: self._check_hash,
                ForeignRecorded: self._check_foreign,
                object: None,
            }
        )
        self._counts: dict[tuple[Severity, Effect], int] = {}

    def gathered(self) -> Gathered:
        """What was gathered so far, beside the state and the findings."""
        return Gathered(
            hashes=self.hashes,
            hashes_recomputed=self.hashes_recomputed,
            file_digests=self.file_digests,
            writes_without_effects=self.writes_without_effects,
            tasks_hashed=self._tasks_hashed,
        )

    def resume(self, state: State, gathered: Gathered) -> None:
        """Goes on where another audit, which found nothing, ended."""
        self.state = state
        self.hashes = gathered.hashes
        self.hashes_recomputed = gathered.hashes_recomputed
        self.file_digests = dict(gathered.file_digests)
        self.writes_without_effects = gathered.writes_without_effects
        self._tasks_hashed = gathered.tasks_hashed

    def feed(self, recorded: Recorded[Fact], line: int) -> None:
        """One more event."""
        fact = recorded.fact
        check = self._checks[type(fact)]
        if check is not None:
            check(fact, recorded, line)
        project(self.state, recorded)

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
        """Adds a finding, as long as there is room for its kind: a flood of warnings must not hide an error."""
        kind = severity, effect
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] <= FINDINGS_MAX:
            self.findings.append(
                Finding(code=code, severity=severity, effect=effect, line=line, where=where, message=message, hint=hint)
            )

    def _check_hash(self, fact: VerificationPassed, recorded: Recorded[Fact], line: int) -> None:
        self.hashes += 1
        hashed = self._tasks_hashed + len(self.state.tasks)
        is_wanted = self._hash_all or recorded.version == self._last_verified
        if not is_wanted and hashed > FREE_TASK_HASHES + line // LINES_FOR_A_TASK_HASH:
            return
        self._tasks_hashed = hashed
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

    def _check_act(self, fact: TaskClaimed | TaskCompleted | TaskReviewed, recorded: Recorded[Fact], line: int) -> None:
        task = self.state.tasks.get(fact.task_id)
        own = recorded.prev_hash is not None
        severity: Severity = "error" if own else "warning"
        if task is None:
            self.add(
                "TASK_NOT_FOUND",
                line,
                f"`{fact.action_name}` on the unknown task {fact.task_id}",
                RESTORE,
                severity=severity,
            )
        elif task.status == "done":
            text = f"`{fact.action_name}` on {task.task_id}, which is done"
            self.add("IMMUTABLE_DONE_VIOLATION", line, text, "INV-001: done is terminal. " + RESTORE)
        elif ACTION_OF_STATUS.get(task.status) != fact.action_name:
            text = f"`{fact.action_name}` on {task.task_id}, which is {task.status}"
            self.add("INVALID_TRANSITION", line, text, RESTORE, severity=severity)
        elif own and task.assigned_to != recorded.actor and isinstance(fact, TaskCompleted):
            text = f"{recorded.actor} completes {task.task_id}, which belongs to {task.assigned_to}"
            self.add("LOCK_VIOLATION", line, text, RESTORE)

    def _check_write(self, fact: FileWritten, recorded: Recorded[Fact], line: int) -> None:
        effects = fact.effects if isinstance(fact.effects, list) else []
        if not effects:
            self.writes_without_effects += 1
        paths = dict.fromkeys(fact.files)
        for effect in effects:
            if isinstance(effect, dict):
                path, digest = str(effect.get("path")), effect.get("after_sha256")
                paths[path] = None
                if isinstance(digest, str):
                    self.file_digests[path] = (digest, line)
        if self._rules is None:
            return
        task = self.state.tasks.get(fact.task_id)
        boundary = None if task is None else self._boundary_of(task, self._rules)
        for path in paths:
            fault = path_fault(path)
            outside = f"{fault}" if fault else "has no boundary" if boundary is None else boundary.refusal(path)
            if outside is not None:
                text = f"{fact.task_id} wrote `{path}`, which {outside}"
                self.add("BOUNDARY_VIOLATION", line, text, "INV-003. Look at the file and at who wrote the event.")

    def _check_created(self, fact: TaskCreated, recorded: Recorded[Fact], line: int) -> None:
        task = self.state.tasks.get(fact.task_id)
        if task is None:
            return
        text = f"the task {fact.task_id} is created a second time"
        if task.status == "done":
            self.add("IMMUTABLE_DONE_VIOLATION", line, f"{text}, though it is done", "INV-001. " + RESTORE)
        else:
            severity: Severity = "warning" if recorded.prev_hash is None else "error"
            self.add("DUPLICATE_TASK", line, text, RESTORE, severity=severity)

    def _boundary_of(self, task: Task, rules: Governance) -> WriteBoundary | None:
        if task.is_hotfix is not UNSET or task.boundary_grant is not UNSET or task.scope_patch is not UNSET:
            return write_boundary(task, rules.agent)
        if task.task_kind not in self._plain_boundaries:
            self._plain_boundaries[task.task_kind] = write_boundary(task, rules.agent)
        return self._plain_boundaries[task.task_kind]

    def _check_foreign(self, fact: ForeignRecorded, recorded: Recorded[Fact], line: int) -> None:
        version = self.state.header.schema_version or recorded.schema_version
        if (version == "0.4.1" and _EXTENSIONS.fullmatch(fact.name)) or (
            version == "0.3.0" and _LEGACY.fullmatch(fact.name)
        ):
            return
        text = f"the action `{fact.name[:80]}` is not of protocol {version}"
        self.add("UNKNOWN_ACTION", line, text, "It changes no task; ask its writer.", severity="warning")

    def _check_amend(self, fact: TaskAmended, recorded: Recorded[Fact], line: int) -> None:
        task = self.state.tasks.get(fact.task_id)
        version = self.state.header.schema_version
        if version != "0.4.1":
            text = f"task.amend belongs to protocol 0.4.1; this log is {version}"
            self.add("UNKNOWN_ACTION", line, text, "Ask its writer.", severity="warning")
        if task is None or task.status != "todo":
            status = "unknown" if task is None else task.status
            text = f"task.amend on {fact.task_id}, which is {status}; it changes nothing"
            severity: Severity = "warning" if recorded.prev_hash is None else "error"
            self.add("INVALID_TRANSITION", line, text, RESTORE, severity=severity)
