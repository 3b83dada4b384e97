"""The server itself: a socket that it holds before it says where it listens, and uvicorn behind it."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from esaa.errors import UsageError
from esaa.web.built_page import BuiltPage

if TYPE_CHECKING:
    from esaa.web.machines import OpenMachine

DEFAULT_PORT = 8321
TOKEN_CHARS_MIN = 16
_MISSING = "`esaa serve` needs starlette and uvicorn, which are not installed."
_INSTALL = "Run `pip install 'esaa[ui]'`."


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens. `url` carries the token: whoever has it may ask."""

    host: str
    port: int
    url: str
    token: str


class WebServer:
    """A server that holds its port. `serve` answers until it is interrupted."""

    def __init__(
        self,
        root: Path,
        open_machine: OpenMachine,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        token: str | None = None,
        allows_actions: bool = False,
    ) -> None:
        """Raises `UsageError` for what cannot be had: the port, the token, the packages."""
        try:
            import uvicorn

            from esaa.web.app import Setting, make_app
            from esaa.web.guard import Hosts
        except ModuleNotFoundError as error:
            raise UsageError("EXTRA_MISSING", _MISSING, _INSTALL) from error
        if token is not None and (len(token) < TOKEN_CHARS_MIN or not token.isascii() or not token.isprintable()):
            text = f"The token must be {TOKEN_CHARS_MIN} or more printable characters of ASCII."
            raise UsageError("TOKEN_INVALID", text, "Leave it out: a random one is made.")
        self._socket = _bound(host, port)
        bound = int(self._socket.getsockname()[1])
        key = token or secrets.token_urlsafe(24)
        shown = f"[{host.strip('[]')}]" if ":" in host else host
        self.address = Address(host=host, port=bound, url=f"http://{shown}:{bound}/?token={quote(key)}", token=key)
        page = BuiltPage()
        self.page_fault = page.fault()
        setting = Setting(
            root=root,
            open_machine=open_machine,
            token=key,
            hosts=Hosts(bound, [host]),
            # Servers on several ports of a machine share their cookies.
            cookie=f"esaa_token_{bound}",
            allows_actions=allows_actions,
            is_closing=lambda: self._server.should_exit,
            page=page,
        )
        config = uvicorn.Config(
            make_app(setting),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=2,
            limit_concurrency=256,
            ws="none",
        )
        self._server = uvicorn.Server(config)

    def link(self, screen: str = "") -> str:
        """The address of a screen, such as `log/event?at=12`, for who has no cookie yet."""
        path, _, query = screen.partition("?")
        base = self.address.url.partition("?")[0]
        return f"{base}{quote(path)}?{quote(query, safe='=&%') + '&' if query else ''}token={quote(self.address.token)}"

    def stop(self) -> None:
        """Lets `serve` end, from another thread."""
        self._server.should_exit = True

    def serve(self) -> None:
        """Answers until it is interrupted."""
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:
            pass  # that is how one ends it
        finally:
            self._socket.close()


def is_loopback_host(host: str) -> bool:
    """Whether what listens there is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host.strip("[]"), port))
        made.listen(128)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no host can have
        made.close()
        text = f"Nothing can listen on {host[:80]} port {port}: {getattr(error, 'strerror', None) or error}."
        raise UsageError("PORT_TAKEN", text, "Choose another one with --port, or 0 for any that is free.") from error
    return made
