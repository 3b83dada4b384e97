"""A short log that most tests of the log's past begin with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from esaa.protocol.facts import (
    Fact,
    FileWritten,
    OutputRejected,
    RunStarted,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    VerificationStarted,
    ViewMutated,
)
from tests.query.history.log_of import lines_of, write_log

STORY: list[tuple[Fact, str]] = [
    (RunStarted(run_id="RUN-0001"), "orchestrator"),
    (TaskCreated(task_id="T-1", task_kind="impl", title="Draw the Café sign"), "orchestrator"),
    (TaskCreated(task_id="T-2", task_kind="qa", title="Look at the sign"), "orchestrator"),
    (TaskClaimed(task_id="T-1", prior_status="todo", notes="with pleasure"), "agent-impl"),
    (ViewMutated(target="roadmap", change="projected"), "orchestrator"),
    (
        OutputRejected(
            task_id="T-1", error_code="BOUNDARY_VIOLATION", message="outside", source_action="complete", counts=True
        ),
        "orchestrator",
    ),
    (TaskCompleted(task_id="T-1", verification={"checks": ["it hangs straight", 42]}), "agent-impl"),
    (
        FileWritten(task_id="T-1", files=("src/sign.py",), effects=[{"path": "src/sign.py", "after_sha256": "ab"}]),
        "orchestrator",
    ),
    (ViewMutated(target="roadmap", change="projected"), "orchestrator"),
    (VerificationStarted(strict=True), "orchestrator"),
]
"""Ten events, one a minute from noon on."""


@pytest.fixture
def story() -> list[bytes]:
    """The lines of a short log."""
    return lines_of((fact, actor, f"2026-03-01T12:{minute:02d}:00Z") for minute, (fact, actor) in enumerate(STORY))


@pytest.fixture
def log_of_work(story: list[bytes]) -> Callable[[Path], Path]:
    """Writes the short log into a folder."""
    return lambda root: write_log(root, story)
