"""Recording with blocks: entering one records that something started, leaving it that it completed or failed.

Every event inside a block is linked to it by itself: the correlation id is the outermost block's session, the
causation id the event that opened the innermost block. Threads and asyncio tasks each have their own blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol

import msgspec


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What events inside a block get that name none of their own."""

    owner: int
    correlation_id: str | None
    causation_id: str | None
    issue_key: str | None
    session_id: str | None
    agent: Mapping[str, Any] | None = None


_FRAMES: ContextVar[tuple[Frame, ...]] = ContextVar("esaa_trail_frames", default=())


def current_frame(owner: int) -> Frame | None:
    """The innermost open block of a recorder, or None."""
    frames = _FRAMES.get()
    return next((frame for frame in reversed(frames) if frame.owner == owner), None) if frames else None


class Records(Protocol):
    """What a block needs of a recorder."""

    def record(
        self,
        event_type: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        actor: Mapping[str, Any] | None = None,
        issue_key: str | None = None,
        session_id: str | None = None,
    ) -> str:
        """Records one event and returns its id."""
        ...


class Scope:
    """One open block. `metadata` fills the fields of the event that closes it; `fail` closes it as failed."""

    def __init__(
        self,
        recorder: Records,
        now: Callable[[], datetime],
        *,
        opens: tuple[str, Mapping[str, Any]],
        closes: str,
        fails: str,
        closing: Mapping[str, Any],
        issue_key: str | None = None,
        session_id: str | None = None,
        agent: Mapping[str, Any] | None = None,
        timed: bool = True,
        failing: Mapping[str, Any] | None = None,
    ) -> None:
        self._recorder = recorder
        self._now = now
        self._opens, self._closes, self._fails = opens, closes, fails
        self._failing = dict(closing) if failing is None else dict(failing)
        self._issue_key = issue_key
        self._session_id = session_id
        self._agent = agent
        self._timed = timed
        self._failure: str | None = None
        self._token: Any = None  # ContextVar.reset takes what set gave, of a type that is generic only in stubs
        self.metadata: dict[str, Any] = dict(closing)
        self.event_id = ""

    def fail(self, reason: str, **details: Any) -> None:
        """The block will close as failed for this reason, with more fields of the failing event where given."""
        self._failure = reason
        self._failing |= details

    def output(self, path: str) -> None:
        """A file that the agent of this block created."""
        self.metadata.setdefault("outputs_created", []).append(path)

    def __enter__(self) -> Scope:
        """Records the opening event."""
        outer = current_frame(id(self._recorder))
        event_type, metadata = self._opens
        self._started = self._now()
        self.event_id = self._recorder.record(
            event_type, metadata, issue_key=self._issue_key, session_id=self._session_id, actor=self._agent
        )
        session = self._session_id or (outer.session_id if outer else None)
        frame = Frame(
            owner=id(self._recorder),
            correlation_id=(outer.correlation_id if outer else None) or session or self.event_id,
            causation_id=self.event_id,
            issue_key=self._issue_key or (outer.issue_key if outer else None),
            session_id=session,
            agent=self._agent or (outer.agent if outer else None),
        )
        self._token = _FRAMES.set((*_FRAMES.get(), frame))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Records the closing event: failed where the block raised or `fail` was called. Exceptions pass through."""
        try:
            if error is not None and self._failure is None:
                self._failure = type(error).__name__
                self._failing.setdefault("error_message", str(error)[:2000])
            if self._failure is None:
                if self._timed:
                    self.metadata.setdefault("duration_seconds", self._elapsed())
                self._recorder.record(self._closes, self.metadata)
            else:
                self._recorder.record(self._fails, self._failing | self._reason(self._failure))
        finally:
            _FRAMES.reset(self._token)

    def _reason(self, failure: str) -> dict[str, Any]:
        if self._fails == "SessionEnded":
            return {"outcome": "failed", "end_reason": failure, "duration_seconds": self._elapsed()}
        if self._fails == "PhaseFailed":
            message = self._failing.pop("error_message", None)
            return {"failure_reason": failure} | ({"error_details": {"message": message}} if message else {})
        return {"failure_reason": failure}

    def _elapsed(self) -> float:
        return round((self._now() - self._started).total_seconds(), 3)


class Scopes:
    """The blocks of a recorder: a mixin of `TrailRecorder`."""

    record: Callable[..., str]
    _now: Callable[[], datetime]
    _new_id: Callable[[], str]

    def orchestration(
        self, issue_key: str, issue_summary: str = "", *, initial_phase: str = "EXPLORE", **metadata: Any
    ) -> Scope:
        """An orchestration of an issue, in a session of its own: OrchestrationStarted, then Completed or Failed."""
        summary = {"issue_summary": issue_summary} if issue_summary else {}
        return Scope(
            self,
            self._now,
            opens=(
                "OrchestrationStarted",
                {"issue_key": issue_key, "initial_phase": initial_phase, **summary, **metadata},
            ),
            closes="OrchestrationCompleted",
            fails="OrchestrationFailed",
            closing={"issue_key": issue_key, "final_state": "success"},
            failing={"issue_key": issue_key},
            issue_key=issue_key,
            session_id=self._new_id(),
        )

    def session(self, issue_key: str | None = None, **metadata: Any) -> Scope:
        """A session of work: SessionStarted, then SessionEnded with its outcome."""
        return Scope(
            self,
            self._now,
            opens=("SessionStarted", metadata),
            closes="SessionEnded",
            fails="SessionEnded",
            closing={"outcome": "completed"},
            failing={},
            issue_key=issue_key,
            session_id=self._new_id(),
        )

    def phase(self, phase: str, **metadata: Any) -> Scope:
        """A phase: PhaseStarted, then PhaseCompleted or PhaseFailed."""
        return Scope(
            self,
            self._now,
            opens=("PhaseStarted", {"phase": phase, **metadata}),
            closes="PhaseCompleted",
            fails="PhaseFailed",
            closing={"phase": phase},
        )

    def agent(self, agent_name: str, assigned_task: str = "", *, model: str | None = None, **metadata: Any) -> Scope:
        """An agent at work: AgentSpawned, then AgentCompleted or AgentFailed. Inside, it is the actor."""
        task = {"assigned_task": assigned_task} if assigned_task else {}
        model_field = {"agent_model": model} if model else {}
        actor = {"type": "agent", "id": agent_name} | ({"model": model} if model else {})
        return Scope(
            self,
            self._now,
            opens=("AgentSpawned", {"agent_name": agent_name, **task, **model_field, **metadata}),
            closes="AgentCompleted",
            fails="AgentFailed",
            closing={"agent_name": agent_name, "outputs_created": [], "task_status": "success"},
            failing={"agent_name": agent_name},
            agent=actor,
        )
