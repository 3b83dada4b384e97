"""`esaa pause`, `resume`, `stop`, `approvals`, `approve`, `deny`, `metrics`, as a person uses them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench

POLICY = """
budgets:
  limits:
    - {scope: run, unit: calls, limit: 100}
approvals:
  rules:
    - {name: first spec, paths: [docs/spec/T-1000.md], approvers: [ada]}
"""


@pytest.fixture
def waiting(esaa: Workbench) -> Workbench:
    """A run that waits for an approval."""
    esaa.ok("init", "--demo", "calc")
    with (esaa.roadmap / "RUNTIME_POLICY.yaml").open("a", encoding="utf-8") as file:
        file.write(POLICY)
    assert esaa("run").code == 1
    return esaa


def test_person_in_the_loop_finishes_the_project(waiting: Workbench) -> None:
    listed = waiting("approvals", "--json")
    [request] = listed.answer
    assert (listed.code, request["status"], request["requested_by"]) == (1, "open", "agent-spec")
    name = request["approval_id"]
    shown = waiting.ok("approvals", "--show", name).out
    assert "docs/spec/T-1000.md" in shown
    assert waiting("approve", name, "--as", "agent-spec").code == 2
    assert waiting("approve", name, "--as", "eve").code == 2
    assert waiting("approve", "AP-0000000000", "--as", "ada").code == 7
    assert waiting("approve", name).code == 2, "a name is required"
    dry = waiting("approve", name, "--as", "ada", "--dry-run", "--json").answer
    assert (dry["dry_run"], dry["status"]) == (True, "open")
    waiting.ok("approve", name, "--as", "ada", "--sha256", request["content_sha256"])
    assert "already done" in waiting.ok("approve", name, "--as", "ada").out
    assert waiting("deny", name, "--as", "ada").code == 2
    waiting.ok("run")
    assert waiting.ok("approvals", "--json").answer == []
    [decided] = waiting.ok("approvals", "--all", "--json").answer
    assert (decided["status"], decided["decided_by"]) == ("granted", "ada")
    waiting.ok("verify", "--strict", "--files")


def test_denied_answer_is_told_to_the_agent(waiting: Workbench) -> None:
    [request] = waiting("approvals", "--json").answer
    waiting.ok("deny", request["approval_id"], "--as", "ada", "--reason", "no objective")
    waiting("run", "--steps", "1")
    [rejected] = [one for one in waiting.events() if one["action"] == "output.rejected"]
    assert rejected["payload"]["error_code"] == "APPROVAL_DENIED"
    assert "no objective" in rejected["payload"]["message"]


def test_metrics_of_runs_and_agents(waiting: Workbench) -> None:
    [run] = waiting.ok("metrics", "--json").answer
    assert (run["run_id"], run["attempts"], run["accepted"], run["calls"]) == ("RUN-0001", 1, 1, 2)
    assert run["status"] is None
    assert list(run["agents"]) == ["agent-spec"]
    assert "RUN-0001: open, 1 attempts, 100% accepted" in waiting.ok("metrics", "--run", "RUN-0001").out
    assert waiting.ok("metrics", "--agent", "agent-qa", "--json").answer[0]["attempts"] == 0
    assert waiting("metrics", "--run", "RUN-0009").code == 7


def test_nothing_runs_while_a_person_says_so(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    paused = esaa.ok("pause", "--as", "ada", "--reason", "a question", "--json").answer
    assert (paused["wish"], paused["was"], paused["is_running"]) == ("pause", "run", False)
    refused = esaa("run", "--json")
    assert (refused.code, refused.error["code"]) == (1, "RUN_STOPPED")
    assert "by ada" in refused.error["message"]
    assert "a question" in refused.error["message"]
    assert "nothing changes" in esaa.ok("pause").out
    assert "would be" in esaa.ok("resume", "--dry-run").out
    esaa.ok("stop", "--now")
    esaa.ok("resume")
    esaa.ok("run")
    esaa.ok("verify", "--strict", "--files")


def test_kill_switch_reaches_another_process_and_leaves_no_orphan(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    marker = esaa.root / "child.pid"
    script = esaa.root / "agent.sh"
    script.write_text(f"sleep 600 &\necho $! > {marker}\nwait\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "esaa", "run", "--agent", f"command:sh {script}", "--json"],
        cwd=esaa.root,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 30
        while not (marker.exists() and marker.read_text().endswith("\n")):
            assert time.monotonic() < until
            time.sleep(0.05)
        stopped = esaa.ok("stop", "--now", "--reason", "wrong place")
        assert "no run is at work" in stopped.err
        assert process.wait(timeout=10) == 0
        assert not lives(int(marker.read_text()))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        process.stdout.close()
    shown = esaa.ok("query", "--type", "OrchestrationPaused", "--json").out
    assert "agent-spec (claim T-1000)" in shown
    esaa.ok("verify", "--strict")


def lives(pid: int) -> bool:
    """Whether a process is there and no mere entry that nobody has collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
