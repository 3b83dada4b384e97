"""The port of agents: an order and its context go in, bytes come out."""

from __future__ import annotations

from typing import Protocol

import msgspec

from esaa.protocol.scheduling import Order


class Dispatch(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is asked: the order, the purified context as JSON bytes, and the seconds it has."""

    order: Order
    context: bytes
    timeout_s: float


class Agent(Protocol):
    """Answers with the bytes of an agent result. It can append nothing and write nothing through this port.

    Raises `AgentTimedOut` and `AgentCrashed` (both cost an attempt), and `AgentError` where it cannot be asked at all.
    """

    async def answer(self, dispatch: Dispatch) -> bytes:
        """The agent's output for one dispatch."""
        ...
