"""The HTTP client of all the SDKs, with one thing more: it stops reading an answer that is larger than a limit."""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator

import httpx2

CONNECT_S = 20.0
_ENVELOPE_FACTOR = 3
_ENVELOPE_BYTES = 1024 * 1024


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Passes requests on; `is_exceeded` tells that an answer was cut at the limit."""

    def __init__(self, answer_bytes_max: int, inner: httpx2.AsyncBaseTransport | None = None) -> None:
        # The answer is quoted JSON within JSON, and other things stand beside it.
        self._bytes_max = answer_bytes_max * _ENVELOPE_FACTOR + _ENVELOPE_BYTES
        self._inner = httpx2.AsyncHTTPTransport(verify=trusted_roots()) if inner is None else inner
        self.is_exceeded = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One exchange; compressed answers are not asked for, because their size says nothing."""
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream), "an asynchronous transport streams so"
        response.stream = _Bounded(self, response.stream, self._bytes_max)
        return response

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()


def bounded_client(transport: BoundedTransport, timeout_s: float) -> httpx2.AsyncClient:
    """A client over the transport. Addresses are not followed elsewhere: a key goes where it was meant to go."""
    return httpx2.AsyncClient(
        transport=transport,
        timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
        follow_redirects=False,
    )


@functools.cache
def trusted_roots() -> ssl.SSLContext:
    """The context of all connections: reading the roots takes longer than a short call."""
    return httpx2.create_ssl_context()


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, transport: BoundedTransport, inner: httpx2.AsyncByteStream, bytes_max: int) -> None:
        self._transport = transport
        self._inner = inner
        self._bytes_left = bytes_max

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                self._transport.is_exceeded = True
                raise httpx2.ReadError("the answer is larger than the limit")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
