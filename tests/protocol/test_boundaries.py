"""What a task may read and write (INV-003): deny beats allow, grants widen, scope_patch narrows."""

from __future__ import annotations

from typing import Any

import pytest

from esaa.contracts.agent import NEVER_WRITE
from esaa.contracts.values import TaskKind
from esaa.kernel.decider import Rejected
from esaa.protocol.boundaries import WriteBoundary, may_read, write_boundary, write_set
from tests.scenarios import (
    IMPL,
    QA,
    SPEC,
    Story,
    claimed,
    complete,
    created,
    done,
    folded,
    governance,
    governed,
    hotfix,
    in_progress,
    protocol_spec,
    reported,
    submit,
    todo,
)

_ACTOR = {"spec": SPEC, "impl": IMPL, "qa": QA}


def _writes(path: str, given: tuple[Story, ...], *, task_id: str = "T-1", rules: Any = None, **fields: Any) -> Any:
    state = folded(*given)
    task = state.task(task_id)
    assert task is not None
    actor = task.assigned_to
    assert isinstance(actor, str)
    command = submit(actor, complete(task_id, {path: "x"}, checks=2, **fields))
    return protocol_spec(rules).given(*given).when(command).decision


@pytest.mark.parametrize(
    ("kind", "path", "may"),
    [
        ("spec", "docs/note.md", True),
        ("spec", "docs/deep/er/note.md", True),
        ("spec", "src/a.py", False),
        ("spec", "tests/a.py", False),
        ("spec", "docs-evil/a.md", False),
        ("spec", "docs", False),
        ("impl", "src/a.py", True),
        ("impl", "tests/test_a.py", True),
        ("impl", "docs/a.md", False),
        ("impl", "src-evil/a.py", False),
        ("impl", "srcs/a.py", False),
        ("impl", "README.md", False),
        ("impl", "SRC/a.py", False),
        ("qa", "docs/qa/T-1.md", True),
        ("qa", "tests/test_a.py", True),
        ("qa", "docs/spec/T-1.md", False),
        ("qa", "docs/qa-evil/a.md", False),
        ("qa", "src/a.py", False),
        ("qa", "SRC/a.py", False),
    ],
)
def test_kind_decides_by_whole_components(kind: str, path: str, may: bool) -> None:
    decision = _writes(path, in_progress(kind=kind))

    assert isinstance(decision, Rejected) != may
    if not may:
        assert decision.error_code == "BOUNDARY_VIOLATION"


def test_grant_widens_the_boundary() -> None:
    assert not isinstance(_writes("README.md", in_progress(boundary_grant=("README.md",))), Rejected)
    assert not isinstance(_writes("web/a/b.js", in_progress(boundary_grant=("web/**",))), Rejected)
    assert isinstance(_writes("web-evil/b.js", in_progress(boundary_grant=("web/**",))), Rejected)


def test_declared_outputs_grant_nothing() -> None:
    assert isinstance(_writes("README.md", in_progress(outputs=["README.md"])), Rejected)


@pytest.mark.parametrize("pattern", ["**", "src/**", "tests/**", "SRC/**"])
def test_deny_of_the_kind_beats_every_grant(pattern: str) -> None:
    for path in ("src/a.py", "tests/a.py", "Src/A.py"):
        assert isinstance(_writes(path, in_progress(kind="spec", boundary_grant=(pattern,))), Rejected)


@pytest.mark.parametrize("never", NEVER_WRITE)
@pytest.mark.parametrize("kind", ["spec", "impl", "qa"])
def test_never_write_beats_every_grant_in_every_spelling(never: str, kind: str) -> None:
    folder = never.removesuffix("/**")
    given = in_progress(kind=kind, boundary_grant=("**", never, f"{folder.upper()}/**"))
    for spelling in (folder, folder.upper(), folder.title()):
        for path in (spelling, f"{spelling}/config", f"{spelling}/hooks/pre-commit"):
            decision = _writes(path, given)

            assert isinstance(decision, Rejected)
            assert decision.error_code == "BOUNDARY_VIOLATION"


@pytest.mark.parametrize(
    "path", [".\uff47it/config", ".\uff52oadmap/activity.jsonl", ".gi\u200dt/config", "GIT~1/config"]
)
def test_strange_spelling_of_a_protected_directory_is_no_path_at_all(path: str) -> None:
    decision = _writes(path, in_progress(boundary_grant=("**",)))

    assert isinstance(decision, Rejected)
    assert decision.error_code == "PATH_INVALID"


@pytest.mark.parametrize("never", ["secret/**", "secret/**/**", "secret/"])
def test_contract_can_forbid_more_for_every_kind(never: str) -> None:
    rules = governed(
        {
            "AGENT_CONTRACT.yaml": [
                ("    - .roadmap/**\n    - .git/**", f"    - {never}\n    - .roadmap/**\n    - .git/**")
            ]
        }
    )

    assert isinstance(_writes("secret/a", in_progress(boundary_grant=("secret/**",)), rules=rules), Rejected)
    assert not isinstance(_writes("src/a", in_progress(), rules=rules), Rejected)


_HOTFIX: tuple[Story, ...] = (*done(), reported(fixes="T-1"))


@pytest.mark.parametrize(
    ("scope", "path", "may"),
    [
        (("src/a.py",), "src/a.py", True),
        (("src/a.py",), "src/b.py", False),
        (("src/a/**",), "src/a/b.py", True),
        (("src/a/**",), "src/ab/b.py", False),
        (("src/a/",), "src/a/b.py", True),
        (("docs/**",), "docs/a.md", False),
        (("**",), ".git/config", False),
        ((), "src/a.py", False),
    ],
)
def test_scope_patch_narrows_a_hotfix(scope: tuple[str, ...], path: str, may: bool) -> None:
    given: tuple[Story, ...] = (*_HOTFIX, hotfix(scope_patch=scope), claimed("HF-1"))

    decision = _writes(path, given, task_id="HF-1", issue_id="ISS-1", fixes="T-1")

    assert isinstance(decision, Rejected) != may
    if not may:
        assert decision.error_code == "BOUNDARY_VIOLATION"


def test_task_of_an_unknown_kind_may_write_nothing_and_blocks_every_other_writer() -> None:
    state = folded(*in_progress(kind="docs"))
    task = state.task("T-1")
    assert task is not None

    assert write_boundary(task, governance().agent) is None
    assert write_set(task, governance().agent) == ("**",)
    decision = _writes("docs/a.md", in_progress(kind="docs"))
    assert isinstance(decision, Rejected)
    assert decision.error_code == "BOUNDARY_VIOLATION"


def test_write_set_is_what_is_declared_else_the_whole_boundary() -> None:
    state = folded(
        *todo("T-1", outputs=["src/a.py"]),
        *todo("T-2"),
        *done("T-3"),
        reported(fixes="T-3"),
        hotfix(fixes="T-3", scope_patch=("src/x/**",)),
    )
    sets = {task.task_id: write_set(task, governance().agent) for task in state.tasks}

    assert sets["T-1"] == ("src/a.py",)
    assert sets["T-2"] == ("src/**", "tests/**")
    assert sets["HF-1"] == ("src/x/**",)


@pytest.mark.parametrize(
    ("kind", "path", "may"),
    [
        ("impl", "src/a.py", True),
        ("impl", "docs/spec/T-1.md", True),
        ("impl", ".roadmap/roadmap.json", True),
        ("impl", ".roadmap/AGENT_CONTRACT.yaml", True),
        ("impl", "README.md", False),
        ("impl", ".env", False),
        ("spec", "src/a.py", False),
        ("spec", "docs/a.md", True),
        ("impl", ".roadmap/activity.jsonl", False),
        ("impl", ".roadmap/ACTIVITY.jsonl", False),
        ("impl", ".roadmap/blobs/ab/cd", False),
        ("impl", ".roadmap/.esaa/lock", False),
        ("impl", ".roadmap/events/x.jsonl", False),
        ("impl", ".roadmap/snapshots/x", False),
        ("impl", ".roadmap/cassettes/x.json", False),
        ("impl", ".roadmap/inbox/x.json", False),
    ],
)
def test_reading_under_roadmap_means_read_models_and_contracts_never_history(
    kind: TaskKind, path: str, may: bool
) -> None:
    assert may_read(path, kind, governance().agent) == may


# Two tasks in flight.


def test_file_of_another_task_in_flight_is_a_conflict_in_any_spelling() -> None:
    given: tuple[Story, ...] = (*in_progress("T-0", outputs=["src/a.py"]), *in_progress())

    for path in ("src/a.py", "src/A.py"):
        decision = _writes(path, given)

        assert isinstance(decision, Rejected)
        assert decision.error_code == "WRITE_CONFLICT"
    assert not isinstance(_writes("src/b.py", given), Rejected)


def test_file_of_a_task_that_nobody_began_or_that_is_done_is_free() -> None:
    given: tuple[Story, ...] = (
        *todo("T-0", outputs=["src/a.py"]),
        *done("T-9", outputs=["src/a.py"]),
        *in_progress(outputs=["src/a.py"]),
    )

    assert not isinstance(_writes("src/a.py", given), Rejected)


def test_hotfix_may_write_the_file_of_the_task_that_asked_for_it_and_waits() -> None:
    given: tuple[Story, ...] = (
        *done("T-1", outputs=["src/a.py"]),
        *in_progress("T-2", outputs=["src/a.py"]),
        reported(task_id="T-2", fixes="T-1"),
        hotfix(scope_patch=("src/a.py",)),
        claimed("HF-1"),
    )

    decision = _writes("src/a.py", given, task_id="HF-1", issue_id="ISS-1", fixes="T-1")

    assert not isinstance(decision, Rejected)


def test_same_file_twice_is_refused() -> None:
    files = [{"path": "src/a.py", "content": "1"}, {"path": "src/a.py", "content": "2"}]
    refusal = protocol_spec().given(*in_progress()).when(submit(IMPL, complete(files=files)))

    refusal.then_rejected("FILE_UPDATE_DUPLICATE_PATH")


def test_file_and_directory_of_one_name_are_refused() -> None:
    files = {"src/a": "1", "src/a/b": "2"}

    protocol_spec().given(*in_progress()).when(submit(IMPL, complete(files=files))).then_rejected(
        "FILE_UPDATE_DUPLICATE_PATH"
    )


def test_delivery_without_files_meets_no_conflict() -> None:
    given: tuple[Story, ...] = (*in_progress("T-0", outputs=["src/a.py"]), *in_progress())

    assert not isinstance(protocol_spec().given(*given).when(submit(IMPL, complete())).decision, Rejected)


def test_grant_with_backslashes_is_a_grant_with_slashes() -> None:
    state = folded(created(boundary_grant=("web\\**",)))
    task = state.task("T-1")
    assert task is not None
    boundary = write_boundary(task, governance().agent)
    assert boundary is not None

    assert boundary.refusal("web/a.js") is None


@pytest.mark.parametrize(
    "path",
    ["src/.git", "src/.git/hooks/post-checkout", "src/vendor/.GIT/config", "src/a/.claude/settings.json",
     "src/.roadmap/activity.jsonl", "src/x/.husky/pre-commit", "src/.githooks/pre-push"],
)  # fmt: skip
def test_folder_that_steers_a_tool_is_forbidden_wherever_it_lies(path: str) -> None:
    assert WriteBoundary(allow=("src/**",), deny=(), scope=None).refusal(path) == "is forbidden"
    assert WriteBoundary(allow=("src/**",), deny=(), scope=None).refusal(path.replace("/.", "/x.")) is None
