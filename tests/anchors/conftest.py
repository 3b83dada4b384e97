"""A signed log whose checkpoints can be anchored, and a user of their own for each test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.anchors.services import SignedLog


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No identity, setting or helper of the machine's git, and no proxy."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("GIT_", "ESAA_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("ESAA_CONFIG_DIR", str(home / "esaa"))
    return home


@pytest.fixture
def log(tmp_path: Path) -> SignedLog:
    """A log of thirty events, of which ten are signed."""
    return SignedLog(tmp_path / "project", signed=10)
