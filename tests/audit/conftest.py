"""The told story, once for all tests that only read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from esaa.audit.request import Format, request_of
from esaa.runtime.audit.report import FileOptions, Gathered, gather, pieces
from esaa.runtime.trail.trail import Trail
from tests.audit.stories import a_told_trail

Render = Callable[..., bytes]


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    """The trail of the story. Nobody writes to it."""
    return a_told_trail(tmp_path_factory.mktemp("told"))[0]


@pytest.fixture(scope="session")
def gathered(told: Trail) -> Gathered:
    """The report of everything in it."""
    return gather(told, request_of())


@pytest.fixture(scope="session")
def render(gathered: Gathered) -> Render:
    """A report's file as bytes, by format."""

    def make(format_: Format, of: Gathered | None = None, options: FileOptions | None = None) -> bytes:
        return b"".join(pieces(of or gathered, format_, options or FileOptions(), []))

    return make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder for a trail of one's own."""
    return tmp_path / "work"
