"""Two processes that write at once: nothing is lost, nothing is doubled, the log has no gaps."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import esaa
from tests.workspaces import assert_sound, log_lines, make_workspace, new_task, payloads, reopen

EACH = 20

WRITER = """
import sys
from pathlib import Path
from esaa.kernel.canonical import compact
from esaa.open import open_workspace
from esaa.protocol.commands import CreateTask, Submit
from esaa.protocol.result import parse_result

root, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
workspace = open_workspace(root)
workspace.state()
print("ready", flush=True)
sys.stdin.readline()
for number in range(count // 2):
    task_id = f"{name}-{number}"
    receipt = workspace.commit(CreateTask(task_id=task_id, task_kind="impl", title=task_id), f"create-{task_id}")
    assert receipt.rejected is None and not receipt.is_repeat, receipt
    print(receipt.events[0].version, flush=True)
    data = compact({"activity_event": {"action": "claim", "task_id": task_id, "notes": "x" * number * 100}})
    receipt = workspace.commit(Submit(actor="agent-impl", result=parse_result(data, workspace.rules)))
    assert receipt.rejected is None, receipt
    print(receipt.events[0].version, flush=True)
assert len([task for task in workspace.state().tasks if task.task_id.startswith(name)]) == count // 2
"""


def writer(root: Path, name: str, config: Path, count: int = EACH) -> subprocess.Popen[str]:
    environment = os.environ | {
        "PYTHONPATH": str(Path(esaa.__file__).parents[1]),
        "ESAA_CONFIG_DIR": str(config),
        "ESAA_LOCK_TIMEOUT_S": "60",
    }
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def start_together(writers: list[subprocess.Popen[str]]) -> None:
    for one in writers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n", one.communicate()[1]
    for one in writers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()


def test_two_processes_submit_forty_commands_and_none_is_lost(tmp_path: Path) -> None:
    root = tmp_path / "project"
    make_workspace(root, edits={"STORAGE_POLICY.yaml": [("every_events: 256", "every_events: 10")]})
    writers = [writer(root, name, tmp_path / "config") for name in ("A", "B")]
    start_together(writers)
    acknowledged: dict[int, str] = {}
    for one, name in zip(writers, ("A", "B"), strict=True):
        output, complaint = one.communicate(timeout=100)
        assert one.returncode == 0, complaint
        for version in output.split():
            assert int(version) not in acknowledged, "one place was given twice"
            acknowledged[int(version)] = name
    events = log_lines(root)
    assert [event["event_seq"] for event in events] == list(range(1, len(events) + 1))
    assert len(acknowledged) == 2 * EACH
    for place, name in acknowledged.items():
        event = events[place - 1]
        assert event["action"] in ("task.create", "claim")
        assert event["payload"]["task_id"].startswith(name)
    counts = Counter(event["action"] for event in events)
    assert (counts["task.create"], counts["claim"]) == (EACH, EACH)
    assert_sound(root)


def test_writer_that_is_killed_leaves_a_workspace_that_the_other_goes_on_with(tmp_path: Path) -> None:
    root = tmp_path / "project"
    make_workspace(root, [new_task("T-1")])
    victim, survivor = writer(root, "A", tmp_path / "config", 1000), writer(root, "B", tmp_path / "config")
    start_together([victim, survivor])
    assert victim.stdout is not None
    for _ in range(9):
        victim.stdout.readline()
    victim.kill()
    rest, _ = victim.communicate()
    _, complaint = survivor.communicate(timeout=100)
    assert survivor.returncode == 0, complaint
    with reopen(root).writing():
        pass
    acknowledged = 9 + len(rest.split())
    created = [one["task_id"] for one in payloads(root, "task.create")]
    claimed = [one["task_id"] for one in payloads(root, "claim")]
    survived = [name for name in created + claimed if name.startswith("A")]
    assert acknowledged <= len(survived) <= acknowledged + 1
    assert sum(name.startswith("B") for name in created + claimed) == EACH
    assert_sound(root)
