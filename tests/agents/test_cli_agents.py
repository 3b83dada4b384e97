"""The adapter around a command line, with programs that stand in for it: good ones, and every way to misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from esaa.agents.base import Answer, Dispatch, Prompt
from esaa.agents.bounds import Bounds
from esaa.agents.clis.agent import CliAgent, CliSettings
from esaa.agents.clis.claude_code import ClaudeCode
from esaa.agents.clis.codex import Codex
from esaa.agents.clis.dialect import Dialect
from esaa.agents.clis.gemini import Gemini
from esaa.agents.resolve import Ground, make_agent
from esaa.agents.sandbox.enclosure import Enclosure
from esaa.agents.sandbox.none import NoSandbox
from esaa.errors import AgentCrashed, AgentTimedOut, AgentUnavailable, ConfigError
from esaa.protocol.scheduling import Order

KEY = "sk-secret-0123456789"
PATIENCE_S = 30.0
RESULT: dict[str, Any] = {"activity_event": {"action": "complete", "task_id": "T-1"}}
SAID = {"type": "result", "subtype": "success", "is_error": False, "structured_output": RESULT, "modelUsage": {}}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, empty again after each test; no key and no login of the person who tests."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for dialect in (ClaudeCode(), Codex(), Gemini()):
        for name in (*dialect.credentials, *dialect.variables):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src/a.py").write_text("a = 1\n")
    return folder


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, version: str = "2.1.330") -> None:
    """Puts a program with these lines on the PATH as `claude`."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    head = f'''#!{sys.executable}
import json, os, subprocess, sys, time
if "--version" in sys.argv:
    print("{version} (Claude Code)")
    sys.exit()
asked = sys.stdin.read()
said = {SAID!r}
'''
    path = folder / "claude"
    path.write_text(head + textwrap.dedent(text))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def dispatch(action: str = "complete", timeout_s: float = PATIENCE_S, outputs: tuple[str, ...] = ()) -> Dispatch:
    prompt = Prompt(template="impl.core", template_version="1", system="Be exact.", user="Do T-1.", sha256="0" * 64)
    return Dispatch(
        order=Order(task_id="T-1", action=action, actor="agent-impl", attempt=1, template="impl.core"),
        context=json.dumps({"task": {"outputs": {"files": outputs}}}).encode(),
        timeout_s=timeout_s,
        prompt=prompt,
        schema=b'{"type":"object"}',
    )


def agent(project: Path, settings: CliSettings | None = None, dialect: Dialect | None = None) -> CliAgent:
    enclosure = Enclosure(sandbox=NoSandbox(), root=project)
    return CliAgent(dialect or ClaudeCode(), enclosure, lambda order: ("src/**",), settings)


def ask(project: Path, question: Dispatch | None = None, settings: CliSettings | None = None) -> Answer:
    return asyncio.run(agent(project, settings).answer(question or dispatch()))


def test_changes_of_the_program_are_proposed_with_its_answer(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path,
        monkeypatch,
        """
        open("src/a.py", "a").write("b = 2\\n")
        open("src/new.py", "w").write("")
        print(json.dumps(said))
        """,
    )
    answer = ask(project, dispatch(outputs=("src/a.py",)))
    updates = json.loads(answer.result)["file_updates"]
    assert [update["path"] for update in updates] == ["src/a.py", "src/new.py"]
    assert updates[1] == {"path": "src/new.py", "content": ""}
    assert answer.remarks == ("The agent changed src/new.py: the task does not declare it as an output.",)
    assert (answer.usage.client, answer.usage.client_version, answer.usage.sandbox) == (
        "claude-code",
        "2.1.330",
        "none",
    )
    assert (project / "src/a.py").read_text() == "a = 1\n"
    assert not (project / "src/new.py").exists()


def test_program_gets_prompt_schema_and_model_and_of_the_environment_only_what_is_its_own(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNRELATED_TOKEN", "unrelated")
    monkeypatch.setenv("WANTED", "wanted")
    install(
        tmp_path,
        monkeypatch,
        """
        told = sys.argv[sys.argv.index("--append-system-prompt-file") + 1]
        said["structured_output"] = [asked, sys.argv[1:], dict(os.environ), os.getcwd(), open(told).read()]
        print(json.dumps(said))
        """,
    )
    settings = CliSettings(model="m-1", tokens_out_max=77, env=("WANTED",))
    user, arguments, environment, directory, system = json.loads(ask(project, settings=settings).result)
    assert user.startswith("Do T-1.")
    assert "private copy" in user
    assert system == "Be exact."
    assert arguments[arguments.index("--model") + 1] == "m-1"
    assert arguments[arguments.index("--json-schema") + 1] == '{"type":"object"}'
    assert arguments[arguments.index("--tools") + 1] == "Read,Glob,Grep,Edit,Write"
    assert environment["WANTED"] == "wanted"
    assert environment["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "77"
    assert "UNRELATED_TOKEN" not in environment
    for name in ("HOME", "CLAUDE_CONFIG_DIR", "TMPDIR"):
        assert environment[name].startswith(str(tmp_path / "scratch"))
    assert directory.startswith(str(tmp_path / "scratch"))


@pytest.mark.parametrize("action", ["claim", "review"])
def test_who_is_asked_to_claim_or_review_has_no_tool_that_writes(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    install(
        tmp_path,
        monkeypatch,
        f"""
        assert "Write" not in sys.argv[sys.argv.index("--tools") + 1]
        open("src/a.py", "w").write("")
        said["structured_output"] = {{"activity_event": {{"action": "{action}", "tasks": None}}}}
        print(json.dumps(said))
        """,
    )
    answer = ask(project, dispatch(action))
    # The answer's schema has nulls for what is absent; the protocol has none.
    assert json.loads(answer.result) == {"activity_event": {"action": action}}
    assert answer.remarks == ("The agent changed src/a.py: its result is no `complete`, so it was dropped.",)


def test_key_that_the_program_prints_gets_no_further(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path,
        monkeypatch,
        """
        open("src/key.py", "w").write(os.environ["ANTHROPIC_API_KEY"])
        said["structured_output"]["activity_event"]["notes"] = os.environ["ANTHROPIC_API_KEY"]
        print(json.dumps(said))
        """,
    )
    answer = ask(project)
    assert KEY.encode() not in answer.result
    assert answer.result.count(b"[ANTHROPIC_API_KEY]") == 2
    install(tmp_path, monkeypatch, 'sys.exit("bad key " + os.environ["ANTHROPIC_API_KEY"])')
    with pytest.raises(AgentCrashed, match=r"exit code 1 and without an answer: bad key \[ANTHROPIC_API_KEY\]"):
        ask(project)


def test_missing_program_names_how_to_get_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AgentUnavailable, match="npm install -g @anthropic-ai/claude-code") as caught:
        ask(project)
    assert (caught.value.code, caught.value.exit_code) == ("AGENT_NOT_INSTALLED", 9)


def test_program_that_is_too_old_is_not_asked(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, 'open("/nowhere/asked", "w")', version="2.0.9")
    with pytest.raises(AgentUnavailable, match=r"2\.0\.9; the oldest that can be asked is 2\.1\.197") as caught:
        ask(project)
    assert caught.value.code == "AGENT_TOO_OLD"


def test_version_that_was_never_tested_is_named(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "print(json.dumps(said))", version="2.1.999")
    assert ask(project).remarks == ("claude-code 2.1.999 was never tested with esaa (tested: 2.1.330).",)


@pytest.mark.parametrize("version", ["", "unknown", "v"])
def test_program_without_a_version_is_not_asked(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    install(tmp_path, monkeypatch, "print(json.dumps(said))", version=version)
    with pytest.raises(AgentUnavailable) as caught:
        ask(project)
    assert caught.value.code == "AGENT_VERSION_UNKNOWN"


def test_refused_key_stops_the_run_and_says_what_to_do(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path,
        monkeypatch,
        """
        print(json.dumps({"type": "result", "is_error": True, "api_error_status": 401, "result": "Failed: 401"}))
        sys.exit(1)
        """,
    )
    with pytest.raises(AgentUnavailable, match=r"Failed: 401.*set ANTHROPIC_API_KEY") as caught:
        ask(project)
    assert caught.value.code == "AGENT_NOT_AUTHORISED"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pass", "exit code 0 and without an answer: it said nothing"),
        ("sys.exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 9)", "exit code -9"),
        ("print('Sure! Here is your JSON.')", "without an answer"),
        ("print(json.dumps(said)[:40])", "without an answer"),
        ('print(json.dumps({"type": "result", "subtype": "error_max_turns"}))', "gave up: error_max_turns"),
    ],
)
def test_program_without_an_answer_costs_an_attempt(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    install(tmp_path, monkeypatch, text)
    with pytest.raises(AgentCrashed, match=message) as caught:
        ask(project)
    assert caught.value.usage is not None


def test_hanging_program_is_ended_with_all_it_started_and_what_it_used_is_told(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path,
        monkeypatch,
        f"""
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        open("{tmp_path}/child", "w").write(str(child.pid))
        usage = {{"input_tokens": 5, "output_tokens": 3}}
        print(json.dumps({{"type": "assistant", "message": {{"id": "a", "usage": usage}}}}), flush=True)
        time.sleep(600)
        """,
    )
    begin = time.monotonic()
    with pytest.raises(AgentTimedOut, match="no answer within 3 s") as caught:
        ask(project, settings=CliSettings(timeout_s=3))
    assert time.monotonic() - begin < PATIENCE_S
    assert getattr(caught.value.usage, "tokens_in", None) == 5
    if Path("/proc/self/environ").exists():
        assert_gone(int((tmp_path / "child").read_text()))


def test_end_of_the_run_ends_the_program_and_removes_its_tree(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, f'open("{tmp_path}/pid", "w").write(str(os.getpid())); time.sleep(600)')

    async def cancel() -> None:
        asking = asyncio.ensure_future(agent(project).answer(dispatch()))
        until = time.monotonic() + PATIENCE_S
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancel())
    assert_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import shutil; shutil.rmtree(os.getcwd())", "PRIVATE_TREE_LOST"),
        ('open("src/hole", "wb").truncate(1 << 31)', "OUTPUT_TOO_LARGE"),
    ],
)
def test_harm_to_the_tree_is_a_clear_failure(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: str
) -> None:
    install(tmp_path, monkeypatch, text + "\nprint(json.dumps(said))")
    with pytest.raises(AgentCrashed) as caught:
        ask(project)
    assert caught.value.code == code


def test_stream_without_end_is_cut_off(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esaa.agents.clis.agent._STREAM_BYTES_MAX", 100_000)
    install(tmp_path, monkeypatch, "while True: print('x' * 1000)")
    with pytest.raises(AgentCrashed) as caught:
        ask(project)
    assert caught.value.code == "OUTPUT_TOO_LARGE"


def test_sandbox_without_network_is_told_before_anything_is_started(project: Path) -> None:
    class Confined(NoSandbox):
        level = "landlock"  # type: ignore[assignment]

    enclosure = Enclosure(sandbox=Confined(), root=project)
    with pytest.raises(AgentUnavailable, match=r"Add agent-impl to `sandbox\.network`") as caught:
        asyncio.run(CliAgent(ClaudeCode(), enclosure, lambda order: None).answer(dispatch()))
    assert caught.value.code == "NETWORK_NOT_GRANTED"


@pytest.mark.parametrize("dialect", [ClaudeCode(), Codex(), Gemini()], ids=lambda dialect: dialect.name)
def test_login_of_the_person_is_used_where_there_is_no_key(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, dialect: Dialect
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / dialect.program
    version = dialect.versions[-1]
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo {version} && exit\nenv > {tmp_path}/seen\ncat > /dev/null\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(AgentCrashed, match="without an answer"):
        asyncio.run(agent(project, dialect=dialect).answer(dispatch()))
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines() if "=" in line)
    assert seen["HOME"] == str(tmp_path / "person")
    assert not {"CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME"} & set(seen)


def test_adapters_are_made_by_name(project: Path) -> None:
    def bounds_of(order: Order) -> Bounds:
        raise AssertionError("nobody is asked")

    ground = Ground(enclosure_of=lambda: Enclosure(sandbox=NoSandbox(), root=project), bounds_of=bounds_of)
    for name in ("claude-code", "codex", "gemini-cli"):
        assert isinstance(make_agent(name, project, 1, ground=ground), CliAgent)
        with pytest.raises(ConfigError):
            make_agent(f"{name}:argument", project, 1, ground=ground)


def assert_gone(pid: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        assert time.monotonic() < until, f"process {pid} lives on"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
