"""The figures: each a ratio of one run against a yardstick of the same run, with the bar that it has to hold."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.figure import Figure
from bench.history_figures import history
from bench.measure import Measures, Sample, cpu_of, medians, run
from bench.run_figures import overhead
from bench.trail_figures import TrailBench
from bench.web_figures import WebBench
from bench.workspaces import TS, make_workspace_apart, task_id
from esaa.kernel.recorded import Draft
from esaa.protocol.facts import Fact, TaskClaimed
from esaa.protocol.wire import ProtocolVocabulary
from esaa.stores.base import Batch
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore

RESULTS = Path(__file__).with_name("results.json")
_MIB = 1024 * 1024


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; ends with 1 where a figure does not hold."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fortieth of the sizes, one repeat: a smoke test")
    parser.add_argument("--only", metavar="TEXT", help="only figures whose name contains TEXT")
    parser.add_argument(
        "--measure",
        metavar="NAME",
        help="only this measurement, such as verify or queries; its figures alone are kept anew",
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results are kept")
    options = parser.parse_args(arguments)
    scale, repeats = (40, 1) if options.quick else (1, 5)
    scratch = Path(tempfile.mkdtemp(prefix="esaa-bench-"))
    try:
        bench = Bench(scratch, scale, repeats)
        trail = TrailBench(scratch, scale, repeats)
        page = WebBench(scratch, scale, repeats)
        yardsticks = bench.yardsticks()
        print("yardsticks:", json.dumps(yardsticks), flush=True)
        taken: dict[str, list[Figure]] = {}
        governed = (bench.start_up, bench.appends, bench.claim, bench.run, bench.verify, bench.history)
        witnessed = (trail.recording, trail.many_writers, trail.queries, trail.reconstruction, trail.memory)
        for measure in (*governed, *witnessed, page.web):
            if options.measure is not None and options.measure != measure.__name__:
                continue
            taken[measure.__name__] = []
            for figure in measure():
                if options.only is None or options.only in figure.name:
                    taken[measure.__name__].append(figure)
                    verdict = "holds" if figure.holds else "MISSED"
                    print(f"{figure.name}: {figure.ratio:.2f}{figure.unit} (bar {figure.bar}{figure.unit}) {verdict}")
                    print(f"    {json.dumps(figure.detail)}", flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not options.quick and options.only is None:
        before = {} if options.measure is None else json.loads(options.output.read_bytes())
        options.output.write_text(json.dumps(kept_with(before, yardsticks, taken), indent=2) + "\n")
    return 0 if all(figure.holds for figures in taken.values() for figure in figures) else 1


def kept_with(
    before: dict[str, Any], yardsticks: dict[str, float | str], taken: Mapping[str, Sequence[Figure]]
) -> dict[str, Any]:
    """What is kept in `before`, with what was measured now in the place of what the same measurements gave.

    Each figure is a ratio within its measurement, so one that the machine disturbed may be taken again alone.
    """
    new = {
        name: [{"measure": name, **msgspec.to_builtins(figure)} for figure in figures]
        for name, figures in taken.items()
    }
    old: dict[str, list[dict[str, Any]]] = {}
    for figure in before.get("figures", []):
        old.setdefault(figure["measure"], []).append(figure)
    return {
        "yardsticks": before.get("yardsticks", yardsticks),
        "figures": [figure for figures in (old | new).values() for figure in figures],
    }


class Bench(Measures):
    """The figures of the governed run, and of the time machine over it."""

    def yardsticks(self) -> dict[str, float | str]:
        """The machine: Python, cores, and the CPU of an empty interpreter."""
        import os

        return {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cores": os.cpu_count() or 0,
            "python_pass_cpu_s": round(self._median([sys.executable, "-c", "pass"], 9).cpu_s, 4),
        }

    def start_up(self) -> list[Figure]:
        """`esaa --version` against an interpreter that does nothing."""
        empty = self._median([sys.executable, "-c", "pass"], 21)
        version = self._median([sys.executable, "-m", "esaa", "--version"], 21)
        detail = {"python_pass_cpu_s": empty.cpu_s, "esaa_version_cpu_s": version.cpu_s}
        return [
            Figure(
                name="start-up: CPU of esaa --version / python -c pass",
                ratio=version.cpu_s / empty.cpu_s,
                bar=4,
                detail=detail,
            )
        ]

    def appends(self) -> list[Figure]:
        """Durable appends in batches of 100 against `json.dumps` and a write of the same events."""
        count = 20_000 // self._scale
        drafts: list[Draft[Fact]] = [
            Draft(actor="agent-impl", fact=TaskClaimed(task_id=task_id(n), prior_status="todo", notes="taking it"))
            for n in range(count)
        ]
        directory = self._scratch / "appends"
        directory.mkdir()
        ours, theirs = directory / "ours.jsonl", directory / "theirs.jsonl"

        def append() -> None:
            ours.unlink(missing_ok=True)
            store: JsonlStore[Fact] = JsonlStore(ours, ProtocolVocabulary(), Disk())
            for start in range(0, count, 100):
                store.append(drafts[start : start + 100], start, Batch(ts=TS))

        append()
        events = [json.loads(line) for line in ours.read_text().splitlines()]

        def dump() -> None:
            with theirs.open("w") as file:
                for event in events:
                    file.write(json.dumps(event) + "\n")

        # Taken in turn, so that both see the same machine.
        pairs = [(cpu_of(append, 1), cpu_of(dump, 1)) for _ in range(self._repeats)]
        ratio = sorted(mine / plain for mine, plain in pairs)[len(pairs) // 2]
        detail = {"events": count, "append_cpu_s": pairs[-1][0], "json_dumps_cpu_s": pairs[-1][1]}
        return [
            Figure(
                name="appends: CPU of durable batches of 100 / json.dumps + write", ratio=ratio, bar=3, detail=detail
            )
        ]

    def claim(self) -> list[Figure]:
        """One `claim` at 100,000 events against one at 100."""
        small = self._workspace(100, open_tasks=7)
        large = self._workspace(100_000 // self._scale, open_tasks=60)
        samples: dict[Path, list[Sample]] = {small: [], large: []}
        first = {small: 1, large: (100_000 // self._scale - 1) // 13 - 59}
        for repeat in range(min(self._repeats, 5) + 1):
            for root in (small, large):
                name = task_id(first[root] + repeat)
                sample = self._esaa(root, "claim", name, "--actor", "agent-impl")
                if repeat:  # the first one folds the log and writes the state snapshot
                    samples[root].append(sample)
        few, many = medians(samples[small]), medians(samples[large])
        detail = {
            "cpu_s_at_100": few.cpu_s,
            "cpu_s_at_100000": many.cpu_s,
            "wall_s_at_100": few.wall_s,
            "wall_s_at_100000": many.wall_s,
        }
        return [
            Figure(
                name="claim: CPU at 100,000 events / at 100 events", ratio=many.cpu_s / few.cpu_s, bar=2, detail=detail
            )
        ]

    def run(self) -> list[Figure]:
        """What a run costs beside its agents."""
        return overhead(self._scratch / "runs", 100 // self._scale, min(self._repeats, 3))

    def verify(self) -> list[Figure]:
        """Full verification of a million events against `sha256sum` of the same file, and its memory."""
        root = self._workspace(1_000_000 // self._scale, open_tasks=20)
        log = root / ".roadmap" / "activity.jsonl"
        repeats = min(self._repeats, 5)
        sums: list[Sample] = []
        ours: list[Sample] = []
        for _ in range(repeats):
            sums.append(run(["sha256sum", str(log)]))
            ours.append(self._esaa(root, "verify"))
        yardstick, full = medians(sums), medians(ours)
        ratios = sorted(mine.wall_s / theirs.wall_s for mine, theirs in zip(ours, sums, strict=True))
        roadmap = json.loads((root / ".roadmap" / "roadmap.json").read_bytes())
        canonical_bytes = len(json.dumps(roadmap, ensure_ascii=False, separators=(",", ":")).encode())
        allowed = 64 * _MIB + 5 * canonical_bytes
        detail: dict[str, float | int | str] = {
            "events": sum(1 for _ in log.open("rb")),
            "bytes": log.stat().st_size,
            "tasks": len(roadmap["tasks"]),
            "verify_wall_s": full.wall_s,
            "verify_cpu_s": full.cpu_s,
            "sha256sum_wall_s": yardstick.wall_s,
            "ratios": " ".join(f"{ratio:.2f}" for ratio in ratios),
        }
        if shutil.which("openssl"):
            detail["openssl_wall_s"] = self._best(lambda: run(["openssl", "dgst", "-sha256", str(log)]))
        return [
            Figure(
                name="verify: wall at 1,000,000 events / sha256sum",
                ratio=ratios[len(ratios) // 2],
                bar=4,
                detail=detail,
            ),
            Figure(
                name="verify: peak memory / (64 MiB + 5 x canonical roadmap)",
                ratio=full.peak_bytes / allowed,
                bar=1,
                detail={"peak_mib": full.peak_bytes / _MIB, "allowed_mib": allowed / _MIB},
            ),
            self._again(root, log, repeats),
        ]

    def _again(self, root: Path, log: Path, repeats: int) -> Figure:
        """The same log, signed and verified on this machine before, to which something has come since."""
        for line in (["key", "create"], ["checkpoint"]):
            self._esaa(root, *line)
        signed = self._esaa(root, "verify")
        unchanged = medians([self._esaa(root, "verify") for _ in range(repeats)])
        self._esaa(root, "task", "create", "T-NEW", "--kind", "impl", "--title", "New", "--output", "src/new.py")
        sums: list[Sample] = []
        ours: list[Sample] = []
        for _ in range(repeats):
            sums.append(run(["sha256sum", str(log)]))
            ours.append(self._esaa(root, "verify"))
        ratios = sorted(mine.wall_s / theirs.wall_s for mine, theirs in zip(ours, sums, strict=True))
        return Figure(
            name="verify again: wall with a new tail behind 1,000,000 signed events / sha256sum",
            ratio=ratios[len(ratios) // 2],
            bar=1,
            detail={
                "first_wall_s": signed.wall_s,
                "first_peak_mib": signed.peak_bytes / _MIB,
                "unchanged_wall_s": unchanged.wall_s,
                "again_wall_s": medians(ours).wall_s,
                "again_cpu_s": medians(ours).cpu_s,
                "again_peak_mib": medians(ours).peak_bytes / _MIB,
                "sha256sum_wall_s": medians(sums).wall_s,
                "ratios": " ".join(f"{ratio:.2f}" for ratio in ratios),
            },
        )

    def history(self) -> list[Figure]:
        """The time machine on a million events."""
        events = 1_000_000 // self._scale
        root = self._scratch / f"workspace-{events}"
        return history(root if root.is_dir() else self._workspace(events, open_tasks=20), self._repeats)

    def _workspace(self, events: int, *, open_tasks: int) -> Path:
        root = self._scratch / f"workspace-{events}"
        root.mkdir()
        make_workspace_apart(root, events, open_tasks=open_tasks)
        return root

    def _esaa(self, root: Path, *arguments: str) -> Sample:
        return run([sys.executable, "-m", "esaa", "--root", str(root), *arguments], env=self._environment)

    def _median(self, arguments: list[str], repeats: int) -> Sample:
        return medians([run(arguments, env=self._environment) for _ in range(repeats)])

    def _best(self, measure: Callable[[], Sample]) -> float:
        return min(measure().wall_s for _ in range(3))
