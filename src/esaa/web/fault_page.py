"""What is wrong, as a page: whoever opens an address in a browser reads sentences and a way on, not JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

_STYLE = """
:root { color-scheme: light dark; }
body {
  margin: 0; min-height: 100vh; display: grid; place-items: center; font: 14px/1.55 system-ui, sans-serif;
  background: light-dark(#fbfbfa, #131417); color: light-dark(#1b1c1f, #e7e8eb);
}
main { max-width: 460px; padding: 24px; }
h1 { font-size: 18px; font-weight: 600; margin: 20px 0 8px; overflow-wrap: anywhere; }
p { margin: 0 0 10px; color: light-dark(#55575e, #a9abb3); overflow-wrap: anywhere; }
code { font: 0.92em ui-monospace, monospace; padding: 1px 5px; border-radius: 4px; }
code { background: light-dark(#eeeeeb, #24262c); }
a { color: light-dark(#3d50cf, #97a6ff); }
small { color: light-dark(#65676e, #9699a3); font-size: 12px; }
svg { display: block; }
"""
STYLE_HASH = "'sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode() + "'"
"""For the policy of contents: this style, and no other that is not a file of ours."""
_MARK = (
    '<svg width="32" height="32" viewBox="0 0 16 16" aria-hidden="true">'
    '<rect width="16" height="16" rx="4" fill="#4a5dd8"/>'
    '<path d="M3.5 11.5h9" stroke="#fff" stroke-opacity=".45" stroke-width="1.4" stroke-linecap="round"/>'
    '<path d="M9.8 4v7.5" stroke="#fff" stroke-width="1.8" stroke-linecap="round"/></svg>'
)
_OVERVIEW = '<p><a href="/">Open the overview</a></p>'
_KEY = (
    "<p>Open the address that <code>esaa serve</code> printed in its terminal. It ends with <code>?token=…</code>, and"
    " the browser remembers it from then on.</p><p>Each start of the server makes a new one. So an address or a tab"
    " from before does not fit any more.</p>"
)
_WORDS = {
    "TOKEN_MISSING": ("This server does not know you yet", _KEY),
    "TOKEN_WRONG": ("The token in this address is not the one of this server", _KEY),
    "NOT_FOUND": ("There is no such page", f"<p>The address names nothing that is shown here.</p>{_OVERVIEW}"),
}


def as_read_by(scope: Scope, answer: Response) -> Response:
    """The answer, of what `fault` made, as who asks can read it: a page for a browser that opens an address."""
    accepted = Headers(scope=scope).get("accept", "")
    if scope["method"] not in ("GET", "HEAD") or "text/html" not in accepted or scope["path"].endswith(".json"):
        return answer
    error = json.loads(bytes(answer.body))["error"]
    title, rest = _WORDS.get(error["code"], (None, None))
    if title is None or rest is None:
        title, rest = _said(error["message"]), f"<p>{_said(error['hint'])}</p>"
        rest += _OVERVIEW if answer.status_code == 404 else ""
    plain = re.sub("<[^>]*>", "", title)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{plain} · esaa</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{_MARK}<h1>{title}</h1>{rest}<small>{escape(error['code'])}</small></main></body></html>"
    )
    kept = {name: value for name, value in answer.headers.items() if name not in ("content-length", "content-type")}
    return Response(page, answer.status_code, headers=kept, media_type="text/html")


def _said(text: str) -> str:
    """A sentence of ours: escaped, and what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
