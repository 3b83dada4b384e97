"""The audit of a trail stream's envelopes: every rule of the envelope is found broken, at its line, and once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from esaa.trail import envelope_audit
from esaa.trail.envelope_audit import EnvelopeAudit
from esaa.trail.event import GLOBAL
from esaa.trail.wire import ENVELOPE_REQUIRED, TrailVocabulary
from tests.trail.scenes import TYPES, happened

WIRE = TrailVocabulary()
PHASE = ("PhaseStarted", {"phase": "PLAN"})


def _events(count: int = 3, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(WIRE.encode(happened(number, *PHASE, **options))) for number in range(1, count + 1)]


def _audited(events: list[dict[str, Any]], stream: str = "PROJ-123", first: int = 1) -> EnvelopeAudit:
    audit = EnvelopeAudit(stream, TYPES, first)
    for line, event in enumerate(events, start=1):
        audit.feed(event, line)
    return audit


def _found(audit: EnvelopeAudit) -> list[tuple[int, str]]:
    return [(one.line, one.code) for one in audit.findings]


def test_sound_events_have_no_finding_and_are_counted_by_type() -> None:
    audit = _audited(_events())
    assert (_found(audit), audit.schema_findings, audit.faulty) == ([], [], 0)
    assert (audit.events, audit.types_seen, audit.skewed) == (3, {"PhaseStarted": 3}, 0)
    assert _found(_audited(_events(issue_key=None), GLOBAL)) == []
    assert _found(_audited(_events()[1:], first=2)) == []


@pytest.mark.parametrize("key", sorted(ENVELOPE_REQUIRED))
def test_missing_key_is_named(key: str) -> None:
    events = _events()
    del events[1][key]
    audit = _audited(events)
    assert _found(audit) == [(2, "EVENT_MISSING_FIELDS")]
    assert f"`{key}`" in audit.findings[0].message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"event_sequence": 4}, "EVENT_SEQ_INVALID"),
        ({"event_sequence": "2"}, "EVENT_SEQ_INVALID"),
        ({"event_id": "no uuid"}, "EVENT_ID_INVALID"),
        ({"event_id": 7}, "EVENT_ID_INVALID"),
        ({"event_id": _events()[0]["event_id"]}, "EVENT_ID_DUPLICATE"),
        ({"issue_key": "PROJ-9"}, "STREAM_INVALID"),
        ({"issue_key": None}, "STREAM_INVALID"),
        ({"timestamp": "yesterday"}, "TIMESTAMP_INVALID"),
        ({"timestamp": 1}, "TIMESTAMP_INVALID"),
        ({"timestamp": "2025-12-22T11:02:00.000+01:00"}, "TIMESTAMP_INVALID"),
        ({"timestamp": "2025-12-22T10:00:00.000Z"}, "TIMESTAMP_BACK"),
        ({"event_type": 1}, "SCHEMA_INVALID"),
        ({"metadata": []}, "SCHEMA_INVALID"),
    ],
)
def test_broken_rule_is_found_at_its_line(changes: dict[str, Any], code: str) -> None:
    events = _events()
    events[1] |= changes
    found = _found(_audited(events))
    assert (2, code) in found
    # A gap shows at the event where the count jumps and where it comes back.
    assert {one for _, one in found} == {code}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"event_type": "NoSuchThing"}, "EVENT_TYPE_UNKNOWN"),
        ({"metadata": {"phase": 7}}, "SCHEMA_INVALID"),
        ({"metadata": {}}, "SCHEMA_INVALID"),
    ],
)
def test_event_that_breaks_its_schema_is_faulty(changes: dict[str, Any], code: str) -> None:
    events = _events()
    events[1] |= changes
    audit = _audited(events)
    assert _found(audit) == []
    assert [(one.line, one.code) for one in audit.schema_findings] == [(2, code)]
    assert audit.faulty == 1


def test_event_of_another_version_is_left_to_the_upcasters() -> None:
    events = _events()
    events[1] |= {"event_version": "0.9.0", "metadata": {"phase": 7}}
    assert _audited(events).faulty == 0


def test_event_that_was_told_late_is_counted() -> None:
    events = _events()
    events[1]["occurred_at"] = "2025-12-22T10:01:30.000Z"
    assert _audited(events).skewed == 1


def test_line_that_is_no_object_takes_a_place_and_nothing_is_known_in_advance() -> None:
    audit = EnvelopeAudit("PROJ-123", TYPES)
    audit.skip()
    audit.feed(_events()[1], 2)
    assert (_found(audit), audit.events) == ([], 2)
    assert not audit.knows(b"{}\n", ["0" * 64])


def test_flood_of_findings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope_audit, "FINDINGS_MAX", 2)
    events = _events(6)
    for event in events:
        event |= {"event_type": "NoSuchThing", "issue_key": "PROJ-9"}
    audit = _audited(events)
    assert (len(audit.findings), len(audit.schema_findings), audit.faulty) == (2, 2, 6)
