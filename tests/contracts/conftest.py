"""What the contract tests share: the shipped files, and where real logs may lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from esaa.stores.contracts import shipped_files


@pytest.fixture
def files() -> dict[str, bytes]:
    """The shipped files of a 0.4.0 workspace, free to be changed by a test."""
    return shipped_files("0.4.0")


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of real logs beside the checkout; a test that needs it is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "logs"
    if not folder.is_dir():
        pytest.skip("the real logs (../shared/logs) are not here")
    return folder
