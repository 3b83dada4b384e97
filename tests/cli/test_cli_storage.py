"""Full disks, read-only folders, second writers, killed processes: an exit code that says it, and a whole log."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.workbench import SPEC, SUBPROCESS_TIMEOUT_S, Outcome, Workbench, result

FILLER = "filler"

AGENT = """
import json, pathlib, sys, time

context = json.load(sys.stdin)
ask, task = context["ask"], context["task"]
event = {"action": ask["action"], "task_id": task["task_id"], "prior_status": ask["prior_status"]}
answer = {"activity_event": event}
if ask["action"] == "review":
    event |= {"decision": "approve", "tasks": [task["task_id"]]}
elif ask["action"] == "complete":
    event["verification"] = {"checks": ["it was read line by line", "nothing else was changed"]}
    text = pathlib.Path("spec.txt").read_text()
    answer["file_updates"] = [{"path": path, "content": text} for path in task["outputs"]["files"]]
pathlib.Path("asked.txt").open("a").write(f"{ask['action']} {task['task_id']}\\n")
while pathlib.Path("hold").exists() and ask["action"] == pathlib.Path("hold").read_text():
    time.sleep(0.02)
print(json.dumps(answer))
"""
"""A program as an agent. It waits while the file `hold` names what it is asked to do."""


HOLDER = """
import fcntl, os, sys

with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print(os.getpid(), file=file, flush=True)
    print("held", flush=True)
    sys.stdin.read()
"""
"""Holds the writer's lock until its input ends."""


@pytest.fixture
def commanded(planned: Workbench) -> Workbench:
    """The planned workspace with a real program behind every actor."""
    (planned.root / "agent.py").write_text(AGENT)
    (planned.root / "spec.txt").write_text(SPEC)
    return planned


def agent_option() -> str:
    return f"command:{sys.executable} agent.py"


def wait_for(path: Path, text: str) -> None:
    until = time.monotonic() + SUBPROCESS_TIMEOUT_S
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < until, f"{path} never held {text!r}"
        time.sleep(0.01)


def mount(*arguments: str) -> bool:
    if os.geteuid() != 0:
        return False
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=640k,nr_inodes=0", "tmpfs", str(folder)):
        pytest.skip("mounting a tmpfs needs root and the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True)


def fill(folder: Path) -> None:
    """Uses up all the room there is."""
    with (folder / FILLER).open("ab", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def assert_storage_failed(outcome: Outcome, said: str) -> None:
    assert (outcome.code, outcome.out) == (10, ""), outcome
    lines = [line for line in outcome.err.splitlines() if line.startswith("esaa: ")]
    assert len(lines) == 1, outcome.err
    assert said in lines[0]
    assert "Traceback" not in outcome.err


@pytest.fixture
def on_small_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Workbench:
    esaa = Workbench(small_disk / "project", monkeypatch, capsys)
    esaa.ok("init", "--name", "small")
    esaa.edit("RUNTIME_POLICY.yaml", "cooldown: PT2M", "cooldown: PT0S")
    esaa.ok("task", "create", "T-1", "--kind", "impl", "--title", "Fill", "--output", "src/a.txt")
    esaa.ok("claim", "T-1", "--actor", "agent-impl")
    return esaa


def test_a_full_disk_ends_with_10_and_space_mends_it(on_small_disk: Workbench, small_disk: Path) -> None:
    esaa = on_small_disk
    log = esaa.log.read_bytes()
    fill(small_disk)
    for line in (
        ["task", "create", "T-2", "--kind", "impl", "--title", "x" * 3000],
        [
            "issue",
            "report",
            "T-1",
            "--actor",
            "agent-qa",
            "--id",
            "ISS-1",
            "--severity",
            "low",
            "--title",
            "x",
            "--symptom",
            "x" * 3000,
            "--step",
            "x",
        ],
        ["run", "--agent", "scripted"],
    ):
        assert_storage_failed(esaa(*line), "No space left on device")
        assert esaa.log.read_bytes() == log
    outcome = esaa("submit", "-", "--actor", "agent-impl", stdin=result("complete", "T-1", {"src/a.txt": "x" * 9000}))
    assert_storage_failed(outcome, "No space left on device")
    assert "free some space" in outcome.err
    assert esaa.log.read_bytes() == log
    assert not (esaa.root / "src").exists()
    assert esaa("--json", "project").code in (0, 10)
    esaa.ok("status")
    esaa.assert_sound()
    (small_disk / FILLER).unlink()
    esaa.ok("submit", "-", "--actor", "agent-impl", stdin=result("complete", "T-1", {"src/a.txt": "x" * 9000}))
    assert (esaa.root / "src/a.txt").stat().st_size == 9000
    esaa.assert_sound()


def test_a_disk_that_fills_up_in_a_run_leaves_a_sound_log(on_small_disk: Workbench, small_disk: Path) -> None:
    """Room for some steps of the way, page by page: wherever it ends, the log verifies and the next try goes on."""
    esaa = on_small_disk
    data = result("complete", "T-1", {"src/a.txt": "y" * 30_000})
    fill(small_disk)
    failures = 0
    for _ in range(40):
        outcome = esaa("submit", "-", "--actor", "agent-impl", stdin=data)
        if outcome.code != 10:
            break
        failures += 1
        assert_storage_failed(outcome, "No space left on device")
        bare = esaa("verify", str(esaa.log), "--json").answer
        assert {one["code"] for one in bare["findings"]} <= {"TORN_TAIL", "UNCLOSED_BATCH"}
        filler = small_disk / FILLER
        os.truncate(filler, filler.stat().st_size - 4096)
    assert failures > 3
    # The last failure may have come after the record: then the repeated output is refused, and all is well too.
    assert outcome.code in (0, 5), outcome
    assert esaa.ok("status", "T-1", "--json").answer["task"]["status"] == "review"
    assert (esaa.root / "src/a.txt").read_text() == "y" * 30_000
    (small_disk / FILLER).unlink()
    esaa.ok("doctor", "--repair")
    esaa.assert_sound()


def test_init_on_a_full_disk(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    esaa = Workbench(small_disk / "project", monkeypatch, capsys)
    fill(small_disk)
    assert_storage_failed(esaa("init", "--demo", "calc"), "No space left on device")
    assert not esaa.log.exists()
    (small_disk / FILLER).unlink()
    esaa.ok("init", "--demo", "calc")
    esaa.assert_sound()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Makes a folder read-only, by a mount as root and by its mode otherwise."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    if not (mount("--bind", str(folder), str(folder)) and mount("-o", "remount,ro,bind", str(folder))):
        pytest.skip("mounting read-only needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True)


def test_a_read_only_workspace_can_be_read_and_not_written(
    finished: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = finished.log.read_bytes()
    with read_only(finished.root):
        os.chdir(finished.root)  # into the mount
        for reader in (
            ["status"],
            ["log", "-n", "2"],
            ["show", "3"],
            ["task", "list"],
            ["verify", "--strict", "--files"],
        ):
            finished.ok(*reader)
        for writer in (
            ["task", "create", "T-9", "--kind", "spec", "--title", "x"],
            ["run", "--agent", "scripted"],
            ["project"],
            ["claim", "T-1", "--actor", "agent-spec"],
            ["inbox", "--once"],
            ["doctor", "--repair"],
            ["submit", "-", "--actor", "stranger"],
        ):
            outcome = finished(*writer, stdin=b"{}")
            assert_storage_failed(outcome, ".roadmap")
            assert outcome.err.count("\n") == 1
        error = finished("project", "--json").error
        assert error["code"] == "STORAGE_FAILED"
        doctor = finished("doctor")
        assert "READ_ONLY" in doctor.out
        os.chdir(tmp_path)
    assert finished.log.read_bytes() == log


def test_init_in_a_read_only_folder(esaa: Workbench, tmp_path: Path) -> None:
    with read_only(esaa.root):
        os.chdir(esaa.root)
        outcome = esaa("init")
        assert_storage_failed(outcome, str(esaa.root))
        os.chdir(tmp_path)
    assert list(esaa.root.iterdir()) == []


def test_a_log_that_is_a_directory_or_unreadable(finished: Workbench) -> None:
    finished.log.rename(finished.roadmap / "kept")
    finished.log.mkdir()
    for line in (["status"], ["verify"], ["log"], ["run"], ["doctor"], ["task", "list"]):
        outcome = finished(*line)
        assert outcome.code in (1, 7, 10), (line, outcome)
        assert "bug" not in outcome.err
        assert (outcome.out + outcome.err).count("\n") == 1, outcome


def test_a_second_writer_is_told_who_holds_the_lock(planned: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESAA_LOCK_TIMEOUT_S", "0")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLDER,
            str(planned.roadmap / ".esaa" / "lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder:
        holder.stdout.readline()
        log = planned.log.read_bytes()
        for line in (
            ["claim", "T-1", "--actor", "agent-spec"],
            ["run", "--agent", "scripted"],
            ["project"],
            ["inbox", "--once"],
            ["task", "create", "T-9", "--kind", "spec", "--title", "x"],
            ["doctor", "--repair"],
        ):
            (planned.roadmap / "inbox").mkdir(exist_ok=True)
            (planned.roadmap / "inbox" / "agent-spec__1.json").write_bytes(result("claim", "T-1"))
            outcome = planned(*line)
            assert (outcome.code, outcome.out) == (6, ""), outcome
            assert f"process {holder.pid}" in outcome.err
            assert outcome.err.count("\n") == 1
        assert planned("project", "--json").error["code"] == "LOCKED"
        assert planned.log.read_bytes() == log
        planned.ok("status")
        planned.ok("verify")
        assert "LOCKED" in planned.ok("doctor").out
        holder.stdin.close()
    planned.ok("inbox", "--once")
    planned.assert_sound()


def test_one_run_at_a_time(planned: Workbench) -> None:
    lock = planned.roadmap / ".esaa" / "run.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        outcome = planned("run", "--agent", "scripted")
        assert (outcome.code, outcome.out) == (6, "")
        assert "another `esaa run`" in outcome.err
        planned.ok("claim", "T-1", "--actor", "agent-spec")
    planned.ok("run", "--agent", "scripted")
    planned.assert_sound()


def test_two_processes_submit_at_once(planned: Workbench) -> None:
    """One claim wins and the other is refused; of twelve distinct commands none is lost."""
    (planned.root / "claim.json").write_bytes(result("claim", "T-1", prior_status="todo"))
    rivals = [planned.start("submit", "claim.json", "--actor", "agent-spec") for _ in range(2)]
    assert sorted(_code(process) for process in rivals) == [0, 5]
    creators = [planned.start("task", "create", f"N-{number}", "--kind", "spec", "--title", "x") for number in range(6)]
    assert {_code(process) for process in creators} == {0}
    events = planned.events()
    assert [event["event_seq"] for event in events] == list(range(1, len(events) + 1))
    assert {f"N-{number}" for number in range(6)} <= {event["payload"].get("task_id") for event in events}
    assert planned.actions().count("claim") == 1
    assert planned.actions().count("output.rejected") == 1
    planned.assert_sound()


def _code(process: subprocess.Popen[str]) -> int:
    _, err = process.communicate(timeout=SUBPROCESS_TIMEOUT_S)
    assert "Traceback" not in err
    return process.returncode


@pytest.mark.parametrize("held", ["claim", "complete", "review"])
def test_a_killed_run_is_finished_by_the_next(commanded: Workbench, held: str) -> None:
    esaa = commanded
    (esaa.root / "hold").write_text(held)
    process = esaa.start("run", "--agent", agent_option())
    wait_for(esaa.root / "asked.txt", f"{held} T-1")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=SUBPROCESS_TIMEOUT_S)
    (esaa.root / "hold").unlink()
    esaa.assert_sound()
    outcome = esaa.ok("run", "--agent", agent_option())
    assert "success (all tasks are done)" in outcome.out
    asked = (esaa.root / "asked.txt").read_text()
    assert asked.count(f"{held} T-1\n") == 2, "what was under way is asked again"
    assert asked.count("review T-2\n") == 1, "and nothing that was finished"
    esaa.assert_sound()


@pytest.mark.parametrize("events", [21, 26, 33, 40])
def test_a_run_killed_anywhere_is_finished_by_the_next(commanded: Workbench, events: int) -> None:
    """Killed as soon as the log has grown so far, wherever the process is by then."""
    esaa = commanded
    process = esaa.start("run", "--agent", "scripted")
    while process.poll() is None and len(esaa.log.read_bytes().splitlines()) < events:
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=SUBPROCESS_TIMEOUT_S)
    esaa.ok("run", "--agent", "scripted")
    assert set(esaa.ok("status", "--json").answer["tasks"]["by_status"]) == {"done"}
    esaa.assert_sound()


def test_a_run_killed_in_the_middle_of_a_write_is_finished_by_the_next(commanded: Workbench) -> None:
    esaa = commanded
    esaa.ok("run", "--agent", agent_option(), "--steps", "1")
    with esaa.log.open("ab") as file:
        file.write(esaa.lines()[-1][:50])
    outcome = esaa.ok("run", "--agent", agent_option())
    assert "torn tail moved to quarantine" in outcome.err
    esaa.assert_sound()


def test_ctrl_c_ends_a_run_with_130(commanded: Workbench) -> None:
    esaa = commanded
    (esaa.root / "hold").write_text("complete")
    process = esaa.start("run", "--agent", agent_option())
    wait_for(esaa.root / "asked.txt", "complete T-1")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SUBPROCESS_TIMEOUT_S)
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1] == ("esaa: Interrupted; everything acknowledged so far is in the log. Run it again.")
    assert "Traceback" not in err
    esaa.assert_sound()
    (esaa.root / "hold").unlink()
    esaa.ok("run", "--agent", agent_option())
    esaa.assert_sound()


def test_ctrl_c_with_json_is_one_json_line(commanded: Workbench) -> None:
    (commanded.root / "hold").write_text("claim")
    process = commanded.start("run", "--agent", agent_option(), "--json", "--quiet")
    wait_for(commanded.root / "asked.txt", "claim T-1")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SUBPROCESS_TIMEOUT_S)
    assert process.returncode == 130
    assert json.loads(err.strip())["error"]["code"] == "INTERRUPTED"


def test_ctrl_c_ends_the_watching_of_the_inbox(planned: Workbench) -> None:
    process = planned.start("inbox", "--interval", "0.05")
    inbox = planned.roadmap / "inbox"
    until = time.monotonic() + SUBPROCESS_TIMEOUT_S
    while not inbox.is_dir() and time.monotonic() < until:
        time.sleep(0.01)
    (inbox / ".claim.tmp").write_bytes(result("claim", "T-1"))
    (inbox / ".claim.tmp").rename(inbox / "agent-spec__claim.json")
    while not (inbox / "accepted" / "agent-spec__claim.json").exists() and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SUBPROCESS_TIMEOUT_S)
    assert process.returncode == 130
    assert out == "agent-spec__claim.json: accepted\n"
    assert "Traceback" not in err
    planned.assert_sound()


def test_an_agent_that_fails_is_a_recorded_refusal(planned: Workbench) -> None:
    """Not an exit: the run goes on until the attempts are used up, and says so."""
    (planned.root / "agent.py").write_text("import sys; print('no idea', file=sys.stderr); sys.exit(3)")
    outcome = planned("run", "--agent", agent_option(), "--json")
    assert outcome.code == 1
    assert outcome.answer["outcome"] == "failed"
    assert planned.actions().count("output.rejected") >= 3
    assert {one["rejected"]["error_code"] for one in outcome.answer["rejections"]} == {"AGENT_FAILED"}
    assert "no idea" in outcome.answer["rejections"][0]["rejected"]["message"]
    planned.assert_sound()
