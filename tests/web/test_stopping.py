"""What a browser asked for ends when it goes away, wherever it is by then."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.types import Message

from esaa.history.past import Past
from esaa.open import open_machine
from esaa.runtime.history.machine import TimeMachine
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.what_if import Wishes
from esaa.web.answers import answer_to
from esaa.web.machines import Machines
from esaa.web.questions import BY_SCREEN
from esaa.web.stopping import Stopped
from tests.history.memory_past import MemoryPast, claims
from tests.web.servers import SmallMachine


class SlowPast(MemoryPast):
    """A past that gives no state before it may."""

    def __init__(self) -> None:
        super().__init__(name="log", kind="log")
        for seq in range(1, 65):
            self.append(msgspec.structs.replace(claims().entry(1), seq=seq), {"n": seq})
        self.asked = 0
        self.is_asked, self.may_go_on = threading.Event(), threading.Event()

    def document(self, seq: int) -> dict[str, Any]:
        """One more state, when it may."""
        self.asked += 1
        self.is_asked.set()
        assert self.may_go_on.wait(30)
        return super().document(seq)


def machines_of(past: Past, root: Path) -> Machines:
    def open_one(_name: str, _told: Callable[[int, int], None]) -> TimeMachine:
        return SmallMachine(past, Sources(root=root))

    return Machines(open_one, lambda _: 1)


def bisect_request(leaves_when: Callable[[], object]) -> Request:
    """A search, asked by a browser that goes away when `leaves_when` comes back."""
    told = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        message = next(told, None)
        if message is None:
            await asyncio.to_thread(leaves_when)
        return message or {"type": "http.disconnect"}

    query = b"where=sum(values(@))%20%3C%20%60999%60"
    scope = {"type": "http", "method": "GET", "path": "/log/bisect.json", "query_string": query, "headers": []}
    return Request(scope, receive)


def test_a_search_ends_when_the_browser_goes_away(tmp_path: Path) -> None:
    past = SlowPast()
    machines = machines_of(past, tmp_path)

    async def main() -> int:
        request = bisect_request(lambda: past.is_asked.wait(30))
        return (await answer_to(request, machines, "log", BY_SCREEN["bisect"])).status_code

    assert asyncio.run(main()) == 499
    past.may_go_on.set()
    machines.close()  # waits for the thread
    assert past.asked == 1


def test_a_search_that_waits_for_its_turn_is_not_begun(tmp_path: Path) -> None:
    past = SlowPast()
    machines = machines_of(past, tmp_path)
    stays = threading.Event()

    async def main() -> None:
        ask = BY_SCREEN["bisect"]
        busy = [asyncio.ensure_future(answer_to(bisect_request(stays.wait), machines, "log", ask)) for _ in range(2)]
        await asyncio.to_thread(past.is_asked.wait, 30)
        left = await answer_to(bisect_request(lambda: None), machines, "log", ask)
        assert left.status_code == 499
        past.may_go_on.set()
        assert [one.status_code for one in await asyncio.gather(*busy)] == [200, 200]
        stays.set()

    asyncio.run(main())
    both = past.asked
    machines.close()
    assert past.asked == both, "the third never looked at a state"


def test_a_search_that_is_waited_for_is_answered(tmp_path: Path) -> None:
    past, stays = SlowPast(), threading.Event()
    past.may_go_on.set()
    machines = machines_of(past, tmp_path)

    async def main() -> int:
        found = await answer_to(bisect_request(stays.wait), machines, "log", BY_SCREEN["bisect"])
        stays.set()
        return found.status_code

    assert asyncio.run(main()) == 200
    machines.close()
    assert past.asked > 1


@pytest.mark.parametrize("steps", [1, 5])
def test_what_if_ends_at_its_next_step(demo_run: Path, steps: int) -> None:
    left = iter(range(steps))

    def look() -> None:
        if next(left, None) is None:
            raise Stopped

    machine = open_machine(demo_run)
    try:
        with pytest.raises(Stopped):
            machine.watched(look).what_if(Wishes(drop=("5",)))
        assert machine.what_if(Wishes(drop=("5",))).is_hypothetical
    finally:
        machine.close()
