"""An agent that obeys most of the time and otherwise does the worst it can, drawn from a seed.

Each call draws from the seed, the order and the number of the call for that order, and from nothing else: the same seed
gives the same answers, in whichever order they are asked for.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from esaa.agents.base import Answer, Dispatch
from esaa.agents.scripted import obedient
from esaa.errors import AgentCrashed, AgentTimedOut
from esaa.kernel.canonical import compact
from esaa.protocol.commands import Submit
from esaa.protocol.result import parse_result
from esaa.runtime.workspace import Workspace
from tests.simulation.virtual_time import VirtualClock

Good = dict[str, Any]
Fault = Callable[["FaultyAgent", Dispatch, Good, random.Random], bytes]

_SIDE_ROADS = (
    ".roadmap/activity.jsonl",
    ".roadmap/blobs/x",
    ".git/config",
    ".claude/settings.json",
    "../beside.txt",
    "/etc/hosts",
    "src/../.git/x",
    "docs/spec/other.md",
    "src/a\0b",
    "",
)
_FORGERIES: tuple[tuple[str, Any], ...] = (
    ("event_seq", 1),
    ("event_id", "EV-00000001"),
    ("ts", "2020-01-01T00:00:00Z"),
    ("actor", "orchestrator"),
    ("assigned_to", "agent-qa"),
    ("provenance", {"model": "forged"}),
    ("status", "done"),
    ("reviewer_role", "qa"),
    ("prev_hash", "0" * 64),
)
_RESERVED = ("run.end", "verify.ok", "orchestrator.file.write", "output.rejected", "task.create", "launch", "")


class AdapterBroken(Exception):
    """A bug of an adapter: what no port allows for."""


class FaultyAgent:
    """Answers for every actor of one simulation. `fault_rate` is the share of calls in which something goes wrong."""

    def __init__(self, seed: int, fault_rate: float, clock: VirtualClock) -> None:
        self._seed = seed
        self._fault_rate = fault_rate
        self._clock = clock
        # Each simulation knows only some kinds, so that some of them see one kind again and again.
        kinds = [*sorted(FAULTS), *_FAILURES]
        draw = random.Random(f"kinds {seed}")
        self._kinds = draw.sample(kinds, draw.choice((1, 3, 8, len(kinds))))
        self._calls: Counter[tuple[str, str, int]] = Counter()
        self._last: dict[str, bytes] = {}
        self.workspace: Workspace | None = None
        self.faults: Counter[str] = Counter()
        self.calls = 0

    async def answer(self, dispatch: Dispatch) -> Answer:
        """An answer after some virtual seconds, or a failure."""
        order = dispatch.order
        key = (order.task_id, order.action, order.attempt)
        self._calls[key] += 1
        self.calls += 1
        draw = random.Random(f"{self._seed}/{'/'.join(map(str, key))}/{self._calls[key]}")
        good = _good(dispatch, draw)
        fault = None
        if draw.random() < self._fault_rate:
            fault = draw.choice(self._kinds)
            self.faults[fault] += 1
        if fault == "hang politely":
            await asyncio.sleep(dispatch.timeout_s)
            raise AgentTimedOut("AGENT_TIMED_OUT", "It gave no answer in time.", "It was ended.")
        if fault == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(draw.choice((0.0, 0.25, 1.0, 30.0, 600.0)))
        if fault == "crash":
            raise AgentCrashed("AGENT_CRASHED", "It ended with exit code 1.", "Run it by hand.")
        if fault == "flood":
            raise AgentCrashed("OUTPUT_TOO_LARGE", "It printed too much.", "Print one object.")
        if fault == "break":
            raise AdapterBroken
        result = compact(good) if fault is None else FAULTS[fault](self, dispatch, good, draw)
        self._last[order.task_id] = result
        return Answer(result=result)

    def put_directly(self, actor: str, data: bytes) -> None:
        """Somebody submits the same answer by another entrance."""
        assert self.workspace is not None
        result = parse_result(data, self.workspace.rules)
        self.workspace.commit(Submit(actor=actor, result=result))

    def answered_before(self, task_id: str) -> bytes | None:
        """The last answer about a task."""
        return self._last.get(task_id)

    def other_tasks(self, task_id: str) -> list[str]:
        """The other tasks of the project."""
        assert self.workspace is not None
        return [task.task_id for task in self.workspace.state().tasks if task.task_id != task_id]

    def written_paths(self) -> list[str]:
        """What any task declares as its output."""
        assert self.workspace is not None
        return [path for task in self.workspace.state().tasks for path in task.output_files]

    def set_clock_wrong(self, seconds: float) -> None:
        """The machine's clock is set."""
        self._clock.jump(seconds)


_FAILURES = ("hang", "hang politely", "crash", "flood", "break")


def _good(dispatch: Dispatch, draw: random.Random) -> Good:
    good = obedient(dispatch, json.loads(dispatch.context))
    event = good["activity_event"]
    if dispatch.order.action == "review" and draw.random() < 0.1:
        event["decision"] = "request_changes"
    for update in good.get("file_updates", []):
        update["content"] += f"{dispatch.order.task_id} {draw.randrange(10**6)}\n"
    return good


def _garbage(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    return draw.randbytes(draw.randrange(1, 300))


def _prose(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    return b"Sure! Here is the result:\n```json\n" + compact(good) + b"\n```\nAnything else?"


def _half(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    data = compact(good)
    return data[: draw.randrange(len(data))]


def _nothing(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    return b""


def _oversized(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    assert agent.workspace is not None
    return b" " * agent.workspace.rules.agent.output_contract.result_bytes_max + compact(good)


def _wrong_task(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    good["activity_event"]["task_id"] = draw.choice([*agent.other_tasks(dispatch.order.task_id), "T-404", "", "../x"])
    return compact(good)


def _others_act(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    # A whole act for a task that may be somebody else's, with that act's fields and not this one's.
    task_id = draw.choice([*agent.other_tasks(dispatch.order.task_id), dispatch.order.task_id])
    action = draw.choice(("claim", "complete", "review"))
    event: dict[str, Any] = {"action": action, "task_id": task_id}
    if action == "review":
        event |= {"decision": "approve", "tasks": [task_id]}
    if action == "complete":
        event["verification"] = {"checks": ["it was read line by line", "issue ISS-1 was read"]}
    return compact({"activity_event": event})


def _forged(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    name, value = draw.choice(_FORGERIES)
    place = good["activity_event"] if draw.random() < 0.7 else good
    place[name] = value
    return compact(good)


def _reserved(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    good["activity_event"]["action"] = draw.choice(_RESERVED)
    return compact(good)


def _old_status(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    good["activity_event"]["prior_status"] = draw.choice(("todo", "in_progress", "review", "done", "lost"))
    return compact(good)


def _collapsed(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    good["activity_event"] = [good["activity_event"], good["activity_event"]]
    return compact(good)


def _said_before(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    return agent.answered_before(dispatch.order.task_id) or compact(good)


def _said_twice(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    agent.put_directly(dispatch.order.actor, compact(good))
    return compact(good)


def _said_by_another(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    agent.put_directly(draw.choice(("agent-spec", "agent-impl", "agent-qa", "stranger")), compact(good))
    return compact(good)


def _elsewhere(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    path = draw.choice([*_SIDE_ROADS, *agent.written_paths()])
    good["file_updates"] = [*good.get("file_updates", []), {"path": path, "content": "not here\n"}]
    return compact(good)


def _blind_edit(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    edits = [{"old_string": "Placeholder", "new_string": "Edited"}]
    for update in good.get("file_updates", []):
        update.pop("content", None)
        update |= {"base_sha256": draw.choice(("0" * 64, "f" * 64)), "edits": edits}
    return compact(good)


def _no_checks(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    good["activity_event"]["verification"] = {"checks": draw.choice(([], ["code works"]))}
    return compact(good)


def _report(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    event = {
        "action": "issue.report",
        "task_id": dispatch.order.task_id,
        "issue_id": f"ISS-{draw.randrange(6)}",
        "severity": draw.choice(("low", "medium", "high", "critical", "critical")),
        "title": "Something is wrong",
        "evidence": {"symptom": "it is wrong", "repro_steps": ["look at it"]},
    }
    if draw.random() < 0.5:
        event["fixes"] = draw.choice([*agent.other_tasks(dispatch.order.task_id), "T-404"])
    return compact({"activity_event": event})


def _clock_set(agent: FaultyAgent, dispatch: Dispatch, good: Good, draw: random.Random) -> bytes:
    agent.set_clock_wrong(draw.choice((-7200, -60, 60, 7200)))
    return compact(good)


FAULTS: dict[str, Fault] = {
    "garbage": _garbage,
    "prose": _prose,
    "half an answer": _half,
    "nothing": _nothing,
    "oversized": _oversized,
    "wrong task": _wrong_task,
    "somebody else's act": _others_act,
    "forged field": _forged,
    "reserved action": _reserved,
    "old prior_status": _old_status,
    "two acts": _collapsed,
    "said before": _said_before,
    "said twice": _said_twice,
    "said by another": _said_by_another,
    "writes elsewhere": _elsewhere,
    "blind edit": _blind_edit,
    "no checks": _no_checks,
    "reports an issue": _report,
    "clock is set": _clock_set,
}
"""What can be wrong with an answer that comes; an agent can also hang, crash, flood, or break in itself."""
