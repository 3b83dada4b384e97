"""The documentation is true: its commands run, its links lead somewhere, its reference is complete and fresh.

Conventions of the pages. A block marked `console` is a session: each line that begins with `$ ` is run by bash (in one
shell per page, in an empty folder), and what stands below it is its output; times, digests and event numbers may
differ. `...` stands for any text, on a line of its own for any lines; a command without output below it may print what
it likes. A command ends with 0 unless a comment on its line says otherwise: `# exit code 5`. The comment
`<!-- save: NAME -->` before a block puts the block into that file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
import pytest

from esaa import errors
from esaa.cli.app import COMMANDS, cli
from esaa.contracts.agent import AgentContract
from esaa.contracts.orchestrator import OrchestratorContract
from esaa.contracts.parcer import ParcerProfile
from esaa.contracts.runtime import RuntimePolicy
from esaa.contracts.storage import StoragePolicy
from esaa.contracts.swarm import SwarmRegistry
from esaa.protocol.rejections import CODES

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*.md"))]
CONTRACTS = {
    "AGENT_CONTRACT.yaml": AgentContract,
    "ORCHESTRATOR_CONTRACT.yaml": OrchestratorContract,
    "RUNTIME_POLICY.yaml": RuntimePolicy,
    "STORAGE_POLICY.yaml": StoragePolicy,
    "agents_swarm.yaml": SwarmRegistry,
    "PARCER_PROFILE.<profile>.yaml": ParcerProfile,
}

_FENCE = re.compile(r"^(`{3,})(\w*)[^\n]*\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_SAVE = re.compile(r"<!-- save: (\S+) -->\s*\Z")
_EXIT = re.compile(r"# exit code (\d+)\s*\Z")
_VARYING = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\b[0-9a-f]{12,64}\b|(?<=#)\d+|(?<=activity\.jsonl:)\d+|(?<=line )\d+"
    r"|\d+(?= events)|\d+ of \d+(?= verify)"
)


class Step(NamedTuple):
    """A command of a session, what it ends with, and what it is shown to print."""

    command: str
    code: int
    output: list[str]


class Saved(NamedTuple):
    """A file that a page lets its reader write."""

    name: str
    text: str


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Language, text, and what stands before each fenced block."""
    text = page.read_text("utf-8")
    for found in _FENCE.finditer(text):
        yield found.group(2), found.group(3), text[: found.start()]


def steps(page: Path) -> Iterator[Step | Saved]:
    for language, text, before in blocks(page):
        marked = _SAVE.search(before)
        if marked is not None:
            yield Saved(marked.group(1), text)
        elif language == "console":
            yield from session(text)


def session(text: str) -> Iterator[Step]:
    lines = text.splitlines()
    assert lines[0].startswith("$ "), "a session begins with a command"
    at = 0
    while at < len(lines):
        command = lines[at].removeprefix("$ ")
        at += 1
        while at < len(lines) and lines[at].startswith("> "):
            command += "\n" + lines[at].removeprefix("> ")
            at += 1
        output: list[str] = []
        while at < len(lines) and not lines[at].startswith("$ "):
            output.append(lines[at])
            at += 1
        wanted = _EXIT.search(command)
        yield Step(command, int(wanted.group(1)) if wanted else 0, output)


def comparable(line: str) -> str:
    return _VARYING.sub("#", line).rstrip()


def is_shown(shown: list[str], printed: list[str]) -> bool:
    """True when the shown output is the printed one; `...` stands for any lines."""
    if not shown:
        return True
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(comparable(line)).replace(r"\.\.\.", ".*") + r"\n"
        for line in shown
    )
    return re.fullmatch(pattern, "".join(comparable(line) + "\n" for line in printed)) is not None


def script(found: list[Step | Saved], log: Path) -> str:
    """One bash script; each command's output and exit code go to a file of their own."""
    lines = ["exec </dev/null"]
    for number, step in enumerate(found):
        if isinstance(step, Saved):
            name = f"{log}/{number}.saved"
            Path(name).write_text(step.text, "utf-8")
            lines.append(f"mkdir -p $(dirname {step.name}) && cp {name} {step.name}")
        else:
            lines.append(f"{{ {step.command}\n}} >{log}/{number}.out 2>&1; echo $? >{log}/{number}.code")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(isinstance(step, Step) for step in steps(page))], ids=identify
)
def test_sessions_run_as_shown(page: Path, tmp_path: Path) -> None:
    found = list(steps(page))
    work, log = tmp_path / "work", tmp_path / "log"
    work.mkdir()
    log.mkdir()
    if any("examples/calc" in step.command for step in found if isinstance(step, Step)):
        shutil.copytree(ROOT / "examples" / "calc", work / "examples" / "calc")
    if any("tools/verify_standalone.py" in step.command for step in found if isinstance(step, Step)):
        (work / "tools").mkdir()
        shutil.copy(ROOT / "tools" / "verify_standalone.py", work / "tools")
    python = Path(sys.executable).parent
    env = {
        "PATH": f"{tool_folder(tmp_path)}:{python}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "ESAA_CONFIG_DIR": str(tmp_path / "config"),
        "LANG": "C.UTF-8",
    }
    subprocess.run(["bash", "-c", script(found, log)], cwd=work, env=env, check=False, timeout=110)
    wrong: list[str] = []
    for number, step in enumerate(found):
        if isinstance(step, Step):
            assert (log / f"{number}.code").is_file(), f"never came to `{step.command}`"
            printed = (log / f"{number}.out").read_text("utf-8")
            code = int((log / f"{number}.code").read_text())
            if code != step.code or not is_shown(step.output, printed.splitlines()):
                wrong.append(f"$ {step.command}\n{printed}exit code {code}")
    assert wrong == [], "\n\n".join(wrong)


def tool_folder(tmp_path: Path) -> Path:
    """A folder with `esaa` and `python3` as this environment has them, whether its scripts are installed or not."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, arguments in (("esaa", "-m esaa "), ("python3", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_every_command_line_shown_is_run(page: Path) -> None:
    if "docs/reference/cli.md" in str(page):
        return  # its examples are those of the help, each of another moment
    for language, text, before in blocks(page):
        if language != "console" and _SAVE.search(before) is None:
            lines = [line for line in text.splitlines() if re.match(r"\s*(\$ )?esaa ", line)]
            assert lines == [], f"{lines[0]} is shown in a block of `{language}`; make it a console session"


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text("utf-8"))
    for found in re.findall(r"\]\(([^)\s]+)\)|\bsrc(?:set)?=\"([^\"]+)\"", text):
        target = "".join(found)
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        assert goal.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(goal), f"{target} names no heading"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_page_names_nothing_private(page: Path) -> None:
    assert not re.search(r"/(?:work|home|root|tmp)/", page.read_text("utf-8"))


def test_every_page_is_linked() -> None:
    linked: set[Path] = set()
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s#]+)", page.read_text("utf-8")):
            if not re.match(r"[a-z]+:", target):
                linked.add((page.parent / target).resolve())
    lonely = [identify(page) for page in PAGES if page not in linked and page.name != "README.md"]
    assert lonely == []


def test_pictures_are_shown_and_stay_small() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    shown = "".join(page.read_text("utf-8") for page in PAGES)
    assert [one.name for one in pictures if f"docs/pictures/{one.name}" not in shown] == []
    assert 0 < sum(one.stat().st_size for one in pictures) <= 150_000


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_docs.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_make_docs_names_stale_pages(tmp_path: Path) -> None:
    for folder in ("tools", "src"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REFERENCE, tmp_path / "docs" / "reference")
    page = tmp_path / "docs" / "reference" / "cli.md"
    page.write_text(page.read_text("utf-8") + "changed\n", "utf-8")
    tool = [sys.executable, str(tmp_path / "tools" / "make_docs.py")]
    stale = subprocess.run([*tool, "--check"], capture_output=True, text=True, check=False)
    assert stale.returncode == 1
    assert "docs/reference/cli.md" in stale.stdout
    subprocess.run(tool, capture_output=True, check=True)
    assert subprocess.run([*tool, "--check"], capture_output=True, check=False).returncode == 0


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for below in command.commands:
            yield from commands(f"{name} {below}", command.commands[below])
    else:
        yield name, command


ALL_COMMANDS: dict[str, click.Command] = {
    name: command
    for top in COMMANDS
    if (found := cli.get_command(click.Context(cli), top)) is not None
    for name, command in commands(top, found)
}


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_command_is_documented_with_an_example(name: str) -> None:
    text = " ".join((ALL_COMMANDS[name].help or "").split())
    assert f"Example: esaa {name}" in text
    assert f"\n## esaa {name}\n" in (REFERENCE / "cli.md").read_text("utf-8")


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_option_has_a_meaning(name: str) -> None:
    options = [one for one in ALL_COMMANDS[name].params if isinstance(one, click.Option)]
    assert [one.opts for one in options if not one.help] == []


@pytest.mark.parametrize("code", CODES)
def test_code_is_documented(code: str) -> None:
    assert f"| `{code}` |" in (REFERENCE / "error-codes.md").read_text("utf-8")


def test_exit_codes_are_documented() -> None:
    text = (REFERENCE / "exit-codes.md").read_text("utf-8")
    kinds: list[Any] = [kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")]
    for code in {0, 3, 4, 5, 130} | {kind.exit_code for kind in kinds}:
        assert f"| {code} |" in text, f"exit code {code} is not on the page"


def keys(kind: Any, prefix: str = "") -> Iterator[str]:
    """Every key of a contract, dotted; what a map holds stands below `<key>`."""
    for field in msgspec.structs.fields(kind):
        name = f"{prefix}{field.name}"
        below = [one for one in parts(field.type) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
        if not below:
            yield name
        for one in below:
            inner = "<key>." if "dict" in str(field.type) else "[]." if "tuple" in str(field.type) else ""
            yield from keys(one, f"{name}.{inner}" if inner != "[]." else f"{name}[].")


def parts(kind: Any) -> Iterator[Any]:
    yield kind
    for one in getattr(kind, "__args__", ()):
        yield from parts(one)


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_key_of_a_contract_is_documented(name: str) -> None:
    text = (REFERENCE / "contracts.md").read_text("utf-8")
    section = text[text.index(f"## {name}") :].partition("\n## ")[0]
    missing = [key for key in dict.fromkeys(keys(CONTRACTS[name])) if f"`{key}`" not in section]
    assert missing == []


def test_example_is_a_sound_workspace() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "esaa", "verify", str(ROOT / "examples" / "calc"), "--strict", "--files"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verify_status=ok" in done.stdout
    assert "error" not in done.stdout
    assert "warning" not in done.stdout
    assert "boundaries not judged" not in done.stdout
