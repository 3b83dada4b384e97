"""The projection, exactly: every rule of PROJECTION_SPEC, also those that no real log exercises."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from esaa.protocol.evolve import evolve
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    ForeignRecorded,
    HotfixCreated,
    IssueReported,
    IssueResolved,
    OutputRejected,
    RunEnded,
    RunStarted,
    TaskAmended,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
    VerificationFailed,
    VerificationPassed,
    VerificationStarted,
    ViewMutated,
)
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.roadmap import projection_hash, roadmap_json, roadmap_pieces
from esaa.protocol.state import Receipt, State
from tests.scenarios import (
    IMPL,
    NOON,
    Story,
    approved,
    claimed,
    completed,
    created,
    done,
    folded,
    hotfix,
    in_progress,
    in_review,
    lesson,
    lesson_learned,
    record,
    reported,
    run_start,
    sent_back,
    todo,
)


def _roadmap(*given: Story, **how: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(roadmap_json(folded(*given, **how)))
    return document


def _task(*given: Story, task_id: str = "T-1") -> dict[str, Any]:
    found: dict[str, Any] = next(task for task in _roadmap(*given)["tasks"] if task["task_id"] == task_id)
    return found


def _issues(*given: Story) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(issues_json(folded(*given)))
    return document


def _lessons(*given: Story) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(lessons_json(folded(*given)))
    return document


PLAIN = TaskCreated(task_id="T-1", task_kind="impl", title="Make it")


# Tasks.


def test_task_has_defaults_for_everything_that_was_not_sent() -> None:
    assert _task(PLAIN) == {
        "task_id": "T-1",
        "task_kind": "impl",
        "title": "Make it",
        "description": "Make it",
        "status": "todo",
        "depends_on": [],
        "targets": [],
        "outputs": {"files": []},
        "immutability": {"done_is_immutable": True},
    }


def test_task_keeps_the_values_as_they_were_sent() -> None:
    task = _task(
        TaskCreated(
            task_id="T-1",
            task_kind="docs",
            title="x",
            description="",
            depends_on=("T-9",),
            targets={"any": [1]},
            outputs={"files": ["a"], "more": None},
        )
    )

    assert (task["description"], task["depends_on"], task["targets"]) == ("", ["T-9"], {"any": [1]})
    assert task["outputs"] == {"files": ["a"], "more": None}


@pytest.mark.parametrize("name", ["task_type", "acceptance_criteria", "required_review_mode"])
@pytest.mark.parametrize("value", [None, "", [], "x", {"a": 1}])
def test_optional_value_is_repeated_where_it_is_present_even_when_empty(name: str, value: Any) -> None:
    assert name not in _task(PLAIN)
    assert _task(TaskCreated(task_id="T-1", task_kind="impl", title="t", **{name: value}))[name] == value


def test_grant_and_plugin_are_repeated_only_when_they_hold_something() -> None:
    empty = TaskCreated(task_id="T-1", task_kind="impl", title="t", boundary_grant=(), plugin={})
    null = TaskCreated(task_id="T-1", task_kind="impl", title="t", boundary_grant=None, plugin=None)
    full = TaskCreated(task_id="T-1", task_kind="impl", title="t", boundary_grant=("web\\a\\**",), plugin={"id": "p"})

    for fact in (empty, null):
        assert not {"boundary_grant", "plugin"} & set(_task(fact))
    assert _task(full)["boundary_grant"] == ["web/a/**"]
    assert _task(full)["plugin"] == {"id": "p"}


def test_executable_checks_are_a_sorted_set() -> None:
    fact = TaskCreated(task_id="T-1", task_kind="impl", title="t", executable_checks=("b", "a", "b", "é"))

    assert _task(fact)["executable_checks"] == ["a", "b", "é"]
    assert (
        _task(TaskCreated(task_id="T-1", task_kind="impl", title="t", executable_checks=()))["executable_checks"] == []
    )


def test_supersedes_marks_every_named_task_once_for_each_successor() -> None:
    given = (
        created("T-1"),
        created("T-2", supersedes=("T-1", "T-1", "T-404")),
        created("T-3", supersedes=("T-1", "T-2")),
        created("T-4", supersedes=()),
    )

    assert _task(*given)["superseded_by"] == ["T-2", "T-3"]
    assert _task(*given, task_id="T-2")["superseded_by"] == ["T-3"]
    assert _task(*given, task_id="T-2")["supersedes"] == ["T-1", "T-1", "T-404"]
    assert _task(*given, task_id="T-4")["supersedes"] == []
    assert "superseded_by" not in _task(*given, task_id="T-3")


def test_supersedes_of_another_writer_over_a_strange_value_still_adds_itself() -> None:
    state = folded(created("T-1"))
    task = state.task("T-1")
    assert task is not None
    state.tasks.put(msgspec.structs.replace(task, superseded_by="T-0"))
    evolve(state, record(created("T-2", supersedes=("T-1",)), 2))

    assert json.loads(roadmap_json(state))["tasks"][0]["superseded_by"] == ["T-2"]


HOTFIX_FIELDS = ("issue_id", "fixes", "scope_patch", "required_verification", "baseline_id")


def test_hotfix_has_its_fields_and_an_ordinary_task_has_none_of_them() -> None:
    fields: dict[str, Any] = {
        "issue_id": "ISS-1",
        "fixes": "T-0",
        "scope_patch": ("src/a",),
        "required_verification": {"checks_min": 2},
        "baseline_id": None,
    }
    made = _task(HotfixCreated(task_id="T-1", task_kind="impl", title="t", is_hotfix=True, **fields))
    flagged = _task(TaskCreated(task_id="T-1", task_kind="impl", title="t", is_hotfix=True, **fields))
    ordinary = _task(TaskCreated(task_id="T-1", task_kind="impl", title="t", **fields))

    assert made == flagged
    assert {name: made[name] for name in HOTFIX_FIELDS} == {**fields, "scope_patch": ["src/a"]}
    assert made["is_hotfix"] is True
    assert not {"is_hotfix", *HOTFIX_FIELDS} & set(ordinary)


def test_hotfix_without_its_fields_is_only_marked() -> None:
    made = _task(HotfixCreated(task_id="T-1", task_kind="impl", title="t"))

    assert made["is_hotfix"] is True
    assert not set(HOTFIX_FIELDS) & set(made)


def test_claim_sets_status_owner_and_time() -> None:
    task = _task(created(), (claimed(), "somebody", "2026-03-01T12:34:56Z"))

    assert (task["status"], task["assigned_to"], task["started_at"]) == (
        "in_progress",
        "somebody",
        "2026-03-01T12:34:56Z",
    )
    assert "completed_at" not in task


def test_complete_sets_status_and_the_verification_as_sent() -> None:
    sent = {"checks": ["a"], "by": None, "more": [1.5, {"z": 1, "a": 2}]}

    task = _task(*in_progress(), TaskCompleted(task_id="T-1", verification=sent))

    assert (task["status"], task["verification"]) == ("review", sent)
    assert not {"issue_id", "fixes"} & set(task)


@pytest.mark.parametrize("verification", [None, {}, [], ""])
def test_empty_verification_is_not_repeated_and_replaces_nothing(verification: Any) -> None:
    first = TaskCompleted(task_id="T-1", verification={"checks": ["a"]})
    second = TaskCompleted(task_id="T-1", verification=verification)

    assert "verification" not in _task(*in_progress(), second)
    assert _task(*in_progress(), first, sent_back(), second)["verification"] == {"checks": ["a"]}


def test_complete_repeats_issue_and_fixes_where_they_were_sent_also_null() -> None:
    task = _task(*in_progress(), TaskCompleted(task_id="T-1", issue_id="ISS-1", fixes=None))

    assert (task["issue_id"], task["fixes"]) == ("ISS-1", None)


def test_approval_sets_done_and_its_time_and_keeps_the_rest() -> None:
    before = _task(*in_review())
    after = _task(*in_review(), (approved(), "agent-qa", "2026-03-01T13:00:00Z"))

    assert after == {**before, "status": "done", "completed_at": "2026-03-01T13:00:00Z"}


def test_request_for_changes_goes_back_and_keeps_owner_start_and_verification() -> None:
    before = _task(*in_review())
    after = _task(*in_review(), (sent_back(), "agent-qa", "2026-03-01T13:00:00Z"))

    assert after == {**before, "status": "in_progress"}
    assert {"assigned_to", "started_at", "verification"} <= set(after)


def test_task_that_is_created_again_takes_the_place_of_the_first() -> None:
    document = _roadmap(*in_progress("T-1"), created("T-2"), created("T-1", "qa"))

    assert [(task["task_id"], task["status"], task["task_kind"]) for task in document["tasks"]] == [
        ("T-1", "todo", "qa"),
        ("T-2", "todo", "impl"),
    ]
    assert document["indexes"] == {"by_kind": {"impl": 1, "qa": 1}, "by_status": {"todo": 2}}


def test_acts_on_unknown_tasks_and_issues_change_nothing() -> None:
    before = _roadmap(created())

    after = _roadmap(
        created(),
        claimed("T-9"),
        TaskCompleted(task_id="T-9"),
        approved("T-9"),
        TaskAmended(task_id="T-9", title="x"),
        IssueResolved(issue_id="ISS-9"),
        OutputRejected(task_id="T-9", error_code="X"),
        hotfix("HF-1", issue_id="ISS-9", fixes="T-9"),
    )

    assert after["tasks"][0] == before["tasks"][0]
    assert [task["task_id"] for task in after["tasks"]] == ["T-1", "HF-1"]


# task.amend

AMENDMENTS: dict[str, Any] = {
    "title": "new title",
    "description": "new text",
    "acceptance_criteria": ["it runs"],
    "task_kind": "qa",
    "task_type": "chore",
    "depends_on": ("T-0",),
    "required_review_mode": "pair",
    "required_verification": {"checks_min": 3},
    "scope_patch": ("src/x",),
}


@pytest.mark.parametrize("name", AMENDMENTS)
def test_amendment_replaces_one_value_and_no_other(name: str) -> None:
    before = _task(created())
    value = AMENDMENTS[name]
    shown = list(value) if isinstance(value, tuple) else value

    assert _task(created(), TaskAmended(task_id="T-1", **{name: value})) == {**before, name: shown}


@pytest.mark.parametrize("name", AMENDMENTS)
def test_empty_amendment_changes_nothing(name: str) -> None:
    empty: Any = () if isinstance(AMENDMENTS[name], tuple) else None

    assert _task(created(), TaskAmended(task_id="T-1", **{name: empty})) == _task(created())


def test_amended_grant_is_replaced_or_taken_away() -> None:
    granted = created(boundary_grant=("old/**",))

    assert _task(granted, TaskAmended(task_id="T-1", boundary_grant=("a\\b",)))["boundary_grant"] == ["a/b"]
    assert "boundary_grant" not in _task(granted, TaskAmended(task_id="T-1", boundary_grant=()))
    assert "boundary_grant" not in _task(granted, TaskAmended(task_id="T-1", boundary_grant=None))
    assert _task(granted, TaskAmended(task_id="T-1"))["boundary_grant"] == ["old/**"]


def test_amended_outputs_are_the_files_alone() -> None:
    task = created(outputs=["a"])

    assert _task(task, TaskAmended(task_id="T-1", outputs={"files": ["b"], "more": 1}))["outputs"] == {"files": ["b"]}
    for ignored in ({}, {"more": 1}, ["b"], None):
        assert _task(task, TaskAmended(task_id="T-1", outputs=ignored))["outputs"] == {"files": ["a"]}


def test_amended_checks_are_a_sorted_set_and_empty_ones_change_nothing() -> None:
    task = created(executable_checks=("z",))

    assert _task(task, TaskAmended(task_id="T-1", executable_checks=("b", "a", "b")))["executable_checks"] == ["a", "b"]
    assert _task(task, TaskAmended(task_id="T-1", executable_checks=()))["executable_checks"] == ["z"]
    assert _task(task, TaskAmended(task_id="T-1", executable_checks=None))["executable_checks"] == ["z"]


def test_amended_kind_moves_in_the_index() -> None:
    assert _roadmap(created(), TaskAmended(task_id="T-1", task_kind="qa"))["indexes"]["by_kind"] == {"qa": 1}


@pytest.mark.parametrize("given", [in_progress(), in_review(), done()])
def test_only_todo_tasks_are_amended(given: tuple[Story, ...]) -> None:
    assert _task(*given, TaskAmended(task_id="T-1", title="new")) == _task(*given)


# The document around the tasks.


def test_project_has_its_defaults_and_what_a_run_start_gives() -> None:
    assert _roadmap(created())["project"] == {"name": "esaa-core", "audit_scope": ".roadmap/"}
    named = RunStarted(run_id="R", project_name="mine", audit_scope="audit/")
    assert _roadmap(named, RunStarted(run_id="S"))["project"] == {"name": "mine", "audit_scope": "audit/"}
    assert _roadmap(named, RunStarted(run_id="S", project_name="", audit_scope=""))["project"] == {
        "name": "esaa-core",
        "audit_scope": ".roadmap/",
    }


def test_version_is_that_of_the_first_event_whatever_follows() -> None:
    state = folded(created(), schema_version="0.4.1")
    evolve(state, record(created("T-2"), 2, schema_version="0.4.0"))

    assert json.loads(roadmap_json(state))["meta"]["schema_version"] == "0.4.1"
    assert json.loads(roadmap_json(State()))["meta"]["schema_version"] == "0.4.0"


def test_meta_says_where_the_log_was() -> None:
    given: tuple[Story, ...] = (run_start(), created(), (claimed(), IMPL, "2026-03-01T14:00:00Z"))
    document = _roadmap(*given)

    assert document["meta"] == {
        "schema_version": "0.4.0",
        "esaa_version": "0.4.x",
        "immutable_done": True,
        "master_correlation_id": "CID",
        "run": {
            "run_id": "RUN-0001",
            "status": "initialized",
            "last_event_seq": 3,
            "projection_hash_sha256": projection_hash(folded(*given)),
            "verify_status": "unknown",
        },
        "updated_at": "2026-03-01T14:00:00Z",
    }
    assert _roadmap(created())["meta"]["run"]["run_id"] is None


def test_run_has_the_status_of_its_end_and_the_next_begins_anew() -> None:
    ended = (run_start(), RunEnded(status="halted"))

    assert _roadmap(*ended)["meta"]["run"]["status"] == "halted"
    assert not folded(*ended).header.run.is_open
    again = folded(*ended, RunStarted(run_id="RUN-0002", status="running"))
    assert (again.header.run.run_id, again.header.run.status, again.header.run.count) == ("RUN-0002", "running", 2)


PROJECTED: list[Fact] = [
    created("T-9"),
    hotfix("HF-9"),
    claimed(),
    completed(),
    approved(),
    TaskAmended(task_id="T-1", title="x"),
    RunStarted(run_id="R"),
]
NOT_PROJECTED: list[Fact] = [
    reported(),
    IssueResolved(issue_id="ISS-1"),
    OutputRejected(error_code="X"),
    FileWritten(task_id="T-1"),
    ViewMutated(target="roadmap"),
    VerificationStarted(),
    RunEnded(status="failed"),
    ForeignRecorded(name="runner.metrics"),
]


def test_verification_is_forgotten_by_what_changes_the_projection_and_by_nothing_else() -> None:
    passed = VerificationPassed(projection_hash_sha256="x")

    assert folded(created(), passed).header.verify_status == "ok"
    assert folded(created(), VerificationFailed(verify_status="corrupted")).header.verify_status == "corrupted"
    assert folded(created(), VerificationFailed()).header.verify_status == "mismatch"
    for fact in PROJECTED:
        header = folded(created(), passed, fact).header
        assert (header.verify_status, header.events_since_verified) == ("unknown", 1)
    for fact in NOT_PROJECTED:
        assert folded(created(), passed, fact).header.verify_status == "ok"


@pytest.mark.parametrize("fact", NOT_PROJECTED)
def test_hash_depends_on_nothing_but_tasks_and_project(fact: Fact) -> None:
    assert projection_hash(folded(created(), fact)) == projection_hash(folded(created()))


@pytest.mark.parametrize("fact", [fact for fact in PROJECTED if not isinstance(fact, RunStarted)])
def test_hash_depends_on_every_task(fact: Fact) -> None:
    assert projection_hash(folded(created(), fact)) != projection_hash(folded(created()))


EVERYTHING: tuple[Story, ...] = (
    RunStarted(run_id="RUN-é", project_name="Projekt “ü”\n\t\\"),
    *done("T-1", outputs=["src/a.py"]),
    *in_review("T-2", "qa"),
    sent_back("T-2"),
    created(
        "T-3",
        "spec",
        depends_on=("T-1",),
        acceptance_criteria=["1e-05", 1e-05, 1e20, 0.1, -0.0, 2**70],
        plugin={"z": 1, "a": {}},
    ),
    created("T-4", supersedes=("T-3",), boundary_grant=("a\\b",), executable_checks=("b", "a")),
    reported("ISS-2", "T-2", "high", affected={"baseline_id": "B-1"}),
    reported("ISS-1", "T-1", fixes="T-1"),
    hotfix(),
    lesson_learned("forbid text ü", "ISS-3", kinds=["impl", "qa"]),
    ViewMutated(target="roadmap", change="projected"),
)


def test_hash_is_that_of_the_standard_librarys_canonical_json() -> None:
    document = _roadmap(*EVERYTHING)
    part = {
        "schema_version": document["meta"]["schema_version"],
        "project": document["project"],
        "tasks": document["tasks"],
        "indexes": document["indexes"],
    }
    text = json.dumps(part, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"

    assert projection_hash(folded(*EVERYTHING)) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("given", [(), (created(),), EVERYTHING])
def test_read_models_are_pretty_json_with_a_final_line_feed_and_the_same_every_time(given: tuple[Story, ...]) -> None:
    for render in (roadmap_json, issues_json, lessons_json):
        state = folded(*given)
        data = render(state)

        assert data == json.dumps(json.loads(data), ensure_ascii=False, indent=2).encode() + b"\n"
        assert render(state) == data == render(folded(*given))


def test_roadmap_in_pieces_is_the_roadmap_whether_texts_are_kept_or_not() -> None:
    tasks = [created(f"T-{number}") for number in range(2500)]

    for keep in (True, False):
        pieces = list(roadmap_pieces(folded(*tasks), keep_texts=keep))
        assert len(pieces) > 3
        assert b"".join(pieces) == roadmap_json(folded(*tasks))


def test_indexes_are_sorted_and_empty_counts_vanish() -> None:
    document = _roadmap(
        *todo("T-1", "spec"), *todo("T-2", "impl"), *in_progress("T-3", "qa"), claimed("T-1"), claimed("T-2")
    )

    assert list(document["indexes"]) == ["by_status", "by_kind"]
    assert document["indexes"]["by_status"] == {"in_progress": 3}
    assert list(document["indexes"]["by_kind"]) == ["impl", "qa", "spec"]


def test_log_that_creates_a_done_task_anew_as_another_kind_is_counted_as_it_tells() -> None:
    state = folded(*done("T-1", kind="impl"), created("T-1", "qa"))

    assert [task.task_id for task in state.tasks.pending()] == ["T-1"]
    assert (state.tasks.by_status, state.tasks.by_kind) == ({"todo": 1}, {"qa": 1})


def test_log_that_takes_back_what_was_done_is_folded_as_it_tells_and_the_task_is_pending_again() -> None:
    state = folded(*done("T-1"), claimed("T-1"))

    assert [task.task_id for task in state.tasks.pending()] == ["T-1"]
    assert state.tasks.by_status == {"in_progress": 1}


# Issues.


def test_issue_is_shown_as_it_was_reported() -> None:
    document = _issues(
        created(), reported(severity="medium", affected={"baseline_id": "B-1", "paths": ["a"]}, fixes="T-1")
    )

    assert document["issues"] == [
        {
            "issue_id": "ISS-1",
            "status": "open",
            "severity": "medium",
            "title": "Issue ISS-1",
            "baseline_id": "B-1",
            "affected": {"baseline_id": "B-1", "paths": ["a"]},
            "evidence": {"symptom": "broken", "repro_steps": ["look"]},
            "resolution": {},
            "links": {"reported_by_task_id": "T-1", "fixes_task_id": "T-1", "hotfix_task_id": None},
            "timeline": {"created_event_seq": 2, "resolved_event_seq": None},
        }
    ]
    assert document["meta"] == {
        "schema_version": "0.4.0",
        "esaa_version": "0.4.x",
        "generated_by": "esaa.project",
        "source_event_store": ".roadmap/activity.jsonl",
        "last_event_seq": 2,
        "updated_at": NOON,
    }


def test_issue_without_anything_optional_has_empty_values() -> None:
    bare = IssueReported(task_id="T-1", issue_id="I", severity="low", title="t", affected=["B-1"], fixes="")

    (issue,) = _issues(bare)["issues"]

    assert (issue["baseline_id"], issue["affected"], issue["evidence"]) == (None, ["B-1"], {})
    assert issue["links"]["fixes_task_id"] is None


def test_issues_are_sorted_by_id_and_the_open_ones_indexed_by_baseline() -> None:
    document = _issues(
        reported("ISS-3", affected={"baseline_id": "B-2"}),
        reported("ISS-1"),
        reported("ISS-2", affected={"baseline_id": "B-2"}),
        reported("ISS-4", affected={"baseline_id": 7}),
        IssueResolved(issue_id="ISS-3"),
    )

    assert [issue["issue_id"] for issue in document["issues"]] == ["ISS-1", "ISS-2", "ISS-3", "ISS-4"]
    assert document["indexes"] == {"open_by_baseline": {"B-2": ["ISS-2"], "none": ["ISS-1", "ISS-4"]}}


def test_resolution_closes_an_issue_and_a_second_one_overwrites_it() -> None:
    first = IssueResolved(issue_id="ISS-1", resolution={"status": "a"})
    second = IssueResolved(issue_id="ISS-1")

    (once,) = _issues(reported(), first)["issues"]
    (twice,) = _issues(reported(), first, second)["issues"]

    assert (once["status"], once["resolution"], once["timeline"]["resolved_event_seq"]) == (
        "resolved",
        {"status": "a"},
        2,
    )
    assert (twice["status"], twice["resolution"], twice["timeline"]["resolved_event_seq"]) == ("resolved", {}, 3)


def test_new_report_reopens_a_resolved_issue_and_keeps_its_beginning_and_its_hotfix() -> None:
    (issue,) = _issues(
        reported(severity="low"), hotfix(), IssueResolved(issue_id="ISS-1"), reported(severity="critical", fixes="T-7")
    )["issues"]

    assert (issue["status"], issue["severity"], issue["resolution"]) == ("open", "critical", {})
    assert issue["timeline"] == {"created_event_seq": 1, "resolved_event_seq": None}
    assert issue["links"] == {"reported_by_task_id": "T-1", "fixes_task_id": "T-7", "hotfix_task_id": "HF-1"}


def test_link_to_the_fixed_task_comes_from_the_report_only_and_to_the_hotfix_from_hotfix_create_only() -> None:
    (made,) = _issues(reported(), hotfix())["issues"]
    flagged = TaskCreated(task_id="HF-2", task_kind="impl", title="t", is_hotfix=True, issue_id="ISS-1", fixes="T-1")
    (not_linked,) = _issues(reported(), flagged)["issues"]

    assert (made["links"]["fixes_task_id"], made["links"]["hotfix_task_id"]) == (None, "HF-1")
    assert not_linked["links"]["hotfix_task_id"] is None


def test_hotfix_that_names_no_issue_links_none() -> None:
    (issue,) = _issues(reported(), HotfixCreated(task_id="HF-1", task_kind="impl", title="t", issue_id=None))["issues"]

    assert issue["links"]["hotfix_task_id"] is None


# Lessons.


def test_lessons_are_learned_from_reports_in_order() -> None:
    document = _lessons(
        created(),
        lesson_learned("forbid text a", "ISS-1"),
        lesson_learned("b", "ISS-2", mode="warn", kinds=["qa", "impl"]),
    )

    assert [one["lesson_id"] for one in document["lessons"]] == ["LES-0001", "LES-0002"]
    assert document["lessons"][0] == {
        "lesson_id": "LES-0001",
        "status": "active",
        "title": "Issue ISS-1",
        **lesson("forbid text a"),
        "source_refs": [{"type": "issue", "ref": "ISS-1"}],
    }
    assert document["indexes"] == {
        "by_task_kind": {"impl": ["LES-0001", "LES-0002"], "qa": ["LES-0002"]},
        "by_enforcement_applies_to": {"verification_gate": ["LES-0001", "LES-0002"]},
    }
    assert "last_event_seq" not in document["meta"]


@pytest.mark.parametrize(
    "fields",
    [
        {"category": "process", "subtype": "lesson"},
        {"category": "process", "subtype": "lesson", "lesson": "be careful"},
        {"category": "process", "lesson": lesson("x")},
        {"category": "defect", "subtype": "lesson", "lesson": lesson("x")},
    ],
)
def test_other_reports_teach_nothing(fields: dict[str, Any]) -> None:
    assert _lessons(reported(**fields))["lessons"] == []


def test_view_mutation_with_lessons_replaces_them_whole() -> None:
    replaced = ViewMutated(target="lessons", lessons=[{"lesson_id": "LES-0007", "enforcement": {"applies_to": 1}}, "x"])

    document = _lessons(lesson_learned("a"), replaced)

    assert document["lessons"] == [{"lesson_id": "LES-0007", "enforcement": {"applies_to": 1}}]
    assert document["indexes"] == {"by_task_kind": {}, "by_enforcement_applies_to": {}}
    assert len(_lessons(lesson_learned("a"), ViewMutated(target="lessons"))["lessons"]) == 1
    assert _lessons(lesson_learned("a"), ViewMutated(target="lessons", lessons=[]))["lessons"] == []


# What is not shown, but decides.


def test_command_ids_are_kept_for_the_current_run() -> None:
    state = State()
    given: list[tuple[Fact, str | None]] = [
        (run_start(), "c-1"),
        (created(), "c-2"),
        (claimed(), "c-2"),
        (completed(), None),
    ]
    for version, (fact, command_id) in enumerate(given, start=1):
        evolve(state, record(fact, version, command_id=command_id))
    assert state.header.receipts == {
        "c-1": Receipt(first_seq=1, last_seq=1),
        "c-2": Receipt(first_seq=2, last_seq=3),
    }

    evolve(state, record(run_start(), 5, command_id="c-3"))

    assert state.header.receipts == {"c-3": Receipt(first_seq=5, last_seq=5)}


def test_refusal_that_says_nothing_of_counting_counts_as_other_writers_mean_it() -> None:
    work = folded(created(), OutputRejected(task_id="T-1", error_code="X", message="m")).work("T-1")

    assert (work.attempts, work.claim, work.last_rejection) == (
        1,
        1,
        {"error_code": "X", "message": "m", "hint": "", "layer": ""},
    )


def test_refusal_on_a_done_task_leaves_no_work() -> None:
    assert folded(*done(), OutputRejected(task_id="T-1", error_code="X")).header.work == {}


def test_report_is_an_output_of_the_asked_act_but_the_monitors_is_not() -> None:
    assert folded(*in_progress(), reported()).work("T-1").complete == 1
    assert folded(*in_progress(), (reported(), "runtime-monitor")).work("T-1").complete == 0
    about_done = folded(*done(), reported(), reported())
    assert (about_done.work("T-1").review, about_done.work("T-1").reports) == (2, 0)
    assert folded(*done(), (reported(), "runtime-monitor")).header.work == {}


def test_state_that_is_copied_goes_its_own_way() -> None:
    state = folded(run_start(), *in_progress(), reported(), lesson_learned("x", mode="warn"))
    before = roadmap_json(state), issues_json(state), lessons_json(state)
    copy = state.copy()

    more: list[Fact] = [completed(), approved(), created("T-2"), IssueResolved(issue_id="ISS-1")]
    for version, fact in enumerate(more, start=6):
        evolve(copy, record(fact, version))
    copy.header.lessons.clear()

    assert (roadmap_json(state), issues_json(state), lessons_json(state)) == before
    assert roadmap_json(copy) != before[0]
    assert (len(copy.tasks), len(state.tasks)) == (2, 1)


def test_tasks_are_found_by_id_and_place() -> None:
    state = folded(created("T-1"), created("T-2"), *done("T-3"))

    assert state.tasks.ids() == ["T-1", "T-2", "T-3"]
    assert [task.task_id for task in state.tasks.pending()] == ["T-1", "T-2"]
    assert state.tasks.ordinal("T-2") == 1
    assert "T-3" in state.tasks
    assert state.task("T-4") is None


def test_outputs_that_are_not_declared_as_the_protocol_says_are_none() -> None:
    for outputs in (["a"], {"files": "a"}, {}, None):
        state = folded(TaskCreated(task_id="T-1", task_kind="impl", title="t", outputs=outputs))
        task = state.task("T-1")
        assert task is not None
        assert task.output_files == ()
    task = folded(created(outputs=["a", "b"])).task("T-1")
    assert task is not None
    assert task.output_files == ("a", "b")


@pytest.mark.parametrize("given", [todo(), in_progress(), in_review(), done()])
def test_evolve_takes_every_fact_in_every_status(given: tuple[Story, ...]) -> None:
    for fact in [
        *PROJECTED,
        *NOT_PROJECTED,
        sent_back(),
        TaskClaimed(task_id="T-1"),
        TaskReviewed(task_id="T-1", decision="?"),
    ]:
        folded(*given, fact)
