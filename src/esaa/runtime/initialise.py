"""A new workspace: contracts first, then a log that appears in one piece. An existing log is never overwritten."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import UNSET, UnsetType

from esaa.contracts.governance import Governance
from esaa.errors import UsageError
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Draft
from esaa.protocol.commands import AnyCommand, CreateTask, StartRun
from esaa.protocol.decide import decide
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import Fact
from esaa.protocol.state import State
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.clock import Clock, log_time
from esaa.stores.base import Batch
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore, storage_error
from esaa.stores.memory import MemoryStore

FIRST_RUN_ID = "RUN-0001"
IGNORED = b"# Disposable: locks, snapshots of folded states, cursors, staging.\n*\n"


def write_contracts(roadmap: Path, files: dict[str, bytes], disk: Disk) -> list[str]:
    """Writes the files that are not there yet; returns the names of those that were kept as they lie."""
    kept: list[str] = []
    try:
        disk.mkdir(roadmap / ".esaa")
        disk.replace_file(roadmap / ".esaa" / ".gitignore", IGNORED, durable=False)
        for name, data in files.items():
            path = roadmap / name
            if path.exists():
                kept.append(name)
                continue
            disk.mkdir(path.parent)
            disk.replace_file(path, data, durable=True)
    except OSError as error:
        raise storage_error(roadmap, error) from error
    return kept


def refuse_existing(roadmap: Path) -> None:
    """Raises `UsageError` where there is a log already."""
    path = roadmap / "activity.jsonl"
    if path.exists() or path.is_symlink():
        raise UsageError(
            "LOG_EXISTS",
            f"There is a log already: {path}.",
            "Nothing was changed. Choose another folder, or go on with it: `esaa status`.",
        )


def write_first_log(
    roadmap: Path,
    rules: Governance,
    clock: Clock,
    disk: Disk,
    tasks: Sequence[CreateTask],
    *,
    project_name: str | UnsetType = UNSET,
) -> None:
    """Writes the first batch (`run.start` and the tasks) to a staged file and puts it in place atomically.

    Raises `UsageError` where a log appeared meanwhile, or where a task of the plan is refused.
    """
    staging = roadmap / ".esaa" / "staging"
    staged = staging / f"activity.{os.getpid()}.jsonl"
    now = log_time(clock.now(), "")
    try:
        disk.mkdir(staging)
        disk.unlink(staged)
        vocabulary = ProtocolVocabulary(rules.agent.version)
        store: JsonlStore[Fact] = JsonlStore(staged, vocabulary, disk)
        store.append(_first_facts(rules, tasks, now, project_name), 0, Batch(ts=now))
        try:
            # A link fails where the name is taken, which a rename would not.
            disk.link(staged, roadmap / "activity.jsonl")
        except FileExistsError:
            refuse_existing(roadmap)
        disk.sync_dir(roadmap)
        # What was remembered of a log that lay here before is not about this one.
        disk.unlink(roadmap / ".esaa" / "cursors.json")
    except OSError as error:
        raise storage_error(roadmap, error) from error
    finally:
        staged.unlink(missing_ok=True)


def _first_facts(
    rules: Governance, tasks: Sequence[CreateTask], now: str, project_name: str | UnsetType
) -> list[Draft[Fact]]:
    """The drafts of the first batch; each is decided on the state that the ones before it lead to."""
    state = State()
    store: MemoryStore[Fact] = MemoryStore(ProtocolVocabulary(rules.agent.version))
    drafts: list[Draft[Fact]] = []
    commands: list[AnyCommand] = [StartRun(run_id=FIRST_RUN_ID, project_name=project_name), *tasks]
    for command in commands:
        decision = decide(command, state, rules, now)
        if isinstance(decision, Rejected):
            raise UsageError(decision.error_code, f"The plan is refused: {decision.message}", decision.hint)
        drafts += decision.drafts
        for recorded in store.append(decision.drafts, state.seq, Batch(ts=now)):
            evolve(state, recorded)
    return drafts
