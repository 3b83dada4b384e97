"""`esaa key`, `esaa checkpoint` and what verification makes of them, as a user meets them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from esaa.kernel.checkpoint import checkpoint_of, parse_note
from tests.cli.workbench import Workbench


@pytest.fixture
def signed(esaa: Workbench) -> Workbench:
    """A new workspace, named and signed."""
    esaa.ok("init", "--name", "tide")
    return esaa


def elsewhere(esaa: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, as on a machine that knows nothing."""
    monkeypatch.setenv("ESAA_CONFIG_DIR", str(esaa.root.parent / "elsewhere"))


def test_init_names_signs_and_says_no_more(esaa: Workbench) -> None:
    outcome = esaa.ok("init")
    assert "warning" not in outcome.err
    note = parse_note((esaa.roadmap / "checkpoints" / "latest").read_bytes())
    found = checkpoint_of(note)
    assert found.origin == (esaa.roadmap / "origin").read_text().strip()
    assert found.size == len(esaa.events())
    esaa.assert_sound()


def test_init_without_a_key_leaves_everything_out(esaa: Workbench, user: Path) -> None:
    esaa.ok("init", "--no-key")
    assert not (esaa.roadmap / "origin").exists()
    assert not (esaa.roadmap / "checkpoints").exists()
    assert not (user / "esaa" / "keys").exists()
    assert esaa("key", "show", "--json").error["code"] == "ORIGIN_NOT_FOUND"
    made = esaa.ok("key", "create", "--json").answer
    assert made["origin"] == (esaa.roadmap / "origin").read_text().strip()
    assert esaa.ok("checkpoint", "--json").answer["checkpoint"]["size"] == len(esaa.events())
    esaa.assert_sound()


def test_init_that_cannot_keep_a_key_makes_a_workspace_all_the_same(
    esaa: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESAA_CONFIG_DIR", str(esaa.root / "inside"))
    outcome = esaa.ok("init")
    assert "checkpoints are not signed" in outcome.err
    assert "inside the workspace" in outcome.err
    assert esaa.actions() == ["run.start", "verify.start", "verify.ok"]
    assert not (esaa.root / "inside" / "keys").exists()


def test_a_second_key_is_refused(signed: Workbench) -> None:
    outcome = signed("key", "create", "--json")
    assert (outcome.code, outcome.error["code"]) == (2, "KEY_EXISTS")


def test_keys_are_shown_listed_and_rotated(signed: Workbench) -> None:
    first = signed.ok("key", "show").out.strip()
    assert [one["vkey"] for one in signed.ok("key", "list", "--json").answer] == [first]
    signed.ok("task", "create", "T-1", "--kind", "spec", "--title", "x")
    answer = signed.ok("key", "rotate", "--json").answer
    assert answer["vkey_before"] == first
    assert answer["checkpoint"]["size"] == len(signed.events())
    second = signed.ok("key", "show").out.strip()
    assert second == answer["vkey"] != first
    assert [(one["use"], one["vkey"]) for one in signed.ok("key", "list", "--json").answer] == [
        ("trusted", first),
        ("signs", second),
    ]
    signed.assert_sound()


def test_a_checkpoint_is_printed_as_it_lies_there(signed: Workbench) -> None:
    signed.ok("task", "create", "T-1", "--kind", "spec", "--title", "x")
    outcome = signed.ok("checkpoint")
    assert outcome.out.encode() == (signed.roadmap / "checkpoints" / "latest").read_bytes()
    size = len(signed.events())
    assert (signed.roadmap / "checkpoints" / str(size)).read_bytes() == outcome.out.encode()
    assert f"#{size}" in outcome.err


def test_another_machine_is_told_whom_to_ask_and_then_believes(
    signed: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    vkey = signed.ok("key", "show").out.strip()
    elsewhere(signed, monkeypatch)
    unknown = signed("verify", "--strict", "--json")
    assert unknown.code == 3
    assert [one["code"] for one in unknown.answer["findings"]] == ["CHECKPOINT_KEY_UNKNOWN"]
    assert signed.ok("verify", "--strict", "--key", vkey, "--json").answer["trust"]["signed_through"] == 3
    signed.ok("key", "trust", vkey)
    assert signed.ok("verify", "--strict", "--json").answer["trust"]["signed_through"] == 3


def test_a_key_of_another_log_is_not_trusted_for_this_one(esaa: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    esaa.ok("init")
    vkey = esaa.ok("key", "show").out.strip()
    other = esaa.root.parent / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    esaa.ok("init")
    outcome = esaa("key", "trust", vkey, "--json")
    assert (outcome.code, outcome.error["code"]) == (2, "KEY_FOR_ANOTHER_LOG")
    esaa.ok("key", "trust", vkey, "--origin", vkey.partition("+")[0])


@pytest.mark.parametrize("text", ["", "x", "a+b+c", "esaa.local/x+00000000+AAAA", "\x1b[31m"])
def test_a_text_that_is_no_key_is_refused(signed: Workbench, text: str) -> None:
    for line in (["key", "trust", text], ["verify", "--key", text]):
        outcome = signed(*line, "--json")
        assert (outcome.code, outcome.error["code"]) == (2, "KEY_INVALID")


def test_a_machine_without_the_key_records_and_says_so_once(signed: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(signed, monkeypatch)
    create = ["--kind", "spec", "--title", "x", "--output", "docs/spec/a.md"]
    first = signed.ok("task", "create", "T-1", *create)
    assert signed.actions()[-1] == "verify.ok"
    assert "has no key for esaa.local/" in first.err
    again = signed.ok("task", "create", "T-2", *create)
    assert signed.actions()[-1] == "verify.ok"
    assert "has no key" not in again.err
    outcome = signed("checkpoint", "--json")
    assert (outcome.code, outcome.error["code"]) == (7, "KEY_NOT_FOUND")


def test_a_copy_on_a_backup_anchors_and_finds_a_signed_rewrite(signed: Workbench, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.write_text(signed.ok("checkpoint").out)
    trust = signed.ok("verify", "--checkpoint", str(backup), "--json").answer["trust"]
    assert (trust["answer"], trust["anchored_by"]) == ("VALID-ANCHORED", [str(backup)])
    # The key's holder makes another history from the beginning, and signs it.
    lines = signed.lines()
    shutil.rmtree(signed.roadmap)
    origin = parse_note(backup.read_bytes()).text.decode().splitlines()[0]
    signed.ok("init", "--name", "ebb", "--no-key")
    (signed.roadmap / "origin").write_text(f"{origin}\n")
    signed.unsign()
    signed.ok("checkpoint")
    assert signed.lines() != lines
    assert signed.ok("verify").code == 0, "here all is well"
    found = signed("verify", "--checkpoint", str(backup), "--json")
    assert found.code == 4
    assert [one["code"] for one in found.answer["findings"]] == ["CHECKPOINT_MISMATCH"]
    assert found.answer["trust"]["answer"] == "INVALID"


def test_streams_are_signed_and_checked(signed: Workbench, tmp_path: Path) -> None:
    signed.ok("record", "PhaseStarted", "--issue", "PROJ-1", "phase=PLAN")
    note = signed.ok("checkpoint", "--stream", "PROJ-1").out
    assert note.splitlines()[0].endswith("/trail/PROJ-1")
    (tmp_path / "note").write_text(note)
    signed.ok("trail", "feed")
    answer = signed.ok("trail", "check", "--checkpoint", str(tmp_path / "note"), "--json").answer
    trust = {one["stream"]: one["trust"] for one in answer["streams"]}["PROJ-1"]
    assert (trust["answer"], trust["anchored_through"]) == ("VALID-ANCHORED", 1)
    assert signed("checkpoint", "--stream", "../x").code == 2
    assert signed("checkpoint", "--stream", "PROJ-2").code == 7


def test_the_doctor_names_what_checkpoints_find(signed: Workbench) -> None:
    signed.ok("doctor")
    path = signed.roadmap / "checkpoints" / "latest"
    path.write_bytes(path.read_bytes().replace(b"\n3\n", b"\n4\n"))
    outcome = signed("doctor")
    assert outcome.code == 1
    assert "CHECKPOINT_INVALID" in outcome.out
