"""Handlers that are programs: what they get, what they may answer, and what a file of handlers must say."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from esaa.errors import UsageError
from esaa.runtime.replay import commands as replay_commands
from esaa.runtime.replay.commands import with_commands
from esaa.runtime.replay.handlers import HANDLERS, HandlerRegistry
from esaa.runtime.replay.replaying import replay_events
from esaa.runtime.replay.result import EventResult
from esaa.runtime.trail.trail import Trail
from tests.trails import ISSUE, a_recorder


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    """A test run that passed, in a folder of its own."""
    root = tmp_path / "root"
    root.mkdir()
    recorder = a_recorder(root)
    recorder.record("OrchestrationStarted", {"issue_key": ISSUE, "initial_phase": "CODE"})
    event_id = recorder.record("TestRunStarted", {"test_suite": "unit"})
    metadata = {"test_suite": "unit", "total_tests": 3, "passed": 3, "failed": 0}
    recorder.record("TestRunCompleted", metadata, causation_id=event_id)
    recorder.close()
    return recorder.trail


def mapped(trail: Trail, code: str, **more: Any) -> HandlerRegistry:
    """The test run is done by a Python program."""
    entry = {"command": [sys.executable, "-c", code], **more}
    return with_file(trail, json.dumps({"handlers": {"TestRunStarted": entry}}))


def with_file(trail: Trail, text: str) -> HandlerRegistry:
    path = trail.root.parent / "handlers.yaml"
    path.write_text(text)
    return with_commands(HANDLERS, path, trail.types)


def outcome(trail: Trail, handlers: HandlerRegistry, *, dry_run: bool = False) -> EventResult:
    result = replay_events(trail, ISSUE, dry_run=dry_run, types=("TestRunStarted",), handlers=handlers)
    (one,) = result.results
    return one


ECHO = """
import json, os, sys
event = json.load(sys.stdin)
keys = ("ESAA_IDEMPOTENCY_KEY", "ESAA_REPLAY_ID", "ESAA_EVENT_TYPE", "ESAA_ISSUE_KEY")
print(json.dumps({"event": event, "cwd": os.getcwd(), **{key: os.environ[key] for key in keys}}))
"""


def test_program_gets_the_event_its_key_and_the_projects_folder(trail: Trail) -> None:
    one = outcome(trail, mapped(trail, ECHO))
    assert isinstance(one.result, dict)
    stored = trail.store.stream(ISSUE).line_at(2)
    assert stored is not None
    assert one.result["event"] == json.loads(stored)
    assert one.result["ESAA_IDEMPOTENCY_KEY"] == one.event_id
    assert one.result["ESAA_EVENT_TYPE"] == "TestRunStarted"
    assert one.result["ESAA_ISSUE_KEY"] == ISSUE
    assert str(one.result["ESAA_REPLAY_ID"]).startswith("replay-")
    assert Path(str(one.result["cwd"])) == trail.root.resolve()


@pytest.mark.parametrize(
    ("code", "data", "matches"),
    [
        ('print(\'{"passed": 3, "failed": 0}\')', {"passed": 3, "failed": 0}, True),
        ('print(\'{"passed": 2, "failed": 1}\')', {"passed": 2, "failed": 1}, False),
        ("pass", {}, None),
        ("print('3 passed')", {"output": "3 passed"}, None),
        ("print('[1, 2]')", {"output": [1, 2]}, None),
        ("print('{\"passed\": NaN}')", {"output": '{"passed": NaN}'}, None),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", {"output": "\ufffd"}, None),
        ("print('x' * 5000)", {"output": "x" * 2000}, None),
    ],
)
def test_what_a_program_prints_is_its_outcome(trail: Trail, code: str, data: Any, matches: bool | None) -> None:
    one = outcome(trail, mapped(trail, code))
    assert isinstance(one.result, dict)
    assert {key: value for key, value in one.result.items() if key != "summary"} == data
    assert one.matches_recorded is matches


def test_program_that_fails_says_why(trail: Trail) -> None:
    one = outcome(trail, mapped(trail, "import sys; print('first', file=sys.stderr); sys.exit('no database')"))
    assert one.status == "failed"
    assert "ended with exit code 1: no database" in str(one.error)
    assert "said nothing" in str(outcome(trail, mapped(trail, "raise SystemExit(3)")).error)


def test_program_that_takes_too_long_is_ended_with_its_children(trail: Trail) -> None:
    script = trail.root / "slow.sh"
    script.write_text("#!/bin/sh\nsleep 600 & echo $! > child\nwait\n")
    script.chmod(0o755)
    # Long enough for a busy machine to start both; the program itself never ends.
    handlers = with_file(trail, "handlers: {TestRunStarted: {command: [./slow.sh], timeout_s: 1.5}}")
    one = outcome(trail, handlers)
    assert "did not end within 1.5 s" in str(one.error)
    assert is_gone(int((trail.root / "child").read_text()))


def test_child_that_a_program_leaves_behind_is_ended_and_not_waited_for(trail: Trail) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        'print(\'{"passed": 3, "child": %d}\' % child.pid)\n'
    )
    one = outcome(trail, mapped(trail, code, timeout_s=60))
    assert isinstance(one.result, dict)
    assert is_gone(int(one.result["child"]))


def is_gone(pid: int) -> bool:
    """True once a process has ended; its new parent may take a moment to bury it."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
    os.kill(pid, signal.SIGKILL)
    return False


def test_program_that_prints_without_end_is_ended(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_commands, "OUTPUT_BYTES_MAX", 1000)
    code = "import sys\nwhile True: sys.stdout.write('x' * 100)"
    assert "printed more than 1000 bytes" in str(outcome(trail, mapped(trail, code, timeout_s=60)).error)
    assert "printed more than 1000 bytes" in str(outcome(trail, mapped(trail, "print('x' * 2000)")).error)


def test_program_that_reads_nothing_is_no_failure(trail: Trail) -> None:
    assert outcome(trail, mapped(trail, "import os; os.close(0)")).status == "success"


def test_argument_is_never_read_by_a_shell(trail: Trail) -> None:
    entry = {"command": [sys.executable, "-c", "import sys; print(sys.argv[1])", "$(touch pwned); `touch pwned`"]}
    one = outcome(trail, with_file(trail, json.dumps({"handlers": {"TestRunStarted": entry}})))
    assert isinstance(one.result, dict)
    assert one.result["output"] == "$(touch pwned); `touch pwned`"
    assert not (trail.root / "pwned").exists()


def test_dry_run_runs_nothing_but_looks_whether_the_program_is_there(trail: Trail) -> None:
    one = outcome(trail, mapped(trail, "open('ran', 'w')"), dry_run=True)
    assert one.status == "success"
    assert "would run" in str(one.result)
    assert not (trail.root / "ran").exists()
    (trail.root / "plain.txt").write_text("no program")
    for program in ("no-such-program-anywhere", "./missing.sh", "./", "./plain.txt"):
        handlers = with_file(trail, json.dumps({"handlers": {"TestRunStarted": [program]}}))
        for dry_run in (True, False):
            one = outcome(trail, handlers, dry_run=dry_run)
            assert one.status == "failed", program
            assert "cannot be started" in str(one.error)


def test_program_of_the_project_is_named_from_its_folder(trail: Trail) -> None:
    script = trail.root / "tools" / "run.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho '{\"passed\": 3}'\n")
    script.chmod(0o755)
    handlers = with_file(trail, "handlers:\n  TestRunStarted: [./tools/run.sh]\n")
    assert outcome(trail, handlers, dry_run=True).status == "success"
    assert outcome(trail, handlers).matches_recorded is True


def test_all_programs_are_one_handler_unless_the_file_names_them(trail: Trail) -> None:
    printed = "print('{\"passed\": 3}')"
    assert outcome(trail, mapped(trail, printed)).status == "success"
    other_arguments = mapped(trail, printed + "  # other arguments")
    assert outcome(trail, other_arguments).reason == "already_replayed", "a comment is not posted a second time"
    assert outcome(trail, mapped(trail, printed, name="nightly")).status == "success"


def test_programs_stand_above_the_built_in_handlers_and_leave_them_alone(trail: Trail) -> None:
    handlers = with_file(trail, "handlers:\n  FileWritten: {command: [echo], name: mine}\n")
    assert handlers.names()["FileWritten"] == "mine"
    assert handlers.names()["SnapshotCreated"] == "rebuild-snapshot"
    assert HANDLERS.names()["FileWritten"] == "restore-file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no document"),
        ("[]", "must hold one map named `handlers`"),
        ("handlers: {}", "must hold one map"),
        ("handlers: [a]", "must hold one map"),
        ("handlers: {TestRunStarted: [echo]}\nmore: 1", "must hold one map"),
        ("handlers: {TestRunStrted: [echo]}", "no event type; TestRunStarted?"),
        ("handlers: {Whatever: [echo]}", "'Whatever', which is no event type"),
        ("handlers: {PRMerged: [echo]}", "PRMerged, which must not be done again"),
        ("handlers: {TestRunStarted: echo}", "TestRunStarted: Expected `object`"),
        ("handlers: {TestRunStarted: []}", "length >= 1"),
        ("handlers: {TestRunStarted: ['']}", "length >= 1"),
        ("handlers: {TestRunStarted: [1]}", "Expected `str`"),
        ("handlers: {TestRunStarted: {command: [a], timeout_s: 0}}", "> 0"),
        ("handlers: {TestRunStarted: {command: [a], timeout_s: soon}}", "Expected `float`"),
        ("handlers: {TestRunStarted: {command: [a], shell: true}}", "shell"),
        ("handlers: {TestRunStarted: {command: [a], name: ''}}", "regex"),
        ("handlers: {TestRunStarted: {timeout_s: 1}}", "command"),
        ("handlers: {TestRunStarted: [a], TestRunStarted: [b]}", "is no strict YAML"),
        ("handlers: &x {TestRunStarted: *x}", "is no strict YAML"),
        ("\x00", "is no strict YAML"),
    ],
)
def test_file_that_is_wrong_is_refused_with_the_place(trail: Trail, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"handlers\.yaml") as found:
        with_file(trail, text)
    assert found.value.code == "HANDLERS_INVALID"
    assert said in found.value.message


def test_file_that_cannot_be_read_is_refused(trail: Trail, tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            with_commands(HANDLERS, path, trail.types)
    (tmp_path / "latin.yaml").write_bytes(b"handlers: \xe9")
    with pytest.raises(UsageError, match="is not UTF-8"):
        with_commands(HANDLERS, tmp_path / "latin.yaml", trail.types)
    (tmp_path / "large.yaml").write_bytes(b"#" * (replay_commands.FILE_BYTES_MAX + 1))
    with pytest.raises(UsageError, match="has more than"):
        with_commands(HANDLERS, tmp_path / "large.yaml", trail.types)
