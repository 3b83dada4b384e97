"""The few things that a person can do from the page, off unless the server was started with `--allow-actions`.

Each takes the road that the command of the same name takes: `Workspace.commit`, or the call that answers an approval.
A refusal of the rules is no fault of the request: it is an answer, with `accepted: false`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from esaa.errors import NotFound
from esaa.open import open_trail, open_workspace
from esaa.protocol.commands import CreateHotfix, ResolveIssue
from esaa.runtime.operations.approvals import content_of, decide, find, request_view, requests
from esaa.runtime.receipts import receipt_view
from esaa.web.answers import json_answer
from esaa.web.bodies import read_body
from esaa.web.faults import fault


class DecisionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer to what waits for a person: `esaa approve` or `esaa deny`. `sha256` is of the content that was seen."""

    approval_id: str
    by: str
    reason: str = ""
    sha256: str | None = None
    dry_run: bool = False


class RetryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Closes an issue, so that what it blocked goes on and the attempts begin anew: `esaa issue resolve`."""

    issue_id: str
    note: str | None = None
    command_id: str | None = None
    dry_run: bool = False


class HotfixBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hotfix task of an open issue: `esaa hotfix create`."""

    issue_id: str
    fixes: str | None = None
    scope: tuple[str, ...] = ()
    task_id: str | None = None
    command_id: str | None = None
    dry_run: bool = False


BODIES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "approve": (DecisionBody, "Allows what a request asks for, as `esaa approve`."),
    "deny": (DecisionBody, "Refuses what a request asks for, as `esaa deny`."),
    "retry": (RetryBody, "Closes an issue; its task is tried again, as after `esaa issue resolve`."),
    "hotfix": (HotfixBody, "Creates the hotfix task of an issue, as `esaa hotfix create`."),
}
"""Every action with what it takes and what it is."""


class Actions:
    """Answers for the actions of a workspace."""

    def __init__(self, root: Path, *, is_allowed: bool) -> None:
        self._root = root
        self._is_allowed = is_allowed

    async def waiting(self, _request: Request) -> Response:
        """What waits for a person, as `esaa approvals --json` says it."""

        def look() -> list[dict[str, Any]]:
            return [request_view(one) for one in requests(open_trail(self._root))]

        return json_answer(await run_sync(look))

    async def request(self, request: Request) -> Response:
        """One request with the answer that it is about, as `esaa approvals --show`: it is seen before it is allowed."""
        approval_id = str(request.path_params["approval_id"])

        def look() -> dict[str, Any]:
            found = find(open_trail(self._root), approval_id)
            content = content_of(open_workspace(self._root), found)
            if content is None:
                raise NotFound(
                    "ANSWER_NOT_FOUND",
                    f"The answer that {approval_id[:80]} is about is not kept here.",
                    "It was settled, or it lies on the machine that asked; the digest in the request names it.",
                )
            return {**request_view(found), "content": content.decode("utf-8", "replace")}

        return json_answer(await run_sync(look))

    async def act(self, request: Request) -> Response:
        """Does one thing, and says what came of it."""
        name = str(request.path_params["action"])
        if name not in BODIES:
            return fault(404, "NOT_FOUND", f"There is no action {name[:40]!r}.", f"There are {', '.join(BODIES)}.")
        if not self._is_allowed:
            return fault(
                403,
                "ACTIONS_OFF",
                "This server only shows; nothing can be changed through it.",
                "Start it with `esaa serve --allow-actions`, or use the command line.",
            )
        match name:
            case "approve" | "deny":
                decision = await read_body(request, DecisionBody)
                return json_answer(await run_sync(lambda: self._decide(decision, grant=name == "approve")))
            case "retry":
                retry = await read_body(request, RetryBody)
                command = ResolveIssue(issue_id=retry.issue_id, note=retry.note)
                return json_answer(await run_sync(lambda: self._commit(command, retry.command_id, retry.dry_run)))
            case _:
                body = await read_body(request, HotfixBody)
                made = CreateHotfix(
                    issue_id=body.issue_id, fixes=body.fixes, scope_patch=body.scope, task_id=body.task_id
                )
                return json_answer(await run_sync(lambda: self._commit(made, body.command_id, body.dry_run)))

    def _decide(self, body: DecisionBody, *, grant: bool) -> dict[str, Any]:
        workspace = open_workspace(self._root)
        done = decide(
            open_trail(self._root),
            workspace.rules,
            body.approval_id,
            grant=grant,
            by=body.by,
            reason=body.reason,
            content_sha256=body.sha256,
            dry_run=body.dry_run,
        )
        answer = {"dry_run": done.is_dry_run, "repeat": done.is_repeat, "event_id": done.event_id}
        return answer | request_view(done.request)

    def _commit(self, command: ResolveIssue | CreateHotfix, command_id: str | None, dry_run: bool) -> dict[str, Any]:
        receipt = open_workspace(self._root).commit(command, command_id, dry_run=dry_run)
        return receipt_view(receipt)
