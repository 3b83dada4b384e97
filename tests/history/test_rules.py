"""The rules that an event met: all layers for what was accepted, up to the one that refused for what was not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.history.rules import ORCHESTRATOR_LAYER, rules_met
from esaa.kernel.decider import LAYERS
from esaa.protocol.facts import (
    FACT_TYPES,
    Fact,
    FileWritten,
    ForeignRecorded,
    OutputRejected,
    TaskReviewed,
    VerificationPassed,
)
from esaa.protocol.rejections import CODES
from tests.scenarios import (
    approved,
    claimed,
    completed,
    created,
    folded,
    governance,
    in_progress,
    in_review,
    reported,
    todo,
)


def task_of(*story: Any, task_id: str = "T-1") -> dict[str, Any]:
    """The task as the document of a state shows it."""
    task = folded(*story).task(task_id)
    assert task is not None
    shown: dict[str, Any] = msgspec.to_builtins(task)
    return shown


def texts(fact: Fact, actor: str = "agent-impl", **known: Any) -> dict[str, str]:
    met = rules_met(fact, actor, **known)
    assert [one.layer for one in met] == list(LAYERS)
    assert {one.outcome for one in met} == {"passed"}
    return {one.layer: one.text for one in met}


def test_a_claim_passed_all_layers() -> None:
    said = texts(claimed(), rules=governance(), task=task_of(*todo()))
    assert (
        said["vocabulary"] == "`claim` is an act that agents may emit, and agent-impl is registered with the role impl."
    )
    assert said["state_machine"] == (
        "T-1 was todo, where `claim` is the act that it waits for; nothing that it depends on was open."
    )
    assert said["boundary"] == "No file is written."
    assert said["immutability"] == "T-1 was not done, it was todo."


def test_a_claim_names_what_it_waited_for() -> None:
    task = {**task_of(*todo()), "depends_on": ["T-7", "T-8"]}
    assert "all that it depends on was done: T-7, T-8." in texts(claimed(), task=task)["state_machine"]


def test_a_delivery_names_files_patterns_and_checks() -> None:
    task = task_of(*in_progress())
    fact = msgspec.structs.replace(completed(), verification={"checks": ["a", "b"]})
    said = texts(fact, rules=governance(), task=task, files=["src/a.py"])
    assert said["boundary"].startswith("src/a.py: inside src/**")
    assert ".git/**" in said["boundary"]
    assert said["verification_gate"] == "2 verification checks given, 1 needed; no lesson is broken."
    assert "agent-impl owned it" in said["state_machine"]
    many = texts(fact, rules=governance(), task=task, files=[f"src/{number}.py" for number in range(9)])
    assert "src/4.py and others: inside" in many["boundary"]


def test_what_todays_contracts_would_refuse_is_told() -> None:
    said = texts(completed(), rules=governance(), task=task_of(*in_progress()), files=["docs/a.md"])
    assert said["boundary"] == "docs/a.md: allowed then. Under the contracts in force now, docs/a.md would be outside."


def test_without_contracts_or_task_less_is_said() -> None:
    fact = msgspec.structs.replace(completed(), verification=None, prior_status=msgspec.UNSET)
    said = texts(fact, files=["src/a.py"])
    assert said["boundary"] == "src/a.py: inside what the task may write."
    assert said["state_machine"] == "On T-1: agent-impl owned it."
    assert said["immutability"] == "T-1 was not done."
    assert said["verification_gate"] == "0 verification checks given; no lesson is broken."
    assert said["vocabulary"] == "`complete` is an act that agents may emit, and agent-impl is registered."
    foreign = texts(fact, task={"task_id": "T-1"}, rules=governance(), actor="stranger", files=["src/a.py"])
    assert foreign == said | {"vocabulary": foreign["vocabulary"], "state_machine": "On T-1: stranger owned it."}


def test_a_review_names_who_did_the_work() -> None:
    said = texts(approved(), actor="agent-qa", task=task_of(*in_review()))
    assert said["state_machine"].endswith("agent-qa may review it; the work was done by agent-impl.")
    unowned = texts(TaskReviewed(task_id="T-1", decision="approve"), actor="agent-qa")
    assert unowned["state_machine"] == "On T-1: agent-qa may review it; the work was done by another actor."


def test_a_report_is_possible_in_every_status() -> None:
    said = texts(reported(severity="low"))
    assert "the severity low" in said["state_machine"]
    assert "one that is done" in said["immutability"]


@given(st.sampled_from(sorted(CODES)))
def test_a_refusal_passed_what_was_asked_before(code: str) -> None:
    known = CODES[code]
    met = rules_met(OutputRejected(error_code=code, layer=known.layer, message="Here.", hint="Do."), "orchestrator")
    assert [one.layer for one in met] == list(LAYERS)
    place = LAYERS.index(known.layer)
    assert (met[place].rule, met[place].outcome) == (code, "refused")
    assert met[place].text == f"{known.meaning} Here. Do."
    is_asked = code not in ("AGENT_FAILED", "ATTEMPT_TIMEOUT", "ACTOR_UNKNOWN") and not code.startswith("IDENTITY")
    assert {one.outcome for one in met[:place]} <= {"passed" if is_asked else "not_asked"}
    assert {one.outcome for one in met[place + 1 :]} <= {"not_asked"}


@pytest.mark.parametrize(
    ("fact", "layer", "text"),
    [
        (OutputRejected(error_code="LOCK_VIOLATION", message="It is."), "state_machine", "belongs to another actor."),
        (OutputRejected(error_code="FOREIGN_CODE", message="So."), "", "So."),
        (OutputRejected(error_code="FOREIGN_CODE", layer="their_layer", message="So."), "their_layer", "So."),
    ],
)
def test_another_writers_refusal_is_told_as_far_as_it_goes(fact: OutputRejected, layer: str, text: str) -> None:
    met = rules_met(fact, "orchestrator")
    assert len(met) == (len(LAYERS) if layer in LAYERS else 1)
    (refused,) = (one for one in met if one.outcome == "refused")
    assert refused.layer == layer
    assert text in refused.text


def test_a_meaning_is_not_said_twice() -> None:
    message = CODES["LOCK_VIOLATION"].meaning
    met = rules_met(OutputRejected(error_code="LOCK_VIOLATION", message=message), "orchestrator")
    assert message in [one.text for one in met]


@pytest.mark.parametrize(
    ("fact", "rule", "text"),
    [
        (created(), "task.create", "wrote it by itself"),
        (FileWritten(task_id="T-1"), "orchestrator.file.write", "follows from an accepted output"),
        (VerificationPassed(projection_hash_sha256="0"), "INV-006", "compared"),
        (ForeignRecorded(name="plugin.x"), "plugin.x", "Another writer's"),
    ],
)
def test_what_the_orchestrator_writes_is_judged_by_no_layer(fact: Fact, rule: str, text: str) -> None:
    (met,) = rules_met(fact, "orchestrator")
    assert (met.layer, met.rule, met.outcome) == (ORCHESTRATOR_LAYER, rule, "passed")
    assert text in met.text


def test_every_fact_has_an_answer() -> None:
    needed: dict[str, Any] = {
        "task_id": "T-1", "task_kind": "impl", "title": "t", "decision": "approve", "issue_id": "I", "severity": "low"
    }  # fmt: skip
    for kind in FACT_TYPES:
        fields = {one.name for one in msgspec.structs.fields(kind) if one.required}
        fact: Any = kind(**{name: needed[name] for name in fields})
        assert rules_met(fact, "orchestrator")
