"""The feed: live, after the fact, killed anywhere, in several processes, the trail is told of everything, once."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import esaa
from esaa.agents.base import Agent
from esaa.agents.resolve import make_agent
from esaa.agents.scripted import ScriptedAgent
from esaa.config import Config
from esaa.contracts.load import parse_governance
from esaa.errors import ConfigError, CorruptLog, EsaaError, StoreError, UsageError
from esaa.kernel.chain import leaf_hash
from esaa.open import open_feed, open_trail
from esaa.protocol.commands import BindIssue, CreateTask, StartRun
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.clock import ManualClock
from esaa.runtime.initialise import write_contracts, write_first_log
from esaa.runtime.orchestrator import Orchestrator
from esaa.runtime.trail.feed import TrailFeed, require_issue_key, unfed_events
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.retention import retire
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.runtime.workspace import Workspace
from esaa.stores.contracts import shipped_files
from esaa.stores.demos import demo_files, read_demo
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore
from esaa.stores.lock import writer_lock
from esaa.stores.secrets import state_key
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.tasks import TaskCreated
from esaa.trail.intake import Proposal
from esaa.trail.state import OrchestrationState
from esaa.trail.state_audit import faults, warnings
from esaa.trail.telling.fitting import fitted
from tests.crash.disks import CountingDisk, DeadlyDisk, FailingDisk, Killed
from tests.crash.stories import answer
from tests.crash.stories import begin as begin_story
from tests.logs.test_real_logs import LOGS
from tests.trails import assert_whole
from tests.workspaces import (
    MORNING,
    Watcher,
    actions,
    assert_sound,
    log_bytes,
    make_workspace,
    new_task,
    payloads,
    reopen,
    result,
    run,
    submit,
)

PAGE = new_task("T-1", outputs=["src/page.html"])
PLAN = [
    new_task("T-1", "spec", outputs=["docs/spec/page.md"]),
    new_task("T-2", outputs=["src/page.html"], after=["T-1"]),
]
ISSUE = "PROJ-123"


class TickingClock(ManualClock):
    """Each look at it is a second later than the one before."""

    def now(self) -> datetime:
        self.advance(1)
        return super().now()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project"


def config(root: Path) -> Config:
    return Config(config_dir=str(root.parent / "config"))


def a_feed(root: Path, disk: Disk | None = None) -> TrailFeed:
    """The feed as another process would open it."""
    return open_feed(root, config(root), clock=ManualClock(MORNING + timedelta(hours=1)), disk=disk or CountingDisk())


def a_trail(root: Path) -> Trail:
    return open_trail(root, config(root), clock=ManualClock(MORNING), disk=CountingDisk())


def a_recorder(root: Path) -> TrailRecorder:
    return TrailRecorder(a_trail(root), actor={"type": "user", "id": "ada"})


def stream(root: Path, name: str) -> list[dict[str, Any]]:
    """The events of a stream, after checking that its sequence, chain and times hold."""
    return assert_whole(a_trail(root), name)


def lines(root: Path) -> dict[str, list[bytes]]:
    """Every stored line of every stream."""
    trail = a_trail(root)
    return {name: [one.line for one in trail.store.stream(name).events()] for name in trail.store.names()}


def told(root: Path) -> dict[str, list[tuple[str, str, str, str]]]:
    """What the feed told, in order, whatever else is between: id, type, metadata, source."""
    found: dict[str, list[tuple[str, str, str, str]]] = {}
    for name in a_trail(root).store.names():
        found[name] = [
            (one["event_id"], one["event_type"], json.dumps(one["metadata"]), one["source"]["event_id"])
            for one in stream(root, name)
            if "source" in one
        ]
    return {name: events for name, events in found.items() if events}


def types(root: Path, name: str) -> list[str]:
    return [str(event["event_type"]) for event in stream(root, name)]


def state(root: Path, name: str = ISSUE) -> OrchestrationState:
    return TrailStates(a_trail(root)).reconstruct(name).state


def assert_complete(root: Path) -> None:
    """Every event of the log is told."""
    missing, total = unfed_events(a_trail(root), root / ".roadmap" / "activity.jsonl")
    assert missing == []
    assert total == log_bytes(root).count(b"\n")


def untold(root: Path, target: Path, count: int | None = None) -> Path:
    """A copy of a workspace with its log (or so many events of it), and without a trail."""
    shutil.copytree(root, target, ignore=shutil.ignore_patterns("events", "trail-feed.*"))
    if count is not None:
        grow(root, target, count)
    return target


def grow(root: Path, target: Path, count: int) -> None:
    """Brings the log of a copy to so many events."""
    kept = log_bytes(root).splitlines(keepends=True)[:count]
    (target / ".roadmap" / "activity.jsonl").write_bytes(b"".join(kept))


def played(root: Path, *, issue_key: str | None = None, is_fed: bool = True) -> Workspace:
    """The short story with acceptance, refusal, issue and hotfix, run to its end and told live."""
    workspace = begin_story(root, clock=TickingClock(MORNING), disk=CountingDisk())
    return played_on(workspace, issue_key=issue_key, is_fed=is_fed)


def played_on(workspace: Workspace, *, issue_key: str | None, is_fed: bool = True) -> Workspace:
    """Runs to the end from wherever the workspace stands; the feed writes to the same disk."""
    feed = a_feed(workspace.root, workspace.disk)
    if is_fed:
        workspace.subscribers[:] = [feed.follow]
    agent = ScriptedAgent(answer)
    orchestrator = Orchestrator(workspace, lambda actor: agent, Watcher())
    report = asyncio.run(orchestrator.run(run_id=None, parallel=1, steps=None, issue_key=issue_key))
    assert report.outcome == "success"
    if is_fed:
        feed.finish()
    return workspace


def play_demo(root: Path, name: str, issue_key: str | None) -> None:
    """A demo as it ships, told live."""
    files = shipped_files("0.4.0") | demo_files(name, "0.4.0")
    tasks = [
        CreateTask(
            task_id=task.task_id,
            task_kind=task.task_kind,
            title=task.title,
            depends_on=task.depends_on,
            outputs=task.outputs.get("files", ()),
        )
        for task in read_demo(name).tasks
    ]
    clock = TickingClock(MORNING)
    write_contracts(root / ".roadmap", files, CountingDisk())
    write_first_log(root / ".roadmap", parse_governance(files), clock, CountingDisk(), tasks, project_name=name)
    workspace = reopen(root, clock=clock, disk=CountingDisk())
    workspace.subscribers[:] = [a_feed(root).follow]
    agents: dict[str, Agent | None] = {
        actor: make_agent(one.adapter, root, 1_000_000) for actor, one in workspace.rules.swarm.actors.items()
    }
    orchestrator = Orchestrator(workspace, agents.get, Watcher())
    report = asyncio.run(orchestrator.run(run_id=None, parallel=2, steps=None, issue_key=issue_key))
    assert report.outcome == "success"


# Live and after the fact


@pytest.mark.parametrize("demo", ["landing", "calc"])
@pytest.mark.parametrize("issue_key", [None, ISSUE])
def test_demo_is_told_live_as_it_would_be_told_later(
    root: Path, tmp_path: Path, demo: str, issue_key: str | None
) -> None:
    play_demo(root, demo, issue_key)
    live = lines(root)
    assert list(live) == [issue_key or "global"]
    assert_complete(root)
    reached = state(root, issue_key or "global")
    assert (reached.status, reached.issue_key, reached.active_agents) == ("completed", issue_key, [])
    assert faults(reached) == []
    assert warnings(reached) == []
    assert {task.status for task in reached.tasks.values()} == {"done"}
    assert reached.files == written_files(root)

    later = untold(root, tmp_path / "later")
    assert a_feed(later).catch_up() == len(live[issue_key or "global"])
    assert lines(later) == live
    assert a_feed(later).catch_up() == 0


def written_files(root: Path) -> dict[str, str]:
    """The digest of the last content of each file, as the log has it."""
    effects = [one for payload in payloads(root, "orchestrator.file.write") for one in payload["effects"]]
    return {one["path"]: one["after_sha256"] for one in effects}


def test_story_caught_up_after_every_event_is_the_same_story(root: Path, tmp_path: Path) -> None:
    played(root)
    whole = lines(root)
    step = untold(root, tmp_path / "step", 1)
    for count in range(1, log_bytes(root).count(b"\n") + 1):
        grow(root, step, count)
        a_feed(step).catch_up()
    assert lines(step) == whole
    assert_complete(step)


def test_batches_of_any_size_tell_the_same(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(root, issue_key=ISSUE)
    for size in (1, 2, 7):
        monkeypatch.setattr("esaa.runtime.trail.feed._BATCH_EVENTS", size)
        other = untold(root, tmp_path / str(size))
        a_feed(other).catch_up()
        assert lines(other) == lines(root)


def test_nothing_new_is_seen_without_reading_the_log(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(root)
    feed = a_feed(root)
    cursor = (root / ".roadmap" / ".esaa" / "trail-feed.json").stat()

    def read(*_: object) -> None:
        raise AssertionError("the log was read")

    monkeypatch.setattr(JsonlStore, "lines", read)
    assert feed.catch_up() == 0
    assert (root / ".roadmap" / ".esaa" / "trail-feed.json").stat() == cursor


def test_one_more_commit_costs_what_it_adds(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make_workspace(root, [new_task(f"T-{number}") for number in range(300)], disk=CountingDisk())
    a_feed(root).catch_up()
    submit(workspace, "agent-impl", result("claim", "T-1"))
    feed = a_feed(root)
    read: list[bytes] = []
    decode = ProtocolVocabulary.decode

    def counted(self: ProtocolVocabulary, line: bytes) -> Any:
        read.append(line)
        return decode(self, line)

    monkeypatch.setattr(ProtocolVocabulary, "decode", counted)
    assert feed.catch_up() > 0
    assert len(read) < 12, "a claim, its view, its verification; the tail once more for what is unfinished"


# Issues of the tracker


def test_events_before_the_binding_that_nobody_told_go_to_the_issue_too(root: Path) -> None:
    workspace = make_workspace(root, PLAN, disk=CountingDisk())
    submit(workspace, "agent-spec", result("claim", "T-1"))
    workspace.commit(BindIssue(issue_key=ISSUE))
    a_feed(root).catch_up()
    assert list(lines(root)) == [ISSUE]
    assert types(root, ISSUE)[:4] == ["SessionStarted", "OrchestrationStarted", "TaskCreated", "TaskCreated"]
    assert_complete(root)


def test_binding_later_in_a_run_goes_on_in_the_issue(root: Path) -> None:
    workspace = make_workspace(root, PLAN, disk=CountingDisk())
    workspace.subscribers[:] = [a_feed(root).follow]
    submit(workspace, "agent-spec", result("claim", "T-1"))
    agent_less = Orchestrator(workspace, lambda actor: None, Watcher())
    asyncio.run(agent_less.run(run_id=None, parallel=1, steps=None, issue_key=ISSUE))
    asyncio.run(run(workspace))
    assert list(lines(root)) == ["global", ISSUE]
    assert types(root, "global")[-2:] == ["OrchestrationPaused", "SessionEnded"]
    assert types(root, ISSUE)[:2] == ["SessionStarted", "OrchestrationStarted"]
    assert_complete(root)
    reached = state(root)
    assert (reached.status, reached.active_agents, warnings(reached)) == ("completed", [], [])
    assert state(root, "global").status == "paused"
    assert_sound(root)


def test_two_runs_in_two_issues(root: Path, tmp_path: Path) -> None:
    workspace = make_workspace(root, [PAGE], disk=CountingDisk())
    workspace.subscribers[:] = [a_feed(root).follow]
    for issue_key in ("ALPHA-1", "BETA-2"):
        watching = Orchestrator(workspace, one_agent(), Watcher())
        report = asyncio.run(watching.run(run_id=None, parallel=1, steps=None, issue_key=issue_key))
        assert report.outcome == "success"
        if issue_key == "ALPHA-1":
            workspace.subscribers.clear()  # else the run that the task begins is told before it is bound
            workspace.commit(CreateTask(task_id="T-2", task_kind="impl", title="Later"))
            workspace.subscribers[:] = [a_feed(root).follow]
    assert list(lines(root)) == ["ALPHA-1", "BETA-2"]
    assert (state(root, "ALPHA-1").status, list(state(root, "ALPHA-1").tasks)) == ("completed", ["T-1"])
    assert (state(root, "BETA-2").status, list(state(root, "BETA-2").tasks)) == ("completed", ["T-2"])
    assert_complete(root)
    later = untold(root, tmp_path / "later")
    a_feed(later).catch_up()
    assert lines(later) == lines(root)


def one_agent() -> Callable[[str], Agent | None]:
    agent = ScriptedAgent()
    return lambda actor: agent


def test_new_run_that_is_bound_begins_in_its_issue(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], disk=CountingDisk())
    asyncio.run(run(workspace))
    workspace.subscribers[:] = [a_feed(root).follow]
    workspace.commit(StartRun(issue_key=ISSUE))
    assert actions(root)[-4:] == ["run.start", "orchestrator.view.mutate", "verify.start", "verify.ok"]
    workspace.commit(CreateTask(task_id="T-2", task_kind="qa", title="Later"))
    assert list(lines(root)) == ["global", ISSUE]
    assert types(root, "global")[-1] == "SessionEnded"
    assert types(root, ISSUE)[:2] == ["SessionStarted", "OrchestrationStarted"]


def test_same_binding_again_writes_nothing(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], disk=CountingDisk())
    workspace.commit(BindIssue(issue_key=ISSUE))
    before = log_bytes(root)
    assert workspace.commit(BindIssue(issue_key=ISSUE)).events == ()
    assert log_bytes(root) == before
    assert workspace.state().header.run.issue_key == ISSUE
    assert reopen(root).state().header.run.issue_key == ISSUE
    assert_sound(root)


def test_text_that_is_no_issue_key_is_refused() -> None:
    assert require_issue_key(ISSUE) == ISSUE
    with pytest.raises(UsageError) as caught:
        require_issue_key("../../etc")
    assert caught.value.code == "ISSUE_KEY_INVALID"


# Crashes


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story in an issue, untold; its first batch bound, so that every way of feeding leads to one stream."""
    root = tmp_path_factory.mktemp("story") / "project"
    played(root, issue_key=ISSUE, is_fed=False)
    return root


def play(story: Path, target: Path, disk: CountingDisk) -> BaseException | None:
    """Tells a copy of the story in three pieces on this disk; returns what ended it."""
    untold(story, target)
    total = log_bytes(story).count(b"\n")
    state_key(target.parent / "config")
    feed = a_feed(target, disk)
    try:
        for count in (total // 3, 2 * total // 3, total):
            grow(story, target, count)
            feed.catch_up()
    except (Killed, StoreError) as end:
        return end
    return None


def test_feed_mends_what_a_power_cut_left_before_it_reads(story: Path, tmp_path: Path) -> None:
    target = untold(story, tmp_path / "project")
    a_feed(target).catch_up()
    whole = told(target)
    path = next((target / ".roadmap" / "events").rglob("events.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:9], bytes(50) + lines[9][50:], *lines[10:]]))
    (target / ".roadmap" / ".esaa" / "trail-feed.json").unlink()
    assert any("moved to" in notice for notice in a_feed(target).finish())
    assert told(target) == whole
    assert types(target, ISSUE).count("LogRepaired") == 1


@pytest.mark.parametrize("death", ["before", "torn"])
def test_feed_that_is_killed_at_any_step_catches_up_and_doubles_nothing(
    story: Path, tmp_path: Path, death: str
) -> None:
    # Killed after a step is killed before the next one.
    counting = CountingDisk()
    assert play(story, tmp_path / "whole", counting) is None
    whole = told(tmp_path / "whole")
    assert list(whole) == [ISSUE]
    assert len(counting.steps) > 25
    for step, name in enumerate(counting.steps, start=1):
        if death == "torn" and name != "write":
            continue
        target = tmp_path / str(step)
        assert isinstance(play(story, target, DeadlyDisk(step, death)), Killed), name  # type: ignore[arg-type]
        grow(story, target, log_bytes(story).count(b"\n"))
        a_feed(target).catch_up()
        assert told(target) == whole, name
        assert_complete(target)
        assert a_feed(target).catch_up() == 0
        shutil.rmtree(target)


def test_feed_whose_disk_fails_at_any_step_catches_up_and_doubles_nothing(story: Path, tmp_path: Path) -> None:
    counting = CountingDisk()
    assert play(story, tmp_path / "whole", counting) is None
    whole = told(tmp_path / "whole")
    failures = 0
    for step, name in enumerate(counting.steps, start=1):
        target = tmp_path / str(step)
        end = play(story, target, FailingDisk(step, errno.ENOSPC))
        failures += end is not None
        grow(story, target, log_bytes(story).count(b"\n"))
        a_feed(target).catch_up()
        assert told(target) == whole, name
        assert_complete(target)
        shutil.rmtree(target)
    assert failures > 15


def test_run_that_is_killed_anywhere_is_told_of_in_the_end_as_it_went(tmp_path: Path) -> None:
    begin_story(tmp_path / "start", clock=TickingClock(MORNING), disk=CountingDisk())
    counting = CountingDisk()
    shutil.copytree(tmp_path / "start", tmp_path / "whole")
    played_on(reopen(tmp_path / "whole", clock=TickingClock(MORNING), disk=counting), issue_key=ISSUE)
    assert len(counting.steps) > 250
    for step in range(3, len(counting.steps), 19):
        root = tmp_path / str(step)
        shutil.copytree(tmp_path / "start", root)
        with pytest.raises(Killed):
            played_on(reopen(root, clock=TickingClock(MORNING), disk=DeadlyDisk(step, "torn")), issue_key=ISSUE)
        later = TickingClock(MORNING + timedelta(hours=1))
        played_on(reopen(root, clock=later, disk=CountingDisk()), issue_key=ISSUE)
        assert_complete(root)
        a_feed(untold(root, tmp_path / f"{step}-later")).catch_up()
        assert told(root) == told(tmp_path / f"{step}-later")


def test_feed_that_died_before_the_binding_keeps_what_it_told_where_it_is(root: Path) -> None:
    workspace = make_workspace(root, PLAN, disk=CountingDisk())
    a_feed(root).catch_up()
    (root / ".roadmap" / ".esaa" / "trail-feed.json").unlink()  # as if it had died before it could say so
    before = told(root)["global"]
    workspace.commit(BindIssue(issue_key=ISSUE))
    a_feed(root).catch_up()
    assert told(root)["global"][: len(before)] == before
    assert types(root, ISSUE)[:2] == ["SessionStarted", "OrchestrationStarted"]
    assert_complete(root)


def lost(cursor: Path) -> None:
    cursor.unlink()


def emptied(cursor: Path) -> None:
    cursor.write_bytes(b"")


def of_another_version(cursor: Path) -> None:
    cursor.write_text(cursor.read_text().replace('"translator":1', '"translator":0'))


def of_another_log(cursor: Path) -> None:
    value = json.loads(cursor.read_text())
    value["place"]["leaf_hash"] = "0" * 64
    value["place"]["offset"] -= 1
    cursor.write_text(json.dumps(value))


def with_another_story(cursor: Path) -> None:
    value = json.loads(cursor.read_text())
    value["story"] = {"tasks": 7}
    cursor.write_text(json.dumps(value))


@pytest.mark.parametrize("harm", [lost, emptied, of_another_version, of_another_log, with_another_story])
@pytest.mark.parametrize("issue_key", [None, ISSUE])
def test_cursor_that_is_lost_is_made_again_and_nothing_told_twice(
    root: Path, harm: Callable[[Path], None], issue_key: str | None
) -> None:
    played(root, issue_key=issue_key)
    before = lines(root)
    harm(root / ".roadmap" / ".esaa" / "trail-feed.json")
    assert a_feed(root).catch_up() == 0
    assert lines(root) == before
    assert submit(reopen(root), "agent-impl", b"no JSON").notices == (), "it has a feed, and tells it"
    assert "OutputRejected" in types(root, "global")
    assert_complete(root)


def test_cursor_of_yesterday_finds_what_was_told_since(root: Path, tmp_path: Path) -> None:
    played(root, issue_key=ISSUE, is_fed=False)
    copy = untold(root, tmp_path / "copy", 30)
    cursor = copy / ".roadmap" / ".esaa" / "trail-feed.json"
    a_feed(copy).catch_up()
    yesterday = cursor.read_bytes()
    with a_recorder(copy) as recorder:
        recorder.record("DecisionMade", {"question": "which?", "choice": "this"}, issue_key=ISSUE)
    grow(root, copy, log_bytes(root).count(b"\n"))
    a_feed(copy).catch_up()
    before = lines(copy)
    cursor.write_bytes(yesterday)
    assert a_feed(copy).catch_up() == 0
    assert lines(copy) == before
    assert_complete(copy)


def test_newest_ids_are_compared_and_older_events_by_their_source(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(root, issue_key=ISSUE)
    before = lines(root)
    for most in range(len(before[ISSUE])):
        monkeypatch.setattr("esaa.runtime.trail.feed_cursor._RECENT_MAX", most)
        (root / ".roadmap" / ".esaa" / "trail-feed.json").unlink()
        assert a_feed(root).catch_up() == 0
    assert lines(root) == before


def test_stream_that_someone_removed_is_told_again(root: Path) -> None:
    played(root, issue_key=ISSUE)
    before = told(root)
    for folder in (root / ".roadmap" / "events").glob(f"*/{ISSUE}"):
        shutil.rmtree(folder)
    missing, _ = unfed_events(a_trail(root), root / ".roadmap" / "activity.jsonl")
    assert "EV-00000001" in missing
    (root / ".roadmap" / ".esaa" / "trail-feed.json").unlink()
    a_feed(root).catch_up()
    assert told(root) == before
    assert_complete(root)


def test_what_retention_deleted_is_not_told_again(root: Path) -> None:
    played(root, issue_key=ISSUE)
    trail = open_trail(root, config(root), clock=ManualClock(MORNING + timedelta(days=400)), disk=CountingDisk())
    with TrailRecorder(trail, actor={"type": "system", "id": "esaa"}) as recorder:
        assert [one.act for one in retire(recorder)] == ["archive", "delete"]
    assert unfed_events(a_trail(root), root / ".roadmap" / "activity.jsonl")[0] == []
    (root / ".roadmap" / ".esaa" / "trail-feed.json").unlink()
    assert a_feed(root).catch_up() == 0
    assert list(told(root)) == []


def test_log_that_was_set_back_is_told_from_where_it_differs(root: Path, tmp_path: Path) -> None:
    workspace = make_workspace(root, [PAGE], disk=CountingDisk())
    earlier = shutil.copytree(root, tmp_path / "earlier")
    submit(workspace, "agent-impl", result("claim", "T-1"))
    a_feed(root).catch_up()
    count = len(stream(root, "global"))
    shutil.copy(earlier / ".roadmap" / "activity.jsonl", root / ".roadmap" / "activity.jsonl")
    with reopen(root).writing(accept_shorter=True):
        pass
    a_feed(root).catch_up()
    assert len(stream(root, "global")) == count + 1
    assert types(root, "global")[-1] == "LogRepaired"
    assert_complete(root)


def test_unfinished_act_is_not_told_until_it_is_taken_back(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], disk=CountingDisk())
    submit(workspace, "agent-impl", result("claim", "T-1"))
    whole = log_bytes(root).splitlines(keepends=True)
    cut = next(number for number, line in enumerate(whole) if b'"action":"claim"' in line)
    for kept in (whole[: cut + 1], [*whole[: cut + 1], whole[cut + 1][:40]], [*whole[: cut + 1], whole[cut + 1][:-1]]):
        (root / ".roadmap" / "activity.jsonl").write_bytes(b"".join(kept))
        a_feed(root).catch_up()
        assert "TaskClaimed" not in types(root, "global")
    (root / ".roadmap" / ".esaa" / "cursors.json").unlink()  # it had seen the whole log
    with reopen(root).writing():
        pass
    a_feed(root).catch_up()
    assert "TaskClaimed" not in types(root, "global")
    assert "LogRepaired" in types(root, "global")
    assert_complete(root)


def test_damaged_log_is_said_and_the_trail_left_alone(root: Path) -> None:
    make_workspace(root, [PAGE], disk=CountingDisk())
    path = root / ".roadmap" / "activity.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"task_id":"T-1"', b'"task_id":"T-9"') + b"{}\n")
    with pytest.raises(CorruptLog):
        a_feed(root).catch_up()
    assert lines(root) == {}


# As a subscriber


def test_subscriber_is_told_of_each_commit_when_the_lock_is_free(root: Path) -> None:
    workspace = make_workspace(root, [PAGE])
    told: list[int] = []

    def follow() -> Sequence[str]:
        with reopen(root, lock_timeout_s=0).writing():
            told.append(workspace.state().seq)
        return ("heard",)

    workspace.subscribers.append(follow)
    assert submit(workspace, "agent-impl", result("claim", "T-1")).notices == ("heard",)
    assert workspace.verify_now().notices == ("heard",)
    assert told == [log_bytes(root).count(b"\n") - 2, log_bytes(root).count(b"\n")]
    with workspace.writing():
        assert workspace.commit(BindIssue(issue_key=ISSUE)).notices == ()
    workspace.commit(BindIssue(issue_key="B-2"), dry_run=True)
    assert len(told) == 2


def test_workspace_with_a_feed_tells_it_by_itself(root: Path) -> None:
    submit(make_workspace(root, [PAGE], disk=CountingDisk()), "agent-impl", result("claim", "T-1"))
    assert not (root / ".roadmap" / "events").exists(), "there is no feed yet"
    a_feed(root).begin()
    workspace = reopen(root, disk=CountingDisk())
    assert submit(workspace, "agent-impl", result("complete", "T-1", files={"src/page.html": "x"})).notices == ()
    assert types(root, "global")[0] == "SessionStarted"
    assert "TaskCompleted" in types(root, "global")
    assert_complete(root)
    assert (root / ".roadmap" / "events" / "global" / "metadata.json").exists()


def test_trail_that_cannot_be_written_stops_no_run_and_says_so_once(root: Path) -> None:
    workspace = begin_story(root, clock=TickingClock(MORNING), disk=CountingDisk())
    (root / ".roadmap" / "events").write_text("in the way")
    watcher = Watcher()
    feed = a_feed(root)
    workspace.subscribers[:] = [feed.follow]
    report = asyncio.run(run(workspace, answer, watcher=watcher))
    assert report.outcome == "success"
    notices = [notice for _, receipt in watcher.receipts for notice in receipt.notices]
    assert len(notices) == 1
    assert "the trail could not be told" in notices[0]
    assert feed.finish() == ()
    (root / ".roadmap" / "events").unlink()
    assert feed.finish() == ()
    assert_complete(root)


def test_damaged_trail_stops_no_run(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], disk=CountingDisk())
    a_feed(root).catch_up()
    events = root / ".roadmap" / "events" / "global" / "events.jsonl"
    whole = events.read_bytes()
    events.write_bytes(whole.replace(b'"event_sequence":2', b'"event_sequence":7').replace(b"{", b"[", 1))
    workspace.subscribers[:] = [a_feed(root).follow]
    receipt = submit(workspace, "agent-impl", result("claim", "T-1"))
    assert receipt.rejected is None
    assert len(receipt.notices) == 1
    events.write_bytes(whole)
    a_feed(root).catch_up()
    assert_complete(root)


def test_wrong_setting_of_the_trail_is_an_error_before_anything_begins(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], disk=CountingDisk())
    a_feed(root).begin()
    (root / ".roadmap" / "event-sourcing.yaml").write_text("event_sourcing: {storage: {format: xml}}")
    with pytest.raises(ConfigError, match="format"):
        open_feed(root, config(root), rules=workspace.rules)
    receipt = submit(reopen(root), "agent-impl", result("claim", "T-1"))
    assert receipt.rejected is None
    assert "the trail was not told of it" in receipt.notices[0]


def test_secrets_reach_neither_log_nor_trail(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], disk=CountingDisk())
    token = "ghp_" + "a1B2" * 9
    submit(workspace, "agent-impl", result("claim", "T-1", notes=f"with the token {token}"))
    a_feed(root).catch_up()
    (claim,) = [event for event in stream(root, "global") if event["event_type"] == "TaskClaimed"]
    assert token not in json.dumps(claim)
    assert claim["metadata"]["notes"] == "with the token [redacted:github_token]"
    assert token.encode() not in (root / ".roadmap" / "activity.jsonl").read_bytes()
    assert_complete(root)


def test_events_name_their_source_cause_story_and_commit(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], disk=CountingDisk())
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (root / ".git" / "refs" / "heads").mkdir(parents=True)
    (root / ".git" / "refs" / "heads" / "main").write_text("a" * 40 + "\n")
    submit(workspace, "agent-impl", result("claim", "T-1"))
    a_feed(root).catch_up()
    (claim,) = [event for event in stream(root, "global") if event["event_type"] == "TaskClaimed"]
    line = next(one for one in log_bytes(root).splitlines() if b'"action":"claim"' in one)
    source = json.loads(line)
    assert claim["source"] == {"event_id": source["event_id"], "leaf_hash": leaf_hash(line)}
    assert claim["causation_id"] == source["event_id"]
    assert claim["correlation_id"] == "RUN-0001"
    assert claim["actor"] == {"type": "agent", "id": "agent-impl"}
    assert (claim["git_sha"], claim["branch"]) == ("a" * 40, "main")
    assert claim["timestamp"] == source["ts"].replace("Z", ".000Z")


def test_time_far_ahead_is_told_with_what_the_gates_say_of_it(root: Path) -> None:
    make_workspace(root, [PAGE], clock=ManualClock(MORNING + timedelta(days=30)), disk=CountingDisk())
    a_feed(root).catch_up()
    assert {one["code"] for event in stream(root, "global") for one in event["findings"]} == {"TIMESTAMP_AHEAD"}
    assert_complete(root)


def test_event_that_no_gate_lets_pass_holds_up_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_workspace(root, [PAGE], disk=CountingDisk())

    def unfit(fact: TrailFact) -> dict[str, Any]:
        return {"task_id": float("inf")} if isinstance(fact, TaskCreated) else fitted(fact)

    monkeypatch.setattr("esaa.runtime.trail.feed.fitted", unfit)
    a_feed(root).catch_up()
    (observed,) = [event for event in stream(root, "global") if event["event_type"] == "ForeignEventObserved"]
    assert observed["metadata"] == {"system": "esaa", "name": "TaskCreated", "extra": {"refused": "METADATA_INVALID"}}
    assert_complete(root)


def test_log_told_late_into_a_stream_that_has_gone_on_keeps_its_times_beside(root: Path) -> None:
    make_workspace(root, [PAGE], disk=CountingDisk())
    late = open_trail(root, config(root), clock=ManualClock(MORNING + timedelta(hours=1)), disk=CountingDisk())
    with TrailRecorder(late, actor={"type": "user", "id": "ada"}) as recorder:
        recorder.record_many([Proposal(event_type="PhaseStarted", metadata={"phase": "PLAN"}, actor=None)])
    a_feed(root).catch_up()
    events = [event for event in stream(root, "global") if "source" in event]
    assert {event["timestamp"] for event in events} == {"2026-01-05T10:00:00.000Z"}
    assert {event["occurred_at"] for event in events} == {"2026-01-05T09:00:00.000Z"}


# Real logs, real processes


@pytest.mark.parametrize("name", LOGS)
def test_real_log_is_told_completely(real_logs: Path, root: Path, name: str) -> None:
    (root / ".roadmap").mkdir(parents=True)
    shutil.copy(real_logs / name / "activity.jsonl", root / ".roadmap" / "activity.jsonl")
    trail = open_trail(root, config(root), clock=ManualClock(MORNING + timedelta(days=3650)), disk=CountingDisk())
    log = root / ".roadmap" / "activity.jsonl"
    recorder = TrailRecorder(trail, is_async=False)
    assert unfed_events(trail, log) == (
        [f"EV-{number:08d}" for number in range(1, LOGS[name].events + 1)],
        LOGS[name].events,
    )
    assert TrailFeed(recorder, log).catch_up() >= LOGS[name].events
    assert unfed_events(trail, log) == ([], LOGS[name].events)
    assert not any("findings" in event for event in assert_whole(trail, "global"))
    (root / ".roadmap" / ".esaa" / "trail-feed.json").unlink()
    assert TrailFeed(recorder, log).catch_up() == 0


WRITER = """
import sys
from pathlib import Path
from esaa.kernel.canonical import compact
from esaa.open import open_workspace
from esaa.protocol.commands import CreateTask, Submit
from esaa.protocol.result import parse_result

root, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
for number in range(count):
    workspace = open_workspace(root)
    task_id = f"{name}-{number}"
    receipt = workspace.commit(CreateTask(task_id=task_id, task_kind="impl", title=task_id))
    assert not receipt.notices, receipt.notices
    data = compact({"activity_event": {"action": "claim", "task_id": task_id}})
    receipt = workspace.commit(Submit(actor="agent-impl", result=parse_result(data, workspace.rules)))
    assert receipt.rejected is None and not receipt.notices, receipt
"""


def test_processes_that_submit_at_once_are_told_once_each(root: Path, tmp_path: Path) -> None:
    make_workspace(root)
    a_feed(root).begin()
    environment = os.environ | {
        "PYTHONPATH": str(Path(esaa.__file__).parents[1]),
        "ESAA_CONFIG_DIR": str(tmp_path / "config"),
        "ESAA_LOCK_TIMEOUT_S": "60",
    }
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(root), name, "8"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for name in ("a", "b", "c")
    ]
    for one in writers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in writers:
        _, error = one.communicate(timeout=120)
        assert one.returncode == 0, error
    a_feed(root).catch_up()
    events = [event for event in stream(root, "global") if event["event_type"] == "TaskClaimed"]
    assert len(events) == 24
    assert_complete(root)


def test_feed_that_waits_too_long_for_another_one_says_so(root: Path) -> None:
    make_workspace(root, [PAGE], disk=CountingDisk())
    feed = open_feed(root, Config(config_dir=str(root.parent / "config"), lock_timeout_s=0), clock=ManualClock(MORNING))
    with writer_lock(root / ".roadmap" / ".esaa" / "trail-feed.lock", timeout_s=0):
        (notice,) = feed.follow()
        assert "another feed of the trail" in notice
        with pytest.raises(EsaaError):
            feed.catch_up()
    assert feed.follow() == ()
    assert_complete(root)
