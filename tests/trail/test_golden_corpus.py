"""Every version of every event type that was ever written is read by today's code, and folds to what it folded to.

A line of the corpus never changes. Where one of these fails, the code has to learn to read it: by an upcaster.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from esaa.kernel.chain import leaf_hash
from esaa.kernel.strict_json import loads_strict
from esaa.trail.event import TrailEvent
from esaa.trail.evolve import PROJECTION_VERSION
from esaa.trail.facts.wording import LINE_MAX
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.types import EventTypes, Untyped
from esaa.trail.versions.envelope_schema import ENVELOPE
from esaa.trail.versions.evolution import parse_history
from esaa.trail.versions.schema import events_schema
from esaa.trail.wire import TrailVocabulary, metadata_of
from tests.trail.extend_corpus import corpus_lines, folded, golden_state

SHIPPED = Path(__file__).resolve().parents[2] / "src" / "esaa" / "trail" / "schemas" / "version-history.json"
HISTORY = parse_history(SHIPPED.read_bytes(), "version-history.json")
LINES = corpus_lines()
EVENTS = [TrailVocabulary().decode(line) for line in LINES]
AS_EVENTS = pytest.mark.parametrize(
    "event", EVENTS, ids=[f"{event.fact.event_type}-{event.schema_version}" for event in EVENTS]
)


@AS_EVENTS
def test_line_has_its_type_and_a_summary(event: TrailEvent) -> None:
    fact = EventTypes().fact_of(event)
    assert not isinstance(fact, Untyped)
    assert type(fact) is TRAIL_TYPES[event.fact.event_type]
    assert 10 <= len(fact.summary()) <= LINE_MAX
    assert fact.summary().isprintable()


@AS_EVENTS
def test_metadata_fits_the_schema_of_its_version_in_the_history(event: TrailEvent) -> None:
    written = {one.version: one.schema for one in HISTORY.types[event.fact.event_type]}
    validator = jsonschema_rs.validator_for(written[event.schema_version], offline=True)
    assert [error.message for error in validator.iter_errors(metadata_of(event))] == []


def test_lines_are_encoded_again_byte_for_byte() -> None:
    assert [TrailVocabulary().encode(event) for event in EVENTS] == LINES


def test_lines_of_today_fit_the_published_schema() -> None:
    validator = jsonschema_rs.validator_for(events_schema(), offline=True)
    for line in LINES:
        assert [error.message for error in validator.iter_errors(loads_strict(line))] == []


def test_corpus_is_one_unbroken_chain() -> None:
    assert [event.version for event in EVENTS] == list(range(1, len(EVENTS) + 1))
    assert [event.prev_hash for event in EVENTS] == [None, *(leaf_hash(line) for line in LINES[:-1])]
    assert sorted(event.ts for event in EVENTS) == [event.ts for event in EVENTS]


def test_every_version_of_the_history_has_a_line_and_no_other_has() -> None:
    written = {(name, one.version) for name, versions in HISTORY.types.items() for one in versions}
    # After a new version: python -m tests.trail.extend_corpus. Where a version is gone: put the history back.
    assert {(event.fact.event_type, event.schema_version) for event in EVENTS} == written


def test_every_key_of_the_envelope_is_in_the_corpus() -> None:
    seen: set[str] = set()
    for line in LINES:
        value: Any = loads_strict(line)
        seen |= value.keys()
    assert seen == set(ENVELOPE)


def test_corpus_folds_to_the_state_that_is_kept() -> None:
    kept = golden_state()
    assert kept is not None
    # Rules that changed on purpose get a new PROJECTION_VERSION: python -m tests.trail.extend_corpus
    assert kept.projection_version == PROJECTION_VERSION
    assert kept.lines == len(LINES)
    assert folded(LINES[: kept.lines]) == kept
