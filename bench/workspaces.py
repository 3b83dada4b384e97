"""Finished workspaces of any size, written through the real store and projection, 13 events a task."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from esaa.contracts.load import parse_governance
from esaa.kernel.recorded import Draft
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    OutputRejected,
    RunStarted,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
    VerificationPassed,
    VerificationStarted,
    ViewMutated,
)
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.roadmap import projection_hash, roadmap_json
from esaa.protocol.state import State
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.initialise import write_contracts
from esaa.stores.base import Batch
from esaa.stores.contracts import shipped_files
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore
from esaa.stores.views import Views

EVENTS_PER_TASK = 13
TS = "2026-02-27T01:25:22Z"
_TASKS_PER_VERIFICATION = 1000


class _Unsynced(Disk):
    """The real disk without waiting for it: what is measured is not the making."""

    def fdatasync(self, fd: int) -> None:
        """Nothing."""

    def fsync(self, fd: int) -> None:
        """Nothing."""


def make_workspace(root: Path, events: int, *, open_tasks: int = 20) -> None:
    """A workspace with about `events` events; the last `open_tasks` tasks are still to do."""
    disk = _Unsynced()
    files = shipped_files("0.4.0")
    parse_governance(files)
    roadmap = root / ".roadmap"
    write_contracts(roadmap, files, disk)
    store: JsonlStore[Fact] = JsonlStore(roadmap / "activity.jsonl", ProtocolVocabulary(), disk)
    state = State()
    tasks = max((events - 1) // EVENTS_PER_TASK, 1)
    pending: list[Draft[Fact]] = [_by("orchestrator", RunStarted(run_id="RUN-0001", baseline_id="B-000"))]
    for number in range(1, tasks + 1):
        pending += _task(number) if number <= tasks - open_tasks else [_created(number)]
        if number % 100 == 0 or number == tasks:
            _append(store, state, pending)
            pending = []
        if number % _TASKS_PER_VERIFICATION == 0 or number == tasks:
            passed = VerificationPassed(projection_hash_sha256=projection_hash(state))
            _append(store, state, [_by("orchestrator", VerificationStarted(strict=True)), _by("orchestrator", passed)])
    views = {
        "roadmap.json": roadmap_json(state),
        "issues.json": issues_json(state),
        "lessons.json": lessons_json(state),
    }
    Views(roadmap, disk).publish(views, state.seq, store.head())


def task_id(number: int) -> str:
    """The id of the n-th task."""
    return f"T-{number:06d}"


def _append(store: JsonlStore[Fact], state: State, drafts: list[Draft[Fact]]) -> None:
    for recorded in store.append(drafts, state.seq, Batch(ts=TS)):
        evolve(state, recorded)


def _by(actor: str, fact: Fact, *, follows: bool = False) -> Draft[Fact]:
    return Draft(actor=actor, fact=fact, follows=follows)


def _created(number: int) -> Draft[Fact]:
    name = task_id(number)
    return _by(
        "orchestrator",
        TaskCreated(
            task_id=name,
            task_kind="impl",
            title=f"Implement part {number} of the product",
            description=f"Write src/{name}.py so that the requirements of its specification hold.",
            depends_on=(),
            targets=["core"],
            outputs={"files": [f"src/{name}.py"]},
        ),
    )


def _task(number: int) -> list[Draft[Fact]]:
    return [_created(number), *_work(number)]


def _work(number: int) -> Iterator[Draft[Fact]]:
    name = task_id(number)
    projected = ViewMutated(target="roadmap", change="projected")
    closing = _by("orchestrator", projected, follows=True)
    digest = f"{number:064x}"
    effect = {"path": f"src/{name}.py", "before_sha256": None, "after_sha256": digest, "bytes": 4096}
    checks = {"checks": [f"python -m unittest tests.test_{number} passes", "ruff finds nothing"]}
    yield _by("agent-impl", TaskClaimed(task_id=name, prior_status="todo", notes="taking it"))
    yield closing
    yield _by(
        "orchestrator",
        OutputRejected(
            task_id=name,
            error_code="MISSING_VERIFICATION",
            message="too few checks",
            source_action="complete",
            rejected_actor="agent-impl",
            counts=True,
        ),
    )
    yield _by("agent-impl", TaskCompleted(task_id=name, prior_status="in_progress", verification=checks))
    yield _by("orchestrator", FileWritten(task_id=name, files=(f"src/{name}.py",), effects=[effect]), follows=True)
    yield closing
    asked = ("name the unit",)
    yield _by(
        "agent-qa",
        TaskReviewed(task_id=name, prior_status="review", decision="request_changes", tasks=asked, reviewer_role="qa"),
    )
    yield closing
    yield _by("agent-impl", TaskCompleted(task_id=name, prior_status="in_progress", verification=checks))
    yield closing
    yield _by(
        "agent-qa",
        TaskReviewed(task_id=name, prior_status="review", decision="approve", tasks=(name,), reviewer_role="qa"),
    )
    yield closing


def make_workspace_apart(root: Path, events: int, *, open_tasks: int) -> None:
    """As `make_workspace`, in a process of its own: a child's peak memory counts what its parent held at the fork."""
    subprocess.run([sys.executable, "-m", "bench.workspaces", str(root), str(events), str(open_tasks)], check=True)


if __name__ == "__main__":
    make_workspace(Path(sys.argv[1]), int(sys.argv[2]), open_tasks=int(sys.argv[3]))
