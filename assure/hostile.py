"""A million hostile inputs at every door: each gets a value or a refusal of that door, within a second.

The corpora come first, as they stand and at every door; the rest is mutated from good bytes, by a seed. Time is that of
the processor, so that a busy machine blames nobody.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from types import FrameType

import msgspec

from assure.doors import Door, doors
from assure.figure import Figure, Scope
from assure.mutation import mutated
from tests.corpora.json.cases import cases as json_cases
from tests.corpora.paths.cases import cases as path_cases
from tests.corpora.yaml.cases import cases as yaml_cases

INPUTS_MIN = 1_000_000
SECONDS_MAX = 1.0

_SHORT_INPUTS = 15_000
_HANGS_S = 20
_CHUNKS = 64
_FIRST_SHOWN = 5
_SMALL_BYTES = 1 << 16


class Answers(msgspec.Struct, kw_only=True):
    """What a part of the inputs got."""

    inputs: int = 0
    values: int = 0
    refusals: int = 0
    slowest_s: float = 0.0
    slowest: str = ""
    slow: list[str] = []
    uncaught: list[str] = []
    by_door: dict[str, int] = {}


class Hangs(BaseException):
    """A door did not answer at all. No refusal, and nothing that a door may catch."""


def measure(scope: Scope) -> list[Figure]:
    """Feeds all doors, on every core; in the short form a few thousand inputs."""
    count = _SHORT_INPUTS if scope.is_short else INPUTS_MIN
    chunks = [(count // _CHUNKS + 1, scope.seed * 1_000_003 + number) for number in range(_CHUNKS)]
    answers = Answers()
    if scope.is_short:
        parts = [_corpus_answers(is_short=True), *(_mutated_answers(*chunk) for chunk in chunks)]
    else:
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
            corpus = pool.submit(_corpus_answers, is_short=False)
            parts = [*pool.map(_mutated_answers, *zip(*chunks, strict=True)), corpus.result()]
    for part in parts:
        _add(answers, part)
    return _figures(answers, count)


def _figures(answers: Answers, count: int) -> list[Figure]:
    detail: dict[str, float | int | str] = {
        "inputs": answers.inputs,
        "doors": len(answers.by_door),
        "values": answers.values,
        "refusals": answers.refusals,
        "slowest_cpu_s": round(answers.slowest_s, 3),
        "slowest": answers.slowest,
    }
    is_enough = answers.inputs >= count and len(answers.by_door) == len(doors())
    return [
        Figure(
            name="hostile inputs that raised what no door may raise",
            value=len(answers.uncaught),
            target=f"0 of >= {INPUTS_MIN:,}",
            holds=not answers.uncaught and is_enough,
            detail=detail | {"first": "; ".join(answers.uncaught[:_FIRST_SHOWN])},
        ),
        Figure(
            name="hostile inputs that were answered after more than a second",
            value=len(answers.slow),
            target=f"0 of >= {INPUTS_MIN:,}",
            holds=not answers.slow and is_enough,
            detail={"slowest_cpu_s": round(answers.slowest_s, 3), "first": "; ".join(answers.slow[:_FIRST_SHOWN])},
        ),
    ]


def feed(door: Door, data: bytes, answers: Answers) -> None:
    """Gives bytes to a door, and notes what came of it."""
    answers.inputs += 1
    answers.by_door[door.name] = answers.by_door.get(door.name, 0) + 1
    started = time.thread_time()
    try:
        door.take(data)
        answers.values += 1
    except door.refusals:
        answers.refusals += 1
    except (Exception, Hangs) as error:  # whatever it is, it is what this looks for
        answers.uncaught.append(f"{door.name}: {type(error).__name__}: {str(error)[:80]} at {_shown(data)}")
    taken = time.thread_time() - started
    if taken > answers.slowest_s:
        answers.slowest_s, answers.slowest = taken, f"{door.name}, {len(data)} bytes: {data[:24]!r}"
    if taken > SECONDS_MAX:
        answers.slow.append(f"{door.name}: {taken:.1f} s for {len(data)} bytes {data[:40]!r}")


def corpus() -> Iterator[bytes]:
    """Every hostile text of the corpora, whatever door it was made for."""
    yield from (case.data for case in json_cases())
    yield from (case.data for case in yaml_cases())
    yield from (
        case.path.encode("utf-8", "surrogateescape" if _is_escaped(case.path) else "surrogatepass")
        for case in path_cases()
    )


def _is_escaped(text: str) -> bool:
    return all(not 0xD800 <= ord(one) <= 0xDFFF or 0xDC80 <= ord(one) <= 0xDCFF for one in text)


def _corpus_answers(*, is_short: bool) -> Answers:
    answers = Answers()
    with _watched():
        for door in doors():
            for number, data in enumerate(corpus()):
                if not is_short or (number % 10 == 0 and len(data) <= _SMALL_BYTES):
                    feed(door, data, answers)
    return answers


def _mutated_answers(count: int, seed: int) -> Answers:
    chance = random.Random(seed)
    every = doors()
    choices = chance.choices(every, weights=[door.share for door in every], k=count)
    if count < 4 * len(every):  # the short form: each door at least once
        choices[: len(every)] = every
    answers = Answers()
    with _watched():
        for door in choices:
            signal.setitimer(signal.ITIMER_VIRTUAL, _HANGS_S)
            feed(door, mutated(chance.choice(door.seeds), door.seeds, chance), answers)
    return answers


@contextmanager
def _watched() -> Generator[None, None, None]:
    """Ends a door that never answers, after so much time of the processor. Only where this is the main thread."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise Hangs(f"no answer after {_HANGS_S} s")

    before = signal.signal(signal.SIGVTALRM, end)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _add(answers: Answers, part: Answers) -> None:
    answers.inputs += part.inputs
    answers.values += part.values
    answers.refusals += part.refusals
    answers.slow += part.slow
    answers.uncaught += part.uncaught
    answers.by_door = dict(Counter(answers.by_door) + Counter(part.by_door))
    if part.slowest_s > answers.slowest_s:
        answers.slowest_s, answers.slowest = part.slowest_s, part.slowest


def _shown(data: bytes) -> str:
    return repr(data if len(data) <= 300 else data[:150] + b" ... " + data[-150:])
