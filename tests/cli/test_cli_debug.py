"""`esaa debug`: stops as lines for a program, and the screen for a person."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import Any

import pytest

from tests.cli.workbench import SUBPROCESS_TIMEOUT_S, Workbench, command

pytestmark = pytest.mark.timeout(300)


def stops(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_stops_are_lines(landing: Workbench) -> None:
    found = stops(landing.ok("debug", "--json", "--break", "name=claim", "-n", "2", "--watch", "run.status").out)
    reviewed = [event["event_seq"] for event in landing.events() if event["action"] == "claim"]
    assert [one["seq"] for one in found] == reviewed[:2]
    assert found[0]["reason"] == "breakpoint"
    (watch,) = found[0]["watches"]
    assert (watch["expression"], watch["value"]) == ("run.status", "initialized")


def test_it_finds_the_event_that_put_a_task_in_review(landing: Workbench) -> None:
    line = ["debug", "--json", "--break", "changes=/tasks/T-2000/status when=tasks.\"T-2000\".status == 'review'"]
    found = [one["seq"] for one in stops(landing.ok(*line).out)]
    asked = [
        event["event_seq"]
        for event in landing.events()
        if event["action"] == "complete" and event["payload"]["task_id"] == "T-2000"
    ]
    assert found == asked


def test_it_goes_on_from_a_moment_and_ends_with_1_where_nothing_hits(landing: Workbench) -> None:
    assert landing("debug", "HEAD", "--json", "--break", "claim").code == 1
    assert landing("debug", "--json", "--break", "name=nonsense").code == 1


@pytest.mark.parametrize(
    ("line", "code", "name"),
    [
        (["debug", "--json"], 2, "BREAKPOINT_EMPTY"),
        (["debug", "--json", "--break", "colour=red"], 2, "BREAKPOINT_INVALID"),
        (["debug", "--json", "--break", "when=]["], 2, "EXPRESSION_INVALID"),
        (["debug", "--json", "--break", "claim", "--watch", "]["], 2, "EXPRESSION_INVALID"),
        (["debug", "tomorrow", "--json", "--break", "claim"], 2, "REF_INVALID"),
        (["debug", "#99999", "--json", "--break", "claim"], 7, "EVENT_NOT_FOUND"),
        (["debug", "--json", "--break", "claim", "--issue", "NOPE-1"], 7, "ISSUE_NOT_FOUND"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_told(landing: Workbench, line: list[str], code: int, name: str) -> None:
    outcome = landing(*line)
    assert (outcome.code, outcome.error["code"]) == (code, name)


def test_without_a_terminal_it_says_what_to_do(landing: Workbench) -> None:
    outcome = landing.process("debug")
    assert outcome.code == 2
    assert "needs a terminal" in outcome.err
    assert "--json" in outcome.err


def test_without_textual_it_names_the_extra(landing: Workbench) -> None:
    (landing.root / "textual.py").write_text("raise ModuleNotFoundError('textual')")
    code, screen = on_a_screen(landing, ["debug"], [], PYTHONPATH=str(landing.root))
    assert code == 2
    assert "pip install 'esaa[tui]'" in screen


def test_a_walk_on_a_real_terminal(landing: Workbench) -> None:
    line = ["debug", "#17", "--break", "name=review", "--watch", "/tasks/T-1000/status"]
    code, screen = on_a_screen(landing, line, [("State", "c"), ("Stop 1 hit", "q")])
    assert code == 0
    assert "esaa debug" in screen
    assert "name=review" in screen
    assert "Traceback" not in screen
    assert screen.rfind("\x1b[?1049l") > screen.rfind("\x1b[?1049h") >= 0, "the screen is given back"
    landing.assert_sound()


def test_a_wrong_beginning_does_not_take_the_screen(landing: Workbench) -> None:
    code, screen = on_a_screen(landing, ["debug", "#99999"], [])
    assert code == 7
    assert "\x1b[?1049h" not in screen
    assert "There is no event" in screen


def test_json_needs_no_textual(landing: Workbench) -> None:
    probe = "import sys, runpy; sys.modules['textual'] = None; runpy.run_module('esaa', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", probe, "debug", "--json", "--break", "claim", "-n", "1"],
        cwd=landing.root,
        capture_output=True,
        text=True,
        timeout=SUBPROCESS_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1), done.stderr


def on_a_screen(
    esaa: Workbench, arguments: list[str], talk: list[tuple[str, str]], **environment: str
) -> tuple[int, str]:
    """Runs the command on a terminal; presses each key when its text has come. Gives the code and what was drawn."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    process = subprocess.Popen(
        command(*arguments),
        cwd=esaa.root,
        env={**os.environ, "TERM": "xterm-256color", **environment},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    screen, answered = b"", 0
    pending = list(talk)
    until = time.monotonic() + 2 * SUBPROCESS_TIMEOUT_S
    try:
        while time.monotonic() < until:
            ready, _, _ = select.select([master], [], [], 0.2)
            if ready:
                try:
                    chunk = os.read(master, 65536)
                except OSError:  # Linux says so when the last user of the terminal is gone
                    break
                if not chunk:
                    break
                screen += chunk
            elif process.poll() is not None:
                break
            if pending and pending[0][0].encode() in screen[answered:]:
                answered = len(screen)
                os.write(master, pending.pop(0)[1].encode())
        return process.wait(SUBPROCESS_TIMEOUT_S), screen.decode("utf-8", "replace")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)
