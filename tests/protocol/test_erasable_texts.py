"""Erasable texts of the governed log: taken out of what agents said, committed to, and found again by their notes."""

from __future__ import annotations

import json

from msgspec import UNSET

from esaa.kernel.commitment import opens
from esaa.kernel.erasable import PLACEHOLDER, payload_of
from esaa.kernel.recorded import Draft
from esaa.protocol.erasable import notes_of, withheld
from esaa.protocol.facts import Fact, FileWritten, TaskClaimed, TaskCompleted
from tests.scenarios import IMPL, ORCHESTRATOR, record

SALT = bytes(range(32))
SECRET = "Jane called about her invoice"


def _drafts() -> list[Draft[Fact]]:
    return [
        Draft(actor=IMPL, fact=TaskCompleted(task_id="T-1", notes=SECRET, verification={"checks": ["ran it"]})),
        Draft(actor=ORCHESTRATOR, fact=FileWritten(task_id="T-1", files=("a",), effects=[]), follows=True),
        Draft(actor=IMPL, fact=TaskClaimed(task_id="T-2")),
    ]


def test_text_lies_beside_the_log_and_a_commitment_stands_in_its_place() -> None:
    drafts, contents = withheld(_drafts(), ["notes"], lambda: SALT)

    completed, written, claimed = (draft.fact for draft in drafts)
    assert isinstance(completed, TaskCompleted)
    assert completed.notes == PLACEHOLDER
    ((commitment, content),) = contents.items()
    assert opens(commitment, SALT, json.dumps(SECRET).encode())
    (note,) = notes_of(record(completed, 1, actor=IMPL))
    assert (note.path, note.commitment) == ("/notes", commitment)
    assert payload_of(note, content) == json.dumps(SECRET).encode()
    assert payload_of(note, content + b"x") is None
    assert [draft.fact for draft in _drafts()[1:]] == [written, claimed], "nothing else was touched"
    assert [(draft.actor, draft.follows) for draft in drafts] == [(draft.actor, draft.follows) for draft in _drafts()]


def test_without_fields_in_the_policy_nothing_is_withheld() -> None:
    drafts, contents = withheld(_drafts(), [], lambda: SALT)
    assert (list(drafts), contents) == (_drafts(), {})


def test_event_without_notes_or_with_anything_else_in_their_place_has_none() -> None:
    for erasable in (UNSET, None, "x", [1], [{"path": "/notes"}]):
        assert notes_of(record(TaskClaimed(task_id="T-1", erasable=erasable), 1, actor=IMPL)) == ()
    assert notes_of(record(FileWritten(task_id="T-1"), 1)) == ()
