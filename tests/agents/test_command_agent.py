"""Real programs as agents: good and bad answers, and everything that must not hold up or outlive a run."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from esaa.agents.base import Dispatch
from esaa.agents.command import CommandAgent
from esaa.errors import AgentCrashed, AgentError, AgentTimedOut
from esaa.protocol.scheduling import Order

ORDER = Order(task_id="T-1", action="complete", actor="agent-impl", attempt=1, template="impl.core")
LIMIT = 100_000
PATIENCE_S = 20.0
"""What a test waits at most for what should come at once."""


def dispatch(context: bytes = b'{"ask":{}}', timeout_s: float = PATIENCE_S) -> Dispatch:
    return Dispatch(order=ORDER, context=context, timeout_s=timeout_s)


def program(folder: Path, text: str) -> CommandAgent:
    path = folder / "agent.py"
    path.write_text(textwrap.dedent(text))
    return CommandAgent(f"{sys.executable} {path} an 'argument with spaces'", folder, LIMIT)


def ask(agent: CommandAgent, question: Dispatch | None = None) -> bytes:
    return asyncio.run(agent.answer(question or dispatch())).result


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed child of a process that is gone may stay a zombie until init reaps it.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def pid_in(path: Path) -> int:
    until = time.monotonic() + PATIENCE_S
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < until, f"{path.name} was not written"
        time.sleep(0.01)
    return int(path.read_text())


def assert_dies(pid: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        assert time.monotonic() < until, f"process {pid} lives on"
        time.sleep(0.01)


def test_program_gets_context_arguments_and_folder_and_its_output_is_the_answer(tmp_path: Path) -> None:
    agent = program(
        tmp_path,
        """
        import json, os, sys
        print("thinking aloud", file=sys.stderr)
        print(json.dumps([json.load(sys.stdin), sys.argv[1:], os.getcwd()]), end="")
        """,
    )
    answer = ask(agent, dispatch(b'{"task":"T-1"}'))
    assert answer == f'[{{"task": "T-1"}}, ["an", "argument with spaces"], "{tmp_path}"]'.encode()


def test_large_context_and_large_answer_pass_each_other(tmp_path: Path) -> None:
    agent = program(
        tmp_path,
        """
        import sys
        sys.stderr.write("e" * 300_000)
        sys.stdout.write("x" * 90_000)
        sys.stdout.flush()
        sys.stdout.write(str(len(sys.stdin.read())))
        """,
    )
    assert ask(agent, dispatch(b"c" * 3_000_000)) == b"x" * 90_000 + b"3000000"


@pytest.mark.parametrize("text", ["Sure! Here is the JSON you asked for.", "", "\\xff\\x00"])
def test_whatever_is_printed_with_exit_code_0_is_handed_on(tmp_path: Path, text: str) -> None:
    agent = program(tmp_path, f'import os; os.write(1, b"{text}")')
    assert ask(agent) == text.encode().decode("unicode_escape").encode("latin-1")


def test_program_that_reads_nothing_may_answer_all_the_same(tmp_path: Path) -> None:
    agent = program(tmp_path, 'print("{}")')
    assert ask(agent, dispatch(b"c" * 3_000_000)) == b"{}\n"
    agent = program(tmp_path, 'import os; os.close(0); print("{}")')
    assert ask(agent, dispatch(b"c" * 3_000_000)) == b"{}\n"


def test_exit_code_and_last_words_are_told(tmp_path: Path) -> None:
    agent = program(
        tmp_path, 'import sys; print("first\\n" * 5000 + "no key", file=sys.stderr); print("{}"); sys.exit(3)'
    )
    with pytest.raises(AgentCrashed, match=r"exit code 3: no key"):
        ask(agent)
    agent = program(tmp_path, "import sys; sys.exit(1)")
    with pytest.raises(AgentCrashed, match=r"exit code 1: it said nothing"):
        ask(agent)


def test_death_by_a_signal_is_a_crash(tmp_path: Path) -> None:
    agent = program(tmp_path, "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(AgentCrashed, match=r"exit code -9"):
        ask(agent)


def test_missing_program_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="'no-such-program' cannot be started: No such file") as caught:
        ask(CommandAgent("no-such-program --flag", tmp_path, LIMIT))
    assert caught.value.exit_code == 9
    assert not isinstance(caught.value, AgentCrashed | AgentTimedOut)
    (tmp_path / "text").write_text("no program")
    with pytest.raises(AgentError, match="Permission denied"):
        ask(CommandAgent(str(tmp_path / "text"), tmp_path, LIMIT))


@pytest.mark.parametrize("command", ["", "   ", "program 'half a quote"])
def test_command_that_names_no_program_is_refused_at_once(tmp_path: Path, command: str) -> None:
    with pytest.raises(AgentError) as caught:
        CommandAgent(command, tmp_path, LIMIT)
    assert caught.value.code == "COMMAND_INVALID"


def test_output_without_end_is_cut_off_at_the_cap(tmp_path: Path) -> None:
    agent = program(
        tmp_path,
        """
        import os
        from pathlib import Path
        Path("pid").write_text(f"{os.getpid()}\\n")
        while True:
            os.write(1, b"x" * 65536)
        """,
    )
    begin = time.monotonic()
    with pytest.raises(AgentCrashed) as caught:
        ask(agent, dispatch(timeout_s=60))
    assert caught.value.code == "OUTPUT_TOO_LARGE"
    assert time.monotonic() - begin < PATIENCE_S
    assert_dies(pid_in(tmp_path / "pid"))


@pytest.mark.parametrize(("size", "is_too_large"), [(LIMIT, False), (LIMIT + 1, True)])
def test_cap_is_exact(tmp_path: Path, size: int, is_too_large: bool) -> None:
    agent = program(tmp_path, f'import sys; sys.stdout.write("x" * {size})')
    if is_too_large:
        with pytest.raises(AgentCrashed):
            ask(agent)
    else:
        assert len(ask(agent)) == size


def test_complaints_without_end_do_not_fill_the_memory_or_hold_up_the_answer(tmp_path: Path) -> None:
    agent = program(
        tmp_path,
        """
        import os
        for _ in range(500):
            os.write(2, b"e" * 65536)
        print("{}")
        """,
    )
    assert ask(agent) == b"{}\n"


FAMILY = """
import os, subprocess, sys, time
from pathlib import Path
child = "import os, time; from pathlib import Path; "
child += "Path('{name}').write_text(str(os.getpid()) + chr(10)); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child]{options})
while not Path("{name}").exists():
    time.sleep(0.01)
"""


def test_time_limit_ends_the_program_with_its_children(tmp_path: Path) -> None:
    agent = program(tmp_path, FAMILY.format(name="child", options="") + "time.sleep(600)\n")

    async def until_the_child_lives() -> None:
        with pytest.raises(AgentTimedOut) as caught:
            await agent.answer(dispatch(timeout_s=2))
        assert caught.value.exit_code == 9
        assert "2 s" in caught.value.message

    asyncio.run(until_the_child_lives())
    assert_dies(pid_in(tmp_path / "child"))


def test_program_that_ignores_polite_signals_is_ended_all_the_same(tmp_path: Path) -> None:
    agent = program(
        tmp_path,
        """
        import os, signal, time
        from pathlib import Path
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        Path("pid").write_text(f"{os.getpid()}\\n")
        time.sleep(600)
        """,
    )
    with pytest.raises(AgentTimedOut):
        ask(agent, dispatch(timeout_s=1))
    assert_dies(pid_in(tmp_path / "pid"))


def test_child_that_is_left_behind_does_not_hold_up_the_answer_and_is_ended(tmp_path: Path) -> None:
    agent = program(tmp_path, FAMILY.format(name="child", options="") + 'print("{}")\n')
    begin = time.monotonic()
    assert ask(agent, dispatch(timeout_s=60)) == b"{}\n"
    assert time.monotonic() - begin < PATIENCE_S
    assert_dies(pid_in(tmp_path / "child"))


@pytest.mark.parametrize("ending", ['print("{}")', "time.sleep(600)"])
def test_child_that_left_the_group_holds_up_neither_the_answer_nor_the_time_limit(tmp_path: Path, ending: str) -> None:
    agent = program(tmp_path, FAMILY.format(name="child", options=", start_new_session=True") + ending + "\n")
    begin = time.monotonic()
    if "print" in ending:
        assert ask(agent, dispatch(timeout_s=60)) == b"{}\n"
    else:
        with pytest.raises(AgentTimedOut):
            ask(agent, dispatch(timeout_s=2))
    assert time.monotonic() - begin < PATIENCE_S
    if Path("/proc/self/environ").exists():
        assert_dies(pid_in(tmp_path / "child"))
    else:
        os.kill(pid_in(tmp_path / "child"), signal.SIGKILL)


def test_end_of_the_run_ends_the_program(tmp_path: Path) -> None:
    agent = program(tmp_path, FAMILY.format(name="child", options="") + "time.sleep(600)\n")

    async def cancel() -> None:
        asking = asyncio.ensure_future(agent.answer(dispatch(timeout_s=60)))
        while not (tmp_path / "child").exists():
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancel())
    assert_dies(pid_in(tmp_path / "child"))


def test_several_programs_answer_at_once(tmp_path: Path) -> None:
    agent = program(
        tmp_path,
        """
        import json, os, sys, time
        from pathlib import Path
        ask = json.load(sys.stdin)
        Path(f"here-{ask}").touch()
        while len(list(Path(".").glob("here-*"))) < 3:
            time.sleep(0.01)
        print(ask)
        """,
    )

    async def all_three() -> list[bytes]:
        answers = await asyncio.gather(*(agent.answer(dispatch(str(n).encode())) for n in range(3)))
        return [one.result for one in answers]

    assert asyncio.run(all_three()) == [b"0\n", b"1\n", b"2\n"]
