"""The command line at work on a folder: in this process for speed, or as a real process where that matters."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from esaa.cli.app import run

SUBPROCESS_TIMEOUT_S = 60

SPEC = "# The page\n\n## Objective\n\n## Scope\n\n## Requirements\n\nR1.\n\n## Acceptance Criteria\n\nIt is there.\n"
"""A spec document with every required heading."""


class Outcome(NamedTuple):
    """What a command line ended with and said."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The one JSON value on standard output."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The JSON error on standard error: its one line."""
        (line,) = self.err.splitlines()
        error: dict[str, Any] = json.loads(line)["error"]
        return error


class Workbench:
    """A folder, with a user's configuration beside it, and the command to use on it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        root.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(root)

    @property
    def roadmap(self) -> Path:
        """The folder of the log."""
        return self.root / ".roadmap"

    @property
    def log(self) -> Path:
        """The log."""
        return self.roadmap / "activity.jsonl"

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> Outcome:
        """Runs the command in this process, in whatever folder is the current one."""
        if stdin is not None:
            self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capsys.readouterr()
        code = run(arguments)
        said = self._capsys.readouterr()
        return Outcome(code, said.out, said.err)

    def ok(self, *arguments: str, stdin: bytes | None = None) -> Outcome:
        """As a call, and it ends with 0 and without a complaint."""
        outcome = self(*arguments, stdin=stdin)
        assert outcome.code == 0, outcome
        return outcome

    def process(self, *arguments: str, env: Mapping[str, str] | None = None) -> Outcome:
        """Runs the command as a process of its own."""
        done = subprocess.run(
            command(*arguments),
            cwd=self.root,
            env={**os.environ, **(env or {})},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=SUBPROCESS_TIMEOUT_S,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Starts the command as a process of its own."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        return subprocess.Popen(command(*arguments), cwd=self.root, text=True, **{**pipes, **options})

    def events(self) -> list[dict[str, Any]]:
        """The log's events as plain JSON."""
        return [json.loads(line) for line in self.log.read_bytes().splitlines()]

    def actions(self) -> list[str]:
        """The log's actions, in order."""
        return [str(event["action"]) for event in self.events()]

    def lines(self) -> list[bytes]:
        """The log's stored lines, with their line feeds."""
        return self.log.read_bytes().splitlines(keepends=True)

    def write_log(self, lines: list[bytes]) -> None:
        """Puts other lines into the log, as nobody may."""
        self.log.write_bytes(b"".join(lines))

    def assert_sound(self) -> None:
        """The strictest verification has nothing to say."""
        outcome = self("verify", "--strict", "--files", "--json")
        assert outcome.code == 0, outcome
        assert outcome.answer["findings"] == []

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Everything below the folder but the lock, with its time of change: what `--dry-run` must leave alone."""
        return {
            str(path.relative_to(self.root)): (path.lstat().st_mtime_ns, path.read_bytes())
            for path in self.root.rglob("*")
            if path.is_file() and path.name not in ("lock", "run.lock")
        }

    def edit(self, name: str, old: str, new: str) -> None:
        """Changes a contract; the old text must be there."""
        path = self.roadmap / name
        text = path.read_text()
        assert old in text, f"{name} does not hold {old!r}"
        path.write_text(text.replace(old, new))

    def unsign(self) -> None:
        """Takes back every signature and memory of the log: as if a crash had come before them."""
        shutil.rmtree(self.roadmap / "checkpoints", ignore_errors=True)
        shutil.rmtree(Path(os.environ["ESAA_CONFIG_DIR"]) / "seen", ignore_errors=True)

    def fill_from(self, template: Path) -> None:
        """Takes a finished workspace over, with the keys of the user who made it."""
        shutil.copytree(template, self.root, dirs_exist_ok=True, symlinks=True)
        keys = template.parent / "esaa" / "keys"
        if keys.is_dir():
            shutil.copytree(keys, Path(os.environ["ESAA_CONFIG_DIR"]) / "keys", dirs_exist_ok=True)


def command(*arguments: str) -> list[str]:
    """The command line as a list for a process."""
    return [sys.executable, "-m", "esaa", *arguments]


def result(action: str, task_id: str, files: Mapping[str, str] | None = None, **fields: Any) -> bytes:
    """The bytes of an agent result; a `complete` has checks, a `review` approves, where nothing else is said."""
    event: dict[str, Any] = {"action": action, "task_id": task_id}
    if action == "complete":
        event["verification"] = {"checks": ["the file was read line by line", "every requirement was found"]}
    if action == "review":
        event |= {"decision": "approve", "tasks": [task_id]}
    value: dict[str, Any] = {"activity_event": event | fields}
    if files is not None:
        value["file_updates"] = [{"path": path, "content": content} for path, content in files.items()]
    return json.dumps(value).encode()
