"""One ACP session from the handshake to the end of its one turn, and what it used. Needs the `acp` extra."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from acp.connection import Connection
from acp.exceptions import RequestError
from acp.meta import PROTOCOL_VERSION
from acp.schema import (
    AuthenticateRequest,
    ClientCapabilities,
    EnvVarAuthMethod,
    FileSystemCapabilities,
    Implementation,
    InitializeRequest,
    InitializeResponse,
    NewSessionRequest,
    NewSessionResponse,
    PromptRequest,
    PromptResponse,
    SessionConfigOptionSelect,
    SetSessionConfigOptionSelectRequest,
    TextContentBlock,
)
from pydantic import BaseModel, ValidationError

from esaa.agents.acp.conversation import Conversation
from esaa.agents.acp.desk import Desk, as_params
from esaa.agents.acp.tree import SessionTree
from esaa.agents.base import Usage
from esaa.agents.bounds import Bounds
from esaa.errors import AgentCrashed, AgentUnavailable
from esaa.version import __version__

TESTED: Mapping[str, tuple[str, ...]] = {
    "gemini-cli": ("0.61.0",),
    "@agentclientprotocol/claude-agent-acp": ("0.100.0",),
}
"""The agents that were tested, by the name that they say, with their versions."""

_HANDSHAKE_S = 120.0
_REFUSALS_SHOWN = 5
_AUTH_REQUIRED = -32000
_KEYED_METHODS = {"gemini-api-key": "GEMINI_API_KEY"}
"""Ways to log in that need no person where the variable is set; the agent does not say so itself."""

_ENDS = {
    "max_tokens": ("ANSWER_CUT", "reached its limit of tokens before its answer was whole", "Ask for less at once."),
    "max_turn_requests": ("ANSWER_CUT", "reached its limit of requests in one turn", "Ask for less at once."),
    "refusal": ("AGENT_REFUSED", "refused to answer", "Read the task as the model reads it, and word it anew."),
    "cancelled": ("AGENT_CANCELLED", "says that its turn was cancelled", "Nobody here cancelled it; look at its log."),
}

_Response = TypeVar("_Response", bound=BaseModel)


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is opened with.

    - `name`: the program's. `environment`: what it got of ours. `model`: the one that is wanted.
    - `sandbox`: the level of the one around it. `granted`: kinds of tool calls that are safe because of it.
    - `hides`: takes keys out of what the agent says of its troubles.
    """

    name: str
    environment: Mapping[str, str]
    model: str | None = None
    sandbox: str = "none"
    granted: tuple[str, ...] = ()
    hides: Callable[[str], str]


class Session:
    """Speaks with one agent. The conversation was started before and is ended by the caller."""

    def __init__(self, ordered: Ordered, conversation: Conversation, bounds: Bounds, tree: SessionTree) -> None:
        self._ordered = ordered
        self._conversation = conversation
        self._desk = Desk(
            bounds,
            tree,
            bytes_max=conversation.message_bytes_max,
            overflow=conversation.overflow,
            granted=ordered.granted,
        )
        self._begin = time.monotonic()
        self._agent: InitializeResponse | None = None
        self._model: str | None = None
        self._ended: PromptResponse | None = None

    async def run(self, directory: Path, texts: tuple[str, ...]) -> None:
        """Opens a session in the directory and says the texts; returns when the agent's turn has ended well.

        Raises `AgentUnavailable` where no session can be opened, `AgentCrashed` where the turn ends badly.
        """
        connection = Connection(self._desk.handle, self._conversation)
        try:
            opened = await self._open(connection, directory)
            if self._ordered.model is not None:
                await self._choose(connection, opened, self._ordered.model)
            prompt = PromptRequest(
                session_id=opened.session_id, prompt=[TextContentBlock(type="text", text=text) for text in texts]
            )
            try:
                ended = await _ask(connection, "session/prompt", prompt, PromptResponse)
            except (RequestError, ConnectionError, ValidationError) as error:
                raise await self._crashed(error) from error
        finally:
            await connection.close()
        self._ended = ended
        if ended.stop_reason != "end_turn":
            code, what, hint = _ENDS[ended.stop_reason]
            raise AgentCrashed(code, f"{self._ordered.name} {what}.", hint, usage=self.usage())

    def said(self) -> str:
        """The agent's last message."""
        return self._desk.said()

    def remarks(self) -> tuple[str, ...]:
        """What a result cannot say: an untested version, and what the agent was refused."""
        info = None if self._agent is None else self._agent.agent_info
        remarks: list[str] = []
        tested = () if info is None else TESTED.get(info.name, ())
        if info is None or info.version not in tested:
            who = self._ordered.name if info is None else f"{info.name} {info.version}"[:120]
            known = f" (tested: {', '.join(tested)})" if tested else ""
            remarks.append(f"{who} was never tested with esaa over ACP{known}.")
        refusals = self._desk.refusals
        if refusals:
            more = f", and {len(refusals) - _REFUSALS_SHOWN} more" if len(refusals) > _REFUSALS_SHOWN else ""
            remarks.append(f"The agent was refused: {'; '.join(refusals[:_REFUSALS_SHOWN])}{more}.")
        if self._desk.mode is not None:
            # A mode may mean that the agent asks no more. The private copy and the sandbox bound what it does then.
            remarks.append(f"The agent went into its mode {self._desk.mode!r} by itself.")
        return tuple(self._ordered.hides(remark) for remark in remarks)

    def usage(self) -> Usage:
        """What the session used so far, as far as the agent said."""
        info = None if self._agent is None else self._agent.agent_info
        tokens = _tokens(self._ended)
        return Usage(
            model=tokens.model or self._model,
            client=f"acp:{(self._ordered.name.rpartition('/')[2] if info is None else info.name)[:80]}",
            client_version=None if info is None else info.version[:80],
            tokens_in=tokens.tokens_in,
            tokens_out=tokens.tokens_out,
            tokens_cached=tokens.tokens_cached,
            cost_micro_usd=self._desk.cost_micro_usd,
            duration_s=round(time.monotonic() - self._begin, 3),
            sandbox=self._ordered.sandbox,
        )

    async def _open(self, connection: Connection, directory: Path) -> NewSessionResponse:
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                self._agent = agent = await _ask(connection, "initialize", _HELLO, InitializeResponse)
                if agent.protocol_version != PROTOCOL_VERSION:
                    raise AgentUnavailable(
                        "AGENT_TOO_NEW" if agent.protocol_version > PROTOCOL_VERSION else "AGENT_TOO_OLD",
                        f"{self._ordered.name} speaks ACP {agent.protocol_version}, and esaa {PROTOCOL_VERSION}.",
                        "Install a version of the agent that speaks it.",
                    )
                await self._log_in(connection, agent)
                request = NewSessionRequest(cwd=str(directory), mcp_servers=[])
                return await _ask(connection, "session/new", request, NewSessionResponse)
        except TimeoutError as error:
            if self._agent is not None:
                # It speaks ACP, and only this once opened no session: that may go better the next time.
                raise AgentCrashed(
                    "ACP_NO_SESSION",
                    f"{self._ordered.name} opened no session within {_HANDSHAKE_S:.0f} s ({self._last_words()}).",
                    "It is tried again. Start it by hand and look at what it says.",
                    usage=self.usage(),
                ) from error
            raise AgentUnavailable(
                "ACP_NO_HANDSHAKE",
                f"{self._ordered.name} opened no ACP session within {_HANDSHAKE_S:.0f} s ({self._last_words()}).",
                "Is it an agent that speaks ACP on its standard streams? Some need an option such as --acp.",
            ) from error
        except RequestError as error:
            if error.code == _AUTH_REQUIRED:
                raise self._not_logged_in() from error
            raise AgentUnavailable(
                "ACP_SESSION_REFUSED",
                f"{self._ordered.name} opens no session: {self._told(error)}",
                "Start it by hand and look at what it says.",
            ) from error
        except (ConnectionError, ValidationError) as error:
            crashed = await self._crashed(error)
            raise AgentUnavailable(
                "ACP_NO_HANDSHAKE",
                crashed.message,
                "Is it an agent that speaks ACP on its standard streams? Some need an option such as --acp.",
            ) from error

    async def _log_in(self, connection: Connection, agent: InitializeResponse) -> None:
        """With a key that is there. Never by a way that would ask a person: nobody looks."""
        for method in agent.auth_methods or ():
            if isinstance(method, EnvVarAuthMethod):
                names = [one.name for one in method.vars if not one.optional]
            else:
                names = [_KEYED_METHODS[method.id]] if method.id in _KEYED_METHODS else []
            if names and all(self._ordered.environment.get(name) for name in names):
                await connection.send_request("authenticate", as_params(AuthenticateRequest(method_id=method.id)))
                return

    def _not_logged_in(self) -> AgentUnavailable:
        methods = [method.name for method in (self._agent.auth_methods if self._agent else None) or ()]
        return AgentUnavailable(
            "AGENT_NOT_LOGGED_IN",
            f"{self._ordered.name} is not logged in and has no key.",
            f"Log in with it once by hand ({', '.join(methods) or 'see its manual'}), or hand on the variable of its "
            "key with `env:` in agents_swarm.yaml.",
        )

    async def _choose(self, connection: Connection, opened: NewSessionResponse, model: str) -> None:
        choices = [one for one in opened.config_options or () if isinstance(one, SessionConfigOptionSelect)]
        choice = next((one for one in choices if one.category == "model" or one.id == "model"), None)
        hint = "Give the model in the program's own arguments: `acp:PROGRAM --model NAME`."
        if choice is None:
            raise AgentUnavailable("MODEL_NOT_OFFERED", f"{self._ordered.name} offers no choice of a model.", hint)
        request = SetSessionConfigOptionSelectRequest(session_id=opened.session_id, config_id=choice.id, value=model)
        try:
            await connection.send_request("session/set_config_option", as_params(request))
        except (RequestError, ConnectionError) as error:
            raise AgentUnavailable(
                "MODEL_NOT_OFFERED",
                f"{self._ordered.name} does not take the model {model!r}: {self._told(error)}",
                hint,
            ) from error
        self._model = model

    async def _crashed(self, error: Exception) -> AgentCrashed | AgentUnavailable:
        """The error for a turn that was not ended by the agent's own word."""
        name = self._ordered.name
        if self._conversation.is_too_large:
            return AgentCrashed(
                "OUTPUT_TOO_LARGE",
                f"{name} said more than an answer may have and was ended.",
                "An agent answers with one JSON object.",
                usage=self.usage(),
            )
        if isinstance(error, RequestError):
            if error.code == _AUTH_REQUIRED:
                return self._not_logged_in()
            return AgentCrashed(
                "AGENT_CRASHED",
                f"{name} ended its turn with an error: {self._told(error)}",
                "Start it by hand and look at what it says.",
                usage=self.usage(),
            )
        if isinstance(error, ValidationError):
            what = f"{name} answered what is no ACP: {error.errors()[0]['msg']}"
        else:
            await self._conversation.gone()
            code = self._conversation.exit_code()
            how = "closed the connection" if code is None else f"ended with exit code {code}"
            what = f"{name} {how} before it answered: {self._last_words()}"
        return AgentCrashed("AGENT_CRASHED", what, "Start it by hand and look at what it says.", usage=self.usage())

    def _told(self, error: Exception) -> str:
        """What the agent says of an error, without what could be long."""
        data = error.data if isinstance(error, RequestError) else None
        details = data.get("details") if isinstance(data, dict) else None
        text = f"{error}{f' ({details})' if isinstance(details, str) else ''}"
        return self._ordered.hides(text)[:400]

    def _last_words(self) -> str:
        return self._ordered.hides(self._conversation.last_words())


# Writes come through us. Reads need not: the copy that the session works in holds what may be read, and no more. And
# Gemini CLI cannot make a new file where reads do: it takes "there is no such file" for a failure.
_HELLO = InitializeRequest(
    protocol_version=PROTOCOL_VERSION,
    client_capabilities=ClientCapabilities(
        fs=FileSystemCapabilities(read_text_file=False, write_text_file=True), terminal=False
    ),
    client_info=Implementation(name="esaa", version=__version__),
)


class _Tokens(msgspec.Struct, frozen=True, kw_only=True):
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    model: str | None = None


def _tokens(ended: PromptResponse | None) -> _Tokens:
    """The tokens of a turn. `inputTokens` may or may not count what came from a cache; the total tells which."""
    if ended is None:
        return _Tokens()
    usage = ended.usage
    if usage is None:
        return _quota(ended)
    tokens_in = max(usage.input_tokens, usage.total_tokens - usage.output_tokens - (usage.thought_tokens or 0))
    return _Tokens(
        tokens_in=tokens_in,
        tokens_out=max(usage.output_tokens, usage.total_tokens - tokens_in),
        tokens_cached=usage.cached_read_tokens,
    )


class _QuotaTokens(msgspec.Struct, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0


class _QuotaModel(msgspec.Struct, frozen=True):
    model: str
    token_count: _QuotaTokens = _QuotaTokens()


class _Quota(msgspec.Struct, frozen=True):
    token_count: _QuotaTokens
    model_usage: tuple[_QuotaModel, ...] = ()


def _quota(ended: PromptResponse) -> _Tokens:
    """What Gemini CLI says in a field of its own, `_meta.quota`."""
    try:
        quota = msgspec.convert((ended.field_meta or {}).get("quota"), _Quota)
    except msgspec.ValidationError:
        return _Tokens()
    # `auto` is its word for the one that it chose itself, which stands beside it.
    models = sorted(quota.model_usage, key=lambda one: (one.model == "auto", -one.token_count.output_tokens))
    return _Tokens(
        tokens_in=quota.token_count.input_tokens,
        tokens_out=quota.token_count.output_tokens,
        model=models[0].model[:120] if models else None,
    )


async def _ask(connection: Connection, method: str, request: BaseModel, response: type[_Response]) -> _Response:
    return response.model_validate(await connection.send_request(method, as_params(request)))
