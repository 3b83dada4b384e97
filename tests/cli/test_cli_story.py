"""The specification's own story, told to the real command: a governed run, its proof, and files that work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench


def unittest_of(root: Path) -> subprocess.CompletedProcess[str]:
    """The delivered tests, on the delivered files, without esaa."""
    line = [sys.executable, "-m", "unittest", "discover", "-s", "tests", "-t", "."]
    return subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=60, check=False)


def of_action(esaa: Workbench, action: str) -> list[dict[str, object]]:
    return [event["payload"] for event in esaa.events() if event["action"] == action]


def test_landing_as_the_specification_tells_it(esaa: Workbench) -> None:
    outcome = esaa.process("init", "--demo", "landing")
    assert outcome.code == 0
    assert "next: esaa run --run-id RUN-0001" in outcome.err
    outcome = esaa.process("run", "--run-id", "RUN-0001")
    assert outcome.code == 0
    assert outcome.out.startswith("run RUN-0001: success (all tasks are done)\n")
    outcome = esaa.process("verify", "--strict")
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == "verify_status=ok"
    assert outcome.err == ""
    esaa.assert_sound()


def test_landing_shows_one_refusal_one_review_and_one_hotfix(landing: Workbench) -> None:
    events = landing.events()
    assert [event["event_seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["action"], events[-1]["action"]) == ("run.start", "run.end")
    (rejected,) = of_action(landing, "output.rejected")
    assert rejected["error_code"] == "BOUNDARY_VIOLATION"
    sent_back = [review for review in of_action(landing, "review") if review["decision"] == "request_changes"]
    assert len(sent_back) == 1
    (hotfix,) = of_action(landing, "hotfix.create")
    (resolved,) = of_action(landing, "issue.resolve")
    assert resolved["issue_id"] == hotfix["issue_id"]
    assert resolved["resolution"] == {"status": "resolved_by_hotfix", "hotfix_task_id": hotfix["task_id"]}
    assert of_action(landing, "run.end") == [{"status": "success"}]


def test_landing_leaves_the_original_task_untouched(landing: Workbench) -> None:
    (hotfix,) = of_action(landing, "hotfix.create")
    original = hotfix["fixes"]
    done = next(
        event["event_seq"]
        for event in landing.events()
        if event["action"] == "review"
        and event["payload"]["task_id"] == original
        and event["payload"]["decision"] == "approve"
    )
    about = ("claim", "complete", "review", "orchestrator.file.write", "output.rejected")
    later = [event for event in landing.events() if event["event_seq"] > done and event["action"] in about]
    assert later
    assert all(event["payload"].get("task_id") != original for event in later)
    task = landing.ok("status", str(original), "--json").answer["task"]
    assert task["status"] == "done"


def test_landing_delivers_a_page_whose_tests_pass(landing: Workbench) -> None:
    for name in ("src/index.html", "src/styles.css", "src/main.js"):
        assert (landing.root / name).stat().st_size > 500
    done = unittest_of(landing.root)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr


def test_calc_delivers_a_calculator_that_works(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    outcome = esaa.ok("run", "--parallel", "2")
    assert "success (all tasks are done)" in outcome.out
    esaa.assert_sound()
    done = unittest_of(esaa.root)
    assert done.returncode == 0, done.stderr
    line = [sys.executable, "src/calc.py", "0.1 + 0.2"]
    said = subprocess.run(line, cwd=esaa.root, capture_output=True, text=True, timeout=30, check=False)
    assert (said.returncode, said.stdout) == (0, "0.3\n")


@pytest.mark.parametrize("demo", ["landing", "calc"])
def test_a_demo_is_the_same_at_any_width(esaa: Workbench, demo: str) -> None:
    """However many agents work at once, and however often the run is cut, the tasks and files come out the same."""
    esaa.ok("init", "--demo", demo)
    esaa.ok("run", "--parallel", "4", "--steps", "5")
    esaa.ok("run", "--steps", "7")
    esaa.ok("run", "--parallel", "3")
    assert set(esaa.ok("status", "--json").answer["tasks"]["by_status"]) == {"done"}
    esaa.assert_sound()
    assert unittest_of(esaa.root).returncode == 0
