"""The task state machine, every status with every act, and who may act (layer 4, INV-001)."""

from __future__ import annotations

from typing import Any

import pytest

from esaa.kernel.decider import LAYERS, Rejected
from esaa.protocol.facts import TaskClaimed, TaskCompleted, TaskReviewed
from esaa.protocol.transitions import ACTION_OF_STATUS, NEXT_STATUS, responsible_actor
from tests.scenarios import (
    IMPL,
    LATER,
    MONITOR,
    QA,
    SPEC,
    STORIES,
    Story,
    append,
    claim,
    claimed,
    complete,
    completed,
    created,
    done,
    facts_of,
    folded,
    governance,
    governed,
    in_progress,
    in_review,
    lesson_learned,
    protocol_spec,
    report,
    review,
    settled,
    submit,
    todo,
)

ACTS: dict[str, tuple[str, dict[str, Any]]] = {
    "claim": (IMPL, claim()),
    "complete": (IMPL, complete()),
    "review:approve": (QA, review()),
    "review:request_changes": (QA, review(decision="request_changes")),
    "issue.report": (IMPL, report()),
}

EXPECTED: dict[tuple[str, str], str] = {
    ("todo", "claim"): "in_progress",
    ("todo", "complete"): "MISSING_CLAIM",
    ("todo", "review:approve"): "MISSING_CLAIM",
    ("todo", "review:request_changes"): "MISSING_CLAIM",
    ("todo", "issue.report"): "todo",
    ("in_progress", "claim"): "INVALID_TRANSITION",
    ("in_progress", "complete"): "review",
    ("in_progress", "review:approve"): "MISSING_COMPLETE",
    ("in_progress", "review:request_changes"): "MISSING_COMPLETE",
    ("in_progress", "issue.report"): "in_progress",
    ("review", "claim"): "INVALID_TRANSITION",
    ("review", "complete"): "INVALID_TRANSITION",
    ("review", "review:approve"): "done",
    ("review", "review:request_changes"): "in_progress",
    ("review", "issue.report"): "review",
    ("done", "claim"): "IMMUTABLE_DONE_VIOLATION",
    ("done", "complete"): "IMMUTABLE_DONE_VIOLATION",
    ("done", "review:approve"): "IMMUTABLE_DONE_VIOLATION",
    ("done", "review:request_changes"): "IMMUTABLE_DONE_VIOLATION",
    ("done", "issue.report"): "done",
}


@pytest.mark.parametrize("status", STORIES)
@pytest.mark.parametrize("act", ACTS)
def test_every_act_in_every_status_does_what_the_machine_says(status: str, act: str) -> None:
    actor, output = ACTS[act]
    state = folded(*STORIES[status]())
    expected = EXPECTED[status, act]

    outcome = settled(submit(actor, output), state)
    append(state, outcome.drafts)

    task = state.task("T-1")
    assert task is not None
    if expected in STORIES:
        assert outcome.rejected is None
        assert task.status == expected
    else:
        assert outcome.rejected is not None
        assert outcome.rejected.error_code == expected
        assert task.status == status


def test_machine_has_no_way_that_the_table_does_not_name() -> None:
    ways = {key: value for key, value in EXPECTED.items() if value in STORIES and key[1] != "issue.report"}

    assert ways == NEXT_STATUS


@pytest.mark.parametrize("status", STORIES)
@pytest.mark.parametrize("act", [act for act in ACTS if act != "issue.report"])
def test_prior_status_that_is_wrong_never_makes_an_act_possible(status: str, act: str) -> None:
    actor, output = ACTS[act]
    for believed in STORIES:
        if believed == status:
            continue
        event = {**output["activity_event"], "prior_status": believed}
        decision = protocol_spec().given(*STORIES[status]()).when(submit(actor, {**output, "activity_event": event}))

        assert isinstance(decision.decision, Rejected)
        expected = EXPECTED[status, act]
        assert decision.decision.error_code == ("PRIOR_STATUS_MISMATCH" if expected in STORIES else expected)


def test_prior_status_that_is_right_is_accepted_and_recorded() -> None:
    spec = protocol_spec().given(*todo())

    spec.when(submit(IMPL, claim(prior_status="todo"))).then(TaskClaimed(task_id="T-1", prior_status="todo"))


@pytest.mark.parametrize("act", ACTS)
def test_prior_status_is_required_in_a_log_of_0_4_1_whatever_schema_lies_beside_it(act: str) -> None:
    actor, output = ACTS[act]
    state = folded(*STORIES["review" if act.startswith("review") else "todo"](), schema_version="0.4.1")

    rejected = settled(submit(actor, output), state).rejected

    assert rejected is not None
    assert rejected.error_code == "SCHEMA_INVALID"
    assert "prior_status" in rejected.message


def test_report_with_a_wrong_prior_status_is_refused_even_on_a_done_task() -> None:
    for status in STORIES:
        wrong = "todo" if status != "todo" else "done"
        spec = protocol_spec().given(*STORIES[status]())

        spec.when(submit(IMPL, report(prior_status=wrong))).then_rejected("PRIOR_STATUS_MISMATCH")


def test_done_task_refuses_claim_with_the_immutability_layer() -> None:
    protocol_spec().given(*done()).when(submit(IMPL, claim())).then_rejected(
        "IMMUTABLE_DONE_VIOLATION", "immutable_done_violation", "immutability"
    )


def test_done_task_refuses_everyone_even_actors_without_the_role() -> None:
    for actor in (SPEC, IMPL, QA, MONITOR):
        for act in ("claim", "complete", "review:approve"):
            spec = protocol_spec().given(*done())
            spec.when(submit(actor, ACTS[act][1])).then_rejected("IMMUTABLE_DONE_VIOLATION")


def test_done_task_of_another_writer_stays_immutable_though_its_dependencies_are_not_done() -> None:
    given: tuple[Story, ...] = (created("T-0"), created(depends_on=("T-0",)), *in_review()[1:], *done()[3:])

    protocol_spec().given(*given).when(submit(IMPL, claim())).then_rejected("IMMUTABLE_DONE_VIOLATION")


def test_done_task_takes_a_delivery_outside_its_boundary_for_what_is_asked_first() -> None:
    outside = submit(IMPL, complete(files={"docs/a.md": "x"}))

    protocol_spec().given(*done()).when(outside).then_rejected("BOUNDARY_VIOLATION", layer="boundary")


def test_claim_makes_the_actor_the_owner_at_the_time_of_the_log() -> None:
    state = folded(*todo())

    append(state, settled(submit(IMPL, claim()), state).drafts)

    task = state.task("T-1")
    assert task is not None
    assert (task.assigned_to, task.started_at) == (IMPL, LATER)


def test_complete_carries_what_was_sent_and_nothing_else() -> None:
    expected = TaskCompleted(
        task_id="T-1", notes="see below", verification={"checks": ["ran `make check-0`: 0 errors"]}
    )

    protocol_spec().given(*in_progress()).when(submit(IMPL, complete(notes="see below"))).then(expected)


def test_review_is_recorded_with_the_role_of_a_reviewer() -> None:
    expected = TaskReviewed(task_id="T-1", decision="approve", tasks=("T-1",), reviewer_role="qa")

    protocol_spec().given(*in_review()).when(submit(QA, review())).then(expected)


def test_monitor_may_only_report() -> None:
    spec = protocol_spec()
    spec.given(*todo()).when(submit(MONITOR, claim())).then_rejected("ROLE_VIOLATION")
    spec.given(*in_progress()).when(submit(MONITOR, complete())).then_rejected("LOCK_VIOLATION")
    spec.given(*in_review()).when(submit(MONITOR, review())).then_rejected("REVIEW_ROLE_VIOLATION")

    assert not isinstance(spec.given(*todo()).when(submit(MONITOR, report(severity="high"))).decision, Rejected)


def test_qa_work_is_reviewed_by_the_specifier_not_by_itself() -> None:
    given = in_review(kind="qa")

    protocol_spec().given(*given).when(submit(QA, review())).then_rejected("REVIEW_ROLE_VIOLATION")
    assert not isinstance(protocol_spec().given(*given).when(submit(SPEC, review())).decision, Rejected)


def test_self_review_is_possible_where_the_contract_allows_it() -> None:
    rules = governed(
        {
            "agents_swarm.yaml": [("roles: [qa]", "roles: [qa, impl]")],
            "ORCHESTRATOR_CONTRACT.yaml": [("self_review: false", "self_review: true")],
        }
    )
    given: tuple[Story, ...] = (created(), (claimed(), QA), (completed(), QA))

    assert not isinstance(protocol_spec(rules).given(*given).when(submit(QA, review())).decision, Rejected)


def test_answer_about_the_asked_task_is_taken() -> None:
    decision = protocol_spec().given(*todo()).when(submit(IMPL, claim(), asked="T-1")).decision

    assert not isinstance(decision, Rejected)


def test_claim_needs_every_dependency_done_unknown_ones_too() -> None:
    given: tuple[Story, ...] = (*done("T-8"), created("T-9"), created(depends_on=("T-8", "T-9", "T-404")))

    refusal = protocol_spec().given(*given).when(submit(IMPL, claim())).then_rejected("DEPENDENCY_NOT_DONE")

    assert "T-9, T-404" in refusal.message
    assert "T-8" not in refusal.message


def test_claim_is_taken_once_every_dependency_is_done() -> None:
    given = (*done("T-0"), created(depends_on=("T-0",)))

    protocol_spec().given(*given).when(submit(IMPL, claim())).then(TaskClaimed(task_id="T-1"))


def test_report_that_fixes_an_unknown_task_is_refused() -> None:
    protocol_spec().given(*todo()).when(submit(IMPL, report(fixes="T-404"))).then_rejected("TASK_NOT_FOUND")


# The order of the seven layers: an output that breaks several is refused by the first.


def _broken_from(layer: str) -> tuple[tuple[Story, ...], Any]:
    """A story and an output that breaks this layer and every later one that the same output can break."""
    given = (*in_progress(), lesson_learned("require check pytest"))
    outside = {"docs/a.md": "x"}
    bad = complete(files=outside, checks=0)
    match layer:
        case "json_parse":
            return given, submit(SPEC, b'{"activity_event": {"action": "fly", "ts": 1}, ')
        case "schema":
            return given, submit(SPEC, {"activity_event": {"action": "fly", "ts": "now", "task_id": "T-1"}})
        case "vocabulary":
            return given, submit(SPEC, {"activity_event": {"action": "fly", "task_id": "T-404"}})
        case "state_machine":
            return given, submit(SPEC, bad)
        case "boundary":
            return (*done(), lesson_learned("require check pytest")), submit(IMPL, bad)
        case "immutability":
            return (*done(), lesson_learned("require check pytest")), submit(IMPL, complete(checks=0))
        case _:
            return given, submit(IMPL, complete(checks=0))


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_are_asked_in_order_and_the_first_that_fails_refuses(layer: str) -> None:
    given, command = _broken_from(layer)

    decision = protocol_spec().given(*given).when(command).decision

    assert isinstance(decision, Rejected)
    assert decision.layer == layer


# Whose refused outputs count.


@pytest.mark.parametrize(
    ("status", "kind", "actor"),
    [
        ("todo", "impl", IMPL),
        ("in_progress", "impl", IMPL),
        ("review", "impl", QA),
        ("review", "qa", SPEC),
        ("done", "impl", None),
        ("todo", "docs", None),
        ("review", "docs", None),
    ],
)
def test_responsible_actor_is_whose_act_the_task_waits_for(status: str, kind: str, actor: str | None) -> None:
    state = folded(*STORIES[status](kind=kind))
    task = state.task("T-1")
    assert task is not None

    assert responsible_actor(task, state, governance()) == actor


def test_in_progress_task_without_an_owner_waits_for_nobody() -> None:
    state = folded(created(), completed(), review_without_claim())
    task = state.task("T-1")
    assert task is not None

    assert task.status == "in_progress"
    assert responsible_actor(task, state, governance()) is None


def review_without_claim() -> TaskReviewed:
    """Another writer's log may hold a review of what nobody claimed."""
    return TaskReviewed(task_id="T-1", decision="request_changes", tasks=("x",))


def test_several_agents_of_a_kind_share_its_tasks_in_turn() -> None:
    both = "[agent-impl, agent-impl-2]"
    rules = governed(
        {
            "agents_swarm.yaml": [
                ("  agent-qa:\n", "  agent-impl-2:\n    roles: [impl]\n    adapter: manual\n  agent-qa:\n"),
                (
                    "impl: {agent: agent-impl, template: impl.core}",
                    f"impl: {{agent: {both}, template: impl.core}}",
                ),
            ]
        }
    )
    state = folded(*todo("T-1"), *todo("T-2"), *todo("T-3"))

    assert [responsible_actor(task, state, rules) for task in state.tasks] == [IMPL, "agent-impl-2", IMPL]


def test_every_waiting_status_names_the_act_it_waits_for() -> None:
    assert ACTION_OF_STATUS == {"todo": "claim", "in_progress": "complete", "review": "review"}


def test_accepted_act_of_an_unknown_task_writes_nothing_but_the_refusal() -> None:
    outcome = settled(submit(IMPL, claim("T-404")), folded())

    assert [type(fact).__name__ for fact in facts_of(outcome)] == ["OutputRejected"]
