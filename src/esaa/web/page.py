"""The page as it was built: its shell, and the files beside it. Nothing outside the folder of assets is ever read."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from esaa.web.faults import fault

ASSETS = Path(__file__).resolve().parent / "assets"
SHELL = "index.html"
FOREVER = "public, max-age=31536000, immutable"
_HASHED = re.compile(r".+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+")
_WHY_NOT = ".not-built"
_HOW = "Node.js is needed to build it: install Node 20.19 or newer and run `python hatch_build.py`, or install a wheel."
_TEXT = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Page:
    """The files of the page, read once when they are first asked for, and again where they were built anew."""

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
        return {
            path.name: path.read_bytes()
            for path in sorted(self._folder.iterdir())
            if path.is_file() and not path.name.startswith(".")
        }

    async def shell(self, _request: Request) -> Response:
        """The page itself, for every screen."""
        data = self._read(SHELL)
        if data is None:
            return fault(503, "PAGE_NOT_BUILT", self.fault() or "The page is not built.", _HOW)
        return Response(data, media_type="text/html", headers={"cache-control": "no-cache"})

    async def asset(self, request: Request) -> Response:
        """One file of the page."""
        name = str(request.path_params["name"])
        data = None if name.startswith(".") or name == SHELL else self._read(name)
        if data is None:
            return fault(404, "NOT_FOUND", "There is no such file of the page.")
        media = _TEXT.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        kept = FOREVER if _HASHED.fullmatch(name) else "no-cache"
        return Response(data, media_type=media, headers={"cache-control": kept})

    def _read(self, name: str) -> bytes | None:
        # A name has no slash (the route sees to that): it is a file of this folder or none.
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
