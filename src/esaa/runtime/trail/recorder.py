"""Recording: from what a witness sends to events in the trail, durable when the call returns.

With `performance.async_writes` a call returns at once and the events are durable within `async_window_ms`; what was
recorded in that window is lost in a crash. `flush` waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from esaa.errors import ContractError
from esaa.kernel.recorded import Draft
from esaa.runtime.git_state import GitState, git_state
from esaa.runtime.privacy.withholding import Withholding
from esaa.runtime.trail.scopes import Scopes, current_frame
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.runtime.trail.write_behind import WriteBehind
from esaa.stores.recovery import TailRepair
from esaa.stores.trail_catalogue import Catalogue
from esaa.stores.trail_types import publish_schemas
from esaa.trail.event import GLOBAL, Actor, GateFinding, TrailEvent, Witnessed
from esaa.trail.facts.records import LogRepaired
from esaa.trail.facts.wording import counted
from esaa.trail.intake import Prepared, Proposal, is_issue_key, is_uuid, prepare, refused, trail_time
from esaa.trail.wire import raw_metadata

if TYPE_CHECKING:
    from esaa.runtime.trust.trail_checkpoints import TrailCheckpoints

OPENING = frozenset({"OrchestrationStarted", "SessionStarted"})
"""The types that may bring a session of their own."""
_LIFTED = frozenset({"issue_key", "correlation_id", "causation_id"})
_GIT_KEPT_S = 0.2
"""A commit that was made so short a time ago may not be named yet."""
RECORDER = Actor(type="system", id="esaa")

Warn = Callable[[str], None]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch: the events in the order of the proposals, the ids that were there before, and notices
    (repairs, what the gates of a lenient store found)."""

    events: tuple[TrailEvent, ...]
    repeated: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()


class TrailRecorder(Scopes):
    """Records on behalf of an actor. Safe to use from several threads, and beside other processes.

    `actor`, `issue_key` and `session_id` are what an event gets that names none of its own.
    """

    def __init__(
        self,
        trail: Trail,
        *,
        actor: Actor | Mapping[str, Any] | None = None,
        issue_key: str | None = None,
        session_id: str | None = None,
        is_async: bool | None = None,
    ) -> None:
        self.trail = trail
        self.actor = actor
        self.issue_key = issue_key
        self.session_id = session_id
        self.states = TrailStates(trail)
        self.catalogue = Catalogue(trail.store)
        self._withholding = Withholding(trail)
        self._now = trail.clock.now
        self._new_id = trail.new_id
        self._sessions: dict[str, str] = {}
        self._git: GitState | None = None
        self._git_until = 0.0
        self._lock = threading.RLock()
        self._is_described = False
        behind = trail.settings.performance.async_writes if is_async is None else is_async
        window_s = trail.settings.performance.async_window_ms / 1000
        self._checkpoints: TrailCheckpoints | None = None
        self._behind = WriteBehind(self.append, window_s) if behind else None

    def record(
        self,
        event_type: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        actor: Actor | Mapping[str, Any] | None = None,
        issue_key: str | None = None,
        session_id: str | None = None,
        event_id: str | None = None,
        timestamp: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        codebase_state: str | None = None,
        erasable: Sequence[str] = (),
        subject: str | None = None,
    ) -> str:
        """Records one event and returns its id. The same id with the same content again changes nothing.

        `erasable` names fields whose values lie beside the trail, where `esaa erase` can destroy them; `subject` is
        whom they are about, by a pseudonym.
        Raises `EventRefused` where the quality gates of a strict store refuse it, `CommandConflict` where the id is
        taken by another event, and what the store raises.
        """
        proposal = Proposal(
            event_type=event_type,
            metadata={} if metadata is None else metadata,
            actor=actor,
            issue_key=issue_key,
            session_id=session_id,
            event_id=event_id,
            timestamp=timestamp,
            correlation_id=correlation_id,
            causation_id=causation_id,
            codebase_state=codebase_state,
            erasable=tuple(erasable),
            subject=subject,
        )
        with self._lock:
            prepared = self._prepared(proposal, self._now())
        if self._behind is not None:
            self._behind.put(prepared)
        else:
            self.append([prepared])
        return str(prepared.draft.event_id)

    def log_event(self, event_type: str, metadata: Mapping[str, Any], actor: Actor | Mapping[str, Any]) -> str:
        """Records one event as the specification's workflow 1 writes it; the same as `record`."""
        return self.record(event_type, metadata, actor=actor)

    def record_many(self, proposals: Sequence[Proposal]) -> Receipt:
        """Records a batch durably: one write and one sync for each stream. All are examined before any is written."""
        now = self._now()
        with self._lock:
            return self.append([self._prepared(proposal, now) for proposal in proposals])

    def append(self, batch: Sequence[Prepared]) -> Receipt:
        """Records durably what was examined before. Only ids that a witness gave are looked for first."""
        with self._lock:
            return self._append_locked(batch)

    def examine(self, proposal: Proposal) -> Prepared:
        """What would be recorded, without recording it. Raises as `record`."""
        with self._lock:
            return self._prepared(proposal, self._now())

    def checkpoints(self) -> TrailCheckpoints | None:
        """What signs the streams; None where they have no name to be signed under. Loaded when it is needed."""
        if self._checkpoints is None and self.trail.open_checkpoints is not None:
            # A name that is none is for the verification to report: recording goes on.
            with suppress(ContractError):
                self._checkpoints = self.trail.open_checkpoints()
        return self._checkpoints

    def flush(self) -> None:
        """Waits until everything is durable, and brings the catalogue up to date. Raises what failed meanwhile."""
        if self._behind is not None:
            self._behind.flush()
        with self._lock:
            self.catalogue.flush()

    def close(self) -> None:
        """Flushes and ends the background writer."""
        try:
            self.flush()
        finally:
            if self._behind is not None:
                self._behind.close()

    def __enter__(self) -> TrailRecorder:
        """The recorder; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def _prepared(self, proposal: Proposal, now: datetime) -> Prepared:
        validation = self.trail.settings.validation
        if isinstance(proposal.metadata, dict) and not _LIFTED.isdisjoint(proposal.metadata):
            self._lift(proposal, proposal.metadata)
        self._fill_in(proposal)
        prepared = prepare(proposal, self.trail.types, now, self._new_id(), validate=validation.validate_on_write)
        prepared = self._withholding.withheld(proposal, prepared)
        unknown: tuple[GateFinding, ...] = ()
        if prepared.draft.fact.session_id != self.session_id:
            unknown = self._unknown_session(proposal.event_type, prepared.draft.fact)
        if prepared.findings or unknown:
            findings = prepared.findings + unknown
            if validation.strict_mode:
                raise refused(proposal.event_type, findings)
            fact = msgspec.structs.replace(prepared.draft.fact, findings=findings)
            if not is_uuid(fact.session_id):
                fact = msgspec.structs.replace(fact, session_id=self._session_of(fact.issue_key or GLOBAL))
            draft = msgspec.structs.replace(prepared.draft, fact=fact)
            return msgspec.structs.replace(prepared, draft=draft, findings=findings, fact=None)
        return prepared

    def _lift(self, proposal: Proposal, metadata: Mapping[str, Any]) -> None:
        """Takes out of the metadata what belongs to the envelope, as the specification's workflow 1 sends it."""
        own = self.trail.types.fields_of(proposal.event_type)
        for name in _LIFTED:
            if name in metadata:
                if getattr(proposal, name) is None:
                    setattr(proposal, name, metadata[name])
                if name not in own and getattr(proposal, name) == metadata[name]:
                    proposal.metadata = {key: value for key, value in proposal.metadata.items() if key != name}

    def _fill_in(self, proposal: Proposal) -> None:
        """What the witness leaves out: the links to the open block, actor, issue, session, commit and branch."""
        frame = current_frame(id(self))
        if frame is not None:
            proposal.issue_key = proposal.issue_key or frame.issue_key
            proposal.session_id = proposal.session_id or frame.session_id
            proposal.correlation_id = proposal.correlation_id or frame.correlation_id
            proposal.causation_id = proposal.causation_id or frame.causation_id
            proposal.actor = proposal.actor or frame.agent
        if proposal.actor is None:
            proposal.actor = self.actor
        if proposal.issue_key is None and proposal.stream != GLOBAL:
            proposal.issue_key = self.issue_key
        if proposal.session_id is None:
            proposal.session_id = self.session_id or self._session_for(proposal)
        if proposal.git_sha is None and proposal.branch is None:
            git = self._git or self._git_state()
            proposal.git_sha, proposal.branch = git.sha, git.branch

    def _session_for(self, proposal: Proposal) -> str:
        stream: object = proposal.stream or proposal.issue_key
        if not isinstance(stream, str) or not is_issue_key(stream):
            stream = GLOBAL  # what is no key must not become a path; the gates name it
        if proposal.event_type in OPENING:
            self._sessions[stream] = self._new_id()
        return self._session_of(stream)

    def _session_of(self, stream: str) -> str:
        """The session that an event without one belongs to: the stream's last one, or a new one."""
        known = self._sessions.get(stream)
        if known is None:
            known = self.states.last_session(stream) or self.trail.new_id()
            self._sessions[stream] = known
        return known

    def _unknown_session(self, event_type: str, seen: Witnessed) -> tuple[GateFinding, ...]:
        """A session that nobody has begun: a typing error, most likely."""
        session_id, stream = seen.session_id, seen.issue_key or GLOBAL
        if session_id == self._sessions.get(stream):
            return ()
        if event_type in OPENING or not is_uuid(session_id):
            self._sessions.setdefault(stream, session_id)
            return ()
        if self.trail.store.stream(stream).mentions(f'"session_id":"{session_id}"'):
            return ()
        return (
            GateFinding(
                gate=6,
                code="SESSION_UNKNOWN",
                path="session_id",
                message=f"{stream} has no session {session_id}",
                hint="Record SessionStarted or OrchestrationStarted with it first, or leave it out.",
            ),
        )

    def _git_state(self) -> GitState:
        self._git, self._git_until = git_state(self.trail.root), time.monotonic() + _GIT_KEPT_S
        return self._git

    def _append_locked(self, batch: Sequence[Prepared]) -> Receipt:
        if not self._is_described:
            publish_schemas(self.trail.store.base, self.trail.store.disk, self.trail.types)
            self._is_described = True
        streams: dict[str, list[Prepared]] = {}
        for prepared in batch:
            streams.setdefault(prepared.draft.fact.issue_key or GLOBAL, []).append(prepared)
        events: dict[str, TrailEvent] = {}
        repeated: frozenset[str] = frozenset()
        notices: list[str] = []
        fresh: Sequence[TrailEvent] = ()
        for stream, group in streams.items():
            given = [str(one.draft.event_id) for one in group if one.is_id_given]
            withheld = [one for one in group if one.contents]
            if withheld:
                self._keep(stream, withheld)
            appended = self.trail.store.stream(stream).append([one.draft for one in group], given_ids=given)
            notices += [self._record_repair(stream, repair) for repair in appended.repairs]
            fresh = appended.events
            facts = [one.fact for one in group]
            for one in withheld:
                if one.draft.event_id in appended.repeated:
                    self._withholding.forget(one)
            if given:
                events |= {event.event_id: event for event in appended.events}
                repeated |= appended.repeated
                fresh = [one for one in appended.events if one.event_id not in appended.repeated]
                facts = []
            elif len(streams) > 1:
                events |= {event.event_id: event for event in appended.events}
            self.catalogue.note(stream, fresh)
            self.states.follow(stream, fresh, facts)
            notices += [
                f"{one.draft.fact.event_type}: {found.path}: {found.message}"
                for one in group
                if one.findings
                for found in one.findings
            ]
        if time.monotonic() >= self._git_until:
            self._git = None
        checkpoints = self.checkpoints()
        if checkpoints is not None:
            for stream in streams:
                notices += checkpoints.grown(stream, self.trail.store.stream(stream).known_tip().head.version)
        ordered = tuple(events[str(one.draft.event_id)] for one in batch) if events else tuple(fresh)
        return Receipt(events=ordered, repeated=repeated, notices=tuple(notices))

    def _keep(self, stream: str, withheld: Sequence[Prepared]) -> None:
        """Stores the erasable values of drafts before they are appended."""
        known = self.trail.store.stream(stream).find([str(one.draft.event_id) for one in withheld if one.is_id_given])
        for one in withheld:
            found = known.get(str(one.draft.event_id))
            if found is None or not self._withholding.is_repeat(one, found.event):
                self._withholding.keep(one)

    def mend(self, stream: str) -> list[str]:
        """Mends what a crash left at the end of a stream before it is read, and records that; returns notices."""
        with self._lock:
            return [self._record_repair(stream, one) for one in self.trail.store.stream(stream).mend()]

    def _record_repair(self, stream: str, repair: TailRepair) -> str:
        """A repair of the store is an event too."""
        fact = LogRepaired(
            target=stream,
            change="torn tail moved to quarantine",
            removed_bytes=repair.removed_bytes,
            removed_sha256=repair.sha256,
            quarantine=repair.quarantine,
        )
        draft: Draft[Witnessed] = Draft(
            actor=RECORDER.id,
            event_id=self.trail.new_id(),
            ts=trail_time(self.trail.clock.now()),
            fact=Witnessed(
                event_type="LogRepaired",
                metadata=raw_metadata(fact),
                issue_key=None if stream == GLOBAL else stream,
                session_id=self._session_of(stream),
                actor=RECORDER,
            ),
        )
        self.trail.store.stream(stream).append([draft])
        return f"{stream}: a torn line ({counted(repair.removed_bytes, 'byte')}) was moved to {repair.quarantine}"
