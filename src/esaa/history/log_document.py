"""The state of a governed run as one JSON document, and the parts that it consists of.

`last_seq` and `last_ts` are no part of it: they are the moment itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from esaa.protocol.issues import issue_view
from esaa.protocol.state import Header, State

MEMBERS = ("run", "verification", "tasks", "issues", "lessons", "work", "files")
"""The members of the document, in its order."""
WHOLE = frozenset({"run", "verification"})
"""The members that are one part each; the values of the others are parts of their own."""


class FileOfTask(msgspec.Struct, frozen=True, gc=False):
    """A file as its last write left it: the digest of its content, where the event tells it, and the task."""

    sha256: str | None
    task_id: str


def run_part(header: Header) -> dict[str, Any]:
    """The part `/run`: the run that the log is in, and what the log says of itself."""
    return {
        **msgspec.structs.asdict(header.run),
        "project_name": header.project_name,
        "audit_scope": header.audit_scope,
        "schema_version": header.schema_version,
    }


def verification_part(header: Header) -> dict[str, Any]:
    """The part `/verification`: what the last verification said, `unknown` once something came after it."""
    return {"status": header.verify_status}


def named_lessons(lessons: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Lessons by name: their id. One without an id is named by its place, and of two alike the later one by a mark."""
    named: dict[str, Mapping[str, Any]] = {}
    for place, lesson in enumerate(lessons, start=1):
        lesson_id = lesson.get("lesson_id")
        name = plain = lesson_id if isinstance(lesson_id, str) and lesson_id else f"#{place}"
        again = 1
        while name in named:
            again += 1
            name = f"{plain}~{again}"
        named[name] = lesson
    return named


def document_of(state: State, files: Mapping[str, FileOfTask]) -> dict[str, Any]:
    """The whole document of a state and the files that its events wrote, as plain JSON values."""
    header = state.header
    return {
        "run": run_part(header),
        "verification": verification_part(header),
        "tasks": {task.task_id: msgspec.to_builtins(task) for task in state.tasks},
        "issues": {issue.issue_id: issue_view(issue) for issue in header.issues.values()},
        "lessons": dict(named_lessons(header.lessons)),
        "work": {task_id: msgspec.to_builtins(work) for task_id, work in header.work.items()},
        "files": {path: msgspec.to_builtins(file) for path, file in files.items()},
    }
