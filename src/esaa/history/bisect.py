"""The first event after which something does not hold, found in few tries.

Whoever asks gives the verdicts: from a predicate over the state, or by running a command on the files of the moment.
The search itself is a generator, so that each verdict may take its time (or be awaited) and be told as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Literal

import msgspec

from esaa.errors import UsageError

Verdict = Literal["good", "bad", "skip"]
"""What is found at a moment. `skip`: nobody can tell there."""

Controls = int | Sequence[int]
"""How many moments beside the search are tried, spread evenly; or which ones, where it is known that nothing can change
but at these: then no change is overlooked."""

CONTROLS = 16
"""How many moments beside the search are tried, where a try is cheap: they tell whether the answer is the only one."""


class BisectStep(msgspec.Struct, frozen=True, kw_only=True):
    """A moment that was tried."""

    seq: int
    verdict: Verdict


class Bisection(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found.

    - `first_bad`: the seq of the first event after which it does not hold; None where that is not known.
    - `suspects`: the events among which the first bad one is, where moments were skipped; else that one alone.
    - `steps`: what was tried, in order.
    - `is_monotone`: False where something was good again after it had been bad; None where nobody looked for that.
    - `note`: what is odd about the answer, in a sentence; empty where nothing is.
    """

    good: int
    bad: int
    first_bad: int | None
    suspects: tuple[int, ...]
    steps: tuple[BisectStep, ...]
    is_monotone: bool | None = None
    note: str = ""


def bisect(verdict: Callable[[int], Verdict], good: int, bad: int, *, controls: Controls = CONTROLS) -> Bisection:
    """Searches between a good moment and a later bad one, asking `verdict` once for each moment that it tries.

    See `bisecting` for what it raises and gives.
    """
    search = bisecting(good, bad, controls=controls)
    seq = next(search)
    while True:
        try:
            seq = search.send(verdict(seq))
        except StopIteration as found:
            result: Bisection = found.value
            return result


def bisecting(good: int, bad: int, *, controls: Controls = CONTROLS) -> Generator[int, Verdict, Bisection]:
    """The search as a generator: it yields the seq to try next, takes its verdict, and returns the `Bisection`.

    Both ends are tried first, and after the search the `controls`. One of these that is bad and lies before
    the answer moves the search there; one that is good and lies after it is told. So what fails for a while only is
    found too, as far as a control meets it. Raises `UsageError` where the ends are in the wrong order, or where it
    does not hold at the good one.
    """
    if not 0 <= good < bad:
        raise UsageError(
            "BISECT_RANGE_INVALID",
            f"The good moment #{good} does not come before the bad one #{bad}.",
            "Name a range GOOD..BAD; to find where something began to hold, turn the condition round.",
        )
    search = _Search(good, bad)
    if (yield from search.tried(good)) != "good":
        raise UsageError(
            "BISECT_NOT_GOOD",
            f"It does not hold at #{good}, so the first event after which it fails lies before.",
            "Begin earlier (#0 is before the first event), or turn the condition round.",
        )
    if (yield from search.tried(bad)) == "bad":
        yield from search.narrow(good, bad)
    yield from search.control(controls)
    return search.result()


class _Search:
    """A search: what was tried, and the last good and the first bad moment so far."""

    def __init__(self, good: int, bad: int) -> None:
        self._good, self._bad = good, bad
        # As long as nothing bad was met, the first bad moment lies behind the end.
        self._low, self._high = good, bad + 1
        self._verdicts: dict[int, Verdict] = {}
        self._is_controlled = False

    def tried(self, seq: int) -> Generator[int, Verdict, Verdict]:
        """The verdict on a moment, asked for once."""
        known = self._verdicts.get(seq)
        if known is None:
            known = self._verdicts[seq] = yield seq
        return known

    def narrow(self, low: int, high: int) -> Generator[int, Verdict, None]:
        """Halves what lies between, until good and bad are neighbours or all between them is skipped."""
        self._low, self._high = low, high
        while (middle := self._next_between()) is not None:
            found = yield from self.tried(middle)
            if found == "good":
                self._low = middle
            elif found == "bad":
                self._high = middle

    def control(self, controls: Controls) -> Generator[int, Verdict, None]:
        """Tries moments all over the range. A bad one before the answer is a better answer, and searched from."""
        if isinstance(controls, int):
            length, parts = self._bad - self._good, controls + 1
            controls = [self._good + length * place // parts for place in range(1, parts)]
        for seq in controls:
            self._is_controlled = True
            found = yield from self.tried(seq)
            if found == "bad" and seq < self._high:
                good = max(one for one, verdict in self._verdicts.items() if verdict == "good" and one < seq)
                yield from self.narrow(good, seq)

    def result(self) -> Bisection:
        """The answer, with all that was tried."""
        suspects = tuple(range(self._low + 1, self._high + 1)) if self._high <= self._bad else ()
        again = min((seq for seq, one in self._verdicts.items() if one == "good" and seq > self._high), default=None)
        return Bisection(
            good=self._good,
            bad=self._bad,
            first_bad=self._high if len(suspects) == 1 else None,
            suspects=suspects,
            steps=tuple(BisectStep(seq=seq, verdict=verdict) for seq, verdict in self._verdicts.items()),
            is_monotone=False if again is not None else True if self._is_controlled else None,
            note=" ".join(self._remarks(suspects, again)),
        )

    def _remarks(self, suspects: tuple[int, ...], again: int | None) -> Iterator[str]:
        if not suspects:
            yield "It still holds at the end." if self._verdicts[self._bad] == "good" else "Nobody can tell at the end."
        if len(suspects) > 1:
            yield f"Nobody can tell in between: any of the events #{suspects[0]} to #{suspects[-1]} may be the first."
        if again is not None:
            yield f"It does not stay so: it holds again at #{again}."

    def _next_between(self) -> int | None:
        """The untried moment that is nearest to the middle; None where there is none."""
        middle = (self._low + self._high) // 2
        for away in range(self._high - self._low):
            for seq in (middle - away, middle + away):
                if self._low < seq < self._high and seq not in self._verdicts:
                    return seq
        return None
