"""System calls that fail: each call of a run that makes something durable is answered with an error, or kills.

The run has an acceptance and a refusal, and tells a trail. strace does it (`inject=`), to a process that was forked
for it; nothing of the code under test is changed. Afterwards the folder is recovered and judged, as after any crash.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from assure.crash_recovery import (
    Reference,
    Violation,
    config,
    judge,
    parsed_once,
    play,
    prepare,
    record_run,
)
from assure.figure import Figure, Scope
from esaa.open import open_feed
from esaa.stores.disk import Disk
from esaa.stores.litter import sweep

CALLS = (
    "write", "pwrite64", "fsync", "fdatasync", "openat", "rename", "renameat", "renameat2", "link", "linkat",
    "mkdir", "mkdirat", "unlink", "unlinkat", "ftruncate",
)  # fmt: skip
"""The calls by which something comes to be on the disk, or goes from it; `openat` where it may make a file."""

Fault = Literal["EIO", "ENOSPC", "EINTR", "KILL"]
FAULTS: tuple[Fault, ...] = ("EIO", "ENOSPC", "EINTR", "KILL")

STEPS = 3
"""A claim, an output that is refused, and one that is accepted."""

_SHORT_COUNT = 36
_FINISHED_EVERY = 10
_WAIT_S = 60.0
_AIMS_MAX = 20
_NAMED = re.compile(r'[^"]*"(?P<path>[^"]*)"')
_LINE = re.compile(r"(?:\d+ +)?(?P<call>\w+)\((?P<arguments>.*)")


class Place(NamedTuple):
    """The call that is to fail: its name, and which of that name it is; of `openat`, which of that file.

    How often files are opened to be read depends on the clock a little. `path` has the folder and the number of the
    process left out.
    """

    call: str
    number: int
    path: str = ""


class Outcome(NamedTuple):
    """How the run ended: what it had promised by then, its last word, the status of its process, and its number."""

    promises: Mapping[str, Hashable]
    last: str
    status: int
    pid: int = 0


def measure(scope: Scope) -> list[Figure]:
    """Every durability call with every fault, and how many of the runs ended in a way that they must not."""
    name = "syscall faults with an unclean outcome"
    if shutil.which("strace") is None:
        return [Figure(name=name, value=0, target="0", holds=False, detail={"skipped": "strace is missing"})]
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="esaa-faults-", dir=_memory(scope)) as text,
        parsed_once(is_restarted=False),
    ):
        folder = Path(text)
        prepare(folder / "start")
        reference = record_run(folder / "reference", folder / "start", steps=STEPS)
        # What is loaded when it is first used is loaded here, so that every run makes the same calls.
        shutil.copytree(folder / "reference", folder / "warm")
        judge(folder / "warm", reference, {}, is_finished=True)
        places = durability_calls(folder)
        wanted = [(place, fault) for place in places for fault in FAULTS]
        if scope.is_short:
            wanted = random.Random(scope.seed).sample(wanted, _SHORT_COUNT)
        jobs = [(folder, reference, place, fault, number) for number, (place, fault) in enumerate(wanted)]
        with multiprocessing.get_context("fork").Pool(max(1, min(2, os.cpu_count() or 1))) as pool:
            answers = pool.starmap(_try, jobs, chunksize=4)
    unclean = [one for one in answers if one not in {"done", "error", "killed"}]
    detail: dict[str, float | int | str] = {
        "calls": len(places),
        "faults": len(wanted),
        **{f"runs that {end}": answers.count(word) for word, end in _ENDS.items()},
        "seconds": round(time.monotonic() - started, 1),
        "unclean": " | ".join(unclean[:5]),
    }
    faults = Figure(
        name="syscall faults at every durability call",
        value=len(wanted),
        target=f"all ({len(FAULTS)} at each call)",
        holds=len(places) > 100 and (scope.is_short or len(wanted) == len(FAULTS) * len(places)),
        detail=detail,
    )
    return [faults, Figure(name=name, value=len(unclean), target="0", holds=not unclean)]


_ENDS = {"done": "went on", "error": "stopped with an error that says what to do", "killed": "were killed"}


def durability_calls(folder: Path) -> list[Place]:
    """The calls of a run on which nothing fails, in their order."""
    root = folder / "traced"
    shutil.copytree(folder / "start", root)
    lines, outcome = _traced(root)
    if outcome.last != "done":
        raise Violation(f"the run ends with {outcome.last!r} though nothing fails")
    shutil.rmtree(root)
    counts: dict[tuple[str, str], int] = {}
    places: list[Place] = []
    for line in lines:
        found = _LINE.match(line)
        if found is None or found["call"] not in CALLS:
            continue
        path = ""
        if found["call"] == "openat":
            named = _NAMED.match(found["arguments"])
            path = (
                "" if named is None else named["path"].replace(str(root), "ROOT").replace(f".{outcome.pid}.", ".PID.")
            )
        key = (found["call"], path)
        counts[key] = counts.get(key, 0) + 1
        if _is_durable(found["call"], found["arguments"], root):
            places.append(Place(found["call"], counts[key], path))
    return places


def _is_durable(call: str, arguments: str, root: Path) -> bool:
    return str(root) in arguments and (call != "openat" or "O_CREAT" in arguments)


def _try(folder: Path, reference: Reference, place: Place, fault: Fault, number: int) -> str:
    """How one run ended: `done`, `error` or `killed`; or what is wrong with it."""
    root = folder / str(number)
    try:
        for _ in range(_AIMS_MAX):
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(folder / "start", root)
            lines, outcome = _traced(root, place, fault)
            # A write to somewhere else may come between: a shot that went astray is repeated.
            if _hit(lines, place.call, fault, root):
                break
        else:
            raise Violation("the fault never came where it was meant to")
        word = _judged(root, reference, outcome, fault, is_finished=number % _FINISHED_EVERY == 0)
    except Exception as error:  # whatever is wrong is counted, and the others are tried
        word = f"{place.call} {place.number} {fault}: {error!r}"[:400]
    shutil.rmtree(root, ignore_errors=True)
    return word


def _hit(lines: list[str], call: str, fault: Fault, root: Path) -> bool:
    marked = [line for line in lines if "(INJECTED)" in line]
    if fault == "KILL":
        marked = [line for line in lines if line.startswith(f"{call}(")][-1:]
    found = _LINE.match(marked[0]) if marked else None
    return found is not None and _is_durable(found["call"], found["arguments"], root)


def _judged(root: Path, reference: Reference, outcome: Outcome, fault: Fault, *, is_finished: bool) -> str:
    if outcome.status == -signal.SIGKILL and fault == "KILL":
        word = "killed"
    elif outcome.last == "done" and outcome.status == 0:
        word = "done"
    elif outcome.last.startswith("error ") and outcome.status > 0:
        word = "error"
        if list(root.rglob("*.tmp")):
            raise Violation(f"a command that failed left {next(root.rglob('*.tmp'))}")
    else:
        raise Violation(f"it ended with {outcome.last!r} and status {outcome.status}")
    judge(root, reference, outcome.promises, is_finished=is_finished)
    sweep(root, Disk())
    if list(root.rglob("*.tmp")):
        raise Violation(f"{next(root.rglob('*.tmp'))} was not swept up")
    return word


def _traced(root: Path, place: Place | None = None, fault: Fault = "EIO") -> tuple[list[str], Outcome]:
    """Runs in a process of its own, under strace, with a fault at a place; returns the trace and the outcome."""
    go_read, go_write = os.pipe()
    said_read, said_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go_write)
        _be_traced(root, go_read, said_write)
    os.close(go_read)
    os.close(said_write)
    trace = root.with_name(f"{root.name}.trace")
    options = ["-e", f"trace={','.join(CALLS)}"]
    if place is not None:
        how = "signal=KILL" if fault == "KILL" else f"error={fault}"
        options += ["-e", f"inject={place.call}:{how}:when={place.number}"]
        if place.path:
            options += ["-P", place.path.replace("ROOT", str(root)).replace(".PID.", f".{child}.")]
    arguments = ["strace", "-y", "-o", str(trace), *options, "-p", str(child)]
    strace = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(lambda: _has_tracer(child))
        os.write(go_write, b"go")
        with os.fdopen(said_read, "rb", closefd=False) as file:
            said = file.read().decode().splitlines()
        status = _ended(child)
        strace.wait(_WAIT_S)
        return trace.read_text(errors="replace").splitlines(), _outcome(said, status, child)
    finally:
        os.close(go_write)
        os.close(said_read)
        strace.kill()
        strace.wait()
        trace.unlink(missing_ok=True)


def _be_traced(root: Path, go: int, said: int) -> NoReturn:
    """The child: waits until it is watched, runs, and leaves without ceremony."""
    status = 70
    try:
        # What is loaded when it is first used would be loaded under fire.
        open_feed(root / "project", config(root))
        os.read(go, 2)
        last = play(root, steps=STEPS, promises={}, say=lambda text: os.write(said, f"{text}\n".encode()))
        os.write(said, f"{last}\n".encode())
        status = 0 if last == "done" else 10
    except BaseException as error:  # the parent hears of it as of an unclean end
        os.write(said, f"raised {error!r}\n".encode())
    finally:
        os._exit(status)


def _outcome(said: list[str], status: int, pid: int = 0) -> Outcome:
    promises: dict[str, Hashable] = {}
    for line in said:
        name, _, promise = line.rpartition(" ")
        if name == "log" or name.startswith("trail "):
            promises[name] = int(promise)
    return Outcome(promises, said[-1] if said else "", status, pid)


def _ended(child: int) -> int:
    """The status of the process; one that hangs is killed."""
    status: list[int] = []

    def has_ended() -> bool:
        found, how = os.waitpid(child, os.WNOHANG)
        if found:
            status.append(os.waitstatus_to_exitcode(how))
        return bool(found)

    try:
        _wait(has_ended)
    except Violation:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    return status[0]


def _has_tracer(pid: int) -> bool:
    return "\nTracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


def _wait(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _WAIT_S
    while not is_so():
        if time.monotonic() > until:
            raise Violation("it hangs")
        time.sleep(0.002)


def _memory(scope: Scope) -> Path:
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else scope.scratch
