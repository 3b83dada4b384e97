"""The verification gate: checks by kind, hotfix references, headings of spec documents, vague checks, lessons."""

from __future__ import annotations

from typing import Any

import pytest

from esaa.kernel.decider import Rejected
from esaa.protocol.gates import checks_needed
from esaa.protocol.lessons import enforceable
from tests.scenarios import (
    IMPL,
    LATER,
    QA,
    SPEC,
    SPEC_TEXT,
    Story,
    append,
    claim,
    claimed,
    complete,
    created,
    done,
    facts_of,
    folded,
    governance,
    governed,
    hotfix,
    in_progress,
    in_review,
    lesson,
    lesson_learned,
    protocol_spec,
    report,
    reported,
    review,
    settled,
    submit,
    todo,
)

_ACTOR = {"spec": SPEC, "impl": IMPL, "qa": QA}
_HOTFIX: tuple[Story, ...] = (*done(), reported(fixes="T-1"), hotfix(), claimed("HF-1"))


@pytest.mark.parametrize(("kind", "needed"), [("spec", 0), ("impl", 1), ("qa", 0)])
def test_each_kind_needs_its_number_of_checks(kind: str, needed: int) -> None:
    spec = protocol_spec().given(*in_progress(kind=kind))
    for checks in (0, 1):
        decision = spec.when(submit(_ACTOR[kind], complete(checks=checks))).decision

        assert isinstance(decision, Rejected) == (checks < needed)


def test_kind_of_another_writer_needs_no_checks() -> None:
    for kind in ("docs", "__class__", "check"):
        task = folded(*todo(kind=kind)).task("T-1")
        assert task is not None
        assert checks_needed(task, governance()) == 0


@pytest.mark.parametrize("required", [{"checks_min": 5}, {"checks_min": "many"}, {}, [], "five"])
def test_task_may_ask_for_more_checks_than_its_kind_but_not_for_fewer(required: Any) -> None:
    given: tuple[Story, ...] = (*done(), reported(), created("HF-1", is_hotfix=True, required_verification=required))
    task = folded(*given).task("HF-1")
    assert task is not None

    assert checks_needed(task, governance()) == (5 if required == {"checks_min": 5} else 2)


@pytest.mark.parametrize(
    ("checks", "fields", "code"),
    [
        (0, {"issue_id": "ISS-1", "fixes": "T-1"}, "MISSING_VERIFICATION"),
        (1, {"issue_id": "ISS-1", "fixes": "T-1"}, "MISSING_VERIFICATION"),
        (2, {}, "HOTFIX_REFERENCE_MISMATCH"),
        (2, {"issue_id": "ISS-1"}, "HOTFIX_REFERENCE_MISMATCH"),
        (2, {"fixes": "T-1"}, "HOTFIX_REFERENCE_MISMATCH"),
        (2, {"issue_id": "ISS-2", "fixes": "T-1"}, "HOTFIX_REFERENCE_MISMATCH"),
        (2, {"issue_id": "ISS-1", "fixes": "T-2"}, "HOTFIX_REFERENCE_MISMATCH"),
        (2, {"issue_id": "ISS-1", "fixes": "T-1"}, None),
    ],
)
def test_hotfix_needs_two_checks_and_both_references(checks: int, fields: dict[str, Any], code: str | None) -> None:
    outcome = protocol_spec().given(*_HOTFIX).when(submit(IMPL, complete("HF-1", checks=checks, **fields)))

    if code is None:
        assert not isinstance(outcome.decision, Rejected)
    else:
        outcome.then_rejected(code, layer="verification_gate")


@pytest.mark.parametrize("heading", ["## Objective", "## Scope", "## Requirements", "## Acceptance Criteria"])
def test_spec_document_needs_every_heading_of_the_profile(heading: str) -> None:
    text = SPEC_TEXT.replace(heading + "\n", heading + " and more\n")
    command = submit(SPEC, complete(files={"docs/spec/T-1.md": text}))

    refusal = protocol_spec().given(*in_progress(kind="spec")).when(command).then_rejected("MISSING_HEADING")

    assert heading in refusal.message


def test_spec_document_with_every_heading_is_taken() -> None:
    command = submit(SPEC, complete(files={"docs/spec/T-1.md": SPEC_TEXT.replace("\n", "\r\n")}))

    assert not isinstance(protocol_spec().given(*in_progress(kind="spec")).when(command).decision, Rejected)


@pytest.mark.parametrize("path", ["docs/note.md", "docs/spec/data.json", "docs/specs/a.md"])
def test_other_documents_need_no_headings(path: str) -> None:
    command = submit(SPEC, complete(files={path: "hello"}))

    assert not isinstance(protocol_spec().given(*in_progress(kind="spec")).when(command).decision, Rejected)


def test_headings_are_asked_of_spec_tasks_only() -> None:
    given = in_progress(kind="impl", boundary_grant=("docs/**",))
    command = submit(IMPL, complete(files={"docs/spec/a.md": "hello"}))

    assert not isinstance(protocol_spec().given(*given).when(command).decision, Rejected)


@pytest.mark.parametrize("check", ["code works", "Code works.", "  LGTM!  ", "tests pass", "OK"])
def test_vague_check_is_taken_with_a_recorded_warning(check: str) -> None:
    output = complete()
    output["activity_event"]["verification"]["checks"] = [check, "ran `make test`: 12 passed"]

    outcome = settled(submit(IMPL, output), folded(*in_progress()))

    assert outcome.rejected is None
    assert [check in warning for warning in outcome.warnings] == [True]
    mutated = facts_of(outcome)[-1]
    assert getattr(mutated, "warnings", None) == outcome.warnings


def test_declared_output_that_was_not_delivered_is_a_warning() -> None:
    state = folded(*in_progress(outputs=["src/a.py", "src/b.py"]))

    outcome = settled(submit(IMPL, complete(files={"src/a.py": ""})), state)

    assert outcome.warnings == ("declared output `src/b.py` was not delivered",)


# Lessons: each form, each mode.

_FILES = {"src/a.py": "import os\n", "src/vendor/b.js": "x"}


@pytest.mark.parametrize(
    ("rule", "is_broken"),
    [
        ("forbid path src/vendor/**", True),
        ("forbid path src/other/**", False),
        ("forbid text import os", True),
        ("forbid text import sys", False),
        ("require path src/*.py", False),
        ("require path tests/**", True),
        ("require field notes", True),
        ("require field verification", False),
        ("require check make check", False),
        ("require check MAKE CHECK", False),
        ("require check pytest", True),
        ("  forbid text import os  ", True),
        ("forbid path", False),
        ("be careful with paths", False),
    ],
)
@pytest.mark.parametrize("mode", ["reject", "warn"])
def test_lesson_of_each_form_binds_a_delivery(rule: str, is_broken: bool, mode: str) -> None:
    given: tuple[Story, ...] = (*in_progress(), lesson_learned(rule, mode=mode))

    outcome = settled(submit(IMPL, complete(files=_FILES)), folded(*given))

    if is_broken and mode == "reject":
        assert outcome.rejected is not None
        assert outcome.rejected.error_code == "LESSON_VIOLATION"
        assert "LES-0001" in outcome.rejected.message
        assert rule.strip() in outcome.rejected.hint
        assert outcome.contents == {}
    else:
        assert outcome.rejected is None
        assert len(outcome.warnings) == (1 if is_broken else 0)
        assert all("LES-0001" in warning for warning in outcome.warnings)


def test_lesson_about_files_and_checks_binds_deliveries_only() -> None:
    for rule in ("require path tests/**", "require check pytest", "forbid text x", "forbid path **"):
        given: tuple[Story, ...] = (*todo(), lesson_learned(rule))

        assert not isinstance(protocol_spec().given(*given).when(submit(IMPL, claim())).decision, Rejected)


def test_lesson_about_a_field_binds_claims_and_reviews_too() -> None:
    rule = lesson_learned("require field notes", mode="require_field")
    spec = protocol_spec()

    spec.given(*todo(), rule).when(submit(IMPL, claim())).then_rejected("LESSON_VIOLATION")
    spec.given(*in_review(), rule).when(submit(QA, review())).then_rejected("LESSON_VIOLATION")
    assert not isinstance(spec.given(*todo(), rule).when(submit(IMPL, claim(notes="why"))).decision, Rejected)


def test_lesson_binds_no_report() -> None:
    given: tuple[Story, ...] = (*todo(), lesson_learned("require field notes"))

    assert not isinstance(protocol_spec().given(*given).when(submit(IMPL, report())).decision, Rejected)


@pytest.mark.parametrize(
    ("applies_to", "layer", "code"),
    [
        ("output_contract", "schema", "LESSON_VIOLATION"),
        ("boundaries", "boundary", "LESSON_VIOLATION"),
        ("template", "verification_gate", "LESSON_VIOLATION"),
        ("workflow_gate", "state_machine", "WORKFLOW_GATE_VIOLATION"),
        ("verification_gate", "verification_gate", "LESSON_VIOLATION"),
    ],
)
def test_what_a_lesson_applies_to_is_the_layer_of_its_refusal(applies_to: str, layer: str, code: str) -> None:
    given: tuple[Story, ...] = (*in_progress(), lesson_learned("require check pytest", applies_to=applies_to))

    protocol_spec().given(*given).when(submit(IMPL, complete())).then_rejected(code, layer=layer)


@pytest.mark.parametrize(
    ("mode", "rule", "is_enforceable"),
    [
        ("reject", "forbid path src/x", True),
        ("reject", "forbid text x", True),
        ("reject", "require path x", True),
        ("reject", "require field x", True),
        ("reject", "require check x", True),
        ("reject", "be careful", False),
        ("reject", "forbid path", False),
        ("require_field", "require field x", True),
        ("require_field", "require check x", False),
        ("require_step", "require check x", True),
        ("require_step", "forbid text x", False),
        ("warn", "be careful", True),
        ("warn", "forbid text x", True),
    ],
)
def test_mode_takes_only_rules_that_it_can_hold(mode: str, rule: str, is_enforceable: bool) -> None:
    given_lesson = lesson(rule, mode=mode)

    decision = protocol_spec().given(*todo()).when(submit(IMPL, report(lesson=given_lesson))).decision

    assert enforceable(given_lesson) == is_enforceable
    assert isinstance(decision, Rejected) != is_enforceable


def test_lesson_of_another_writer_without_a_form_binds_nobody() -> None:
    assert enforceable({"rule": "x"})
    assert enforceable({"rule": "x", "enforcement": {"mode": 1}})
    assert enforceable({"rule": "x", "enforcement": "always"})


def test_lesson_binds_the_kinds_in_its_scope_only() -> None:
    given: tuple[Story, ...] = (*in_progress(), lesson_learned("require check pytest", kinds=["qa", "spec"]))

    assert not isinstance(protocol_spec().given(*given).when(submit(IMPL, complete())).decision, Rejected)


def test_warnings_of_lessons_before_the_one_that_refuses_do_not_hide_it() -> None:
    given: tuple[Story, ...] = (
        *in_progress(),
        lesson_learned("require check pytest", "ISS-A", mode="warn"),
        lesson_learned("require check mypy", "ISS-B"),
    )

    refusal = protocol_spec().given(*given).when(submit(IMPL, complete())).then_rejected("LESSON_VIOLATION")

    assert "LES-0002" in refusal.message


def test_reported_lesson_is_learned_only_as_a_process_lesson() -> None:
    rule = lesson("forbid text x")
    state = folded(*todo())
    for number, fields in enumerate(
        [{}, {"category": "process"}, {"subtype": "lesson"}, {"category": "process", "subtype": "lesson"}]
    ):
        output = report(issue_id=f"ISS-{number}", lesson=rule, **fields)
        append(state, settled(submit(IMPL, output), state).drafts, LATER)

    assert [one["lesson_id"] for one in state.header.lessons] == ["LES-0001"]
    assert state.header.lessons[0]["source_refs"] == [{"type": "issue", "ref": "ISS-3"}]


def test_profile_of_the_first_role_gives_the_headings_where_the_actor_has_none_of_its_own() -> None:
    rules = governed(
        {
            "agents_swarm.yaml": [
                ("  agent-spec:\n", "  writer:\n    roles: [spec]\n    adapter: manual\n  agent-spec:\n"),
                ("spec: {agent: agent-spec,", "spec: {agent: writer,"),
            ]
        }
    )
    given: tuple[Story, ...] = (created(kind="spec"), (claimed(), "writer"))
    command = submit("writer", complete(files={"docs/spec/T-1.md": "hello"}), rules=rules)

    protocol_spec(rules).given(*given).when(command).then_rejected("MISSING_HEADING")
