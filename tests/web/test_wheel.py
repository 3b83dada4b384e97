"""The package as it is shipped: the page is in it, whole, and names no other host."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(900)  # npm fetches packages

ROOT = Path(__file__).resolve().parents[2]
ASSETS = "esaa/web/assets/"
_LEFT_OUT = shutil.ignore_patterns("node_modules", "dist", "test-results")
_ADDRESS = re.compile(rb"""(?:https?:|wss?:)?//[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+""")
_NAMESPACES = {b"http://www.w3.org"}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is built from."""
    folder = tmp_path_factory.mktemp("project")
    for name in (".gitignore", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "web", folder / "web", symlinks=True, ignore=_LEFT_OUT)
    (folder / "tests").mkdir()
    if (ROOT / "web" / "node_modules").is_dir():  # the packages that were fetched for the checkout do as well
        (folder / "web" / "node_modules").symlink_to(ROOT / "web" / "node_modules")
    return folder


def build(project: Path, kind: str, target: Path, **environment: str) -> Path:
    """Builds as pip does, in this environment."""
    import os

    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return next(target.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


@pytest.fixture(scope="session")
def wheel(project: Path, need_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a wheel that was built with the page."""
    need_tool("npm")
    found = build(project, "wheel", tmp_path_factory.mktemp("dist"), ESAA_PAGE="require")
    with zipfile.ZipFile(found) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_file_that_the_page_names_is_in_the_wheel(wheel: dict[str, bytes]) -> None:
    shell = wheel[ASSETS + "index.html"].decode()
    named = re.findall(r'(?:src|href)="/assets/([^"]+)"', shell)
    assert len(named) >= 2
    for name in named:
        assert wheel[ASSETS + name], name
    others = set(re.findall(r'(?:src|href)="([^"]+)"', shell)) - {f"/assets/{name}" for name in named}
    assert others == set()


def test_the_shell_holds_nothing_that_the_policy_forbids(wheel: dict[str, bytes]) -> None:
    shell = wheel[ASSETS + "index.html"].decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)", shell) == []
    assert "<style" not in shell
    assert re.findall(r"\bon[a-z]+\s*=", shell) == []
    assert "javascript:" not in shell


def test_nothing_of_the_page_names_another_host(wheel: dict[str, bytes]) -> None:
    for name, data in wheel.items():
        if name.startswith(ASSETS):
            assert set(_ADDRESS.findall(data)) <= _NAMESPACES, name


def test_one_script_and_one_style_so_that_an_export_can_hold_them(wheel: dict[str, bytes]) -> None:
    names = [name for name in wheel if name.startswith(ASSETS)]
    assert sum(name.endswith(".js") for name in names) == 1
    assert sum(name.endswith(".css") for name in names) == 1
    assert not any(name.endswith(".map") for name in names)


def test_the_first_load_is_small(wheel: dict[str, bytes]) -> None:
    import gzip

    sent = [data for name, data in wheel.items() if name.startswith(ASSETS)]
    assert sum(len(gzip.compress(data, 5)) for data in sent) <= 120_000, "with the answers it is 150 kB at most"


def test_a_source_distribution_can_be_built_without_node(
    project: Path, wheel: dict[str, bytes], tmp_path: Path
) -> None:
    with tarfile.open(build(project, "sdist", tmp_path)) as archive:
        archive.extractall(tmp_path / "from", filter="data")
    unpacked = next((tmp_path / "from").iterdir())
    assert (unpacked / "web" / "package-lock.json").is_file()
    assert not (unpacked / "web" / "node_modules").exists()
    built = build(unpacked, "wheel", tmp_path / "dist", PATH="/nowhere", ESAA_PAGE="require")
    with zipfile.ZipFile(built) as archive:
        assert archive.read(ASSETS + "index.html") == wheel[ASSETS + "index.html"]


def test_without_node_or_network_the_package_is_built_all_the_same(project: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(project, tmp_path / "bare", symlinks=True, ignore=_LEFT_OUT))
    shutil.rmtree(bare / "src" / "esaa" / "web" / "assets", ignore_errors=True)
    # A Python that finds neither Node nor its wheel, and a pip that reaches nothing.
    probe = (
        "import sys, hatch_build; hatch_build._wheel_in = lambda _: None; "
        "sys.exit(0 if not hatch_build.build_or_say() else 9)"
    )
    environment = {"PATH": "/nowhere", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=bare, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Node.js" in done.stderr
    assert "the page was not built" in done.stderr
    wheel = build(bare, "wheel", tmp_path / "dist", ESAA_PAGE="skip")
    with zipfile.ZipFile(wheel) as archive:
        assert b"Node.js" in archive.read(ASSETS + ".not-built")
        assert ASSETS + "index.html" not in archive.namelist()


def test_lock_files_name_no_address() -> None:
    text = (ROOT / "web" / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in text
    pinned = re.findall(r'"(?:dependencies|devDependencies)": \{([^}]*)\}', (ROOT / "web" / "package.json").read_text())
    assert pinned
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for one in pinned for version in re.findall(r': "([^"]+)"', one))
