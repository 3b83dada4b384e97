"""The real logs, read in place; tests that need them are skipped where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios import logs_folder


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of real logs beside the checkout."""
    return logs_folder()
