"""The purified view: what an agent gets with its task. State and contracts, never raw history (DESIGN 12.4).

Which sections it holds is the profile's `context.injects`; what did not fit is listed, not silently dropped.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from esaa.contracts.governance import Governance
from esaa.contracts.parcer import ParcerProfile
from esaa.contracts.values import TaskKind
from esaa.protocol.blocking import escalation
from esaa.protocol.boundaries import may_read, write_boundary
from esaa.protocol.gates import checks_needed
from esaa.protocol.issues import issue_view
from esaa.protocol.scheduling import Order
from esaa.protocol.state import State
from esaa.protocol.task_table import Task


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the project as an agent may see it: its digest (for `base_sha256`) and its text, where it fits.

    `reason` says why the text is not shown, where it is not.
    """

    path: str
    sha256: str
    size_bytes: int
    text: str | None
    reason: str = ""


def wanted_files(task: Task, state: State, rules: Governance) -> list[str]:
    """The files that matter for a task, in order: its own outputs, what it fixes, then its dependencies' outputs."""
    sources = [task]
    if isinstance(task.fixes, str) and (fixed := state.task(task.fixes)) is not None:
        sources.append(fixed)
    sources += [found for name in task.depends_on if (found := state.task(name)) is not None]
    scope = task.scope_patch if isinstance(task.scope_patch, list | tuple) else ()
    paths = [path for path in scope if isinstance(path, str) and not path.endswith(("/", "*"))]
    for source in sources:
        paths += source.output_files
    if task.task_kind not in rules.agent.boundaries.by_task_kind:
        return []
    return [path for path in dict.fromkeys(paths) if may_read(path, task.task_kind, rules.agent)]


def purified_context(order: Order, state: State, rules: Governance, files: list[FileView]) -> dict[str, Any]:
    """The context of an order as JSON builtins. `files` are those of `wanted_files` that exist, in that order."""
    task = state.task(order.task_id)
    assert task is not None, "an order is about a task of the state"
    profile = rules.profile_of(order.actor)
    sections = None if profile is None else profile.context.injects
    parts: dict[str, Any] = {
        "task": msgspec.to_builtins(task),
        "boundary": _boundary(task, rules),
        "policy": _policy(task, rules),
        "spec": [_shown(file) for file in files if file.path.startswith("docs/spec/")],
        "files": [_shown(file) for file in files if not file.path.startswith("docs/spec/")],
        "dependencies": [_dependency(name, state) for name in task.depends_on],
        "lessons": state.active_lessons(task.task_kind),
        "issues": [
            {**issue_view(issue), "escalation": escalation(issue, rules)}
            for issue in state.open_issues()
            if issue.about_task_id in (task.task_id, task.fixes) or issue.reported_by_task_id == task.task_id
        ],
        "last_rejection": state.work(task.task_id).last_rejection,
    }
    context: dict[str, Any] = {
        "context_version": 2,
        "actor": order.actor,
        "ask": {
            "action": order.action,
            "task_id": order.task_id,
            "attempt": order.attempt,
            "template": order.template,
            "prior_status": task.status,
            "deadline": order.deadline,
        },
        "project": {"name": state.header.project_name, "run_id": state.header.run.run_id, "head_seq": state.seq},
    }
    context |= {name: value for name, value in parts.items() if sections is None or name in sections}
    if profile is not None:
        context["profile"] = _profile(profile, task)
    context["left_out"] = [
        {"name": file.path, "size_bytes": file.size_bytes, "reason": file.reason} for file in files if file.text is None
    ]
    return context


def without_oldest(context: dict[str, Any]) -> dict[str, Any] | None:
    """The context without its oldest lesson, or else its oldest issue, which is listed; None where there is neither."""
    for section, key in (("lessons", "lesson_id"), ("issues", "issue_id")):
        entries = context.get(section)
        if entries:
            entry = {"name": str(entries[0].get(key)), "reason": f"the oldest of {len(entries)} {section}"}
            return context | {section: entries[1:], "left_out": [*context["left_out"], entry]}
    return None


def readable_folders(task: Task, rules: Governance) -> list[str]:
    """The folders that the read boundary of a task begins in; `""` where it is the whole project."""
    boundary = rules.agent.boundaries.by_task_kind.get(cast("TaskKind", task.task_kind))
    folders: dict[str, None] = {}
    for pattern in () if boundary is None else boundary.read:
        plain = []
        for part in pattern.split("/"):
            if "*" in part or not part:
                break
            plain.append(part)
        folders["/".join(plain)] = None
    return [folder for folder in folders if not folder.startswith(".")]


def _profile(profile: ParcerProfile, task: Task) -> dict[str, Any]:
    builtins: dict[str, Any] = msgspec.to_builtins(profile)
    if task.is_hotfix is not True:
        builtins.pop("hotfix_mode", None)
    return builtins


def _boundary(task: Task, rules: Governance) -> dict[str, Any]:
    boundary = write_boundary(task, rules.agent)
    if boundary is None:
        return {}
    return {
        "write": list(boundary.allow),
        "never": list(dict.fromkeys(boundary.deny)),
        "scope_patch": list(boundary.scope or ()),
    }


def _policy(task: Task, rules: Governance) -> dict[str, Any]:
    limits = rules.agent.output_contract
    return {
        "actions": list(rules.agent.allowed_actions),
        "checks_needed": checks_needed(task, rules),
        "attempts_max": rules.runtime.attempts.max,
        "result_bytes_max": limits.result_bytes_max,
        "file_bytes_max": limits.file_bytes_max,
        "files_max": limits.files_max,
        **_commands(rules),
    }


def _commands(rules: Governance) -> dict[str, Any]:
    """The checks that are run rather than believed, where there are any: agents have to know their names."""
    commands = rules.agent.executable_checks.commands
    return {"run_checks": {f"run:{name}": list(one) for name, one in commands.items()}} if commands else {}


def _dependency(name: str, state: State) -> dict[str, Any]:
    task = state.task(name)
    if task is None:
        return {"task_id": name, "status": "unknown"}
    return {"task_id": name, "status": task.status, "title": task.title, "outputs": list(task.output_files)}


def _shown(file: FileView) -> dict[str, Any]:
    return {"path": file.path, "sha256": file.sha256, "size_bytes": file.size_bytes, "text": file.text}
