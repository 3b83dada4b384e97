"""Every entrance by which a text comes in: of the governed run, of the trail, and of the command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from esaa.cli.app import run
from esaa.config import Config
from esaa.contracts.load import parse_governance
from esaa.errors import EsaaError
from esaa.kernel.canonical import compact
from esaa.open import open_feed, open_trail, open_workspace
from esaa.protocol.commands import (
    CreateTask,
    EndRun,
    RecordTimeout,
    RejectOutput,
    ReportDeadlock,
    ResolveIssue,
    StartRun,
    Submit,
)
from esaa.protocol.result import parse_result
from esaa.runtime.clock import SystemClock
from esaa.runtime.initialise import write_contracts, write_first_log
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.workspace import Workspace
from esaa.stores.contracts import shipped_files
from esaa.stores.disk import Disk
from esaa.trail.intake import Proposal

ACTOR = {"type": "user", "id": "ada"}
"""Who records."""


def make_workspace(root: Path, more: str = "") -> Workspace:
    """A new workspace without a pause after refusals; `more` goes into its storage policy."""
    files = shipped_files("0.4.0")
    files["RUNTIME_POLICY.yaml"] = files["RUNTIME_POLICY.yaml"].replace(b"cooldown: PT2M", b"cooldown: PT0S")
    files["STORAGE_POLICY.yaml"] += more.encode()
    write_contracts(root / ".roadmap", files, Disk())
    write_first_log(root / ".roadmap", parse_governance(files), SystemClock(), Disk(), [])
    return open_workspace(root, Config(config_dir=os.environ["ESAA_CONFIG_DIR"]))


def command(root: Path, *arguments: str) -> int:
    """One command line, and what it ends with."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return run([*arguments, "--root", str(root)])


def govern(root: Path, secret: Callable[[str], str]) -> None:
    """Secrets through every entrance of the governed run."""
    workspace = make_workspace(root)
    commit = workspace.commit
    commit(
        CreateTask(
            task_id="T-1",
            task_kind="impl",
            title=secret("title"),
            description=secret("description"),
            acceptance_criteria=(secret("criteria"),),
            targets=(secret("targets"),),
        )
    )
    commit(CreateTask(task_id=secret("a new task's id"), task_kind="impl", title="x"))
    commit(CreateTask(task_id="T-9", task_kind="impl", title="x", outputs=(secret("an output's path"),)))
    commit(CreateTask(task_id="T-8", task_kind="impl", title="x", depends_on=(secret("a dependency"),)))
    commit(StartRun(run_id=secret("run id")))
    with contextlib.suppress(EsaaError):
        commit(CreateTask(task_id="T-7", task_kind="impl", title="x"), secret("command id"))

    def send(actor: str, data: bytes) -> None:
        commit(Submit(actor=actor, result=parse_result(data, workspace.rules)))

    def act(actor: str, action: str, **fields: Any) -> None:
        event = {"action": action, "task_id": "T-1"} | fields
        updates = event.pop("file_updates", None)
        send(actor, compact({"activity_event": event} | ({} if updates is None else {"file_updates": updates})))

    checks = {"checks": [secret("a check"), "it was read line by line twice"]}
    act("agent-impl", "claim", notes=secret("notes of a claim"))
    act("agent-impl", "complete", notes="x", verification=checks, issue_id=secret("issue_id of a complete"))
    act("agent-impl", "claim", unknown=secret("an unknown field"))
    act("agent-impl", "claim", prior_status=secret("prior_status"))
    act("agent-impl", secret("an action"))
    act("agent-impl", "claim", task_id=secret("a task_id"))
    act(
        "agent-impl",
        "complete",
        notes=secret("notes of a complete"),
        verification=checks,
        file_updates=[{"path": f"src/{secret('a path')}.md", "content": "x"}],
    )
    send("agent-impl", secret("no JSON").encode())
    send("agent-impl", compact({"activity_event": [secret("a list")]}))
    send(secret("an unknown actor"), b"{}")
    act("agent-impl", "complete", notes=secret("notes"), verification=checks)
    asked = [secret("what has to change")]
    act("agent-qa", "review", decision="request_changes", tasks=asked, notes=secret("notes of a review"))
    for number in range(3):
        act(
            "agent-impl",
            "issue.report",
            issue_id=f"ISS-{number}" if number else secret("an issue's id"),
            severity="low",
            title=secret("an issue's title"),
            evidence={"symptom": secret("a symptom"), "repro_steps": [secret("a step")], secret("a key"): {"x": 1}},
            affected={"environment": secret("the environment"), "paths": [secret("an affected path")]},
            category="process",
            subtype="lesson",
            lesson={"mistake": secret("a mistake"), "rule": secret("a rule"), "scope": {}, "enforcement": {}},
            notes=secret("notes of a report"),
        )
    act(
        "agent-impl",
        "issue.report",
        issue_id="ISS-7",
        severity="low",
        title="it is wrong",
        evidence={"symptom": secret("a symptom"), "repro_steps": [secret("a step")], "token": secret("a named value")},
    )
    commit(ResolveIssue(issue_id="ISS-7", note=secret("a resolution")))
    commit(RejectOutput(task_id="T-1", actor="agent-impl", error_code="AGENT_FAILED", message=secret("a refusal")))
    commit(RecordTimeout(actor="agent-impl", task_id="T-1", source_action="complete", message=secret("a timeout")))
    commit(ReportDeadlock(task_ids=("T-1",), reasons=(secret("a deadlock"),)))
    commit(EndRun(status="failed", message=secret("the end of a run")))


def witness(root: Path, secret: Callable[[str], str], *, strict: bool) -> None:
    """Secrets through every entrance of the trail."""
    settings = f"event_sourcing:\n  validation: {{strict_mode: {str(strict).lower()}}}\n"
    (root / ".roadmap" / "event-sourcing.yaml").write_text(settings)
    open_feed(root).catch_up()
    with TrailRecorder(open_trail(root), actor=ACTOR, issue_key="PROJ-1") as recorder:
        for proposal in _proposals(secret):
            with contextlib.suppress(EsaaError):
                recorder.record_many([proposal])
    line = compact({"event_type": "PhaseStarted", "metadata": {"phase": secret("a batch")}, "issue_key": "PROJ-1"})
    batch = root.parent / "batch.jsonl"
    batch.write_bytes(line + b"\n")
    command(root, "record", "--batch", str(batch))
    batch.unlink()
    command(root, "record", "PhaseStarted", "--issue", "PROJ-1", f"phase={secret('the command line')}")


def _proposals(secret: Callable[[str], str]) -> Iterator[Proposal]:
    def one(event_type: str = "PhaseStarted", metadata: Any = None, **envelope: Any) -> Proposal:
        fields: dict[str, Any] = {"actor": None} | envelope
        return Proposal(event_type=event_type, metadata=metadata or {"phase": "PLAN"}, **fields)

    yield one("CommentPosted", {"issue_key": "PROJ-1", "comment_body": secret("a comment")})
    yield one("CommitCreated", {"commit_sha": "9fceb02", "commit_message": secret("a commit message")})
    yield one(metadata={"phase": "PLAN", "extra": {secret("a key"): {"deep": [secret("a deep value")]}}})
    yield one(metadata={"phase": "PLAN", "extra": {"api_key": secret("a named value")}})
    yield one(metadata={"phase": "PLAN", "extra": {"argv": ["--token", secret("an argument")]}})
    yield one(metadata={"phase": "PLAN", "extra": {"nested": json.dumps({"password": secret("JSON in a text")})}})
    yield one(metadata={"phase": "PLAN", secret("an unknown field"): 1})
    yield one(metadata={"phase": ["a list", secret("a value of another type")]})
    yield one(metadata={"phase": "PLAN", "issue_key": secret("an inner issue key")})
    yield one(correlation_id=secret("correlation_id"), causation_id=secret("causation_id"))
    yield one(git_sha=secret("git_sha"), branch=secret("branch"), codebase_state=secret("codebase_state"))
    yield one(actor={"type": "agent", "id": secret("an actor")})
    yield one(actor={"type": "agent", "id": "x", "model": secret("a model")})
    yield one(actor={"type": secret("an actor's type"), "id": "x"})
    yield one(session_id=secret("session_id"))
    yield one(issue_key=secret("issue_key"))
    yield one(timestamp=secret("timestamp"))
    yield one(event_id=secret("event_id"))
    yield one(secret("event_type"))
    yield one(metadata={"phase": "PLAN", "extra": {"x": "y"}}, erasable=("extra.x",), subject=secret("subject"))
    yield one(metadata={"phase": "PLAN", "extra": {"x": secret("an erasable value")}}, erasable=("extra.x",))
