"""One governed workspace, and the one road on which commands become history.

`commit` is that road: lock, repair, refold the tail, decide, store contents, append, publish, project, verify.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.effects.files import Publisher
from esaa.effects.from_facts import file_effects
from esaa.errors import AgentError, CommandConflict, CorruptLog, StoreError, UsageError
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.commitment import SALT_BYTES
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Recorded
from esaa.protocol.cadence import verification_due
from esaa.protocol.commands import AnyCommand, RecordTimeout, RecordVerification, Submit
from esaa.protocol.erasable import withheld
from esaa.protocol.facts import Fact, OutputRejected, ViewMutated
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.rejections import reject
from esaa.protocol.roadmap import projection_hash, roadmap_json, schema_version
from esaa.protocol.settle import Settlement, settle
from esaa.protocol.state import State
from esaa.protocol.wire import LEGACY, ProtocolVocabulary
from esaa.runtime.clock import Clock, log_time
from esaa.runtime.folded_log import FoldedLog
from esaa.runtime.identity import with_identity
from esaa.runtime.merging import is_merged, with_files
from esaa.runtime.privacy.redacting import guarded, refuse_secret_id, without_secrets
from esaa.runtime.recovery import recover
from esaa.runtime.refused_outputs import refused_digests, with_refused_output
from esaa.runtime.unknown_actors import UnknownActorFile
from esaa.stores.answers import AnswerStore
from esaa.stores.archive import Quarantine
from esaa.stores.base import Batch
from esaa.stores.blobs import BlobStore
from esaa.stores.contract_cache import ContractCache
from esaa.stores.disk import Disk
from esaa.stores.erasables import ErasableStore
from esaa.stores.locate import events_from
from esaa.stores.lock import writer_lock
from esaa.stores.refused import RefusedStore
from esaa.stores.views import Views

if TYPE_CHECKING:
    from esaa.agents.sandbox.enclosure import Enclosure
    from esaa.runtime.trust.log_checkpoints import LogCheckpoints

Subscriber = Callable[[], Sequence[str]]
"""Follows the log with a cursor of its own; returns notices, such as why it could not follow. It raises nothing."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a command led to: the events, and the refusal where it was refused.

    `warnings` are about the output, `notices` about the workspace (repairs). `is_repeat` is True where the same
    command had been given before under the same id; then nothing was done again.
    """

    events: tuple[Recorded[Fact], ...]
    rejected: Rejected | None = None
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    is_repeat: bool = False
    is_dry_run: bool = False


class Workspace:
    """A folder with `.roadmap/`. Reading needs no lock and writes nothing; every write goes through `commit`."""

    def __init__(
        self,
        root: Path,
        rules: Governance,
        log: FoldedLog,
        disk: Disk,
        clock: Clock,
        *,
        lock_timeout_s: float,
        contracts: ContractCache | None = None,
        secret: bytes | None = None,
    ) -> None:
        self.root = root
        self.roadmap = root / ".roadmap"
        self.rules = rules
        self.log = log
        self.clock = clock
        self.disk = disk
        self.blobs = BlobStore(self.roadmap / "blobs", disk)
        self.refused = RefusedStore(self.roadmap / "blobs", disk)
        self.erasables = ErasableStore(self.roadmap, disk)
        self.publisher = Publisher(root, self.roadmap / ".esaa" / "staging", self.blobs, disk)
        self.views = Views(self.roadmap, disk)
        self.answers = AnswerStore(self.roadmap / ".esaa" / "answers", secret, disk)
        self.quarantine = Quarantine(self.roadmap / "snapshots", disk, rules.runtime.snapshots.max)
        self.subscribers: list[Subscriber] = []
        self.open_checkpoints: Callable[[], LogCheckpoints] | None = None
        self._checkpoints: LogCheckpoints | None = None
        self.enclosure_of: Callable[[str], Enclosure] = _no_enclosure
        self._unknown_actors = UnknownActorFile(
            self.roadmap / ".esaa" / "unknown-actors.jsonl", disk, rules.runtime.unknown_actors.details_max
        )
        self._contracts = contracts
        self._lock_timeout_s = lock_timeout_s
        self._is_writing = False

    def state(self) -> State:
        """The state at the head of the log. Raises `CorruptLog` and `TornTail`."""
        return self.log.state()

    def now(self) -> str:
        """The log's time: the clock's, but never before the last event's."""
        known = self.log.known()
        return log_time(self.clock.now(), "" if known is None else known.header.last_ts)

    def events(self, first: int = 1) -> Iterator[Recorded[Fact]]:
        """The recorded events from a seq on."""
        return (recorded for _, recorded in events_from(self.log.store.path, first, ProtocolVocabulary()))

    def commit(self, command: AnyCommand, command_id: str | None = None, *, dry_run: bool = False) -> Receipt:
        """Decides and does; a refusal is a value. What is durable then, the subscribers are told of.

        Raises `StoreLocked`, `CorruptLog`, `StoreError` and `CommandConflict`.
        """
        if command_id is not None:
            refuse_secret_id(command_id)
        stamped_id = None if command_id is None else f"{command_id}#{_fingerprint(command)}"
        if dry_run:
            # As a reader: without the lock, and without mending what a crash left.
            self._refuse_legacy()
            repeat = self._repeated(command, command_id, stamped_id, self.state())
            if isinstance(command, Submit) and self.rules.agent.executable_checks.commands and repeat is None:
                from esaa.runtime.check_runs import checked_now

                command = checked_now(self, command)
            return repeat or _dry(self._settled(command, self.now()))
        if isinstance(command, Submit) and self.rules.agent.executable_checks.commands:
            return self._told(self._commit_checked(command, command_id, stamped_id))
        with self.writing() as repairs:
            receipt = self._committed(command, command_id, stamped_id, repairs)
        return self._told(receipt)

    def rehearse(self, command: Submit) -> Settlement:
        """What a submission would lead to if the commands that its checks name ended well. Nothing is recorded."""
        return self._settled(msgspec.structs.replace(command, is_rehearsal=True), self.now())

    def verify_now(self) -> Receipt:
        """Compares the read models with the projection and records the outcome (step 9 of the cycle)."""
        with self.writing() as notices:
            self.state()
            events = self._verify()
            receipt = Receipt(events=events, notices=(*notices, *self._signed(events)))
        return self._told(receipt)

    @contextmanager
    def writing(self, *, accept_shorter: bool = False) -> Generator[list[str], None, None]:
        """Holds the writer's lock; on the way in mends what a crash left. Yields the notices of what was mended."""
        if self._is_writing:
            yield []
            return
        with writer_lock(self.roadmap / ".esaa" / "lock", timeout_s=self._lock_timeout_s):
            self._is_writing = True
            try:
                self.views.forget()
                try:
                    notices = recover(self, accept_shorter=accept_shorter)
                except CorruptLog as error:
                    raise self._copied_aside(error) from error
                self._refuse_legacy()
                yield notices
            finally:
                self._is_writing = False

    def record(self, settlement: Settlement, now: str, command_id: str | None = None) -> tuple[Recorded[Fact], ...]:
        """Stores the contents, then appends the batch. From here the decision is history."""
        if not settlement.drafts:
            return ()
        drafts, beside = withheld(settlement.drafts, self.rules.storage.erasable, _salt)
        refused = refused_digests(drafts)
        for digest, content in settlement.contents.items():
            if digest in refused:
                self.refused.put(content, self.rules.storage.refused_outputs_bytes_max)
            else:
                self.blobs.put(content)
        for commitment, content in beside.items():
            self.erasables.put(commitment, content)
        return self.log.append(drafts, Batch(ts=now, command_id=command_id))

    def record_command(self, command: AnyCommand) -> tuple[Recorded[Fact], ...]:
        """Settles and records a command of the orchestrator's own, without effects. The lock is held."""
        now = self.now()
        return self.record(without_secrets(settle(command, self.state(), self.rules, now)), now)

    def read_models(self) -> dict[str, bytes]:
        """The three read models of the state, byte for byte."""
        state = self.state()
        return {
            "roadmap.json": roadmap_json(state),
            "issues.json": issues_json(state),
            "lessons.json": lessons_json(state),
        }

    def checkpoints(self) -> LogCheckpoints | None:
        """What signs this log; None where it has no name to be signed under. Loaded when it is needed."""
        if self._checkpoints is None and self.open_checkpoints is not None:
            self._checkpoints = self.open_checkpoints()
        return self._checkpoints

    def project(self) -> list[str]:
        """Writes the read models; returns the names of those that were different. The lock is held."""
        views = self.read_models()
        changed = [name for name, data in views.items() if self.views.on_disk(name) != data]
        self.views.publish({name: views[name] for name in changed}, self.state().seq, self.log.store.head())
        return changed

    def _committed(
        self, command: AnyCommand, command_id: str | None, stamped_id: str | None, repairs: Sequence[str]
    ) -> Receipt:
        notices = list(repairs)
        state = self.state()
        repeat = self._repeated(command, command_id, stamped_id, state)
        if repeat is not None:
            return repeat
        now = self.now()
        settlement = self._settled(command, now)
        if isinstance(command, Submit) and command.actor not in self.rules.swarm.actors:
            settlement = self._unknown_actors.note(command, settlement, now)
        events = self.record(settlement, now, stamped_id)
        if events:
            notices += self.publisher.publish(file_effects(events))
            self.project()
            if settlement.rejected is None and (is_merged(events) or verification_due(state, self.rules)):
                events += self._verify()
            notices += self._signed(events)
            self.log.keep_snapshot()
            if self._contracts is not None:
                self._contracts.keep()
        return Receipt(
            events=events, rejected=settlement.rejected, warnings=settlement.warnings, notices=tuple(notices)
        )

    def _signed(self, events: Sequence[Recorded[Fact]]) -> tuple[str, ...]:
        """Makes a checkpoint where one is due; returns what there is to say of it."""
        checkpoints = self.checkpoints()
        return () if checkpoints is None else checkpoints.after(events)

    def _told(self, receipt: Receipt) -> Receipt:
        """Lets the subscribers follow. Where the lock is still held, that is left to who holds it, or to the next one:
        a subscriber must never make another writer wait."""
        if self._is_writing:
            return receipt
        notices = [notice for follow in self.subscribers for notice in follow()]
        return msgspec.structs.replace(receipt, notices=(*receipt.notices, *notices)) if notices else receipt

    def _verify(self) -> tuple[Recorded[Fact], ...]:
        state = self.state()
        found = self.views.on_disk("roadmap.json")
        agrees = found == roadmap_json(state)
        events = self.record_command(
            RecordVerification(
                expected_sha256=projection_hash(state),
                message=None if agrees else f"roadmap.json differs from the projection at event {state.seq}",
                found_sha256=None if agrees or found is None else sha256_hex(found),
            )
        )
        self.project()
        return events

    def _copied_aside(self, error: CorruptLog) -> CorruptLog:
        """RUNTIME_POLICY `on_corrupted: halt_and_snapshot`: the damaged log is copied, never touched."""
        try:
            data = self.log.store.path.read_bytes()
            copy = self.quarantine.keep("damaged-log", data, log_time(self.clock.now(), ""))
            hint = f"{error.hint} Nothing was written; a copy lies in .roadmap/snapshots/{copy.name}."
        except (StoreError, OSError) as failure:
            # That the log is damaged is the news; that it could not be copied too comes second.
            hint = f"{error.hint} Nothing was written, and no copy could be made: {failure}"
        return CorruptLog(error.code, error.message, hint, error.line)

    def _refuse_legacy(self) -> None:
        if schema_version(self.state()) == LEGACY:
            raise UsageError(
                "LOG_READ_ONLY",
                f"The log {self.log.store.path} is of protocol {LEGACY}, which esaa reads but does not write.",
                "Begin a new workspace with `esaa init` and keep this one for reference.",
            )

    def _commit_checked(self, command: Submit, command_id: str | None, stamped_id: str | None) -> Receipt:
        """As `_committed`, after the commands were run that its checks name: without the lock, for that takes long."""
        from esaa.runtime.check_runs import checked_now, is_outdated  # here: most projects have no commands

        with self.writing() as mended:
            is_new = self._repeated(command, command_id, stamped_id, self.state()) is None
        while True:
            checked = checked_now(self, command) if is_new else command
            with self.writing() as repairs:
                if not is_outdated(self, checked):
                    return self._committed(checked, command_id, stamped_id, [*mended, *repairs])
            command = msgspec.structs.replace(command, check_runs=None)

    def _settled(self, command: AnyCommand, now: str) -> Settlement:
        if isinstance(command, Submit):
            found = with_files(command, self.root, self.rules, self.blobs, self.events)
            command = with_identity(found, self.roadmap, self.rules)

        def settled(asked: AnyCommand) -> Settlement:
            return settle(asked, self.state(), self.rules, now)

        return with_refused_output(command, guarded(command, settled(command), settled), self.rules)

    def _repeated(
        self, command: AnyCommand, command_id: str | None, stamped_id: str | None, state: State
    ) -> Receipt | None:
        if command_id is None or stamped_id is None:
            return None
        known = state.header.receipts.get(stamped_id)
        if known is not None:
            count = known.last_seq - known.first_seq + 1
            events = tuple(one for one, _ in zip(self.events(known.first_seq), range(count), strict=False))
            rejected = _rejected_by(events) if isinstance(command, Submit | RecordTimeout) else None
            return Receipt(events=events, rejected=rejected, warnings=_warnings_in(events), is_repeat=True)
        if any(other.startswith(f"{command_id}#") for other in state.header.receipts):
            raise CommandConflict(
                "COMMAND_ID_CONFLICT",
                f"The command id {command_id} was used before for another command.",
                "Choose a new id, or repeat the very same command.",
            )
        return None


def _no_enclosure(name: str) -> Enclosure:
    raise AgentError(
        "SANDBOX_UNAVAILABLE", f"This workspace was opened without a sandbox for {name}.", "Open it with esaa.open."
    )


def _salt() -> bytes:
    return os.urandom(SALT_BYTES)


def _rejected_by(events: Sequence[Recorded[Fact]]) -> Rejected | None:
    """The refusal that the events of a command record, or None."""
    for event in events:
        fact = event.fact
        if isinstance(fact, OutputRejected):
            hint = "" if fact.hint is UNSET else fact.hint
            return reject(fact.error_code, fact.message, hint, counts=fact.counts is True)
    return None


def _warnings_in(events: Sequence[Recorded[Fact]]) -> tuple[str, ...]:
    for event in events:
        if isinstance(event.fact, ViewMutated) and event.fact.warnings is not UNSET:
            return event.fact.warnings
    return ()


def _dry(settlement: Settlement) -> Receipt:
    events = tuple(
        Recorded[Fact](version=0, event_id="", ts="", actor=draft.actor, fact=draft.fact, schema_version="")
        for draft in settlement.drafts
    )
    return Receipt(events=events, rejected=settlement.rejected, warnings=settlement.warnings, is_dry_run=True)


def _fingerprint(command: AnyCommand) -> str:
    if isinstance(command, Submit):
        return sha256_hex(f"{command.actor}\n{command.result.result_sha256}".encode())[:16]
    return sha256_hex(type(command).__name__.encode() + msgspec.json.encode(command))[:16]
