"""Who may ask at all: the right host, the right token, and for whatever writes the right origin. All else is refused.

The server listens on this machine, but every page that a browser has open can send requests here. So each request must
name a host of ours (against rebinding of names), and carry the token, which only who started the server knows.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esaa.web.fault_page import STYLE_HASH, as_read_by
from esaa.web.faults import fault
from esaa.web.server import is_loopback_host

POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {STYLE_HASH}; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_READING = frozenset({"GET", "HEAD"})
_SIGN_IN = "token"


class Hosts:
    """The hosts that this server answers for. Where it listens beyond this machine: its addresses and its name too."""

    def __init__(self, port: int, named: Sequence[str] = ()) -> None:
        self._port = port
        self._names = {"localhost", "127.0.0.1", "::1", *(one.strip("[]").lower() for one in named)}
        self._is_open = any(not is_loopback_host(one) for one in named)
        if self._is_open:
            self._names.add(socket.gethostname().lower())

    def is_ours(self, host: str) -> bool:
        """Whether a `Host` header names this server."""
        name, port = _split(host)
        if port != self._port and not (port is None and self._port == 80):
            return False
        # An address cannot be rebound, a name can.
        return name in self._names or (self._is_open and _is_address(name))

    def is_our_origin(self, origin: str, host: str) -> bool:
        """Whether an `Origin` header names the page of this server, as the same request addressed it."""
        return origin == f"http://{host}" and self.is_ours(host)


class Guard:
    """Stands before everything else, and puts its headers on every answer."""

    def __init__(self, app: ASGIApp, *, token: str, hosts: Hosts, cookie: str) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses, or lets through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refusal(scope)
        if answer is not None and answer.status_code >= 400:
            answer = as_read_by(scope, answer)
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._hosts.is_ours(host):
            return fault(403, "HOST_REFUSED", f"This server does not answer for {host[:80]!r}.", "Use its own address.")
        given = _token_in(scope)
        if given is not None and scope["method"] in _READING:
            return self._signed_in(scope, given)
        if not self._is_known(headers):
            return fault(
                403,
                "TOKEN_MISSING",
                "The request carries no token of this server, or an old one.",
                "Open the address that `esaa serve` printed, or send `Authorization: Bearer TOKEN`.",
            )
        if scope["method"] not in _READING:
            return self._refusal_to_write(headers, host)
        return None

    def _refusal_to_write(self, headers: Headers, host: str) -> Response | None:
        """A form or a script of another page must not write, though the browser adds our cookie to what it sends."""
        origin = headers.get("origin")
        by_cookie = not headers.get("authorization")
        if (origin is None and by_cookie) or (origin is not None and not self._hosts.is_our_origin(origin, host)):
            return fault(403, "ORIGIN_REFUSED", f"Another page ({(origin or 'unknown')[:80]}) may not write here.")
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return fault(403, "ORIGIN_REFUSED", "Another page may not write here.")
        return None

    def _is_known(self, headers: Headers) -> bool:
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._is_token(value.strip())
        return self._is_token(cookie_parser(headers.get("cookie", "")).get(self._cookie, ""))

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), self._token)

    def _signed_in(self, scope: Scope, given: str) -> Response:
        """The token goes into a cookie, and out of the address, where people would copy it from."""
        if not self._is_token(given):
            return fault(403, "TOKEN_WRONG", "The token is not that of this server.", "`esaa serve` prints it.")
        rest = [pair for pair in _pairs(scope) if pair[0] != _SIGN_IN]
        # Not `//host/`, which would lead elsewhere.
        path = "/" + quote(scope["path"].lstrip("/\\"))
        answer = RedirectResponse(path + (f"?{urlencode(rest)}" if rest else ""), 303)
        answer.set_cookie(self._cookie, given, httponly=True, samesite="strict", path="/")
        return answer


def _pairs(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=None)


def _token_in(scope: Scope) -> str | None:
    return next((value for name, value in _pairs(scope) if name == _SIGN_IN), None)


def _split(host: str) -> tuple[str, int | None]:
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        name, _, port = host.partition(":")
    if not port:
        return name.lower(), None
    return name.lower(), int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
