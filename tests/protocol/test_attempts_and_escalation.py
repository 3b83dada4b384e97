"""Attempts, time to live and cooldown; what open issues hold up; deadlocks; unknown actors (DESIGN 12.3 and 12.7)."""

from __future__ import annotations

from typing import Any

import pytest

from esaa.contracts.governance import Governance
from esaa.kernel.decider import Rejected
from esaa.kernel.times import parse_ts
from esaa.protocol.attempts import cooldown_end, deadline
from esaa.protocol.commands import (
    CreateTask,
    RecordTimeout,
    RejectOutput,
    ReportDeadlock,
    ResolveIssue,
    StartRun,
    Submit,
)
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import (
    HotfixCreated,
    IssueReported,
    IssueResolved,
    OutputRejected,
    RunEnded,
    RunStarted,
    ViewMutated,
)
from esaa.protocol.settle import Settlement
from esaa.protocol.state import State
from tests.scenarios import (
    IMPL,
    LATER,
    MONITOR,
    ORCHESTRATOR,
    QA,
    SPEC,
    Story,
    actions,
    append,
    approved,
    claim,
    claimed,
    complete,
    created,
    done,
    facts_of,
    folded,
    governance,
    governed,
    hotfix,
    in_progress,
    in_review,
    lesson,
    protocol_spec,
    record,
    report,
    reported,
    review,
    run_start,
    sent_back,
    settled,
    submit,
    todo,
)

NO_COOLDOWN = governed({"RUNTIME_POLICY.yaml": [("cooldown: PT2M", "cooldown: PT0S")]})
LENIENT = governed({"RUNTIME_POLICY.yaml": [("high: block_task", "high: log_only"), ("PT2M", "PT0S")]})
BAD = complete(checks=0)


def _at(minute: int, second: int = 0) -> str:
    return f"2026-03-01T12:{minute:02d}:{second:02d}Z"


def _step(state: State, command: Any, now: str = LATER, rules: Governance | None = None) -> Settlement:
    outcome = settled(command, state, rules, now)
    append(state, outcome.drafts, now)
    return outcome


def _code(outcome: Settlement) -> str | None:
    return None if outcome.rejected is None else outcome.rejected.error_code


# Attempts.


def test_refused_output_of_the_owner_costs_an_attempt_and_is_remembered() -> None:
    state = folded(*in_progress())

    outcome = _step(state, submit(IMPL, BAD))

    (fact,) = facts_of(outcome)
    assert isinstance(fact, OutputRejected)
    assert (fact.rejected_actor, fact.counts, fact.source_action, fact.task_id) == (IMPL, True, "complete", "T-1")
    assert (fact.error_code, fact.reason, fact.layer) == (
        "MISSING_VERIFICATION",
        "schema_violation",
        "verification_gate",
    )
    work = state.work("T-1")
    assert (work.attempts, work.rejected_at, work.since) == (1, LATER, LATER)
    assert work.last_rejection is not None
    assert work.last_rejection["error_code"] == "MISSING_VERIFICATION"
    assert work.last_rejection["hint"] == fact.hint


@pytest.mark.parametrize("actor", [SPEC, QA, MONITOR])
def test_refused_output_of_anybody_else_is_recorded_and_costs_nothing(actor: str) -> None:
    state = folded(*in_progress())

    outcome = _step(state, submit(actor, complete()))

    (fact,) = facts_of(outcome)
    assert isinstance(fact, OutputRejected)
    assert (fact.counts, fact.rejected_actor) == (False, actor)
    assert state.work("T-1").attempts == 0
    assert state.work("T-1").rejected_at is None


def test_third_refusal_makes_the_monitor_report_and_the_task_is_blocked() -> None:
    state = folded(run_start(), *in_progress())
    for number in range(2):
        assert actions(facts_of(_step(state, submit(IMPL, BAD), _at(10 + 3 * number)))) == ["output.rejected"]

    outcome = settled(submit(IMPL, BAD), state, now=_at(20))
    append(state, outcome.drafts, _at(20))

    assert actions(facts_of(outcome)) == ["output.rejected", "issue.report", "orchestrator.view.mutate"]
    assert [draft.actor for draft in outcome.drafts] == [ORCHESTRATOR, MONITOR, ORCHESTRATOR]
    assert [draft.follows for draft in outcome.drafts] == [False, True, True]
    issue = state.header.issues["ISS-ATTEMPTS-T-1"]
    assert (issue.severity, issue.is_open, issue.about_task_id) == ("high", True, "T-1")
    assert _code(_step(state, submit(IMPL, complete()), _at(25))) == "TASK_BLOCKED"


def test_attempts_never_exceed_what_the_policy_allows_and_the_report_is_made_once() -> None:
    state = folded(*in_progress())
    reports = 0
    for number in range(8):
        outcome = _step(state, submit(IMPL, b"not json", asked="T-1"), _at(10 + 3 * number))
        reports += sum(isinstance(fact, IssueReported) for fact in facts_of(outcome))

    assert state.work("T-1").attempts == 3
    assert reports == 1


def test_resolving_the_issue_gives_the_attempts_back() -> None:
    state = folded(*in_progress())
    for number in range(3):
        _step(state, submit(IMPL, BAD), _at(10 + 3 * number))

    _step(state, ResolveIssue(issue_id="ISS-ATTEMPTS-T-1", note="talked to it"), _at(30))

    assert state.work("T-1").attempts == 0
    assert _code(_step(state, submit(IMPL, complete()), _at(30))) is None


def test_used_up_attempts_refuse_even_where_the_policy_does_not_block() -> None:
    state = folded(*in_progress())
    for _ in range(3):
        _step(state, submit(IMPL, BAD), rules=LENIENT)

    outcome = _step(state, submit(IMPL, complete()), rules=LENIENT)

    assert _code(outcome) == "MAX_ATTEMPTS_EXCEEDED"
    assert state.work("T-1").attempts == 3


def test_rejections_by_a_person_count_and_use_the_attempts_up_too() -> None:
    state = folded(*in_progress())
    command = RejectOutput(task_id="T-1", actor=IMPL, error_code="EDIT_INVALID", message="it edited by hand")
    for _ in range(2):
        assert actions(facts_of(_step(state, command))) == ["output.rejected"]

    third = _step(state, command)

    assert actions(facts_of(third)) == ["output.rejected", "issue.report", "orchestrator.view.mutate"]
    assert _code(_step(state, submit(IMPL, complete()), _at(40))) == "TASK_BLOCKED"
    _step(state, command)
    assert state.work("T-1").attempts == 3


@pytest.mark.parametrize(("status", "action"), [(todo, "claim"), (in_progress, "complete"), (in_review, "review")])
def test_rejection_by_a_person_is_about_the_act_that_the_task_waits_for(status: Any, action: str) -> None:
    command = RejectOutput(task_id="T-1", actor=IMPL, error_code="EDIT_INVALID", message="no")

    (fact,) = facts_of(settled(command, folded(*status())))

    assert isinstance(fact, OutputRejected)
    assert fact.source_action == action


def test_person_cannot_reject_what_is_not_there_or_is_done() -> None:
    command = RejectOutput(task_id="T-1", actor=IMPL, error_code="EDIT_INVALID", message="no")

    assert _code(settled(command, folded())) == "TASK_NOT_FOUND"
    assert _code(settled(command, folded(*done()))) == "IMMUTABLE_DONE_VIOLATION"
    assert facts_of(settled(command, folded())) == ()


def test_refusal_of_unreadable_bytes_belongs_to_the_task_that_was_asked() -> None:
    state = folded(*in_progress(), *todo("T-2"))

    (asked,) = facts_of(settled(submit(IMPL, b"?", asked="T-1"), state))
    (unasked,) = facts_of(settled(submit(IMPL, b"?"), state))

    assert isinstance(asked, OutputRejected)
    assert isinstance(unasked, OutputRejected)
    assert (asked.task_id, asked.counts, asked.source_action) == ("T-1", True, "complete")
    assert (unasked.task_id, unasked.counts, unasked.source_action) == (None, False, None)


def test_answer_about_another_task_costs_the_task_that_was_asked() -> None:
    state = folded(*in_progress(), *todo("T-2"))

    outcome = _step(state, submit(IMPL, claim("T-2"), asked="T-1"))

    assert _code(outcome) == "WRONG_TASK"
    assert (state.work("T-1").attempts, state.work("T-2").attempts) == (1, 0)


def test_every_refusal_holds_the_digest_of_the_bytes() -> None:
    command = submit(IMPL, BAD)

    (fact,) = facts_of(settled(command, folded(*in_progress())))

    assert isinstance(fact, OutputRejected)
    assert fact.result_sha256 == command.result.result_sha256


# Cooldown.


def test_pause_after_a_refusal_costs_no_attempt_and_ends() -> None:
    state = folded(*in_progress())
    _step(state, submit(IMPL, BAD), _at(10))

    early = _step(state, submit(IMPL, complete()), _at(11, 59))
    work = state.work("T-1")
    in_time = settled(submit(IMPL, complete()), state, now=_at(12))

    assert _code(early) == "COOLDOWN_ACTIVE"
    assert (work.attempts, work.rejected_at) == (1, _at(10))
    assert in_time.rejected is None


def test_accepted_act_ends_the_pause_but_not_the_count() -> None:
    state = folded(*todo())
    _step(state, submit(IMPL, complete()), _at(10))
    _step(state, submit(IMPL, claim()), _at(13))

    work = state.work("T-1")
    assert (work.attempts, work.rejected_at, work.last_rejection, work.claim) == (1, None, None, 2)
    assert settled(submit(IMPL, complete()), state, now=_at(13)).rejected is None


def test_policy_without_a_pause_makes_nobody_wait() -> None:
    state = folded(*in_progress())
    _step(state, submit(IMPL, BAD), _at(10), NO_COOLDOWN)

    task = state.task("T-1")
    assert task is not None
    assert cooldown_end(task, state, NO_COOLDOWN) is None
    assert settled(submit(IMPL, complete()), state, NO_COOLDOWN, _at(10)).rejected is None


def test_report_is_possible_in_a_pause_and_after_the_last_attempt() -> None:
    state = folded(*in_progress())
    for number in range(3):
        _step(state, submit(IMPL, BAD), _at(10 + 3 * number))
        assert settled(submit(IMPL, report()), state, now=_at(10 + 3 * number)).rejected is None


# Time to live.


def test_late_delivery_is_refused_counts_and_begins_a_new_attempt_of_the_same_owner() -> None:
    state = folded(*in_progress())

    late = _step(state, submit(IMPL, complete()), _at(30, 1))

    task = state.task("T-1")
    assert task is not None
    assert _code(late) == "ATTEMPT_TIMEOUT"
    assert (task.status, task.assigned_to) == ("in_progress", IMPL)
    assert (state.work("T-1").attempts, state.work("T-1").since) == (1, _at(30, 1))
    assert settled(submit(IMPL, complete()), state, now=_at(59)).rejected is None


def test_delivery_on_the_last_second_is_in_time() -> None:
    assert settled(submit(IMPL, complete()), folded(*in_progress()), now=_at(30)).rejected is None


def test_time_runs_for_deliveries_only() -> None:
    midnight = "2026-03-02T00:00:00Z"

    assert settled(submit(IMPL, claim()), folded(*todo()), now=midnight).rejected is None
    assert settled(submit(QA, review()), folded(*in_review()), now=midnight).rejected is None


def test_request_for_changes_begins_a_new_attempt() -> None:
    state = folded(*in_review(), (sent_back(), QA, _at(25)))
    task = state.task("T-1")
    assert task is not None

    assert deadline(task, state, governance()) == parse_ts(_at(55))
    assert (task.status, task.assigned_to, task.started_at) == ("in_progress", IMPL, _at(0))


def test_timeout_of_a_dispatched_agent_counts() -> None:
    state = folded(*in_progress())

    outcome = _step(state, RecordTimeout(actor=IMPL, task_id="T-1", source_action="complete", message="silent"))

    (fact,) = facts_of(outcome)
    assert isinstance(fact, OutputRejected)
    assert (fact.error_code, fact.counts, fact.source_action, fact.message) == (
        "ATTEMPT_TIMEOUT",
        True,
        "complete",
        "silent",
    )
    assert state.work("T-1").attempts == 1


@pytest.mark.parametrize("ts", ["yesterday", "", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_strange_times_of_another_writer_set_no_deadline_and_no_pause(ts: str) -> None:
    refused = OutputRejected(task_id="T-1", error_code="X", message="m")
    state = folded(created(), (claimed(), IMPL, ts), (refused, ORCHESTRATOR, ts))
    task = state.task("T-1")
    assert task is not None

    assert deadline(task, state, governance()) is None
    assert cooldown_end(task, state, governance()) is None
    assert settled(submit(IMPL, complete()), state).rejected is None


def test_time_without_an_offset_is_taken_for_utc_and_offsets_are_honoured() -> None:
    for ts in ("2026-03-01T12:00:00", "2026-03-01T09:00:00-03:00"):
        state = folded(created(), (claimed(), IMPL, ts))
        task = state.task("T-1")
        assert task is not None

        assert deadline(task, state, governance()) == parse_ts(_at(30))


# Escalation.


@pytest.mark.parametrize(
    ("severity", "code", "halts"),
    [
        ("low", None, False),
        ("medium", None, False),
        ("high", "TASK_BLOCKED", False),
        ("critical", "TASK_BLOCKED", True),
    ],
)
def test_severity_decides_what_an_open_issue_does(severity: str, code: str | None, halts: bool) -> None:
    state = folded(run_start(), *in_progress(), *todo("T-2", "spec"))

    outcome = _step(state, submit(IMPL, report(severity=severity)))

    expected = ["issue.report", "orchestrator.view.mutate", *(["run.end"] if halts else [])]
    assert actions(facts_of(outcome)) == expected
    assert state.header.run.is_open != halts
    assert _code(settled(submit(IMPL, complete()), state)) == code
    assert _code(settled(submit(SPEC, claim("T-2")), state)) == ("PIPELINE_HALTED" if halts else None)


def test_blocked_task_takes_nothing_but_reports_and_loses_no_attempt() -> None:
    for status, acts in (
        (todo, [(IMPL, claim())]),
        (in_progress, [(IMPL, complete())]),
        (in_review, [(QA, review()), (QA, review(decision="request_changes"))]),
    ):
        state = folded(*status(), (reported(severity="high"), QA))
        for actor, output in acts:
            outcome = _step(state, submit(actor, output))

            assert _code(outcome) == "TASK_BLOCKED"
            assert state.work("T-1").attempts == 0
        assert settled(submit(IMPL, report("T-1", "ISS-2")), state).rejected is None


@pytest.mark.parametrize("severity", ["high", "critical"])
def test_approval_waits_for_every_grave_issue_whatever_the_policy_makes_of_it(severity: str) -> None:
    rules = governed(
        {
            "RUNTIME_POLICY.yaml": [
                ("high: block_task", "high: log_only"),
                ("critical: halt_pipeline", "critical: log_only"),
            ]
        }
    )
    given: tuple[Story, ...] = (*in_review(), (reported(severity=severity), QA))
    spec = protocol_spec(rules).given(*given)

    spec.when(submit(QA, review())).then_rejected("TASK_BLOCKED")
    assert not isinstance(spec.when(submit(QA, review(decision="request_changes"))).decision, Rejected)


def test_halt_ends_the_run_with_the_issue_named_and_only_work_in_hand_goes_on() -> None:
    state = folded(run_start(), *in_progress("T-1"), *in_progress("T-2"), *todo("T-3"))

    outcome = _step(state, submit(IMPL, report("T-1", "ISS-9", "critical")))

    ended = facts_of(outcome)[-1]
    assert isinstance(ended, RunEnded)
    assert ended.status == "halted"
    assert "ISS-9" in str(ended.message)
    assert _code(settled(submit(IMPL, complete("T-2")), state)) is None
    assert _code(settled(submit(IMPL, claim("T-3")), state)) == "PIPELINE_HALTED"
    _step(state, ResolveIssue(issue_id="ISS-9"))
    assert _code(settled(submit(IMPL, claim("T-3")), state)) is None


def test_critical_report_after_the_run_begins_one_and_halts_it() -> None:
    state = folded(run_start(), *todo(), RunEnded(status="failed"))

    outcome = _step(state, submit(QA, report(severity="critical")))

    assert actions(facts_of(outcome)) == ["run.start", "issue.report", "orchestrator.view.mutate", "run.end"]
    assert not state.header.run.is_open


def test_critical_report_in_a_log_without_runs_ends_none() -> None:
    state = folded(*todo())

    outcome = _step(state, submit(QA, report(severity="critical")))

    assert actions(facts_of(outcome)) == ["issue.report", "orchestrator.view.mutate"]


def test_used_up_attempts_halt_the_run_where_the_policy_says_so() -> None:
    rules = governed({"RUNTIME_POLICY.yaml": [("high: block_task", "high: halt_pipeline"), ("PT2M", "PT0S")]})
    state = folded(run_start(), *in_progress())
    for _ in range(2):
        _step(state, submit(IMPL, BAD), rules=rules)

    outcome = _step(state, submit(IMPL, BAD), rules=rules)

    assert actions(facts_of(outcome))[-2:] == ["orchestrator.view.mutate", "run.end"]


def test_severity_of_another_writer_is_only_logged() -> None:
    state = folded(*todo(), reported(severity="blocker"))

    assert settled(submit(IMPL, claim()), state).rejected is None


@pytest.mark.parametrize(
    ("actor", "may"),
    [(IMPL, True), (QA, True), (MONITOR, True), (SPEC, False)],
    ids=["owner", "qa", "monitor", "other"],
)
@pytest.mark.parametrize("severity", ["high", "critical"])
def test_grave_report_needs_the_owner_a_qa_role_or_the_monitor(actor: str, severity: str, may: bool) -> None:
    outcome = protocol_spec().given(*in_progress()).when(submit(actor, report(severity=severity)))

    if may:
        assert not isinstance(outcome.decision, Rejected)
    else:
        outcome.then_rejected("SEVERITY_NOT_ALLOWED")
    assert not isinstance(
        protocol_spec().given(*in_progress()).when(submit(actor, report(severity="medium"))).decision, Rejected
    )


def test_issue_is_about_the_task_it_wants_fixed_not_about_the_one_that_found_it() -> None:
    state = folded(*done("T-1"), *in_progress("T-2"))

    _step(state, submit(IMPL, report("T-2", severity="high", fixes="T-1")))

    assert _code(settled(submit(IMPL, complete("T-2")), state)) is None


# The hotfix workflow, from the report to the resolution.


def test_hotfix_workflow_mends_a_done_task_without_touching_it() -> None:
    state = folded(run_start(), *done("T-1", outputs=["src/a.py"]))
    original = state.task("T-1")

    found = _step(state, submit(QA, report("T-1", "ISS-7", "critical", fixes="T-1", affected={"baseline_id": "B-9"})))
    assert actions(facts_of(found)) == [
        "issue.report",
        "hotfix.create",
        "orchestrator.view.mutate",
        "orchestrator.view.mutate",
        "run.end",
    ]
    made = facts_of(found)[1]
    assert isinstance(made, HotfixCreated)
    assert (made.task_id, made.issue_id, made.fixes, made.scope_patch) == ("HF-ISS-7", "ISS-7", "T-1", ("src/a.py",))
    assert (made.task_kind, made.baseline_id, made.required_verification) == ("impl", "B-9", {"checks_min": 2})
    assert state.header.issues["ISS-7"].hotfix_task_id == "HF-ISS-7"

    _step(state, StartRun())
    taken = _step(state, submit(IMPL, claim("HF-ISS-7")))
    delivered = _step(
        state,
        submit(IMPL, complete("HF-ISS-7", {"src/a.py": "mended"}, checks=2, issue_id="ISS-7", fixes="T-1")),
    )
    approval = _step(state, submit(QA, review("HF-ISS-7")))

    assert [_code(one) for one in (taken, delivered, approval)] == [None, None, None]
    assert actions(facts_of(approval)) == [
        "review",
        "issue.resolve",
        "orchestrator.view.mutate",
        "orchestrator.view.mutate",
    ]
    issue = state.header.issues["ISS-7"]
    assert (issue.status, issue.resolution) == (
        "resolved",
        {"status": "resolved_by_hotfix", "hotfix_task_id": "HF-ISS-7"},
    )
    assert state.task("T-1") == original


def test_report_names_the_scope_and_only_what_is_legal_stays_in_it() -> None:
    state = folded(*done("T-1", outputs=["src/a.py"]))
    paths = ["src/b/**", "src/c/*.py", "docs/x.md", "../etc", "src/b/**", ".git/config", "src/"]

    made = facts_of(settled(submit(QA, report(fixes="T-1", affected={"paths": paths})), state))[1]

    assert isinstance(made, HotfixCreated)
    assert made.scope_patch == ("src/b/**", "src/c/*.py", "src/")
    assert made.outputs == {"files": []}


def test_report_with_no_legal_path_falls_back_to_the_outputs_of_the_task() -> None:
    state = folded(*done("T-1", outputs=["src/a.py", "README.md"]))

    made = facts_of(settled(submit(QA, report(fixes="T-1", affected={"paths": ["docs/x.md"]})), state))[1]

    assert isinstance(made, HotfixCreated)
    assert made.scope_patch == ("src/a.py",)


def test_report_without_any_legal_scope_opens_the_issue_and_makes_no_hotfix() -> None:
    outcome = settled(submit(QA, report(fixes="T-1")), folded(*done("T-1")))

    assert actions(facts_of(outcome)) == ["issue.report", "orchestrator.view.mutate"]


def test_hotfix_of_a_kind_without_a_boundary_is_not_made() -> None:
    state = folded(*done("T-1", "docs", outputs=["docs/a.md"]))

    outcome = settled(submit(QA, report(fixes="T-1")), state)

    assert actions(facts_of(outcome)) == ["issue.report", "orchestrator.view.mutate"]


@pytest.mark.parametrize("status", [todo, in_progress, in_review])
def test_report_that_fixes_an_unfinished_task_makes_no_hotfix(status: Any) -> None:
    outcome = settled(submit(QA, report(fixes="T-1")), folded(*status(outputs=["src/a.py"])))

    assert "hotfix.create" not in actions(facts_of(outcome))


def test_report_again_while_the_hotfix_is_under_way_makes_no_second_one() -> None:
    state = folded(*done("T-1", outputs=["src/a.py"]))
    _step(state, submit(QA, report(fixes="T-1")))

    again = _step(state, submit(QA, report(fixes="T-1")))

    assert "hotfix.create" not in actions(facts_of(again))


def test_issue_that_comes_back_after_its_hotfix_gets_another_one_with_a_free_id() -> None:
    state = folded(*done("T-1", outputs=["src/a.py"]))
    for expected in ("HF-ISS-1", "HF-ISS-1-2", "HF-ISS-1-3"):
        outcome = _step(state, submit(QA, report(fixes="T-1")))
        assert facts_of(outcome)[1].task_id == expected  # type: ignore[union-attr]  # HotfixCreated
        append_story(state, expected)


def append_story(state: State, task_id: str) -> None:
    """The hotfix is claimed, delivered and approved."""
    _step(state, submit(IMPL, claim(task_id)))
    _step(state, submit(IMPL, complete(task_id, checks=2, issue_id="ISS-1", fixes="T-1")))
    assert _code(_step(state, submit(QA, review(task_id)))) is None


def test_hotfix_of_a_long_issue_id_can_still_be_named_by_an_agent() -> None:
    issue_id = "I" * 128
    state = folded(*done("T-1", outputs=["src/a.py"]))
    _step(state, submit(QA, report(issue_id=issue_id, fixes="T-1")))
    first = state.header.issues[issue_id].hotfix_task_id
    assert first is not None

    assert settled(submit(IMPL, claim(first)), state).rejected is None
    _step(state, submit(IMPL, claim(first)))
    _step(state, submit(IMPL, complete(first, checks=2, issue_id=issue_id, fixes="T-1")))
    _step(state, submit(QA, review(first)))
    _step(state, submit(QA, report(issue_id=issue_id, fixes="T-1")))
    second = state.header.issues[issue_id].hotfix_task_id

    assert second is not None
    assert second != first
    assert len(second) <= 128
    assert settled(submit(IMPL, claim(second)), state).rejected is None


def test_hotfix_of_a_task_with_a_grant_may_write_what_the_task_could() -> None:
    state = folded(*done("T-1", outputs=["web/a.js"], boundary_grant=("web/**",)))
    _step(state, submit(QA, report(fixes="T-1")))
    _step(state, submit(IMPL, claim("HF-ISS-1")))

    output = complete("HF-ISS-1", {"web/a.js": "x"}, checks=2, issue_id="ISS-1", fixes="T-1")

    assert settled(submit(IMPL, output), state).rejected is None


def test_approval_of_a_hotfix_whose_issue_was_resolved_meanwhile_resolves_nothing() -> None:
    state = folded(*done(), reported(fixes="T-1"), hotfix(), claimed("HF-1"), IssueResolved(issue_id="ISS-1"))
    _step(state, submit(IMPL, complete("HF-1", checks=2, issue_id="ISS-1", fixes="T-1")))

    outcome = _step(state, submit(QA, review("HF-1")))

    assert actions(facts_of(outcome)) == ["review", "orchestrator.view.mutate"]


def test_approval_of_an_ordinary_task_resolves_nothing() -> None:
    outcome = settled(submit(QA, review()), folded(*in_review(), reported()))

    assert actions(facts_of(outcome)) == ["review", "orchestrator.view.mutate"]


# Deadlock.


def test_deadlock_is_reported_by_the_monitor_on_the_first_task_and_names_all() -> None:
    state = folded(run_start(), *todo("T-1"), *todo("T-2"))
    command = ReportDeadlock(task_ids=("T-1", "T-2"), reasons=("T-1 waits for T-9", "T-2 waits for T-1"))

    outcome = settled(command, state)
    append(state, outcome.drafts)

    fact = facts_of(outcome)[0]
    assert isinstance(fact, IssueReported)
    assert outcome.drafts[0].actor == MONITOR
    assert (fact.issue_id, fact.severity, fact.task_id) == ("ISS-DEADLOCK-T-1", "high", "T-1")
    assert fact.evidence == {
        "symptom": "T-1 waits for T-9; T-2 waits for T-1",
        "repro_steps": ["esaa status", "esaa status T-1", "esaa status T-2"],
    }
    assert facts_of(settled(command, state)) == ()


def test_deadlock_that_comes_back_after_its_issue_was_resolved_is_reported_again() -> None:
    state = folded(*todo("T-1"))
    command = ReportDeadlock(task_ids=("T-1",), reasons=("T-1 waits",))
    append(state, settled(command, state).drafts)
    append(state, settled(ResolveIssue(issue_id="ISS-DEADLOCK-T-1"), state).drafts)

    assert actions(facts_of(settled(command, state))) == ["issue.report", "orchestrator.view.mutate"]


def test_deadlock_on_an_unknown_task_is_not_reported() -> None:
    assert facts_of(settled(ReportDeadlock(task_ids=("T-9",), reasons=("?",)), folded())) == ()


# Unknown actors.


def test_unknown_actor_is_recorded_once_in_a_window_without_harm_to_the_task() -> None:
    state = folded(run_start(), *in_progress())
    command = submit("stranger", complete(), asked="T-1")

    first = _step(state, command, _at(10))
    within = _step(state, command, _at(10, 59))
    after = _step(state, command, _at(11))

    (fact,) = facts_of(first)
    assert isinstance(fact, OutputRejected)
    assert (fact.error_code, fact.task_id, fact.counts, fact.count) == ("ACTOR_UNKNOWN", None, False, 1)
    assert fact.digests == (command.result.result_sha256,)
    assert "stranger" not in str(fact)
    assert [_code(one) for one in (first, within, after)] == ["ACTOR_UNKNOWN"] * 3
    assert facts_of(within) == ()
    assert len(facts_of(after)) == 1
    assert state.work("T-1").attempts == 0


def test_orchestrator_and_spellings_of_an_actor_are_unknown_actors() -> None:
    for actor in (ORCHESTRATOR, "AGENT-IMPL", "agent-impl ", "", "x" * 10_000):
        outcome = settled(submit(actor, claim()), folded(*todo()))

        assert _code(outcome) == "ACTOR_UNKNOWN"
        assert outcome.rejected is not None
        assert len(outcome.rejected.message) < 300


def test_unknown_actor_is_unknown_whatever_the_bytes_are() -> None:
    assert _code(settled(submit("stranger", b"?"), folded(*todo()))) == "ACTOR_UNKNOWN"


def test_strange_time_of_another_writer_opens_the_window_again() -> None:
    state = folded((OutputRejected(error_code="ACTOR_UNKNOWN", counts=False, count=1), ORCHESTRATOR, "long ago"))

    assert len(facts_of(settled(submit("stranger", claim()), state))) == 1


# Batches.


def test_batch_of_an_act_is_closed_by_a_view_for_every_read_model_it_touches() -> None:
    cases: list[tuple[State, Submit | CreateTask, list[str]]] = [
        (folded(*todo()), submit(IMPL, claim()), ["roadmap"]),
        (folded(*todo()), submit(IMPL, report()), ["issues"]),
        (folded(), CreateTask(task_id="T-1", task_kind="impl", title="new"), ["roadmap"]),
        (folded(*done(outputs=["src/a"])), submit(QA, report(fixes="T-1")), ["roadmap", "issues"]),
        (
            folded(*todo()),
            submit(IMPL, report(category="process", subtype="lesson", lesson=lesson("forbid text x"))),
            ["issues", "lessons"],
        ),
    ]
    for state, command, targets in cases:
        mutated = [fact for fact in facts_of(settled(command, state)) if isinstance(fact, ViewMutated)]

        assert [fact.target for fact in mutated] == targets
        assert all(fact.change == "projected" for fact in mutated)


def test_delivery_is_the_act_then_one_write_per_file_then_the_view_and_all_follow_from_the_act() -> None:
    outcome = settled(submit(IMPL, complete(files={"src/a": "1", "src/b": "2"})), folded(*in_progress()))

    assert actions(facts_of(outcome)) == [
        "complete",
        "orchestrator.file.write",
        "orchestrator.file.write",
        "orchestrator.view.mutate",
    ]
    assert [draft.actor for draft in outcome.drafts] == [IMPL, ORCHESTRATOR, ORCHESTRATOR, ORCHESTRATOR]
    assert [draft.follows for draft in outcome.drafts] == [False, True, True, True]


def test_first_append_after_a_run_ended_begins_the_next_run() -> None:
    state = folded(run_start(), *todo(), RunEnded(status="failed"))

    accepted = facts_of(settled(submit(IMPL, claim()), state))
    refused = facts_of(settled(submit(IMPL, complete()), state))

    assert actions(accepted) == ["run.start", "claim", "orchestrator.view.mutate"]
    assert actions(refused) == ["run.start", "output.rejected"]
    start = accepted[0]
    assert isinstance(start, RunStarted)
    assert (start.run_id, start.baseline_id, start.master_correlation_id) == ("RUN-0002", "B-000", "CID")


def test_refused_command_of_a_person_writes_nothing() -> None:
    outcome = settled(CreateTask(task_id="T-1", task_kind="impl", title="again"), folded(*todo()))

    assert _code(outcome) == "DUPLICATE_TASK"
    assert outcome.drafts == ()


def test_recorded_attempts_survive_a_fold_from_the_log() -> None:
    state = folded(*in_progress())
    outcome = settled(submit(IMPL, BAD), state)
    again = folded(*in_progress())

    for number, fact in enumerate(facts_of(outcome), start=3):
        evolve(again, record(fact, number, ts=LATER))
    append(state, outcome.drafts)

    assert again.work("T-1") == state.work("T-1")


def test_approval_forgets_the_work() -> None:
    state = folded(*in_review(), approved())

    assert state.header.work == {}
