"""Workspaces for the tests of the command line; the finished ones are made once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench, command


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user of their own for each test: home, configuration, and no setting from outside."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("ESAA_", "XDG_"))]:
        monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ESAA_CONFIG_DIR", str(home / "esaa"))
    return home


@pytest.fixture
def esaa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Workbench:
    """The command in an empty folder."""
    return Workbench(tmp_path / "project", monkeypatch, capsys)


@pytest.fixture(scope="session")
def make_template(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, list[list[str]]], Path]:
    """Workspaces that are made once, by real processes, and copied into the tests."""
    made: dict[str, Path] = {}

    def make(name: str, lines: list[list[str]]) -> Path:
        if name not in made:
            base = tmp_path_factory.mktemp(name)
            root = base / "project"
            root.mkdir()
            env = {**os.environ, "HOME": str(base), "ESAA_CONFIG_DIR": str(base / "esaa")}
            for line in lines:
                subprocess.run(command(*line), cwd=root, env=env, check=True, capture_output=True, timeout=60)
            made[name] = root
        return made[name]

    return make


@pytest.fixture
def planned(esaa: Workbench, make_template: Callable[[str, list[list[str]]], Path]) -> Workbench:
    """A workspace with one task of each kind, and no pause after a rejection."""
    create = ["task", "create"]
    esaa.fill_from(
        make_template(
            "planned",
            [
                ["init", "--name", "tide"],
                [*create, "T-1", "--kind", "spec", "--title", "Define the page", "--output", "docs/spec/page.md"],
                [
                    *create,
                    "T-2",
                    "--kind",
                    "impl",
                    "--title",
                    "Write the page",
                    "--output",
                    "src/page.html",
                    "--depends-on",
                    "T-1",
                ],
                [
                    *create,
                    "T-3",
                    "--kind",
                    "impl",
                    "--title",
                    "Write the script",
                    "--grant",
                    "**",
                    "--output",
                    "src/script.js",
                ],
                [*create, "T-4", "--kind", "qa", "--title", "Try the page", "--depends-on", "T-2"],
            ],
        )
    )
    esaa.edit("RUNTIME_POLICY.yaml", "cooldown: PT2M", "cooldown: PT0S")
    return esaa


@pytest.fixture
def claimed(planned: Workbench) -> Workbench:
    """The planned workspace in which agent-impl works on T-3, which may write nearly everywhere."""
    planned.ok("claim", "T-3", "--actor", "agent-impl")
    return planned


@pytest.fixture
def landing(esaa: Workbench, make_template: Callable[[str, list[list[str]]], Path]) -> Workbench:
    """The demo `landing`, finished."""
    esaa.fill_from(make_template("landing", [["init", "--demo", "landing"], ["run", "--run-id", "RUN-0001"]]))
    return esaa


@pytest.fixture
def finished(esaa: Workbench, make_template: Callable[[str, list[list[str]]], Path]) -> Workbench:
    """A small finished workspace: two tasks, scripted agents."""
    create = ["task", "create"]
    esaa.fill_from(
        make_template(
            "finished",
            [
                ["init", "--name", "small"],
                [*create, "T-1", "--kind", "spec", "--title", "Say it", "--output", "docs/spec/a.md"],
                [*create, "T-2", "--kind", "impl", "--title", "Do it", "--output", "src/a.txt", "--depends-on", "T-1"],
                ["run", "--agent", "scripted"],
            ],
        )
    )
    return esaa
