"""What a writing request brings: JSON, of a bounded size, of one shape."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request

from esaa.errors import UsageError
from esaa.kernel.ingest import Limit, NotIngested, json_of

S = TypeVar("S", bound=msgspec.Struct)

_BODY = Limit(64 * 1024, 16)


async def read_body(request: Request, shape: type[S]) -> S:
    """The body of a request. Raises `UsageError` for one that is too large, no JSON, or of another shape."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        # Forms of other pages can send other types without asking first.
        raise UsageError("BODY_INVALID", "The body is not declared as JSON.", "Send Content-Type: application/json.")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _BODY.bytes_max:
            raise UsageError("BODY_INVALID", f"The body has more than {_BODY.bytes_max} bytes.", "Send less.")
    try:
        return msgspec.convert(json_of(bytes(data), _BODY), shape)
    except (NotIngested, msgspec.ValidationError) as error:
        raise UsageError(
            "BODY_INVALID", f"The body cannot be taken: {error}.", "/openapi.json has its shape."
        ) from error
