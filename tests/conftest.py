"""What all tests share: tools of the operating system that a test needs, and what CI makes of a missing one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more about what else runs on the machine than about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def need_tool() -> Callable[[str], str]:
    """Gives the path of a command. Where it is missing, the test skips by its name; under CI=true it fails.

    `make test` installs what is missing where it may (tools/system_tools.py), so in CI nothing is.
    """

    def need(command: str) -> str:
        path = shutil.which(command)
        if path is None:
            message = f"the command {command} is not here"
            if os.environ.get("CI") == "true":
                pytest.fail(f"{message}; in CI every tool must be there", pytrace=False)
            pytest.skip(message)
        return path

    return need


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of real logs beside the checkout. It is no tool: where it is absent, the test skips, in CI too."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "logs"
    if not folder.is_dir():
        pytest.skip("the real logs (../shared/logs) are not here")
    return folder
