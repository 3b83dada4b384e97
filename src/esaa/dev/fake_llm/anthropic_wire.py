"""Anthropic Messages: requests read, answers written whole and as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from esaa.dev.fake_llm.conversation import Call, Reply, Request, Tokens, pieces, texts_of

ANSWER_TOOL = "StructuredOutput"
"""The tool by which Claude Code takes an answer that has a schema."""

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_STOPS = {"end": "end_turn", "length": "max_tokens", "refusal": "refusal"}


def read(body: dict[str, Any]) -> Request:
    """A request to `/v1/messages`."""
    said, results, handed_in = texts_of(body.get("system")), 0, False
    tools = {str(tool.get("name")): tool.get("input_schema") for tool in body.get("tools") or ()}
    choice = body.get("tool_choice") or {}
    forced = choice.get("name") if choice.get("type") == "tool" else None
    answer_tool = forced or (ANSWER_TOOL if ANSWER_TOOL in tools else None)
    for message in body.get("messages") or ():
        content = message.get("content")
        if message.get("role") != "assistant":
            said += texts_of(content)
        for block in content if isinstance(content, list) else ():
            results += block.get("type") == "tool_result"
            handed_in = handed_in or (block.get("type") == "tool_use" and block.get("name") == answer_tool)
    wanted = ((body.get("output_config") or {}).get("format")) or body.get("output_format") or {}
    schema = tools.get(answer_tool) if answer_tool is not None else wanted.get("schema")
    return Request(
        api="anthropic",
        model=str(body.get("model")),
        said=tuple(said),
        is_streamed=body.get("stream") is True,
        tools=tools,
        results=results,
        schema=schema,
        is_strict=bool(wanted),
        answer_tool=answer_tool,
        is_handed_in=handed_in,
    )


def whole(request: Request, reply: Reply, tokens: Tokens, identity: str) -> dict[str, Any]:
    """The answer as one object."""
    return _message(request, tokens, identity) | {
        "content": _blocks(reply, identity),
        "stop_reason": _stop(reply),
        "usage": _usage(tokens),
    }


def events(request: Request, reply: Reply, tokens: Tokens, identity: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer as named events."""
    start = _message(request, tokens, identity) | {"usage": _usage(tokens) | {"output_tokens": 1}}
    yield "message_start", {"type": "message_start", "message": start}
    yield "ping", {"type": "ping"}
    for index, block in enumerate(_blocks(reply, identity)):
        is_text = block["type"] == "text"
        empty: dict[str, Any] = block | _blank(is_text=is_text)
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
        for piece in pieces(block["text"] if is_text else json.dumps(block["input"])):
            delta = {"type": "text_delta", "text": piece} if is_text else _json_delta(piece)
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    end = {"stop_reason": _stop(reply), "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": end, "usage": _usage(tokens)}
    yield "message_stop", {"type": "message_stop"}


def failure(status: int, text: str) -> dict[str, Any]:
    """The body of an answer with an error status."""
    error = {"type": _ERRORS.get(status, "api_error"), "message": text}
    return {"type": "error", "error": error, "request_id": "req_fake"}


def _message(request: Request, tokens: Tokens, identity: str) -> dict[str, Any]:
    return {
        "id": f"msg_{identity}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(tokens),
    }


def _blocks(reply: Reply, identity: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if reply.text or not reply.calls:
        blocks.append({"type": "text", "text": reply.text})
    for number, call in enumerate(reply.calls):
        blocks.append(_tool_use(call, f"toolu_{identity}_{number}"))
    return blocks


def _tool_use(call: Call, identity: str) -> dict[str, Any]:
    given = call.input if isinstance(call.input, dict) else {"input": call.input}
    return {"type": "tool_use", "id": identity, "name": call.name, "input": given}


def _blank(*, is_text: bool) -> dict[str, Any]:
    return {"text": ""} if is_text else {"input": {}}


def _json_delta(piece: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": piece}


def _stop(reply: Reply) -> str:
    return "tool_use" if reply.calls and reply.stop == "end" else _STOPS[reply.stop]


def _usage(tokens: Tokens) -> dict[str, Any]:
    # Here the cached tokens are counted beside the others, not among them.
    return {
        "input_tokens": tokens.given - tokens.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.made,
    }
