"""From an adapter's text (`cassette:DIR`, `command:PROGRAM`, `anthropic`, `manual`) to the agent behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from esaa.agents.base import Agent
from esaa.agents.cassette import CassetteAgent
from esaa.agents.command import CommandAgent
from esaa.agents.scripted import ScriptedAgent
from esaa.errors import ConfigError

if TYPE_CHECKING:
    from esaa.agents.bounds import Bounds
    from esaa.agents.sandbox.enclosure import Enclosure
    from esaa.contracts.swarm import Actor
    from esaa.protocol.scheduling import Order

ADAPTERS = (
    "claude-code",
    "codex",
    "gemini-cli",
    "anthropic",
    "openai[:BASE_URL]",
    "google",
    "scripted",
    "cassette:DIR",
    "acp:PROGRAM [ARGUMENTS]",
    "command:PROGRAM [ARGUMENTS]",
    "manual",
)


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent with hands of its own stands on: its actor's enclosure, made when the first such agent is, and
    what an order may touch. `confines_commands`: whether programs of the `command` adapter are in it too."""

    enclosure_of: Callable[[], Enclosure]
    bounds_of: Callable[[Order], Bounds]
    confines_commands: bool = False


def make_agent(
    adapter: str, root: Path, output_bytes_max: int, actor: Actor | None = None, ground: Ground | None = None
) -> Agent | None:
    """The agent of an adapter, or None for `manual` (a person or a tool submits). Raises `ConfigError`.

    `actor` says which model is asked, and the bounds of a call. `ground` is for agents that are programs with hands of
    their own; without it they cannot be made.
    """
    name, _, argument = adapter.partition(":")
    match name:
        case "manual" if not argument:
            return None
        case "scripted" if not argument:
            return ScriptedAgent()
        case "cassette" if argument:
            directory = root / argument
            if not directory.is_dir():
                raise ConfigError(
                    "CASSETTES_MISSING", f"There is no directory of cassettes {directory}.", "Give it: `cassette:DIR`."
                )
            return CassetteAgent(directory, output_bytes_max)
        case "command" if argument:
            is_confined = ground is not None and ground.confines_commands
            enclosure = ground.enclosure_of() if ground is not None and is_confined else None
            return CommandAgent(argument, root, output_bytes_max, enclosure)
        case "claude-code" | "codex" | "gemini-cli" if not argument and ground is not None:
            return _cli_agent(name, ground, actor)
        case "acp" if argument and ground is not None:
            return _acp_agent(argument, ground, output_bytes_max, actor)
        case "anthropic" | "google" if not argument:
            return _api_agent(name, None, output_bytes_max, actor)
        case "openai":
            return _api_agent(name, argument or None, output_bytes_max, actor)
        case _:
            raise ConfigError("ADAPTER_UNKNOWN", f"{adapter!r} is no adapter.", f"Known: {', '.join(ADAPTERS)}.")


def _cli_agent(name: str, ground: Ground, actor: Actor | None) -> Agent:
    from esaa.agents.clis.agent import CliAgent, CliSettings
    from esaa.agents.clis.claude_code import ClaudeCode
    from esaa.agents.clis.codex import Codex
    from esaa.agents.clis.dialect import Dialect
    from esaa.agents.clis.gemini import Gemini

    dialects: tuple[Dialect, ...] = (ClaudeCode(), Codex(), Gemini())
    dialect = next(one for one in dialects if one.name == name)
    settings = CliSettings()
    if actor is not None:
        limits = actor.limits
        settings = CliSettings(
            model=actor.model, timeout_s=limits.timeout_s, tokens_out_max=limits.tokens_out_max, env=actor.env
        )
    return CliAgent(dialect, ground.enclosure_of(), lambda order: ground.bounds_of(order).readable, settings)


def _acp_agent(command: str, ground: Ground, output_bytes_max: int, actor: Actor | None) -> Agent:
    from esaa.agents.acp.agent import AcpAgent, AcpSettings

    settings = AcpSettings(output_bytes_max=output_bytes_max)
    if actor is not None:
        settings = AcpSettings(
            output_bytes_max=output_bytes_max, model=actor.model, timeout_s=actor.limits.timeout_s, env=actor.env
        )
    return AcpAgent(command, ground.enclosure_of(), ground.bounds_of, settings)


def _api_agent(name: str, base_url: str | None, output_bytes_max: int, actor: Actor | None) -> Agent:
    from esaa.agents.vendors.anthropic import AnthropicVendor
    from esaa.agents.vendors.api_agent import TOKENS_OUT_MAX, ApiAgent, ApiSettings
    from esaa.agents.vendors.google import GoogleVendor
    from esaa.agents.vendors.openai import OpenAIVendor
    from esaa.agents.vendors.vendor import Vendor

    if actor is None or actor.model is None:
        text = f"The adapter {name!r} needs to know which model it asks."
        raise ConfigError("MODEL_MISSING", text, "Add `model: NAME` to the actor in agents_swarm.yaml.")
    vendor: Vendor
    match name:
        case "anthropic":
            vendor = AnthropicVendor()
        case "google":
            vendor = GoogleVendor()
        case _:
            # OpenAI itself speaks Responses; what is compatible with it speaks Chat Completions.
            vendor = OpenAIVendor(is_chat=base_url is not None)
    settings = ApiSettings(
        model=actor.model,
        output_bytes_max=output_bytes_max,
        tokens_out_max=actor.limits.tokens_out_max or TOKENS_OUT_MAX,
        timeout_s=actor.limits.timeout_s,
        key_names=actor.env,
        base_url=base_url,
    )
    return ApiAgent(vendor, settings)
