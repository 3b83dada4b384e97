"""The plan of a replay: one step for each selected event, and a reason for everything that is not done."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from esaa.history.replay_plan import (
    GitFacts,
    Pair,
    ReplayPlan,
    ReplayStep,
    Selection,
    Situation,
    StartPoint,
    link_fault,
    plan_replay,
)
from esaa.history.replay_results import matches_recorded, recorded_results
from esaa.trail.event import Actor, Source, TrailEvent
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.state import OrchestrationState
from esaa.trail.types import CustomType, EventTypes
from tests.trail.metadata_examples import EXAMPLES
from tests.trail.scenes import TYPES, Act, event_id, happened, pairs, scene

A, B = "a" * 64, "b" * 64
START: Act = ("OrchestrationStarted", {"issue_key": "PROJ-123", "initial_phase": "PLAN"})
HANDLERS = {"FileWritten": "restore-file", "TestRunStarted": "run-tests", "CommentPosted": "comment"}


def wrote(path: str = "src/a.py", **more: Any) -> Act:
    return "FileWritten", {"path": path, "after_sha256": A, **more}


def begun_tests(**more: Any) -> Act:
    return "TestRunStarted", {"test_suite": "unit"} | more


def situation(**fields: Any) -> Situation:
    return msgspec.structs.replace(Situation(handlers=HANDLERS, state=OrchestrationState()), **fields)


def plan(events: list[TrailEvent], selection: Selection | None = None, **fields: Any) -> ReplayPlan:
    return plan_replay(pairs(events), selection or Selection(), TYPES, situation(**fields))


def reasons(found: ReplayPlan) -> list[str]:
    return [step.reason or f"act {step.handler}" for step in found.steps]


def only(found: ReplayPlan) -> ReplayStep:
    (step,) = [step for step in found.steps if step.event.fact.event_type != "OrchestrationStarted"]
    return step


def test_repeatable_event_with_a_handler_acts_and_each_other_says_why_not() -> None:
    events = scene(
        START, wrote(), ("AgentSpawned", {"agent_name": "coder"}), ("PRMerged", {"pr_number": 7}), begun_tests()
    )
    assert reasons(plan(events)) == [
        "non_replayable_event_type",
        "act restore-file",
        "no_handler",
        "non_replayable_event_type",
        "act run-tests",
    ]


def test_every_type_that_must_not_be_done_again_is_skipped_whatever_handler_somebody_registered() -> None:
    for name, kind in TRAIL_TYPES.items():
        if name in ("ReplayStarted", "EventReplayed", "ReplayCompleted"):
            continue
        events = [*scene(START), happened(2, name, EXAMPLES[name])]
        step = plan(events, handlers=dict.fromkeys(TRAIL_TYPES, "anything")).steps[1]
        assert step.acts is kind.is_repeatable, name
        assert (step.reason == "non_replayable_event_type") is not kind.is_repeatable


def test_range_holds_both_ends_and_what_lies_outside_is_no_step() -> None:
    events = scene(START, *(wrote(f"f{number}") for number in range(2, 9)))
    found = plan_replay(pairs(events[2:]), Selection(from_sequence=3, to_sequence=5), TYPES, situation(state=begun()))
    assert [step.event.version for step in found.steps] == [3, 4, 5]
    assert found.acting() == found.steps


def begun() -> OrchestrationState:
    return OrchestrationState(status="in_progress", current_phase="PLAN")


@pytest.mark.parametrize(
    ("selection", "acting"),
    [
        (Selection(types=("FileWritten",)), [3, 5, 7]),
        (Selection(types=("FileWritten", "TestRunStarted")), [3, 5, 6, 7]),
        (Selection(agents=("coder",)), [3, 5]),
        (Selection(agents=("coder", "tester")), [3, 5, 6]),
        (Selection(phases=("CODE",)), [3, 5]),
        (Selection(phases=("TEST",)), [6, 7]),
        (Selection(types=("FileWritten",), phases=("TEST",)), [7]),
        (Selection(types=("FileWritten",), agents=("tester",)), []),
    ],
)
def test_selection_by_type_agent_and_phase(selection: Selection, acting: list[int]) -> None:
    coder = Actor(type="agent", id="coder")
    events = [
        happened(1, *START),
        happened(2, "PhaseStarted", {"phase": "CODE"}),
        happened(3, *wrote(agent_name="coder")),
        happened(4, "PhaseCompleted", {"phase": "CODE", "duration_seconds": 1, "next_phase": "TEST"}),
        # By the agent, and about an earlier phase, as the event itself says.
        happened(5, *wrote(phase="CODE"), actor=coder),
        happened(6, *begun_tests(triggered_by="tester")),
        happened(7, *wrote("src/b.py")),
    ]
    found = plan(events, selection)
    assert [step.event.version for step in found.acting()] == acting
    assert all(step.skip == "filtered" for step in found.steps if step.event.version not in {*acting, 2, 4, 6})


def test_event_without_a_phase_belongs_to_the_one_that_the_work_was_in_before_the_range() -> None:
    events = scene(wrote(), first=30)
    before = OrchestrationState(status="in_progress", current_phase="FIX")
    assert plan(events, Selection(from_sequence=30, phases=("FIX",)), state=before).acting()
    assert not plan(events, Selection(from_sequence=30, phases=("CODE",)), state=before).acting()
    assert before.last_sequence == 0, "the caller's state is not folded on"


def test_filter_that_fits_nothing_is_named() -> None:
    found = plan(scene(START, wrote()), Selection(agents=("codr",), phases=("CODE",)))
    assert found.warnings == ("no event from #1 to #2 fits agent codr, phase CODE",)
    assert plan(scene(START, wrote()), Selection(types=("FileWritten",))).warnings == ()


def test_callers_own_filter_leaves_events_out() -> None:
    found = plan(scene(START, wrote(), wrote("src/b.py")), excluded={event_id(2)})
    assert reasons(found)[1:] == ["filtered", "act restore-file"]


def test_markers_of_replays_are_no_part_of_a_replay() -> None:
    markers = [happened(place, name, EXAMPLES[name]) for place, name in ((3, "ReplayStarted"), (4, "EventReplayed"))]
    events = [*scene(START, wrote()), *markers, happened(5, "ReplayCompleted", EXAMPLES["ReplayCompleted"])]
    assert [step.event.version for step in plan(events).steps] == [1, 2]


def test_what_the_same_handler_did_before_is_not_done_again() -> None:
    events = scene(START, wrote())
    done = {(event_id(2), "restore-file"): "replay-1"}
    step = only(plan(events, succeeded=done))
    assert step.reason == "already_replayed"
    assert "replay-1" in step.detail
    assert only(plan(events, succeeded={(event_id(2), "another-handler"): "replay-1"})).acts


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"chain_fault": "event #2 is not chained"}, "event #2 is not chained"),
        ({"state": None, "state_fault": "line 3 is torn"}, "cannot be reconstructed: line 3 is torn"),
        ({"start": StartPoint(checkpoint_id="ckpt-1", sequence=4)}, "came before the restore point ckpt-1"),
    ],
)
def test_precondition_of_the_whole_that_fails_stops_everything(fields: dict[str, Any], said: str) -> None:
    found = plan(scene(START, wrote(), ("PRMerged", {"pr_number": 7})), **fields)
    assert not found.acting()
    assert said in found.faults[0]
    assert found.steps[1].reason == f"precondition_failed: {found.faults[0]}"
    assert found.steps[2].reason == "non_replayable_event_type"


def test_missing_event_in_the_range_stops_everything() -> None:
    found = plan([*scene(START, wrote()), happened(4, *wrote())])
    assert found.faults == ("event #4 follows #2: events are missing",)
    assert not found.acting()


def test_link_of_an_event_is_that_of_the_line_before() -> None:
    event = msgspec.structs.replace(happened(7, *wrote()), prev_hash=A)
    assert link_fault(event, A) == ""
    assert link_fault(event, None) == "", "what was before the range is not judged"
    assert "#7" in link_fault(event, B)


def test_events_of_witnesses_are_replayed_without_an_orchestration() -> None:
    # A hook that records commits and tests knows of no orchestration.
    acts = [wrote(), START, wrote("src/b.py")]
    assert reasons(plan(scene(*acts))) == ["act restore-file", "non_replayable_event_type", "act restore-file"]
    alone = [happened(1, *wrote(), issue_key=None)]
    assert plan(alone).steps[0].acts


def test_metadata_that_does_not_fit_its_type_is_handed_to_nobody() -> None:
    events = [*scene(START), happened(2, "FileWritten", {"path": "src/a.py"})]
    assert only(plan(events)).reason == "precondition_failed: metadata.after_sha256: the field is required"
    newer = [*scene(START), happened(2, *wrote(), version="9.0.0")]
    assert only(plan(newer)).reason == "precondition_failed: version 9.0.0 of FileWritten cannot be read"


def test_type_of_the_project_is_replayed_where_it_says_that_it_may_be() -> None:
    schema = {"type": "object", "required": ["service"], "properties": {"service": {"type": "string"}}}
    custom = {
        name: CustomType(name=name, version="1.0.0", schema=schema, is_repeatable=name == "ServicePinged")
        for name in ("ServicePinged", "ServiceStopped")
    }
    types = EventTypes(custom)
    events = [
        happened(1, *START),
        happened(2, "ServicePinged", {"service": "web"}),
        happened(3, "ServiceStopped", {"service": "web"}),
        happened(4, "ServicePinged", {}),
        happened(5, "NobodyKnowsThis", {}),
    ]
    known = [(event, types.fact_of(event)) for event in events]
    found = plan_replay(known, Selection(), types, situation(handlers=dict.fromkeys(custom, "call")))
    assert [step.acts for step in found.steps] == [False, True, False, False, False]
    assert "service" in found.steps[3].reason
    assert found.steps[4].detail == "NobodyKnowsThis is no known event type"


def test_cause_that_is_left_out_or_missing_is_a_warning_and_no_obstacle() -> None:
    events = [
        *scene(START, wrote()),
        happened(3, *begun_tests(), causation_id=event_id(2)),
        happened(4, *begun_tests(), causation_id=event_id(99)),
        happened(5, *begun_tests(), causation_id=event_id(1)),
        happened(6, *begun_tests(), causation_id=event_id(7)),
        happened(7, *wrote("src/b.py")),
    ]
    found = plan(events, Selection(types=("TestRunStarted",)))
    assert [step.warnings for step in found.acting()] == [
        ("its cause #2 FileWritten is left out of this replay",),
        (f"its cause {event_id(99)} is not in the stream before it",),
        (),
        ("its cause #7 FileWritten comes after it",),
    ]
    everything = plan(events)
    assert everything.steps[2].warnings == (), "the cause is replayed as well"
    assert plan(events, earlier_ids={event_id(99)}).steps[3].warnings == (), "the cause was there before the range"


def test_event_fed_from_the_governed_run_has_its_cause_in_another_log() -> None:
    event = happened(2, *wrote(), causation_id="EV-00000012")
    fed = msgspec.structs.replace(event.fact, source=Source(event_id="EV-00000012", leaf_hash=A))
    assert plan([*scene(START), msgspec.structs.replace(event, fact=fed)]).steps[1].warnings == ()


RESTORED = ("CheckpointRestored", {"checkpoint_id": "ckpt-1"})


def from_restore_point(git: GitFacts | None, *after: Act) -> ReplayPlan:
    events = scene(wrote(), *after, first=6)
    start = StartPoint(checkpoint_id="ckpt-1", sequence=5, git_sha="abc123")
    return plan(events, Selection(from_sequence=6), state=begun(), start=start, git=git)


def test_replay_from_a_restore_point_wants_the_commit_of_the_restore_point() -> None:
    assert from_restore_point(GitFacts(sha="abc123" + "0" * 34), RESTORED).acting()
    elsewhere = from_restore_point(GitFacts(sha="def456" + "0" * 34), RESTORED)
    assert not elsewhere.acting()
    assert "belongs to commit abc123, and the working tree is at def456" in elsewhere.faults[0]
    assert "no git repository" in from_restore_point(GitFacts(sha=None), RESTORED).faults[0]


def test_replay_from_a_restore_point_warns_where_nobody_went_back_to_it() -> None:
    git = GitFacts(sha="abc123" + "0" * 34)
    assert from_restore_point(git, RESTORED).warnings == ()
    (warning,) = from_restore_point(git).warnings
    assert "nobody went back to ckpt-1" in warning
    (other,) = from_restore_point(git, ("CheckpointRestored", {"checkpoint_id": "ckpt-2"})).warnings
    assert "nobody went back" in other
    dirty = from_restore_point(GitFacts(sha="abc123" + "0" * 34, files_changed=3), RESTORED)
    assert dirty.warnings == ("the working tree differs from its commit in 3 files",)


def ended(passed: int, suite: str = "unit") -> Act:
    return "TestRunCompleted", {"test_suite": suite, "total_tests": 9, "passed": passed, "failed": 9 - passed}


def test_event_that_an_event_caused_tells_how_it_ended() -> None:
    events = [
        happened(1, *begun_tests()),
        happened(2, *begun_tests()),
        happened(3, *ended(8), causation_id=event_id(2)),
        happened(4, *ended(9), causation_id=event_id(1)),
        happened(5, *ended(1), causation_id=event_id(1)),
    ]
    found = recorded_results(pairs(events))
    assert {start: one.event.version for start, one in found.items()} == {event_id(2): 3, event_id(1): 4}


def test_end_that_names_its_beginning_counts_though_it_speaks_of_another_thing() -> None:
    events = [
        happened(1, *begun_tests()),
        happened(2, *begun_tests(test_suite="integration")),
        happened(3, *ended(8), causation_id=event_id(2)),
        happened(4, *ended(9)),
    ]
    found = recorded_results(pairs(events))
    assert {start: one.event.version for start, one in found.items()} == {event_id(2): 3, event_id(1): 4}


def test_without_causes_the_next_event_about_the_same_thing_tells_how_it_ended() -> None:
    integration = ("TestRunStarted", {"test_suite": "integration"})
    # The block that was open caused all of them: that says nothing about which test run ended.
    spawned = event_id(1)
    acts = [begun_tests(), integration, ended(1, "integration"), ended(2), ended(3)]
    events = [happened(1, "AgentSpawned", {"agent_name": "tester"})]
    events += [happened(place, *act, causation_id=spawned) for place, act in enumerate(acts, start=2)]
    found = recorded_results(pairs(events))
    assert {start: one.event.version for start, one in found.items()} == {event_id(3): 4, event_id(2): 5}


def test_end_without_a_cause_is_that_of_the_last_beginning() -> None:
    found = recorded_results(pairs(scene(begun_tests(), begun_tests(), ended(9))))
    assert {start: one.event.version for start, one in found.items()} == {event_id(2): 3}, "the first was given up"


def test_plan_knows_ends_that_lie_after_its_range() -> None:
    found = plan(scene(START, begun_tests(), ended(9)), Selection(to_sequence=2))
    assert [step.event.version for step in found.steps] == [1, 2]
    recorded = found.steps[1].recorded
    assert recorded is not None
    assert recorded.event.version == 3


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"passed": 8, "failed": 1}, True),
        ({"passed": 8, "failed": 1, "total_tests": 9, "duration_seconds": 99}, True),
        ({"passed": 7}, False),
        ({"passed": 8, "total_tests": 10}, False),
        ({"output": "fine"}, None),
        ({}, None),
    ],
)
def test_outcome_is_compared_with_the_recorded_end(outcome: dict[str, Any], expected: bool | None) -> None:
    step = plan(scene(START, begun_tests(), ended(8))).steps[1]
    assert matches_recorded(step.event, step.recorded, outcome) is expected


def test_good_end_after_a_recorded_bad_one_is_another_outcome() -> None:
    failed = ("TestRunFailed", {"test_suite": "unit", "failure_reason": "no compiler"})
    step = plan(scene(START, begun_tests(), failed)).steps[1]
    assert matches_recorded(step.event, step.recorded, {"passed": 9}) is False
    assert matches_recorded(step.event, step.recorded, {"output": "told the room"}) is None
    unended = plan(scene(START, begun_tests())).steps[1]
    assert matches_recorded(unended.event, unended.recorded, {"passed": 9}) is None


def test_outcome_of_an_event_that_has_no_end_is_compared_with_the_event() -> None:
    comment = happened(1, "CommentPosted", {"issue_key": "PROJ-123", "comment_body": "done", "comment_id": "10042"})
    assert matches_recorded(comment, None, {"comment_id": "10042"}) is True
    assert matches_recorded(comment, None, {"comment_id": "10043"}) is False, "a second comment"
    assert matches_recorded(comment, None, {"status": 200, "issue_key": "PROJ-9"}) is None


NAMES = sorted(TRAIL_TYPES)


@st.composite
def streams(draw: st.DrawFn) -> list[Pair]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=25))
    events = [
        happened(place, name, EXAMPLES[name], causation_id=event_id(draw(st.integers(1, 25))))
        for place, name in enumerate(names, start=1)
    ]
    return pairs(events)


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    first = draw(st.integers(0, 10))
    return Selection(
        from_sequence=first,
        to_sequence=draw(st.none() | st.integers(first, 30)),
        types=tuple(draw(st.lists(st.sampled_from(NAMES), max_size=3))),
        agents=tuple(draw(st.lists(st.sampled_from(["frontend-developer", "nobody"]), max_size=1))),
        phases=tuple(draw(st.lists(st.sampled_from(["PLAN", "CODE", "NONE"]), max_size=2))),
    )


@given(streams(), selections(), st.sets(st.sampled_from(NAMES)), st.sampled_from(["", "broken"]))
@budget(max_examples=150, deadline=None)
def test_plan_is_a_partition_of_the_range(
    events: list[Pair], selection: Selection, handled: set[str], chain_fault: str
) -> None:
    asked = situation(handlers=dict.fromkeys(handled, "do"), chain_fault=chain_fault)
    found = plan_replay(events, selection, TYPES, asked)
    markers = {"ReplayStarted", "EventReplayed", "ReplayCompleted"}
    inside = [
        event.version for event, _ in events if selection.holds(event.version) and event.fact.event_type not in markers
    ]
    assert [step.event.version for step in found.steps] == inside, "each selected event once, in its order"
    for step in found.steps:
        name = step.event.fact.event_type
        assert step.acts == (not step.reason)
        if step.acts:
            assert TYPES.is_repeatable(name)
            assert step.handler == "do"
            assert name in handled
            assert not found.faults
            assert not selection.types or name in selection.types
    assert plan_replay(events, selection, TYPES, asked) == found
