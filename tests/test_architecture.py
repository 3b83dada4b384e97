"""The shape of the package: rings, purity, names, sizes, docstrings (DESIGN 2, ARCHITECTURE.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "esaa"

RINGS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "version"}),
    frozenset({"kernel"}),
    frozenset({"contracts", "demos", "redaction"}),
    frozenset({"protocol", "trail"}),
    frozenset({"history", "audit"}),
    frozenset({"stores"}),
    frozenset({"agents", "effects"}),
    frozenset({"runtime", "integrations", "query", "dev"}),
    frozenset({"config"}),
    frozenset({"open"}),
    frozenset({"web", "tui", "mcp"}),
    frozenset({"cli"}),
    frozenset({"__init__", "__main__"}),
)
"""From the innermost to the outermost. A module imports from its own package and from rings below."""

SIDEWAYS = {("esaa.trail.from_protocol", "esaa.protocol.facts")}
"""The one import between two packages of a ring that is meant."""

KNOWN: dict[tuple[str, str], str] = {}
"""Imports that break the rule today. The list may only become shorter."""

PURE = ("kernel", "contracts", "redaction", "protocol", "history", "audit", "trail")
# fmt: off
IMPURE_MODULES = frozenset((
    "asyncio", "concurrent", "ctypes", "fcntl", "getpass", "glob", "http", "importlib", "io", "locale", "mmap",
    "multiprocessing", "os", "pathlib", "platform", "pty", "queue", "random", "sched", "secrets", "select",
    "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
))
# fmt: on
IMPURE_CALLS = re.compile(r"(open|print|input|eval|exec|.*\.(now|utcnow|today|environ|getenv|open))")
NO_NAMES = {"utils", "helpers", "common", "manager", "misc"}
LINES_MAX = 400

MODULES = sorted(PACKAGE.rglob("*.py"))


class Import(NamedTuple):
    """One import of a module of the package by another."""

    importer: str
    imported: str


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")


def package_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def ring_of(package: str) -> int:
    return next(number for number, ring in enumerate(RINGS) if package in ring)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported_modules(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported, at the top, in a function, or under TYPE_CHECKING."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            module = str(node.module)
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from (names if module == "esaa" else [module])


def imports_between_packages() -> list[Import]:
    return [
        Import(name_of(path), module)
        for path in MODULES
        for module in imported_modules(parse(path))
        if module.split(".")[0] == "esaa" and package_of(module) != package_of(name_of(path))
    ]


def test_every_package_has_a_ring() -> None:
    packages = {package_of(name_of(path)) for path in MODULES}
    assert packages <= frozenset().union(*RINGS)


def test_imports_go_down() -> None:
    wrong = {
        one
        for one in imports_between_packages()
        if ring_of(package_of(one.imported)) >= ring_of(package_of(one.importer)) and one not in SIDEWAYS
    }
    assert wrong == set(KNOWN), "an import goes up or sideways (or a known one is gone: take it off the list)"


def test_lazy_names_of_the_surface_are_imports_too() -> None:
    # The command line and the package itself load by name; what they name must exist in a ring below.
    app = parse(PACKAGE / "cli" / "app.py")
    homes = [
        one.value
        for one in ast.walk(app)
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and re.fullmatch(r"esaa\.[\w.]+:\w+", one.value)
    ]
    assert homes
    for home in homes:
        assert package_of(home.partition(":")[0]) == "cli", home


@pytest.mark.parametrize("package", [name for name in PURE if (PACKAGE / name).is_dir()])
def test_pure_packages_touch_nothing_outside(package: str) -> None:
    found: list[str] = []
    for path in sorted((PACKAGE / package).rglob("*.py")):
        tree = parse(path)
        found += [
            f"{path.name}: imports {one}" for one in imported_modules(tree) if one.split(".")[0] in IMPURE_MODULES
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and IMPURE_CALLS.fullmatch(ast.unparse(node.func)):
                found.append(f"{path.name}:{node.lineno}: calls {ast.unparse(node.func)}")
            if isinstance(node, ast.AsyncFunctionDef | ast.Await):
                found.append(f"{path.name}:{node.lineno}: is asynchronous")
    assert found == []


def test_only_the_runtime_and_agents_are_asynchronous() -> None:
    # The command line may start the runtime's loop; it has no coroutines of its own.
    found = {
        package_of(name_of(path))
        for path in MODULES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.AsyncFunctionDef)
    }
    assert found <= {"agents", "runtime", "mcp", "web"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_small_named_and_explained(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = parse(path)
    assert len(text.splitlines()) <= LINES_MAX, "look for the second concept"
    assert path.stem not in NO_NAMES, "a module is named by a noun of the field"
    assert ast.get_docstring(tree), "a module opens with what it is"
    assert list(undocumented(tree, "")) == []
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)


def undocumented(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[str]:
    """Public classes and functions without a docstring; a method that click calls is documented by click."""
    is_click = isinstance(node, ast.ClassDef) and any("Group" in ast.unparse(base) for base in node.bases)
    for child in node.body:
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or child.name.startswith("_"):
            continue
        if not ast.get_docstring(child) and not is_click:
            yield f"{prefix}{child.name} (line {child.lineno})"
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child, f"{prefix}{child.name}.")


def test_architecture_page_names_every_module() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    missing = [name_of(path) for path in MODULES if path.stem != "__init__" and f"`{path.stem}`" not in page]
    assert missing == []
