"""Which recorded events a replay acts out again, and why not the others. Nothing here acts, and nothing is read.

To *replay* is to act again (DESIGN 12.15): a handler gets the event once more. To fold events again is to rebuild.
What the outside is like (handlers, earlier replays, the state before, git) comes in as a `Situation`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from esaa.history.replay_results import Recorded, recorded_results
from esaa.trail.event import TrailEvent
from esaa.trail.evolve import evolve
from esaa.trail.facts.base import TrailFact, agent_of, phase_of
from esaa.trail.facts.replays import EventReplayed, ReplayCompleted, ReplayStarted
from esaa.trail.facts.restore_points import CheckpointRestored
from esaa.trail.facts.wording import short
from esaa.trail.state import OrchestrationState, copy_state
from esaa.trail.types import EventTypes, Untyped

Pair = tuple[TrailEvent, TrailFact]
"""An event of a stream with its typed fact."""

MARKERS = (ReplayStarted, EventReplayed, ReplayCompleted)
"""What replays record about themselves; never a part of a replay."""

SkipReason = Literal[
    "filtered", "non_replayable_event_type", "precondition_failed", "no_handler", "already_replayed", "stopped"
]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The events that are asked for: a range of sequences, both ends included, and what they are about.

    An empty tuple selects every type, agent or phase.
    """

    from_sequence: int = 0
    to_sequence: int | None = None
    types: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()

    def holds(self, sequence: int) -> bool:
        """True for a sequence inside the range."""
        return self.from_sequence <= sequence and (self.to_sequence is None or sequence <= self.to_sequence)


class StartPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The restore point that a replay starts from: its event, and the commit that belongs to it."""

    checkpoint_id: str
    sequence: int
    git_sha: str | None = None


class GitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The working tree: its commit (None where there is none), and how many tracked files differ from it."""

    sha: str | None
    files_changed: int = 0


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan depends on beyond the events.

    - `handlers`: the name of the handler of each event type that has one.
    - `state`: the state before the first event of the range; None where it cannot be had, and `state_fault` says why.
    - `chain_fault`: where the stream is not the one that was chained; empty where it is.
    - `succeeded`: the replay in which an event was handed to a handler with success, by event id and handler.
    - `excluded`: the ids of the events that the caller's own filter refuses.
    - `earlier_ids`: those causes of selected events that were found before the range.
    - `start`, `git`: of a replay from a restore point.
    """

    handlers: Mapping[str, str]
    state: OrchestrationState | None
    state_fault: str = ""
    chain_fault: str = ""
    succeeded: Mapping[tuple[str, str], str] = {}
    excluded: Collection[str] = frozenset()
    earlier_ids: Collection[str] = frozenset()
    start: StartPoint | None = None
    git: GitFacts | None = None


class ReplayStep(msgspec.Struct, frozen=True, kw_only=True):
    """One selected event: handed to `handler`, or passed over because of `skip`.

    - `recorded`: the event that told at that time how it ended, such as TestRunCompleted, where there is one.
    - `warnings`: what a reader should know before it is done again.
    """

    event: TrailEvent
    fact: TrailFact
    handler: str | None = None
    skip: SkipReason | None = None
    detail: str = ""
    recorded: Recorded | None = None
    warnings: tuple[str, ...] = ()

    @property
    def acts(self) -> bool:
        """True where a handler gets the event."""
        return self.skip is None

    @property
    def reason(self) -> str:
        """Why it is passed over, in the words of the specification; empty where it is not."""
        if self.skip == "precondition_failed":
            return f"precondition_failed: {self.detail}"
        return self.skip or ""


class ReplayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One step for each event of the range. With any of `faults` nothing acts: a precondition of the whole fails."""

    selection: Selection
    steps: tuple[ReplayStep, ...]
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def acting(self) -> tuple[ReplayStep, ...]:
        """The steps that a handler gets, in the order of their events."""
        return tuple(step for step in self.steps if step.acts)


def link_fault(event: TrailEvent, previous_hash: str | None) -> str:
    """What is wrong with the link of an event to the line before it, whose leaf hash is given; empty where nothing."""
    if previous_hash is None or event.prev_hash == previous_hash:
        return ""
    return f"event #{event.version} is not chained to the event before it: the stream was changed"


def plan_replay(pairs: Sequence[Pair], selection: Selection, types: EventTypes, situation: Situation) -> ReplayPlan:
    """The plan of a replay.

    `pairs` are the events from the first of the range to the end of the stream: what comes after the range tells how
    its events ended. What replays recorded about themselves is no part of a replay.
    """
    results = recorded_results(pairs)
    faults = _faults(pairs, situation)
    state = OrchestrationState() if situation.state is None else copy_state(situation.state)
    steps: list[ReplayStep] = []
    for event, fact in pairs:
        if selection.to_sequence is not None and event.version > selection.to_sequence:
            break
        evolve(state, event, fact)
        if not selection.holds(event.version) or isinstance(fact, MARKERS):
            continue
        name = event.fact.event_type
        handler = situation.handlers.get(name)
        skip, detail = _judged(event, fact, selection, types, situation, state, faults)
        steps.append(
            ReplayStep(
                event=event,
                fact=fact,
                handler=handler if skip in (None, "already_replayed") else None,
                skip=skip,
                detail=detail,
                recorded=results.get(event.event_id),
            )
        )
    warnings = _start_warnings(pairs, steps, situation) + _unmatched(steps, selection)
    return ReplayPlan(
        selection=selection,
        steps=tuple(_with_causes(steps, types, situation)),
        faults=tuple(faults),
        warnings=tuple(warnings),
    )


def _judged(
    event: TrailEvent,
    fact: TrailFact,
    selection: Selection,
    types: EventTypes,
    situation: Situation,
    state: OrchestrationState,
    faults: list[str],
) -> tuple[SkipReason | None, str]:
    """Whether an event is passed over, and why. `state` is the one after the event."""
    name = event.fact.event_type
    outside = _outside(event, fact, selection, situation, state)
    if outside:
        return "filtered", outside
    if not types.is_repeatable(name):
        return "non_replayable_event_type", "" if types.knows(name) else f"{name[:80]} is no known event type"
    if faults:
        return "precondition_failed", faults[0]
    wrong = _metadata_fault(event, fact, types)
    if wrong:
        return "precondition_failed", wrong
    handler = situation.handlers.get(name)
    if handler is None:
        return "no_handler", f"nothing is known that does a {name} again; --handlers names a program"
    before = situation.succeeded.get((event.event_id, handler))
    if before is not None:
        return "already_replayed", f"{handler} did it in {before}; --again does it again"
    return None, ""


def _outside(
    event: TrailEvent, fact: TrailFact, selection: Selection, situation: Situation, state: OrchestrationState
) -> str:
    """What keeps an event of the range out of the selection."""
    if selection.types and event.fact.event_type not in selection.types:
        return "another type"
    if selection.agents and not _agents(event, fact) & set(selection.agents):
        return "another agent"
    # Most types name no phase: such an event belongs to the one that the work was in.
    if selection.phases and (phase_of(fact) or state.current_phase) not in selection.phases:
        return "another phase"
    return "the caller's filter" if event.event_id in situation.excluded else ""


def _agents(event: TrailEvent, fact: TrailFact) -> set[str]:
    """The agent that an event is about, and the one that recorded it."""
    named = agent_of(fact)
    actor = event.fact.actor
    return ({named} if named else set()) | ({actor.id} if actor.type == "agent" else set())


def _metadata_fault(event: TrailEvent, fact: TrailFact, types: EventTypes) -> str:
    """A handler trusts the fields of a type; recorded in lenient mode, or by another version, they may not be there."""
    if not isinstance(fact, Untyped):
        return ""
    found = types.faults(event.fact.event_type, event.fact.metadata)
    if found:
        return f"{found[0].path}: {found[0].message}"
    custom = {one.name for one in types.custom()}
    if event.fact.event_type in custom:
        return ""
    return f"version {event.schema_version} of {event.fact.event_type} cannot be read"


def _faults(pairs: Sequence[Pair], situation: Situation) -> list[str]:
    """The preconditions of the whole that fail."""
    faults = [situation.chain_fault] if situation.chain_fault else []
    for (one, _), (following, _) in pairwise(pairs):
        if following.version != one.version + 1:
            faults.append(f"event #{following.version} follows #{one.version}: events are missing")
            break
    if situation.state is None:
        faults.append(f"the state before the first event cannot be reconstructed: {situation.state_fault}")
    start = situation.start
    if start is not None and pairs and pairs[0][0].version <= start.sequence:
        faults.append(f"event #{pairs[0][0].version} came before the restore point {start.checkpoint_id}")
    return faults + _git_faults(situation)


def _git_faults(situation: Situation) -> list[str]:
    start, git = situation.start, situation.git
    if start is None or start.git_sha is None or git is None:
        return []
    wanted = short(start.git_sha)
    if git.sha is None:
        return [f"the restore point belongs to commit {wanted}, and there is no git repository here"]
    if git.sha.startswith(start.git_sha):
        return []
    return [
        f"the restore point belongs to commit {wanted}, and the working tree is at {short(git.sha)}; "
        f"`esaa restore-point restore {start.checkpoint_id} --git` goes back"
    ]


def _start_warnings(pairs: Sequence[Pair], steps: list[ReplayStep], situation: Situation) -> list[str]:
    """What is odd about a replay from a restore point that nobody went back to, or on changed files."""
    start, git = situation.start, situation.git
    if start is None:
        return []
    warnings: list[str] = []
    last = max((step.event.version for step in steps if step.acts), default=0)
    if not any(
        event.version > last and isinstance(fact, CheckpointRestored) and fact.checkpoint_id == start.checkpoint_id
        for event, fact in pairs
    ):
        warnings.append(
            f"nobody went back to {start.checkpoint_id} after these events; "
            f"`esaa restore-point restore {start.checkpoint_id}` does"
        )
    if git is not None and git.files_changed:
        warnings.append(f"the working tree differs from its commit in {git.files_changed} files")
    return warnings


def _unmatched(steps: list[ReplayStep], selection: Selection) -> list[str]:
    """A filter that selects nothing is a typing error, most likely."""
    if not steps or any(step.skip != "filtered" for step in steps):
        return []
    kinds = (("type", selection.types), ("agent", selection.agents), ("phase", selection.phases))
    asked = ", ".join(f"{kind} {' or '.join(names)}" for kind, names in kinds if names)
    return [f"no event from #{steps[0].event.version} to #{steps[-1].event.version} fits {asked or 'the filter'}"]


def _with_causes(steps: list[ReplayStep], types: EventTypes, situation: Situation) -> list[ReplayStep]:
    """The steps, with a warning where the cause of an event is not there, or left out of the replay."""
    by_id = {step.event.event_id: step for step in steps}
    checked: list[ReplayStep] = []
    for step in steps:
        warning = _cause_warning(step, by_id, types, situation) if step.acts else ""
        checked.append(msgspec.structs.replace(step, warnings=(warning,)) if warning else step)
    return checked


def _cause_warning(step: ReplayStep, by_id: Mapping[str, ReplayStep], types: EventTypes, situation: Situation) -> str:
    cause_id = step.event.causation_id
    # An event that tells of the governed run follows from an event of that run's own log.
    if cause_id is None or cause_id in situation.earlier_ids or step.event.fact.source is not None:
        return ""
    cause = by_id.get(cause_id)
    if cause is None:
        return f"its cause {cause_id[:40]} is not in the stream before it"
    name = cause.event.fact.event_type
    if cause.event.version > step.event.version:
        return f"its cause #{cause.event.version} {name} comes after it"
    if cause.skip == "filtered" and types.is_repeatable(name) and name in situation.handlers:
        return f"its cause #{cause.event.version} {name} is left out of this replay"
    return ""
