"""kill -9, again and again: two writers at work in one workspace, killed at any moment, and the next two go on.

What a killed process wrote stays in the memory of the system, so this tests half-done work, locks and litter, and not
lost pages: those are `crash_states`'. Every acknowledged event must be there afterwards, where it was.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import selectors
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec

from assure.crash_recovery import Violation, config, findings, judge_feed, opened, parsed_once
from assure.figure import Figure, Scope
from esaa.errors import EsaaError
from esaa.kernel.recorded import Recorded
from esaa.open import open_checkpoints, open_feed
from esaa.protocol.facts import Fact
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.workspace import Workspace
from esaa.stores.disk import Disk
from esaa.stores.litter import sweep
from tests.workspaces import NO_COOLDOWN, TWO_IMPLEMENTERS, make_workspace, new_task, result, submit

_CYCLES_MIN = 1000
_CYCLES = 1200
_SHORT_CYCLES = 24
_PER_WORKSPACE = 40
"""After so many cycles a new workspace is begun: it is about crashes, not about size."""

_ACTORS = ("agent-impl", "agent-impl-2")
_DELAY_S = 0.1
_WAIT_S = 60.0


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    cycles: int = 0
    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    repairs: int = 0
    unrecoverable: list[str] = []


class _Writer(NamedTuple):
    pid: int
    said: int


def measure(scope: Scope) -> list[Figure]:
    """Cycles of killing and going on, acknowledged events that were lost, logs that could not be recovered."""
    started = time.monotonic()
    cycles = _SHORT_CYCLES if scope.is_short else _CYCLES
    count = max(1, min(2, os.cpu_count() or 1))
    with tempfile.TemporaryDirectory(prefix="esaa-kills-", dir=_memory(scope)) as folder:
        jobs = [(Path(folder) / str(number), cycles // count, f"{scope.seed} {number}") for number in range(count)]
        with multiprocessing.get_context("fork").Pool(count) as pool:
            parts = pool.starmap(_cycles, jobs, chunksize=1)
    total = sum(part.cycles for part in parts)
    unrecoverable = [one for part in parts for one in part.unrecoverable]
    detail: dict[str, float | int | str] = {
        "processes killed": sum(part.kills for part in parts),
        "acknowledged events": sum(part.acknowledged for part in parts),
        "repairs of the log": sum(part.repairs for part in parts),
        "seconds": round(time.monotonic() - started, 1),
        "unrecoverable": " | ".join(unrecoverable[:5]),
    }
    lost = sum(part.lost for part in parts)
    return [
        Figure(
            name="kill -9 cycles",
            value=total,
            target=f">= {_CYCLES_MIN:,}",
            holds=total >= (1 if scope.is_short else _CYCLES_MIN),
            detail=detail,
        ),
        Figure(name="acknowledged events lost", value=lost, target="0", holds=lost == 0),
        Figure(name="unrecoverable logs", value=len(unrecoverable), target="0", holds=not unrecoverable),
    ]


def _cycles(folder: Path, cycles: int, seed: str) -> _Part:
    chance = random.Random(seed)
    part = _Part()
    with parsed_once(is_restarted=False):
        for begun in range(0, cycles, _PER_WORKSPACE):
            root = folder / str(begun)
            _begin(root)
            part = _in_one_workspace(root, part, min(_PER_WORKSPACE, cycles - begun), chance)
            shutil.rmtree(root)
    return part


def _begin(folder: Path) -> None:
    folder.mkdir(parents=True)
    rules = {**NO_COOLDOWN, **TWO_IMPLEMENTERS}
    rules["STORAGE_POLICY.yaml"] = [("every_events: 256", "every_events: 5")]
    make_workspace(folder / "project", [new_task("T-0")], edits=rules)
    workspace = opened(folder)
    with workspace.writing():
        open_checkpoints(workspace, config(folder)).begin()
    open_feed(folder / "project", config(folder)).begin()


def _in_one_workspace(root: Path, part: _Part, cycles: int, chance: random.Random) -> _Part:
    acknowledged: dict[int, str] = {}
    lost: set[int] = set()
    kills = repairs = done = 0
    unrecoverable: list[str] = []
    for cycle in range(cycles):
        said, killed = _kill_two(root, cycle, chance)
        acknowledged |= said
        kills += killed
        done += 1
        try:
            with opened(root).writing() as notices:
                repairs += len(notices)
            lost |= _lost(root, acknowledged)
            if cycle % 10 == 9 or cycle == cycles - 1:
                _judge_all(root)
        except (Violation, EsaaError, OSError) as error:
            unrecoverable.append(f"cycle {cycle}: {error}")
            break
    return _Part(
        cycles=part.cycles + done,
        kills=part.kills + kills,
        acknowledged=part.acknowledged + len(acknowledged),
        lost=part.lost + len(lost),
        repairs=part.repairs + repairs,
        unrecoverable=[*part.unrecoverable, *unrecoverable],
    )


def _judge_all(root: Path) -> None:
    found = findings(root)
    if found:
        raise Violation(f"verify says {found}")
    judge_feed(root)
    sweep(root, Disk())
    litter = next(root.rglob("*.tmp"), None)
    if litter is not None:
        raise Violation(f"{litter} was not swept up")


def _lost(root: Path, acknowledged: dict[int, str]) -> set[int]:
    vocabulary = ProtocolVocabulary()
    lines = (root / "project" / ".roadmap" / "activity.jsonl").read_bytes().splitlines()
    there = {one.version: one.event_id for one in map(vocabulary.decode, lines)}
    return {version for version, event_id in acknowledged.items() if there.get(version) != event_id}


def _kill_two(root: Path, cycle: int, chance: random.Random) -> tuple[dict[int, str], int]:
    """Two writers, of which the first is killed a moment after somebody was told something; the other soon after."""
    writers = [_start(root, number, cycle) for number in range(len(_ACTORS))]
    said = {writer.said: b"" for writer in writers}
    try:
        _read(said, _WAIT_S, until_said=True)
        for writer in chance.sample(writers, len(writers)):
            _read(said, chance.random() * _DELAY_S, until_said=False)
            os.kill(writer.pid, signal.SIGKILL)
            os.waitpid(writer.pid, 0)
        _read(said, 0.0, until_said=False)
    finally:
        for writer in writers:
            os.close(writer.said)
    events: dict[int, str] = {}
    for text in said.values():
        for line in text.decode().splitlines(keepends=True):
            if not line.endswith("\n"):
                continue  # killed in the middle of saying it: nobody was told
            if line.startswith("raised"):
                raise Violation(line.strip())
            version, event_id = line.split()
            events[int(version)] = event_id
    return events, len(writers)


def _read(said: dict[int, bytes], seconds: float, *, until_said: bool) -> None:
    """Takes what the writers say, for some time or until one of them has said something."""
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for fd in said:
            selector.register(fd, selectors.EVENT_READ)
        while selector.get_map():
            left = until - time.monotonic()
            ready = selector.select(max(left, 0))
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                said[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
            if (until_said and any(said.values())) or (not ready and left <= 0):
                break


def _start(root: Path, number: int, cycle: int) -> _Writer:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _write_on(root, number, cycle, write)
    os.close(write)
    return _Writer(pid, read)


def _write_on(root: Path, number: int, cycle: int, said: int) -> NoReturn:
    """The child: works until it is killed, and says of every event that it was acknowledged."""
    try:
        workspace = opened(root)
        for receipt in _work(workspace, number, cycle):
            os.write(said, "".join(f"{one.version} {one.event_id}\n" for one in receipt).encode())
    except BaseException as error:  # the parent hears of it
        os.write(said, f"raised {error!r}\n".encode())
    os._exit(1)


def _work(workspace: Workspace, number: int, cycle: int) -> Iterator[tuple[Recorded[Fact], ...]]:
    actor = _ACTORS[number]
    for count in range(10_000):
        task_id = f"T-{1 + number}{cycle:03}{count:04}"
        path = f"src/{number}/{task_id}.txt"
        yield workspace.commit(new_task(task_id, outputs=[path])).events
        yield submit(workspace, actor, result("claim", task_id)).events
        yield submit(workspace, actor, result("complete", task_id, files={".git/hooks/x": "no"})).events
        yield submit(workspace, actor, result("complete", task_id, files={path: f"{task_id}\n"})).events


def _memory(scope: Scope) -> Path:
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else scope.scratch
