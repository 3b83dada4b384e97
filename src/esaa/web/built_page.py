"""The page as it was built into the package: its files, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ASSETS = Path(__file__).resolve().parent / "assets"
SHELL = "index.html"
HOW = "Node.js is needed to build it: install Node 20.19 or newer and run `python hatch_build.py`, or install a wheel."
_WHY_NOT = ".not-built"


class BuiltPage:
    """The files of the page, read when they are first asked for, and again where they were built anew."""

    def __init__(self, folder: Path = ASSETS) -> None:
        self._folder = folder
        self._kept: dict[str, tuple[int, bytes]] = {}

    def fault(self) -> str | None:
        """Why there is no page; None where there is one."""
        if (self._folder / SHELL).is_file():
            return None
        note = self._folder / _WHY_NOT
        why = note.read_text("utf-8").strip()[:1000] if note.is_file() else "it was never built"
        return f"The page is not built: {why.removesuffix('.')}."

    def files(self) -> Mapping[str, bytes]:
        """All of it by name, for what puts it into one file."""
        if not self._folder.is_dir():
            return {}
        names = sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))
        return {name: data for name in names if (data := self.read(name)) is not None}

    def read(self, name: str) -> bytes | None:
        """One file of the folder, by its bare name; None for what is no such file."""
        if "/" in name or name.startswith("."):
            return None
        path = self._folder / name
        try:
            changed = path.stat().st_mtime_ns
            kept = self._kept.get(name)
            if kept is None or kept[0] != changed:
                kept = (changed, path.read_bytes())
                self._kept[name] = kept
        except (OSError, ValueError):
            return None
        return kept[1]
