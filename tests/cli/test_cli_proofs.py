"""`esaa prove` and `esaa check-proof`: made in a workspace, checked without one, also by the second verifier."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def signed(esaa: Workbench) -> Workbench:
    """A workspace whose twelve events are signed."""
    assert esaa("init", "--demo", "landing").code == 0
    assert esaa("checkpoint").code == 0
    return esaa


def key_of(esaa: Workbench) -> str:
    return esaa("key", "show").out.strip()


def test_receipt_is_checked_without_the_workspace(signed: Workbench, tmp_path: Path) -> None:
    done = signed("prove", "#7", "--out", str(tmp_path / "seven.tlog-proof"))
    assert (done.code, done.out) == (0, f"wrote {tmp_path / 'seven.tlog-proof'}: event #7\n")
    line = signed("--json", "log", "#7").out
    (tmp_path / "seven.json").write_text(line)
    (tmp_path / "eight.json").write_text(signed("--json", "log", "#8").out)
    key = key_of(signed)
    (tmp_path / "log.vkey").write_text(f"{key}\n")
    signed.root.rename(tmp_path / "gone")
    elsewhere = ["check-proof", str(tmp_path / "seven.tlog-proof")]
    for given in (key, str(tmp_path / "log.vkey")):
        held = signed(*elsewhere, "--event", str(tmp_path / "seven.json"), "--key", given)
        assert held.code == 0, held.err
        assert held.out.splitlines()[-1] == "the proof holds"
    assert signed(*elsewhere, "--line", line.rstrip("\n"), "--key", key).code == 0
    other = signed(*elsewhere, "--event", str(tmp_path / "eight.json"), "--key", key)
    assert (other.code, other.out.split(":")[0]) == (1, "the proof does not hold")
    by_other_code = [sys.executable, str(ROOT / "tools" / "verify_standalone.py"), "--key", key]
    for name, code in (("seven", 0), ("eight", 1)):
        proof = ["--proof", str(tmp_path / "seven.tlog-proof"), "--event", str(tmp_path / f"{name}.json")]
        assert subprocess.run([*by_other_code, *proof], capture_output=True, check=False).returncode == code


def test_receipt_on_standard_output_can_be_piped(signed: Workbench, tmp_path: Path) -> None:
    proof = signed("prove", "HEAD", "--with-event").out
    (tmp_path / "proof").write_text(proof)
    held = signed("--json", "check-proof", str(tmp_path / "proof"))
    assert held.code == 0, held.err
    answer = json.loads(held.out)
    assert (answer["holds"], answer["kind"], answer["sequence"]) == (True, "event", answer["size"])


def test_later_checkpoint_is_shown_to_continue_an_earlier_one(signed: Workbench, tmp_path: Path) -> None:
    size = max(int(path.name) for path in (signed.root / ".roadmap/checkpoints").glob("[0-9]*"))
    (tmp_path / "kept-elsewhere").write_bytes((signed.root / ".roadmap/checkpoints/latest").read_bytes())
    assert signed("task", "create", "T-9", "--kind", "spec", "--title", "More", "--output", "docs/spec/x.md").code == 0
    assert signed("checkpoint").code == 0
    for first in (str(size), str(tmp_path / "kept-elsewhere")):
        made = signed("prove", "--consistency", first, "latest", "--out", str(tmp_path / "c"))
        assert made.code == 0, made.err
        held = signed("check-proof", str(tmp_path / "c"), "--key", key_of(signed))
        assert held.code == 0
        assert f"events begin with the {size} signed before" in held.out
    assert signed("prove", "--consistency", "latest", str(size)).code == 2


def test_proofs_of_the_trail_are_of_their_stream(signed: Workbench, tmp_path: Path) -> None:
    signed.ok("record", "PhaseStarted", "--issue", "PROJ-1", "phase=PLAN", "expected_agents=2")
    made = signed("checkpoint", "--stream", "PROJ-1")
    assert made.code == 0, made.err
    done = signed("prove", "HEAD", "--stream", "PROJ-1", "--with-event", "--out", str(tmp_path / "p"))
    assert done.code == 0, done.err
    held = signed("check-proof", str(tmp_path / "p"), "--key", key_of(signed))
    assert held.code == 0, held.out
    assert "/trail/PROJ-1, as its first" in held.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["prove"], 2, "Name an event"),
        (["prove", "#3", "--consistency", "1", "2"], 2, "Name an event"),
        (["prove", "#99"], 7, "There is no event"),
        (["prove", "#1..#2"], 2, "more than one event"),
        (["prove", "#1", "--stream", "PROJ-7"], 7, "PROJ-7"),
        (["prove", "#1", "--stream", "../x"], 2, "x"),
        (["prove", "--consistency", "99", "latest"], 7, "no checkpoint 99"),
        (["prove", "--consistency", "no-such-file", "latest"], 2, "cannot be taken"),
        (["check-proof", "no-such-file"], 2, "cannot be taken"),
        (["check-proof", ".roadmap/activity.jsonl"], 1, "does not hold"),
        (["check-proof", ".roadmap/activity.jsonl", "--key", "x"], 2, "no public key"),
        (["check-proof", ".roadmap/activity.jsonl", "--event", "a", "--line", "b"], 2, "Leave one"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(signed: Workbench, arguments: list[str], code: int, said: str) -> None:
    done = signed(*arguments)
    assert done.code == code, done.err + done.out
    assert said in (done.err or done.out)
    assert "Traceback" not in done.err


def test_key_of_another_log_is_worth_nothing(signed: Workbench, tmp_path: Path) -> None:
    signed("prove", "HEAD", "--with-event", "--out", str(tmp_path / "p"))
    text = (tmp_path / "p").read_text().replace("esaa.local/", "other.local/")
    (tmp_path / "q").write_text(text)
    done = signed("check-proof", str(tmp_path / "q"), "--key", key_of(signed))
    assert done.code == 1
    assert "none of the keys" in done.out
