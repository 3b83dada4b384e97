"""OpenAI Responses: requests read, answers written whole and as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from esaa.dev.fake_llm.conversation import Reply, Request, Tokens, pieces, texts_of

_RESULTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
_ERRORS = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def read(body: dict[str, Any]) -> Request:
    """A request to `/v1/responses`."""
    given = body.get("input")
    said, results = texts_of(body.get("instructions")), 0
    for item in [given] if isinstance(given, str) else given or ():
        if isinstance(item, str) or item.get("role") != "assistant":
            said += texts_of(item)
        results += not isinstance(item, str) and item.get("type") in _RESULTS
    wanted = (body.get("text") or {}).get("format") or {}
    return Request(
        api="openai-responses",
        model=str(body.get("model")),
        said=tuple(said),
        is_streamed=body.get("stream") is True,
        tools=_tools(body.get("tools") or ()),
        results=results,
        schema=wanted.get("schema"),
        is_strict=wanted.get("strict") is True,
    )


def whole(request: Request, reply: Reply, tokens: Tokens, identity: str) -> dict[str, Any]:
    """The answer as one object."""
    is_whole = reply.stop != "length"
    status = "completed" if is_whole else "incomplete"
    return _response(request, identity, status) | {
        "output": _items(reply, identity),
        "usage": _usage(tokens),
        "incomplete_details": None if is_whole else {"reason": "max_output_tokens"},
    }


def events(request: Request, reply: Reply, tokens: Tokens, identity: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer as named events, each with its number."""
    for number, (name, event) in enumerate(_events(request, reply, tokens, identity)):
        yield name, {"type": name, "sequence_number": number, **event}


def failure(status: int, text: str) -> dict[str, Any]:
    """The body of an answer with an error status; chat completions have the same."""
    code = _ERRORS.get(status)
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


def _events(request: Request, reply: Reply, tokens: Tokens, identity: str) -> Iterator[tuple[str, dict[str, Any]]]:
    begun = _response(request, identity, "in_progress")
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(_items(reply, identity)):
        place = {"output_index": index, "item_id": item["id"]}
        yield "response.output_item.added", {"output_index": index, "item": _empty(item)}
        match item["type"]:
            case "function_call":
                for piece in pieces(item["arguments"]):
                    yield "response.function_call_arguments.delta", place | {"delta": piece}
                done = {"arguments": item["arguments"], "name": item["name"]}
                yield "response.function_call_arguments.done", place | done
            case "custom_tool_call":
                yield "response.custom_tool_call_input.delta", place | {"delta": item["input"]}
                yield "response.custom_tool_call_input.done", place | {"input": item["input"]}
            case _:
                yield from _message_events(item, place)
        yield "response.output_item.done", {"output_index": index, "item": item}
    last = "response.incomplete" if reply.stop == "length" else "response.completed"
    yield last, {"response": whole(request, reply, tokens, identity)}


def _message_events(item: dict[str, Any], place: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    part = item["content"][0]
    kind, key = ("refusal", "refusal") if part["type"] == "refusal" else ("output_text", "text")
    place = place | {"content_index": 0}
    yield "response.content_part.added", place | {"part": part | {key: ""}}
    extra: dict[str, Any] = {} if kind == "refusal" else {"logprobs": []}
    for piece in pieces(part[key]):
        yield f"response.{kind}.delta", place | {"delta": piece} | extra
    yield f"response.{kind}.done", place | {key: part[key]} | extra
    yield "response.content_part.done", place | {"part": part}


def _response(request: Request, identity: str, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{identity}",
        "object": "response",
        "created_at": 1,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": request.model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _items(reply: Reply, identity: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if reply.text or not reply.calls:
        part: dict[str, Any] = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        if reply.stop == "refusal":
            part = {"type": "refusal", "refusal": reply.text}
        status = "incomplete" if reply.stop == "length" else "completed"
        items.append(
            {"id": f"msg_{identity}", "type": "message", "role": "assistant", "status": status, "content": [part]}
        )
    for number, call in enumerate(reply.calls):
        named = {"call_id": f"call_{identity}_{number}", "name": call.name, "status": "completed"}
        if isinstance(call.input, str):
            items.append({"id": f"ctc_{identity}_{number}", "type": "custom_tool_call", "input": call.input} | named)
        else:
            arguments = json.dumps(call.input)
            items.append({"id": f"fc_{identity}_{number}", "type": "function_call", "arguments": arguments} | named)
    return items


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    blank: dict[str, Any] = {"function_call": {"arguments": ""}, "custom_tool_call": {"input": ""}}.get(
        item["type"], {"content": []}
    )
    return item | {"status": "in_progress"} | blank


def _tools(offered: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for tool in offered:
        if "tools" in tool:
            found |= _tools(tool["tools"])
        else:
            found[str(tool.get("name") or tool.get("type"))] = tool.get("parameters")
    return found


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.given,
        "input_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": 0},
        "output_tokens": tokens.made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens.given + tokens.made,
    }
