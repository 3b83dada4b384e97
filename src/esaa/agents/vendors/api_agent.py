"""A model behind an API as an agent: key, schema, time limit, retries, and what each failure means for the run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from esaa.agents.base import Answer, Dispatch
from esaa.agents.vendors.keys import KEYRING_SERVICE, find_key, without_key
from esaa.agents.vendors.schemas import schema_of
from esaa.agents.vendors.vendor import CallFailed, Endpoint, Heard, Question, Vendor
from esaa.errors import AgentCrashed, AgentError, AgentTimedOut, AgentUnavailable, ConfigError
from esaa.protocol.answer_schema import without_nulls
from esaa.protocol.provenance import Usage

TOKENS_OUT_MAX = 16_000
"""What an answer may have where the actor names no limit."""

_TRIES_MAX = 6
_FIRST_PAUSE_S = 0.5
_PAUSE_S_MAX = 30.0
_RETRIED = (408, 409, 425, 429)
_NO_CREDIT = 402
_UNKNOWN = 404
_SERVER = 500
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NO_KEY = "none"


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How an actor asks: the model, the bounds of a call, the variables that may hold the key, another address.

    An address that the project names gets a key only from variables that the project names too.
    """

    model: str
    output_bytes_max: int
    tokens_out_max: int = TOKENS_OUT_MAX
    timeout_s: float | None = None
    key_names: tuple[str, ...] = ()
    base_url: str | None = None


class ApiAgent:
    """Asks a vendor. 429, 5xx and broken connections are tried again, with growing pauses, within the time limit."""

    def __init__(
        self,
        vendor: Vendor,
        settings: ApiSettings,
        environ: Mapping[str, str] | None = None,
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._vendor = vendor
        self._settings = settings
        self._environ = environ
        self._first_pause_s = first_pause_s
        if settings.base_url is not None:
            _checked_url(settings.base_url, has_key=bool(settings.key_names))

    async def answer(self, dispatch: Dispatch) -> Answer:
        """What the model said. Raises `AgentUnavailable` (no SDK, no key, a key or model that is not taken),
        `AgentTimedOut`, and `AgentCrashed` (failures that did not end, a refusal, an answer that was cut short)."""
        vendor, settings = self._vendor, self._settings
        if dispatch.prompt is None:
            text = f"There is no prompt for {dispatch.order.task_id}, and a model has to be told something."
            raise AgentError("PROMPT_MISSING", text, "See which template the actor's assignment names.")
        try:
            # The SDKs take seconds to import; other agents go on meanwhile.
            await asyncio.to_thread(vendor.load)
        except ImportError as error:
            text = f"The agent {vendor.client} needs the package {vendor.package}, which is not installed ({error})."
            raise AgentUnavailable("EXTRA_MISSING", text, f"pip install 'esaa[{vendor.extra}]'") from error
        endpoint = Endpoint(base_url=self._base_url(), key=await asyncio.to_thread(self._key))
        timeout_s = min(dispatch.timeout_s, settings.timeout_s or dispatch.timeout_s)
        question = Question(
            model=settings.model,
            system=dispatch.prompt.system,
            user=dispatch.prompt.user,
            schema=schema_of(dispatch.schema, is_strict=vendor.is_strict),
            tokens_out_max=settings.tokens_out_max,
            timeout_s=timeout_s,
            answer_bytes_max=settings.output_bytes_max,
        )
        began = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                heard = await self._heard(endpoint, question, began + timeout_s)
        except TimeoutError as error:
            text = f"{vendor.title} gave no answer within {timeout_s:g} s."
            usage = Usage(model=settings.model, client=vendor.client, duration_s=time.monotonic() - began)
            raise AgentTimedOut("AGENT_TIMED_OUT", text, "Raise the limit, or ask for less.", usage=usage) from error
        return self._judged(heard, time.monotonic() - began, has_nulls=question.schema is not None)

    async def _heard(self, endpoint: Endpoint, question: Question, until: float) -> Heard:
        pause_s = self._first_pause_s
        tries = 0
        while True:
            tries += 1
            left_s = max(until - time.monotonic(), 0.001)
            try:
                return await self._vendor.ask(endpoint, msgspec.structs.replace(question, timeout_s=left_s))
            except CallFailed as error:
                failed = error
            except (AttributeError, TypeError, KeyError, IndexError) as error:
                # The SDKs hand on what a server answers without a look at its shape.
                failed = CallFailed(None, f"the answer has not the documented shape ({error!r})")
            wait_s = max(pause_s, failed.retry_after_s or 0.0)
            # A connection that broke at the end of the time is the time limit's to tell.
            is_too_late = failed.status is not None and time.monotonic() + wait_s >= until
            if tries == _TRIES_MAX or is_too_late or not _may_pass(failed):
                raise self._failure(failed, endpoint, tries)
            await asyncio.sleep(wait_s)
            pause_s = min(pause_s * 2, _PAUSE_S_MAX)

    def _failure(self, failed: CallFailed, endpoint: Endpoint, tries: int) -> AgentError:
        vendor, settings = self._vendor, self._settings
        said = without_key(failed.text, endpoint.key)
        if failed.is_key_refused:
            # What a vendor says of a wrong key may hold a part of it.
            text = f"{vendor.title} does not take the key ({failed.status})."
            return AgentUnavailable(
                "KEY_REFUSED", text, f"Set {' or '.join(self._key_names())} to a key that is valid."
            )
        if failed.status == _UNKNOWN:
            text = f"{vendor.title} does not know the model {settings.model!r} or the address (404): {said}"
            return AgentUnavailable("MODEL_UNKNOWN", text, "See `model` of the actor in agents_swarm.yaml.")
        if failed.is_final or failed.status == _NO_CREDIT:
            text = f"{vendor.title} answers no more calls ({failed.status}): {said}"
            return AgentUnavailable("QUOTA_EXHAUSTED", text, "See the account at the vendor, then run again.")
        usage = Usage(model=settings.model, client=vendor.client)
        if failed.is_too_large:
            text = f"The answer of {vendor.title} has more than {settings.output_bytes_max} bytes."
            return AgentCrashed("OUTPUT_TOO_LARGE", text, "Ask for less at once.", usage=usage)
        what = "The connection broke" if failed.status is None else f"It answered {failed.status}"
        text = f"{vendor.title} gave no answer in {tries} {'try' if tries == 1 else 'tries'}. {what}: {said}"
        return AgentCrashed("API_FAILED", text, "Nothing was lost; the next attempt asks again.", usage=usage)

    def _judged(self, heard: Heard, duration_s: float, *, has_nulls: bool) -> Answer:
        vendor, settings = self._vendor, self._settings
        usage = msgspec.structs.replace(heard.usage, client=vendor.client, duration_s=duration_s)
        if heard.stop == "refusal":
            text = f"The model {settings.model} refused to answer: {' '.join(heard.text.split())[:300]}"
            raise AgentCrashed(
                "ANSWER_REFUSED", text, "Say the task in other words, or ask another model.", usage=usage
            )
        if heard.stop == "length":
            text = (
                f"The answer of {settings.model} was cut short at {usage.tokens_out or settings.tokens_out_max} tokens."
            )
            hint = "Answer with less (edits instead of whole files), or raise limits.tokens_out_max of the actor."
            raise AgentCrashed("ANSWER_CUT_SHORT", text, hint, usage=usage)
        result = heard.text.encode("utf-8", "surrogatepass")
        if len(result) > settings.output_bytes_max:
            text = f"The answer of {vendor.title} has more than {settings.output_bytes_max} bytes."
            raise AgentCrashed("OUTPUT_TOO_LARGE", text, "Ask for less at once.", usage=usage)
        # Only a strict schema makes a model write null for what it leaves out.
        return Answer(result=without_nulls(result) if vendor.is_strict and has_nulls else result, usage=usage)

    def _key_names(self) -> tuple[str, ...]:
        return self._settings.key_names or self._vendor.key_names

    def _key(self) -> str:
        if self._settings.base_url is not None and not self._settings.key_names:
            return _NO_KEY
        names = self._key_names()
        if (key := find_key(names, self._environ)) is not None:
            return key
        text = f"There is no API key for {self._vendor.title}: {' and '.join(names)} not set."
        hint = f"Set {names[0]}, or store it: `keyring set {KEYRING_SERVICE} {names[0]}` (pip install 'esaa[keyring]')."
        raise AgentUnavailable("KEY_MISSING", text, hint)

    def _base_url(self) -> str | None:
        import os

        variables = os.environ if self._environ is None else self._environ
        return self._settings.base_url or variables.get(self._vendor.url_name) or None


def _may_pass(failed: CallFailed) -> bool:
    if failed.is_final or failed.is_too_large or failed.is_key_refused:
        return False
    return failed.status is None or failed.status in _RETRIED or failed.status >= _SERVER


def _checked_url(url: str, *, has_key: bool) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or parts.query:
        raise ConfigError(
            "BASE_URL_INVALID", "The adapter's BASE_URL is no plain http address.", "Example: http://127.0.0.1:8000/v1"
        )
    if has_key and parts.scheme == "http" and host not in _LOOPBACK:
        text = f"A key would go to {host} in the clear."
        raise ConfigError("BASE_URL_INVALID", text, "Use https, or take `env` away from the actor.")
