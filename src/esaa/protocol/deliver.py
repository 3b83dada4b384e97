"""A `complete`: boundary, immutability and verification gate over the files that an agent wants written."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Draft
from esaa.protocol.blocking import pending_hotfix
from esaa.protocol.boundaries import duplicate_path, write_boundary
from esaa.protocol.commands import FileOnDisk, Submit
from esaa.protocol.edits import new_content
from esaa.protocol.facts import Fact, FileWritten, TaskCompleted
from esaa.protocol.gates import refuse_complete, refuse_lessons, vague_checks
from esaa.protocol.intentions import AgentResult, Complete, FileUpdate
from esaa.protocol.lessons import Delivery
from esaa.protocol.paths import covered_folded, path_fault
from esaa.protocol.rejections import reject
from esaa.protocol.state import State
from esaa.protocol.task_table import Task
from esaa.protocol.transitions import refuse_done


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of an accepted `complete`, the contents by digest, and warnings."""

    drafts: tuple[Draft[Fact], ...]
    contents: dict[str, bytes]
    warnings: tuple[str, ...]


def deliver(
    task: Task, command: Submit, intention: Complete, result: AgentResult, state: State, rules: Governance
) -> Delivered | Rejected:
    """Layers 5 to 7 for a `complete`; nothing is written here (INV-002)."""
    refusal = _refuse_paths(task, result.updates, state, rules)
    if refusal is not None:
        return refusal
    contents: dict[str, bytes] = {}
    for update in result.updates:
        found = command.files.get(update.path, FileOnDisk())
        if found.fault is not None:
            return reject("PATH_INVALID", f"`{update.path}` {found.fault}.", "Write to a plain file of the project.")
        content = new_content(update, found, rules.agent.output_contract.file_bytes_max)
        if isinstance(content, Rejected):
            return content
        contents[update.path] = content
    if task.status == "done":
        return refuse_done(task, "complete")
    refusal = refuse_complete(task, intention, command.actor, contents, rules)
    if refusal is not None:
        return refusal
    delivery = Delivery(fields=result.fields, is_complete=True, checks=intention.checks, files=contents)
    refusal, warnings = refuse_lessons(task, delivery, state)
    if refusal is not None:
        return refusal
    warnings += vague_checks(intention, rules)
    warnings += [f"declared output `{path}` was not delivered" for path in task.output_files if path not in contents]
    return Delivered(
        drafts=_facts(task, command, intention, contents),
        contents={sha256_hex(content): content for content in contents.values()},
        warnings=tuple(warnings),
    )


def _facts(task: Task, command: Submit, intention: Complete, contents: dict[str, bytes]) -> tuple[Draft[Fact], ...]:
    completed = TaskCompleted(
        task_id=task.task_id,
        prior_status=intention.prior_status,
        notes=intention.notes,
        verification=intention.verification,
        issue_id=intention.issue_id,
        fixes=intention.fixes,
    )
    drafts: list[Draft[Fact]] = [Draft(actor=command.actor, fact=completed)]
    for path, content in contents.items():
        before = command.files.get(path, FileOnDisk()).sha256
        effect = {
            "path": path,
            "before_sha256": before,
            "after_sha256": sha256_hex(content),
            "bytes": len(content),
        }
        written = FileWritten(task_id=task.task_id, files=(path,), effects=[effect])
        drafts.append(Draft(actor="orchestrator", fact=written, follows=True))
    return tuple(drafts)


def _refuse_paths(task: Task, updates: tuple[FileUpdate, ...], state: State, rules: Governance) -> Rejected | None:
    for update in updates:
        fault = path_fault(update.path)
        if fault is not None:
            return reject(
                "PATH_INVALID",
                f"The path {update.path[:200]!r} {fault}.",
                "Name a file inside the project, such as `src/page.html`.",
            )
        if (update.content is UNSET) == (update.edits is UNSET):
            return reject("EDIT_INVALID", f"`{update.path}` needs `content` or `edits`.", "Send one of the two.")
    twice = duplicate_path([update.path for update in updates])
    if twice is not None:
        return reject(
            "FILE_UPDATE_DUPLICATE_PATH",
            f"`{twice[0]}` and `{twice[1]}` are the same file, or one is the directory of the other.",
            "Send each file once.",
        )
    boundary = write_boundary(task, rules.agent)
    for update in updates:
        outside = "is of a kind without a boundary" if boundary is None else boundary.refusal(update.path)
        if outside is not None:
            return reject(
                "BOUNDARY_VIOLATION",
                f"{task.task_id} ({task.task_kind}) may not write `{update.path}`: it {outside}.",
                "Write only inside the boundary; report an issue if another file has to change.",
            )
    return _refuse_conflicts(task, updates, state)


def _refuse_conflicts(task: Task, updates: tuple[FileUpdate, ...], state: State) -> Rejected | None:
    paths = [update.path for update in updates]
    if not paths:
        return None
    for other in state.tasks.pending():
        if other.task_id == task.task_id or other.status == "todo":
            continue
        if pending_hotfix(other, state) == task.task_id:
            # It asked for this hotfix and waits for it; two that wait for each other would never end.
            continue
        for path in paths:
            if covered_folded(path, other.output_files):
                return reject(
                    "WRITE_CONFLICT",
                    f"`{path}` belongs to {other.task_id}, which is {other.status} with {other.assigned_to}.",
                    f"Wait until {other.task_id} is done, or leave the file out.",
                )
    return None
