"""A `complete`: boundary, immutability and verification gate over the files that an agent wants written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Draft
from esaa.protocol.blocking import pending_hotfix
from esaa.protocol.boundaries import duplicate_path, write_boundary
from esaa.protocol.checks import refuse_checks, told_runs
from esaa.protocol.commands import FileOnDisk, Submit
from esaa.protocol.conflicts import refuse_meeting
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
    refusal = _refuse_paths(task, command, result.updates, state, rules)
    if refusal is not None:
        return refusal
    contents: dict[str, bytes] = {}
    for update in result.updates:
        found = command.files.get(update.path, FileOnDisk())
        if found.fault is not None:
            return reject("PATH_INVALID", f"`{update.path}` {found.fault}.", "Write to a plain file of the project.")
        content = _content(update, found, rules.agent.output_contract.file_bytes_max)
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
    refusal = refuse_checks(task, intention.checks, command, contents, rules)
    if refusal is not None:
        return refusal
    warnings += vague_checks(intention, rules)
    warnings += [f"declared output `{path}` was not delivered" for path in task.output_files if path not in contents]
    return Delivered(
        drafts=_facts(task, command, intention, contents, rules),
        contents={sha256_hex(content): content for content in _kept(command, contents, rules)},
        warnings=tuple(warnings),
    )


def _facts(
    task: Task, command: Submit, intention: Complete, contents: dict[str, bytes], rules: Governance
) -> tuple[Draft[Fact], ...]:
    completed = TaskCompleted(
        task_id=task.task_id,
        prior_status=intention.prior_status,
        notes=intention.notes,
        verification=intention.verification,
        issue_id=intention.issue_id,
        fixes=intention.fixes,
        check_runs=told_runs(intention.checks, command.check_runs, rules),
    )
    drafts: list[Draft[Fact]] = [Draft(actor=command.actor, fact=completed)]
    for path, content in contents.items():
        found = command.files.get(path, FileOnDisk())
        effect: dict[str, Any] = {
            "path": path,
            "before_sha256": found.sha256,
            "after_sha256": sha256_hex(content),
            "bytes": len(content),
        }
        if found.meeting is not None:
            effect["merge"] = {
                "base_sha256": found.meeting.base_sha256,
                "proposed_sha256": sha256_hex(found.meeting.proposed),
                "with_task": found.meeting.writer,
            }
        written = FileWritten(task_id=task.task_id, files=(path,), effects=[effect])
        drafts.append(Draft(actor="orchestrator", fact=written, follows=True))
    return tuple(drafts)


def _content(update: FileUpdate, found: FileOnDisk, bytes_max: int) -> bytes | Rejected:
    if found.meeting is None:
        return new_content(update, found, bytes_max)
    refusal = refuse_meeting(update.path, found.meeting, bytes_max)
    if refusal is not None:
        return refusal
    assert found.meeting.merged is not None, "what is not refused was merged"
    return found.meeting.merged


def _kept(command: Submit, contents: dict[str, bytes], rules: Governance) -> Iterator[bytes]:
    """The contents to be stored: what is written, and what later merges begin from."""
    yield from contents.values()
    if rules.runtime.dispatch.conflicts != "merge":
        return
    for path in contents:
        found = command.files.get(path, FileOnDisk())
        if found.content is not None:
            yield found.content
        if found.meeting is not None:
            yield found.meeting.proposed


def _refuse_paths(
    task: Task, command: Submit, updates: tuple[FileUpdate, ...], state: State, rules: Governance
) -> Rejected | None:
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
    if rules.runtime.dispatch.conflicts != "serialise":
        # Where it is known what the writer had seen, a meeting is found when it happens.
        updates = tuple(one for one in updates if command.based_on is None and one.edits is UNSET)
    return _refuse_owned([update.path for update in updates], task, state)


def _refuse_owned(paths: list[str], task: Task, state: State) -> Rejected | None:
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
