"""The port of agents: an order and its context go in; bytes, and what they cost, come out."""

from __future__ import annotations

from typing import Protocol

import msgspec

from esaa.protocol.prompts import Prompt
from esaa.protocol.provenance import Usage
from esaa.protocol.scheduling import Order

__all__ = ["Agent", "Answer", "Dispatch", "Prompt", "Usage", "is_repeatable", "takes_prompt"]


class Dispatch(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is asked: the order, the purified context as JSON bytes, and the seconds it has.

    `prompt` is what is said to a model; None for agents that need none (scripted, cassette, command).
    `schema` is the JSON Schema of the answer that is wanted, as bytes; empty where nothing is asked for.
    """

    order: Order
    context: bytes
    timeout_s: float
    prompt: Prompt | None = None
    schema: bytes = b""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent gave: the agent result as bytes, judged by nobody but the orchestrator, and what the call used.

    `remarks` is what the adapter saw and no result can say: an untested version, files changed beyond the declared.
    """

    result: bytes
    usage: Usage = Usage()
    remarks: tuple[str, ...] = ()


class Agent(Protocol):
    """Answers with the bytes of an agent result. It can append nothing and write nothing through this port.

    Raises `AgentTimedOut` and `AgentCrashed` (both cost an attempt, and may carry the `usage` of the failed call),
    `AgentUnavailable` where it is not installed, too old, not logged in or has no key, and `AgentError` where it
    cannot be asked at all; then the run stops and nothing is lost.

    Two attributes may be there: `takes_prompt` is False where the context is enough and no prompt is to be rendered;
    `is_repeatable` is True where asking again costs nothing and gives the same, so that no answer need be kept.
    """

    async def answer(self, dispatch: Dispatch) -> Answer:
        """The agent's answer to one dispatch."""
        ...


def takes_prompt(agent: Agent) -> bool:
    """Whether a prompt is to be rendered for an agent; True where it does not say."""
    return bool(getattr(agent, "takes_prompt", True))


def is_repeatable(agent: Agent) -> bool:
    """Whether an agent can be asked again for nothing, with the same answer; False where it does not say."""
    return bool(getattr(agent, "is_repeatable", False))
