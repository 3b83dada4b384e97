"""Files that somebody else changed after an agent had seen them: refused, merged, and never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from esaa.kernel.canonical import compact, sha256_hex
from esaa.protocol.commands import Submit
from esaa.protocol.result import parse_result
from esaa.runtime.merging import merge
from esaa.runtime.workspace import Receipt, Workspace
from tests.workspaces import (
    TWO_IMPLEMENTERS,
    Edits,
    actions_of,
    assert_sound,
    make_workspace,
    new_task,
    payloads,
    reopen,
    result,
    submit,
)

PAGE = "src/page.txt"
TEN = "".join(f"line {number}\n" for number in range(10))


def policy(conflicts: str) -> Edits:
    return {
        **TWO_IMPLEMENTERS,
        "RUNTIME_POLICY.yaml": [
            ("conflicts: serialise", f"conflicts: {conflicts}"),
            ("cooldown: PT2M", "cooldown: PT0S"),
            ("cadence: adaptive", "cadence: run_end"),
        ],
    }


def begun(root: Path, conflicts: str, *, content: str | None = TEN) -> Workspace:
    """A workspace in which two tasks that share a file have been claimed."""
    workspace = make_workspace(root, [new_task(f"T-{n}", outputs=[PAGE]) for n in (1, 2)], edits=policy(conflicts))
    if content is not None:
        (root / "src").mkdir()
        (root / PAGE).write_text(content)
    assert submit(workspace, "agent-impl", result("claim", "T-1")).rejected is None
    assert submit(workspace, "agent-impl-2", result("claim", "T-2")).rejected is None
    return workspace


def deliver(workspace: Workspace, task_id: str, text: str, based_on: int | None, **update: Any) -> Receipt:
    """A `complete` of an agent that was asked at an event."""
    value = json.loads(result("complete", task_id))
    value["file_updates"] = [{"path": PAGE, **(update or {"content": text})}]
    actor = {"T-1": "agent-impl", "T-2": "agent-impl-2"}[task_id]
    parsed = parse_result(compact(value), workspace.rules)
    return workspace.commit(Submit(actor=actor, result=parsed, asked_task_id=task_id, based_on=based_on))


def edited(number: int) -> str:
    return TEN.replace(f"line {number}\n", f"line {number} by T-{number}\n")


@pytest.mark.parametrize("conflicts", ["serialise", "reject", "merge"])
def test_overwriting_what_another_task_wrote_meanwhile_is_refused(tmp_path: Path, conflicts: str) -> None:
    root = tmp_path / "project"
    workspace = make_workspace(
        root, [new_task(f"T-{n}", outputs=[f"src/{n}"]) for n in (1, 2)], edits=policy(conflicts)
    )
    for actor, task_id in (("agent-impl", "T-1"), ("agent-impl-2", "T-2")):
        submit(workspace, actor, result("claim", task_id))
    seen = workspace.state().seq
    # The file is in nobody's declared outputs, so even `serialise` has both in flight.
    assert deliver(workspace, "T-1", "mine\n", seen).rejected is None
    refused = deliver(workspace, "T-2", "no, mine\n", seen).rejected
    assert refused is not None
    assert (refused.error_code, refused.counts) == ("WRITE_CONFLICT", False)
    assert "was changed by T-1 after it had been read" in refused.message
    assert (root / PAGE).read_text() == "mine\n"
    work = workspace.state().work("T-2")
    assert (work.attempts, work.complete) == (0, 1), "it costs no attempt, but the next question is another one"
    assert work.last_rejection is not None
    assert deliver(workspace, "T-2", "mine\nand mine\n", workspace.state().seq).rejected is None
    assert_sound(root)


def test_reject_lets_the_first_write_and_the_second_look_again(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = begun(root, "reject")
    seen = workspace.state().seq
    assert deliver(workspace, "T-2", edited(2), seen).rejected is None, "it may write what T-1 declares as well"
    refused = deliver(workspace, "T-1", edited(1), seen).rejected
    assert refused is not None
    assert refused.error_code == "WRITE_CONFLICT"
    assert (root / PAGE).read_text() == edited(2)
    assert_sound(root)


def test_edits_of_an_older_text_are_a_conflict_too(tmp_path: Path) -> None:
    workspace = begun(tmp_path / "project", "reject")
    seen = workspace.state().seq
    assert deliver(workspace, "T-1", edited(1), seen).rejected is None
    edits = {"base_sha256": sha256_hex(TEN.encode()), "edits": [{"old_string": "line 2", "new_string": "LINE 2"}]}
    refused = deliver(workspace, "T-2", "", seen, **edits).rejected
    assert refused is not None
    assert (refused.error_code, refused.counts) == ("WRITE_CONFLICT", False)


@pytest.mark.parametrize("as_edits", [False, True])
def test_merge_keeps_both_changes_and_verifies_at_once(tmp_path: Path, *, as_edits: bool) -> None:
    root = tmp_path / "project"
    workspace = begun(root, "merge")
    seen = workspace.state().seq
    assert deliver(workspace, "T-1", edited(1), seen).rejected is None
    before = sha256_hex(TEN.encode())
    edits = {"base_sha256": before, "edits": [{"old_string": "line 8", "new_string": "line 8 by T-8"}]}
    receipt = deliver(workspace, "T-2", edited(8), seen, **(edits if as_edits else {}))
    assert receipt.rejected is None
    assert (root / PAGE).read_text() == edited(1).replace("line 8", "line 8 by T-8")
    assert actions_of(receipt)[-2:] == ["verify.start", "verify.ok"]
    effect = payloads(root, "orchestrator.file.write")[-1]["effects"][0]
    assert effect["merge"] == {
        "base_sha256": before,
        "proposed_sha256": sha256_hex(edited(8).encode()),
        "with_task": "T-1",
    }
    assert effect["before_sha256"] == sha256_hex(edited(1).encode())
    assert workspace.blobs.get(effect["merge"]["proposed_sha256"]) == edited(8).encode()
    assert_sound(root)
    # Another process comes to the same.
    assert reopen(root).state().seq == workspace.state().seq


def test_changes_of_the_same_lines_are_refused_and_the_words_say_so(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = begun(root, "merge")
    seen = workspace.state().seq
    assert deliver(workspace, "T-1", TEN.replace("line 5", "five"), seen).rejected is None
    refused = deliver(workspace, "T-2", TEN.replace("line 5", "FIVE"), seen).rejected
    assert refused is not None
    assert refused.error_code == "WRITE_CONFLICT"
    assert "the two changes touch the same lines" in refused.message
    assert (root / PAGE).read_text() == TEN.replace("line 5", "five")
    assert_sound(root)


def test_edits_are_merged_with_what_a_person_changed_by_hand(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = begun(root, "merge")
    assert deliver(workspace, "T-1", edited(1), workspace.state().seq).rejected is None
    known = sha256_hex(edited(1).encode())
    (root / PAGE).write_text(edited(1) + "by hand\n")
    edits = {"base_sha256": known, "edits": [{"old_string": "line 3", "new_string": "line 3 by T-2"}]}
    assert deliver(workspace, "T-2", "", None, **edits).rejected is None
    assert (root / PAGE).read_text() == edited(1).replace("line 3", "line 3 by T-2") + "by hand\n"
    assert_sound(root)


def test_what_is_sent_by_hand_without_a_base_keeps_off_files_of_others(tmp_path: Path) -> None:
    for conflicts in ("reject", "merge"):
        workspace = begun(tmp_path / conflicts, conflicts)
        refused = deliver(workspace, "T-2", edited(2), None).rejected
        assert refused is not None
        assert refused.error_code == "WRITE_CONFLICT"
        assert "belongs to T-1" in refused.message


def test_two_new_files_of_one_name_are_no_merge(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = begun(root, "merge", content=None)
    seen = workspace.state().seq
    assert deliver(workspace, "T-1", "one\n", seen).rejected is None
    refused = deliver(workspace, "T-2", "two\n", seen).rejected
    assert refused is not None
    assert refused.error_code == "WRITE_CONFLICT"
    same = deliver(workspace, "T-2", "one\n", seen)
    assert same.rejected is None, "the same twice is no conflict"
    assert (root / PAGE).read_text() == "one\n"
    assert_sound(root)


def test_file_that_is_gone_or_whose_beginning_is_lost_is_a_conflict(tmp_path: Path) -> None:
    workspace = begun(tmp_path / "gone", "merge")
    seen = workspace.state().seq
    assert deliver(workspace, "T-1", edited(1), seen).rejected is None
    (tmp_path / "gone" / PAGE).unlink()
    refused = deliver(workspace, "T-2", edited(8), seen).rejected
    assert refused is not None
    assert "the file is gone" in refused.message
    workspace = begun(tmp_path / "lost", "merge")
    seen = workspace.state().seq
    assert deliver(workspace, "T-1", edited(1), seen).rejected is None
    digest = sha256_hex(TEN.encode())
    (tmp_path / "lost" / ".roadmap" / "blobs" / digest[:2] / digest).unlink()
    refused = deliver(workspace, "T-2", edited(8), seen).rejected
    assert refused is not None
    assert "a beginning that was not kept" in refused.message


def test_merged_file_stays_under_the_limit(tmp_path: Path) -> None:
    edits = {**policy("merge"), "AGENT_CONTRACT.yaml": [("file_bytes_max: 1048576", "file_bytes_max: 120")]}
    root = tmp_path / "project"
    workspace = make_workspace(root, [new_task(f"T-{n}", outputs=[PAGE]) for n in (1, 2)], edits=edits)
    (root / "src").mkdir()
    (root / PAGE).write_text(TEN)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    submit(workspace, "agent-impl-2", result("claim", "T-2"))
    seen = workspace.state().seq
    long = TEN.replace("line 0\n", "line 0" + 40 * "a" + "\n")
    assert deliver(workspace, "T-1", long, seen).rejected is None
    refused = deliver(workspace, "T-2", TEN.replace("line 9\n", "line 9" + 40 * "b" + "\n"), seen).rejected
    assert refused is not None
    assert "make more than 120 bytes together" in refused.message


def test_merge_of_bytes_and_its_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    assert merge(b"a\nb\nc\nd\ne\n", b"a\nb\nc\nd\ne\n", b"A\nb\nc\nd\ne\n") == b"A\nb\nc\nd\ne\n"
    assert merge(b"a\nb\nc\nd\nE\n", b"a\nb\nc\nd\ne\n", b"A\nb\nc\nd\ne\n") == b"A\nb\nc\nd\nE\n"
    assert merge(b"x\n", b"a\n", b"a\n") == b"x\n"
    assert merge(b"x\n", b"a\n", b"y\n") == "touch the same lines"
    many = b"".join(b"%d\n\n\n\n" % number for number in range(300))
    assert merge(many.replace(b"1", b"x"), many, many.replace(b"1", b"y")) == "touch the same lines"
    assert merge(b"\0x\n", b"\0a\n", b"\0y\n") == "cannot be merged line by line"
    monkeypatch.setenv("PATH", "/nowhere")
    assert "not installed" in str(merge(b"x\n", b"a\n", b"y\n"))
