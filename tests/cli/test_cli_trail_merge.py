"""`esaa trail merge` between folders, and as a merge driver of git."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable

from tests.cli.workbench import Workbench

ISSUE = "PROJ-123"


def test_two_folders_are_joined_and_twice_changes_nothing(esaa: Workbench) -> None:
    esaa.roadmap.mkdir()
    esaa.ok("record", "PhaseStarted", "--issue", ISSUE, "phase=start")
    shutil.copytree(esaa.root, esaa.root.parent / "other")
    esaa.ok("record", "PhaseStarted", "--issue", ISSUE, "phase=left")
    esaa.ok("record", "PhaseStarted", "--issue", ISSUE, "phase=right", "--root", "../other")
    assert esaa.ok("trail", "merge", "../other", "--dry-run").out.startswith("PROJ-123: would be joined, 2 events")
    said = esaa.ok("trail", "merge", "../other").out
    assert said.startswith("PROJ-123: joined, 2 events before, 4 now, 1 concurrent pairs")
    assert esaa.ok("trail", "merge", "../other").out == ""
    assert esaa("trail", "merge", "../nowhere").code == 7
    assert esaa("trail", "check").code == 0


def test_git_merges_branches_with_the_driver(esaa: Workbench, need_tool: Callable[[str], str]) -> None:
    """The whole way: two branches record, on the same day and on others, and git merges them."""
    git = need_tool("git")

    def run_git(*arguments: str) -> None:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
        subprocess.run([git, *identity, *arguments], cwd=esaa.root, check=True, capture_output=True)

    esaa.roadmap.mkdir()
    run_git("init")
    (esaa.root / ".gitattributes").write_text("events*.jsonl merge=esaa\n*.json merge=ours-json\n")
    run_git("config", "merge.esaa.driver", f"{sys.executable} -m esaa trail merge --quiet --driver %O %A %B")
    run_git("config", "merge.ours-json.driver", "true")

    def record(phase_name: str, at: str) -> None:
        esaa.ok("record", "PhaseStarted", "--issue", ISSUE, f"phase={phase_name}", "--at", at)

    record("start", "2026-02-01T10:00:00Z")
    run_git("add", "-A")
    run_git("commit", "-m", "start")
    run_git("checkout", "-b", "side")
    record("side-same-day", "2026-02-01T11:00:00Z")
    record("side-next-day", "2026-02-02T11:00:00Z")
    run_git("add", "-A")
    run_git("commit", "-m", "side")
    run_git("checkout", "main")
    record("main-same-day", "2026-02-01T12:00:00Z")
    record("main-later", "2026-02-03T12:00:00Z")
    run_git("add", "-A")
    run_git("commit", "-m", "main")
    run_git("merge", "side")
    assert esaa("trail", "check").code == 4
    esaa.ok("trail", "merge")
    told = esaa.ok("state", "--issue", ISSUE, "--projection", "timeline", "--json").answer
    names = [one["summary"].split()[0] for one in told if one["event_type"] == "PhaseStarted"]
    assert names == ["start", "side-same-day", "main-same-day", "side-next-day", "main-later"]
    assert esaa("trail", "check").code == 0
