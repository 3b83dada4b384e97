"""Trails to measure on: as many events as asked for over as many issues, written through the store."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from esaa.kernel.recorded import Draft
from esaa.runtime.clock import ManualClock, SystemClock
from esaa.runtime.trail.trail import Trail, random_id
from esaa.stores.disk import Disk
from esaa.stores.trail import TrailStore
from esaa.trail.event import Actor, Witnessed
from esaa.trail.intake import Proposal, trail_time
from esaa.trail.settings import TrailSettings
from esaa.trail.types import EventTypes
from esaa.trail.wire import raw_metadata

BEGIN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
EVENTS_PER_ISSUE = 500
SECRET = b"b" * 32

# fmt: off
WORDS = (
    "login", "form", "session", "token", "refresh", "endpoint", "schema", "migration",
    "cache", "retry", "queue", "worker", "parser", "build", "release", "docs",
    "button", "layout", "query", "index", "page", "export", "import", "report",
    "audit", "ledger", "invoice", "payment", "search", "filter", "sort", "upload",
)
# fmt: on
_PHASES = ("EXPLORE", "PLAN", "CODE", "TEST", "FIX", "DOCUMENT")
_AGENTS = tuple(f"agent-{word}" for word in WORDS[:20])
RARE = "xylophone"
"""A word that one event has."""


class NoSync(Disk):
    """A disk that does not wait: making the events is not what is measured."""

    def fdatasync(self, fd: int) -> None:
        """Nothing."""

    def fsync(self, fd: int) -> None:
        """Nothing."""


def a_trail(root: Path, *, disk: Disk | None = None, clock: ManualClock | None = None) -> Trail:
    """The trail of a folder, with every setting as it ships."""
    settings = TrailSettings()
    store = TrailStore(root / "events", settings.storage, disk or Disk())
    return Trail(
        root=root,
        settings=settings,
        types=EventTypes(),
        store=store,
        clock=clock or SystemClock(),
        new_id=random_id,
        secret=SECRET,
    )


def proposals(chance: random.Random, count: int, issue_key: str, session_id: str) -> list[Proposal]:
    """Things that happen to an issue, in a plausible mixture."""
    made: list[Proposal] = []
    for number in range(count):
        name, metadata = _happening(chance, number)
        actor = {"type": "agent", "id": chance.choice(_AGENTS), "model": "sonnet"}
        made.append(
            Proposal(event_type=name, metadata=metadata, actor=actor, issue_key=issue_key, session_id=session_id)
        )
    return made


def fill(root: Path, issues: int, each: int = EVENTS_PER_ISSUE) -> int:
    """Writes so many events of each issue, spread over five days; returns how many there are."""
    trail = a_trail(root, disk=NoSync())
    for number in range(issues):
        stream = trail.store.stream(f"PROJ-{number + 1}")
        drafts = list(_drafts(random.Random(number), number, each))
        stream.append(drafts)
    return issues * each


def _drafts(chance: random.Random, number: int, each: int) -> Iterator[Draft[Witnessed]]:
    session_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    moment = BEGIN + timedelta(seconds=number * 17)
    step_s = 850_000 / each
    for index in range(each):
        name, metadata = _happening(chance, index)
        if number == 7 and index == each // 2:
            metadata = {"question": f"where is the {RARE}", "choice": "here"}
            name = "DecisionMade"
        agent = chance.choice(_AGENTS)
        moment += timedelta(seconds=chance.random() * step_s)
        yield Draft(
            actor=agent,
            event_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            ts=trail_time(moment),
            correlation_id=f"story-{number}-{index // 10}",
            fact=Witnessed(
                event_type=name,
                metadata=raw_metadata(metadata),
                issue_key=f"PROJ-{number + 1}",
                session_id=session_id,
                actor=Actor(type="agent", id=agent, model="sonnet"),
                git_sha=f"{chance.getrandbits(160):040x}",
                branch="main",
            ),
        )


def _happening(chance: random.Random, number: int) -> tuple[str, dict[str, object]]:
    words = " ".join(chance.choices(WORDS, k=8))
    phase, agent = _PHASES[number // 84 % 6], chance.choice(_AGENTS)
    kind = number % 8
    if kind == 0:
        return "PhaseStarted", {"phase": phase, "phase_objective": words, "expected_agents": 2}
    if kind == 1:
        return "AgentSpawned", {"agent_name": agent, "agent_type": "code", "assigned_task": words, "priority": "high"}
    if kind == 2:
        return "ToolRequested", {"tool_name": "Edit", "agent_name": agent, "arguments": {"path": f"src/{words[:9]}"}}
    if kind == 3:
        return "ResponseReceived", {
            "agent_name": agent,
            "model": "sonnet",
            "tokens_in": chance.randrange(20_000),
            "tokens_out": chance.randrange(2_000),
            "cost_micro_usd": chance.randrange(50_000),
            "extra": {"sha256": f"{chance.getrandbits(256):064x}"},
        }
    if kind == 4:
        return "AgentCompleted", {
            "agent_name": agent,
            "duration_seconds": chance.randrange(900),
            "outputs_created": [f"src/{chance.choice(WORDS)}.py"],
            "task_status": "success",
        }
    if kind == 5:
        return "CommitCreated", {
            "commit_sha": f"{chance.getrandbits(160):040x}",
            "commit_message": words,
            "files_changed": 3,
            "insertions": chance.randrange(400),
        }
    if kind == 6:
        return "TestRunCompleted", {"test_suite": "unit", "total_tests": 150, "passed": 149, "failed": 1, "skipped": 0}
    return "PhaseCompleted", {"phase": phase, "duration_seconds": chance.randrange(3600), "quality_score": 95}
