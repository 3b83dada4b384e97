"""The machines of a server: opened once, opened anew where something else lies there, and never waited for too long."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from esaa.errors import CorruptLog, NotFound, StoreError
from esaa.runtime.history.machine import TimeMachine
from esaa.runtime.history.sources import Sources
from esaa.web.machines import IndexBuilding, Machines
from tests.history.memory_past import MemoryPast, claims
from tests.web.servers import SmallMachine


class Closing(MemoryPast):
    """A past that tells whether it was closed."""

    is_closed = False

    def close(self) -> None:
        """Remembers it."""
        self.is_closed = True


def past(kind: str = "log") -> Closing:
    made = Closing(name="log", kind="log" if kind == "log" else "trail")
    for seq in range(1, 4):
        made.append(claims().entry(seq), {})
    return made


class Opener:
    """Opens machines, and counts them."""

    def __init__(self, root: Path, kind: str = "log") -> None:
        self.pasts: list[Closing] = []
        self._root, self._kind = root, kind

    def __call__(self, _name: str, _told: Callable[[int, int], None]) -> TimeMachine:
        self.pasts.append(past(self._kind))
        return SmallMachine(self.pasts[-1], Sources(root=self._root))


def head(machine: TimeMachine) -> int:
    return machine.past.head()


def test_a_machine_is_opened_once_for_all_who_ask_at_once(tmp_path: Path) -> None:
    opener = Opener(tmp_path)
    machines = Machines(opener, lambda _: 1)

    async def main() -> list[int]:
        return list(await asyncio.gather(*(machines.ask("log", head) for _ in range(8))))

    assert asyncio.run(main()) == [3] * 8
    assert len(opener.pasts) == 1
    machines.close()
    assert opener.pasts[0].is_closed


def test_another_version_is_another_machine(tmp_path: Path) -> None:
    opener, versions = Opener(tmp_path), iter([1, 1, 2])
    machines = Machines(opener, lambda _: next(versions))

    async def main() -> None:
        for _ in range(3):
            await machines.ask("log", head)

    asyncio.run(main())
    machines.close()
    assert len(opener.pasts) == 2
    assert all(one.is_closed for one in opener.pasts)


@pytest.mark.parametrize(
    ("kind", "error", "opened"),
    [
        ("log", CorruptLog("X", "x", "", 1), 1),
        ("trail", CorruptLog("X", "x", "", 1), 2),
        ("log", sqlite3.OperationalError("x"), 2),
        ("log", OSError(5, "x"), 2),
        ("trail", NotFound("X", "x"), 1),
    ],
)
def test_what_failed_is_opened_again_where_it_does_not_mend_itself(
    kind: str, error: Exception, opened: int, tmp_path: Path
) -> None:
    opener = Opener(tmp_path, kind)
    machines = Machines(opener, lambda _: 1)

    def fails(_machine: TimeMachine) -> None:
        raise error

    async def main() -> None:
        with pytest.raises(StoreError if isinstance(error, sqlite3.Error) else type(error)):
            await machines.ask("log", fails)
        assert await machines.ask("log", head) == 3

    asyncio.run(main())
    machines.close()
    assert len(opener.pasts) == opened


def test_who_asks_while_an_index_is_made_is_told_how_far_it_is(tmp_path: Path) -> None:
    go_on, is_told = threading.Event(), threading.Event()

    def open_machine(_name: str, told: Callable[[int, int], None]) -> TimeMachine:
        told(250, 1000)
        is_told.set()
        assert go_on.wait(30)
        return SmallMachine(past(), Sources(root=tmp_path))

    machines = Machines(open_machine, lambda _: 1, patience_s=0.05)

    async def main() -> None:
        with pytest.raises(IndexBuilding):
            await machines.ask("log", head)
        await asyncio.to_thread(is_told.wait, 30)
        with pytest.raises(IndexBuilding, match="25 %") as told:
            await machines.ask("log", head)
        assert told.value.context == {"done": 250, "total": 1000}
        go_on.set()
        while True:
            try:
                assert await machines.ask("log", head) == 3
                return
            except IndexBuilding:
                await asyncio.sleep(0.01)

    asyncio.run(main())
    machines.close()


def test_a_stream_is_asked_by_one_at_a_time(tmp_path: Path) -> None:
    machines = Machines(Opener(tmp_path, "trail"), lambda _: 1)
    together, most = 0, 0

    def counts(_machine: TimeMachine) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        threading.Event().wait(0.01)
        together -= 1

    async def main() -> None:
        await asyncio.gather(*(machines.ask("log", counts) for _ in range(6)))

    asyncio.run(main())
    machines.close()
    assert most == 1


def test_what_cannot_be_opened_is_tried_again_by_the_next(tmp_path: Path) -> None:
    opener, calls = Opener(tmp_path), 0

    def open_machine(name: str, told: Callable[[int, int], None]) -> TimeMachine:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise NotFound("LOG_NOT_FOUND", "There is no log.")
        return opener(name, told)

    machines = Machines(open_machine, lambda _: 1)

    async def main() -> None:
        with pytest.raises(NotFound):
            await machines.ask("log", head)
        assert await machines.ask("log", head) == 3

    asyncio.run(main())
    machines.close()
