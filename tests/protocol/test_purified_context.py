"""The purified view: what an agent gets with its task, by profile; never history."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from esaa.contracts.governance import Governance
from esaa.protocol.context import FileView, purified_context, readable_folders, wanted_files, without_oldest
from esaa.protocol.facts import OutputRejected, ViewMutated
from esaa.protocol.scheduling import Order, plan
from esaa.protocol.state import State
from tests.scenarios import (
    IMPL,
    LATER,
    QA,
    Story,
    claimed,
    created,
    done,
    folded,
    governance,
    governed,
    hotfix,
    in_progress,
    in_review,
    lesson_learned,
    reported,
    run_start,
    todo,
)


def _order(state: State, task_id: str, rules: Governance) -> Order:
    return next(order for order in plan(state, rules, LATER).orders if order.task_id == task_id)


def _context(
    *given: Story, task_id: str = "T-1", files: list[FileView] | None = None, rules: Governance | None = None
) -> dict[str, Any]:
    in_force = governance() if rules is None else rules
    state = folded(*given)
    return purified_context(_order(state, task_id, in_force), state, in_force, files or [])


def _file(path: str, text: str | None = "text") -> FileView:
    return FileView(path=path, sha256="0" * 64, size_bytes=4, text=text, reason="" if text else "is too large")


RICH: tuple[Story, ...] = (
    run_start(),
    *done("T-0", "spec", outputs=["docs/spec/T-0.md"]),
    created("T-1", outputs=["src/a.py"], depends_on=("T-0",), boundary_grant=("web/**",)),
    claimed(),
    OutputRejected(
        task_id="T-1", error_code="MISSING_VERIFICATION", message="none", hint="check", layer="verification_gate"
    ),
    lesson_learned("forbid text x", "ISS-L", "T-0"),
    lesson_learned("forbid text y", "ISS-M", "T-0", kinds=["qa"]),
    reported("ISS-1", "T-1", "medium"),
    reported("ISS-2", "T-0", "medium"),
    ViewMutated(target="roadmap", change="projected"),
)


def test_agent_is_asked_one_thing_with_all_it_needs_to_answer() -> None:
    context = _context(*RICH)

    assert context["context_version"] == 2
    assert context["actor"] == IMPL
    assert context["ask"] == {
        "action": "complete",
        "task_id": "T-1",
        "attempt": 3,
        "template": "impl.core",
        "prior_status": "in_progress",
        "deadline": "2026-03-01T12:30:00Z",
    }
    assert context["project"] == {"name": "esaa-core", "run_id": "RUN-0001", "head_seq": len(RICH)}
    assert context["task"]["task_id"] == "T-1"
    assert context["policy"]["checks_needed"] == 1
    assert context["policy"]["attempts_max"] == 3
    assert context["boundary"]["write"] == ["src/**", "tests/**", "web/**"]
    assert ".roadmap/**" in context["boundary"]["never"]
    assert context["boundary"]["scope_patch"] == []


def test_context_holds_state_and_never_history() -> None:
    context = _context(*RICH, files=[_file("docs/spec/T-0.md"), _file("src/a.py")])
    text = json.dumps({key: value for key, value in context.items() if key not in ("profile", "boundary")})

    for word in ("event_id", "EV-0000", "prev_hash", "output.rejected", "file.write", "view.mutate", "activity.jsonl"):
        assert word not in text


def test_lessons_issues_dependencies_and_the_last_refusal_are_those_of_the_task() -> None:
    context = _context(*RICH)

    assert [one["lesson_id"] for one in context["lessons"]] == ["LES-0001"]
    assert [(one["issue_id"], one["escalation"]) for one in context["issues"]] == [("ISS-1", "log_and_flag")]
    assert context["dependencies"] == [
        {"task_id": "T-0", "status": "done", "title": "Make T-0", "outputs": ["docs/spec/T-0.md"]}
    ]
    assert context["last_rejection"] == {
        "error_code": "MISSING_VERIFICATION",
        "message": "none",
        "hint": "check",
        "layer": "verification_gate",
    }


def test_resolved_issues_and_retired_lessons_are_not_shown() -> None:
    given = (
        *in_progress(),
        ViewMutated(
            target="lessons",
            lessons=[
                {"lesson_id": "LES-0001", "status": "retired", "scope": {"task_kinds": ["impl"]}},
                {"lesson_id": "LES-0002", "scope": {"task_kinds": ["impl", 7]}},
                {"lesson_id": "LES-0003", "scope": "all"},
                "no lesson",
            ],
        ),
    )

    assert [one["lesson_id"] for one in _context(*given)["lessons"]] == ["LES-0002"]


def test_unknown_dependency_is_named_as_such() -> None:
    context = _context(created(depends_on=("T-404",)), claimed())

    assert context["dependencies"] == [{"task_id": "T-404", "status": "unknown"}]


def test_specifications_stand_apart_and_what_did_not_fit_is_listed() -> None:
    context = _context(*RICH, files=[_file("docs/spec/T-0.md"), _file("src/a.py"), _file("src/large.bin", None)])

    assert [one["path"] for one in context["spec"]] == ["docs/spec/T-0.md"]
    assert context["files"] == [
        {"path": "src/a.py", "sha256": "0" * 64, "size_bytes": 4, "text": "text"},
        {"path": "src/large.bin", "sha256": "0" * 64, "size_bytes": 4, "text": None},
    ]
    assert context["left_out"] == [{"name": "src/large.bin", "size_bytes": 4, "reason": "is too large"}]


_ALL_SECTIONS = {"task", "spec", "files", "dependencies", "lessons", "issues", "last_rejection", "boundary", "policy"}


@pytest.mark.parametrize("status", [todo, in_progress, in_review])
@pytest.mark.parametrize("kind", ["spec", "impl", "qa"])
def test_sections_are_those_that_the_profile_injects(status: Any, kind: str) -> None:
    context = _context(*status(kind=kind))
    profile = governance().profile_of(context["actor"])
    assert profile is not None

    assert _ALL_SECTIONS & set(context) == set(profile.context.injects)
    assert context["profile"]["profile"] == profile.profile


def test_actor_without_a_profile_gets_every_section() -> None:
    rules = msgspec.structs.replace(governance(), profiles={})

    context = _context(*in_progress(), rules=rules)

    assert set(context) >= _ALL_SECTIONS
    assert "profile" not in context


def test_hotfix_mode_is_shown_for_hotfixes_only_and_the_scope_with_it() -> None:
    given: tuple[Story, ...] = (*done(), reported(fixes="T-1"), hotfix(), claimed("HF-1"))

    mending = _context(*given, task_id="HF-1")

    assert "hotfix_mode" in mending["profile"]
    assert mending["boundary"]["scope_patch"] == ["src/a.py"]
    assert mending["policy"]["checks_needed"] == 2
    assert [one["issue_id"] for one in mending["issues"]] == ["ISS-1"]
    assert "hotfix_mode" not in _context(*in_progress())["profile"]


def test_boundary_of_an_unknown_kind_is_empty() -> None:
    state = folded(*in_progress(kind="docs"))
    order = Order(task_id="T-1", action="complete", actor=IMPL, attempt=1, template="impl.core")

    assert purified_context(order, state, governance(), [])["boundary"] == {}


# Which files matter.


def _wanted(*given: Story, task_id: str = "T-1", rules: Governance | None = None) -> list[str]:
    state = folded(*given)
    task = state.task(task_id)
    assert task is not None
    return wanted_files(task, state, governance() if rules is None else rules)


def test_own_outputs_come_first_then_those_of_the_dependencies_and_none_twice() -> None:
    given = (
        *done("T-0", "spec", outputs=["docs/spec/T-0.md", "README.md", ".roadmap/activity.jsonl"]),
        created("T-1", outputs=["src/a.py", "docs/spec/T-0.md"], depends_on=("T-0", "T-404")),
    )

    assert _wanted(*given) == ["src/a.py", "docs/spec/T-0.md"]


def test_hotfix_sees_its_scope_and_what_it_fixes() -> None:
    given = (
        *done("T-1", outputs=["src/a.py", "src/b.py"]),
        reported(fixes="T-1"),
        hotfix(scope_patch=("src/b.py", "src/c/**", "src/d/")),
    )

    assert _wanted(*given, task_id="HF-1") == ["src/b.py", "src/a.py"]
    assert _wanted(*given[:-1], hotfix(fixes="T-404", scope_patch=("src/b.py",)), task_id="HF-1") == ["src/b.py"]


def test_spec_task_is_not_shown_source_code() -> None:
    given = (*done("T-0", outputs=["src/a.py"]), created("T-1", "spec", outputs=["docs/a.md"], depends_on=("T-0",)))

    assert _wanted(*given) == ["docs/a.md"]


def test_kind_without_a_boundary_is_shown_nothing() -> None:
    assert _wanted(*todo(kind="docs", outputs=["docs/a.md"])) == []


def test_profile_of_an_unregistered_actor_is_none() -> None:
    assert governance().profile_of("nobody") is None
    assert governance().profile_of(QA) is not None


def test_reviewer_with_a_qa_role_among_others_gets_the_qa_template() -> None:
    rules = governed({"agents_swarm.yaml": [("roles: [qa]", "roles: [spec, qa]")]})

    assert _context(*in_review(), rules=rules)["ask"]["template"] == "qa.core"


def test_what_is_left_out_first_are_the_oldest_lessons_and_then_the_oldest_issues() -> None:
    context: dict[str, Any] | None = {
        "lessons": [{"lesson_id": "LES-1"}],
        "issues": [{"issue_id": "ISS-1"}, {"issue_id": "ISS-2"}],
        "left_out": [],
    }
    names = []
    while context is not None:
        last, context = context, without_oldest(context)
        names = [(one["name"], one["reason"]) for one in last["left_out"]]
    assert names == [
        ("LES-1", "the oldest of 1 lessons"),
        ("ISS-1", "the oldest of 2 issues"),
        ("ISS-2", "the oldest of 1 issues"),
    ]


def test_one_looks_around_where_the_read_boundary_begins_and_never_in_hidden_folders() -> None:
    patterns = '["src/app/**", "*.md", "docs/plan.md", ".roadmap/**", "src/app/*.py"]'
    rules = governed({"AGENT_CONTRACT.yaml": [('read: [".roadmap/**", "docs/**"]', f"read: {patterns}")]})
    [folders, unknown] = [
        readable_folders(task, rules)
        for kind in ("spec", "of-another-writer")
        if (task := folded(*todo(kind=kind)).task("T-1")) is not None
    ]
    assert folders == ["src/app", "", "docs/plan.md"]
    assert unknown == []
