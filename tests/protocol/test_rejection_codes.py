"""Every code of the closed list is raised, by the rule it belongs to, with its reason and its layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from esaa.contracts.governance import Governance
from esaa.contracts.values import REJECT_CONDITIONS
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.decider import LAYERS, Rejected
from esaa.protocol.checks import CheckRun, staged_digest
from esaa.protocol.commands import (
    AnyCommand,
    CreateHotfix,
    CreateTask,
    FileOnDisk,
    RecordTimeout,
    ResolveIssue,
    StartRun,
    Submit,
)
from esaa.protocol.facts import OutputRejected
from esaa.protocol.rejections import CODES, reject
from esaa.protocol.result import Refused
from tests.protocol.test_identity import RULES as SIGNED
from tests.protocol.test_identity import put
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
    completed,
    created,
    done,
    facts_of,
    folded,
    governed,
    hotfix,
    in_progress,
    in_review,
    lesson,
    lesson_learned,
    report,
    reported,
    review,
    run_start,
    settled,
    submit,
    todo,
)

SELF_REVIEW = governed({"agents_swarm.yaml": [("roles: [qa]", "roles: [qa, impl]")]})
CHECKED = governed(
    {
        "AGENT_CONTRACT.yaml": [
            ("vague_checks:\n", "executable_checks:\n  commands: {tests: [make, test]}\n\nvague_checks:\n")
        ]
    }
)
SLOW = "2026-03-01T13:00:00Z"
BASE = b"one two two\n"


def _edit(old: str, new: str, sha: str | None = None) -> dict[str, object]:
    base = sha256_hex(BASE) if sha is None else sha
    return {"path": "src/a.py", "base_sha256": base, "edits": [{"old_string": old, "new_string": new}]}


def _edits(old: str, new: str, sha: str | None = None) -> AnyCommand:
    return submit(IMPL, complete(files=[_edit(old, new, sha)]), files={"src/a.py": BASE})


def _checked(name: str, *runs: CheckRun) -> AnyCommand:
    """A delivery whose check names a command, and how commands ended on it."""
    command = submit(IMPL, complete(verification={"checks": [f"run:{name}"]}, checks=0))
    return msgspec.structs.replace(command, check_runs=runs)


def _ran(exit_code: int) -> CheckRun:
    return CheckRun(
        name="tests",
        arguments=("make", "test"),
        exit_code=exit_code,
        ending="exited",
        duration_ms=5,
        output_sha256="0" * 64,
        output_bytes=4,
        output_end="no\n",
        sandbox="none",
        staged_seq=1,
        staged_sha256=staged_digest({}),
    )


def _failed(code: str) -> Submit:
    """What the orchestrator submits for an agent whose output it could not take."""
    rejected = reject(code, "it ended with 1", "look")
    return Submit(
        actor=IMPL,
        result=Refused(rejected=rejected, task_id="T-1", source_action="claim", result_sha256=""),
    )


def _refused(
    given: tuple[Story, ...], command: AnyCommand, now: str = LATER, rules: Governance | None = None
) -> Callable[[], Rejected | None]:
    def ask() -> Rejected | None:
        return settled(command, folded(*given), rules, now).rejected

    return ask


_CRITICAL: tuple[Story, ...] = (run_start(), *done("T-0"), (reported("ISS-9", "T-0", "critical"), QA))

RAISED: dict[str, Callable[[], Rejected | None]] = {
    "JSON_INVALID": _refused(todo(), submit(IMPL, b"{")),
    "RESOURCE_LIMIT_EXCEEDED": _refused(todo(), submit(IMPL, b" " * 5_000_000)),
    "AGENT_FAILED": _refused(todo(), _failed("AGENT_FAILED")),
    "APPROVAL_DENIED": _refused(todo(), _failed("APPROVAL_DENIED")),
    "SCHEMA_INVALID": _refused(todo(), submit(IMPL, {"activity_event": []})),
    "ACTION_COLLAPSE": _refused(todo(), submit(IMPL, {"activity_event": [{}, {}]})),
    "UNKNOWN_ACTION": _refused(todo(), submit(IMPL, {"activity_event": {"action": "task.create", "task_id": "T-1"}})),
    "ACTOR_UNKNOWN": _refused(todo(), submit("stranger", claim())),
    "IDENTITY_MISSING": _refused(todo(), put(IMPL, claim(), signature=None), rules=SIGNED),
    "IDENTITY_UNREGISTERED": _refused(todo(), put(SPEC, claim()), rules=SIGNED),
    "IDENTITY_INVALID": _refused(todo(), put(IMPL, claim(), genuine=False), rules=SIGNED),
    "IDENTITY_REPLAYED": _refused(todo(), put(IMPL, claim(), attempt=2), rules=SIGNED),
    "TASK_NOT_FOUND": _refused((), submit(IMPL, claim())),
    "WRONG_TASK": _refused((*todo(), *todo("T-2")), submit(IMPL, claim("T-2"), asked="T-1")),
    "ROLE_VIOLATION": _refused(todo(), submit(SPEC, claim())),
    "LOCK_VIOLATION": _refused(in_progress(), submit(SPEC, complete())),
    "REVIEW_ROLE_VIOLATION": _refused(in_review(), submit(SPEC, review())),
    "SELF_REVIEW_FORBIDDEN": _refused(
        (created(), (claimed(), QA), (completed(), QA)), submit(QA, review()), rules=SELF_REVIEW
    ),
    "MISSING_CLAIM": _refused(todo(), submit(IMPL, complete())),
    "MISSING_COMPLETE": _refused(in_progress(), submit(QA, review())),
    "INVALID_TRANSITION": _refused(in_progress(), submit(IMPL, claim())),
    "PRIOR_STATUS_MISMATCH": _refused(in_progress(), submit(IMPL, complete(prior_status="review"))),
    "DEPENDENCY_NOT_DONE": _refused((*todo("T-0"), created(depends_on=("T-0",))), submit(IMPL, claim())),
    "TASK_BLOCKED": _refused((*todo(), reported(severity="high")), submit(IMPL, claim())),
    "PIPELINE_HALTED": _refused((*_CRITICAL, created("T-2")), submit(IMPL, claim("T-2"))),
    "WORKFLOW_GATE_VIOLATION": _refused(
        (*todo(), lesson_learned("require field notes", applies_to="workflow_gate")), submit(IMPL, claim())
    ),
    "ATTEMPT_TIMEOUT": _refused(in_progress(), submit(IMPL, complete()), now=SLOW),
    "COOLDOWN_ACTIVE": lambda: _after_refusals(1, "2026-03-01T12:10:30Z"),
    "MAX_ATTEMPTS_EXCEEDED": lambda: _after_refusals(3, "2026-03-01T12:20:00Z"),
    "REPORTS_EXCEEDED": lambda: _after_reports(3),
    "SEVERITY_NOT_ALLOWED": _refused(todo(), submit(SPEC, report(severity="high"))),
    "BOUNDARY_VIOLATION": _refused(in_progress(), submit(IMPL, complete(files={"docs/a.md": ""}))),
    "PATH_INVALID": _refused(in_progress(), submit(IMPL, complete(files={"src/../a": ""}))),
    "FILE_UPDATE_DUPLICATE_PATH": _refused(
        in_progress(), submit(IMPL, complete(files={"src/a.py": "", "src/A.py": ""}))
    ),
    "WRITE_CONFLICT": _refused(
        (*in_progress("T-0", outputs=["src/a.py"]), *in_progress()), submit(IMPL, complete(files={"src/a.py": ""}))
    ),
    "EDIT_BASE_MISMATCH": _refused(in_progress(), _edits("one", "three", "0" * 64)),
    "EDIT_TARGET_NOT_FOUND": _refused(in_progress(), _edits("four", "five")),
    "EDIT_AMBIGUOUS": _refused(in_progress(), _edits("two", "three")),
    "EDIT_INVALID": _refused(in_progress(), _edits("one", "one")),
    "IMMUTABLE_DONE_VIOLATION": _refused(done(), submit(IMPL, claim())),
    "MISSING_VERIFICATION": _refused(in_progress(), submit(IMPL, complete(checks=0))),
    "CHECK_UNKNOWN": _refused(in_progress(), _checked("lint"), rules=CHECKED),
    "CHECK_NOT_RUN": _refused(in_progress(), _checked("tests"), rules=CHECKED),
    "CHECK_FAILED": _refused(in_progress(), _checked("tests", _ran(1)), rules=CHECKED),
    "HOTFIX_REFERENCE_MISMATCH": _refused(
        (*done(), reported(fixes="T-1"), hotfix(), claimed("HF-1")), submit(IMPL, complete("HF-1", checks=2))
    ),
    "MISSING_HEADING": _refused(
        in_progress(kind="spec"), submit(SPEC, complete(files={"docs/spec/T-1.md": SPEC_TEXT.replace("## Scope", "")}))
    ),
    "LESSON_VIOLATION": _refused((*in_progress(), lesson_learned("require check pytest")), submit(IMPL, complete())),
    "LESSON_NOT_ENFORCEABLE": _refused(todo(), submit(IMPL, report(lesson=lesson("be careful")))),
    "HOTFIX_TARGET_NOT_DONE": _refused((*todo(), reported()), CreateHotfix(issue_id="ISS-1")),
    "HOTFIX_ISSUE_NOT_FOUND": _refused(done(), CreateHotfix(issue_id="ISS-1")),
    "HOTFIX_ISSUE_NOT_OPEN": lambda: _after_resolving(CreateHotfix(issue_id="ISS-1")),
    "HOTFIX_SCOPE_INVALID": _refused((*done(), reported()), CreateHotfix(issue_id="ISS-1", scope_patch=("docs/a.md",))),
    "HOTFIX_ALREADY_EXISTS": _refused((*done(), reported(fixes="T-1"), hotfix()), CreateHotfix(issue_id="ISS-1")),
    "DUPLICATE_TASK": _refused(todo(), CreateTask(task_id="T-1", task_kind="impl", title="again")),
    "DEPENDENCY_INVALID": _refused(
        todo(), CreateTask(task_id="T-2", task_kind="impl", title="new", depends_on=("T-2",))
    ),
    "ISSUE_NOT_FOUND": _refused((), ResolveIssue(issue_id="ISS-1")),
    "ISSUE_NOT_OPEN": lambda: _after_resolving(ResolveIssue(issue_id="ISS-1")),
    "RUN_CONFLICT": _refused((run_start(),), StartRun()),
}
"""By code, a story that ends in the refusal."""


def _after_refusals(count: int, now: str) -> Rejected | None:
    # The policy lets high issues pass here, so that the attempts themselves are what refuses.
    rules = governed({"RUNTIME_POLICY.yaml": [("high: block_task", "high: log_only")]})
    state = folded(*in_progress())
    for number in range(count):
        refusal = submit(IMPL, complete(checks=0))
        ts = f"2026-03-01T12:{10 + 3 * number}:00Z"
        append(state, settled(refusal, state, rules, ts).drafts, ts)
    return settled(submit(IMPL, complete()), state, rules, now).rejected


def _after_reports(count: int) -> Rejected | None:
    state = folded(*in_progress())
    for number in range(count):
        output = submit(IMPL, report(issue_id=f"ISS-{number}"), asked="T-1")
        append(state, settled(output, state).drafts, LATER)
    return settled(submit(IMPL, report(issue_id="ISS-LAST"), asked="T-1"), state).rejected


def test_agent_that_only_reports_is_stopped_and_a_person_is_not() -> None:
    assert _after_reports(2) is None
    state = folded(*in_progress())
    for number in range(9):
        settlement = settled(submit(QA, report(issue_id=f"ISS-{number}")), state)
        assert settlement.rejected is None
        append(state, settlement.drafts, LATER)


def _after_resolving(command: AnyCommand) -> Rejected | None:
    state = folded(*done(), reported())
    append(state, settled(ResolveIssue(issue_id="ISS-1"), state).drafts)
    return settled(command, state).rejected


def test_every_code_of_the_closed_list_has_a_story_and_no_story_has_another_code() -> None:
    assert set(RAISED) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_code_is_raised_with_its_reason_and_its_layer(code: str) -> None:
    rejected = RAISED[code]()

    assert rejected is not None, f"nothing was refused, {code} was expected"
    assert rejected.error_code == code
    assert rejected.reason == CODES[code].reason
    assert rejected.layer in LAYERS
    if code != "WORKFLOW_GATE_VIOLATION":
        assert rejected.layer == CODES[code].layer
    assert rejected.message.strip()
    assert rejected.hint.strip()


@pytest.mark.parametrize("code", CODES)
def test_reason_is_one_of_the_six_reject_conditions(code: str) -> None:
    assert CODES[code].reason in REJECT_CONDITIONS
    assert CODES[code].layer in LAYERS
    assert CODES[code].meaning.endswith(".")


def test_timeout_of_a_dispatched_agent_is_refused_by_the_same_code() -> None:
    command = RecordTimeout(actor=IMPL, task_id="T-1", source_action="complete", message="no answer in 1800 s")

    rejected = settled(command, folded(*in_progress())).rejected

    assert rejected is not None
    assert rejected.error_code == "ATTEMPT_TIMEOUT"


def test_refusal_takes_its_layer_from_the_rule_that_found_it() -> None:
    rejected = reject("RESOURCE_LIMIT_EXCEEDED", "too large", "split it", layer="schema")

    assert (rejected.layer, rejected.reason, rejected.counts) == ("schema", "schema_violation", True)


def test_fault_that_lies_on_the_disk_refuses_the_path() -> None:
    command = submit(IMPL, complete(files={"src/a.py": ""}), files={"src/a.py": FileOnDisk(fault="is a symbolic link")})

    rejected = settled(command, folded(*in_progress())).rejected

    assert rejected is not None
    assert rejected.error_code == "PATH_INVALID"
    assert "symbolic link" in rejected.message


def test_check_that_passed_is_no_reason_to_refuse() -> None:
    assert settled(_checked("tests", _ran(0)), folded(*in_progress()), CHECKED).rejected is None


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("exited", "The check `run:tests` ended with exit code 1"),
        ("timed_out", "The check `run:tests` was ended at its time limit, after 600 s,"),
        ("too_large", "The check `run:tests` was ended because it printed too much"),
    ],
)
def test_check_that_failed_says_how_it_ended(ending: Any, said: str) -> None:
    run = msgspec.structs.replace(_ran(1), ending=ending, duration_ms=600_400)
    outcome = settled(_checked("tests", run), folded(*in_progress()), CHECKED)
    [refused] = [fact for fact in facts_of(outcome) if isinstance(fact, OutputRejected)]
    assert refused.error_code == "CHECK_FAILED"
    assert refused.message.startswith(said)
