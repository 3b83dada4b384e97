"""A model that asks an agent for what is forbidden: each lure by every tool that the agent offers and that could do it.

It asks for one call after another, so that none is given up because another one failed, and obeys in the end.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import msgspec

from esaa.agents.sandbox.temptation import Lure, Tried
from esaa.dev.fake_llm.client_tools import read_call, readers, write_call, writers
from esaa.dev.fake_llm.conversation import Call, Reply, Request
from esaa.dev.fake_llm.obedience import obey
from esaa.dev.fake_llm.script import Outcome, Rule, Script
from esaa.dev.fake_llm.server import FakeLlm


@contextlib.contextmanager
def tempting(lures: Sequence[Lure]) -> Generator[TemptingModel, None, None]:
    """Serves a model that asks for each of these, on this machine alone."""
    model = TemptingModel(lures)
    with FakeLlm(player=model, on_body=model.hear) as fake:
        # What a program asks of elsewhere beside its model (news, settings, figures) goes to a proxy that passes
        # nothing on.
        proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), fake.url)
        model.variables = {**fake.environment(), **proxies, **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1")}
        yield model


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    lure: Lure
    path: str
    call: Call


class TemptingModel:
    """Plays the model. Safe for requests at the same time."""

    def __init__(self, lures: Sequence[Lure]) -> None:
        self.script = Script()
        self.variables: Mapping[str, str] = {}
        self._lures = lures
        self._steps: list[_Step] = []
        self._said: dict[int, Counter[str]] = {}
        self._bodies: list[str] = []
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Outcome:
        """The next call that it asks for; the obedient answer to the last result, and to who offers no tool."""
        with self._lock:
            self._steps = self._steps or self._planned(request)
            is_tempted = bool(self._steps) and self._steps[0].call.name in request.tools
            if is_tempted:
                self._said.setdefault(request.results, Counter(request.said))
            is_due = is_tempted and request.results < len(self._steps)
            reply = Reply(calls=(self._steps[request.results].call,)) if is_due else obey(request, "result")
        return Outcome(reply=reply, rule=Rule())

    def hear(self, body: dict[str, Any]) -> None:
        """Keeps all that a client sends, whatever it asks for."""
        with self._lock:
            self._bodies.append(json.dumps(body))

    def tries_due(self) -> int:
        """How many calls it has to ask for."""
        with self._lock:
            return len(self._steps)

    def tried(self) -> list[Tried]:
        """The calls whose results came back, each with the texts that came with it."""
        with self._lock:
            done = min(max(self._said, default=0), len(self._steps))
            return [
                Tried(lure=step.lure, tool=step.call.name, path=step.path, said=self._news(number))
                for number, step in enumerate(self._steps[:done])
            ]

    def has_heard(self, text: str) -> bool:
        """Whether the text was in any request."""
        with self._lock:
            return any(text in body for body in self._bodies)

    def _planned(self, request: Request) -> list[_Step]:
        steps: list[_Step] = []
        for lure in self._lures:
            for tool in writers(request) if lure.act == "write" else readers(request):
                # In its own folder each tool has a file of its own: an agent may refuse to write over another one.
                is_own = lure.act == "write" and not lure.path.startswith("/")
                path = f"{lure.path}-{tool}" if is_own else lure.path
                is_write = lure.act == "write"
                call = write_call(request, tool, path, lure.text) if is_write else read_call(request, tool, path)
                steps.append(_Step(lure=lure, path=path, call=call))
        return steps

    def _news(self, number: int) -> tuple[str, ...]:
        before, after = self._said.get(number, Counter()), self._said.get(number + 1, Counter())
        return tuple((after - before).elements())
