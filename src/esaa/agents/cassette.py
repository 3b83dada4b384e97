"""Recorded agents: a directory of agent results, one file for each task, asked action and attempt.

`TASK.ACTION.N.json` holds the N-th output for that task and action; so the order in which parallel agents answer does
not matter.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from esaa.agents.base import Agent, Answer, Dispatch, is_repeatable, takes_prompt
from esaa.errors import AgentCrashed, AgentError
from esaa.kernel.ingest import Limit, NotIngested, TooLarge
from esaa.protocol.scheduling import Order
from esaa.stores.outside import read_placed

_OUTPUT_BYTES_MAX = 16 * 1024 * 1024


class CassetteAgent:
    """Plays a directory."""

    takes_prompt = False
    is_repeatable = True

    def __init__(self, directory: Path, output_bytes_max: int = _OUTPUT_BYTES_MAX) -> None:
        self._directory = directory
        self._limit = Limit(output_bytes_max)

    async def answer(self, dispatch: Dispatch) -> Answer:
        """The recorded bytes. Raises `AgentError` where there is no recording, `AgentCrashed` where it is too large."""
        path = self._directory / cassette_name(dispatch.order)
        try:
            return Answer(result=read_placed(path, self._limit))
        except TooLarge as error:
            raise AgentCrashed(
                "OUTPUT_TOO_LARGE", f"The recorded answer {path.name}: {error}.", "Shorten or remove it."
            ) from error
        except (OSError, NotIngested) as error:
            raise AgentError(
                "CASSETTE_MISSING",
                f"There is no recorded answer {path.name} in {self._directory}.",
                f"Record one, or answer by hand: `esaa submit FILE --actor {dispatch.order.actor}`.",
            ) from error


class RecordingAgent:
    """Asks another agent and keeps what it answered, playable by `CassetteAgent`."""

    def __init__(self, inner: Agent, directory: Path) -> None:
        self.takes_prompt = takes_prompt(inner)
        self.is_repeatable = is_repeatable(inner)
        self._inner = inner
        self._directory = directory

    async def answer(self, dispatch: Dispatch) -> Answer:
        """The inner agent's answer; it is on disk before it is handed on."""
        answer = await self._inner.answer(dispatch)
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / cassette_name(dispatch.order)).write_bytes(answer.result)
        return answer


def cassette_name(order: Order) -> str:
    """The file name of an order's answer."""
    # A task id may hold anything, a slash too.
    return f"{quote(order.task_id, safe='')}.{order.action}.{order.attempt}.json"
