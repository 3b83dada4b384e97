"""Sandboxes for real: forbidden writes, reads and connections are tried from inside, and judged from outside."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from esaa.agents.base import Dispatch
from esaa.agents.command import CommandAgent
from esaa.agents.process import Finished, Program, run_program
from esaa.agents.sandbox.base import PYTHON, Confinement, make_private
from esaa.agents.sandbox.canary import fire
from esaa.agents.sandbox.choose import choose, lacking, make_sandbox
from esaa.agents.sandbox.control_groups import ControlGroups
from esaa.agents.sandbox.enclosure import Enclosure, remove_tree
from esaa.agents.sandbox.launcher import CANNOT_CONFINE, CANNOT_START, landlock_abi
from esaa.contracts.sandbox import ProcessLimits, SandboxLevel, SandboxPolicy
from esaa.contracts.values import ContractFinding
from esaa.errors import AgentUnavailable
from esaa.protocol.scheduling import Order

PATIENCE_S = 30.0
SECRET = "a1b2c3-very-secret"


def need_level(level: SandboxLevel, need_tool: Callable[[str], str]) -> None:
    """Skips where the kernel lacks the thing; bwrap itself must be there in CI."""
    if level == "bubblewrap":
        need_tool("bwrap")
    reason = lacking().get(level)
    if reason is not None:
        pytest.skip(f"no {level} on this machine: {reason}")


@pytest.fixture(params=["bubblewrap", "landlock"])
def level(request: pytest.FixtureRequest, need_tool: Callable[[str], str]) -> SandboxLevel:
    """Both levels that confine, each where the machine has it."""
    chosen: SandboxLevel = request.param
    need_level(chosen, need_tool)
    return chosen


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace's folder with everything in it that must not be seen, and what may be seen."""
    root = tmp_path / "project"
    for name, text in {
        "src/a.py": "the source",
        ".git/objects/ab": SECRET,
        ".roadmap/activity.jsonl": SECRET,
        ".roadmap/blobs/ab": SECRET,
        ".roadmap/events/global.jsonl": SECRET,
        ".roadmap/.esaa/state.snapshot": SECRET,
        ".roadmap/anchor.key": SECRET,
        ".roadmap/roadmap.json": "the roadmap",
        ".roadmap/AGENT_CONTRACT.yaml": "the contract",
        "../config/state.key": SECRET,
        "../home/notes": SECRET,
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def enclosure(root: Path, level: SandboxLevel, **more: Any) -> Enclosure:
    return Enclosure(sandbox=make_sandbox(level), root=root, hidden=(root.parent / "config",), **more)


def inside(within: Enclosure, text: str, *arguments: str, timeout_s: float = PATIENCE_S, **more: Any) -> Finished:
    """A Python program in the sandbox."""
    with within.opened() as cell:
        program = cell.program([str(PYTHON), "-I", "-S", "-c", textwrap.dedent(text), *arguments], **more)
        return asyncio.run(run_program(program, b"", timeout_s=timeout_s, output_bytes_max=1_000_000))


def tried(within: Enclosure, *expressions: str) -> list[str]:
    """What each expression gave inside, or the name of the error."""
    text = """
    import json, os, socket, sys
    said = []
    for one in sys.argv[1:]:
        try:
            said.append(str(eval(one)))
        except Exception as error:
            said.append(type(error).__name__)
    print(json.dumps(said))
    """
    ended = inside(within, text, *expressions)
    assert ended.code == 0, ended.complaint
    said: list[str] = json.loads(ended.output)
    return said


def test_what_may_be_seen_is_seen_and_nothing_else(root: Path, level: SandboxLevel) -> None:
    seen = ("src/a.py", ".roadmap/roadmap.json", ".roadmap/AGENT_CONTRACT.yaml")
    unseen = (
        ".git/objects/ab",
        ".roadmap/activity.jsonl",
        ".roadmap/blobs/ab",
        ".roadmap/events/global.jsonl",
        ".roadmap/.esaa/state.snapshot",
        ".roadmap/anchor.key",
        "../config/state.key",
        "../home/notes",
    )
    said = tried(enclosure(root, level), *(f"open({str(root / name)!r}).read()" for name in (*seen, *unseen)))
    assert said[: len(seen)] == ["the source", "the roadmap", "the contract"]
    assert {*said[len(seen) :]} <= {"FileNotFoundError", "PermissionError"}


def test_nothing_that_lies_there_can_be_changed(root: Path, level: SandboxLevel) -> None:
    source, moved = str(root / "src/a.py"), str(root / "src/b.py")
    outside = str(root.parent / "home" / "notes")
    before = {path: path.read_bytes() for path in root.parent.rglob("*") if path.is_file()}
    said = tried(
        enclosure(root, level),
        f"open({source!r}, 'w')",
        f"open({moved!r}, 'w')",
        f"os.truncate({source!r}, 0)",
        f"os.unlink({source!r})",
        f"os.rename({source!r}, {moved!r})",
        f"os.rename({source!r}, os.environ['TMPDIR'] + '/b')",
        f"os.link({source!r}, {moved!r})",
        f"os.symlink('x', {moved!r})",
        f"os.mkdir({moved!r})",
        f"open({outside!r}, 'w')",
        f"os.truncate({outside!r}, 0)",
        f"open({str(root / '.roadmap' / 'activity.jsonl')!r}, 'a')",
        f"os.open({source!r}, os.O_RDONLY | os.O_TRUNC)",
    )
    assert {*said} <= {"FileNotFoundError", "PermissionError", "OSError"}, said
    assert {path: path.read_bytes() for path in root.parent.rglob("*") if path.is_file()} == before


def test_links_lead_to_nothing_that_is_hidden(root: Path, level: SandboxLevel) -> None:
    (root / "src" / "log").symlink_to("../.roadmap/activity.jsonl")
    (root / "src" / "key").symlink_to(root.parent / "config" / "state.key")
    (root / "config").symlink_to(root.parent / "config")
    within = enclosure(root, level, readable=(root / "config",))
    paths = ("src/log", "src/key", "config/state.key")
    said = tried(within, *(f"open({str(root / name)!r}).read()" for name in paths))
    assert {*said} <= {"FileNotFoundError", "PermissionError"}


def test_hidden_beats_what_is_granted(root: Path, level: SandboxLevel) -> None:
    home, config = root.parent, root.parent / "config"
    (home / "shared").write_text("shared")
    within = enclosure(root, level, readable=(home, config / "state.key"))
    said = tried(within, f"open({str(home / 'shared')!r}).read()", f"open({str(config / 'state.key')!r}).read()")
    assert said[0] == "shared"
    assert said[1] in ("FileNotFoundError", "PermissionError", "")


def test_private_folder_is_its_home_and_goes_away(root: Path, level: SandboxLevel) -> None:
    text = """
    import os, tempfile
    os.makedirs(os.environ["HOME"] + "/.config/deep")
    os.chmod(os.environ["HOME"] + "/.config", 0)
    os.symlink("/", os.environ["TMPDIR"] + "/everything")
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"x")
    print(os.environ["HOME"], os.getcwd())
    """
    ended = inside(enclosure(root, level), text)
    assert ended.code == 0, ended.complaint
    home, directory = ended.output.decode().split()
    assert directory == str(root)
    assert not Path(home).exists()
    assert not Path(home).parent.exists()


def test_writable_folder_is_written_for_real(root: Path, tmp_path: Path, level: SandboxLevel) -> None:
    tree = tmp_path / "tree"
    (tree / "old").mkdir(parents=True)
    ended = inside(
        enclosure(root, level),
        "import os; os.rename('old', 'new'); open('new/file', 'w').write('mine'); os.mkdir('more')",
        directory=tree,
        writable=(tree,),
        sees_project=False,
    )
    assert ended.code == 0, ended.complaint
    assert (tree / "new" / "file").read_text() == "mine"
    assert not (tree / "old").exists()


def test_project_is_not_there_where_it_is_not_asked_for(root: Path, tmp_path: Path, level: SandboxLevel) -> None:
    text = f"open({str(root / 'src' / 'a.py')!r})"
    assert inside(enclosure(root, level), text, directory=tmp_path / "project" / "src").code == 0
    work = tmp_path / "work"
    work.mkdir()
    ended = inside(enclosure(root, level), text, directory=work, writable=(work,), sees_project=False)
    assert b"FileNotFoundError" in ended.complaint or b"PermissionError" in ended.complaint


def test_environment_is_what_was_granted(root: Path, level: SandboxLevel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESAA_STATE_KEY", SECRET)
    monkeypatch.setenv("VENDOR_KEY", "granted")
    within = enclosure(root, level, variables=("VENDOR_KEY", "NOT_SET"))
    pid = os.getpid()
    said = tried(
        within,
        "os.environ.get('VENDOR_KEY')",
        "sorted(os.environ)",
        f"open('/proc/{pid}/environ').read()",
        f"open('/proc/{pid}/mem', 'rb').read(1)",
        f"os.readlink('/proc/{pid}/fd/0')",
    )
    assert said[0] == "granted"
    assert "ESAA_STATE_KEY" not in said[1]
    assert "NOT_SET" not in said[1]
    assert {*said[2:]} <= {"FileNotFoundError", "PermissionError"}


def test_network_is_refused_unless_it_is_granted(root: Path, level: SandboxLevel) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        datagrams.setblocking(False)
        tcp = f"socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), 5).send(b'x')"
        udp = (
            "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
            f".sendto(b'x', ('127.0.0.1', {datagrams.getsockname()[1]}))"
        )
        tried(enclosure(root, level), tcp, udp)
        with pytest.raises(BlockingIOError):
            listener.accept()
        with pytest.raises(BlockingIOError):
            datagrams.recv(1)
        assert tried(enclosure(root, level, is_networked=True), tcp, udp) == ["1", "1"]
        listener.accept()[0].close()
        assert datagrams.recv(1) == b"x"


@pytest.mark.parametrize("is_networked", [False, True])
def test_sockets_of_services_are_out_of_reach(root: Path, level: SandboxLevel, is_networked: bool) -> None:
    # Such as a container daemon's: who reaches it can do anything.
    path = root / "src" / "service.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as abstract:
        listener.bind(os.path.relpath(path))
        listener.listen()
        listener.setblocking(False)
        name = f"\0esaa-test-{os.getpid()}-{time.monotonic_ns()}"
        abstract.bind(name)
        abstract.listen()
        abstract.setblocking(False)
        within = enclosure(root, level, is_networked=is_networked)
        tried(within, f"socket.socket(socket.AF_UNIX).connect({name!r})")
        if level == "landlock" or not is_networked or landlock_abi() >= 6:
            with pytest.raises(BlockingIOError):
                abstract.accept()
        if level == "landlock":
            tried(within, "os.chdir('src') or socket.socket(socket.AF_UNIX).connect('service.sock')")
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_other_processes_are_out_of_reach(root: Path, level: SandboxLevel) -> None:
    if level == "landlock" and landlock_abi() < 6:
        pytest.skip(f"Landlock {landlock_abi()} does not keep signals in; 6 does (Linux 6.12)")
    assert tried(enclosure(root, level), f"os.kill({os.getpid()}, 0)")[0] in ("PermissionError", "ProcessLookupError")


def test_rights_do_not_come_back(root: Path, level: SandboxLevel) -> None:
    status = tried(enclosure(root, level), "open('/proc/self/status').read()")[0]
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"


@pytest.mark.parametrize("level", ["bubblewrap", "landlock", "none"])
def test_limits_hold(root: Path, level: SandboxLevel, need_tool: Callable[[str], str]) -> None:
    need_level(level, need_tool)
    limits = ProcessLimits(memory_mb=200, file_mb=1)
    within = enclosure(root, level, limits=limits)
    assert tried(within, "len(bytearray(400_000_000))") == ["MemoryError"]
    ended = inside(within, "import os; open(os.environ['TMPDIR'] + '/big', 'wb').write(b'x' * 2_000_000)")
    assert ended.code != 0


def test_processes_without_end_have_an_end(root: Path, level: SandboxLevel) -> None:
    groups = ControlGroups.make(ProcessLimits())
    has_groups = any("pids" in str(path) or (path.parent / "pids.max").exists() for path in groups.entrances)
    groups.end()
    if os.geteuid() == 0 and not has_groups:
        pytest.skip("root has no limit of processes without control groups")
    text = """
    import os, time
    for count in range(200):
        try:
            if os.fork() == 0:
                time.sleep(600)
        except OSError:
            break
    print(count, flush=True)
    os._exit(0)
    """
    ended = inside(enclosure(root, level, limits=ProcessLimits(processes=40)), text)
    assert 0 < int(ended.output) < 60


def test_what_left_the_group_is_ended_with_the_program(root: Path, level: SandboxLevel) -> None:
    mark = f"esaa-left-{os.getpid()}-{time.monotonic_ns()}"
    text = """
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.environ.clear()
            os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]], {})
        os._exit(0)
    time.sleep(float(sys.argv[2]))
    """
    if level == "landlock" and not has_control_groups():
        pytest.skip("what leaves its group and its environment is only found in a control group")
    begin = time.monotonic()
    inside(enclosure(root, level), text, mark, "0.5")
    ended = inside(enclosure(root, level), text, mark, "600", timeout_s=1.5)
    assert ended.ending == "timed_out"
    assert time.monotonic() - begin < PATIENCE_S
    until = time.monotonic() + PATIENCE_S
    while running_with(mark):
        assert time.monotonic() < until, "it lives on"
        time.sleep(0.02)


def has_control_groups() -> bool:
    """Whether this machine gives control groups to who runs the tests."""
    groups = ControlGroups.make(ProcessLimits())
    groups.end()
    return bool(groups.entrances)


def running_with(mark: str) -> list[str]:
    """The processes whose command line names the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in line and entry.name != str(os.getpid()):
                found.append(entry.name)
    return found


@pytest.mark.parametrize("level", ["bubblewrap", "landlock", "none"])
def test_program_ends_with_who_started_it(root: Path, level: SandboxLevel, need_tool: Callable[[str], str]) -> None:
    need_level(level, need_tool)
    mark = f"esaa-orphan-{os.getpid()}-{time.monotonic_ns()}"
    launch = make_sandbox(level).launch(
        [str(PYTHON), "-c", "import time; print('begun', flush=True); time.sleep(600)", mark],
        Confinement(directory=root, private=make_private(root.parent / "private"), project=root),
    )
    starter = (
        "import json, subprocess, sys; arguments, environment = json.loads(sys.argv[1]);"
        "subprocess.run(arguments, env=environment, start_new_session=True)"
    )
    given = json.dumps([launch.arguments, dict(launch.environment)])
    with subprocess.Popen([sys.executable, "-c", starter, given], stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.kill()
        process.wait()
        until = time.monotonic() + PATIENCE_S
        while running_with(mark):
            assert time.monotonic() < until, "it lives on"
            time.sleep(0.02)


def test_errors_of_a_program_are_its_own(root: Path, level: SandboxLevel) -> None:
    within = enclosure(root, level)
    assert inside(within, "import sys; sys.exit(3)").code == 3
    ended = inside(within, "import os; os.write(1, b'out'); os.write(2, b'err')", is_merged=True)
    assert ended.output == b"outerr"
    with within.opened() as cell:
        program = cell.program(["/no/such/program"])
        ended = asyncio.run(run_program(program, b"", timeout_s=PATIENCE_S, output_bytes_max=1000))
    assert ended.code == CANNOT_START
    assert "/no/such/program cannot be started" in ended.last_words


def test_nothing_runs_where_it_cannot_be_confined(root: Path, need_tool: Callable[[str], str]) -> None:
    need_level("landlock", need_tool)
    private = make_private(root.parent / "private")
    launch = make_sandbox("landlock").launch(
        ["/bin/sh", "-c", "echo ran"],
        Confinement(directory=root, private=private, control_groups=(root / "no" / "such" / "group",)),
    )
    program = Program(arguments=launch.arguments, directory=launch.directory, environment=launch.environment)
    ended = asyncio.run(run_program(program, b"", timeout_s=PATIENCE_S, output_bytes_max=1000))
    assert (ended.code, ended.output) == (CANNOT_CONFINE, b"")
    assert "cannot confine" in ended.last_words


def test_programs_of_other_places_bring_what_they_need(root: Path, tmp_path: Path, level: SandboxLevel) -> None:
    modules = tmp_path / "npm" / "lib" / "node_modules"
    (modules / "tool").mkdir(parents=True)
    (modules / "library").mkdir()
    (modules / "library" / "part").write_text("a part")
    script = modules / "tool" / "cli"
    script.write_text(f"#!/bin/sh\ncat {modules}/library/part; beside\n")
    script.chmod(0o755)
    commands = tmp_path / "npm" / "bin"
    commands.mkdir()
    (commands / "tool").symlink_to(script)
    (commands / "beside").write_text("#!/bin/sh\necho ' beside'\n")
    (commands / "beside").chmod(0o755)
    given = tmp_path / "given.txt"
    given.write_text("given")
    within = enclosure(root, level)
    with within.opened() as cell:
        path = {"PATH": f"{commands}:/usr/bin:/bin"}
        program = cell.program(["tool", str(given)], environment=path)
        ended = asyncio.run(run_program(program, b"", timeout_s=PATIENCE_S, output_bytes_max=1000))
        assert ended.output == b"a part beside\n", ended.complaint
        program = cell.program(["cat", str(given)], environment=path)
        ended = asyncio.run(run_program(program, b"", timeout_s=PATIENCE_S, output_bytes_max=1000))
        assert ended.output == b"given"


def test_canary_proves_the_sandbox(root: Path, level: SandboxLevel) -> None:
    before = sorted(root.parent.rglob("*"))
    for is_networked in (False, True):
        trials = fire(enclosure(root, level, is_networked=is_networked), root.parent / "config")
        assert [one for one in trials if not one.is_well] == []
        assert sum(one.wanted == "stopped" for one in trials) >= 8
    assert sorted(root.parent.rglob("*")) == before
    assert "ESAA_CANARY" not in os.environ


def test_canary_does_not_see_the_project_of_who_works_in_a_copy(root: Path, level: SandboxLevel) -> None:
    trials = fire(enclosure(root, level), root.parent / "config", sees_project=False)
    assert {one.attempt: one.is_well for one in trials}["read the project itself"]
    assert [one for one in trials if not one.is_well] == []


def test_canary_leaves_nothing_behind_where_nothing_was(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    fire(enclosure(tmp_path / "new", "none"), tmp_path / "config")
    assert [path.name for path in tmp_path.rglob("*")] == ["new"]


def test_command_agent_is_confined_where_it_has_an_enclosure(root: Path, level: SandboxLevel) -> None:
    (root / "agent.py").write_text(
        "import sys\n"
        "said = [sys.stdin.read(), open('src/a.py').read()]\n"
        "for path in ('.roadmap/activity.jsonl', '../config/state.key'):\n"
        "    try:\n"
        "        said.append(open(path).read())\n"
        "    except OSError:\n"
        "        said.append('stopped')\n"
        "print(said)\n"
    )
    agent = CommandAgent(f"{PYTHON} -I agent.py", root, 10_000, enclosure(root, level))
    order = Order(task_id="T-1", action="complete", actor="agent-impl", attempt=1, template="impl.core")
    answer = asyncio.run(agent.answer(Dispatch(order=order, context=b"the context", timeout_s=PATIENCE_S)))
    assert answer.result == b"['the context', 'the source', 'stopped', 'stopped']\n"
    assert answer.usage.sandbox == level


def test_canary_tells_what_is_open(root: Path) -> None:
    trials = {one.attempt: one for one in fire(enclosure(root, "none"), root.parent / "config")}
    assert not trials["write into the project"].is_well
    assert not trials["read a key of the user"].is_well
    assert not trials["reach a local port"].is_well
    assert trials["read a file of the project"].is_well
    assert trials["read a key of the user"].detail == "it was done"
    assert not list(root.glob("canary*"))


@pytest.mark.parametrize(
    ("level", "required", "lacks", "chosen"),
    [
        ("best", "none", {}, "bubblewrap"),
        ("best", "none", {"bubblewrap": "gone"}, "landlock"),
        ("best", "none", {"bubblewrap": "gone", "landlock": "old"}, "none"),
        ("best", "landlock", {"bubblewrap": "gone"}, "landlock"),
        ("best", "landlock", {"bubblewrap": "gone", "landlock": "old"}, None),
        ("best", "bubblewrap", {"bubblewrap": "gone"}, None),
        ("bubblewrap", "none", {"bubblewrap": "gone"}, None),
        ("landlock", "none", {"bubblewrap": "gone"}, "landlock"),
        ("none", "none", {"bubblewrap": "gone", "landlock": "old"}, "none"),
    ],
)
def test_less_than_the_policy_demands_is_refused(level: Any, required: Any, lacks: Any, chosen: str | None) -> None:
    policy = SandboxPolicy(level=level, required=required, readable=("/srv/tools", "/opt/more"))
    policy.check()
    if chosen is not None:
        assert choose(policy, lacks).level == chosen
        return
    with pytest.raises(AgentUnavailable, match="gone") as caught:
        choose(policy, lacks)
    assert caught.value.code == "SANDBOX_UNAVAILABLE"
    assert caught.value.exit_code == 9


@pytest.mark.parametrize(
    "policy",
    [
        SandboxPolicy(level="none", required="landlock"),
        SandboxPolicy(level="landlock", required="bubblewrap"),
        SandboxPolicy(readable=("relative",)),
        SandboxPolicy(readable=("/",)),
        SandboxPolicy(readable=("/home/../etc",)),
        SandboxPolicy(limits=ProcessLimits(processes=0)),
        SandboxPolicy(limits=ProcessLimits(cpu=timedelta(0))),
    ],
)
def test_policy_that_makes_no_sense_is_refused(policy: SandboxPolicy) -> None:
    with pytest.raises(ContractFinding, match="sandbox"):
        policy.check()


def test_launcher_needs_the_standard_library_alone() -> None:
    launcher = Path(make_sandbox("none").__class__.__module__.replace(".", "/"))
    text = (Path(__file__).parents[2] / "src" / launcher.parent / "launcher.py").read_text()
    imports = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imports - {"__future__"} <= sys.stdlib_module_names


def test_tree_is_removed_whatever_its_rights(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    (folder / "closed" / "deep").mkdir(parents=True)
    (folder / "closed" / "deep" / "file").write_text("x")
    (folder / "link").symlink_to(tmp_path)
    (folder / "closed" / "deep").chmod(0)
    (folder / "closed").chmod(0)
    remove_tree(folder)
    assert list(tmp_path.iterdir()) == []
