"""What the selected events of one stream come to, and to which section of the report each part of it belongs.

A stream is folded as a whole, whatever the sections are: an error of one phase may be overcome in the next, and a gap
that one agent found be closed by another. Each row then goes to the section of the event that told of it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from esaa.audit.rows import Row
from esaa.audit.section import Section
from esaa.audit.section_rows import (
    Pair,
    agent_rows,
    approval_rows,
    budget_rows,
    check_rows,
    commit_rows,
    failure_rows,
    gap_rows,
    note_rows,
    phase_rows,
    pull_request_rows,
    task_rows,
)
from esaa.trail.event import TrailEvent
from esaa.trail.evolve import evolve
from esaa.trail.facts.base import TrailFact
from esaa.trail.registry import FAMILIES
from esaa.trail.state import OrchestrationState

R = TypeVar("R", bound=Row)

SectionOf = Callable[[str], Section]

_EMPTY = msgspec.Raw(b"{}")
_FOLDED = frozenset(
    fact.__name__
    for family in ("Orchestration", "Git", "Tasks of the governed run", "Approvals", "Budgets")
    for fact in FAMILIES[family]
)
_UNREAD = frozenset((
    "ToolRequested", "ExternalCallStarted", "NotificationSent", "ForeignEventObserved", "CommentPosted",
    "WorklogAdded", "ContextCompacted", "EventReplayed", "ReadModelUpdated", "SnapshotCreated",
))  # fmt: skip


class StreamFold:
    """Keeps, of one stream, the events that the projections read; what they do not read is only counted elsewhere."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._pairs: list[Pair] = []
        self._keys: dict[int, str] = {}

    def take(self, key: str, event: TrailEvent, fact: TrailFact) -> None:
        """One more event, which belongs to the section `key`."""
        name = event.fact.event_type
        if name in _UNREAD or type(fact).__name__ != name:
            return
        self._pairs.append((event if name in _FOLDED else _slim(event), fact))
        self._keys[event.version] = key

    def finish(self, section_of: SectionOf, *, is_issue: bool) -> None:
        """Gives every section its rows. `is_issue` says that a section is the stream's own."""
        if not self._pairs:
            return
        stream, pairs = self._stream, self._pairs
        state = OrchestrationState()
        for event, fact in pairs:
            if event.fact.event_type in _FOLDED:
                evolve(state, event, fact)
        if is_issue:
            _name(section_of(stream), state)
        give = self._give
        errors, rejections = failure_rows(stream, pairs)
        checks, tests = check_rows(stream, pairs)
        give(section_of, phase_rows(stream, pairs), lambda section: section.phases)
        give(section_of, commit_rows(stream, pairs), lambda section: section.commits)
        give(section_of, pull_request_rows(stream, pairs, state), lambda section: section.pull_requests)
        give(section_of, gap_rows(stream, pairs), lambda section: section.gaps)
        give(section_of, errors, lambda section: section.errors)
        give(section_of, rejections, lambda section: section.rejections)
        give(section_of, checks, lambda section: section.checks)
        give(section_of, tests, lambda section: section.tests)
        give(section_of, task_rows(stream, pairs, state), lambda section: section.tasks)
        give(section_of, approval_rows(stream, pairs, state), lambda section: section.approvals)
        give(section_of, budget_rows(stream, pairs, state), lambda section: section.budgets)
        give(section_of, note_rows(stream, pairs), lambda section: section.notes)
        for key, own in self._by_section().items():
            section_of(key).agents += agent_rows(stream, own)

    def _give(self, section_of: SectionOf, rows: Iterable[R], family: Callable[[Section], list[R]]) -> None:
        # What no event of the selection tells of stands with the first one.
        otherwise = self._keys[self._pairs[0][0].version]
        for row in rows:
            family(section_of(self._keys.get(row.sequence, otherwise))).append(row)

    def _by_section(self) -> dict[str, list[Pair]]:
        """What an agent did in a section is counted from the section's own events."""
        found: dict[str, list[Pair]] = {}
        for pair in self._pairs:
            found.setdefault(self._keys[pair[0].version], []).append(pair)
        return found


def _name(section: Section, state: OrchestrationState) -> None:
    if state.status != "not_started":
        section.status = state.status.replace("_", " ")
    if state.assignment is not None:
        section.title = state.assignment.issue_summary


def _slim(event: TrailEvent) -> TrailEvent:
    """The event without its metadata: the fact has what is needed of it."""
    return msgspec.structs.replace(event, fact=msgspec.structs.replace(event.fact, metadata=_EMPTY))
