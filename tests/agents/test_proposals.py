"""Changes of a tree as file updates: they lead to exactly the text that the agent left, and nothing is hidden."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.agents.private_tree import Change
from esaa.agents.proposals import file_update, proposed
from esaa.kernel.canonical import sha256_hex

COMPLETE: dict[str, Any] = {"activity_event": {"action": "complete", "task_id": "T-1"}}
NEW = Change(path="src/b.py", before=None, after=b"b = 1\n")


def applied(update: dict[str, Any], before: str) -> str:
    """The text after an update, by the protocol's rule: the old text stands exactly once."""
    if "content" in update:
        return str(update["content"])
    assert update["base_sha256"] == sha256_hex(before.encode())
    for edit in update["edits"]:
        assert edit["old_string"]
        at = before.find(edit["old_string"])
        assert at >= 0
        assert before.find(edit["old_string"], at + 1) < 0
        before = before[:at] + edit["new_string"] + before[at + len(edit["old_string"]) :]
    return before


TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "\n", "a", "é\r\n", "  a\n"]), max_size=8).map("".join)


@given(before=TEXTS, after=TEXTS)
def test_update_leads_from_what_was_to_what_is(before: str, after: str) -> None:
    update = file_update(Change(path="src/a.py", before=before.encode(), after=after.encode()))
    assert applied(update, before) == after


def test_edit_names_the_lines_that_differ_and_no_more() -> None:
    before = b"".join(b"line %d\n" % number for number in range(100))
    update = file_update(Change(path="a", before=before, after=before.replace(b"line 50\n", b"other\n")))
    assert update["edits"] == [{"old_string": "line 50\n", "new_string": "other\n"}]


def test_file_that_was_no_text_is_sent_whole() -> None:
    assert file_update(Change(path="a", before=b"\xff", after=b"text")) == {"path": "a", "content": "text"}


def test_changes_join_what_the_result_says_itself() -> None:
    said = COMPLETE | {"file_updates": [{"path": "docs/a.md", "content": "a"}]}
    proposal = proposed(json.dumps(said).encode(), [NEW], ("docs/a.md", "src/b.py"))
    assert json.loads(proposal.result)["file_updates"] == [
        {"path": "docs/a.md", "content": "a"},
        {"path": "src/b.py", "content": "b = 1\n"},
    ]
    assert proposal.remarks == ()


def test_what_was_changed_counts_before_what_was_sent_and_that_is_told() -> None:
    said = COMPLETE | {"file_updates": [{"path": "src/b.py", "content": "other"}]}
    proposal = proposed(json.dumps(said).encode(), [NEW], ())
    assert json.loads(proposal.result)["file_updates"] == [{"path": "src/b.py", "content": "b = 1\n"}]
    assert proposal.remarks == ("The agent both changed and sent src/b.py: what it changed was taken.",)


def test_change_beyond_the_declared_outputs_is_proposed_and_told() -> None:
    proposal = proposed(json.dumps(COMPLETE).encode(), [NEW], ("src/a.py",))
    assert b"src/b.py" in proposal.result
    assert proposal.remarks == ("The agent changed src/b.py: the task does not declare it as an output.",)


@pytest.mark.parametrize("action", ["claim", "review", "issue.report"])
def test_changes_come_with_a_complete_only(action: str) -> None:
    result = json.dumps({"activity_event": {"action": action}}).encode()
    proposal = proposed(result, [NEW], ())
    assert proposal.result == result
    assert "it was dropped" in proposal.remarks[0]


@pytest.mark.parametrize("result", [b"", b"Sure! {}", b'{"activity_event":', b"[]", b"null", b'{"activity_event":[]}'])
def test_what_is_no_result_stays_as_it_is(result: bytes) -> None:
    assert proposed(result, [NEW], ()).result == result


def test_odd_updates_of_the_result_stay_for_the_orchestrator_to_refuse() -> None:
    said = COMPLETE | {"file_updates": [7, {"path": ["src/b.py"]}, {}]}
    updates = json.loads(proposed(json.dumps(said).encode(), [NEW], ()).result)["file_updates"]
    assert updates[:3] == [7, {"path": ["src/b.py"]}, {}]
    said = COMPLETE | {"file_updates": "all"}
    assert proposed(json.dumps(said).encode(), [NEW], ()).result == json.dumps(said).encode()
