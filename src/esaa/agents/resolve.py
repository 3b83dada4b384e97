"""From an adapter's text (`cassette:DIR`, `command:PROGRAM`, `anthropic`, `manual`) to the agent behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from esaa.agents.base import Agent
from esaa.agents.cassette import CassetteAgent
from esaa.agents.command import CommandAgent
from esaa.agents.scripted import ScriptedAgent
from esaa.errors import ConfigError

if TYPE_CHECKING:
    from esaa.contracts.swarm import Actor

ADAPTERS = (
    "anthropic",
    "openai[:BASE_URL]",
    "google",
    "scripted",
    "cassette:DIR",
    "command:PROGRAM [ARGUMENTS]",
    "manual",
)


def make_agent(adapter: str, root: Path, output_bytes_max: int, actor: Actor | None = None) -> Agent | None:
    """The agent of an adapter, or None for `manual` (a person or a tool submits). Raises `ConfigError`.

    `actor` says which model is asked, and the bounds of a call.
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
            return CommandAgent(argument, root, output_bytes_max)
        case "anthropic" | "google" if not argument:
            return _api_agent(name, None, output_bytes_max, actor)
        case "openai":
            return _api_agent(name, argument or None, output_bytes_max, actor)
        case _:
            raise ConfigError("ADAPTER_UNKNOWN", f"{adapter!r} is no adapter.", f"Known: {', '.join(ADAPTERS)}.")


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
