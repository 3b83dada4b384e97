"""Where an output came from: recorded beside every act and refusal, never taken from an agent, never projected."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET

from esaa.agents.base import Prompt, Usage
from esaa.kernel.canonical import compact
from esaa.protocol.commands import RecordTimeout, Submit
from esaa.protocol.facts import OutputRejected, TaskClaimed
from esaa.protocol.line_runs import lines_of
from esaa.protocol.provenance import provenance_of
from esaa.protocol.result import Refused, parse_result
from esaa.protocol.roadmap import roadmap_json
from esaa.protocol.settle import settle
from esaa.protocol.wire import ProtocolVocabulary
from esaa.trail.facts.sessions import PromptSubmitted, ResponseReceived
from esaa.trail.from_protocol import Translator
from tests.scenarios import (
    IMPL,
    LATER,
    QA,
    Story,
    facts_of,
    fold,
    folded,
    governance,
    governed,
    in_progress,
    in_review,
    record,
    story,
    todo,
)
from tests.workspaces import issue, result

PROMPT = Prompt(template="impl.core", template_version="1", system="be", user="do", sha256="ab" * 32)
USAGE = Usage(
    model="m-1", client="openai", tokens_in=10, tokens_out=2, cost_micro_usd=7, duration_s=1.5, sandbox="none"
)
KNOWN = {
    "prompt_sha256": "ab" * 32,
    "template": "impl.core",
    "template_version": "1",
    "model": "m-1",
    "client": "openai",
    "tokens_in": 10,
    "tokens_out": 2,
    "cost_micro_usd": 7,
    "sandbox": "none",
}


def test_what_is_known_of_a_call_is_recorded_and_nothing_else() -> None:
    assert provenance_of(USAGE, PROMPT) == KNOWN
    assert provenance_of(Usage(duration_s=3.0), None) is None
    assert provenance_of(Usage(client="command", sandbox="none"), None) == {"client": "command", "sandbox": "none"}


@pytest.mark.parametrize(
    ("given", "actor", "answer"),
    [
        (todo(), IMPL, result("claim", "T-1")),
        (in_progress(), IMPL, result("complete", "T-1")),
        (in_review(), QA, result("review", "T-1")),
        (in_progress(), IMPL, issue("T-1", "ISS-1", "low")),
        (in_progress(), IMPL, b"no JSON"),
    ],
)
def test_acts_and_refusals_carry_it_and_the_log_keeps_it(given: tuple[Story, ...], actor: str, answer: bytes) -> None:
    rules, state = governance(), folded(*given)
    command = Submit(actor=actor, result=parse_result(answer, rules), asked_task_id="T-1")
    bare = settle(command, state, rules, LATER)
    outcome = settle(msgspec.structs.replace(command, provenance=KNOWN), state, rules, LATER)
    first = facts_of(outcome)[0]
    assert first == msgspec.structs.replace(facts_of(bare)[0], provenance=KNOWN)
    assert facts_of(outcome)[1:] == facts_of(bare)[1:]

    before = story(*given)
    place = len(before) + 1
    recorded = record(first, place, actor=actor, prev_hash="0" * 64)
    line = ProtocolVocabulary().encode(recorded)
    assert ProtocolVocabulary().decode(line).fact == first
    assert lines_of(line + b"\n", 1) is not None, "a line with it is read as fast as one without"
    without = record(facts_of(bare)[0], place, actor=actor)
    assert roadmap_json(fold([*before, recorded])) == roadmap_json(fold([*before, without])), "no projection holds it"


def test_timeout_tells_what_it_cost() -> None:
    command = RecordTimeout(
        actor=IMPL, task_id="T-1", source_action="complete", message="no answer", provenance={"tokens_in": 5}
    )
    (fact, *_) = facts_of(settle(command, folded(*in_progress()), governance(), LATER))
    assert isinstance(fact, OutputRejected)
    assert fact.provenance == {"tokens_in": 5}


def test_agent_that_sends_its_own_is_refused() -> None:
    answer = compact({"activity_event": {"action": "claim", "task_id": "T-1", "provenance": KNOWN}})
    outcome = parse_result(answer, governance())
    assert isinstance(outcome, Refused)
    assert outcome.rejected.error_code == "SCHEMA_INVALID"
    # A project's own schema may let it through; the types do not.
    loose = governed({"agent_result.schema.json": [('"additionalProperties": false', '"additionalProperties": true')]})
    outcome = parse_result(answer, loose)
    assert isinstance(outcome, Refused)
    assert outcome.rejected.error_code == "SCHEMA_INVALID"


def test_answer_that_came_in_time_has_not_timed_out_while_the_run_was_down() -> None:
    rules, state = governance(), folded(*in_progress())
    parsed = parse_result(result("complete", "T-1"), rules)
    tomorrow = "2026-03-02T12:00:00Z"
    late = settle(Submit(actor=IMPL, result=parsed), state, rules, tomorrow)
    assert late.rejected is not None
    assert late.rejected.error_code == "ATTEMPT_TIMEOUT"
    assert settle(Submit(actor=IMPL, result=parsed, received_at=LATER), state, rules, tomorrow).rejected is None
    both_late = settle(Submit(actor=IMPL, result=parsed, received_at=tomorrow), state, rules, tomorrow)
    assert both_late.rejected is not None


def test_trail_is_told_of_the_prompt_and_the_response() -> None:
    claimed = TaskClaimed(task_id="T-1", provenance=KNOWN)
    refused = OutputRejected(
        task_id="T-1", error_code="JSON_INVALID", rejected_actor=IMPL, result_sha256="cd" * 32, provenance=KNOWN
    )
    translator = Translator()
    told = [
        one.fact
        for event in story(*todo(), (claimed, IMPL), refused)
        for one in translator.take(event, f"{event.version:064x}")
    ]
    prompts = [one for one in told if isinstance(one, PromptSubmitted)]
    responses = [one for one in told if isinstance(one, ResponseReceived)]
    assert [one.prompt_sha256 for one in prompts] == ["ab" * 32] * 2
    assert {(one.agent_name, one.task_id, one.template, one.model) for one in prompts} == {
        (IMPL, "T-1", "impl.core", "m-1")
    }
    assert [one.response_sha256 for one in responses] == [UNSET, "cd" * 32]
    assert {(one.tokens_in, one.tokens_out, one.cost_micro_usd) for one in responses} == {(10, 2, 7)}
    assert {one.extra["client"] for one in responses if one.extra is not UNSET} == {"openai"}


@pytest.mark.parametrize("provenance", [{"client": "command", "sandbox": "none"}, "no object", {"model": 5}, {}])
def test_trail_is_told_of_no_call_where_there_was_none(provenance: object) -> None:
    translator = Translator()
    events = story(*todo(), (TaskClaimed(task_id="T-1", provenance=provenance), IMPL))
    told = [one.fact for event in events for one in translator.take(event, f"{event.version:064x}")]
    expects = isinstance(provenance, dict) and "model" in provenance
    assert any(isinstance(one, ResponseReceived) for one in told) == expects
    assert not any(isinstance(one, PromptSubmitted) for one in told)
