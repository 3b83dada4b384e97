"""`esaa doctor agents`, and what the contracts may say of the sandbox."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from esaa.agents.sandbox.choose import lacking
from esaa.cli.app import cli
from esaa.errors import ContractError
from tests.agents.breaking_out import BREAKING_OUT, install_claude
from tests.workspaces import Edits, make_workspace

PYTHON = os.path.realpath(sys.executable)


def swarm(adapter: str, more: str = "") -> list[tuple[str, str]]:
    return [
        (
            "  agent-impl:\n    roles: [impl]\n    adapter: manual\n",
            f"  agent-impl:\n    roles: [impl]\n    adapter: {json.dumps(adapter)}\n{more}",
        )
    ]


def policy(text: str) -> list[tuple[str, str]]:
    return [("dispatch:\n", f"sandbox: {{{text}}}\ndispatch:\n")]


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Edits], Result]:
    """`esaa doctor agents --json` in a new workspace with these contracts; no command line of an agent on the PATH."""
    monkeypatch.setenv("ESAA_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    def run(edits: Edits) -> Result:
        make_workspace(tmp_path / "w", edits=edits)
        return CliRunner().invoke(cli, ["doctor", "agents", "--json", "--root", str(tmp_path / "w")])

    return run


def told(result: Result) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(result.stdout)
    return value


@pytest.mark.skipif(len(lacking()) == 2, reason="no sandbox on this machine")
def test_forbidden_acts_of_an_agent_and_of_the_checks_are_tried_and_stopped(
    doctor: Callable[[Edits], Result], tmp_path: Path
) -> None:
    edits = {
        "agents_swarm.yaml": swarm(f"command:{PYTHON} agent.py"),
        "RUNTIME_POLICY.yaml": policy("required: landlock, network: [agent-impl]"),
        "AGENT_CONTRACT.yaml": [
            ("vague_checks:\n", "executable_checks:\n  commands: {tests: [make]}\nvague_checks:\n")
        ],
    }
    result = doctor(edits)
    assert result.exit_code == 0, result.output
    agent, checks = told(result)["agents"]
    assert (agent["name"], agent["program"], agent["is_networked"]) == ("agent-impl", PYTHON, True)
    assert (checks["name"], checks["program"], checks["is_networked"]) == ("checks", "tests", False)
    for one in (agent, checks):
        assert one["sandbox"] in ("bubblewrap", "landlock")
        stopped = [trial for trial in one["trials"] if trial["wanted"] == "stopped"]
        assert len(stopped) >= 8
        assert all(trial["is_well"] for trial in one["trials"])
    assert not list((tmp_path / "w").rglob("canary*"))
    assert not list((tmp_path / "config").rglob("canary*"))


def test_what_is_not_stopped_is_told(doctor: Callable[[Edits], Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esaa.agents.sandbox.choose.lacking", lambda: {"bubblewrap": "gone", "landlock": "old"})
    result = doctor({"agents_swarm.yaml": swarm(f"command:{PYTHON} agent.py", "    sandbox: best\n")})
    assert result.exit_code == 1
    (agent,) = told(result)["agents"]
    assert agent["sandbox"] == "none"
    assert {one["attempt"] for one in agent["trials"] if not one["is_well"]} >= {
        "write into the project",
        "read a key of the user",
        "reach a local port",
    }


def test_less_than_is_demanded_is_a_problem(doctor: Callable[[Edits], Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esaa.agents.sandbox.choose.lacking", lambda: {"bubblewrap": "it is gone"})
    edits = {
        "agents_swarm.yaml": swarm(f"command:{PYTHON} agent.py"),
        "RUNTIME_POLICY.yaml": policy("required: bubblewrap"),
    }
    result = doctor(edits)
    assert result.exit_code == 1
    (agent,) = told(result)["agents"]
    assert "it is gone" in agent["problem"]
    assert agent["trials"] == []


@pytest.mark.parametrize(
    ("adapter", "problem"),
    [
        ("command:no-such-program", "'no-such-program' is not there"),
        ("command:./agent", "'./agent' is not there"),
        ("command:half 'a quote", "names no program"),
        ("claude-code", "needs the program `claude`"),
        ("codex", "needs the program `codex`"),
        ("gemini-cli", "needs the program `gemini`"),
    ],
)
def test_missing_program_is_a_problem(doctor: Callable[[Edits], Result], adapter: str, problem: str) -> None:
    result = doctor({"agents_swarm.yaml": swarm(adapter)})
    assert result.exit_code == 1
    (agent,) = told(result)["agents"]
    assert problem in agent["problem"]


@pytest.mark.parametrize(
    ("edits", "remark"),
    [
        ({"agents_swarm.yaml": swarm(f"command:{PYTHON} a.py")}, "neither RUNTIME_POLICY nor the actor"),
        ({"agents_swarm.yaml": swarm(f"command:{PYTHON} a.py", "    sandbox: none\n")}, "as the contracts say"),
        (
            {"agents_swarm.yaml": swarm(f"command:{PYTHON} a.py"), "RUNTIME_POLICY.yaml": policy("level: none")},
            "as the contracts say",
        ),
    ],
)
def test_no_sandbox_on_purpose_is_a_remark(doctor: Callable[[Edits], Result], edits: Edits, remark: str) -> None:
    result = doctor(edits)
    assert result.exit_code == 0
    (agent,) = told(result)["agents"]
    assert agent["sandbox"] == "none"
    assert remark in agent["remark"]


def test_nothing_to_try_is_said(doctor: Callable[[Edits], Result], tmp_path: Path) -> None:
    assert told(doctor({}))["agents"] == []
    result = CliRunner().invoke(cli, ["doctor", "agents", "--root", str(tmp_path / "w")])
    assert result.exit_code == 0
    assert "nothing to try" in result.stdout


def test_lines_name_program_level_and_number_of_trials(doctor: Callable[[Edits], Result], tmp_path: Path) -> None:
    doctor({"agents_swarm.yaml": swarm(f"command:{PYTHON} agent.py", "    sandbox: best\n")})
    result = CliRunner().invoke(cli, ["doctor", "agents", "--root", str(tmp_path / "w")])
    assert f"agent-impl (command:{PYTHON} agent.py): {PYTHON}, sandbox " in result.stdout
    if len(lacking()) < 2:
        assert "forbidden acts were tried and stopped, 0 tries ended badly" in result.stdout


@pytest.mark.parametrize(
    ("edits", "complaint"),
    [
        (
            {
                "agents_swarm.yaml": swarm("manual", "    sandbox: none\n"),
                "RUNTIME_POLICY.yaml": policy("required: landlock"),
            },
            "actors.agent-impl.sandbox: none is less than the landlock",
        ),
        ({"RUNTIME_POLICY.yaml": policy("network: [agent-nobody]")}, "'agent-nobody' is neither an actor"),
        ({"RUNTIME_POLICY.yaml": policy("level: none, required: landlock")}, "less than the required landlock"),
        ({"RUNTIME_POLICY.yaml": policy("level: docker")}, "sandbox.level"),
        ({"agents_swarm.yaml": swarm("manual", "    sandbox: docker\n")}, "actors.agent-impl.sandbox"),
    ],
)
def test_contract_that_cannot_be_enforced_is_refused(tmp_path: Path, edits: Edits, complaint: str) -> None:
    with pytest.raises(ContractError) as caught:
        make_workspace(tmp_path / "w", edits=edits)
    assert complaint in caught.value.message
    assert caught.value.exit_code == 8


@pytest.fixture
def breaking_out(tmp_path: Path, doctor: Callable[[Edits], Result], monkeypatch: pytest.MonkeyPatch) -> str:
    """A `claude` on the PATH that does whatever its model asks for."""
    path = install_claude(tmp_path / "bin", BREAKING_OUT)
    monkeypatch.setenv("PATH", path)
    return path


@pytest.mark.usefixtures("breaking_out")
def test_agent_that_breaks_out_with_its_own_tools_is_told(
    doctor: Callable[[Edits], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("esaa.agents.sandbox.choose.lacking", lambda: {"bubblewrap": "gone", "landlock": "old"})
    result = doctor({"agents_swarm.yaml": swarm("claude-code")})
    assert result.exit_code == 1
    (agent,) = told(result)["agents"]
    assert {one["attempt"] for one in agent["trials"] if not one["is_well"]} >= {
        "write into the project with its own tools",
        "read a key of the user with its own tools",
    }


@pytest.mark.usefixtures("breaking_out")
def test_agent_that_breaks_out_where_the_contracts_say_so_is_a_remark(
    doctor: Callable[[Edits], Result], tmp_path: Path
) -> None:
    result = doctor({"agents_swarm.yaml": swarm("claude-code", "    sandbox: none\n")})
    assert result.exit_code == 0, result.output
    (agent,) = told(result)["agents"]
    assert "as the contracts say; nothing stopped it when it was asked to write into the project" in agent["remark"]
    assert {one["wanted"] for one in agent["trials"]} == {"allowed"}
    assert not list((tmp_path / "w").rglob("canary*"))


@pytest.mark.usefixtures("breaking_out")
@pytest.mark.skipif(len(lacking()) == 2, reason="no sandbox on this machine")
def test_own_tools_are_tried_with_the_network_also_where_none_is_granted(doctor: Callable[[Edits], Result]) -> None:
    result = doctor({"agents_swarm.yaml": swarm("claude-code")})
    assert result.exit_code == 0, result.output
    (agent,) = told(result)["agents"]
    assert not agent["is_networked"]
    assert "tried with the network, which its sandbox does not grant" in agent["remark"]
    own = [one for one in agent["trials"] if one["attempt"].endswith("with its own tools")]
    assert [one["wanted"] for one in own] == ["stopped"] * 4 + ["allowed"] * 2


def test_agent_that_never_asks_its_model_is_a_problem(
    doctor: Callable[[Edits], Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", install_claude(tmp_path / "bin", "print('I know it all')"))
    edits = {"agents_swarm.yaml": swarm("claude-code", "    sandbox: none\n")}
    result = doctor(edits)
    assert result.exit_code == 1
    assert "did not ask the model" in told(result)["agents"][0]["problem"]


@pytest.mark.parametrize("adapter", ["acp:claude", "acp:claude --acp"])
def test_acp_agent_that_asks_elsewhere_is_a_remark(
    doctor: Callable[[Edits], Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adapter: str
) -> None:
    monkeypatch.setenv("PATH", install_claude(tmp_path / "bin", "sys.stdin.readline()"))
    result = doctor({"agents_swarm.yaml": swarm(adapter, "    sandbox: none\n")})
    agent = next(one for one in told(result)["agents"] if one["name"] == "agent-impl")
    assert agent["problem"] is None
    assert "its own tools were not tried" in agent["remark"]


@pytest.mark.usefixtures("breaking_out")
def test_sandbox_only_starts_no_agent(doctor: Callable[[Edits], Result], tmp_path: Path) -> None:
    doctor({"agents_swarm.yaml": swarm("claude-code", "    sandbox: none\n")})
    arguments = ["doctor", "agents", "--sandbox-only", "--json", "--root", str(tmp_path / "w")]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0
    (agent,) = told(result)["agents"]
    assert agent["trials"] == []
    assert agent["remark"] == "nothing confines it, as the contracts say"
