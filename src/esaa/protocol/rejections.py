"""The closed list of error codes of a refused output, each with its reason and layer (DESIGN 12.3)."""

from __future__ import annotations

import msgspec

from esaa.kernel.decider import Layer, Rejected


class Code(msgspec.Struct, frozen=True):
    """The reason (one of the six reject conditions), the layer that finds it, and what it means."""

    reason: str
    layer: Layer
    meaning: str


CODES: dict[str, Code] = {
    "JSON_INVALID": Code("schema_violation", "json_parse", "The output is not one strict JSON value."),
    "RESOURCE_LIMIT_EXCEEDED": Code("schema_violation", "json_parse", "The output is larger than the contract allows."),
    "AGENT_FAILED": Code("schema_violation", "json_parse", "The agent ended without a usable output."),
    "SCHEMA_INVALID": Code("schema_violation", "schema", "The output does not match agent_result.schema.json."),
    "ACTION_COLLAPSE": Code("schema_violation", "schema", "One output carries more than one act."),
    "UNKNOWN_ACTION": Code("unknown_action", "vocabulary", "The action is not one that agents may emit."),
    "ACTOR_UNKNOWN": Code("lock_violation", "vocabulary", "The actor is not in agents_swarm.yaml."),
    "IDENTITY_MISSING": Code("lock_violation", "vocabulary", "The workspace takes signed outputs, and this is not."),
    "IDENTITY_UNREGISTERED": Code("lock_violation", "vocabulary", "agents_swarm.yaml has no key for the actor."),
    "IDENTITY_INVALID": Code("lock_violation", "vocabulary", "The signature is not the actor's over this output."),
    "IDENTITY_REPLAYED": Code("lock_violation", "vocabulary", "The signature is for another workspace or attempt."),
    "TASK_NOT_FOUND": Code("invalid_transition", "state_machine", "No task has this id."),
    "WRONG_TASK": Code("lock_violation", "state_machine", "The agent was asked about another task."),
    "ROLE_VIOLATION": Code("lock_violation", "state_machine", "The actor does not have the role for this act."),
    "LOCK_VIOLATION": Code("lock_violation", "state_machine", "The task belongs to another actor."),
    "REVIEW_ROLE_VIOLATION": Code("lock_violation", "state_machine", "The actor does not review this task kind."),
    "SELF_REVIEW_FORBIDDEN": Code("lock_violation", "state_machine", "The actor did the work that is reviewed."),
    "MISSING_CLAIM": Code("invalid_transition", "state_machine", "The task was not claimed."),
    "MISSING_COMPLETE": Code("invalid_transition", "state_machine", "The task was not completed."),
    "INVALID_TRANSITION": Code("invalid_transition", "state_machine", "The act does not fit the task's status."),
    "PRIOR_STATUS_MISMATCH": Code("invalid_transition", "state_machine", "prior_status is not the task's status."),
    "DEPENDENCY_NOT_DONE": Code("invalid_transition", "state_machine", "A task in depends_on is not done."),
    "TASK_BLOCKED": Code("invalid_transition", "state_machine", "An open issue blocks the task."),
    "PIPELINE_HALTED": Code("invalid_transition", "state_machine", "An open critical issue halts all new work."),
    "WORKFLOW_GATE_VIOLATION": Code("invalid_transition", "state_machine", "A lesson for the workflow is broken."),
    "ATTEMPT_TIMEOUT": Code("invalid_transition", "state_machine", "The attempt took longer than attempts.ttl."),
    "COOLDOWN_ACTIVE": Code("invalid_transition", "state_machine", "The pause after a rejection is not over."),
    "MAX_ATTEMPTS_EXCEEDED": Code("invalid_transition", "state_machine", "The task has no attempts left."),
    "REPORTS_EXCEEDED": Code("invalid_transition", "state_machine", "Only issues were reported, too many in a row."),
    "SEVERITY_NOT_ALLOWED": Code("lock_violation", "state_machine", "This actor may not report so high a severity."),
    "BOUNDARY_VIOLATION": Code("boundary_violation", "boundary", "A file lies outside what the task may write."),
    "PATH_INVALID": Code("boundary_violation", "boundary", "A path is not a legal project path."),
    "FILE_UPDATE_DUPLICATE_PATH": Code("boundary_violation", "boundary", "Two updates name the same file."),
    "WRITE_CONFLICT": Code("lock_violation", "boundary", "Another task owns the file, or changed it meanwhile."),
    "EDIT_BASE_MISMATCH": Code("lock_violation", "boundary", "The file changed since the agent read it."),
    "EDIT_TARGET_NOT_FOUND": Code("schema_violation", "boundary", "An edit's old_string is not in the file."),
    "EDIT_AMBIGUOUS": Code("schema_violation", "boundary", "An edit's old_string stands more than once."),
    "EDIT_INVALID": Code("schema_violation", "boundary", "An edit cannot be applied."),
    "IMMUTABLE_DONE_VIOLATION": Code("immutable_done_violation", "immutability", "The task is done for good."),
    "MISSING_VERIFICATION": Code("schema_violation", "verification_gate", "There are too few verification checks."),
    "CHECK_UNKNOWN": Code("schema_violation", "verification_gate", "A check names a command that is not allowed."),
    "CHECK_NOT_RUN": Code("schema_violation", "verification_gate", "A command that a check names was not run."),
    "CHECK_FAILED": Code("schema_violation", "verification_gate", "A command failed on the delivered files."),
    "HOTFIX_REFERENCE_MISMATCH": Code(
        "schema_violation", "verification_gate", "issue_id or fixes is not the hotfix's."
    ),
    "MISSING_HEADING": Code("schema_violation", "verification_gate", "A spec document lacks a required heading."),
    "LESSON_VIOLATION": Code("schema_violation", "verification_gate", "An enforced lesson is broken."),
    "LESSON_NOT_ENFORCEABLE": Code("schema_violation", "verification_gate", "A lesson's rule has no enforceable form."),
    "APPROVAL_DENIED": Code("lock_violation", "verification_gate", "A person does not allow what was delivered."),
    "HOTFIX_TARGET_NOT_DONE": Code("invalid_transition", "state_machine", "The task to fix is not done."),
    "HOTFIX_ISSUE_NOT_FOUND": Code("invalid_transition", "state_machine", "The hotfix names an unknown issue."),
    "HOTFIX_ISSUE_NOT_OPEN": Code("invalid_transition", "state_machine", "The hotfix's issue is not open."),
    "HOTFIX_SCOPE_INVALID": Code("boundary_violation", "boundary", "scope_patch is empty or beyond the boundary."),
    "HOTFIX_ALREADY_EXISTS": Code("invalid_transition", "state_machine", "The issue has a hotfix already."),
    "DUPLICATE_TASK": Code("invalid_transition", "state_machine", "A task with this id exists."),
    "DEPENDENCY_INVALID": Code("invalid_transition", "state_machine", "depends_on is unknown, circular, or itself."),
    "ISSUE_NOT_FOUND": Code("invalid_transition", "state_machine", "No issue has this id."),
    "ISSUE_NOT_OPEN": Code("invalid_transition", "state_machine", "The issue is resolved already."),
    "RUN_CONFLICT": Code("invalid_transition", "state_machine", "Another run is open."),
}


def reject(
    error_code: str,
    message: str,
    hint: str,
    *,
    layer: Layer | None = None,
    counts: bool = True,
) -> Rejected:
    """A refusal with the reason of its code. `layer` only where a code is found by a layer other than its own."""
    code = CODES[error_code]
    return Rejected(
        layer=layer or code.layer,
        reason=code.reason,
        error_code=error_code,
        message=message,
        hint=hint,
        counts=counts,
    )
