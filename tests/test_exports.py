"""The public surface: what `import esaa` offers, all of it, nothing else, and without loading anything."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import esaa


def public_names(module: ModuleType) -> set[str]:
    """What a user sees: the names that `dir` gives but for the interpreter's own."""
    return {name for name in dir(module) if not name.startswith("_")} | {"__version__"}


def test_all_is_the_importable_surface() -> None:
    assert set(esaa.__all__) == public_names(esaa)
    assert set(esaa._HOMES) | {"__version__"} == set(esaa.__all__)
    assert len(set(esaa.__all__)) == len(esaa.__all__)


def test_all_is_sorted() -> None:
    assert esaa.__all__ == sorted(esaa.__all__)


@pytest.mark.parametrize("name", esaa.__all__)
def test_name_imports_from_its_home(name: str) -> None:
    value = getattr(esaa, name)
    if name == "__version__":
        return
    home = esaa._HOMES[name]
    assert value is getattr(sys.modules[home], name)
    assert value.__doc__, f"{name} has no docstring"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Orchestra'"):
        _ = esaa.Orchestra


def test_import_loads_nothing_heavy() -> None:
    # `typing` is loaded before, for what it loads differs from version to version.
    program = "import sys, typing; before = set(sys.modules); import esaa; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["__future__", "esaa", "esaa.version"]
