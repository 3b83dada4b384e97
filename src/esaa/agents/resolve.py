"""From an adapter's text (`cassette:DIR`, `command:PROGRAM`, `scripted`, `manual`) to the agent behind it."""

from __future__ import annotations

from pathlib import Path

from esaa.agents.base import Agent
from esaa.agents.cassette import CassetteAgent
from esaa.agents.command import CommandAgent
from esaa.agents.scripted import ScriptedAgent
from esaa.errors import ConfigError

ADAPTERS = ("scripted", "cassette:DIR", "command:PROGRAM [ARGUMENTS]", "manual")


def make_agent(adapter: str, root: Path, output_bytes_max: int) -> Agent | None:
    """The agent of an adapter, or None for `manual` (a person or a tool submits). Raises `ConfigError`."""
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
        case _:
            raise ConfigError("ADAPTER_UNKNOWN", f"{adapter!r} is no adapter.", f"Known: {', '.join(ADAPTERS)}.")
