"""The page over HTTP: its shell for every screen, and the files beside it. No other file is ever served."""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from esaa.web.built_page import HOW, SHELL, BuiltPage
from esaa.web.fault_page import as_read_by
from esaa.web.faults import fault

FOREVER = "public, max-age=31536000, immutable"
_HASHED = re.compile(r".+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+")
_TEXT = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}


class PageRoutes:
    """Serves a page that was built."""

    def __init__(self, page: BuiltPage) -> None:
        self._page = page

    async def shell(self, request: Request) -> Response:
        """The page itself, for every screen."""
        data = self._page.read(SHELL)
        if data is None:
            answer = fault(503, "PAGE_NOT_BUILT", self._page.fault() or "The page is not built.", HOW)
            return as_read_by(request.scope, answer)
        return Response(data, media_type="text/html", headers={"cache-control": "no-cache"})

    async def asset(self, request: Request) -> Response:
        """One file of the page."""
        name = str(request.path_params["name"])
        data = None if name == SHELL else self._page.read(name)
        if data is None:
            return fault(404, "NOT_FOUND", "There is no such file of the page.")
        media = _TEXT.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        kept = FOREVER if _HASHED.fullmatch(name) else "no-cache"
        return Response(data, media_type=media, headers={"cache-control": kept})
