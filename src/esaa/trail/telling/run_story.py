"""The governed run as far as it was told: its session, phases, tasks and open gaps. What the translator folds.

Small on purpose: done tasks and closed gaps are forgotten. It belongs to the narrator, which changes it in place.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from esaa.trail.event import Actor
from esaa.trail.facts.wording import counted
from esaa.trail.views.durations import seconds_between

PHASE_OF_KIND = {"spec": "PLAN", "impl": "CODE", "qa": "TEST"}
"""The phase that tasks of a kind belong to; a hotfix belongs to `FIX` whatever its kind."""
FIX = "FIX"
FIRST_PHASE = "PLAN"
OBJECTIVES = {
    "PLAN": "Specify what is to be made",
    "CODE": "Make what was specified",
    "TEST": "Examine what was made",
    "FIX": "Mend what was done",
}


class Cause(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The event of the log that is told of: its id, the leaf hash of its line, its time, its actor.

    `told` counts the trail events that it has led to.
    """

    event_id: str
    leaf_hash: str
    ts: str
    actor: Actor
    told: int = 0


class ErrorTold(msgspec.Struct, frozen=True, kw_only=True):
    """An error that nothing has overcome yet: the event that told of it, and its time."""

    event_id: str
    ts: str


class TaskStory(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A task that is not done. `spawned_at` is when the agent's present attempt began; None where it is not at work.

    `attempts` counts the refused outputs, `deliveries` the accepted ones. `told_in` is the telling in which its
    creation was told (see `RunStory.telling`).
    """

    kind: str
    phase: str
    title: str = ""
    status: Literal["todo", "in_progress", "review"] = "todo"
    owner: str | None = None
    claimed_at: str | None = None
    spawned_at: str | None = None
    attempts: int = 0
    deliveries: int = 0
    errors: list[ErrorTold] = []
    told_in: int = 0


class OpenGap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An issue that is open: since when, and where."""

    since: str
    phase: str | None = None


class Tally(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is counted of a run, and of each phase. `files` holds paths; its values say nothing."""

    events: int = 0
    spawned: int = 0
    agents: list[str] = []
    failed: list[str] = []
    files: dict[str, None] = {}
    tasks_done: int = 0
    outputs_rejected: int = 0
    gaps_identified: int = 0
    gaps_resolved: int = 0
    errors: int = 0
    recoveries: int = 0

    def text(self) -> str:
        """The counts in words; those that are zero go without saying."""
        parts = [
            counted(self.tasks_done, "task") + " done",
            counted(len(self.files), "file") + " written",
            *(
                counted(number, noun) + end
                for number, noun, end in (
                    (self.outputs_rejected, "output", " refused"),
                    (self.gaps_identified, "gap", " found"),
                    (self.gaps_resolved, "gap", " closed"),
                    (self.errors, "error", ""),
                    (self.recoveries, "error", " overcome"),
                )
                if number
            ),
        ]
        return ", ".join(parts)


class PhaseStory(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A phase that is active. `outputs` are the files by the task that they were written for."""

    started_at: str
    tally: Tally = msgspec.field(default_factory=Tally)
    outputs: dict[str, list[str]] = {}


class Delivery(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an agent delivered; it is told when the files that were written for it are known."""

    cause: Cause
    task_id: str
    agent: str
    checks: tuple[str, ...] = ()
    notes: str | None = None
    issue_id: str | None = None
    fixes: str | None = None
    files: list[str] = []


class RunStory(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Everything that the telling of the next event depends on.

    - `issue_key`: the stream that is told to; None is `global`. `telling` is a number that changes with it: what was
      told before, another stream's readers do not know.
    - `is_open`: True from the start of a run to its end; `paused_at` is the end of a halted one.
    - `opening`, `delivery`: what waits for the next event, which says the rest of it.
    - `open_in_phase`: how many tasks of each phase are not done.
    """

    session_id: str = ""
    run_id: str | None = None
    correlation_id: str | None = None
    issue_key: str | None = None
    telling: int = 0
    is_open: bool = False
    started_at: str = ""
    paused_at: str | None = None
    current_phase: str = FIRST_PHASE
    phases: dict[str, PhaseStory] = {}
    phases_completed: list[str] = []
    tally: Tally = msgspec.field(default_factory=Tally)
    project_name: str | None = None
    last_ts: str = ""
    tasks: dict[str, TaskStory] = {}
    open_in_phase: dict[str, int] = {}
    gaps: dict[str, OpenGap] = {}
    opening: Cause | None = None
    delivery: Delivery | None = None

    def task(self, task_id: str) -> TaskStory:
        """A task that is not done. One that nobody created (another writer's log) begins here."""
        known = self.tasks.get(task_id)
        return self.add_task(task_id, "work", "") if known is None else known

    def add_task(self, task_id: str, kind: str, title: str, *, is_hotfix: bool = False) -> TaskStory:
        """A new task; one of the same id is forgotten."""
        self.forget_task(task_id)
        phase = FIX if is_hotfix else phase_of_kind(kind)
        task = self.tasks[task_id] = TaskStory(kind=kind, phase=phase, title=title, told_in=self.telling)
        self.open_in_phase[phase] = self.open_in_phase.get(phase, 0) + 1
        return task

    def forget_task(self, task_id: str) -> None:
        """The task is done."""
        task = self.tasks.pop(task_id, None)
        if task is not None:
            self._leave(task.phase)

    def change_kind(self, task: TaskStory, kind: str) -> None:
        """The task is of another kind now."""
        self._leave(task.phase)
        task.kind, task.phase = kind, phase_of_kind(kind)
        self.open_in_phase[task.phase] = self.open_in_phase.get(task.phase, 0) + 1

    def tallies(self, phase: str | None) -> list[Tally]:
        """What counts an event of a phase: the run's tally, and the phase's where it is active."""
        active = self.phases.get(phase) if phase is not None else None
        return [self.tally] if active is None else [self.tally, active.tally]

    def next_phase(self) -> str | None:
        """The phase that follows one that is complete: the last one that is active, else that of the next task."""
        if self.phases:
            return next(reversed(self.phases))
        first = next(iter(self.tasks.values()), None)
        return None if first is None else first.phase

    def phase_at_hand(self) -> str | None:
        """The phase of the work that is in hand, else that of the next task; None where there is no task."""
        at_hand = next((task for task in self.tasks.values() if task.status != "todo"), None)
        first = at_hand or next(iter(self.tasks.values()), None)
        return None if first is None else first.phase

    def _leave(self, phase: str) -> None:
        self.open_in_phase[phase] -= 1
        if not self.open_in_phase[phase]:
            del self.open_in_phase[phase]


def phase_of_kind(kind: str) -> str:
    """The phase that tasks of a kind belong to; another writer's kinds name their own."""
    return PHASE_OF_KIND.get(kind) or kind.upper() or FIRST_PHASE


def lasted(since: str | None, until: str) -> float:
    """The seconds from one time to another; 0 where the first is not known. Whole numbers stay whole."""
    seconds = seconds_between(since, until) or 0
    return int(seconds) if seconds == int(seconds) else seconds
