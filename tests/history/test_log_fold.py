"""The fold of the log with an ear for its parts: what it tells is what changes, whether it holds the state or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.history.indexed import HasBoard, HasFacets
from esaa.history.log_document import MEMBERS, WHOLE, FileOfTask, document_of, named_lessons
from esaa.history.log_fold import LogFold, PartChange, written_files
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import Fact, FileWritten, IssueReported, IssueResolved, RunEnded, TaskClaimed, TaskCreated
from esaa.protocol.state import Issue, State, Work
from esaa.protocol.task_table import Task
from tests.history.memory_past import claims
from tests.properties.strategies import ACTORS, FACTS, TIMES
from tests.scenarios import record

STORIES = st.lists(st.tuples(FACTS, ACTORS, TIMES), min_size=1, max_size=40)


class Kept:
    """A ground: everything that a whole fold holds at a moment."""

    def __init__(self, state: State, files: Mapping[str, FileOfTask]) -> None:
        self._state, self._files = state.copy(), dict(files)

    def task(self, task_id: str) -> Task | None:
        return self._state.tasks.get(task_id)

    def work(self, task_id: str) -> Work | None:
        return self._state.header.work.get(task_id)

    def issue(self, issue_id: str) -> Issue | None:
        return self._state.header.issues.get(issue_id)

    def file(self, path: str) -> FileOfTask | None:
        return self._files.get(path)


def plain(value: Any) -> Any:
    return json.loads(json.dumps(msgspec.to_builtins(value)))


def put(document: dict[str, Any], change: PartChange) -> None:
    """Does to a document what a change tells, after a look that it begins where the document is."""
    if change.member in WHOLE:
        assert document[change.member] == plain(change.before)
        document[change.member] = plain(change.after)
        return
    member = document[change.member]
    assert member.get(change.name) == plain(change.before)
    if change.after is None:
        del member[change.name]
    else:
        member[change.name] = plain(change.after)


def told_by(fold: LogFold, told: list[tuple[Fact, str, str]], every: int | None) -> None:
    whole, files = State(), dict[str, FileOfTask]()
    document = plain(document_of(whole, files))
    for version, (fact, actor, ts) in enumerate(told, start=1):
        recorded = record(fact, version, actor=actor, ts=ts)
        for change in fold.advance(recorded):
            put(document, change)
        evolve(whole, recorded)
        if isinstance(fact, FileWritten):
            files |= written_files(fact)
        assert document == plain(document_of(whole, files))
        if every is not None and version % every == 0:
            fold.let_go(Kept(whole, files))
            assert len(fold) == 0


@settings(derandomize=True, deadline=None, max_examples=150)
@given(STORIES, st.sampled_from([None, 1, 2, 5]))
def test_changes_lead_from_each_document_to_the_next_one(told: list[tuple[Fact, str, str]], every: int | None) -> None:
    told_by(LogFold(), told, every)


def created(task_id: str) -> Fact:
    return TaskCreated(task_id=task_id, task_kind="impl", title="A task")


def reported(issue_id: str, task_id: str) -> Fact:
    return IssueReported(task_id=task_id, issue_id=issue_id, severity="high", title="Broken")


@pytest.mark.parametrize("every", [None, 1])
def test_an_issue_that_is_resolved_sets_the_work_of_its_task_free(every: int | None) -> None:
    story = [
        created("T-1"),
        TaskClaimed(task_id="T-1"),
        reported("ISS-1", "T-1"),
        IssueResolved(issue_id="ISS-1"),
        IssueResolved(issue_id="ISS-9"),
    ]
    told_by(LogFold(), [(fact, "orchestrator", "2026-01-01T00:00:00Z") for fact in story], every)


def test_what_was_asked_of_the_ground_is_not_asked_again() -> None:
    asked: list[str] = []

    class Telling(Kept):
        def issue(self, issue_id: str) -> Issue | None:
            asked.append(issue_id)
            return super().issue(issue_id)

    fold = LogFold(ground=Telling(State(), {}))
    story = [created("T-1"), reported("ISS-1", "T-1"), IssueResolved(issue_id="ISS-1")]
    told_by(fold, [(fact, "orchestrator", "2026-01-01T00:00:00Z") for fact in story], None)
    assert asked == ["ISS-1"]


def test_a_run_that_ends_as_it_has_ended_changes_nothing() -> None:
    fold = LogFold()
    ended = RunEnded(status="success")
    fold.advance(record(ended, 1))
    assert [one.member for one in fold.advance(record(ended, 2))] == []


def test_a_file_is_asked_of_the_ground_once_and_then_held() -> None:
    fold = LogFold()
    write = FileWritten(
        task_id="T-1", files=("a.txt",), effects=[{"path": "a.txt", "after_sha256": "1" * 64}, "odd", {"path": 7}]
    )
    first = next(one for one in fold.advance(record(write, 1)) if one.member == "files")
    fold.let_go(Kept(State(), {"a.txt": FileOfTask("1" * 64, "T-1")}))
    assert (first.member, first.name, first.before) == ("files", "a.txt", None)
    assert fold.advance(record(write, 2)) == []
    assert fold.advance(record(write, 3)) == []
    assert written_files(FileWritten(task_id="T-1", files=("b.txt",), effects=[{"path": "b.txt"}])) == {
        "b.txt": FileOfTask(None, "T-1")
    }


def test_lessons_are_named_by_their_id_their_place_or_a_mark() -> None:
    lessons: list[dict[str, Any]] = [
        {"lesson_id": "L-1"},
        {"rule": "no id"},
        {"lesson_id": "L-1"},
        {"lesson_id": "L-1"},
        {"lesson_id": 7},
    ]
    assert list(named_lessons(lessons)) == ["L-1", "#2", "L-1~2", "L-1~3", "#5"]


def test_a_document_has_its_members_in_their_order() -> None:
    assert tuple(document_of(State(), {})) == MEMBERS


def test_a_past_without_an_index_does_not_pass_for_one_that_has_it() -> None:
    past = claims(2)
    assert not isinstance(past, HasBoard)
    assert not isinstance(past, HasFacets)
