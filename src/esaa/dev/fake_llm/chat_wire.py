"""OpenAI Chat Completions, which many other servers speak too: requests read, answers written whole and as events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from esaa.dev.fake_llm.conversation import Reply, Request, Tokens, pieces, texts_of

_STOPS = {"end": "stop", "length": "length", "refusal": "stop"}


def read(body: dict[str, Any]) -> Request:
    """A request to `/v1/chat/completions`."""
    said: list[str] = []
    results = 0
    for message in body.get("messages") or ():
        if message.get("role") != "assistant":
            said += texts_of(message.get("content"))
        results += message.get("role") == "tool"
    functions = [tool["function"] for tool in body.get("tools") or () if isinstance(tool.get("function"), dict)]
    wanted = body.get("response_format") or {}
    named = wanted.get("json_schema") or {}
    return Request(
        api="openai-chat",
        model=str(body.get("model")),
        said=tuple(said),
        is_streamed=body.get("stream") is True,
        tools={str(one.get("name")): one.get("parameters") for one in functions},
        results=results,
        schema=named.get("schema"),
        is_strict=named.get("strict") is True,
    )


def whole(request: Request, reply: Reply, tokens: Tokens, identity: str) -> dict[str, Any]:
    """The answer as one object."""
    is_refused = reply.stop == "refusal"
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if is_refused or (reply.calls and not reply.text) else reply.text,
        "refusal": reply.text if is_refused else None,
    }
    if reply.calls:
        message["tool_calls"] = _calls(reply, identity)
    choice = {"index": 0, "message": message, "finish_reason": _stop(reply), "logprobs": None}
    return _head(request, identity, "chat.completion") | {"choices": [choice], "usage": _usage(tokens)}


def events(request: Request, reply: Reply, tokens: Tokens, identity: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer as chunks. The server writes the `[DONE]` behind them."""
    head = _head(request, identity, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], stop: str | None = None) -> tuple[str, dict[str, Any]]:
        return "", head | {"choices": [{"index": 0, "delta": delta, "finish_reason": stop, "logprobs": None}]}

    yield chunk({"role": "assistant", "content": ""})
    if reply.text:
        key = "refusal" if reply.stop == "refusal" else "content"
        for piece in pieces(reply.text):
            yield chunk({key: piece})
    for index, call in enumerate(_calls(reply, identity)):
        yield chunk({"tool_calls": [{"index": index} | call]})
    yield chunk({}, _stop(reply))
    yield "", head | {"choices": [], "usage": _usage(tokens)}


def _head(request: Request, identity: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{identity}", "object": kind, "created": 1, "model": request.model}


def _calls(reply: Reply, identity: str) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{identity}_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.input)},
        }
        for number, call in enumerate(reply.calls)
    ]


def _stop(reply: Reply) -> str:
    return "tool_calls" if reply.calls and reply.stop == "end" else _STOPS[reply.stop]


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.given,
        "completion_tokens": tokens.made,
        "total_tokens": tokens.given + tokens.made,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
    }
