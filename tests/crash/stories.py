"""A short run that has everything: acceptance, rejection, several files at once, an issue, its hotfix, the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from esaa.agents.base import Dispatch
from esaa.agents.scripted import obedient
from esaa.kernel.canonical import sha256_hex
from esaa.runtime.clock import Clock
from esaa.runtime.orchestrator import RunReport
from esaa.runtime.workspace import Workspace
from esaa.stores.disk import Disk
from tests.workspaces import NO_COOLDOWN, Edits, Watcher, make_workspace, new_task, run

PLAN = [
    new_task("T-1", outputs=["src/a.txt", "src/deep/b.txt"]),
    new_task("T-2", "qa", outputs=["docs/qa/report.md"], after=["T-1"]),
]
RULES: Edits = {
    "RUNTIME_POLICY.yaml": [*NO_COOLDOWN["RUNTIME_POLICY.yaml"], ("cadence: adaptive", "cadence: run_end")],
    "STORAGE_POLICY.yaml": [("every_events: 256", "every_events: 5")],
}

PUBLISHED = {"src/a.txt": b"right\n", "src/deep/b.txt": b"other\n", "docs/qa/report.md": b"fine\n"}


def begin(root: Path, clock: Clock | None = None, disk: Disk | None = None) -> Workspace:
    """The workspace before its run."""
    return make_workspace(root, PLAN, edits=RULES, clock=clock, disk=disk)


async def go_on(workspace: Workspace, watcher: Watcher | None = None, *, steps: int | None = None) -> RunReport:
    """Runs to the end, or for some steps, from wherever the workspace stands."""
    return await run(workspace, answer, watcher=watcher, steps=steps)


def answer(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any]:
    """What the agents say; it depends on what they are shown, so a run that was cut off says the same again."""
    order = dispatch.order
    if order.action != "complete":
        return obedient(dispatch, context)
    event: dict[str, Any] = {"action": "complete", "task_id": order.task_id}
    event["verification"] = {"checks": ["every line was read", "the file was compared with its purpose"]}
    shown = {file["path"]: file for file in context["files"]}
    if order.task_id == "T-1":
        if context["last_rejection"] is None:
            return {"activity_event": event, "file_updates": [{"path": ".git/hooks/x", "content": "no"}]}
        contents = {"src/a.txt": "wrong\n", "src/deep/b.txt": "other\n"}
        updates: list[dict[str, Any]] = [{"path": path, "content": text} for path, text in contents.items()]
        return {"activity_event": event, "file_updates": updates}
    if order.task_id == "T-2":
        if shown["src/a.txt"]["text"] == "wrong\n":
            return {"activity_event": _report()}
        return {"activity_event": event, "file_updates": [{"path": "docs/qa/report.md", "content": "fine\n"}]}
    event |= {"issue_id": "ISS-1", "fixes": "T-1"}
    edit = {"old_string": "wrong", "new_string": "right"}
    update = {"path": "src/a.txt", "base_sha256": sha256_hex(b"wrong\n"), "edits": [edit]}
    return {"activity_event": event, "file_updates": [update]}


def _report() -> dict[str, Any]:
    return {
        "action": "issue.report",
        "task_id": "T-2",
        "issue_id": "ISS-1",
        "severity": "medium",
        "title": "The first line is wrong",
        "fixes": "T-1",
        "evidence": {"symptom": "it says wrong", "repro_steps": ["read src/a.txt"]},
    }
