"""What can be worked on next: eligible tasks, conflicts, waiting, deadlocks; and when a run verifies itself."""

from __future__ import annotations

from typing import Any

import pytest

from esaa.contracts.governance import Governance
from esaa.kernel.decider import Rejected
from esaa.protocol.cadence import verification_due
from esaa.protocol.facts import OutputRejected, TaskReviewed, VerificationPassed
from esaa.protocol.scheduling import Plan, plan
from tests.scenarios import (
    IMPL,
    LATER,
    ORCHESTRATOR,
    QA,
    SPEC,
    Story,
    approved,
    claim,
    claimed,
    completed,
    created,
    done,
    folded,
    governance,
    governed,
    hotfix,
    in_progress,
    in_review,
    protocol_spec,
    reported,
    run_start,
    sent_back,
    submit,
    todo,
)


def _plan(*given: Story, rules: Governance | None = None, now: str = LATER, in_flight: tuple[str, ...] = ()) -> Plan:
    return plan(folded(*given), governance() if rules is None else rules, now, in_flight)


def _orders(made: Plan) -> list[tuple[str, str, str]]:
    return [(order.task_id, order.action, order.actor) for order in made.orders]


def _waits(made: Plan) -> dict[str, str]:
    return {one.task_id: one.reason for one in made.waiting}


def _dead(made: Plan) -> list[str]:
    return [one.task_id for one in made.deadlocked]


def test_each_status_is_ordered_from_the_actor_it_waits_for() -> None:
    made = _plan(
        *todo("T-1", outputs=["src/1"]), *in_progress("T-2", outputs=["src/2"]), *in_review("T-3", outputs=["src/3"])
    )

    assert _orders(made) == [("T-1", "claim", IMPL), ("T-2", "complete", IMPL), ("T-3", "review", QA)]
    assert made.waiting == made.deadlocked == ()
    assert not made.is_finished


def test_project_without_tasks_is_not_finished_and_one_with_all_done_is() -> None:
    assert not _plan().is_finished
    assert _plan(*done()).is_finished
    assert _orders(_plan(*done())) == []


def test_hotfixes_come_first_then_creation_order() -> None:
    made = _plan(
        *done("T-0"),
        *todo("T-1", outputs=["src/1"]),
        *todo("T-2", "spec"),
        (reported(task_id="T-0", fixes="T-0"), QA),
        hotfix(fixes="T-0", scope_patch=("src/h",)),
    )

    assert [order.task_id for order in made.orders] == ["HF-1", "T-1", "T-2"]


@pytest.mark.parametrize(
    ("status", "kind", "template"),
    [
        (todo, "spec", "spec.core"),
        (todo, "impl", "impl.core"),
        (todo, "qa", "qa.core"),
        (in_progress, "impl", "impl.core"),
        (in_review, "impl", "qa.core"),
        (in_review, "qa", "spec.core"),
    ],
)
def test_template_is_that_of_the_assignment_or_of_the_reviewer(status: Any, kind: str, template: str) -> None:
    assert [order.template for order in _plan(*status(kind=kind)).orders] == [template]


def test_hotfix_has_the_template_of_its_flag() -> None:
    made = _plan(*done(), reported(fixes="T-1"), hotfix())

    assert [order.template for order in made.orders] == ["impl.hotfix"]


def test_order_carries_its_number_and_the_deadline_of_a_delivery() -> None:
    refused = OutputRejected(task_id="T-1", error_code="X", message="m", counts=True)
    (first,) = _plan(*todo()).orders
    (third,) = _plan(*in_progress(), refused, refused).orders
    (second_review,) = _plan(*in_review(), sent_back(), completed()).orders

    assert (first.attempt, first.deadline) == (1, None)
    assert (third.attempt, third.deadline) == (3, "2026-03-01T12:30:00Z")
    assert (second_review.action, second_review.attempt, second_review.deadline) == ("review", 2, None)


def test_task_waits_for_dependencies_that_are_not_done() -> None:
    made = _plan(*todo("T-1", outputs=["src/1"]), created("T-2", depends_on=("T-1",)))

    assert _waits(made) == {"T-2": "waits for T-1"}
    assert made.waiting[0].on == ("T-1",)
    assert _dead(made) == []


def test_write_sets_that_may_meet_are_not_in_flight_at_once() -> None:
    made = _plan(*todo("T-1", outputs=["src/a"]), *todo("T-2", outputs=["src/A"]), *todo("T-3", outputs=["src/b"]))

    assert [order.task_id for order in made.orders] == ["T-1", "T-3"]
    assert "at the same time as T-1" in _waits(made)["T-2"]
    assert made.waiting[0].on == ("T-1",)


def test_task_in_flight_is_not_ordered_again_and_holds_its_files() -> None:
    made = _plan(*todo("T-1"), *todo("T-2"), in_flight=("T-1",))

    assert _orders(made) == []
    assert list(_waits(made)) == ["T-2"]
    assert _dead(made) == []


def test_pause_after_a_refusal_is_waited_for_until_a_time() -> None:
    refused = OutputRejected(task_id="T-1", error_code="X", message="m", counts=True)
    given: tuple[Story, ...] = (*in_progress(), (refused, ORCHESTRATOR, "2026-03-01T12:09:00Z"))

    made = _plan(*given)

    assert [(one.until, one.is_blocked) for one in made.waiting] == [("2026-03-01T12:11:00Z", False)]
    assert _dead(made) == []
    assert _orders(_plan(*given, now="2026-03-01T12:11:00Z")) == [("T-1", "complete", IMPL)]


def test_blocked_task_waits_for_a_person() -> None:
    made = _plan(*in_progress(), reported(severity="high"))

    assert made.waiting[0].is_blocked
    assert "ISS-1" in made.waiting[0].reason
    assert _dead(made) == []


def test_task_without_attempts_waits_for_a_person_whatever_the_policy_blocks() -> None:
    rules = governed({"RUNTIME_POLICY.yaml": [("high: block_task", "high: log_only"), ("PT2M", "PT0S")]})
    refused = OutputRejected(task_id="T-1", error_code="X", message="m", counts=True)

    made = _plan(*in_progress(), refused, refused, refused, rules=rules)

    assert _orders(made) == []
    assert made.waiting[0].is_blocked
    assert _dead(made) == []


def test_halted_pipeline_lets_nothing_begin_but_the_hotfix_of_its_issue() -> None:
    made = _plan(
        run_start(),
        *done("T-0", outputs=["src/0"]),
        *todo("T-1", outputs=["src/1"]),
        *in_progress("T-2", outputs=["src/2"]),
        (reported("ISS-9", "T-0", "critical", fixes="T-0"), QA),
        hotfix(issue_id="ISS-9", fixes="T-0", scope_patch=("src/0",)),
    )

    assert _orders(made) == [("HF-1", "claim", IMPL), ("T-2", "complete", IMPL)]
    assert _waits(made) == {"T-1": "the critical issue ISS-9 halts all new work"}
    assert made.waiting[0].is_blocked


def test_task_waits_for_the_hotfix_it_asked_for_and_the_hotfix_not_for_it() -> None:
    given: tuple[Story, ...] = (
        *done("T-1", outputs=["src/a.py"]),
        *in_progress("T-2", outputs=["src/a.py"]),
        reported(task_id="T-2", fixes="T-1"),
        hotfix(scope_patch=("src/a.py",)),
    )

    made = _plan(*given)
    after = _plan(*given, claimed("HF-1"), completed("HF-1"), approved("HF-1"))

    assert _orders(made) == [("HF-1", "claim", IMPL)]
    assert _waits(made) == {"T-2": "waits for the hotfix HF-1"}
    assert _orders(after) == [("T-2", "complete", IMPL)]


def test_issue_that_asked_for_no_hotfix_makes_nobody_wait() -> None:
    made = _plan(*done("T-1"), *in_progress("T-2"), reported(task_id="T-2", fixes="T-1"))

    assert _orders(made) == [("T-2", "complete", IMPL)]


@pytest.mark.parametrize("status", [todo, in_progress, in_review])
def test_kind_that_nobody_serves_is_not_ordered_and_is_a_deadlock(status: Any) -> None:
    made = _plan(*status(kind="docs"))

    assert _orders(made) == []
    assert "docs" in _waits(made)["T-1"]
    assert _dead(made) == ["T-1"]


def test_owner_that_is_no_longer_registered_is_not_ordered() -> None:
    made = _plan(created(), (claimed(), "agent-gone"))

    assert _orders(made) == []
    assert _dead(made) == ["T-1"]


def test_task_in_progress_that_nobody_owns_is_not_ordered() -> None:
    made = _plan(created(), TaskReviewed(task_id="T-1", decision="request_changes", tasks=("x",)))

    assert _dead(made) == ["T-1"]


# Deadlock, and what only looks like one.


def test_circle_of_dependencies_in_another_writers_log_is_a_deadlock() -> None:
    made = _plan(
        created("T-1", depends_on=("T-2",)), created("T-2", depends_on=("T-1",)), created("T-3", depends_on=("T-2",))
    )

    assert _dead(made) == ["T-1", "T-2", "T-3"]


def test_dependency_on_an_unknown_task_is_a_deadlock() -> None:
    assert _dead(_plan(created("T-1", depends_on=("T-404",)))) == ["T-1"]


def test_nothing_is_a_deadlock_while_something_goes_on() -> None:
    made = _plan(created("T-1", depends_on=("T-404",)), *todo("T-2", "spec"))

    assert _orders(made) == [("T-2", "claim", SPEC)]
    assert _dead(made) == []


def test_whoever_waits_for_a_blocked_task_is_blocked_not_deadlocked() -> None:
    made = _plan(
        *in_progress("T-1", outputs=["src/1"]),
        reported(severity="high"),
        created("T-2", depends_on=("T-1",)),
        created("T-3", depends_on=("T-2",)),
        created("T-4", depends_on=("T-2", "T-404")),
    )

    assert _dead(made) == ["T-4"]


def test_conflict_with_a_blocked_or_pausing_task_is_no_deadlock() -> None:
    blocked = _plan(*in_progress("T-1"), reported(severity="high"), *todo("T-2"))
    refused = OutputRejected(task_id="T-1", error_code="X", message="m", counts=True)
    pausing = _plan(*in_progress("T-1"), (refused, ORCHESTRATOR, LATER), *todo("T-2"))

    for made in (blocked, pausing):
        assert _orders(made) == []
        assert list(_waits(made)) == ["T-1", "T-2"]
        assert _dead(made) == []


def test_task_that_waits_for_a_blocked_hotfix_is_no_deadlock() -> None:
    made = _plan(
        *done("T-1", outputs=["src/a.py"]),
        *in_progress("T-2", outputs=["src/b.py"]),
        reported(task_id="T-2", fixes="T-1"),
        hotfix(),
        reported("ISS-2", "HF-1", "high"),
    )

    assert sorted(_waits(made)) == ["HF-1", "T-2"]
    assert _dead(made) == []


def test_every_order_of_a_claim_is_one_that_the_rules_accept() -> None:
    given: tuple[Story, ...] = (
        run_start(),
        *done("T-0", outputs=["src/0"]),
        *todo("T-1", outputs=["src/1"]),
        created("T-2", "qa", depends_on=("T-0",)),
        *todo("T-3", "spec"),
    )
    for order in _plan(*given).orders:
        decision = protocol_spec().given(*given).when(submit(order.actor, claim(order.task_id), asked=order.task_id))

        assert not isinstance(decision.decision, Rejected)


# Cadence.


def _cadence(name: str) -> Governance:
    return governed({"RUNTIME_POLICY.yaml": [("cadence: adaptive", f"cadence: {name}")]})


@pytest.mark.parametrize(("name", "due"), [("every_result", True), ("run_end", False), ("adaptive", True)])
def test_cadence_decides_when_a_small_state_is_verified(name: str, due: bool) -> None:
    assert verification_due(folded(*in_progress()), _cadence(name)) == due


@pytest.mark.parametrize("name", ["every_result", "run_end", "adaptive"])
def test_nothing_is_verified_twice(name: str) -> None:
    state = folded(*in_progress(), VerificationPassed(projection_hash_sha256="x"), reported())

    assert not verification_due(state, _cadence(name))


def test_adaptive_cadence_keeps_hashing_a_bounded_share() -> None:
    tasks = [created(f"T-{number}") for number in range(640)]
    passed = VerificationPassed(projection_hash_sha256="x")
    claims = [claimed(f"T-{number}") for number in range(10)]

    assert not verification_due(folded(*tasks, passed, *claims[:9]), _cadence("adaptive"))
    assert verification_due(folded(*tasks, passed, *claims), _cadence("adaptive"))
