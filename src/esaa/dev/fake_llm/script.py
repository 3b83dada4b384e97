"""The script of the fake: rules, tried in their order, of what is answered to which request. Without one it obeys."""

from __future__ import annotations

import json
import threading
from typing import Any, Literal, Protocol

import msgspec

from esaa.dev.fake_llm.conversation import Api, Call, Reply, Request
from esaa.dev.fake_llm.obedience import HandIn, find_context, obey, structured
from esaa.errors import ConfigError
from esaa.kernel.ingest import CONTRACT, NotIngested, yaml_of

Fault = Literal["never", "cut", "truncated", "prose", "fenced", "half", "garbage", "empty", "refusal", "flood"]
_FLOOD_BYTES = 100 * 1024 * 1024
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504, 529)


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request must be for a rule to answer it. What is not named may be anything.

    `task_id`, `action` and `attempt` are those of the context in the prompt; `contains` is a text anywhere in it.
    """

    api: Api | None = None
    model: str | None = None
    task_id: str | None = None
    action: str | None = None
    attempt: int | None = None
    contains: str | None = None

    def holds(self, request: Request) -> bool:
        """True when the request is meant."""
        if self.api not in (None, request.api) or self.model not in (None, request.model):
            return False
        if self.contains is not None and not any(self.contains in text for text in request.said):
            return False
        asked = {"task_id": self.task_id, "action": self.action, "attempt": self.attempt}
        wanted = {name: value for name, value in asked.items() if value is not None}
        if not wanted:
            return True
        ask = (find_context(request) or {}).get("ask", {})
        return all(ask.get(name) == value for name, value in wanted.items())


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer of a conversation: a text, a JSON value, calls of the client's tools; the obedient one if none."""

    text: str | None = None
    json: Any = msgspec.UNSET
    calls: tuple[Call, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is answered to the requests that `when` means, at most `times` times.

    `wait_s`: seconds before the answer. `status`: an error with this status and `message`, and `retry_after_s` in
    its header.
    `fault`: what is wrong with the answer. `never`: none comes; `cut`: the connection ends within it; `truncated`: half
    of it, and the vendor's word for too long; `half`: half of it, as if it were whole; `prose` and `fenced`: text or a
    code fence around it; `garbage`, `empty`, `refusal`; `flood`: 100 MiB.
    `turns`: the answers one after another, as the client's tools give their results.
    """

    when: When = When()
    times: int | None = None
    wait_s: float = 0.0
    status: int | None = None
    retry_after_s: float | None = None
    message: str = "The script answers with an error."
    fault: Fault | None = None
    turns: tuple[Turn, ...] = ()


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A script file. `hand_in: tools` delivers files by the client's tools; `key` is the only key that is taken."""

    rules: tuple[Rule, ...] = ()
    hand_in: HandIn = "result"
    key: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one request."""

    reply: Reply
    rule: Rule


class Plays(Protocol):
    """What answers the requests of a server. `script` says which key is taken."""

    script: Script

    def answer(self, request: Request) -> Outcome:
        """The outcome of a request."""
        ...


class Player:
    """A script being played: it knows which rules are used up. Safe for requests at the same time."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._used = [0] * len(script.rules)
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Outcome:
        """The outcome of a request; the use is counted."""
        rule = self._take(request)
        reply = self._turn(rule, request)
        return Outcome(reply=reply if rule.fault is None else _spoiled(reply, rule.fault), rule=rule)

    def _take(self, request: Request) -> Rule:
        with self._lock:
            for number, rule in enumerate(self.script.rules):
                is_left = rule.times is None or self._used[number] < rule.times
                if is_left and rule.when.holds(request):
                    self._used[number] += 1
                    return rule
        return Rule()

    def _turn(self, rule: Rule, request: Request) -> Reply:
        results = request.results
        for turn in rule.turns[:-1]:
            if results < max(1, len(turn.calls)):
                return self._reply(turn, request)
            results -= len(turn.calls)
        return self._reply(rule.turns[-1] if rule.turns else Turn(), request)

    def _reply(self, turn: Turn, request: Request) -> Reply:
        if turn.calls:
            return Reply(text=turn.text or "", calls=turn.calls)
        if turn.json is not msgspec.UNSET and not request.is_handed_in:
            return structured(request, turn.json)
        return Reply(text=turn.text) if turn.text is not None else obey(request, self.script.hand_in)


def read_script(data: bytes, name: str) -> Script:
    """The script in a YAML or JSON file. Raises `ConfigError` that says what is wrong with it."""
    try:
        script = msgspec.convert(yaml_of(data, CONTRACT), Script)
    except (NotIngested, msgspec.ValidationError) as error:
        text = f"The script {name} cannot be taken: {error}."
        raise ConfigError("SCRIPT_INVALID", text, "`esaa dev fake-llm --help` says what a rule holds.") from error
    for number, rule in enumerate(script.rules):
        if rule.status is not None and rule.status not in STATUSES:
            text = f"The script {name}: rules[{number}].status {rule.status} is no status of an error."
            raise ConfigError("SCRIPT_INVALID", text, f"Known: {', '.join(map(str, STATUSES))}.")
        if any(not turn.calls for turn in rule.turns[:-1]):
            text = f"The script {name}: rules[{number}] has a turn without calls before its last one."
            raise ConfigError("SCRIPT_INVALID", text, "Only an answer that calls a tool is followed by another one.")
    return script


def _spoiled(reply: Reply, fault: Fault) -> Reply:
    said = reply.text or "".join(json.dumps(call.input) for call in reply.calls)
    half = said[: len(said) // 2]
    match fault:
        case "never" | "cut":
            return reply
        case "truncated":
            return Reply(text=half, stop="length")
        case "half":
            return Reply(text=half)
        case "prose":
            return Reply(text=f"Here is the result that you asked for:\n\n{said}\n\nTell me if you need {{more}}.")
        case "fenced":
            return Reply(text=f"```json\n{said}\n```")
        case "garbage":
            return Reply(text="I am not sure what you mean, but 42 is a fine number.")
        case "empty":
            return Reply()
        case "refusal":
            return Reply(text="I cannot help with that.", stop="refusal")
        case "flood":
            return Reply(text="x" * _FLOOD_BYTES)
