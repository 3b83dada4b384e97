"""The figures of the audit trail: a million events over two thousand issues."""

from __future__ import annotations

import json
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.figure import Figure
from bench.measure import Measures, cpu_of, run
from bench.trails import EVENTS_PER_ISSUE, RARE, WORDS, a_trail, fill, proposals
from esaa.query.filters import Query
from esaa.query.finder import open_index
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.trail.event import TrailEvent

SESSION = "5e551000-0000-4000-8000-000000000001"
_MIB = 1024 * 1024
_ISSUES = 2000
_PROCESSES = 8


class TrailBench(Measures):
    """The figures of trails, which are filled once."""

    def __init__(self, scratch: Path, scale: int, repeats: int) -> None:
        super().__init__(scratch, scale, repeats)
        self._filled: dict[tuple[int, int], Path] = {}

    def recording(self) -> list[Figure]:
        """CPU of one recorded event in batches of 100, with every setting as it ships, against `json.dumps` + write."""
        ratios: list[float] = []
        detail: dict[str, float | int | str] = {}
        for repeat in range(self._repeats):
            root = self._scratch / f"recording-{repeat}"
            trail = a_trail(root)
            recorder = TrailRecorder(trail, session_id=SESSION)
            recorder.record_many(proposals(random.Random(0), 100, "WARM-1", SESSION))
            ours, theirs, count = 0.0, 0.0, 0
            # Issue by issue, both ways in turn: a machine that changes its speed changes it for both.
            for number in range(40 // self._scale):
                key = f"PROJ-{number + 1}"
                for part in range(5):
                    # Made right before it is recorded, as a witness would: what else is alive is not to be measured.
                    batch = proposals(random.Random(5 * number + part), 100, key, SESSION)
                    ours += _cpu(partial(recorder.record_many, batch))
                events = [json.loads(located.line) for located in trail.store.stream(key).events()]
                theirs += _cpu(partial(_dumped, root / "plain.jsonl", events))
                count += len(events)
            ours += _cpu(recorder.close)
            assert count == 500 * (40 // self._scale)
            ratios.append(ours / theirs)
            detail = {"record_us": ours / count * 1e6, "json_dumps_us": theirs / count * 1e6, "events": count}
        detail["ratios"] = " ".join(f"{ratio:.2f}" for ratio in ratios)
        name = "trail: CPU of a recorded event in batches of 100 / json.dumps + write"
        return [Figure(name=name, ratio=statistics.median(ratios), bar=3, detail=detail)]

    def many_writers(self) -> list[Figure]:
        """Eight processes record into the same issue and others at once: nothing may be lost or doubled."""
        root = self._scratch / "writers"
        rounds = 200 // self._scale
        context = multiprocessing.get_context("spawn")
        workers = [
            context.Process(target=record_alone, args=(str(root), number, rounds)) for number in range(_PROCESSES)
        ]
        started = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        wall = time.perf_counter() - started
        trail = a_trail(root)
        seen: list[str] = []
        broken = sum(worker.exitcode != 0 for worker in workers)
        for name in trail.store.names():
            events = [located.event for located in trail.store.stream(name).events()]
            broken += [event.version for event in events] != list(range(1, len(events) + 1))
            seen += [event.event_id for event in events]
        expected = _PROCESSES * rounds * 2
        wrong = abs(expected - len(seen)) + len(seen) - len(set(seen)) + broken
        detail: dict[str, float | int | str] = {"processes": _PROCESSES, "events": expected, "wall_s": wall}
        return [
            Figure(
                name="trail: events lost or doubled by 8 recording processes",
                ratio=wrong,
                bar=0,
                unit="",
                detail=detail,
            )
        ]

    def queries(self) -> list[Figure]:
        """Index rebuild, indexed queries and full text, warm, in one process."""
        trail = a_trail(self._trail(_ISSUES // self._scale))
        finder = open_index(trail.store, trail.settings.indexing, trail.types)
        built = finder.rebuild()
        cpu = cpu_of(finder.rebuild, self._repeats)
        rebuild = Figure(
            name="trail: CPU microseconds per event of an index rebuild (40 are 25,000 events per CPU second)",
            ratio=cpu / built.events * 1e6,
            bar=40,
            unit=" us",
            detail={"events": built.events, "events_per_cpu_s": built.events / cpu, "cpu_s": cpu},
        )
        chance = random.Random(5)
        sample = [self._any_event(trail, chance) for _ in range(50)]
        exact = [query for event in sample for query in _indexed(event)]
        texts = [*WORDS[:20], RARE, f"{WORDS[0]} {WORDS[1]}", f'"{WORDS[2]} {WORDS[3]}"', f"{WORDS[4]}*"]
        words = [Query(text=text, limit=50) for text in texts]
        for query in (*exact[:20], *words):
            finder.search(query)
        exact_ms = [_ms(partial(finder.search, query)) for query in exact]
        words_ms = [_ms(partial(finder.search, query)) for _ in range(3) for query in words]
        finder.close()
        return [
            rebuild,
            _percentile("trail: indexed queries, newest 50, p95", exact_ms, 10),
            _percentile("trail: full text, newest 50, p95", words_ms, 20),
        ]

    def reconstruction(self) -> list[Figure]:
        """Any issue at any time, in a warm process that has never seen that issue."""
        issues = _ISSUES // self._scale
        trail = a_trail(self._trail(issues))
        states = TrailStates(trail)
        chance = random.Random(9)
        times: list[float] = []
        for _ in range(300):
            event = self._any_event(trail, chance)
            key = f"PROJ-{chance.randrange(issues) + 1}"
            times.append(_ms(partial(states.reconstruct, key, event.ts)))
        return [_percentile("trail: state of any issue at any time, p95", times, 20)]

    def memory(self) -> list[Figure]:
        """Peak memory of the streaming commands on a trail with four times as many events in as many files."""
        issues = _ISSUES // self._scale
        small, large = self._trail(issues, EVENTS_PER_ISSUE // 4), self._trail(issues)
        commands: dict[str, list[str]] = {
            "check": ["trail", "check", "--issue", "PROJ-1"],
            "count by scan": ["query", "--scan", "--count"],
            "index rebuild": ["index", "rebuild"],
            "verify all": ["trail", "check"],
        }
        worst, detail = 0.0, {}
        for name, arguments in commands.items():
            peaks = [
                run([sys.executable, "-m", "esaa", "--root", str(root), *arguments], env=self._environment).peak_bytes
                for root in (small, large)
            ]
            detail[name] = f"{peaks[0] / _MIB:.0f} -> {peaks[1] / _MIB:.0f} MiB"
            worst = max(worst, peaks[1] / peaks[0])
        return [
            Figure(
                name="trail: peak memory of the streaming commands, 1,000,000 / 250,000 events",
                ratio=worst,
                bar=1.25,
                detail=detail,
            )
        ]

    def _trail(self, issues: int, each: int = EVENTS_PER_ISSUE) -> Path:
        root = self._filled.get((issues, each))
        if root is None:
            root = self._filled[issues, each] = self._scratch / f"trail-{issues}-{each}"
            fill(root, issues, each)
            (root / ".roadmap").mkdir()
            (root / ".roadmap" / "event-sourcing.yaml").write_text("event_sourcing: {storage: {base_path: events}}\n")
        return root

    def _any_event(self, trail: Trail, chance: random.Random) -> TrailEvent:
        stream = trail.store.stream(f"PROJ-{chance.randrange(_ISSUES // self._scale) + 1}")
        sequence = chance.randrange(EVENTS_PER_ISSUE) + 1
        return next(stream.events(sequence, sequence)).event


def record_alone(root: str, number: int, rounds: int) -> None:
    """What one of the processes does."""
    recorder = TrailRecorder(a_trail(Path(root)), session_id=SESSION)
    chance = random.Random(number)
    for _ in range(rounds):
        recorder.record_many(proposals(chance, 1, "PROJ-1", SESSION) + proposals(chance, 1, f"ABC-{number}", SESSION))
    recorder.close()


def _indexed(event: TrailEvent) -> list[Query]:
    key = event.fact.issue_key or ""
    kind = event.fact.event_type
    return [
        Query(event_id=event.event_id),
        Query(issue_keys=(key,)),
        Query(issue_keys=(key,), event_types=(kind,)),
        Query(event_types=(kind,)),
        Query(actors=(event.actor,)),
        Query(agents=(event.actor,), event_types=("AgentCompleted",)),
        Query(phases=("CODE",)),
        Query(correlation_id=event.correlation_id),
        Query(until=event.ts),
        Query(issue_keys=(key,), since=event.ts, sort="oldest"),
    ]


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _dumped(path: Path, events: Sequence[object]) -> None:
    """Batches of 100, as someone without a store would write them."""
    for at in range(0, len(events), 100):
        with path.open("a") as file:
            for event in events[at : at + 100]:
                file.write(json.dumps(event) + "\n")


def _ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def _percentile(name: str, times: Sequence[float], bar: float) -> Figure:
    ordered = sorted(times)
    return Figure(
        name=name,
        ratio=ordered[int(len(ordered) * 0.95)],
        bar=bar,
        unit=" ms",
        detail={"p50_ms": ordered[len(ordered) // 2], "max_ms": ordered[-1], "count": len(ordered)},
    )
