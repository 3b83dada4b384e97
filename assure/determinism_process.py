"""What one process of the determinism figure does: folds logs, makes logs anew, and prints the digests of all of it.

Everything that may differ between two processes (hash seed, zone, locale, folder) is set by who starts this one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from esaa.agents.base import Dispatch
from esaa.agents.scripted import ScriptedAgent, obedient
from esaa.config import Config
from esaa.open import open_feed
from esaa.protocol.evolve import PROJECTION_VERSION
from esaa.protocol.facts import Fact
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.roadmap import projection_hash, roadmap_json
from esaa.protocol.state import State
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.clock import ManualClock
from esaa.runtime.folded_log import FoldedLog
from esaa.runtime.orchestrator import Orchestrator
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore
from esaa.stores.snapshots import SnapshotStore
from tests.workspaces import MORNING, NO_COOLDOWN, Watcher, make_workspace, new_task

_SECRET = b"\x01" * 32
_TITLES = (
    "Write the \u0131I\u0130i of Diyarbak\u0131r",
    "Größe ß SS",
    "Ärger, zuerst",
    "zebra",
    "Zebra",
    "日本語の仕様",
    "e\u0301 and é",
    "a-b_c",
)
"""Texts whose letters locales fold and sort differently."""


def main() -> None:
    """Reads the request from stdin: logs to fold, at how many cuts, and seeds of stories to tell."""
    request = json.load(sys.stdin)
    scratch = Path(request["scratch"])
    digests: dict[str, str] = {}
    for path in request["logs"]:
        digests |= fold_digests(Path(path), request["cuts"], scratch / "folds")
    for seed in request["stories"]:
        digests |= told(seed, scratch / f"story-{seed}")
    json.dump(digests, sys.stdout)


def fold_digests(log: Path, cuts: int, scratch: Path) -> dict[str, str]:
    """The projection and the read models of a log, folded whole and over a snapshot at each of `cuts` places."""
    scratch.mkdir(parents=True, exist_ok=True)
    data = log.read_bytes()
    found = _digests(_folded(log, None).state())
    digests = {f"{log}: {name}": value for name, value in found.items()}
    lines = data.splitlines(keepends=True)
    copy = scratch / "activity.jsonl"
    for cut in sorted({len(lines) * k // (cuts + 1) for k in range(1, cuts + 1)} - {0}):
        copy.write_bytes(b"".join(lines[:cut]))
        _folded(copy, _SECRET).save_snapshot()
        copy.write_bytes(data)
        over = _folded(copy, _SECRET)
        state = over.state()
        if over.snapshot_place.version == 0:
            raise RuntimeError(f"the snapshot of {log} at line {cut} was not used: the comparison says nothing")
        digests |= {f"{log}: {name} over the snapshot at {cut}": value for name, value in _digests(state).items()}
    return digests


def told(seed: int, root: Path) -> dict[str, str]:
    """The log, the read models and the trail of a run that is made here and now, on a clock that stands still."""
    draw = random.Random(seed)
    names = [f"T-{number}" for number in range(1, draw.randint(5, 10))]
    draw.shuffle(names)
    kinds = {name: draw.choice(["spec", "impl", "impl", "qa"]) for name in names}
    folders = {"spec": "docs/spec", "impl": "src", "qa": "docs/qa"}
    plan = [
        new_task(name, kinds[name], outputs=[f"{folders[kinds[name]]}/{name}.md"], after=[before] if before else [])
        for before, name in pairwise(["", *names])
    ]
    # Snapshots of the trail are sealed with a key of the machine; here all processes have the same.
    (root / "config").mkdir(parents=True)
    (root / "config" / "state.key").write_bytes(_SECRET)
    (root / "config" / "state.key").chmod(0o600)
    clock = ManualClock(MORNING)
    workspace = make_workspace(root / "project", plan, edits=NO_COOLDOWN, clock=clock)
    feed = open_feed(workspace.root, _config(root), rules=workspace.rules, clock=clock)
    workspace.subscribers[:] = [feed.follow]
    feed.begin()
    agent = ScriptedAgent(lambda dispatch, context: _answer(draw, dispatch, context))
    asyncio.run(Orchestrator(workspace, lambda _: agent, Watcher()).run(run_id="RUN-0001", parallel=2, steps=60))
    complaints = feed.finish()
    if complaints:
        raise RuntimeError(f"story {seed}: {complaints}")
    return dict(_files(root / "project", f"story {seed}"))


def _config(root: Path) -> Config:
    return Config(config_dir=str(root / "config"), lock_timeout_s=10.0)


def _answer(draw: random.Random, dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
    """Mostly what is asked for; now and then nonsense, a lack of proof, a request for changes."""
    answer = obedient(dispatch, context)
    event = answer["activity_event"]
    chance = draw.random()
    if chance < 0.06:
        return b"I will not."
    if chance < 0.12:
        event.pop("verification", None)
    elif event["action"] == "review" and chance < 0.3:
        event |= {"decision": "request_changes", "tasks": [draw.choice(_TITLES)]}
    elif event["action"] == "complete":
        event["notes"] = draw.choice(_TITLES)
    return answer


def _folded(log: Path, secret: bytes | None) -> FoldedLog:
    disk = Disk()
    store: JsonlStore[Fact] = JsonlStore(log, ProtocolVocabulary(), disk)
    snapshots = SnapshotStore(log.with_suffix(".snapshot"), disk, secret, "protocol", PROJECTION_VERSION)
    return FoldedLog(store, snapshots, snapshot_every=1)


def _digests(state: State) -> dict[str, str]:
    models = roadmap_json(state) + issues_json(state) + lessons_json(state)
    return {"projection": projection_hash(state), "read models": hashlib.sha256(models).hexdigest()}


def _files(root: Path, name: str) -> Iterator[tuple[str, str]]:
    for path in sorted(root.rglob("*")):
        below = path.relative_to(root)
        if path.is_file() and not any(part in {".esaa", "keys"} for part in below.parts):
            yield f"{name}: {below.as_posix()}", hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
