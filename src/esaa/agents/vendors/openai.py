"""OpenAI through the official SDK: Responses at OpenAI itself, Chat Completions at any endpoint that speaks them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from esaa.agents.vendors.vendor import CallFailed, Endpoint, Heard, Question, brief_text, seconds
from esaa.protocol.provenance import Usage

if TYPE_CHECKING:
    from openai import APIStatusError
    from openai.types.chat import ChatCompletion
    from openai.types.responses import Response

_NAME = "agent_result"
_NO_QUOTA = ("insufficient_quota", "billing_hard_limit_reached")


class OpenAIVendor:
    """Asks for an answer that keeps the schema strictly. `is_chat` speaks Chat Completions instead of Responses."""

    client = "openai"
    title = "OpenAI"
    package = "openai"
    extra = "openai"
    key_names: tuple[str, ...] = ("OPENAI_API_KEY",)
    url_name = "OPENAI_BASE_URL"
    is_strict = True

    def __init__(self, *, is_chat: bool = False) -> None:
        self._is_chat = is_chat

    def load(self) -> None:
        """Imports the SDK."""
        importlib.import_module("openai")

    async def ask(self, endpoint: Endpoint, question: Question) -> Heard:
        """One call. Raises `CallFailed`."""
        import openai

        from esaa.agents.vendors.bounded_http import BoundedTransport, bounded_client

        transport = BoundedTransport(question.answer_bytes_max)
        async with openai.AsyncOpenAI(
            api_key=endpoint.key,
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=question.timeout_s,
            http_client=bounded_client(transport, question.timeout_s),
        ) as client:
            try:
                if self._is_chat:
                    return _heard_chat(await client.chat.completions.create(**_chat_request(question)))
                return _heard(await client.responses.create(**_request(question)))
            except openai.APIStatusError as error:
                raise _failed(error) from error
            except (openai.APIError, ValueError) as error:
                raise CallFailed(None, brief_text(error), is_too_large=transport.is_exceeded) from error


def _request(question: Question) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": question.model,
        "input": question.user,
        "max_output_tokens": question.tokens_out_max,
        # Nothing of a project is left at the vendor for later.
        "store": False,
    }
    if question.system:
        request["instructions"] = question.system
    if question.schema is not None:
        request["text"] = {"format": {"type": "json_schema", "name": _NAME, "strict": True, "schema": question.schema}}
    return request


def _chat_request(question: Question) -> dict[str, Any]:
    messages = [{"role": "system", "content": question.system}] if question.system else []
    request: dict[str, Any] = {
        "model": question.model,
        "messages": [*messages, {"role": "user", "content": question.user}],
        # The older name: servers that are compatible know it, and OpenAI itself is asked through Responses.
        "max_tokens": question.tokens_out_max,
    }
    if question.schema is not None:
        named = {"name": _NAME, "strict": True, "schema": question.schema}
        request["response_format"] = {"type": "json_schema", "json_schema": named}
    return request


def _heard(response: Response) -> Heard:
    refusals = [
        part.refusal
        for item in response.output
        if item.type == "message"
        for part in item.content
        if part.type == "refusal"
    ]
    stop: Any = "end"
    if refusals:
        stop = "refusal"
    elif response.status == "incomplete":
        reason = None if response.incomplete_details is None else response.incomplete_details.reason
        stop = "refusal" if reason == "content_filter" else "length"
    elif response.status == "failed":
        text = "" if response.error is None else response.error.message
        raise CallFailed(500, brief_text(text))
    used = response.usage
    return Heard(
        text="".join(refusals) or response.output_text,
        stop=stop,
        usage=_usage(
            str(response.model),
            None if used is None else used.input_tokens,
            None if used is None else used.output_tokens,
            None if used is None else used.input_tokens_details.cached_tokens,
        ),
    )


def _heard_chat(completion: ChatCompletion) -> Heard:
    if not completion.choices:
        raise CallFailed(None, "the answer holds no choice")
    choice = completion.choices[0]
    refusal = choice.message.refusal
    stop: Any = {"length": "length", "content_filter": "refusal"}.get(choice.finish_reason, "end")
    used = completion.usage
    details = None if used is None else used.prompt_tokens_details
    return Heard(
        text=refusal or choice.message.content or "",
        stop="refusal" if refusal else stop,
        usage=_usage(
            completion.model,
            None if used is None else used.prompt_tokens,
            None if used is None else used.completion_tokens,
            None if details is None else details.cached_tokens,
        ),
    )


def _usage(model: str, tokens_in: int | None, tokens_out: int | None, tokens_cached: int | None) -> Usage:
    import openai

    return Usage(
        model=model,
        client_version=openai.__version__,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        tokens_cached=tokens_cached,
    )


def _failed(error: APIStatusError) -> CallFailed:
    return CallFailed(
        error.status_code,
        brief_text(error.message),
        retry_after_s=seconds(error.response.headers.get("retry-after")),
        is_final=error.code in _NO_QUOTA,
    )
