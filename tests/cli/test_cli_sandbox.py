"""A whole run with confined command agents: what they try in vain, what the log says, and what fails closed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from esaa.agents.sandbox.choose import lacking
from esaa.cli.app import cli
from esaa.errors import AgentUnavailable
from tests.workspaces import NO_COOLDOWN, Edits, assert_sound, log_bytes, make_workspace, new_task, payloads

PYTHON = os.path.realpath(sys.executable)
AGENT = """
import json, sys
context = json.load(sys.stdin)
ask = context["ask"]
said = []
for path in (".roadmap/activity.jsonl", "KEY", ".roadmap/events/global/events.jsonl"):
    try:
        open(path, "rb").read()
        said.append("read " + path)
    except OSError:
        pass
try:
    open("src/behind.py", "w")
    said.append("wrote src/behind.py")
except OSError:
    pass
event = {"action": ask["action"], "task_id": ask["task_id"], "notes": "; ".join(said) or "nothing"}
answer = {"activity_event": event}
if ask["action"] == "complete":
    event["verification"] = {"checks": ["run:compiles", "it was read"]}
    answer["file_updates"] = [{"path": "src/page.py", "content": "page = 1\\n"}]
if ask["action"] == "review":
    event |= {"decision": "approve", "tasks": [ask["task_id"]]}
print(json.dumps(answer))
"""


def contracts(sandbox: str) -> Edits:
    commands = {"compiles": [PYTHON, "-I", "-m", "py_compile", "src/page.py"]}
    return {
        "AGENT_CONTRACT.yaml": [
            ("vague_checks:\n", f"executable_checks:\n  commands: {json.dumps(commands)}\nvague_checks:\n")
        ],
        "RUNTIME_POLICY.yaml": [
            *NO_COOLDOWN["RUNTIME_POLICY.yaml"],
            ("dispatch:\n", f"sandbox: {{{sandbox}}}\ndispatch:\n"),
        ],
    }


def run(root: Path, monkeypatch: pytest.MonkeyPatch, sandbox: str) -> Result:
    """`esaa run` with an agent that tries what it should not."""
    config = root.parent / "config"
    monkeypatch.setenv("ESAA_CONFIG_DIR", str(config))
    make_workspace(root, [new_task("T-1", outputs=["src/page.py"])], edits=contracts(sandbox))
    (root / "src").mkdir()
    key = next(path for path in config.rglob("*") if path.is_file())
    (root / "agent.py").write_text(AGENT.replace("KEY", str(key)))
    return CliRunner().invoke(cli, ["run", "--root", str(root), "--agent", f"command:{PYTHON} -I agent.py", "--json"])


@pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
def test_run_is_finished_by_agents_that_reach_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: Any
) -> None:
    if level in lacking():
        pytest.skip(f"no {level} on this machine: {lacking()[level]}")
    root = tmp_path / "w"
    result = run(root, monkeypatch, f"level: {level}")
    assert result.exit_code == 0, result.output
    assert (root / "src" / "page.py").read_text() == "page = 1\n"
    assert not (root / "src" / "behind.py").exists()
    acts = [payload for action in ("claim", "complete", "review") for payload in payloads(root, action)]
    assert [payload["notes"] for payload in acts] == ["nothing"] * 3
    assert [payload["provenance"]["sandbox"] for payload in acts] == [level] * 3
    ran, text = acts[1]["check_runs"]
    assert (ran["check"], ran["exit_code"], ran["sandbox"]) == ("run:compiles", 0, level)
    assert text == {"check": "it was read", "kind": "text"}
    assert_sound(root)


def test_without_a_sandbox_the_log_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "w"
    result = run(root, monkeypatch, "level: none")
    assert result.exit_code == 0, result.output
    claim = payloads(root, "claim")[0]
    assert claim["provenance"]["sandbox"] == "none"
    assert "wrote src/behind.py" in claim["notes"]
    assert "read .roadmap/activity.jsonl" in claim["notes"]


def test_run_with_less_than_demanded_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esaa.agents.sandbox.choose.lacking", lambda: {"bubblewrap": "it is gone"})
    root = tmp_path / "w"
    result = run(root, monkeypatch, "required: bubblewrap")
    assert isinstance(result.exception, AgentUnavailable)
    assert result.exception.exit_code == 9
    assert "it is gone" in result.exception.message
    assert b'"claim"' not in log_bytes(root)


def test_trail_is_hidden_wherever_it_lies(tmp_path: Path) -> None:
    root = tmp_path / "w"
    workspace = make_workspace(root)
    (root / ".roadmap" / "event-sourcing.yaml").write_text("event_sourcing:\n  storage:\n    base_path: docs/trail\n")
    assert workspace.enclosure_of("checks").hidden == (tmp_path / "config", root / "docs" / "trail")
