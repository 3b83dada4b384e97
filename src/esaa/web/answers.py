"""Answers as they go over the wire: JSON, with a tag that says of which log they speak, so that nothing is sent twice.

An answer that the events alone decide is named by the head of the log: it is not even worked out where the browser has
it. Where the address itself names the head (`head=HASH`), the browser need not ask again.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from esaa.runtime.history.machine import TimeMachine
from esaa.web.machines import Machines
from esaa.web.parameters import read
from esaa.web.questions import Question
from esaa.web.stopping import Stop, Stopped, while_wanted

HEAD_PARAMETER = "head"
_KEPT = "private, max-age=3600, immutable"
_ASKED_AGAIN = "private, no-cache"
_GONE = 499
"""Nobody reads this any more."""
_BOOT = secrets.token_hex(4)
"""Another server may be another version of the program, whose answers differ."""


class _Answered(msgspec.Struct, frozen=True):
    body: bytes | None
    tag: str
    head_hash: str


async def answer_to(request: Request, machines: Machines, past: str, question: Question) -> Response:
    """The answer to a question about a past, or that nothing has changed. Raises what the question raises."""
    values = read(question.parameters, request.query_params)
    is_of_head = question.is_of_log_alone and not _moves(question, values)
    address = f"{request.url.path}?{request.url.query}"
    stop = Stop()
    known = {one.strip().removeprefix("W/").strip('"') for one in request.headers.get("if-none-match", "").split(",")}

    def work(machine: TimeMachine) -> _Answered:
        head_hash = _head_hash(machine)
        tag = sha256(f"{_BOOT}\n{address}\n{head_hash}".encode()).hexdigest()[:32]
        if is_of_head and tag in known:
            return _Answered(None, tag, head_hash)
        watched = machine.watched(stop.look) if question.is_slow else machine
        body = msgspec.json.encode(question.ask(watched, values))
        if not is_of_head:
            tag = sha256(body).hexdigest()[:32]
        return _Answered(body, tag, head_hash)

    asking = machines.ask(past, work, is_slow=question.is_slow)
    if not question.is_slow:
        found = await asking
    else:
        try:
            found = await while_wanted(request, asking, stop)
        except Stopped:
            return Response(status_code=_GONE)
    is_kept = is_of_head and bool(found.head_hash) and request.query_params.get(HEAD_PARAMETER) == found.head_hash
    headers = {"etag": f'W/"{found.tag}"', "cache-control": _KEPT if is_kept else _ASKED_AGAIN}
    # Another token is another server, perhaps of another version: what a browser kept of the one is not for the other.
    headers["vary"] = "Cookie, Authorization"
    if found.body is None or found.tag in known:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type="application/json", headers=headers)


def json_answer(value: Any, status: int = 200) -> Response:
    """A value as JSON, which nobody keeps."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _head_hash(machine: TimeMachine) -> str:
    head = machine.past.head()
    return machine.past.entry(head).leaf_hash if head else ""


def _moves(question: Question, values: Mapping[str, Any]) -> bool:
    """Whether a moment is named by how long ago it was."""
    return any(
        one.kind == "moment" and isinstance(values[one.name], str) and values[one.name].startswith("@")
        for one in question.parameters
    )
