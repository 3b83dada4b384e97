"""What the operator and the orchestrator decide: tasks, amendments, hotfixes, issues, runs; and cut batches."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from esaa.kernel.decider import Rejected
from esaa.protocol.commands import (
    AmendTask,
    CreateHotfix,
    CreateTask,
    EndRun,
    RecordRepair,
    RecordVerification,
    ResolveIssue,
    StartRun,
)
from esaa.protocol.decide import decide
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    HotfixCreated,
    IssueResolved,
    OutputRejected,
    RunEnded,
    RunStarted,
    TaskAmended,
    TaskCreated,
    VerificationFailed,
    VerificationPassed,
    VerificationStarted,
    ViewMutated,
)
from esaa.protocol.settle import unclosed_act
from tests.scenarios import (
    LATER,
    ORCHESTRATOR,
    Story,
    actions,
    approved,
    claimed,
    completed,
    created,
    done,
    facts_of,
    folded,
    governance,
    hotfix,
    in_progress,
    protocol_spec,
    reported,
    run_start,
    settled,
    story,
    todo,
)


def _new(**fields: Any) -> CreateTask:
    return CreateTask(**{"task_id": "T-2", "task_kind": "impl", "title": "new", **fields})


def test_task_is_created_with_what_was_given_and_nothing_else() -> None:
    protocol_spec().given().when(_new()).then(
        TaskCreated(task_id="T-2", task_kind="impl", title="new", depends_on=(), targets=[], outputs={"files": []})
    )
    full = _new(
        description="why",
        depends_on=("T-1",),
        targets=("R-1",),
        outputs=("src/a.py",),
        boundary_grant=("web/**",),
        acceptance_criteria=("it runs",),
        supersedes=("T-1",),
    )
    protocol_spec().given(*todo()).when(full).then(
        TaskCreated(
            task_id="T-2",
            task_kind="impl",
            title="new",
            description="why",
            depends_on=("T-1",),
            targets=["R-1"],
            outputs={"files": ["src/a.py"]},
            boundary_grant=("web/**",),
            acceptance_criteria=["it runs"],
            supersedes=("T-1",),
        )
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"task_id": "T-1"}, "DUPLICATE_TASK"),
        ({"task_id": ""}, "SCHEMA_INVALID"),
        ({"task_id": "../T-2"}, "SCHEMA_INVALID"),
        ({"task_id": "T 2"}, "SCHEMA_INVALID"),
        ({"task_id": "-T"}, "SCHEMA_INVALID"),
        ({"task_id": "T" * 129}, "SCHEMA_INVALID"),
        ({"task_id": "T-2\n"}, "SCHEMA_INVALID"),
        ({"task_kind": "docs"}, "SCHEMA_INVALID"),
        ({"depends_on": ("T-2",)}, "DEPENDENCY_INVALID"),
        ({"depends_on": ("T-404",)}, "DEPENDENCY_INVALID"),
        ({"outputs": ("../a",)}, "PATH_INVALID"),
        ({"outputs": ("src/*.py",)}, "PATH_INVALID"),
        ({"boundary_grant": ("/etc/**",)}, "PATH_INVALID"),
        ({"supersedes": ("T-1", "T-404")}, "TASK_NOT_FOUND"),
    ],
)
def test_task_that_cannot_be_is_refused(fields: dict[str, Any], code: str) -> None:
    protocol_spec().given(*todo()).when(_new(**fields)).then_rejected(code)


# task.amend


def _amend(*given: Story, version: str = "0.4.1", **fields: Any) -> Any:
    state = folded(*given, schema_version=version)
    decision = decide(AmendTask(task_id="T-1", **fields), state, governance(), LATER)
    return decision if isinstance(decision, Rejected) else decision.drafts[0].fact


def test_todo_task_is_amended_in_a_0_4_1_log() -> None:
    assert _amend(*todo(), title="better", outputs=("src/b.py",), acceptance_criteria=("it runs",)) == TaskAmended(
        task_id="T-1", title="better", outputs={"files": ["src/b.py"]}, acceptance_criteria=["it runs"]
    )
    assert _amend(*todo(), boundary_grant=()) == TaskAmended(task_id="T-1", boundary_grant=())


def test_amendment_belongs_to_0_4_1() -> None:
    refusal = _amend(*todo(), version="0.4.0", title="better")

    assert isinstance(refusal, Rejected)
    assert refusal.error_code == "UNKNOWN_ACTION"


@pytest.mark.parametrize(
    ("given", "fields", "code"),
    [
        ((created("T-0"),), {}, "TASK_NOT_FOUND"),
        (in_progress(), {"title": "x"}, "INVALID_TRANSITION"),
        (done(), {"title": "x"}, "INVALID_TRANSITION"),
        (todo(), {"depends_on": ("T-1",)}, "DEPENDENCY_INVALID"),
        (todo(), {"outputs": ("/a",)}, "PATH_INVALID"),
        (todo(), {"boundary_grant": ("..",)}, "PATH_INVALID"),
    ],
)
def test_amendment_that_cannot_be_is_refused(given: tuple[Story, ...], fields: dict[str, Any], code: str) -> None:
    refusal = _amend(*given, **fields)

    assert isinstance(refusal, Rejected)
    assert refusal.error_code == code


def test_amendment_that_closes_a_circle_is_refused_however_long_it_is() -> None:
    given: tuple[Story, ...] = (
        created("T-1"),
        created("T-2", depends_on=("T-404", "T-1")),
        created("T-3", depends_on=("T-2", "T-1")),
        created("T-4", depends_on=("T-3", "T-2")),
        created("T-5"),
    )
    for name in ("T-2", "T-3", "T-4"):
        refusal = _amend(*given, depends_on=(name,))
        assert isinstance(refusal, Rejected)
        assert refusal.error_code == "DEPENDENCY_INVALID"
    assert _amend(*given, depends_on=("T-5",)) == TaskAmended(task_id="T-1", depends_on=("T-5",))


def test_dependencies_of_other_tasks_that_form_a_circle_do_not_hang_the_question() -> None:
    given: tuple[Story, ...] = (
        created("T-1"),
        created("T-2", depends_on=("T-3",)),
        created("T-3", depends_on=("T-2",)),
    )

    assert _amend(*given, depends_on=("T-2",)) == TaskAmended(task_id="T-1", depends_on=("T-2",))


# Hotfixes by a person.

_OPEN: tuple[Story, ...] = (run_start(), *done(outputs=["src/a.py"]), reported())


def test_hotfix_by_a_person_mends_what_the_issue_is_about() -> None:
    decision = protocol_spec().given(*_OPEN).when(CreateHotfix(issue_id="ISS-1")).decision

    assert not isinstance(decision, Rejected)
    (fact,) = decision
    assert isinstance(fact, HotfixCreated)
    assert (fact.task_id, fact.fixes, fact.scope_patch, fact.baseline_id) == (
        "HF-ISS-1",
        "T-1",
        ("src/a.py",),
        "B-000",
    )


def test_hotfix_takes_the_given_scope_target_and_id() -> None:
    command = CreateHotfix(
        issue_id="ISS-1", fixes="T-1", scope_patch=("src/x/**", "src/b.py", "src/b.py"), task_id="MEND-1"
    )

    decision = protocol_spec().given(*_OPEN).when(command).decision

    assert not isinstance(decision, Rejected)
    (fact,) = decision
    assert isinstance(fact, HotfixCreated)
    assert (fact.task_id, fact.scope_patch, fact.outputs) == (
        "MEND-1",
        ("src/x/**", "src/b.py"),
        {"files": ["src/b.py"]},
    )


@pytest.mark.parametrize(
    ("given", "fields", "code"),
    [
        (_OPEN, {"issue_id": "ISS-404"}, "HOTFIX_ISSUE_NOT_FOUND"),
        ((*_OPEN, IssueResolved(issue_id="ISS-1")), {}, "HOTFIX_ISSUE_NOT_OPEN"),
        (_OPEN, {"fixes": "T-404"}, "TASK_NOT_FOUND"),
        ((*in_progress(), reported()), {}, "HOTFIX_TARGET_NOT_DONE"),
        ((*_OPEN, hotfix()), {}, "HOTFIX_ALREADY_EXISTS"),
        (_OPEN, {"task_id": "T-1"}, "DUPLICATE_TASK"),
        (_OPEN, {"task_id": "no id"}, "SCHEMA_INVALID"),
        (_OPEN, {"scope_patch": ("docs/**",)}, "HOTFIX_SCOPE_INVALID"),
        (_OPEN, {"scope_patch": ("src/a.py", "docs/a.md")}, "HOTFIX_SCOPE_INVALID"),
        (_OPEN, {"scope_patch": ("src/../a",)}, "HOTFIX_SCOPE_INVALID"),
        (_OPEN, {"scope_patch": ("**",)}, "HOTFIX_SCOPE_INVALID"),
        ((*done("T-1", "docs"), reported()), {}, "HOTFIX_SCOPE_INVALID"),
    ],
)
def test_hotfix_that_cannot_be_is_refused(given: tuple[Story, ...], fields: dict[str, Any], code: str) -> None:
    protocol_spec().given(*given).when(CreateHotfix(**{"issue_id": "ISS-1", **fields})).then_rejected(code)


def test_issue_whose_hotfix_is_done_may_have_another() -> None:
    given = (*_OPEN, hotfix(), claimed("HF-1"), completed("HF-1"), approved("HF-1"))

    assert not isinstance(protocol_spec().given(*given).when(CreateHotfix(issue_id="ISS-1")).decision, Rejected)


# Issues, runs, verifications, repairs.


def test_person_resolves_an_issue_with_a_note() -> None:
    protocol_spec().given(*_OPEN).when(ResolveIssue(issue_id="ISS-1")).then(
        IssueResolved(issue_id="ISS-1", resolution={"status": "resolved_by_command", "hotfix_task_id": None})
    )
    protocol_spec().given(*_OPEN).when(ResolveIssue(issue_id="ISS-1", status="wont_fix", note="by design")).then(
        IssueResolved(issue_id="ISS-1", resolution={"status": "wont_fix", "hotfix_task_id": None, "note": "by design"})
    )


def test_first_run_gets_its_number_and_defaults_and_the_next_ones_go_on_from_it() -> None:
    protocol_spec().given().when(StartRun()).then(
        RunStarted(
            run_id="RUN-0001",
            status="initialized",
            master_correlation_id="CID-ESAA-INIT",
            baseline_id="B-000",
            project_name=UNSET,
        )
    )
    ended = (RunStarted(run_id="R", baseline_id="B-7", master_correlation_id="C"), RunEnded(status="success"))
    protocol_spec().given(*ended).when(StartRun()).then(
        RunStarted(run_id="RUN-0002", master_correlation_id="C", baseline_id="B-7")
    )
    protocol_spec().given(*ended).when(StartRun(run_id="MINE", baseline_id="B-8", project_name="p")).then(
        RunStarted(run_id="MINE", master_correlation_id="C", baseline_id="B-8", project_name="p")
    )


def test_run_that_has_ended_is_not_begun_again() -> None:
    ended = (run_start(), RunEnded(status="success"))

    protocol_spec().given(*ended).when(StartRun(run_id="RUN-0001")).then_rejected("RUN_CONFLICT")


@pytest.mark.parametrize("status", ["success", "failed", "halted"])
def test_run_ends_with_its_status(status: Any) -> None:
    protocol_spec().given(run_start()).when(EndRun(status=status)).then(RunEnded(status=status))


def test_verification_is_a_start_and_its_outcome() -> None:
    protocol_spec().given().when(RecordVerification(expected_sha256="a")).then(
        VerificationStarted(strict=True), VerificationPassed(projection_hash_sha256="a")
    )
    protocol_spec().given().when(RecordVerification(expected_sha256="a", message="differs", found_sha256="b")).then(
        VerificationStarted(strict=True),
        VerificationFailed(verify_status="mismatch", message="differs", expected_sha256="a", found_sha256="b"),
    )


def test_verification_after_the_run_begins_another_one() -> None:
    state = folded(run_start(), RunEnded(status="success"))

    outcome = settled(RecordVerification(expected_sha256="a"), state)

    assert actions(facts_of(outcome)) == ["run.start", "verify.start", "verify.ok"]
    assert [draft.follows for draft in outcome.drafts] == [False, False, True]


def test_repair_is_a_view_mutation_with_its_target() -> None:
    command = RecordRepair(target="log", change="torn tail moved", detail={"bytes": 7})

    protocol_spec().given(run_start()).when(command).then(
        ViewMutated(target="log", change="torn tail moved", detail={"bytes": 7})
    )


# A batch that a crash cut.

_VIEW = ViewMutated(target="roadmap", change="projected")
_WRITE = FileWritten(task_id="T-1", files=("src/a",))


@pytest.mark.parametrize(
    ("tail", "version"),
    [
        ([], None),
        ([_VIEW], None),
        ([claimed(), _VIEW], None),
        ([claimed()], 2),
        ([completed()], 2),
        ([completed(), _WRITE], 2),
        ([completed(), _WRITE, _WRITE], 2),
        ([completed(), _WRITE, _VIEW], None),
        ([reported()], 2),
        ([reported(fixes="T-1"), hotfix()], 2),
        ([approved("T-1")], 2),
        ([approved("T-1"), IssueResolved(issue_id="ISS-1")], 2),
        ([OutputRejected(error_code="X")], None),
        ([VerificationStarted(), VerificationPassed()], None),
        ([RunEnded(status="success")], None),
        ([_VIEW, hotfix()], None),
    ],
)
def test_act_whose_batch_was_not_closed_is_found_at_the_end_of_the_log(tail: list[Fact], version: int | None) -> None:
    events = story(created(), *tail)

    assert unclosed_act(reversed(events)) == version


def test_log_that_ends_at_its_beginning_holds_no_act() -> None:
    assert unclosed_act([]) is None
    assert unclosed_act(reversed(story(hotfix()))) is None


def test_orchestrator_writes_every_fact_of_a_command() -> None:
    assert [draft.actor for draft in settled(_new(), folded()).drafts] == [ORCHESTRATOR, ORCHESTRATOR]
