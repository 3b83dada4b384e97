"""What reaches a terminal, a pipe and a screen reader: a live board, plain lines, and never a raw escape from a log."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping

import pytest

from tests.cli.workbench import SPEC, SUBPROCESS_TIMEOUT_S, Workbench, command, result

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\nfake line\u202egnp.exe\u2066\u200b\U000e0041"
"""A title, a line erased, a colour by C1, a forged line, reordered and hidden text."""
HIDES = ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\U000e0041", "\nfake line")


def on_terminal(
    esaa: Workbench, *arguments: str, env: Mapping[str, str] | None = None, both: bool = True, columns: int = 100
) -> tuple[int, str, str]:
    """Runs the command with its stderr (and, with `both`, stdout) on a terminal: the code, the screen, and stdout."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        command(*arguments),
        cwd=esaa.root,
        env={**os.environ, "TERM": "xterm-256color", **(env or {})},
        stdin=slave,
        stdout=slave if both else subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    screen = b""
    until = time.monotonic() + SUBPROCESS_TIMEOUT_S
    while time.monotonic() < until:
        ready, _, _ = select.select([master], [], [], 0.2)
        if not ready:
            if process.poll() is not None:
                break
            continue
        try:
            chunk = os.read(master, 65536)
        except OSError as error:
            if error.errno == errno.EIO:  # Linux says so when the last user of the terminal is gone
                break
            raise
        if not chunk:
            break
        screen += chunk
    out, _ = process.communicate(timeout=SUBPROCESS_TIMEOUT_S)
    os.close(master)
    return process.returncode, screen.decode(), (out or b"").decode()


def assert_calm(text: str) -> None:
    for hidden in HIDES:
        assert hidden not in text, ascii(text)


def test_a_run_on_a_terminal_is_a_live_board_that_ends_cleanly(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    code, screen, out = on_terminal(esaa, "run", both=False)
    assert code == 0
    assert "todo" in screen
    assert "\x1b[" in screen, "the board is drawn in place"
    assert re.search("[█░]", screen)
    assert "T-1000 is claimed" in screen
    shown, hidden = screen.rfind("\x1b[?25h"), screen.rfind("\x1b[?25l")
    assert shown > hidden >= 0, "the cursor is back"
    assert out.startswith("run RUN-0001: success"), "the answer is on stdout, and the board is gone"
    assert "\x1b" not in out
    esaa.assert_sound()


def test_no_color_draws_without_colour(planned: Workbench) -> None:
    _, coloured, _ = on_terminal(planned, "run", "--agent", "scripted", "--steps", "2")
    assert re.search(r"\x1b\[[0-9;]*3[0-9][;m]", coloured)
    code, screen, _ = on_terminal(planned, "run", "--agent", "scripted", env={"NO_COLOR": "1"})
    assert code == 0
    assert not re.search(r"\x1b\[[0-9;]*[349][0-9][;m]", screen)


def test_a_dumb_terminal_gets_plain_lines(planned: Workbench) -> None:
    code, screen, _ = on_terminal(planned, "run", "--agent", "scripted", env={"TERM": "dumb"})
    assert code == 0
    assert "\x1b" not in screen
    assert "ask agent-spec: claim T-1\r\n" in screen


def test_a_narrow_terminal_is_no_obstacle(planned: Workbench) -> None:
    code, screen, _ = on_terminal(planned, "run", "--agent", "scripted", columns=20)
    assert code == 0
    assert "Traceback" not in screen


def test_quiet_draws_nothing(planned: Workbench) -> None:
    code, screen, out = on_terminal(planned, "run", "--agent", "scripted", "--quiet", both=False)
    assert (code, screen) == (0, "")
    assert out.startswith("run RUN-0001: success")


def test_in_a_pipe_a_run_is_plain_lines(planned: Workbench) -> None:
    outcome = planned.process("run", "--agent", "scripted", env={"TERM": "xterm-256color"})
    assert outcome.code == 0
    assert "\x1b" not in outcome.out + outcome.err
    assert outcome.err.splitlines()[0] == "ask agent-spec: claim T-1"
    assert "#" in outcome.err.splitlines()[1]


@pytest.mark.parametrize(
    "line",
    [
        ["log"],
        ["log", "--json"],
        ["verify", "--json"],
        ["task", "list", "--json"],
        ["show", "13"],
        ["status"],
        ["--help"],
        ["dispatch-context", "T-9999"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("bytes_read", [0, 10])
def test_a_reader_that_stops_reading_gets_no_complaint(landing: Workbench, line: list[str], bytes_read: int) -> None:
    landing.ok("task", "create", "T-9999", "--kind", "spec", "--title", "still to be done")
    process = subprocess.Popen(command(*line), cwd=landing.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(bytes_read)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=SUBPROCESS_TIMEOUT_S) == 0


def test_log_piped_to_head(landing: Workbench) -> None:
    line = f"{sys.executable} -m esaa log | head -1; echo ${{PIPESTATUS[@]}}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=landing.root, capture_output=True, text=True, check=True, timeout=60
    )
    first, codes = done.stdout.splitlines()
    assert first.startswith("#1  ")
    assert codes == "0 0"
    assert done.stderr == ""


def test_a_run_whose_progress_nobody_reads_goes_on(planned: Workbench) -> None:
    process = planned.start("run", "--agent", "scripted", stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    process.stderr.close()
    assert process.wait(timeout=SUBPROCESS_TIMEOUT_S) == 0
    assert planned.actions()[-1] == "run.end"
    planned.assert_sound()


def test_an_answer_that_cannot_be_written_ends_with_10(landing: Workbench) -> None:
    for line in (["log"], ["status", "--json"], ["task", "list"]):
        with open("/dev/full", "wb") as full:
            process = landing.start(*line, stdout=full)
            _, err = process.communicate(timeout=SUBPROCESS_TIMEOUT_S)
        assert process.returncode == 10
        assert err.count("\n") == 1
        assert "No space left on device" in err


def test_a_terminal_without_utf8_shows_codes_and_json_stays_json(planned: Workbench) -> None:
    planned.ok("task", "create", "T-5", "--kind", "spec", "--title", "Größe ☂")
    for encoding in ("latin-1", "ascii"):
        env = {**os.environ, "PYTHONIOENCODING": encoding}
        for line in (["task", "list"], ["task", "list", "--json"]):
            done = subprocess.run(
                command(*line), cwd=planned.root, env=env, capture_output=True, check=False, timeout=60
            )
            assert (done.returncode, done.stderr) == (0, b"")
            if line[-1] == "--json":
                assert json.loads(done.stdout.decode("ascii"))[-1]["title"] == "Größe ☂"
            elif encoding == "latin-1":
                assert "Größe \\u2602" in done.stdout.decode("latin-1")
        assert planned.process("status", "☂", env=env).code == 7


@pytest.fixture
def hostile(planned: Workbench) -> Workbench:
    """A log with escapes wherever a person or an agent can put text."""
    esaa = planned
    esaa.ok(
        "task", "create", "T-5", "--kind", "spec", "--title", HOSTILE, "--description", HOSTILE, "--criterion", HOSTILE
    )
    esaa.ok("claim", "T-1", "--actor", "agent-spec", "--notes", HOSTILE)
    sent = result("complete", "T-1", {"docs/spec/page.md": SPEC + HOSTILE}, notes=HOSTILE)
    esaa.ok("submit", "-", "--actor", "agent-spec", stdin=sent)
    esaa.ok("review", "T-1", "--actor", "agent-qa", "--request-changes", HOSTILE)
    esaa.ok(
        "issue",
        "report",
        "T-1",
        "--actor",
        "agent-qa",
        "--id",
        "ISS-1",
        "--severity",
        "medium",
        "--title",
        HOSTILE,
        "--symptom",
        HOSTILE,
        "--step",
        HOSTILE,
    )
    esaa("reject", "T-1", "--actor", "agent-spec", "--message", HOSTILE)
    return esaa


READERS = [
    ["status"],
    ["status", "T-1"],
    ["status", "T-5"],
    ["log"],
    ["task", "list"],
    ["show", "HEAD"],
    ["run", "--dry-run"],
    ["verify"],
    ["doctor"],
    ["verify", "--explain"],
]


@pytest.mark.parametrize("line", READERS, ids=" ".join)
def test_escapes_in_the_log_never_reach_the_terminal(hostile: Workbench, line: list[str]) -> None:
    for options in ([], ["--json"] if line != ["log"] else ["--quiet"]):
        outcome = hostile(*line, *options)
        assert outcome.code in (0, 1)
        assert_calm(outcome.out + outcome.err)
    if line in (["log"], ["status"], ["task", "list"]):
        assert "\\u001b]0;owned" in hostile(*line).out, "what was there is shown as codes"
    if line == ["task", "list"]:
        assert hostile(*line, "--json").answer[-1]["title"] == HOSTILE, "and JSON still means the same"


def test_json_of_the_log_is_raw_in_a_pipe_and_calm_on_a_terminal(hostile: Workbench) -> None:
    assert hostile.process("log", "--json").out.encode() == hostile.log.read_bytes()
    code, screen, _ = on_terminal(hostile, "log", "--json")
    assert code == 0
    assert_calm(screen.replace("\r\n", "\n"))
    assert [json.loads(line) for line in screen.splitlines()] == hostile.events()


def test_escapes_in_messages_and_arguments_are_shown_as_codes(hostile: Workbench) -> None:
    for line in (
        ["status", HOSTILE],
        ["claim", HOSTILE, "--actor", "agent-spec"],
        ["claim", "T-1", "--actor", HOSTILE],
        ["log", HOSTILE],
        [HOSTILE],
        ["task", HOSTILE],
        ["--root", "/" + HOSTILE, "status"],
        ["verify", HOSTILE],
        ["submit", HOSTILE, "--actor", "a"],
        ["init", "--demo", HOSTILE],
        ["run", "--agent", HOSTILE],
        ["run", "--agent", f"command:{HOSTILE}"],
        ["reject", "T-1", "--actor", "agent-spec", "--message", HOSTILE, "--code", HOSTILE],
        ["issue", "resolve", HOSTILE],
        ["hotfix", "create", HOSTILE],
        ["task", "create", HOSTILE, "--kind", "spec", "--title", "x"],
    ):
        for outcome in (hostile(*line), hostile(*line, "--json")):
            assert outcome.code not in (0, 70), (line, outcome)
            assert_calm(outcome.out + outcome.err)


def test_escapes_reach_neither_the_board_nor_the_lines_of_a_run(hostile: Workbench) -> None:
    hostile.ok("issue", "resolve", "ISS-1", "--note", HOSTILE)
    outcome = hostile("run", "--agent", "scripted", "--steps", "2")
    assert outcome.code == 0
    assert_calm(outcome.out + outcome.err)
    (hostile.root / "agent.py").write_text(
        f"import sys; sys.stderr.write({HOSTILE!r}.replace(chr(10), ' ')); sys.stderr.flush(); sys.exit(1)"
    )
    code, screen, _ = on_terminal(hostile, "run", "--agent", f"command:{sys.executable} agent.py")
    assert code == 1
    assert "fake line" in screen
    assert_calm(screen.replace("\r\n", "\n"))


def test_what_is_answered_at_once_leaves_the_terminal_as_it_is(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc", "--quiet")
    esaa.ok("state", "--quiet")
    for arguments in (("state",), ("graph", "3"), ("why", "3")):
        code, screen, _ = on_terminal(esaa, *arguments, columns=40)
        assert code == 0
        assert "\x1b" not in screen
        assert not screen.startswith("\r\n")
