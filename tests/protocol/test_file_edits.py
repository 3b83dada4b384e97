"""Edits to exactly the text that the agent saw: applied in order, or refused with a precise code."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from esaa.kernel.canonical import sha256_hex
from esaa.kernel.decider import Rejected
from esaa.protocol.commands import FileOnDisk, Submit
from esaa.protocol.conflicts import Meeting
from esaa.protocol.deliver import deliver
from esaa.protocol.edits import new_content
from esaa.protocol.facts import FileWritten, OutputRejected
from esaa.protocol.intentions import AgentResult, Complete, Edit, FileUpdate
from esaa.protocol.settle import Settlement
from tests.scenarios import (
    IMPL,
    append,
    complete,
    facts_of,
    folded,
    governance,
    in_progress,
    protocol_spec,
    settled,
    submit,
)

TEXT = b"alpha beta beta\ngamma\n"
MAX = 1000


def _update(*edits: tuple[str, str] | tuple[str, str, bool], base: str | None = None) -> FileUpdate:
    made = tuple(
        Edit(old_string=one[0], new_string=one[1], replace_all=one[2] if len(one) > 2 else False) for one in edits
    )
    return FileUpdate(path="src/a.py", base_sha256=sha256_hex(TEXT) if base is None else base, edits=made)


def _on_disk(text: bytes = TEXT) -> FileOnDisk:
    return FileOnDisk(sha256=sha256_hex(text), content=text)


def _code(update: FileUpdate, found: FileOnDisk) -> str:
    content = new_content(update, found, MAX)
    assert isinstance(content, Rejected)
    return content.error_code


def test_edits_apply_in_order_each_to_what_the_one_before_left() -> None:
    update = _update(("alpha", "ALPHA"), ("ALPHA beta", "one"), ("gamma", "gamma\nδ"))

    assert new_content(update, _on_disk(), MAX) == "one beta\ngamma\nδ\n".encode()


def test_replace_all_replaces_every_place() -> None:
    assert new_content(_update(("beta", "b", True)), _on_disk(), MAX) == b"alpha b b\ngamma\n"


def test_new_string_may_be_empty() -> None:
    assert new_content(_update(("alpha ", "")), _on_disk(), MAX) == b"beta beta\ngamma\n"


def test_whole_content_needs_no_file_and_replaces_any() -> None:
    update = FileUpdate(path="src/a.py", content="new é")

    assert new_content(update, FileOnDisk(), MAX) == "new é".encode()
    assert new_content(update, _on_disk(), MAX) == "new é".encode()


def test_update_of_nothing_is_an_empty_file() -> None:
    assert new_content(FileUpdate(path="src/a.py"), FileOnDisk(), MAX) == b""


@pytest.mark.parametrize(
    ("update", "found", "code"),
    [
        (_update(("alpha", "x")), FileOnDisk(), "EDIT_BASE_MISMATCH"),
        (_update(("alpha", "x")), FileOnDisk(sha256=sha256_hex(TEXT)), "EDIT_BASE_MISMATCH"),
        (_update(("alpha", "x"), base="0" * 64), _on_disk(), "EDIT_BASE_MISMATCH"),
        (_update(("alpha", "x")), _on_disk(TEXT + b" "), "EDIT_BASE_MISMATCH"),
        (_update(("delta", "x")), _on_disk(), "EDIT_TARGET_NOT_FOUND"),
        (_update(("alpha", "x"), ("alpha", "y")), _on_disk(), "EDIT_TARGET_NOT_FOUND"),
        (_update(("beta", "x")), _on_disk(), "EDIT_AMBIGUOUS"),
        (_update(("", "x")), _on_disk(), "EDIT_INVALID"),
        (_update(("alpha", "alpha")), _on_disk(), "EDIT_INVALID"),
        (_update(("a", "x"), base=sha256_hex(b"\xff")), _on_disk(b"\xff"), "EDIT_INVALID"),
    ],
)
def test_edit_that_does_not_fit_is_refused(update: FileUpdate, found: FileOnDisk, code: str) -> None:
    assert _code(update, found) == code


def test_edits_that_double_a_text_are_refused_before_it_is_made() -> None:
    bomb = _update(*[("a", "aa", True)] * 1000)
    began = time.process_time()

    assert _code(bomb, _on_disk()) == "RESOURCE_LIMIT_EXCEEDED"
    assert time.process_time() - began < 1.0


def test_limit_counts_bytes_not_characters() -> None:
    assert _code(_update(("gamma", "é" * 495)), _on_disk()) == "RESOURCE_LIMIT_EXCEEDED"
    assert not isinstance(new_content(_update(("gamma", "e" * 495)), _on_disk(), MAX), Rejected)


def test_edited_file_may_not_grow_beyond_the_contract() -> None:
    base = "a" * 600_000
    update = {
        "path": "src/a.py",
        "base_sha256": sha256_hex(base.encode()),
        "edits": [{"old_string": "a", "new_string": "bb", "replace_all": True}],
    }
    command = submit(IMPL, complete(files=[update]), files={"src/a.py": base.encode()})

    refusal = protocol_spec().given(*in_progress()).when(command).then_rejected("RESOURCE_LIMIT_EXCEEDED")

    assert refusal.layer == "boundary"


def test_delivery_records_each_file_with_its_digests_and_carries_its_content() -> None:
    edit = {
        "path": "src/a.py",
        "base_sha256": sha256_hex(TEXT),
        "edits": [{"old_string": "alpha", "new_string": "omega"}],
    }
    files: list[dict[str, Any]] = [edit, {"path": "src/new.py", "content": "print()\n"}]
    command = submit(IMPL, complete(files=files), files={"src/a.py": TEXT})

    outcome = settled(command, folded(*in_progress()))

    written = [fact for fact in facts_of(outcome) if type(fact).__name__ == "FileWritten"]
    edited = TEXT.replace(b"alpha", b"omega")
    assert [fact.effects for fact in written] == [  # type: ignore[union-attr]  # FileWritten
        [
            {
                "path": "src/a.py",
                "before_sha256": sha256_hex(TEXT),
                "after_sha256": sha256_hex(edited),
                "bytes": len(edited),
            }
        ],
        [
            {
                "path": "src/new.py",
                "before_sha256": None,
                "after_sha256": sha256_hex(b"print()\n"),
                "bytes": 8,
            }
        ],
    ]
    assert outcome.contents == {sha256_hex(edited): edited, sha256_hex(b"print()\n"): b"print()\n"}


def test_refused_delivery_carries_no_content() -> None:
    outcome = settled(submit(IMPL, complete(files={"docs/a.md": "x"})), folded(*in_progress()))

    assert outcome.contents == {}


@pytest.mark.parametrize("both", [True, False])
def test_update_has_content_or_edits_and_not_both_whatever_the_schema_lets_through(both: bool) -> None:
    update = FileUpdate(
        path="src/a.py",
        content="x" if both else UNSET,
        edits=(Edit(old_string="a", new_string="b"),) if both else UNSET,
    )
    intention = Complete(action="complete", task_id="T-1", verification={"checks": ["ran it"]})
    result = AgentResult(intention=intention, updates=(update,), fields={}, result_sha256="")
    state = folded(*in_progress())
    task = state.task("T-1")
    assert task is not None

    delivered = deliver(task, Submit(actor=IMPL, result=result), intention, result, state, governance())

    assert isinstance(delivered, Rejected)
    assert delivered.error_code == "EDIT_INVALID"


def _met(**how: Any) -> FileOnDisk:
    """A file that somebody changed after the agent had seen it."""
    meeting = Meeting(**({"writer": "T-9", "base_sha256": sha256_hex(TEXT), "proposed": b"mine\n"} | how))
    return FileOnDisk(sha256=sha256_hex(b"theirs\n"), content=b"theirs\n", meeting=meeting)


def _delivered(found: FileOnDisk) -> Settlement:
    command = submit(IMPL, complete(files=[{"path": "src/a.py", "content": "mine\n"}]))
    return settled(msgspec.structs.replace(command, files={"src/a.py": found}), folded(*in_progress()))


def test_both_changes_are_written_where_they_go_together_and_the_event_says_of_what() -> None:
    outcome = _delivered(_met(merged=b"theirs\nmine\n"))
    [written] = [fact for fact in facts_of(outcome) if isinstance(fact, FileWritten)]
    [effect] = written.effects
    assert effect["after_sha256"] == sha256_hex(b"theirs\nmine\n")
    assert effect["merge"] == {
        "base_sha256": sha256_hex(TEXT),
        "proposed_sha256": sha256_hex(b"mine\n"),
        "with_task": "T-9",
    }


@pytest.mark.parametrize(
    ("how", "who", "why"),
    [
        ({}, "T-9", ""),
        ({"writer": None}, "somebody", ""),
        ({"fault": "touch the same lines"}, "T-9", "touch the same lines"),
        ({"merged": b"x" * (1024 * 1024 + 1)}, "T-9", "make more than 1048576 bytes together"),
    ],
)
def test_file_that_somebody_changed_is_not_written_over(how: dict[str, Any], who: str, why: str) -> None:
    outcome = _delivered(_met(**how))
    [refused] = [fact for fact in facts_of(outcome) if isinstance(fact, OutputRejected)]
    assert (refused.error_code, refused.counts) == ("WRITE_CONFLICT", False)
    assert f"`src/a.py` was changed by {who} after it had been read" in refused.message
    assert why in refused.message
    assert not any(isinstance(fact, FileWritten) for fact in facts_of(outcome))


def test_owner_of_a_conflict_is_asked_another_question_and_told_why_at_no_cost() -> None:
    state = folded(*in_progress())
    before = state.work("T-1")
    command = submit(IMPL, complete(files=[{"path": "src/a.py", "content": "mine\n"}]))
    outcome = settled(msgspec.structs.replace(command, files={"src/a.py": _met()}), state)
    append(state, outcome.drafts)
    after = state.work("T-1")
    assert (after.attempts, after.rejected_at, after.complete) == (before.attempts, None, before.complete + 1)
    assert after.last_rejection is not None
    assert after.last_rejection["error_code"] == "WRITE_CONFLICT"
