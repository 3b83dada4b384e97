"""Gemini generateContent and streamGenerateContent: requests read, answers written whole and as events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from esaa.dev.fake_llm.conversation import Reply, Request, Tokens, pieces, texts_of

_ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_STOPS = {"end": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}


def read(body: dict[str, Any], model: str, *, is_streamed: bool) -> Request:
    """A request to `/v1beta/models/MODEL:generateContent` or `:streamGenerateContent`."""
    said = texts_of(_either(body, "systemInstruction", "system_instruction"))
    results = 0
    for message in body.get("contents") or ():
        parts = message.get("parts") or ()
        if message.get("role") != "model":
            said += texts_of(parts)
        results += sum("functionResponse" in part for part in parts)
    tools: dict[str, Any] = {}
    for tool in body.get("tools") or ():
        for one in _either(tool, "functionDeclarations", "function_declarations") or ():
            tools[str(one.get("name"))] = _either(one, "parametersJsonSchema", "parameters")
    settings = _either(body, "generationConfig", "generation_config") or {}
    return Request(
        api="gemini",
        model=model,
        said=tuple(said),
        is_streamed=is_streamed,
        tools=tools,
        results=results,
        schema=_either(settings, "responseJsonSchema", "responseSchema"),
    )


def whole(request: Request, reply: Reply, tokens: Tokens, identity: str) -> dict[str, Any]:
    """The answer as one object."""
    parts = [{"text": reply.text}] if reply.text else []
    return _answer(request, parts + _calls(reply, identity), identity, _STOPS[reply.stop], tokens)


def events(request: Request, reply: Reply, tokens: Tokens, identity: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer as chunks, the last of which says why it ends and what it used."""
    for piece in pieces(reply.text) if reply.text else ():
        yield "", _answer(request, [{"text": piece}], identity, None, None)
    yield "", _answer(request, _calls(reply, identity), identity, _STOPS[reply.stop], tokens)


def failure(status: int, text: str, reason: str | None = None) -> dict[str, Any]:
    """The body of an answer with an error status."""
    error: dict[str, Any] = {"code": status, "message": text, "status": _ERRORS.get(status, "UNKNOWN")}
    if reason is not None:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        error["details"] = [{"@type": kind, "reason": reason, "domain": "googleapis.com"}]
    return {"error": error}


def _answer(
    request: Request, parts: list[dict[str, Any]], identity: str, stop: str | None, tokens: Tokens | None
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts or [{"text": ""}]}}
    answer: dict[str, Any] = {"candidates": [candidate], "modelVersion": request.model, "responseId": identity}
    if stop is not None:
        candidate["finishReason"] = stop
    if tokens is not None:
        answer["usageMetadata"] = {
            "promptTokenCount": tokens.given,
            "cachedContentTokenCount": tokens.cached,
            "candidatesTokenCount": tokens.made,
            "totalTokenCount": tokens.given + tokens.made,
        }
    return answer


def _calls(reply: Reply, identity: str) -> list[dict[str, Any]]:
    return [
        {"functionCall": {"id": f"{identity}_{number}", "name": call.name, "args": call.input}}
        for number, call in enumerate(reply.calls)
    ]


def _either(values: dict[str, Any], first: str, second: str) -> Any:
    return values[first] if first in values else values.get(second)
