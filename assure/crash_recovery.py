"""What a crash is judged by: a run as it goes when nothing fails, and what must hold of what is recovered from it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Generator, Hashable, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import msgspec

from esaa.config import Config
from esaa.contracts import load
from esaa.contracts.governance import Governance
from esaa.errors import EsaaError
from esaa.open import open_checkpoints, open_feed, open_trail, open_workspace
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.feed import unfed_events
from esaa.runtime.trail.verification import verify_stream
from esaa.runtime.verification.checkpoint_audit import Knowledge
from esaa.runtime.verification.verify import Verdict, find_target, verify
from esaa.runtime.workspace import Workspace
from esaa.stores import contract_cache, contracts, views
from esaa.stores.disk import Disk
from esaa.stores.trail import TrailStream
from esaa.trail.versions import schema
from tests.crash.disks import Killed
from tests.crash.recording_disk import RecordingDisk, Step
from tests.crash.stories import PUBLISHED, begin, go_on
from tests.workspaces import MORNING

PROJECT = "project"
CONFIG = "config"

OF_A_CRASH = frozenset({"TORN_TAIL", "UNCLOSED_BATCH", "READ_MODEL_DIFFERS", "FILE_DIFFERS"})
"""What `verify` may say of a folder that a crash left. Each is named, and repaired by the next command that writes."""

OF_A_HOLE = frozenset({"JSONL_INVALID", "CHAIN_BROKEN", "EVENT_SEQ_INVALID"})
"""What it says besides where pages in the middle of the last batch are zeros: it is damage until it is repaired."""


class Violation(Exception):
    """A promise that does not hold after a crash."""


class Reference(msgspec.Struct, frozen=True):
    """The run as it goes where nothing fails: how it begins, its steps, and what it leads to.

    Where a process was killed on the way and another one went on, `first` is the first step of the other one.
    """

    start: dict[str, tuple[int, bytes]]
    start_dirs: set[str]
    steps: list[Step]
    log: bytes
    streams: dict[str, tuple[bytes, ...]]
    first: int = 0


@contextmanager
def parsed_once(*, is_restarted: bool = True) -> Generator[None, None, None]:
    """Thousands of folders with the same contracts and types: each set is parsed once, each schema made once.

    Where the machine `is_restarted`, that is so before every question: nobody may be told that a hand changed what a
    power cut did.
    """
    parse, made = load.parse_governance, schema.events_schema
    shipped = made(())
    known: dict[frozenset[tuple[str, bytes]], Governance] = {}
    boot, boots = views.boot_name(), map(str, count())

    def known_rules(files: dict[str, bytes]) -> Governance:
        key = frozenset(files.items())
        if key not in known:
            known[key] = parse(files)
        return known[key]

    def known_schema(custom: Any) -> Any:
        return made(custom) if custom else dict(shipped)

    with (
        patch.object(contracts, "parse_governance", known_rules),
        patch.object(contract_cache, "parse_governance", known_rules),
        patch.object(schema, "events_schema", known_schema),
        patch.object(views, "boot_name", lambda: next(boots) if is_restarted else boot),
    ):
        yield


def config(folder: Path) -> Config:
    """The settings of a folder that holds a project and its user's configuration."""
    return Config(config_dir=str(folder / CONFIG), lock_timeout_s=10.0)


def opened(folder: Path, disk: Disk | None = None) -> Workspace:
    """The workspace of a folder, as another process would open it."""
    return open_workspace(folder / PROJECT, config(folder), clock=ManualClock(MORNING), disk=disk)


def prepare(folder: Path) -> None:
    """A workspace that signs, with a plan and a trail that is told of everything."""
    folder.mkdir(parents=True)
    begin(folder / PROJECT)
    workspace = opened(folder)
    with workspace.writing():
        open_checkpoints(workspace, config(folder)).begin()
    open_feed(folder / PROJECT, config(folder)).begin()


def record_run(
    folder: Path, start: Path | None = None, *, steps: int | None = None, killed_after: int | None = None
) -> Reference:
    """Plays the run, or some steps of it, on a recording disk; every command that returns is noted as a promise.

    `start` is a folder that was prepared; without one a new one is made. With `killed_after` a process is killed after
    that step, and another one goes on from what it left.
    """
    if start is None:
        prepare(folder)
    else:
        shutil.copytree(start, folder)
    disk = RecordingDisk(folder, killed_after)
    with noting(disk):
        if killed_after is not None:
            with suppress(Killed):
                asyncio.run(go_on(opened(folder, disk), steps=steps))
        report = asyncio.run(go_on(opened(folder, disk), steps=steps))
    if report.outcome != ("success" if steps is None else "paused"):
        raise Violation(f"the run ends in {report.outcome} though nothing fails")
    trail = open_trail(folder / PROJECT, config(folder))
    streams = {name: tuple(one.line for one in trail.store.stream(name).events()) for name in trail.store.names()}
    return Reference(disk.start, disk.start_dirs, disk.steps, _log(folder), streams, killed_after or 0)


class Told(Protocol):
    """Who hears of every promise: a recording disk, or another process."""

    def acknowledge(self, name: str, promise: Hashable) -> None:
        """`name` promises this much: bytes of the log, or events of a stream."""
        ...


@contextmanager
def noting(told: Told) -> Generator[None, None, None]:
    """Tells of every command that returned, and of every append to the trail."""

    def told_of_log(name: str) -> Any:
        real = getattr(Workspace, name)

        def noted(workspace: Workspace, *arguments: Any, **options: Any) -> Any:
            receipt = real(workspace, *arguments, **options)
            told.acknowledge("log", len(workspace.log.store.path.read_bytes()))
            return receipt

        return patch.object(Workspace, name, noted)

    real = TrailStream.append

    def told_of_trail(stream: TrailStream, *arguments: Any, **options: Any) -> Any:
        appended = real(stream, *arguments, **options)
        told.acknowledge(f"trail {stream.name}", stream.known_tip().head.version)
        return appended

    with told_of_log("commit"), told_of_log("verify_now"), patch.object(TrailStream, "append", told_of_trail):
        yield


def play(
    folder: Path, *, steps: int | None, promises: dict[str, Hashable], say: Callable[[str], object] | None = None
) -> str:
    """Plays the run, or some steps, as a command would; returns how it ended: `done`, `error CODE`, or what it raised.

    Every promise is kept in `promises`, and said at once where somebody listens.
    """

    class Teller:
        def acknowledge(self, name: str, promise: Hashable) -> None:
            promises[name] = promise
            if say is not None:
                say(f"{name} {promise}")

    try:
        with noting(Teller()):
            asyncio.run(go_on(opened(folder), steps=steps))
    except EsaaError as error:
        return f"error {error.code}" if error.hint and error.exit_code else f"raised {error!r} without a hint"
    except Exception as error:
        return f"raised {error!r}"
    return "done"


def judge(folder: Path, reference: Reference, promises: Mapping[str, Any], *, is_finished: bool) -> list[str]:
    """Recovers a folder and returns the repairs that were named. Raises `Violation`."""
    _judge_before(folder, reference, promises)
    crashed = _log(folder)
    with opened(folder).writing() as notices:
        pass
    recovered = _log(folder)
    kept = _judge_log(recovered, crashed, reference, promises)
    _must(not findings(folder), f"after the repair verify says {findings(folder)}")
    with opened(folder).writing() as again:
        _must(again == [], f"what was repaired once is repaired again: {again}")
    _judge_trail(folder, reference, promises)
    if is_finished:
        report = asyncio.run(go_on(opened(folder)))
        _must(report.outcome == "success", f"the run goes on to {report.outcome}")
        _must(not findings(folder), f"at the end verify says {findings(folder)}")
        _must(_log(folder).startswith(recovered), "the log was rewritten by going on")
        files = {path: (folder / PROJECT / path).read_bytes() for path in PUBLISHED}
        _must(files == PUBLISHED, "the files are not those that were accepted")
    return [" ".join(notice.split("(")[0].split()) for notice in notices] + ["log cut"] * (len(kept) < len(crashed))


def _judge_before(folder: Path, reference: Reference, promises: Mapping[str, Any]) -> None:
    before = {finding.code for finding in _verdict(folder).findings}
    allowed = OF_A_CRASH | (OF_A_HOLE if b"\0" in _log(folder) else frozenset())
    _must(before <= allowed, f"before the repair verify says {before - allowed}")
    crashed = _log(folder)
    acknowledged = reference.log[: promises.get("log", 0)]
    _must(crashed.startswith(acknowledged), "an acknowledged event is gone")


def _judge_log(recovered: bytes, crashed: bytes, reference: Reference, promises: Mapping[str, Any]) -> bytes:
    """What was acknowledged is a prefix of what is recovered, and that is a prefix of what was written."""
    kept = b""
    lines = recovered.splitlines(keepends=True)
    while lines and reference.log.startswith(kept + lines[0]):
        kept += lines.pop(0)
    _must(len(kept) >= promises.get("log", 0), "an acknowledged event was taken back")
    for line in lines:
        event = json.loads(line)
        target = event["payload"].get("target")
        is_repair = event["action"] == "orchestrator.view.mutate" and target == "log"
        _must(is_repair, f"the log holds what nobody decided: {line[:200]!r}")
    _must(crashed.startswith(kept), "the repair wrote events that were not there")
    return kept


def _judge_trail(folder: Path, reference: Reference, promises: Mapping[str, Any]) -> None:
    for name, lines in judge_feed(folder).items():
        promised = promises.get(f"trail {name}", 0)
        known = reference.streams.get(name, ())[:promised]
        _must(lines[:promised] == known, f"acknowledged events of {name} are gone")


def judge_feed(folder: Path) -> dict[str, tuple[bytes, ...]]:
    """The trail is told of everything, once, and is sound; returns the lines of its streams. Raises `Violation`."""
    trail = open_trail(folder / PROJECT, config(folder), clock=ManualClock(MORNING))
    feed = open_feed(folder / PROJECT, config(folder), clock=ManualClock(MORNING))
    notices = [one for one in feed.finish() if "repaired" not in one and "torn" not in one]
    _must(not notices, f"the feed says {notices}")
    missing, _ = unfed_events(trail, folder / PROJECT / ".roadmap" / "activity.jsonl")
    _must(not missing, f"the trail was not told of {missing[:3]}")
    streams: dict[str, tuple[bytes, ...]] = {}
    for name in trail.store.names():
        verdict = verify_stream(trail, name)
        _must(verdict.is_sound, f"the stream {name} is damaged: {verdict.errors[:2]}")
        events = list(trail.store.stream(name).events())
        _must(len({one.event.event_id for one in events}) == len(events), f"an event of {name} is there twice")
        streams[name] = tuple(one.line for one in events)
    return streams


def findings(folder: Path) -> list[str]:
    """What the strictest verification finds."""
    return [f"{finding.code} {finding.where}: {finding.message}" for finding in _verdict(folder).findings]


def _verdict(folder: Path) -> Verdict:
    target = find_target(folder / PROJECT)
    return verify(target, strict=True, hash_all=True, files=True, knowledge=Knowledge(folder / CONFIG))


def _log(folder: Path) -> bytes:
    return (folder / PROJECT / ".roadmap" / "activity.jsonl").read_bytes()


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(what)
