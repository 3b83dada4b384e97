"""The trust answer: what each attack leaves behind, and which checkpoint finds it (issue 4's attack matrix)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from esaa.kernel.checkpoint import Checkpoint, VerifierKey, parse_vkey
from esaa.runtime.verification.verify import Verdict
from esaa.stores.keys import KeyStore
from tests.kernel.signing import Signer
from tests.signed import (
    codes,
    config_dir,
    judged,
    key_of,
    latest,
    note_over,
    rewritten,
    root_of_lines,
    signed_note,
    signed_workspace,
)
from tests.workspaces import log_bytes, new_task, reopen


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A signed workspace, whose head is signed."""
    folder = tmp_path / "project"
    signed_workspace(folder, [new_task("T-1"), new_task("T-2"), new_task("T-3")]).verify_now()
    return folder


def log_of(root: Path) -> Path:
    return root / ".roadmap" / "activity.jsonl"


def forget(root: Path) -> None:
    """What this machine remembers is gone, but for its keys."""
    shutil.rmtree(config_dir(root) / "seen", ignore_errors=True)
    shutil.rmtree(root / ".roadmap" / ".esaa", ignore_errors=True)


def retitle(event: dict[str, Any]) -> dict[str, Any]:
    if event["payload"].get("title") == "Make T-2":
        event["payload"]["title"] = "Make nothing"
    return event


def drop(event: dict[str, Any]) -> dict[str, Any] | None:
    return None if event["payload"].get("title") == "Make T-2" else event


def assert_invalid(verdict: Verdict, code: str) -> None:
    assert verdict.verify_status == "corrupted"
    assert verdict.trust.answer == "INVALID"
    assert code in codes(verdict), verdict.findings


def test_signed_here_is_not_anchored(root: Path) -> None:
    verdict = judged(root)
    assert verdict.findings == ()
    trust = verdict.trust
    assert (trust.answer, trust.anchored_through, trust.anchored_by) == ("VALID-UNANCHORED", None, ())
    assert (trust.signed_through, trust.unanchored_tail) == (verdict.events, verdict.events)
    key = key_of(root).verifier
    assert trust.checkpoint_signed_by == (f"{key.name} ({key.key_id.hex()})",)


def test_a_copy_kept_elsewhere_anchors(root: Path) -> None:
    anchor = latest(root).read_bytes()
    size = judged(root).events
    reopen(root).commit(new_task("T-4"))
    trust = judged(root, given=[anchor]).trust
    assert (trust.answer, trust.anchored_through, trust.anchored_by) == ("VALID-ANCHORED", size, ("anchor 1",))
    assert trust.unanchored_tail == len(log_bytes(root).splitlines()) - size


def test_of_several_anchors_the_newest_counts_and_all_must_hold(root: Path) -> None:
    first = latest(root).read_bytes()
    reopen(root).commit(new_task("T-4"))
    reopen(root).verify_now()
    second = latest(root).read_bytes()
    verdict = judged(root, given=[first, second])
    assert verdict.findings == ()
    assert verdict.trust.anchored_through == verdict.events
    assert verdict.trust.anchored_by == ("anchor 2",)
    rewritten(root, retitle)
    assert codes(judged(root, given=[first, second])).count("CHECKPOINT_MISMATCH") == 3


def test_a_witness_anchors(root: Path) -> None:
    key, witness = key_of(root), Signer("witness.example", 5, algorithm=4)
    lines = log_bytes(root).splitlines()
    origin = (root / ".roadmap" / "origin").read_text().strip()
    checkpoint = Checkpoint(origin=origin, size=len(lines), root=root_of_lines(lines))
    from esaa.kernel.checkpoint import Note as SignedNote
    from esaa.kernel.checkpoint import body, format_note, parse_note

    plain = parse_note(signed_note(checkpoint, [key]))
    both = SignedNote(text=plain.text, signatures=(*plain.signatures, witness.sign(body(checkpoint))))
    latest(root).write_bytes(format_note(both))
    trust = judged(root, keys=[witness.key]).trust
    assert trust.answer == "VALID-ANCHORED"
    assert trust.anchored_by == (f"witness.example ({witness.key.key_id.hex()})",)
    assert judged(root).trust.answer == "VALID-UNANCHORED", "a witness that nobody knows vouches for nothing"


def test_every_truncation_is_found_by_the_checkpoint_that_was_left(root: Path) -> None:
    lines = log_bytes(root).splitlines(keepends=True)
    forget(root)
    for cut in range(1, len(lines)):
        log_of(root).write_bytes(b"".join(lines[:cut]))
        verdict = judged(root)
        assert_invalid(verdict, "CHECKPOINT_BEYOND_LOG")
        assert verdict.trust.invalid_from_line is not None
        assert verdict.trust.invalid_from_line <= cut + 1


def test_a_truncation_with_its_checkpoints_is_found_from_outside(root: Path) -> None:
    anchor = latest(root).read_bytes()
    lines = log_bytes(root).splitlines(keepends=True)
    forget(root)
    log_of(root).write_bytes(b"".join(lines[:2]))
    shutil.rmtree(latest(root).parent)
    assert "CHECKPOINT_BEYOND_LOG" not in codes(judged(root)), "nothing in the workspace can tell"
    forget(root)
    assert_invalid(judged(root, given=[anchor]), "CHECKPOINT_BEYOND_LOG")


@pytest.mark.parametrize("attack", [retitle, drop], ids=["edit", "delete"])
def test_a_rewrite_with_a_sound_chain_is_found_by_the_checkpoint(root: Path, attack: Any) -> None:
    forget(root)
    rewritten(root, attack)
    verdict = judged(root)
    assert "CHAIN_BROKEN" not in codes(verdict)
    assert_invalid(verdict, "CHECKPOINT_MISMATCH" if attack is retitle else "CHECKPOINT_BEYOND_LOG")
    assert verdict.trust.signed_through is None


def test_a_mismatch_is_placed_behind_the_last_checkpoint_that_holds(root: Path) -> None:
    """Kept checkpoints narrow down where a history was changed."""
    workspace = reopen(root)
    sizes: list[int] = []
    for number in range(4, 8):
        workspace.commit(new_task(f"T-{number}"))
        workspace.verify_now()
        with workspace.writing():
            checkpoints = workspace.checkpoints()
            assert checkpoints is not None
            made = checkpoints.make("demand")
            assert made is not None
            sizes.append(made.size)
    forget(root)
    changed = sizes[1] + 1
    rewritten(root, lambda event: event | {"actor": "orchestrator ", "payload": event["payload"]}, first=changed)
    verdict = judged(root)
    mismatches = [one for one in verdict.findings if one.code == "CHECKPOINT_MISMATCH"]
    assert {one.where for one in mismatches} == {
        "checkpoints/latest",
        f"checkpoints/{sizes[2]}",
        f"checkpoints/{sizes[3]}",
    }
    assert verdict.trust.signed_through == sizes[1]


def test_a_rewrite_signed_by_another_is_not_believed(root: Path, tmp_path: Path) -> None:
    forget(root)
    rewritten(root, retitle)
    stranger = KeyStore(tmp_path / "stranger").create((root / ".roadmap" / "origin").read_text().strip())
    latest(root).write_bytes(note_over(root, [stranger]))
    verdict = judged(root)
    assert codes(verdict) == ["CHECKPOINT_KEY_UNKNOWN"]
    assert verdict.trust.signed_through is None
    assert verdict.trust.checkpoint_signed_by == ()


def test_a_rewrite_signed_by_the_operator_is_found_by_an_anchor_alone(root: Path) -> None:
    anchor = latest(root).read_bytes()
    forget(root)
    rewritten(root, retitle)
    latest(root).write_bytes(note_over(root, [key_of(root)]))
    local = judged(root)
    assert "CHECKPOINT_MISMATCH" not in codes(local), "who holds the key can sign any history"
    assert local.trust.signed_through == local.events
    verdict = judged(root, given=[anchor])
    assert_invalid(verdict, "CHECKPOINT_MISMATCH")
    assert verdict.trust.anchored_through is None
    assert [one.where for one in verdict.findings if one.code == "CHECKPOINT_MISMATCH"] == ["anchor 1"]


def test_a_machine_that_has_seen_the_log_is_not_fooled_by_its_operator_either(root: Path) -> None:
    judged(root)
    shutil.rmtree(root / ".roadmap" / ".esaa")
    rewritten(root, retitle)
    latest(root).write_bytes(note_over(root, [key_of(root)]))
    assert_invalid(judged(root), "LOG_ROLLED_BACK")


def test_an_anchor_of_another_log_proves_nothing(root: Path) -> None:
    origin = "esaa.local/00000000-0000-4000-8000-000000000000"
    other = Signer(origin, 7)
    lines = log_bytes(root).splitlines()
    from esaa.kernel.checkpoint import format_note

    foreign = format_note(other.note(len(lines), root_of_lines(lines)))
    verdict = judged(root, given=[foreign], keys=[other.key])
    assert "CHECKPOINT_INVALID" in codes(verdict)
    assert verdict.trust.anchored_through is None


def test_a_key_of_another_log_does_not_speak_for_this_one(root: Path) -> None:
    stranger = Signer("esaa.local/other", 8)
    origin = (root / ".roadmap" / "origin").read_text().strip()
    lines = log_bytes(root).splitlines()
    from esaa.kernel.checkpoint import format_note

    note = format_note(stranger.note(len(lines), root_of_lines(lines), origin))
    verdict = judged(root, given=[note], keys=[stranger.key])
    assert "CHECKPOINT_KEY_UNKNOWN" in codes(verdict)
    assert verdict.trust.anchored_through is None


def test_a_bare_log_can_be_anchored_by_file_and_key_alone(root: Path) -> None:
    from esaa.runtime.verification.checkpoint_audit import Given
    from esaa.runtime.verification.verify import find_target, verify

    key, anchor = key_of(root).verifier, latest(root).read_bytes()
    found = verify(find_target(log_of(root)), keys=[key], given=[Given(where="mail", data=anchor)]).trust
    assert (found.answer, found.anchored_by) == ("VALID-ANCHORED", ("mail",))
    assert verify(find_target(log_of(root)), given=[Given(where="mail", data=anchor)]).trust.anchored_through is None


@pytest.mark.parametrize("place", ["latest", "kept"])
def test_every_changed_byte_of_a_checkpoint_is_found_and_placed(root: Path, place: str) -> None:
    path = latest(root)
    if place == "kept":
        workspace = reopen(root)
        with workspace.writing():
            workspace.state()
            checkpoints = workspace.checkpoints()
            assert checkpoints is not None
            made = checkpoints.make("demand")
            assert made is not None
        path = path.with_name(str(made.size))
    sound = path.read_bytes()
    for at in range(len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        verdict = judged(root)
        assert [one.where for one in verdict.findings] == [f"checkpoints/{path.name}"], at
    path.write_bytes(sound)
    assert judged(root).findings == ()


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "empty", "huge", "garbage"])
def test_what_is_no_checkpoint_is_named_and_holds_nothing_up(root: Path, kind: str, tmp_path: Path) -> None:
    path = latest(root)
    sound = path.read_bytes()
    path.unlink()
    match kind:
        case "folder":
            path.mkdir()
        case "link":
            (tmp_path / "elsewhere").write_bytes(sound)
            path.symlink_to(tmp_path / "elsewhere")
        case "pipe":
            os.mkfifo(path)
        case "empty":
            path.write_bytes(b"")
        case "huge":
            path.write_bytes(sound + b"x" * 100_000)
        case _:
            path.write_bytes(b"\xff\x00")
    verdict = judged(root)
    assert codes(verdict) == ["CHECKPOINT_INVALID"]
    assert verdict.trust.signed_through is None


def test_a_kept_checkpoint_under_another_size_is_found(root: Path) -> None:
    shutil.copy(latest(root), latest(root).with_name("3"))
    assert codes(judged(root)) == ["CHECKPOINT_INVALID"]


def test_an_older_checkpoint_in_the_place_of_the_newest_only_shows_less(root: Path) -> None:
    """Nothing is wrong with it: the log holds it. The memory of this machine is what an attacker can't take back."""
    older = latest(root).read_bytes()
    size = judged(root).events
    reopen(root).commit(new_task("T-4"))
    reopen(root).verify_now()
    latest(root).write_bytes(older)
    verdict = judged(root)
    assert verdict.findings == ()
    assert verdict.trust.signed_through == size


def test_loose_keys_are_told_and_not_used(root: Path) -> None:
    next((config_dir(root) / "keys").glob("*.trusted")).chmod(0o644)
    verdict = judged(root)
    assert codes(verdict) == ["KEY_MODE_LOOSE", "CHECKPOINT_KEY_UNKNOWN"]
    assert verdict.trust.signed_through is None


def test_the_parallel_half_computes_the_same_heads(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from esaa.runtime.verification import verify as verification

    anchor = latest(root).read_bytes()
    alone = judged(root, given=[anchor])
    monkeypatch.setattr(verification, "_PARALLEL_FROM_BYTES", 0)
    assert judged(root, given=[anchor]) == alone
    rewritten(root, retitle)
    assert "CHECKPOINT_MISMATCH" in codes(judged(root, given=[anchor]))


def test_a_trusted_key_is_a_vkey(root: Path) -> None:
    text = next((config_dir(root) / "keys").glob("*.trusted")).read_text().strip()
    assert isinstance(parse_vkey(text), VerifierKey)
