"""What a command imports: the fast path nothing, a reader no more than it needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.workbench import Workbench

VERSION_NEEDS = {"esaa", "esaa.__main__", "esaa.version"}
"""Of our own and of others' packages, `esaa --version` may load these; of the standard library nothing that is slow."""

SLOW = {
    "argparse",
    "asyncio",
    "concurrent.futures",
    "cryptography",
    "ctypes",
    "dataclasses",
    "decimal",
    "email",
    "http",
    "importlib.metadata",
    "importlib.resources",
    "inspect",
    "json",
    "logging",
    "multiprocessing",
    "pathlib",
    "platform",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "tomllib",
    "unittest",
    "urllib",
    "xml",
}

PROBE = """
import atexit, json, runpy, sys
before = set(sys.modules)
atexit.register(lambda: print(json.dumps(sorted(set(sys.modules) - before)), file=sys.__stderr__))
sys.argv = ["esaa", *sys.argv[1:]]
runpy.run_module("esaa", run_name="__main__", alter_sys=True)
"""


def imported(esaa: Workbench, *arguments: str) -> set[str]:
    """The modules that a command line loads, in a process of its own, beyond those of an idle Python."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=esaa.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modules: list[str] = json.loads(done.stderr.splitlines()[-1])
    return set(modules)


def is_standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def test_version_loads_nothing() -> None:
    """By `-X importtime`, as a user would look for what is slow."""
    line = [sys.executable, "-X", "importtime", "-m", "esaa", "--version"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "esaa 0.1.0\n"
    names = {row.rpartition("|")[2].strip() for row in done.stderr.splitlines() if row.startswith("import time:")}
    idle = subprocess.run([*line[:3], "-c", "import runpy"], capture_output=True, text=True, timeout=60, check=True)
    idle_names = {row.rpartition("|")[2].strip() for row in idle.stderr.splitlines()}
    mine = names - idle_names - {"imported package"}
    assert {name for name in mine if not is_standard(name)} <= VERSION_NEEDS
    assert not mine & SLOW, mine & SLOW


@pytest.mark.parametrize(
    ("line", "absent"),
    [
        (["status"], {"asyncio", "rich", "esaa.cli.run", "esaa.agents"}),
        (
            ["log"],
            {
                "asyncio",
                "rich",
                "jsonschema_rs",
                "yaml",
                "esaa.cli.run",
                "esaa.agents",
                "esaa.runtime.verification.verify",
            },
        ),
        (["show", "1"], {"asyncio", "rich", "jsonschema_rs", "yaml", "esaa.agents"}),
        (["task", "list"], {"asyncio", "rich", "esaa.agents"}),
        (["--help"], {"asyncio", "rich", "jsonschema_rs", "esaa.agents"}),
        (
            ["claim", "T-1", "--actor", "agent-spec"],
            {"asyncio", "rich", "esaa.agents", "esaa.runtime.orchestrator", "esaa.cli.progress"},
        ),
        (["verify"], {"rich", "esaa.agents", "esaa.runtime.orchestrator"}),
        (["run", "--dry-run"], {"rich"}),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_command_does_not_load(planned: Workbench, line: list[str], absent: set[str]) -> None:
    found = imported(planned, *line)
    assert not found & absent, sorted(found & absent)
    others = {name.partition(".")[0] for name in found if not is_standard(name)}
    allowed = {"esaa", "click", "msgspec", "typing_extensions", "yaml", "_yaml", "jsonschema_rs", "cython_runtime"}
    if line[0] in {"claim", "verify"}:
        # A claim is followed by a signed checkpoint, and a verification by the check of its signature.
        assert "cryptography" in others
        allowed |= {"cryptography", "_cffi_backend", "_openssl"}
    assert {name for name in others if not name.startswith("_cython")} <= allowed, others - allowed


@pytest.mark.parametrize("line", [["claim", "T-1", "--actor", "agent-spec"], ["verify"]], ids=["claim", "verify"])
def test_without_a_name_for_the_log_nothing_that_signs_is_loaded(planned: Workbench, line: list[str]) -> None:
    planned.unsign()
    (planned.roadmap / "origin").unlink()
    found = imported(planned, *line)
    assert not {name for name in found if name.startswith(("cryptography", "esaa.runtime.trust.log_checkpoints"))}
