"""What the tests of the web share: one finished run of the demo, made once and copied where it is changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from esaa.cli.app import run


@pytest.fixture(scope="session")
def demo_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's configuration of all these tests."""
    folder = tmp_path_factory.mktemp("config")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESAA_CONFIG_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory, demo_config: Path) -> Path:
    """The landing page of the demo, built under governance: for tests that only look at it."""
    root = tmp_path_factory.mktemp("demo") / "landing"
    root.mkdir()
    assert run(["init", "--demo", "landing", "--quiet", "--root", str(root)]) == 0
    assert run(["run", "--run-id", "RUN-0001", "--issue", "PROJ-123", "--quiet", "--root", str(root)]) == 0
    return root


@pytest.fixture
def own_run(demo_run: Path, demo_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, for tests that change it, with what this machine knows of it: how far the log had come."""
    shutil.copytree(demo_config, tmp_path / "config")
    monkeypatch.setenv("ESAA_CONFIG_DIR", str(tmp_path / "config"))
    return Path(shutil.copytree(demo_run, tmp_path / "own" / "landing", symlinks=True))


@pytest.fixture
def esaa_json(capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., object]:
    """What a command prints with `--json`."""

    def call(*arguments: str) -> object:
        capsysbinary.readouterr()
        run([*arguments, "--json"])
        return json.loads(capsysbinary.readouterr().out)

    return call
