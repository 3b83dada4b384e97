"""The default answer: read the context that a prompt of esaa holds, and do what the contract asks, nothing more."""

from __future__ import annotations

import json
from typing import Any, Literal

from esaa.agents.base import Dispatch
from esaa.agents.scripted import obedient
from esaa.dev.fake_llm.client_tools import write_call, writers
from esaa.dev.fake_llm.conversation import Call, Reply, Request
from esaa.dev.fake_llm.schemas import fitted, sample
from esaa.protocol.scheduling import Order

HandIn = Literal["result", "tools"]
"""How files are delivered: in the result, or through the client's own tools, with a result that names none."""


def obey(request: Request, hand_in: HandIn) -> Reply:
    """The obedient answer; a short text, or a value that fits the schema, where the prompt is not about a task."""
    if request.is_handed_in:
        return Reply(text="The result is handed in.")
    context = find_context(request)
    if context is None or not _is_about_results(request.schema):
        return Reply(text="ok") if request.schema is None else structured(request, sample(request.schema))
    result = obedient_result(context)
    if hand_in == "tools" and (calls := _writes(request, result.get("file_updates", []))) is not None:
        if request.results < len(calls):
            return Reply(text="I write the files.", calls=tuple(calls))
        result.pop("file_updates", None)
    return structured(request, result)


def obedient_result(context: dict[str, Any]) -> dict[str, Any]:
    """The agent result that a context asks for."""
    ask = context["ask"]
    order = Order(
        task_id=ask["task_id"],
        action=ask["action"],
        actor=str(context.get("actor", "")),
        attempt=int(ask.get("attempt", 1)),
        template=str(ask.get("template", "")),
    )
    given = obedient(Dispatch(order=order, context=b"", timeout_s=0), context)
    assert isinstance(given, dict), "the obedient script answers with an object"
    return given


def structured(request: Request, value: Any) -> Reply:
    """A JSON value in the way that the request wants it: through the tool that takes it, or as text."""
    if request.schema is not None:
        value = fitted(value, request.schema)
    if request.answer_tool is not None and isinstance(value, dict):
        return Reply(calls=(Call(name=request.answer_tool, input=value),))
    return Reply(text=value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def find_context(request: Request) -> dict[str, Any] | None:
    """The last purified context in what was said, or None."""
    decoder = json.JSONDecoder()
    for text in reversed(request.said):
        found: dict[str, Any] | None = None
        at = text.find("{") if '"context_version"' in text else -1
        while at >= 0:
            try:
                value, end = decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                end = at + 1
            else:
                if "context_version" in value and isinstance(value.get("ask"), dict):
                    found = value
            at = text.find("{", end)
        if found is not None:
            return found
    return None


def _is_about_results(schema: dict[str, Any] | None) -> bool:
    return schema is None or "activity_event" in schema.get("properties", {})


def _writes(request: Request, updates: list[dict[str, Any]]) -> list[Call] | None:
    """The calls that write files by the first tool that is offered, or None where there is none that could."""
    tool = next(iter(writers(request)), None)
    if tool is None:
        return None
    return [write_call(request, tool, one["path"], one["content"]) for one in updates]
