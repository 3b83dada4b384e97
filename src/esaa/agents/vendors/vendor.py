"""The port of a vendor: one question goes out, one answer comes back. Keys, retries and limits are `api_agent`'s."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from esaa.protocol.provenance import Usage

_TEXT_CHARS_MAX = 300


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a model. `schema` is the portable schema of the answer, None where only the prompt says what it is;
    `timeout_s` is what is left; more than `answer_bytes_max` bytes of an answer are not read."""

    model: str
    system: str
    user: str
    schema: dict[str, Any] | None
    tokens_out_max: int
    timeout_s: float
    answer_bytes_max: int


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said, why it stopped, and what it used."""

    text: str
    stop: Literal["end", "length", "refusal"]
    usage: Usage


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a vendor is asked (None: its own address), and with which key."""

    base_url: str | None
    key: str


class CallFailed(Exception):
    """A call that brought no answer. `status` is None where the connection broke.

    `is_final` says that no retry helps, whatever the status; `is_key_refused` that the key is not taken.
    """

    def __init__(
        self,
        status: int | None,
        text: str,
        *,
        retry_after_s: float | None = None,
        is_key_refused: bool = False,
        is_final: bool = False,
        is_too_large: bool = False,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry_after_s = retry_after_s
        self.is_key_refused = is_key_refused or status in (401, 403)
        self.is_final = is_final
        self.is_too_large = is_too_large


class Vendor(Protocol):
    """A vendor's API through its SDK."""

    client: str
    """The name that stands in provenance: `anthropic`, `openai` or `google`."""
    title: str
    """The name in messages."""
    package: str
    """The distribution that holds the SDK."""
    extra: str
    """The extra of esaa that brings it."""
    key_names: tuple[str, ...]
    """The variables that may hold the key, the first that is set wins."""
    url_name: str
    """The variable that may hold another address."""
    is_strict: bool
    """True when its schemas require every property."""

    def load(self) -> None:
        """Imports the SDK. Raises `ImportError`."""
        ...

    async def ask(self, endpoint: Endpoint, question: Question) -> Heard:
        """One call, without a retry. Raises `CallFailed`."""
        ...


def brief_text(text: object) -> str:
    """A vendor's words on one line, short enough for a message."""
    line = " ".join(str(text).split())
    return line if len(line) <= _TEXT_CHARS_MAX else line[: _TEXT_CHARS_MAX - 3] + "..."


def seconds(value: str | None) -> float | None:
    """The seconds of a `retry-after` header, None where it holds no sensible number."""
    try:
        found = float(value) if value is not None else None
    except ValueError:
        return None
    return found if found is not None and 0 <= found < 86_400 else None
