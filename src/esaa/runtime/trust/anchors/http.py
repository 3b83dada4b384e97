"""One HTTP exchange with a service that anchors: bounded in time and size, no redirect is followed."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import IO, NoReturn

import msgspec

from esaa.errors import IntegrationError
from esaa.version import __version__

TIMEOUT_S = 30.0
ANSWER_BYTES_MAX = 256 * 1024


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a service answered."""

    status: int
    content_type: str
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object, **named: object) -> None:
        """A service that was named is the one that is asked."""


def exchange(url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer to a POST of `data`, or to a GET. Raises `IntegrationError` where there is none."""
    if not url.startswith(("http://", "https://")):
        raise IntegrationError("ANCHOR_UNREACHABLE", f"{url[:200]} is no http address.", "Mend .roadmap/anchors.yaml.")
    named = {"User-Agent": f"esaa/{__version__}", **(headers or {})}
    request = urllib.request.Request(url, data=data, headers=named)  # noqa: S310  # its scheme was looked at
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S) as response:
            return _answer(url, response.status, response.headers.get_content_type(), response)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(url, error.code, error.headers.get_content_type(), error)
    except (OSError, ValueError) as error:
        _unreachable(url, str(getattr(error, "reason", error)))
    except Exception as error:  # http.client has exceptions of its own for answers that are no HTTP
        _unreachable(url, f"{type(error).__name__}: {error}")


def _answer(url: str, status: int, content_type: str, body: IO[bytes]) -> Answer:
    data = body.read(ANSWER_BYTES_MAX + 1)
    if len(data) > ANSWER_BYTES_MAX:
        _unreachable(url, f"it answers with more than {ANSWER_BYTES_MAX} bytes")
    return Answer(status=status, content_type=content_type, body=data)


def _unreachable(url: str, reason: str) -> NoReturn:
    raise IntegrationError("ANCHOR_UNREACHABLE", f"{url[:200]}: {reason[:300]}.", "Is the service up?")
