"""Binding a run to an issue of the tracker: a fact of the log that no projection shows."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from esaa.protocol.commands import BindIssue, StartRun
from esaa.protocol.facts import RunEnded, RunStarted, ViewMutated
from esaa.protocol.issues import issues_json
from esaa.protocol.roadmap import projection_hash, roadmap_json
from esaa.protocol.settle import unclosed_act
from esaa.protocol.stateless import is_stateless
from tests.scenarios import (
    Story,
    actions,
    claimed,
    completed,
    created,
    done,
    facts_of,
    folded,
    in_progress,
    log_lines,
    protocol_spec,
    run_start,
    settled,
    story,
)

BOUND = ViewMutated(target="trail", change="bound", detail={"issue_key": "PROJ-123"})
RUN: tuple[Story, ...] = (run_start(), created())


def test_open_run_is_bound_once() -> None:
    protocol_spec().given(*RUN).when(BindIssue(issue_key="PROJ-123")).then(BOUND)
    protocol_spec().given(*RUN, BOUND).when(BindIssue(issue_key="PROJ-123")).then()
    other = ViewMutated(target="trail", change="bound", detail={"issue_key": "PROJ-124"})
    protocol_spec().given(*RUN, BOUND).when(BindIssue(issue_key="PROJ-124")).then(other)


def test_run_is_bound_in_the_batch_in_which_it_begins() -> None:
    outcome = settled(StartRun(issue_key="PROJ-123"), folded(*RUN, RunEnded(status="success")))
    assert actions(facts_of(outcome)) == ["run.start", "orchestrator.view.mutate"]
    assert outcome.drafts[1].fact == BOUND
    assert outcome.drafts[1].follows
    assert settled(StartRun(issue_key="PROJ-123"), folded(*RUN)).rejected is not None


def test_binding_after_the_end_of_a_run_begins_the_next_one() -> None:
    outcome = settled(BindIssue(issue_key="PROJ-123"), folded(*RUN, BOUND, RunEnded(status="success")))
    assert actions(facts_of(outcome)) == ["run.start", "orchestrator.view.mutate"]


def test_binding_holds_until_the_next_run() -> None:
    assert folded(*RUN).header.run.issue_key is None
    assert folded(*RUN, BOUND, claimed()).header.run.issue_key == "PROJ-123"
    assert folded(*RUN, BOUND, RunEnded(status="failed")).header.run.issue_key == "PROJ-123"
    assert folded(*RUN, BOUND, RunEnded(status="failed"), RunStarted(run_id="R")).header.run.issue_key is None


def test_binding_is_in_no_projection() -> None:
    before, after = folded(*RUN, *in_progress("T-2")), folded(*RUN, *in_progress("T-2"), BOUND)
    assert projection_hash(after) == projection_hash(before)
    assert after.header.verify_status == before.header.verify_status
    assert after.header.events_since_verified == before.header.events_since_verified
    for text in (roadmap_json(after), issues_json(after)):
        assert b"PROJ-123" not in text


@pytest.mark.parametrize("detail", [UNSET, None, [], "PROJ-123", {}, {"issue_key": 7}, {"issue_key": None}])
def test_other_details_bind_to_nothing(detail: Any) -> None:
    odd = ViewMutated(target="trail", change="bound", detail=detail)
    assert odd.bound_issue_key() is None
    assert folded(*RUN, odd).header.run.issue_key is None
    assert ViewMutated(target="log", change="bound", detail={"issue_key": "A-1"}).bound_issue_key() is None


def test_binding_closes_no_batch_that_a_crash_cut() -> None:
    """It is only ever written when what lies before it is closed: the lock is held, and the log was mended."""
    events = story(*RUN, claimed(), ViewMutated(target="roadmap", change="projected"), BOUND)
    assert unclosed_act(reversed(events)) is None
    assert unclosed_act(reversed(story(*RUN, BOUND, claimed()))) == 4
    assert unclosed_act(reversed(story(*RUN, *done("T-2"), BOUND, completed("T-2")))) is not None


def test_line_of_a_binding_changes_the_state() -> None:
    *_, projected, bound = log_lines(story(*RUN, ViewMutated(target="roadmap", change="projected"), BOUND))
    assert is_stateless(projected)
    assert not is_stateless(bound)
