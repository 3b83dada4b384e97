"""What is gathered for an agent: files by rank within the budget, digests, reasons; and the prompt around it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from esaa.effects.listing import list_files
from esaa.protocol.commands import CreateTask
from esaa.protocol.context_budget import text_tokens
from esaa.protocol.scheduling import Order, order_for
from esaa.runtime.briefing import brief, dispatch_of
from esaa.runtime.workspace import Workspace
from tests.workspaces import Edits, issue, make_workspace, new_task, result, submit


def budget(tokens_max: int) -> Edits:
    return {"RUNTIME_POLICY.yaml": [("dispatch:\n", f"context: {{tokens_max: {tokens_max}}}\ndispatch:\n")]}


def put(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def at_work(root: Path, *, tokens_max: int = 100_000, title: str = "Mend the parser") -> Workspace:
    plan = [CreateTask(task_id="T-1", task_kind="impl", title=title, outputs=("src/parser.py",))]
    workspace = make_workspace(root, plan, edits=budget(tokens_max))
    assert submit(workspace, "agent-impl", result("claim", "T-1")).rejected is None
    return workspace


def order(workspace: Workspace, task_id: str = "T-1") -> Order:
    state = workspace.state()
    task = state.task(task_id)
    assert task is not None
    found = order_for(task, state, workspace.rules)
    assert found is not None
    return found


def context(workspace: Workspace) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(brief(workspace, order(workspace)))
    return value


def test_related_files_of_the_read_boundary_are_shown_with_their_digests(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = at_work(root)
    put(
        root,
        src__parser_DOT_py="own",
        src__parser_table_DOT_py="table",
        src__other_DOT_py="no",
        web__parser_DOT_js="no",
    )
    put(root, _DOT_env_parser="secret", src___DOT_parser_DOT_py="hidden")
    (root / "src" / "parser_link.py").symlink_to(root / "web" / "parser.js")
    files = context(workspace)["files"]
    assert [(one["path"], one["text"]) for one in files] == [("src/parser.py", "own"), ("src/parser_table.py", "table")]
    assert [one["sha256"] for one in files] == [hashlib.sha256(text).hexdigest() for text in (b"own", b"table")]


def test_who_only_claims_is_shown_nothing_around(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = make_workspace(root, [new_task("T-1", outputs=["src/parser.py"])])
    put(root, src__parser_table_DOT_py="table")
    assert context(workspace)["files"] == []


@pytest.mark.parametrize("tokens_max", [1_000, 6_000, 7_000, 12_000, 40_000])
def test_prompt_keeps_within_the_budget_and_lists_what_it_left_out(tmp_path: Path, tokens_max: int) -> None:
    root = tmp_path / "project"
    workspace = at_work(root, tokens_max=tokens_max)
    put(root, **{f"src__parser_{number}_DOT_py": f'"{number}"\n' * 400 * number for number in range(1, 15)})
    put(root, src__parser_DOT_py="own\n")
    (root / "src" / "parser.bin").write_bytes(b"\xff\xfe")
    dispatch = dispatch_of(workspace, order(workspace), 1)
    assert dispatch.prompt is not None
    used = text_tokens(dispatch.prompt.system, dispatch.prompt.user)
    shown = json.loads(dispatch.context)
    texts = [one["path"] for one in shown["files"] if one["text"] is not None]
    if tokens_max == 1_000:
        assert texts == [], "what has to be there is more than that"
        return
    assert used <= tokens_max
    assert {one["name"] for one in shown["left_out"]} == {one["path"] for one in shown["files"] if one["text"] is None}
    assert all(one["reason"] for one in shown["left_out"])
    if tokens_max >= 12_000:
        assert "src/parser.py" in texts
        assert {"name": "src/parser.bin", "size_bytes": 2} in [
            {key: one[key] for key in ("name", "size_bytes")} for one in shown["left_out"]
        ]


def test_oldest_issues_go_where_they_alone_are_too_much(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = at_work(root, tokens_max=12_000)
    for number in range(3):
        report = issue("T-1", f"ISS-{number}", "low", notes="x").replace(b"look at it", b"look " * 300)
        assert submit(workspace, "agent-impl", report).rejected is None
    whole = text_tokens(dispatch_of(workspace, order(workspace), 1).prompt.user)  # type: ignore[union-attr]
    tight = at_work(tmp_path / "tight", tokens_max=1_000)
    for number in range(3):
        report = issue("T-1", f"ISS-{number}", "low").replace(b"look at it", b"look " * 300)
        assert submit(tight, "agent-impl", report).rejected is None
    shown = context(tight)
    assert whole > 500
    assert shown["issues"] == []
    assert [one["name"] for one in shown["left_out"]] == ["ISS-0", "ISS-1", "ISS-2"]
    assert shown["left_out"][0]["reason"] == "the oldest of 3 issues"


def test_same_project_gives_the_same_bytes(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = at_work(root)
    put(root, **{f"src__parser_{letter}_DOT_py": letter for letter in "dbca"})
    one, two = (dispatch_of(workspace, order(workspace), 1) for _ in range(2))
    assert one == two


# The listing


def test_listing_follows_no_link_and_stops_in_time(tmp_path: Path) -> None:
    put(
        tmp_path,
        src__b_DOT_py="",
        src__a__deep_DOT_py="",
        src__node_modules__x_DOT_js="",
        docs__d_DOT_md="",
        outside__o="",
    )
    (tmp_path / "src" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "linked").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "src" / "pipe")
    assert list_files(tmp_path, ["src", "docs", "missing", "linked"], 100) == ["src/b.py", "src/a/deep.py", "docs/d.md"]
    assert list_files(tmp_path, ["docs", "src"], 2) == ["docs/d.md"]
    assert "outside/o" in list_files(tmp_path, [""], 100)
