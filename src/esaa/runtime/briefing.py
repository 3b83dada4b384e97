"""Gathers what an agent is shown: the purified view (`esaa dispatch-context`), the prompt around it (`esaa prompt`)."""

from __future__ import annotations

from typing import Any, cast

from esaa.agents.base import Dispatch
from esaa.contracts.templates import PromptTemplate, TemplateName
from esaa.effects.listing import list_files
from esaa.effects.paths import inspect
from esaa.kernel.canonical import pretty
from esaa.protocol.answer_schema import answer_schema
from esaa.protocol.boundaries import may_read
from esaa.protocol.context import FileView, purified_context, readable_folders, wanted_files, without_oldest
from esaa.protocol.context_budget import Budget, Ranked, ranked, text_tokens
from esaa.protocol.paths import path_fault
from esaa.protocol.prompts import Prompt, render
from esaa.protocol.scheduling import Order
from esaa.protocol.task_table import Task
from esaa.runtime.workspace import Workspace
from esaa.stores.contracts import shipped_template

_READ_BYTES_MAX = 64 * 1024 * 1024
_ENTRIES_SEEN_MAX = 5_000


def context_of(workspace: Workspace, order: Order) -> dict[str, Any]:
    """The context of an order as JSON builtins, within the budget of RUNTIME_POLICY.yaml.

    What has to be there comes first: of lessons and issues the oldest go where they alone are too much. Then files, in
    the order of `ranked`, as long as there is room.
    """
    state, rules = workspace.state(), workspace.rules
    task = state.task(order.task_id)
    assert task is not None, "an order is about a task of the state"
    tokens_max = rules.runtime.context.tokens_max
    base: dict[str, Any] | None = purified_context(order, state, rules, [])
    context, used = {}, tokens_max + 1
    while base is not None and used > tokens_max:
        context, used = base, _prompt_tokens(workspace, order, base)
        base = without_oldest(context)
    files = _files(workspace, order, task, Budget(tokens_max, used))
    shown = purified_context(order, state, rules, files)
    kept = {name: context[name] for name in ("lessons", "issues") if name in context}
    return shown | kept | {"left_out": [*context["left_out"], *shown["left_out"]]}


def brief(workspace: Workspace, order: Order) -> bytes:
    """The context of an order as JSON text."""
    return pretty(context_of(workspace, order)) + b"\n"


def template_of(workspace: Workspace, order: Order) -> PromptTemplate:
    """The project's own template for an order, or the shipped one."""
    name = cast("TemplateName", order.template)
    return workspace.rules.templates.get(name) or shipped_template(name)


def prompt_of(workspace: Workspace, order: Order, context: dict[str, Any]) -> Prompt:
    """The prompt around a context."""
    return render(template_of(workspace, order), workspace.rules.profile_of(order.actor), context)


def dispatch_of(workspace: Workspace, order: Order, timeout_s: float) -> Dispatch:
    """The order with all that a model has to be told: the context, the prompt, and the schema of the answer."""
    context = context_of(workspace, order)
    return Dispatch(
        order=order,
        context=pretty(context) + b"\n",
        timeout_s=timeout_s,
        prompt=prompt_of(workspace, order, context),
        schema=answer_schema(order.action, workspace.rules),
    )


def _prompt_tokens(workspace: Workspace, order: Order, context: dict[str, Any]) -> int:
    prompt = prompt_of(workspace, order, context)
    return text_tokens(prompt.system, prompt.user)


def _files(workspace: Workspace, order: Order, task: Task, budget: Budget) -> list[FileView]:
    wanted = [path for path in wanted_files(task, workspace.state(), workspace.rules) if path_fault(path) is None]
    profile = workspace.rules.profile_of(order.actor)
    # Who only takes a task, or is shown no files, needs no look around.
    looks_around = order.action != "claim" and (profile is None or "files" in profile.context.injects)
    around = (
        list_files(workspace.root, readable_folders(task, workspace.rules), _ENTRIES_SEEN_MAX) if looks_around else []
    )
    views: list[FileView] = []
    for one in ranked(task, wanted, around, lambda path: _may_show(workspace, task, path)):
        if not budget.has_room():
            break
        view = _view(workspace, one, budget)
        if view is not None:
            views.append(view)
    return views


def _may_show(workspace: Workspace, task: Task, path: str) -> bool:
    """Whether a file that nobody named may be shown: one that the task may read, and that is not hidden."""
    if path.startswith(".") or "/." in path or path_fault(path) is not None:
        return False
    kind, contract = task.task_kind, workspace.rules.agent
    return kind in contract.boundaries.by_task_kind and may_read(path, kind, contract)


def _view(workspace: Workspace, one: Ranked, budget: Budget) -> FileView | None:
    found = inspect(workspace.root, one.path, bytes_max=_READ_BYTES_MAX, want_content=True)
    if found.sha256 is None or found.content is None:
        return None
    size = len(found.content)
    try:
        text: str | None = found.content.decode()
    except UnicodeDecodeError:
        text = None
    reason = budget.refusal(one.path, text, size)
    if reason is not None:
        return FileView(path=one.path, sha256=found.sha256, size_bytes=size, text=None, reason=f"{one.why}; {reason}")
    return FileView(path=one.path, sha256=found.sha256, size_bytes=size, text=text)
