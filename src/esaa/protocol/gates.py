"""The verification gate (layer 7): checks, hotfix references, headings of spec documents, lessons."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.contracts.values import ContractValue
from esaa.kernel.decider import Rejected
from esaa.protocol.intentions import Complete, ReportIssue
from esaa.protocol.lessons import Delivery, enforceable, violations
from esaa.protocol.rejections import reject
from esaa.protocol.state import State
from esaa.protocol.task_table import Task


def checks_needed(task: Task, rules: Governance) -> int:
    """How many verification checks the task's `complete` needs."""
    gate = rules.orchestrator.verification_gate
    base: int = gate.hotfix if task.is_hotfix is True else _of_kind(gate, task.task_kind)
    required = task.required_verification
    own = required.get("checks_min", 0) if isinstance(required, dict) else 0
    return max(base, own if isinstance(own, int) else 0)


def refuse_complete(
    task: Task, intention: Complete, actor: str, files: dict[str, bytes], rules: Governance
) -> Rejected | None:
    """Why the gate does not open for a `complete`, or None."""
    needed, given = checks_needed(task, rules), len(intention.checks)
    if given < needed:
        return reject(
            "MISSING_VERIFICATION",
            f"{task.task_id} needs {needed} verification check{'s' if needed != 1 else ''}, the output has {given}.",
            "Say what was checked and how to repeat it, one string per check in verification.checks.",
        )
    if task.is_hotfix is True and (intention.issue_id != task.issue_id or intention.fixes != task.fixes):
        return reject(
            "HOTFIX_REFERENCE_MISMATCH",
            f"{task.task_id} is the hotfix of issue {task.issue_id} for task {task.fixes}.",
            "Send these two as issue_id and fixes.",
        )
    return _refuse_headings(task, actor, files, rules)


def _refuse_headings(task: Task, actor: str, files: dict[str, bytes], rules: Governance) -> Rejected | None:
    profile = rules.profile_of(actor)
    if task.task_kind != "spec" or profile is None:
        return None
    for path, content in files.items():
        if not (path.startswith("docs/spec/") and path.endswith(".md")):
            continue
        lines = {line.strip() for line in content.decode("utf-8", "replace").splitlines()}
        missing = [heading for heading in profile.required_headings if heading not in lines]
        if missing:
            return reject(
                "MISSING_HEADING",
                f"`{path}` has no heading `{'`, `'.join(missing)}`.",
                "A spec document has all the required_headings of the PARCER profile.",
            )
    return None


def refuse_lessons(task: Task, delivery: Delivery, state: State) -> tuple[Rejected | None, list[str]]:
    """The refusal by the first enforced lesson that is broken (or None), and the warnings of the others."""
    warnings: list[str] = []
    for violation in violations(state.active_lessons(task.task_kind), delivery):
        text = f"lesson {violation.lesson_id}: the output {violation.message}"
        if not violation.is_refusal:
            warnings.append(text)
            continue
        lesson = next((one for one in state.header.lessons if one.get("lesson_id") == violation.lesson_id), {})
        return (
            reject(
                "WORKFLOW_GATE_VIOLATION" if violation.layer == "state_machine" else "LESSON_VIOLATION",
                f"The output {violation.message} (lesson {violation.lesson_id}).",
                f"Rule: {lesson.get('rule', '')}",
                layer=violation.layer,
            ),
            warnings,
        )
    return None, warnings


def refuse_lesson_report(intention: ReportIssue) -> Rejected | None:
    """Why a reported lesson cannot be taken, or None: what could not be enforced is not called enforced."""
    if intention.lesson is UNSET or not isinstance(intention.lesson, dict) or enforceable(intention.lesson):
        return None
    mode = intention.lesson.get("enforcement", {}).get("mode")
    return reject(
        "LESSON_NOT_ENFORCEABLE",
        f"A lesson of mode `{mode}` needs a rule that can be checked; this one cannot.",
        "Write it as `forbid path GLOB`, `forbid text TEXT`, `require path GLOB`, `require field NAME` or"
        " `require check TEXT`, or use mode `warn`.",
    )


def vague_checks(intention: Complete, rules: Governance) -> list[str]:
    """A warning for each check that says too little to be repeated."""
    vague = {phrase.strip().casefold().rstrip(".!") for phrase in rules.agent.vague_checks}
    return [
        f"vague check: {check!r} cannot be repeated by a reviewer"
        for check in intention.checks
        if check.strip().casefold().rstrip(".!") in vague
    ]


def _of_kind(gate: ContractValue, kind: str) -> int:
    value: Any = getattr(gate, kind, 0)
    return value if isinstance(value, int) else 0
