"""Power cuts that are thought up: every legal state of the disk at every step of a run, recovered and judged.

A run with an acceptance, a refusal, an issue, its hotfix, checkpoints and a trail is recorded on `RecordingDisk`;
`tests.crash.legal_states` says what each power cut may leave. Each such folder is laid out in memory, opened, judged,
and some of them run to their end.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from assure.crash_recovery import Reference, Violation, judge, parsed_once, prepare, record_run
from assure.figure import Figure, Scope
from tests.crash.legal_states import CrashState, Medium
from tests.crash.recording_disk import Write

_STATES_MIN = 50_000
_PER_STEP = 110
_KILLS = 40
_PER_STEP_AFTER_KILL = 3
_STEPS_AFTER_KILL = 80
"""Besides: runs that are killed somewhere, from which so many steps of the next process are looked at."""
_SHORT_KILLS = 2
_SHORT_PER_STEP = 8
_SHORT_STEPS = 15
_SHORT_WRITES = 3
"""The short form looks at every fifteenth step, and at every third write: what is torn is torn there."""
_FINISHED_EVERY = 300
_SHORT_FINISHED_EVERY = 20
"""Of so many states one is not only recovered: the run goes on from it to its end."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one process found: its states, each by its identity, and what is wrong with them."""

    identities: list[int]
    judged: int
    finished: int
    violations: list[str]
    repairs: dict[str, int]


def measure(scope: Scope) -> list[Figure]:
    """The states that were recovered, and those that broke a promise."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="esaa-crash-", dir=_memory(scope)) as folder, parsed_once():
        references = _references(Path(folder), scope)
        count = max(1, min(2, os.cpu_count() or 1))
        # Begun by fork: every process has the recording, and the same hash of the same bytes.
        context = multiprocessing.get_context("fork")
        with context.Pool(count, initializer=_begin, initargs=(references, Path(folder), scope)) as pool:
            parts = pool.map(_judge_part, _shares(references, count * 8), chunksize=1)
    states = len({identity for part in parts for identity in part.identities})
    violations = [one for part in parts for one in part.violations]
    repairs: dict[str, int] = {}
    for part in parts:
        for name, number in part.repairs.items():
            repairs[name] = repairs.get(name, 0) + number
    least = 1 if scope.is_short else _STATES_MIN
    detail: dict[str, float | int | str] = {
        "steps": len(references[0].steps),
        "runs": len(references),
        "judged": sum(part.judged for part in parts),
        "finished": sum(part.finished for part in parts),
        "seconds": round(time.monotonic() - started, 1),
        "violations": " | ".join(violations[:5]),
        **{f"repaired: {name}": number for name, number in sorted(repairs.items())},
    }
    return [
        Figure(
            name="enumerated crash states",
            value=states,
            target=f">= {_STATES_MIN:,}",
            holds=states >= least,
            detail=detail,
        ),
        Figure(name="crash states with a violation", value=len(violations), target="0", holds=not violations),
    ]


def _references(folder: Path, scope: Scope) -> list[Reference]:
    """A run on which nothing fails; and some whose process is killed on the way, so that another one rests on what the
    first had not synced."""
    prepare(folder / "start")
    whole = record_run(folder / "whole", folder / "start")
    kills = random.Random(scope.seed).sample(range(1, len(whole.steps)), _SHORT_KILLS if scope.is_short else _KILLS)
    return [whole, *(record_run(folder / f"killed-{one}", folder / "start", killed_after=one) for one in sorted(kills))]


_known: tuple[list[Reference], Path, Scope] | None = None


def _begin(references: list[Reference], folder: Path, scope: Scope) -> None:
    global _known  # noqa: PLW0603 - a process of the pool has one task
    _known = references, folder / str(os.getpid()), scope


def _judge_part(work: tuple[int, range]) -> _Part:
    assert _known is not None, "the pool has begun"
    references, folder, scope = _known
    number, share = work
    reference = references[number]
    identities: dict[int, int] = {}
    violations: list[str] = []
    repairs: dict[str, int] = {}
    judged = finished = 0
    limit = _SHORT_PER_STEP if scope.is_short else _PER_STEP
    if number:
        limit = 2 if scope.is_short else _PER_STEP_AFTER_KILL
    for state in _states(reference, share, limit, scope):
        identity = state.identity()
        # The same files again, after more had been promised: the promise is all that can be broken by it.
        if identities.get(identity) == hash(frozenset(state.promises.items())):
            continue
        is_new = identity not in identities
        identities[identity] = hash(frozenset(state.promises.items()))
        is_finished = is_new and len(identities) % (_SHORT_FINISHED_EVERY if scope.is_short else _FINISHED_EVERY) == 0
        root = folder / "state"
        try:
            lay_out(state, root)
            for repair in judge(root, reference, state.promises, is_finished=is_finished):
                repairs[repair] = repairs.get(repair, 0) + 1
        except Violation as found:
            violations.append(f"after step {state.after} ({_named(reference, state.after)}): {found}")
        except Exception as error:
            violations.append(f"after step {state.after} ({_named(reference, state.after)}): {error!r}"[:600])
        judged += 1
        finished += is_finished
        shutil.rmtree(root, ignore_errors=True)
    return _Part(identities=list(identities), judged=judged, finished=finished, violations=violations, repairs=repairs)


def lay_out(state: CrashState, root: Path) -> None:
    """Writes the files of a state below a folder."""
    root.mkdir(parents=True)
    for name in sorted(state.dirs):
        (root / name).mkdir(0o700, exist_ok=True)
    for name, data in state.files.items():
        path = root / name
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if name.startswith("config/") else 0o644)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)


def _states(reference: Reference, share: range, limit: int, scope: Scope) -> Iterator[CrashState]:
    medium = Medium(reference.start, reference.start_dirs)
    seen = {True: 0, False: 0}
    for number, step in enumerate(reference.steps[: share.stop]):
        medium.take(step)
        is_write = isinstance(step, Write)
        every = (_SHORT_WRITES if is_write else _SHORT_STEPS) if scope.is_short else 1
        if number in share and seen[is_write] % every == 0:
            yield from medium.states(number, limit, random.Random(f"{scope.seed} {number}"))
        seen[is_write] += 1


def _shares(references: list[Reference], count: int) -> list[tuple[int, range]]:
    """Who judges which steps of which run. After a kill it is the steps that follow soon that matter."""
    shares: list[tuple[int, range]] = []
    for number, reference in enumerate(references):
        end = min(len(reference.steps), reference.first + _STEPS_AFTER_KILL) if number else len(reference.steps)
        size = -(-len(references[0].steps) // count)
        shares += [(number, range(start, min(start + size, end))) for start in range(reference.first, end, size)]
    return shares


def _named(reference: Reference, number: int) -> str:
    return repr(reference.steps[number])[:120]


def _memory(scope: Scope) -> Path:
    """A file system in memory, where the machine has one."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else scope.scratch
