"""A target that breaks on its first long input, so that a test sees the fuzzer find it."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def take(data: bytes) -> None:
    if len(data) > 2:
        raise KeyError("found")


if __name__ == "__main__":
    atheris: Any = importlib.import_module("atheris")
    atheris.Setup([sys.argv[0], *sys.argv[3:]], take)
    atheris.Fuzz()
