"""The eight quality gates of the specification, and what no store records whatever its mode."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from esaa.errors import EventRefused
from esaa.trail.intake import DEPTH_MAX, METADATA_BYTES_MAX, Proposal, is_issue_key, parse_time, prepare
from esaa.trail.types import EventTypes, parse_custom_type

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SESSION = "5e551000-0000-4000-8000-000000000001"
NEW_ID = "00000000-0000-4000-8000-000000000001"
LICENCE = parse_custom_type(
    {
        "title": "LicenceChecked",
        "type": "object",
        "required": ["package", "licence"],
        "properties": {"package": {"type": "string"}, "licence": {"enum": ["MIT", "Apache-2.0"]}},
        "additionalProperties": False,
        "x-esaa": {"summary": "{package} is under {licence}"},
    },
    "licence.json",
)
TYPES = EventTypes({"LicenceChecked": LICENCE})


def a_proposal(event_type: str = "PhaseStarted", metadata: Any = None, **more: Any) -> Proposal:
    given: dict[str, Any] = {
        "actor": {"type": "agent", "id": "planner", "model": "sonnet"},
        "issue_key": "PROJ-123",
        "session_id": SESSION,
    }
    return Proposal(
        event_type=event_type, metadata={"phase": "PLAN"} if metadata is None else metadata, **(given | more)
    )


def findings(proposal: Proposal) -> list[tuple[int, str, str]]:
    found = prepare(proposal, TYPES, NOW, NEW_ID).findings
    return [(one.gate, one.code, one.path) for one in found]


def test_sound_event_passes_every_gate() -> None:
    prepared = prepare(a_proposal(), TYPES, NOW, NEW_ID)
    assert prepared.findings == ()
    draft = prepared.draft
    assert (draft.event_id, draft.ts, draft.actor) == (NEW_ID, "2026-03-02T09:00:00.000Z", "planner")
    assert bytes(draft.fact.metadata) == b'{"phase":"PLAN"}'


@pytest.mark.parametrize(
    ("proposal", "expected"),
    [
        (a_proposal("PhaseStartd"), (1, "EVENT_TYPE_UNKNOWN", "event_type")),
        (a_proposal("../../etc"), (1, "EVENT_TYPE_UNKNOWN", "event_type")),
        (a_proposal(metadata={"phase": 7}), (2, "SCHEMA_INVALID", "metadata.phase")),
        (a_proposal(metadata={"phase": "PLAN", "phasee": 1}), (2, "SCHEMA_INVALID", "metadata.phasee")),
        (
            a_proposal("GapIdentified", {"gap_id": "g", "gap_type": "t", "severity": "huge", "description": "d"}),
            (2, "SCHEMA_INVALID", "metadata.severity"),
        ),
        (a_proposal("LicenceChecked", {"package": "x", "licence": "GPL"}), (2, "SCHEMA_INVALID", "metadata.licence")),
        (a_proposal("LicenceChecked", {"package": "x"}), (3, "FIELD_MISSING", "metadata")),
        (a_proposal(metadata={}), (3, "FIELD_MISSING", "metadata.phase")),
        (a_proposal(timestamp="yesterday"), (4, "TIMESTAMP_INVALID", "timestamp")),
        (a_proposal(timestamp="2026-03-02T09:00:00"), (4, "TIMESTAMP_INVALID", "timestamp")),
        (a_proposal(timestamp="2026-02-30T09:00:00Z"), (4, "TIMESTAMP_INVALID", "timestamp")),
        (a_proposal(timestamp="2026-03-04T09:00:00Z"), (4, "TIMESTAMP_AHEAD", "timestamp")),
        (a_proposal(issue_key="proj-1"), (5, "ISSUE_KEY_INVALID", "issue_key")),
        (a_proposal(issue_key="../PROJ-1"), (5, "ISSUE_KEY_INVALID", "issue_key")),
        (a_proposal(issue_key="PROJ-1/x"), (5, "ISSUE_KEY_INVALID", "issue_key")),
        (a_proposal(issue_key="PROJ-1\n"), (5, "ISSUE_KEY_INVALID", "issue_key")),
        (a_proposal(session_id=None), (6, "SESSION_INVALID", "session_id")),
        (a_proposal(session_id="today"), (6, "SESSION_INVALID", "session_id")),
        (a_proposal(actor=None), (7, "ACTOR_INVALID", "actor")),
        (a_proposal(actor={"type": "robot", "id": "x"}), (7, "ACTOR_INVALID", "actor")),
        (a_proposal(actor={"type": "user"}), (7, "ACTOR_INVALID", "actor")),
        (a_proposal(actor={"type": "user", "id": ""}), (7, "ACTOR_INVALID", "actor.id")),
        (a_proposal(actor={"type": "user", "id": "a\x1b[31m"}), (7, "ACTOR_INVALID", "actor.id")),
        (a_proposal(metadata={"phase": ""}), (8, "METADATA_INCOMPLETE", "metadata.phase")),
        (a_proposal(branch="x" * 501), (2, "SCHEMA_INVALID", "branch")),
        (a_proposal(correlation_id="a\nb"), (2, "SCHEMA_INVALID", "correlation_id")),
    ],
)
def test_gate_names_field_and_rule(proposal: Proposal, expected: tuple[int, str, str]) -> None:
    assert expected in findings(proposal)


def test_all_findings_are_named_at_once() -> None:
    proposal = a_proposal(metadata={}, issue_key="x", session_id="x", actor=None, timestamp="x")
    assert {gate for gate, _, _ in findings(proposal)} == {3, 4, 5, 6, 7}


def test_near_miss_of_a_type_is_suggested() -> None:
    found = prepare(a_proposal("PhaseStartd"), TYPES, NOW, NEW_ID).findings[0]
    assert found.hint == "Did you mean PhaseStarted?"


def test_issue_key_of_the_metadata_counts_and_must_agree() -> None:
    started = {"issue_key": "PROJ-9", "initial_phase": "PLAN"}
    prepared = prepare(a_proposal("OrchestrationStarted", started, issue_key=None), TYPES, NOW, NEW_ID)
    assert prepared.draft.fact.issue_key == "PROJ-9"
    assert findings(a_proposal("OrchestrationStarted", started)) == [(5, "ISSUE_KEY_INVALID", "metadata.issue_key")]


def test_time_of_the_witness_is_kept_in_utc_with_milliseconds() -> None:
    draft = prepare(a_proposal(timestamp="2026-03-02T10:30:00.123456+02:00"), TYPES, NOW, NEW_ID).draft
    assert draft.ts == "2026-03-02T08:30:00.123Z"


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("proposal", "code"),
    [
        (a_proposal(metadata=["phase"]), "METADATA_INVALID"),
        (a_proposal(metadata="phase"), "METADATA_INVALID"),
        (a_proposal(metadata={"phase": {1, 2}, "x": object()}), "METADATA_INVALID"),
        (a_proposal(metadata={"phase": "a", "extra": {"x": float("nan")}}), "METADATA_INVALID"),
        (a_proposal(metadata={"phase": "a", "extra": {"x": [float("inf")]}}), "METADATA_INVALID"),
        (a_proposal(metadata={"phase": "\ud800"}), "METADATA_INVALID"),
        (a_proposal(metadata={"phase": "x" * METADATA_BYTES_MAX}), "METADATA_TOO_LARGE"),
        (a_proposal(metadata={"phase": "a", "extra": {"x": _deep(DEPTH_MAX)}}), "METADATA_TOO_DEEP"),
        (a_proposal(metadata={"phase": "a", "extra": {"x": _deep(100_000)}}), "METADATA_INVALID"),
        (a_proposal(event_id="12"), "EVENT_ID_INVALID"),
        (a_proposal("x" * 81), "EVENT_TYPE_UNKNOWN"),
        (a_proposal("ghp_" + "A1b2" * 9), "EVENT_TYPE_UNKNOWN"),
    ],
)
def test_what_cannot_be_recorded_at_all(proposal: Proposal, code: str) -> None:
    with pytest.raises(EventRefused) as refused:
        prepare(proposal, TYPES, NOW, NEW_ID)
    assert refused.value.code == code
    assert refused.value.exit_code == 5


def test_type_that_looks_like_a_secret_is_not_repeated_in_the_refusal() -> None:
    secret = "ghp_" + "A1b2" * 9
    with pytest.raises(EventRefused) as refused:
        prepare(a_proposal(secret), TYPES, NOW, NEW_ID)
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"actor": {"type": "agent", "id": "ghp_" + "A1b2" * 9}}, "actor"),
        ({"actor": {"type": "agent", "id": "planner", "model": "ghp_" + "A1b2" * 9}}, "actor"),
        ({"actor": {"type": "agent", "id": "x" * 201}}, "actor.id"),
        ({"correlation_id": "a\nb"}, "correlation_id"),
        ({"causation_id": 7}, "causation_id"),
        ({"branch": 0}, "branch"),
        ({"git_sha": "x" * 10_000}, "git_sha"),
        ({"issue_key": {"a": "ghp_" + "A1b2" * 9}}, "issue_key"),
    ],
)
def test_what_stands_around_the_metadata_is_text_that_shows_nothing_secret(more: dict[str, Any], path: str) -> None:
    found = prepare(a_proposal(**more), TYPES, NOW, NEW_ID).findings
    assert [one.path for one in found] == [path]
    assert "A1b2A1b2" not in found[0].message


def test_texts_around_the_metadata_may_be_empty() -> None:
    draft = prepare(a_proposal(correlation_id="", branch=None), TYPES, NOW, NEW_ID).draft
    assert (draft.correlation_id, draft.fact.branch) == (None, None)


def test_number_beyond_64_bits_is_recorded_as_it_is() -> None:
    metadata = {"phase": "PLAN", "extra": {"n": 10**30}}
    assert str(10**30).encode() in bytes(prepare(a_proposal(metadata=metadata), TYPES, NOW, NEW_ID).draft.fact.metadata)


def test_depth_at_the_limit_is_recorded() -> None:
    assert findings(a_proposal(metadata={"phase": "a", "extra": {"x": _deep(DEPTH_MAX - 2)}})) == []


def test_secrets_are_taken_out_and_the_event_says_so() -> None:
    secret = "ghp_" + "A1b2" * 9
    proposal = a_proposal(metadata={"phase": "PLAN", "phase_objective": f"push with {secret}"})
    fact = prepare(proposal, TYPES, NOW, NEW_ID).draft.fact
    assert secret.encode() not in bytes(fact.metadata)
    assert fact.redaction is not None
    assert fact.redaction[0].path == "/phase_objective"


@pytest.mark.parametrize("key", ["PROJ-1", "A-1", "AB_C2-123456"])
def test_issue_keys(key: str) -> None:
    assert is_issue_key(key)


@pytest.mark.parametrize("key", ["", "PROJ", "PROJ-", "-1", "1P-1", "global", "PROJ-1x", "PRÖJ-1", "PROJ-12345678901"])
def test_no_issue_keys(key: str) -> None:
    assert not is_issue_key(key)


@pytest.mark.parametrize("text", ["", "9999-12-31T23:59:59-23:00", "2026", "2026-03-02", "x" * 50, "2026-W10-1T00:00Z"])
def test_texts_that_are_no_times(text: str) -> None:
    moment = parse_time(text)
    assert moment is None or moment - NOW < timedelta(days=400_000)
