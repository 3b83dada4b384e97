"""Checks that are run: on a staged copy, in the sandbox, before a result is taken; and what the log says of them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from esaa.agents.base import Dispatch
from esaa.agents.sandbox.choose import lacking
from esaa.errors import AgentError, AgentUnavailable, ContractError
from esaa.kernel.canonical import sha256_hex
from esaa.protocol.checks import CheckRun, staged_digest
from esaa.protocol.commands import Submit
from esaa.protocol.result import parse_result
from esaa.runtime.check_runs import checked, is_outdated, stage, staging_of
from esaa.runtime.workspace import Receipt, Workspace
from tests.workspaces import (
    NO_COOLDOWN,
    Edits,
    Watcher,
    assert_sound,
    log_bytes,
    make_workspace,
    new_task,
    payloads,
    result,
    run,
    submit,
)

PYTHON = os.path.realpath(sys.executable)
ADDS = "from src.calc import add; assert add(2, 2) == 4; print('it adds')"
GOOD = {"src/calc.py": "def add(a, b):\n    return a + b\n"}
BAD = {"src/calc.py": "def add(a, b):\n    return a - b\n"}


def commands(sandbox: str = "level: best", **named: list[str] | str) -> Edits:
    """An allow-list of Python programs, and a sandbox."""
    lists = {
        name: [PYTHON, "-I", "-c", "import sys; sys.path.insert(0, '.')\n" + text] if isinstance(text, str) else text
        for name, text in named.items()
    }
    text = f"executable_checks:\n  commands: {json.dumps(lists)}\n  timeout: PT20S\n\nvague_checks:\n"
    return {
        "AGENT_CONTRACT.yaml": [("vague_checks:\n", text)],
        "RUNTIME_POLICY.yaml": [
            *NO_COOLDOWN["RUNTIME_POLICY.yaml"],
            ("dispatch:\n", f"sandbox: {{{sandbox}}}\ndispatch:\n"),
        ],
    }


def claimed(root: Path, edits: Edits) -> Workspace:
    workspace = make_workspace(root, [new_task("T-1", outputs=["src/calc.py"])], edits=edits)
    assert submit(workspace, "agent-impl", result("claim", "T-1")).rejected is None
    return workspace


def complete(workspace: Workspace, checks: list[str], files: dict[str, str] | None = None) -> Receipt:
    return submit(workspace, "agent-impl", delivery(checks, files))


def delivery(checks: list[str], files: dict[str, str] | None = None) -> bytes:
    return result("complete", "T-1", files=files or GOOD, verification={"checks": checks})


def test_command_that_passes_is_in_the_event_and_text_is_called_text(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", commands(adds=ADDS))
    receipt = complete(workspace, ["run:adds", "src/calc.py was read line by line"])
    assert receipt.rejected is None
    ran, text = payloads(workspace.root, "complete")[0]["check_runs"]
    assert text == {"check": "src/calc.py was read line by line", "kind": "text"}
    assert ran["check"] == "run:adds"
    assert ran["kind"] == "run"
    assert ran["exit_code"] == 0
    assert ran["output_sha256"] == sha256_hex(b"it adds\n")
    assert ran["output_bytes"] == 8
    assert ran["arguments"][0] == PYTHON
    assert ran["staged_sha256"] == staged_digest({path: text.encode() for path, text in GOOD.items()})
    assert 0 < ran["duration_ms"] < 20_000
    assert ran["sandbox"] == next(one for one in ("bubblewrap", "landlock", "none") if one not in lacking())
    assert_sound(workspace.root)


def test_command_that_fails_is_a_rejection_with_the_end_of_its_output(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", commands(adds=ADDS))
    receipt = complete(workspace, ["run:adds"], BAD)
    assert receipt.rejected is not None
    assert (receipt.rejected.error_code, receipt.rejected.layer) == ("CHECK_FAILED", "verification_gate")
    assert "exit code 1" in receipt.rejected.message
    assert "AssertionError" in receipt.rejected.hint
    assert not (workspace.root / "src" / "calc.py").exists()
    assert payloads(workspace.root, "output.rejected")[0]["counts"] is True
    assert complete(workspace, ["run:adds"]).rejected is None
    assert_sound(workspace.root)


def test_copy_is_the_project_without_its_log_and_nothing_comes_back(tmp_path: Path) -> None:
    text = """
import os, pathlib
assert pathlib.Path("src/calc.py").read_text().startswith("def add"), "the delivered file"
assert pathlib.Path("docs/old.md").read_text() == "old", "what lay there"
assert sorted(os.listdir(".")) == [".venv", "docs", "link", "src"], os.listdir(".")
assert pathlib.Path(".venv/installed").read_text() == "yes"
assert os.readlink("link") == "docs/old.md"
pathlib.Path("src/calc.py").write_text("changed")
pathlib.Path("docs/new.md").write_text("new")
os.unlink("docs/old.md")
try:
    pathlib.Path(".venv/installed").write_text("no")
except OSError:
    pass
"""
    workspace = claimed(tmp_path / "w", commands(looks=text))
    root = workspace.root
    for name, content in {"docs/old.md": "old", ".venv/installed": "yes", ".git/HEAD": "ref"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (root / "link").symlink_to("docs/old.md")
    receipt = complete(workspace, ["run:looks"])
    assert receipt.rejected is None, receipt.rejected
    assert (root / "src" / "calc.py").read_text() == GOOD["src/calc.py"]
    assert (root / "docs" / "old.md").read_text() == "old"
    assert not (root / "docs" / "new.md").exists()
    if lacking().keys() != {"bubblewrap", "landlock"}:
        assert (root / ".venv" / "installed").read_text() == "yes"
    assert_sound(root)


@pytest.mark.skipif(len(lacking()) == 2, reason="no sandbox on this machine")
def test_commands_reach_neither_the_project_nor_the_keys_nor_the_network(tmp_path: Path) -> None:
    root, config = tmp_path / "w", tmp_path / "config"
    text = f"""
import os, pathlib, socket
def stopped(act):
    try:
        act()
    except OSError:
        return
    raise SystemExit("not stopped")
stopped(lambda: pathlib.Path({str(root / ".roadmap" / "activity.jsonl")!r}).read_text())
stopped(lambda: os.listdir({str(config)!r}))
stopped(lambda: pathlib.Path({str(root / "src" / "evil.py")!r}).write_text("x"))
stopped(lambda: socket.create_connection(("1.1.1.1", 80), 3))
assert "ESAA_LOCK" not in os.environ
"""
    workspace = claimed(root, commands(tries=text))
    assert complete(workspace, ["run:tries"]).rejected is None
    assert not (root / "src" / "evil.py").exists()


def test_command_without_end_is_ended(tmp_path: Path) -> None:
    edits = commands(hangs="import time; print('begun', flush=True); time.sleep(600)")
    contract = [(old, new.replace("PT20S", "PT1S")) for old, new in edits["AGENT_CONTRACT.yaml"]]
    workspace = claimed(tmp_path / "w", {**edits, "AGENT_CONTRACT.yaml": contract})
    rejected = complete(workspace, ["run:hangs"]).rejected
    assert rejected is not None
    assert rejected.error_code == "CHECK_FAILED"
    assert "time limit" in rejected.message
    assert "begun" in rejected.hint


def test_output_without_end_is_cut(tmp_path: Path) -> None:
    edits = commands(floods="while True: print('x' * 100_000)")
    contract = [
        (old, new.replace("timeout:", "output_bytes_max: 1000000\n  timeout:"))
        for old, new in edits["AGENT_CONTRACT.yaml"]
    ]
    workspace = claimed(tmp_path / "w", {**edits, "AGENT_CONTRACT.yaml": contract})
    rejected = complete(workspace, ["run:floods"]).rejected
    assert rejected is not None
    assert "printed too much" in rejected.message


@pytest.mark.parametrize("command", [["no-such-program"], ["/no/such/program", "-q"]])
def test_program_that_is_not_there_fails_the_check(tmp_path: Path, command: list[str]) -> None:
    rejected = complete(claimed(tmp_path / "w", commands(gone=command)), ["run:gone"]).rejected
    assert rejected is not None
    assert rejected.error_code == "CHECK_FAILED"
    assert f"{command[0]} cannot be started" in rejected.hint


@pytest.mark.parametrize("edits", [commands(adds=ADDS), NO_COOLDOWN])
def test_command_that_is_not_allowed_is_refused_by_name(tmp_path: Path, edits: Edits) -> None:
    rejected = complete(claimed(tmp_path / "w", edits), ["run:rm"]).rejected
    assert rejected is not None
    assert rejected.error_code == "CHECK_UNKNOWN"
    assert ("run:adds" in rejected.hint) == (edits is not NO_COOLDOWN)


def test_without_an_allow_list_nothing_changes(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", NO_COOLDOWN)
    assert complete(workspace, ["run: it was started by hand, twice"]).rejected is None
    assert "check_runs" not in payloads(workspace.root, "complete")[0]


def test_what_is_refused_anyway_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    workspace = claimed(tmp_path / "w", commands("level: none", marks=f"open({str(trace)!r}, 'w')"))
    rejected = complete(workspace, ["run:marks"], {"docs/elsewhere.md": "x"}).rejected
    assert rejected is not None
    assert rejected.error_code == "BOUNDARY_VIOLATION"
    assert not trace.exists()
    assert complete(workspace, ["run:marks"]).rejected is None
    assert trace.exists()


def test_agent_cannot_say_how_a_command_ended(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", commands(adds=ADDS))
    value = json.loads(delivery(["run:adds"], BAD))
    value["activity_event"]["check_runs"] = [{"check": "run:adds", "kind": "run", "exit_code": 0}]
    rejected = submit(workspace, "agent-impl", json.dumps(value).encode()).rejected
    assert rejected is not None
    assert rejected.error_code == "SCHEMA_INVALID"


def test_runs_on_other_contents_do_not_count(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", commands(adds=ADDS))

    def asked(files: dict[str, str]) -> Submit:
        data = delivery(["run:adds"], files)
        return Submit(actor="agent-impl", result=parse_result(data, workspace.rules))

    good = asyncio.run(checked(workspace, asked(GOOD)))
    assert good.check_runs is not None
    assert [one.has_passed for one in good.check_runs] == [True]
    assert not is_outdated(workspace, good)
    swapped = msgspec.structs.replace(asked(BAD), check_runs=good.check_runs)
    assert is_outdated(workspace, swapped)
    # The commands are run again, on what is really delivered.
    rejected = workspace.commit(swapped).rejected
    assert rejected is not None
    assert rejected.error_code == "CHECK_FAILED"


def test_submission_with_a_known_id_runs_nothing_again(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    workspace = claimed(tmp_path / "w", commands("level: none", marks=f"open({str(trace)!r}, 'x')"))
    first = submit(workspace, "agent-impl", delivery(["run:marks"]), "id-1")
    assert first.rejected is None
    again = submit(workspace, "agent-impl", delivery(["run:marks"]), "id-1")
    assert again.is_repeat
    assert again.events[0].event_id == first.events[0].event_id


def test_dry_run_says_what_the_command_would(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", commands(adds=ADDS))
    before = log_bytes(workspace.root)
    command = Submit(actor="agent-impl", result=parse_result(delivery(["run:adds"], BAD), workspace.rules))
    rejected = workspace.commit(command, dry_run=True).rejected
    assert rejected is not None
    assert rejected.error_code == "CHECK_FAILED"
    assert log_bytes(workspace.root) == before


def test_less_sandbox_than_demanded_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = claimed(tmp_path / "w", commands("required: bubblewrap", adds=ADDS))
    monkeypatch.setattr("esaa.agents.sandbox.choose.lacking", lambda: {"bubblewrap": "it is gone"})
    before = log_bytes(workspace.root)
    with pytest.raises(AgentUnavailable, match="it is gone") as caught:
        complete(workspace, ["run:adds"])
    assert caught.value.exit_code == 9
    assert log_bytes(workspace.root) == before


def test_run_goes_on_after_a_failed_check_and_others_are_not_held_up(tmp_path: Path) -> None:
    tasks = [new_task("T-1", outputs=["src/calc.py"]), new_task("T-2", outputs=["src/other.py"])]
    slow = "import time; time.sleep(1.5)\n" + ADDS
    workspace = make_workspace(tmp_path / "w", tasks, edits=commands(adds=slow))
    contexts: list[dict[str, Any]] = []

    def agent(dispatch: Dispatch, context: dict[str, Any]) -> bytes:
        order = dispatch.order
        contexts.append(context)
        if order.action != "complete":
            return result(order.action, order.task_id)
        if order.task_id == "T-2":
            return result("complete", "T-2", files={"src/other.py": "pass\n"})
        return delivery(["run:adds"], BAD if order.attempt == 1 else GOOD)

    watcher = Watcher()
    report = asyncio.run(run(workspace, agent, watcher=watcher, parallel=2))
    assert report.outcome == "success"
    assert [rejected.error_code for _, rejected in report.rejections] == ["CHECK_FAILED"]
    assert contexts[0]["policy"]["run_checks"]["run:adds"][0] == PYTHON
    settled = [(order.task_id, order.action, receipt.rejected is None) for order, receipt in watcher.receipts]
    # While the command of T-1 ran, T-2 was finished.
    assert settled.index(("T-2", "complete", True)) < settled.index(("T-1", "complete", False))
    retry = next(one for one in contexts if one["ask"]["action"] == "complete" and one["ask"]["attempt"] == 2)
    assert "AssertionError" in json.dumps(retry["last_rejection"])
    assert_sound(workspace.root)


def test_submission_inside_of_a_loop_is_checked_too(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", commands(adds=ADDS))

    async def inside() -> Receipt:
        return complete(workspace, ["run:adds"], BAD)

    rejected = asyncio.run(inside()).rejected
    assert rejected is not None
    assert rejected.error_code == "CHECK_FAILED"


def test_checks_of_a_task_are_run_whatever_its_agent_says(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", commands(adds=ADDS))
    task = workspace.state().task("T-1")
    assert task is not None
    from esaa.protocol.checks import named_commands

    own = msgspec.structs.replace(task, executable_checks=("run:adds", "run:unknown", "make test"))
    assert named_commands(["read it"], own, workspace.rules) == ("adds",)
    assert named_commands(["run:other now", " run:adds"], own, workspace.rules) == ("other", "adds")


def test_nothing_to_run_is_no_staging(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", commands(adds=ADDS))
    for data in (result("complete", "T-1", files=GOOD), result("complete", "T-9"), b"no JSON", result("claim", "T-1")):
        command = Submit(actor="agent-impl", result=parse_result(data, workspace.rules))
        assert staging_of(workspace, command) is None


def test_staging_refuses_what_leads_out_of_the_copy(tmp_path: Path) -> None:
    root, outside = tmp_path / "w", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "src").symlink_to(outside)
    with pytest.raises(AgentError, match="does not lie in the project"):
        stage(root, tmp_path / "tree", {"src/a.py": b"x"}, ())
    assert list(outside.iterdir()) == []


def test_staging_tells_why_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="cannot be copied") as caught:
        stage(tmp_path / "nowhere", tmp_path / "tree", {}, ())
    assert caught.value.code == "CHECKS_NOT_STAGED"


def test_run_of_another_command_does_not_count(tmp_path: Path) -> None:
    workspace = claimed(tmp_path / "w", commands(adds=ADDS))
    data = delivery(["run:adds"])
    forged = CheckRun(
        name="adds",
        arguments=("true",),
        exit_code=0,
        ending="exited",
        duration_ms=1,
        output_sha256=sha256_hex(b""),
        output_bytes=0,
        output_end="",
        sandbox="none",
        staged_seq=1,
        staged_sha256=staged_digest({path: text.encode() for path, text in GOOD.items()}),
    )
    command = Submit(actor="agent-impl", result=parse_result(data, workspace.rules), check_runs=(forged,))
    rejected = workspace.commit(command).rejected
    assert rejected is not None
    assert rejected.error_code == "CHECK_NOT_RUN"
    assert not rejected.counts


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("commands: {tests: []}", "names no program"),
        ('commands: {"Two Words": [make]}', "is not a name"),
        ('commands: {tests: ["a\\0b"]}', "no program can be given"),
        ("commands: {tests: make}", "executable_checks.commands"),
        ("commands: {}\n  timeout: PT0S", "timeout"),
        ("commands: {}\n  output_bytes_max: 0", "output_bytes_max"),
        ("commands: {}\n  linked: [.roadmap]", "linked"),
        ("commands: {}\n  linked: [../other]", "linked"),
    ],
)
def test_contract_that_makes_no_sense_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    edits = {"AGENT_CONTRACT.yaml": [("vague_checks:\n", f"executable_checks:\n  {text}\nvague_checks:\n")]}
    with pytest.raises(ContractError, match=r"AGENT_CONTRACT\.yaml") as caught:
        make_workspace(tmp_path / "w", edits=edits)
    assert complaint in caught.value.message
