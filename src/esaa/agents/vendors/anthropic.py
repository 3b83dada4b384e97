"""Anthropic Messages through the official SDK, with the answer's schema in `output_config` or as a forced tool."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

from esaa.agents.vendors.vendor import CallFailed, Endpoint, Heard, Question, brief_text, seconds
from esaa.protocol.provenance import Usage

if TYPE_CHECKING:
    from anthropic import APIStatusError
    from anthropic.types import Message

_TOOL = "agent_result"
_STOPS = {"max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "refusal"}
_NO_CREDIT = "credit balance is too low"


class AnthropicVendor:
    """Asks with `output_config`; a model that does not know it is asked with a forced tool from then on."""

    client = "anthropic"
    title = "Anthropic"
    package = "anthropic"
    extra = "anthropic"
    key_names: tuple[str, ...] = ("ANTHROPIC_API_KEY",)
    url_name = "ANTHROPIC_BASE_URL"
    is_strict = False

    def __init__(self) -> None:
        self._by_tool: set[str] = set()

    def load(self) -> None:
        """Imports the SDK."""
        importlib.import_module("anthropic")

    async def ask(self, endpoint: Endpoint, question: Question) -> Heard:
        """One call. Raises `CallFailed`."""
        import anthropic

        from esaa.agents.vendors.bounded_http import BoundedTransport, bounded_client

        transport = BoundedTransport(question.answer_bytes_max)
        async with anthropic.AsyncAnthropic(
            api_key=endpoint.key,
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=question.timeout_s,
            http_client=bounded_client(transport, question.timeout_s),
        ) as client:
            try:
                return await self._ask(client, question)
            except anthropic.APIStatusError as error:
                raise _failed(error) from error
            except (anthropic.APIError, ValueError) as error:
                raise CallFailed(None, brief_text(error), is_too_large=transport.is_exceeded) from error

    async def _ask(self, client: Any, question: Question) -> Heard:
        import anthropic

        if question.model not in self._by_tool:
            try:
                return _heard(await client.messages.create(**_request(question)))
            except anthropic.BadRequestError as error:
                if question.schema is None or "output_config" not in str(error):
                    raise
                self._by_tool.add(question.model)
        return _heard(await client.messages.create(**_request(question, by_tool=True)))


def _request(question: Question, *, by_tool: bool = False) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": question.model,
        "max_tokens": question.tokens_out_max,
        "messages": [{"role": "user", "content": question.user}],
    }
    if question.system:
        request["system"] = question.system
    if question.schema is not None and by_tool:
        request["tools"] = [{"name": _TOOL, "description": "Takes the agent result.", "input_schema": question.schema}]
        request["tool_choice"] = {"type": "tool", "name": _TOOL}
    elif question.schema is not None:
        request["output_config"] = {"format": {"type": "json_schema", "schema": question.schema}}
    return request


def _heard(message: Message) -> Heard:
    import anthropic

    text = ""
    for block in message.content:
        if block.type == "text":
            text += block.text
        elif block.type == "tool_use" and block.name == _TOOL:
            text = json.dumps(block.input, ensure_ascii=False)
            break
    used = message.usage
    cached = used.cache_read_input_tokens or 0
    stop: Any = _STOPS.get(str(message.stop_reason), "end")
    return Heard(
        text=text,
        stop=stop,
        usage=Usage(
            model=message.model,
            client_version=anthropic.__version__,
            # The vendor counts what came from the cache, and what went into it, beside the rest.
            tokens_in=used.input_tokens + cached + (used.cache_creation_input_tokens or 0),
            tokens_out=used.output_tokens,
            tokens_cached=cached,
        ),
    )


def _failed(error: APIStatusError) -> CallFailed:
    # An empty account is answered with 400, and told from other bad requests by its words alone.
    return CallFailed(
        error.status_code,
        brief_text(error.message),
        retry_after_s=seconds(error.response.headers.get("retry-after")),
        is_final=_NO_CREDIT in str(error.message).lower(),
    )
