"""What the gates say about a secret does not repeat it, and no name of an event is one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from esaa.errors import EventRefused
from esaa.trail.intake import Prepared, Proposal, prepare
from esaa.trail.types import EventTypes

TOKEN = "ghp_" + "a1B2" * 9
LONG = "x " * 30 + TOKEN
"""A secret that a message would cut in two."""
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SESSION = "5e551000-0000-4000-8000-000000000001"


def prepared(event_type: str = "PhaseStarted", **envelope: Any) -> Prepared:
    """What the gates make of an event."""
    fields: dict[str, Any] = {
        "metadata": {"phase": "PLAN"},
        "actor": {"type": "user", "id": "ada"},
        "session_id": SESSION,
        "issue_key": "PROJ-1",
    }
    proposal = Proposal(event_type=event_type, **(fields | envelope))
    return prepare(proposal, EventTypes(), NOW, "00000000-0000-4000-8000-000000000001")


@pytest.mark.parametrize("secret", [TOKEN, LONG], ids=["whole", "cut"])
@pytest.mark.parametrize(
    "place",
    [
        lambda text: {"metadata": {"phase": "PLAN", text: 1}},
        lambda text: {"metadata": {"phase": [text]}},
        lambda text: {"metadata": {"phase": "PLAN", "issue_key": text}},
        lambda text: {"issue_key": text},
        lambda text: {"session_id": text},
        lambda text: {"timestamp": text},
        lambda text: {"timestamp": [text]},
        lambda text: {"actor": {"type": "agent", "id": text}},
        lambda text: {"actor": {"type": "agent", "id": "x", "model": text}},
        lambda text: {"actor": {"type": text, "id": "x"}},
        lambda text: {"branch": text},
    ],
    ids=["field", "value", "inner", "issue", "session", "time", "list", "actor", "model", "kind", "branch"],
)
def test_neither_draft_nor_finding_holds_a_secret(place: Any, secret: str) -> None:
    found = prepared(**place(secret))
    assert TOKEN[4:20] not in str(found.findings)
    # A session that is none is replaced by the recorder.
    assert TOKEN[4:20] not in str(replace(found.draft.fact, session_id=""))


@pytest.mark.parametrize("field", ["id", "model"])
def test_an_actor_is_not_named_by_a_secret(field: str) -> None:
    found = prepared(actor={"type": "agent", "id": "x"} | {field: TOKEN})
    (finding,) = found.findings
    assert (finding.gate, finding.code) == (7, "ACTOR_INVALID")
    assert found.draft.fact.actor.id == "unknown"


def test_an_event_type_that_is_a_secret_is_refused_by_every_store() -> None:
    with pytest.raises(EventRefused) as caught:
        prepared(TOKEN)
    assert caught.value.code == "EVENT_TYPE_UNKNOWN"
    assert TOKEN not in str(caught.value)


def test_findings_about_anything_else_say_what_was_sent() -> None:
    (finding,) = prepared(issue_key="PROJ").findings
    assert "'PROJ'" in finding.message
