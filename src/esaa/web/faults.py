"""What is wrong: the same words that the command line would say, with the status that fits, as JSON or as a page."""

from __future__ import annotations

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from esaa.errors import (
    AgentError,
    CommandConflict,
    EsaaError,
    EventRefused,
    Halted,
    IntegrationError,
    MergeConflict,
    NotFound,
    StoreError,
    StoreLocked,
    UsageError,
    WrongExpectedVersion,
)
from esaa.web.fault_page import as_read_by
from esaa.web.machines import IndexBuilding

_STATUS: tuple[tuple[type[EsaaError], int], ...] = (
    (UsageError, 400),
    (NotFound, 404),
    (EventRefused, 422),
    (WrongExpectedVersion, 409),
    (CommandConflict, 409),
    (MergeConflict, 409),
    (StoreLocked, 409),
    (Halted, 409),
    (IndexBuilding, 503),
    (StoreError, 503),
    (AgentError, 502),
    (IntegrationError, 502),
)
_RETRY_AFTER_S = 1
_WORDS = {
    404: ("NOT_FOUND", "There is nothing at this address.", "/openapi.json names all addresses."),
    405: ("METHOD_NOT_ALLOWED", "This address does not take this method.", "/openapi.json says which."),
}


class FaultBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong: a stable code, what happened and where, and what to do."""

    code: str
    message: str
    hint: str


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to what cannot be answered."""

    error: FaultBody


def fault(status: int, code: str, message: str, hint: str = "", **context: object) -> Response:
    """An answer that says what is wrong."""
    body = {"error": {"code": code, "message": message, "hint": hint, **context}}
    data = msgspec.json.encode(body, enc_hook=str)
    return Response(data, status, media_type="application/json")


def of_error(error: EsaaError) -> Response:
    """What an error of the package becomes."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    context = {key: value for key, value in error.context.items() if value is not None}
    answer = fault(status, error.code, error.message, error.hint, **context)
    if status == 503:
        answer.headers["retry-after"] = str(_RETRY_AFTER_S)
    return answer


async def on_esaa_error(request: Request, error: Exception) -> Response:
    """For Starlette."""
    assert isinstance(error, EsaaError)
    return as_read_by(request.scope, of_error(error))


async def on_os_error(request: Request, error: Exception) -> Response:
    """For Starlette: the disk says no."""
    assert isinstance(error, OSError)
    where = f"{error.filename}" if error.filename else "Reading or writing"
    text = f"{where} failed: {error.strerror or error}."
    return as_read_by(request.scope, fault(503, "STORAGE_FAILED", text, "Check the path, the disk and the rights."))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """For Starlette: an address or method that is not there."""
    assert isinstance(error, HTTPException)
    code, message, hint = _WORDS.get(error.status_code, ("HTTP_ERROR", str(error.detail), ""))
    answer = fault(error.status_code, code, message, hint)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return as_read_by(request.scope, answer)


async def on_bug(request: Request, error: Exception) -> Response:
    """For Starlette, which raises it again after this: the last line of defence."""
    text = f"This is a bug in esaa: {type(error).__name__}: {error}."
    answer = fault(500, "BUG", text, "The terminal of `esaa serve` shows where. The log is whole.")
    return as_read_by(request.scope, answer)
