"""Gathers what an agent is shown: the purified view (`esaa dispatch-context`), the prompt around it (`esaa prompt`)."""

from __future__ import annotations

from typing import Any, cast

from esaa.agents.base import Dispatch
from esaa.contracts.templates import TemplateName
from esaa.effects.paths import inspect
from esaa.kernel.canonical import pretty
from esaa.protocol.answer_schema import answer_schema
from esaa.protocol.context import ALL_FILES_BYTES_MAX, FILE_BYTES_MAX, FileView, purified_context, wanted_files
from esaa.protocol.paths import path_fault
from esaa.protocol.prompts import render
from esaa.protocol.scheduling import Order
from esaa.runtime.workspace import Workspace
from esaa.stores.contracts import shipped_template

_READ_BYTES_MAX = 64 * 1024 * 1024


def context_of(workspace: Workspace, order: Order) -> dict[str, Any]:
    """The context of an order as JSON builtins."""
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
    return purified_context(order, state, workspace.rules, files)


def brief(workspace: Workspace, order: Order) -> bytes:
    """The context of an order as JSON text."""
    return pretty(context_of(workspace, order)) + b"\n"


def dispatch_of(workspace: Workspace, order: Order, timeout_s: float) -> Dispatch:
    """The order with all that a model has to be told: the context, the prompt, and the schema of the answer."""
    rules, context = workspace.rules, context_of(workspace, order)
    template = rules.templates.get(order.template) or shipped_template(cast("TemplateName", order.template))
    return Dispatch(
        order=order,
        context=pretty(context) + b"\n",
        timeout_s=timeout_s,
        prompt=render(template, rules.profile_of(order.actor), context),
        schema=answer_schema(order.action, rules),
    )


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
