"""A world: a state that is folded on, the files that its events wrote, and the rules that hold in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.history.changes import Change, diff
from esaa.history.log_document import FileOfTask, named_lessons, run_part, verification_part
from esaa.history.log_fold import written_files
from esaa.history.pointers import pointer_of
from esaa.kernel.recorded import Recorded
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import Fact, FileWritten
from esaa.protocol.issues import issue_view
from esaa.protocol.state import State


class World:
    """Belongs to whoever folds it: events change it in place."""

    def __init__(self, rules: Governance) -> None:
        self.rules = rules
        self.state = State()
        self.files: dict[str, FileOfTask] = {}

    def copy(self, rules: Governance) -> World:
        """Another world that goes on from here, under these rules."""
        other = World(rules)
        other.state, other.files = self.state.copy(), dict(self.files)
        return other

    def take(self, events: Iterable[Recorded[Fact]]) -> None:
        """Some more events."""
        for recorded in events:
            evolve(self.state, recorded)
            if isinstance(recorded.fact, FileWritten):
                self.files.update(written_files(recorded.fact))

    def sha256(self, path: str) -> str | None:
        """What the events of this world put at a path."""
        file = self.files.get(path)
        return None if file is None else file.sha256


def differences(one: World, other: World) -> Iterator[Change]:
    """What differs between the documents of two worlds, in the order of the document. What is alike costs little."""
    yield from diff(run_part(one.state.header), run_part(other.state.header), pointer_of(("run",)))
    verified = verification_part(one.state.header), verification_part(other.state.header)
    yield from diff(*verified, pointer_of(("verification",)))
    for task_id in dict.fromkeys((*one.state.tasks.ids(), *other.state.tasks.ids())):
        yield from _differ(("tasks", task_id), one.state.task(task_id), other.state.task(task_id))
    issues, others = one.state.header.issues, other.state.header.issues
    for issue_id in dict.fromkeys((*issues, *others)):
        before, after = issues.get(issue_id), others.get(issue_id)
        if before != after:
            known = UNSET if before is None else issue_view(before)
            yield from diff(known, UNSET if after is None else issue_view(after), pointer_of(("issues", issue_id)))
    lessons = dict(named_lessons(one.state.header.lessons)), dict(named_lessons(other.state.header.lessons))
    yield from diff(*lessons, pointer_of(("lessons",)))
    for task_id in dict.fromkeys((*one.state.header.work, *other.state.header.work)):
        work = one.state.header.work.get(task_id), other.state.header.work.get(task_id)
        yield from _differ(("work", task_id), *work)
    for path in dict.fromkeys((*one.files, *other.files)):
        yield from _differ(("files", path), one.files.get(path), other.files.get(path))


def _differ(names: tuple[str, str], one: Any, other: Any) -> Iterator[Change]:
    if one != other:
        before = UNSET if one is None else msgspec.to_builtins(one)
        yield from diff(before, UNSET if other is None else msgspec.to_builtins(other), pointer_of(names))
