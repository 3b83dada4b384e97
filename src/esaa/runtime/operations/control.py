"""Pause, resume and stop: recorded in the trail first, then said to the run that is at work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from esaa.errors import Halted, NotFound, StoreError, StoreLocked, UsageError
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.runtime.workspace import Workspace
from esaa.stores.control import GO_ON, Control, ControlFile, Wish
from esaa.stores.lock import writer_lock
from esaa.trail.event import GLOBAL, Actor
from esaa.trail.intake import parse_time, trail_time
from esaa.trail.state_values import Pause

REASONS: dict[Wish, str] = {"pause": "paused_by_person", "stop": "stopped_by_person", "kill": "killed_by_person"}
_WISHES: dict[str, Wish] = {reason: wish for wish, reason in REASONS.items()}
_TEXT_MAX = 500

RUN_LOCK = "run.lock"


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an order: what is wished now, whether it was so before, and whether a run is at work."""

    wish: Wish
    was: Wish
    is_running: bool
    stream: str
    event_id: str | None


def order(
    workspace: Workspace, trail: Trail, wish: Wish, *, by: str, reason: str = "", dry_run: bool = False
) -> Ordered:
    """Pauses, stops or lets go on. What is in force already is not recorded again.

    A pause and a stop hold until `run` is ordered, also for runs that begin later. Raises `UsageError` for a name or
    reason that is none, and what the trail and the store raise.
    """
    if not by.strip() or len(by) > _TEXT_MAX or len(reason) > _TEXT_MAX:
        raise UsageError("NAME_INVALID", "The name is empty, or name or reason are too long.", "Use --as NAME.")
    file = ControlFile(workspace.roadmap, workspace.disk)
    before = in_force(workspace, trail, file)
    stream = stream_of_run(workspace)
    running = is_running(workspace)
    if dry_run or (before.wish == wish and file.read() is not None):
        return Ordered(wish=wish, was=before.wish, is_running=running, stream=stream, event_id=None)
    now = trail.clock.now()
    control = Control(wish=wish, by=by, reason=reason, at=trail_time(now))
    event_id = None
    if before.wish != wish:
        event_id = _record(trail, stream, before, control, now)
    file.write(control)
    return Ordered(wish=wish, was=before.wish, is_running=running, stream=stream, event_id=event_id)


def in_force(workspace: Workspace, trail: Trail, file: ControlFile) -> Control:
    """What is wished now: the file's word, else what the trail has last said."""
    said = file.read()
    if said is not None:
        return said
    pause = _pause_of(trail, stream_of_run(workspace))
    wish = None if pause is None else _WISHES.get(pause.reason)
    if pause is None or wish is None:
        return GO_ON
    return Control(wish=wish, reason=pause.blocking_issue or "", at=pause.since)


def refuse_if_stopped(control: Control) -> None:
    """Raises `Halted` where a person has paused or stopped the runs of this workspace."""
    if control.wish == "run":
        return
    verb = "paused" if control.wish == "pause" else "stopped"
    raise Halted("RUN_STOPPED", f"Runs are {verb}{tail_of(control)}.", "Let them go on with `esaa resume`.")


def tail_of(control: Control) -> str:
    """By whom, since when and why, as the end of a sentence."""
    by = f" by {control.by}" if control.by else ""
    since = f" since {control.at}" if control.at else ""
    return by + since + (f": {control.reason}" if control.reason else "")


def stream_of_run(workspace: Workspace) -> str:
    """The stream of the trail in which the run of a workspace is told."""
    return workspace.state().header.run.issue_key or GLOBAL


def is_running(workspace: Workspace) -> bool:
    """True while an `esaa run` is at work on this workspace."""
    path = workspace.roadmap / ".esaa" / RUN_LOCK
    if not path.exists():
        return False
    try:
        with writer_lock(path, timeout_s=0):
            return False
    except StoreLocked:
        return True


def _record(trail: Trail, stream: str, before: Control, control: Control, now: datetime) -> str:
    issue_key = None if stream == GLOBAL else stream
    if control.wish == "run":
        event_type = "OrchestrationResumed"
        since = parse_time(before.at)
        metadata: dict[str, Any] = {"issue_key": issue_key, "resumed_at": control.at}
        if since is not None:
            metadata |= {"paused_at": before.at, "pause_duration_seconds": max((now - since).total_seconds(), 0.0)}
    else:
        event_type = "OrchestrationPaused"
        metadata = {
            "issue_key": issue_key,
            "pause_reason": REASONS[control.wish],
            "can_resume": True,
            "resume_conditions": ["esaa resume"],
        }
        if control.reason:
            metadata["blocking_issue"] = control.reason
    actor = Actor(type="user", id=control.by)
    with TrailRecorder(trail, actor=actor, issue_key=issue_key, is_async=False) as recorder:
        return recorder.record(event_type, metadata, issue_key=issue_key)


def _pause_of(trail: Trail, stream: str) -> Pause | None:
    try:
        return TrailStates(trail).reconstruct(stream).state.pause
    except (NotFound, StoreError, OSError):
        return None  # a trail that cannot be read stops no run by itself; the feed complains of it
