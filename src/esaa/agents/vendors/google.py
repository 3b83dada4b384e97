"""Google's Gemini API through the official SDK, with the answer's schema as `response_json_schema`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from esaa.agents.vendors.vendor import CallFailed, Endpoint, Heard, Question, brief_text, seconds
from esaa.protocol.provenance import Usage

if TYPE_CHECKING:
    from google.genai.errors import APIError
    from google.genai.types import GenerateContentResponse

_WRONG_KEY = "API_KEY_INVALID"
_ENDED = ("STOP", "FINISH_REASON_UNSPECIFIED", "OTHER")


class GoogleVendor:
    """Asks the Gemini API (not Vertex)."""

    client = "google"
    title = "Google"
    package = "google-genai"
    extra = "gemini"
    key_names: tuple[str, ...] = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    url_name = "GOOGLE_GEMINI_BASE_URL"
    is_strict = False

    def load(self) -> None:
        """Imports the SDK."""
        importlib.import_module("google.genai")

    async def ask(self, endpoint: Endpoint, question: Question) -> Heard:
        """One call. Raises `CallFailed`."""
        import httpx2
        from google import genai
        from google.genai import errors, types

        from esaa.agents.vendors.bounded_http import BoundedTransport, bounded_client, trusted_roots

        transport = BoundedTransport(question.answer_bytes_max)
        http = bounded_client(transport, question.timeout_s)
        client = genai.Client(
            api_key=endpoint.key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=endpoint.base_url,
                timeout=max(1, int(question.timeout_s * 1000)),
                httpx_async_client=http,
                # For clients that it makes and that are not used here.
                client_args={"verify": trusted_roots()},
                async_client_args={"verify": trusted_roots()},
            ),
        )
        try:
            answer = await client.aio.models.generate_content(
                model=question.model, contents=question.user, config=_settings(question)
            )
        except errors.APIError as error:
            raise _failed(error) from error
        except (httpx2.HTTPError, ValueError) as error:
            raise CallFailed(None, brief_text(error), is_too_large=transport.is_exceeded) from error
        finally:
            client.close()
            await client.aio.aclose()
            await http.aclose()
        return _heard(question, answer)


def _settings(question: Question) -> Any:
    from google.genai import types

    structured: dict[str, Any] = {}
    if question.schema is not None:
        structured = {"response_mime_type": "application/json", "response_json_schema": question.schema}
    return types.GenerateContentConfig(
        system_instruction=question.system or None, max_output_tokens=question.tokens_out_max, **structured
    )


def _heard(question: Question, answer: GenerateContentResponse) -> Heard:
    from google import genai

    used = answer.usage_metadata
    usage = Usage(
        model=answer.model_version or question.model,
        client_version=genai.__version__,
        tokens_in=None if used is None else used.prompt_token_count,
        tokens_out=None if used is None else (used.candidates_token_count or 0) + (used.thoughts_token_count or 0),
        tokens_cached=None if used is None else used.cached_content_token_count or 0,
    )
    blocked = None if answer.prompt_feedback is None else answer.prompt_feedback.block_reason
    if not answer.candidates:
        return Heard(text=f"the prompt was blocked: {blocked}" if blocked else "", stop="refusal", usage=usage)
    candidate = answer.candidates[0]
    parts = (candidate.content.parts if candidate.content is not None else None) or ()
    text = "".join(part.text for part in parts if part.text and not part.thought)
    reason = "STOP" if candidate.finish_reason is None else str(candidate.finish_reason.value)
    stop: Any = "end" if reason in _ENDED else "length" if reason == "MAX_TOKENS" else "refusal"
    return Heard(text=text or (reason if stop == "refusal" else ""), stop=stop, usage=usage)


def _failed(error: APIError) -> CallFailed:
    headers = getattr(error.response, "headers", None) or {}
    return CallFailed(
        error.code,
        brief_text(error.message or error.status),
        retry_after_s=seconds(headers.get("retry-after")),
        is_key_refused=_WRONG_KEY in str(error.details),
    )
