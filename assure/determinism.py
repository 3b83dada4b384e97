"""The same log gives the same projection, and the same acts give the same log: on any machine, in any process.

Processes that differ in PYTHONHASHSEED, TZ, locale (real ones, compiled here, with encodings other than UTF-8 too),
optimisation and folder fold the same logs, with and without snapshots, and make the same runs anew.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from assure.figure import Figure, Scope
from bench.workspaces import make_workspace

ROOT = Path(__file__).resolve().parents[1]
REAL_LOGS = ROOT.parent / "shared" / "logs"

ZONES = (
    "UTC",
    "Asia/Kolkata",
    "America/St_Johns",
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Antarctica/Troll",
    "XYZ-14:37",
)
LOCALES = {
    "tr_TR.UTF-8": ("tr_TR", "UTF-8"),
    "de_DE.ISO-8859-1": ("de_DE", "ISO-8859-1"),
    "ja_JP.EUC-JP": ("ja_JP", "EUC-JP"),
    "ar_SA.UTF-8": ("ar_SA", "UTF-8"),
}


def measure(scope: Scope) -> list[Figure]:
    """Every digest of every process against those of the first."""
    draw = random.Random(scope.seed)
    locales = _compile_locales(scope.scratch / "locales", 1 if scope.is_short else len(LOCALES))
    logs = [str(path) for path in _logs(scope)]
    stories = [1] if scope.is_short else list(range(1, 13))
    request = {"logs": logs, "cuts": 2 if scope.is_short else 9, "stories": stories}
    surroundings = list(_surroundings(draw, locales, 3 if scope.is_short else 32))
    with ThreadPoolExecutor(2) as pool:
        places = [scope.scratch / f"process-{number}" / ("deep/" * (number % 3)) for number in range(len(surroundings))]
        answers = list(pool.map(partial(_run, locales, request), places, surroundings))
    first = answers[0]
    compared = differing = 0
    where: list[str] = []
    for environment, answer in zip(surroundings, answers, strict=True):
        for name in first.keys() | answer.keys():
            compared += 1
            # Over a snapshot, the digest has to be that of the whole fold.
            if answer.get(name) != first.get(name.partition(" over the snapshot")[0]):
                differing += 1
                where.append(f"{name} under {environment}")
    detail: dict[str, float | int | str] = {
        "digests_compared": compared,
        "differing": differing,
        "processes": len(surroundings),
        "logs": len(logs),
        "stories": len(stories),
        "locales": " ".join(sorted({one["LC_ALL"] for one in surroundings})),
    }
    if where:
        detail["first_difference"] = where[0]
    return [
        Figure(
            name="digests equal across PYTHONHASHSEED, TZ, locale, snapshots on and off",
            value=100 * (compared - differing) / compared,
            target="100 %",
            holds=not differing,
            detail=detail,
        )
    ]


def _logs(scope: Scope) -> Iterator[Path]:
    yield from sorted(REAL_LOGS.glob("*/activity.jsonl"))
    for number, events in enumerate([300] if scope.is_short else [14, 300, 5_000, 20_000]):
        root = scope.scratch / f"made-{number}"
        make_workspace(root, events, open_tasks=2)
        yield root / ".roadmap" / "activity.jsonl"


def _compile_locales(folder: Path, count: int) -> dict[str, str]:
    """Locales made from the system's sources: by name, the folder to find them in. Fewer where sources are missing."""
    localedef = shutil.which("localedef")
    folder.mkdir(parents=True)
    made: dict[str, str] = {}
    for name, (language, charmap) in list(LOCALES.items())[:count]:
        if localedef is not None:
            command = [localedef, "--no-archive", "-i", language, "-f", charmap, str(folder / name)]
            # It also ends with 1 on mere warnings; what counts is what it made.
            subprocess.run(command, capture_output=True, check=False)
        if (folder / name / "LC_CTYPE").exists():
            made[name] = str(folder)
    return made


def _surroundings(draw: random.Random, locales: dict[str, str], count: int) -> Iterator[dict[str, str]]:
    names = ["C", *locales, "C.UTF-8", "POSIX"]
    for number in range(count):
        yield {
            "PYTHONHASHSEED": str(number if number < 2 else draw.randrange(2**32)),
            "TZ": ZONES[number % len(ZONES)],
            "LC_ALL": names[number % len(names)],
            "PYTHONUTF8": str(number // 2 % 2),
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONOPTIMIZE": str(number % 5 // 4),
        }


def _run(
    locales: dict[str, str], request: Mapping[str, object], place: Path, surroundings: dict[str, str]
) -> dict[str, str]:
    place.mkdir(parents=True)
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(place), "PYTHONPATH": str(ROOT), **surroundings}
    if surroundings["LC_ALL"] in locales:
        environment["LOCPATH"] = locales[surroundings["LC_ALL"]]
    done = subprocess.run(
        [sys.executable, "-m", "assure.determinism_process"],
        input=json.dumps({**request, "scratch": str(place)}).encode(),
        capture_output=True,
        cwd=place,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"under {surroundings}: {done.stderr.decode(errors='replace')}")
    answer: dict[str, str] = json.loads(done.stdout)
    return answer
