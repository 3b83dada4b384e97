"""`esaa trail check`: the specification's six success metrics, measured on the store as it lies there."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from esaa.errors import EsaaError
from esaa.kernel.checkpoint import VerifierKey
from esaa.runtime.replay.replaying import replay_success_rate
from esaa.runtime.trail.feed import unfed_events
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.runtime.trail.verification import StreamVerdict, verify_stream
from esaa.runtime.verification.checkpoint_audit import Given, Knowledge
from esaa.trail.event import GLOBAL
from esaa.trail.state import encode_state

_MOMENTS = 5
_STREAMS_MAX = 200
"""Reconstruction, replay and queries are measured on at most so many streams, drawn by a fixed seed."""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One success metric: what was measured, over how much, the target, and whether it is met.

    `value` is a share from 0 to 1, or seconds for query performance; None where there is nothing to measure.
    """

    name: str
    value: float | None
    target: str
    is_met: bool
    measured: str


class TrailReport(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts of the streams, and the six metrics in the order of the specification."""

    verdicts: tuple[StreamVerdict, ...]
    metrics: tuple[Metric, ...]

    @property
    def is_sound(self) -> bool:
        """True where no stream is damaged."""
        return all(verdict.is_sound for verdict in self.verdicts)

    @property
    def is_met(self) -> bool:
        """True where every metric meets its target."""
        return all(metric.is_met for metric in self.metrics)


def check_trail(
    trail: Trail,
    log: Path | None,
    queries: Sequence[Callable[[], object]],
    streams: Iterable[str] | None = None,
    *,
    told: Callable[[str], None] = lambda _: None,
    knowledge: Knowledge | None = None,
    keys: Sequence[VerifierKey] = (),
    given: Sequence[Given] = (),
) -> TrailReport:
    """Verifies the streams and measures. `log` is the governed run's, where there is one; `queries` are timed."""
    names = list(streams) if streams is not None else trail.store.names()
    verdicts: list[StreamVerdict] = []
    for name in names:
        told(f"verifying {name}")
        verdicts.append(verify_stream(trail, name, knowledge=knowledge, keys=keys, given=given))
    sound = [one.stream for one in verdicts if one.is_sound and one.events]
    drawn = sound if len(sound) <= _STREAMS_MAX else sorted(random.Random(1).sample(sound, _STREAMS_MAX))  # noqa: S311
    told("measuring")
    return TrailReport(
        verdicts=tuple(verdicts),
        metrics=(
            _completeness(trail, log),
            _compliance(verdicts),
            _accuracy(trail, drawn),
            _query_time(queries),
            _coverage(verdicts),
            _replay(trail, drawn),
        ),
    )


def _completeness(trail: Trail, log: Path | None) -> Metric:
    name, target = "event completeness", "100%"
    if log is None or not log.exists():
        return Metric(name=name, value=None, target=target, is_met=True, measured="there is no governed log")
    missing, total = unfed_events(trail, log)
    share = (total - len(missing)) / total if total else None
    told = f"{total - len(missing)} of {total} events of the governed log are told in the trail"
    if missing:
        told += f" (missing: {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}; run `esaa trail feed`)"
    return Metric(name=name, value=share, target=target, is_met=not missing, measured=told)


def _compliance(verdicts: Sequence[StreamVerdict]) -> Metric:
    total = sum(one.events for one in verdicts)
    faulty = sum(one.faulty for one in verdicts)
    return Metric(
        name="schema compliance",
        value=(total - faulty) / total if total else None,
        target="100%",
        is_met=faulty == 0,
        measured=f"{total - faulty} of {total} events pass their schema",
    )


def _accuracy(trail: Trail, streams: Sequence[str]) -> Metric:
    """With snapshots and without, the state must be the same, at the end and at moments before."""
    states = TrailStates(trail)
    same = compared = 0
    for stream in streams:
        first = trail.store.stream(stream).segments()[0].first
        head = trail.store.stream(stream).tip().head.version
        moments = {head, *(first + (head - first) * number // _MOMENTS for number in range(_MOMENTS))}
        for sequence in sorted(moments):
            try:
                quick = states.reconstruct(stream, sequence=sequence).state
                full = states.reconstruct(stream, sequence=sequence, use_snapshots=False).state
                same += encode_state(quick) == encode_state(full)
            except EsaaError:
                pass
            compared += 1
    return Metric(
        name="reconstruction accuracy",
        value=same / compared if compared else None,
        target="100%",
        is_met=same == compared,
        measured=f"{same} of {compared} states from snapshots are those of a full fold",
    )


def _query_time(queries: Sequence[Callable[[], object]]) -> Metric:
    times: list[float] = []
    for query in queries:
        started = time.perf_counter()
        query()
        times.append(time.perf_counter() - started)
    times.sort()
    value = times[int(len(times) * 0.95)] if times else None
    return Metric(
        name="query performance",
        value=value,
        target="< 1 s",
        is_met=value is None or value < 1,
        measured=f"95 % of {len(times)} queries within {0 if value is None else value * 1000:.1f} ms",
    )


def _coverage(verdicts: Sequence[StreamVerdict]) -> Metric:
    issues = [one for one in verdicts if one.stream != GLOBAL]
    whole = [one for one in issues if one.is_sound]
    return Metric(
        name="audit trail coverage",
        value=len(whole) / len(issues) if issues else None,
        target="100%",
        is_met=len(whole) == len(issues),
        measured=f"{len(whole)} of {len(issues)} issues have an unbroken trail from their first event on",
    )


def _replay(trail: Trail, streams: Sequence[str]) -> Metric:
    done = total = 0
    for stream in streams:
        succeeded, repeatable = replay_success_rate(trail, stream)
        done += succeeded
        total += repeatable
    share = done / total if total else None
    return Metric(
        name="replay success rate",
        value=share,
        target=">= 95%",
        is_met=share is None or share >= 0.95,
        measured=f"{done} of {total} repeatable events replay in a dry run",
    )
