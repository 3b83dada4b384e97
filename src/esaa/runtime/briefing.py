"""Gathers the files that a context shows and encodes the purified view (what `esaa dispatch-context` prints)."""

from __future__ import annotations

from esaa.effects.paths import inspect
from esaa.kernel.canonical import pretty
from esaa.protocol.context import ALL_FILES_BYTES_MAX, FILE_BYTES_MAX, FileView, purified_context, wanted_files
from esaa.protocol.paths import path_fault
from esaa.protocol.scheduling import Order
from esaa.runtime.workspace import Workspace

_READ_BYTES_MAX = 64 * 1024 * 1024


def brief(workspace: Workspace, order: Order) -> bytes:
    """The context of an order as JSON text."""
    state = workspace.state()
    task = state.task(order.task_id)
    assert task is not None, "an order is about a task of the state"
    files: list[FileView] = []
    left = ALL_FILES_BYTES_MAX
    for path in wanted_files(task, state, workspace.rules):
        view = None if path_fault(path) is not None else _view(workspace, path, left)
        if view is not None:
            files.append(view)
            left -= view.size_bytes if view.text is not None else 0
    return pretty(purified_context(order, state, workspace.rules, files)) + b"\n"


def _view(workspace: Workspace, path: str, left: int) -> FileView | None:
    found = inspect(workspace.root, path, bytes_max=_READ_BYTES_MAX, want_content=True)
    if found.sha256 is None or found.content is None:
        return None
    text: str | None = None
    size = len(found.content)
    if size <= min(FILE_BYTES_MAX, left):
        try:
            text = found.content.decode()
        except UnicodeDecodeError:
            text = None
    return FileView(path=path, sha256=found.sha256, size_bytes=size, text=text)
