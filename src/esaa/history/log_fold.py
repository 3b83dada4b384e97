"""Folding the governed log with an ear for what changes: which parts of the document each event touched.

The state need not be whole. What an event names is fetched from a *ground* first, where it is not held, so that a log
of any length is folded in little memory, and folded on from any place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import UNSET

from esaa.history.log_document import FileOfTask, named_lessons, run_part, verification_part
from esaa.kernel.by_type import ByType
from esaa.kernel.canonical import compact
from esaa.kernel.recorded import Recorded
from esaa.protocol.evolve import evolve
from esaa.protocol.fact_base import FactBase
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    HotfixCreated,
    IssueReported,
    IssueResolved,
    OutputRejected,
    TaskAmended,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
    ViewMutated,
)
from esaa.protocol.issues import issue_view
from esaa.protocol.state import Header, Issue, State, Work
from esaa.protocol.task_table import Task

_Named = tuple[tuple[str, ...], tuple[str, ...]]
"""The tasks and the issues that an event can change, each once."""


class PartChange(NamedTuple):
    """A part that an event changed. `before` and `after` are None where it was not there, or is not any more.

    They are a `Task`, a `Work`, a `FileOfTask`, or plain JSON.
    """

    member: str
    name: str
    before: Any
    after: Any


class Ground(Protocol):
    """Where that lies which a fold does not hold. Each answers None for what is not there."""

    def task(self, task_id: str) -> Task | None:
        """A task."""
        ...

    def work(self, task_id: str) -> Work | None:
        """The work in progress on a task."""
        ...

    def issue(self, issue_id: str) -> Issue | None:
        """An issue."""
        ...

    def file(self, path: str) -> FileOfTask | None:
        """A file."""
        ...


class LogFold:
    """A state that is folded on, event by event. Without a ground it is whole."""

    def __init__(self, header: Header | None = None, ground: Ground | None = None) -> None:
        self.state = State(header)
        self.files: dict[str, FileOfTask] = {}
        self._ground = ground
        self._asked: set[str] = set()
        self._issues_asked: set[str] = set()
        self._run = run_part(self.state.header)

    def __len__(self) -> int:
        held = len(self.state.tasks) + len(self.files) + len(self.state.header.issues)
        return held + len(self._asked) + len(self._issues_asked)

    def let_go(self, ground: Ground) -> None:
        """Forgets all that the ground has by now."""
        header = self.state.header
        self.state = State(msgspec.structs.replace(header, issues={}, work={}, receipts={}, ended_runs=[]))
        self.files = {}
        self._ground = ground
        self._asked.clear()
        self._issues_asked.clear()

    def advance(self, recorded: Recorded[Fact]) -> list[PartChange]:
        """Takes one more event, and tells the parts that it changed."""
        state, fact = self.state, recorded.fact
        header = state.header
        run, version, status = header.run, header.schema_version, header.verify_status
        named = _NAMED_BY[type(fact)]
        if named is None:
            evolve(state, recorded)
            changes: list[PartChange] = []
        else:
            changes = self._advance(recorded, *named(fact))
        # The project's name and the scope come with a run.
        if header.run is not run or header.schema_version != version:
            before, self._run = self._run, run_part(header)
            if differs(before, self._run):
                changes.append(PartChange("run", "", before, self._run))
        if header.verify_status != status:
            changes.append(PartChange("verification", "", {"status": status}, verification_part(header)))
        return changes

    def _advance(
        self, recorded: Recorded[Fact], task_ids: tuple[str, ...], issue_ids: tuple[str, ...]
    ) -> list[PartChange]:
        """As `advance`, for what an event does to these tasks and issues, to lessons and to files."""
        state, fact = self.state, recorded.fact
        header = state.header
        if self._ground is not None:
            self._fetch(self._ground, task_ids, issue_ids)
        is_about_lessons = type(fact) is IssueReported or (type(fact) is ViewMutated and fact.lessons is not UNSET)
        lessons = named_lessons(header.lessons) if is_about_lessons else {}
        work_ids = self._about(fact) if isinstance(fact, IssueResolved) else task_ids
        tasks = [state.tasks.get(one) for one in task_ids]
        works = [header.work.get(one) for one in work_ids]
        issues = [header.issues.get(one) for one in issue_ids]
        evolve(state, recorded)
        changes: list[PartChange] = []
        for one, task in zip(task_ids, tasks, strict=True):
            if (after := state.tasks.get(one)) is not task and differs(task, after):
                changes.append(PartChange("tasks", one, task, after))
        for one, issue in zip(issue_ids, issues, strict=True):
            if differs(issue, found := header.issues.get(one)):
                views = [None if side is None else issue_view(side) for side in (issue, found)]
                changes.append(PartChange("issues", one, *views))
        for one, work in zip(work_ids, works, strict=True):
            if (now := header.work.get(one)) is not work and differs(work, now):
                changes.append(PartChange("work", one, work, now))
        if is_about_lessons:
            changes += _lesson_changes(lessons, named_lessons(header.lessons))
        if isinstance(fact, FileWritten):
            changes += self._written(fact)
        return changes

    def _about(self, fact: IssueResolved) -> tuple[str, ...]:
        """The task whose work a resolved issue sets free."""
        issue = self.state.header.issues.get(fact.issue_id)
        if issue is None:
            return ()
        if self._ground is not None:
            self._fetch(self._ground, (issue.about_task_id,), ())
        return (issue.about_task_id,)

    def _fetch(self, ground: Ground, task_ids: tuple[str, ...], issue_ids: tuple[str, ...]) -> None:
        for task_id in task_ids:
            if task_id in self._asked:
                continue
            self._asked.add(task_id)
            task, work = ground.task(task_id), ground.work(task_id)
            if task is not None:
                self.state.tasks.add(task)
            if work is not None:
                self.state.header.work[task_id] = work
        for issue_id in issue_ids:
            if issue_id not in self._issues_asked:
                self._issues_asked.add(issue_id)
                issue = ground.issue(issue_id)
                if issue is not None:
                    self.state.header.issues[issue_id] = issue

    def _written(self, fact: FileWritten) -> Iterator[PartChange]:
        for path, file in written_files(fact).items():
            before = self.files.get(path)
            if before is None and self._ground is not None:
                before = self._ground.file(path)
            if before != file:
                yield PartChange("files", path, before, file)
            self.files[path] = file


def differs(before: Any, after: Any) -> bool:
    """True where two values are not the same JSON. (Python takes 1 for True, and an object for its like reordered.)"""
    return before is not after and (before != after or compact(before) != compact(after))


def written_files(fact: FileWritten) -> dict[str, FileOfTask]:
    """The files that an event wrote. Older writers name paths alone; then no digest is known."""
    written = dict.fromkeys(fact.files, FileOfTask(None, fact.task_id))
    effects = fact.effects if isinstance(fact.effects, list) else []
    for effect in effects:
        path = effect.get("path") if isinstance(effect, dict) else None
        if isinstance(path, str):
            digest = effect.get("after_sha256")
            written[path] = FileOfTask(digest if isinstance(digest, str) else None, fact.task_id)
    return written


def _lesson_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[PartChange]:
    for name in (*after, *(one for one in before if one not in after)):
        if differs(before.get(name), after.get(name)):
            yield PartChange("lessons", name, before.get(name), after.get(name))


def _nothing(_: Fact) -> _Named:
    return (), ()


def _task(fact: TaskClaimed | TaskCompleted | TaskReviewed | TaskAmended) -> _Named:
    return (fact.task_id,), ()


def _created(fact: TaskCreated) -> _Named:
    return (fact.task_id,) if fact.supersedes is UNSET else tuple(dict.fromkeys((fact.task_id, *fact.supersedes))), ()


def _hotfix(fact: HotfixCreated) -> _Named:
    return _created(fact)[0], (fact.issue_id,) if isinstance(fact.issue_id, str) else ()


def _reported(fact: IssueReported) -> _Named:
    return (fact.task_id,), (fact.issue_id,)


def _resolved(fact: IssueResolved) -> _Named:
    return (), (fact.issue_id,)


def _rejected(fact: OutputRejected) -> _Named:
    return () if fact.task_id is None else (fact.task_id,), ()


_NAMED_BY: ByType[Callable[[Any], _Named] | None] = ByType(
    {
        TaskClaimed: _task,
        TaskCompleted: _task,
        TaskReviewed: _task,
        TaskAmended: _task,
        TaskCreated: _created,
        HotfixCreated: _hotfix,
        OutputRejected: _rejected,
        IssueReported: _reported,
        IssueResolved: _resolved,
        FileWritten: _nothing,
        ViewMutated: _nothing,
        FactBase: None,
    }
)
"""What an event of each type names; nothing is to be compared beside run and verification where it is None."""
