"""The shipped PARCER profiles: complete in all six dimensions, and true to the schema in their examples."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from esaa.contracts.load import parse_governance
from esaa.contracts.parcer import ParcerProfile
from esaa.stores.contracts import shipped_files

PROFILES = parse_governance(shipped_files("0.4.0")).profiles
AGENTS = ("agent-spec", "agent-impl", "agent-qa")


@pytest.mark.parametrize(
    ("name", "steps"), [("agent-spec", 7), ("agent-impl", 9), ("agent-qa", 10), ("orchestrator-runtime", 7)]
)
def test_profile_has_the_steps_of_the_specification(name: str, steps: int) -> None:
    assert len(PROFILES[name].execution.steps) == steps


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_profile_covers_all_six_dimensions(profile: ParcerProfile) -> None:
    assert profile.persona.identity_constraints
    assert profile.persona.operating_mode
    assert profile.persona.failure_default
    assert len(profile.audience.consumers) >= 2
    assert len(profile.rules.hard) >= 5
    assert profile.rules.soft
    assert profile.context.injects
    assert profile.context.never_injects
    assert len(profile.response.valid_examples) >= 3
    assert len(profile.response.invalid_examples) >= 3


def test_orchestrator_pipeline_names_its_steps_in_order() -> None:
    names = [step.partition(":")[0] for step in PROFILES["orchestrator-runtime"].execution.steps]
    assert names == [
        "parse_event_store",
        "select_next_eligible_task",
        "dispatch_agent",
        "validate_agent_output",
        "append_events",
        "project_views",
        "verify_projection",
    ]


def test_only_their_owners_have_headings_hotfix_mode_and_approval_bar() -> None:
    assert PROFILES["agent-spec"].required_headings == (
        "## Objective",
        "## Scope",
        "## Requirements",
        "## Acceptance Criteria",
    )
    assert [name for name, profile in PROFILES.items() if profile.hotfix_mode] == ["agent-impl"]
    assert [name for name, profile in PROFILES.items() if profile.approval_bar] == ["agent-qa"]
    assert [name for name, profile in PROFILES.items() if profile.required_headings] == ["agent-spec"]


def test_delivered_example_of_a_specification_has_the_required_headings() -> None:
    profile = PROFILES["agent-spec"]
    documents = [
        update["content"]
        for example in profile.response.valid_examples
        for update in example.get("file_updates", [])
        if Path(update["path"]).suffix == ".md"
    ]
    assert documents
    for document in documents:
        assert [line for line in document.splitlines() if line in profile.required_headings] == list(
            profile.required_headings
        )


@pytest.mark.parametrize("protocol", ["0.4.0", "0.4.1"])
def test_invalid_example_is_refused_by_the_layer_that_it_names(protocol: str) -> None:
    files = shipped_files("0.4.1" if protocol == "0.4.1" else "0.4.0")
    validator = jsonschema_rs.validator_for(json.loads(files["agent_result.schema.json"]))
    for name in AGENTS:
        for example in PROFILES[name].response.invalid_examples:
            code = example.why.partition(":")[0]
            by_schema = code in ("SCHEMA_INVALID", "UNKNOWN_ACTION")
            if by_schema or protocol == "0.4.0":
                assert validator.is_valid(example.output) is not by_schema, example.why


def test_agents_are_never_shown_the_raw_log() -> None:
    for name in AGENTS:
        assert any("activity.jsonl" in text for text in PROFILES[name].context.never_injects)
