"""Bytes from an agent to a typed result: the first three validation layers (JSON parse, schema, vocabulary).

A bad output is a value, `Refused`, never an exception: it holds the refusal and what could be read of the output.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from esaa.contracts.governance import Governance
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.decider import Rejected
from esaa.kernel.strict_json import NotStrict, loads_strict
from esaa.protocol.intentions import INTENTIONS, AgentResult, AnyIntention, FileUpdate
from esaa.protocol.rejections import reject
from esaa.protocol.signature import PresentedSignature, SignatureMalformed, take_signature

_SCHEMA_ERRORS_SHOWN = 3


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """An output that is no agent result, with what could be read of it. `sent` are its bytes; empty where none came."""

    rejected: Rejected
    task_id: str | None
    source_action: str | None
    result_sha256: str
    signature: PresentedSignature | None = None
    sent: bytes = b""


def parse_result(data: bytes, rules: Governance) -> AgentResult | Refused:
    """The result that the bytes hold, or why they hold none. Layers 1 to 3, in order."""
    return msgspec.structs.replace(_parsed(data, rules), sent=data)


def _parsed(data: bytes, rules: Governance) -> AgentResult | Refused:
    limits = rules.agent.output_contract
    digest = sha256_hex(data)
    if len(data) > limits.result_bytes_max:
        return Refused(
            rejected=reject(
                "RESOURCE_LIMIT_EXCEEDED",
                f"The output has {len(data)} bytes; the contract allows {limits.result_bytes_max}.",
                "Send fewer or smaller files.",
            ),
            task_id=None,
            source_action=None,
            result_sha256=digest,
        )
    try:
        value = loads_strict(data, bytes_max=limits.result_bytes_max, depth_max=limits.depth_max)
    except NotStrict as error:
        return Refused(
            rejected=reject(
                "JSON_INVALID",
                f"The output is not strict JSON: {error}.",
                "Emit exactly one JSON object and nothing around it.",
            ),
            task_id=None,
            source_action=None,
            result_sha256=digest,
        )
    task_id, action = _named(value)
    signature: PresentedSignature | None = None
    if rules.swarm.identity == "signed" and isinstance(value, dict):
        try:
            signature = take_signature(value)
        except SignatureMalformed as error:
            malformed = reject(
                "IDENTITY_INVALID", f"The output's signature {error}.", "`esaa sign` writes it as it must be."
            )
            return Refused(rejected=malformed, task_id=task_id, source_action=action, result_sha256=digest)
    rejected = _against_schema(value, rules)
    if rejected is None and action not in rules.agent.allowed_actions:
        rejected = _unknown_action(action, rules)
    if rejected is not None:
        return Refused(
            rejected=rejected, task_id=task_id, source_action=action, result_sha256=digest, signature=signature
        )
    assert isinstance(value, dict)
    try:
        return _typed(value, digest, signature)
    except msgspec.ValidationError as error:
        # The workspace's schema may be looser than the types; the types still hold.
        rejected = _schema_rejection(str(error))
        return Refused(
            rejected=rejected, task_id=task_id, source_action=action, result_sha256=digest, signature=signature
        )


def _typed(value: dict[str, Any], digest: str, signature: PresentedSignature | None) -> AgentResult:
    event = value["activity_event"]
    intention: AnyIntention = msgspec.convert(event, INTENTIONS[event["action"]])
    updates = msgspec.convert(value.get("file_updates", []), tuple[FileUpdate, ...])
    return AgentResult(intention=intention, updates=updates, fields=event, result_sha256=digest, signature=signature)


def _named(value: object) -> tuple[str | None, str | None]:
    event = value.get("activity_event") if isinstance(value, dict) else None
    if not isinstance(event, dict):
        return None, None
    task_id, action = event.get("task_id"), event.get("action")
    return (
        task_id if isinstance(task_id, str) and len(task_id) <= 128 else None,
        action if isinstance(action, str) and len(action) <= 64 else None,
    )


def _against_schema(value: object, rules: Governance) -> Rejected | None:
    if not isinstance(value, dict):
        return _schema_rejection("the output must be a JSON object with `activity_event`")
    event = value.get("activity_event")
    if isinstance(event, list) and len(event) > 1:
        return reject(
            "ACTION_COLLAPSE",
            f"`activity_event` holds {len(event)} acts; one output carries exactly one.",
            "Send claim, complete and review as separate outputs.",
        )
    if isinstance(event, dict):
        forbidden = [key for key in rules.agent.output_contract.forbidden_fields if key in event]
        if forbidden:
            names = "`, `".join(forbidden)
            return _schema_rejection(f"activity_event has `{names}`, which only the orchestrator writes")
        if "file_updates" in value and "file_updates" not in rules.agent.output_contract.optional_keys:
            return _schema_rejection("the contract's optional_keys leave out `file_updates`")
        if "file_updates" in value and event.get("action") in ("claim", "review", "issue.report"):
            return reject(
                "ACTION_COLLAPSE",
                f"`file_updates` came with `{event['action']}`; files go only with `complete`.",
                "Send the files with a `complete` of their own.",
            )
    errors: list[str] = []
    for error in _validator(rules.result_schema).iter_errors(value):
        where = "/".join(str(part) for part in error.instance_path)
        if where == "activity_event/action" and isinstance(event, dict) and isinstance(event.get("action"), str):
            continue  # the vocabulary layer has the more telling answer
        errors.append(f"{where or 'the output'}: {_short(error.message)}")
    if errors:
        shown = "; ".join(errors[:_SCHEMA_ERRORS_SHOWN])
        more = f" (and {len(errors) - _SCHEMA_ERRORS_SHOWN} more)" if len(errors) > _SCHEMA_ERRORS_SHOWN else ""
        return _schema_rejection(shown + more)
    files = value.get("file_updates", [])
    return _file_limits(files, rules) if isinstance(files, list) else None


def _file_limits(files: list[Any], rules: Governance) -> Rejected | None:
    limits = rules.agent.output_contract
    if len(files) > limits.files_max:
        return reject(
            "RESOURCE_LIMIT_EXCEEDED",
            f"file_updates has {len(files)} files; the contract allows {limits.files_max}.",
            "Split the task.",
            layer="schema",
        )
    for item in files:
        content = item.get("content", "") if isinstance(item, dict) else ""
        if isinstance(content, str) and len(content.encode("utf-8", "surrogatepass")) > limits.file_bytes_max:
            return reject(
                "RESOURCE_LIMIT_EXCEEDED",
                f"`{item.get('path')}` is larger than {limits.file_bytes_max} bytes.",
                "Split the file.",
                layer="schema",
            )
    return None


def _unknown_action(action: str | None, rules: Governance) -> Rejected:
    reserved = action in rules.agent.reserved_actions
    whose = "is reserved for the orchestrator" if reserved else "is unknown"
    return reject(
        "UNKNOWN_ACTION",
        f"The action `{action}` {whose}.",
        f"Agents may emit: {', '.join(rules.agent.allowed_actions)}.",
    )


def _schema_rejection(detail: str) -> Rejected:
    return reject(
        "SCHEMA_INVALID",
        f"The output does not match agent_result.schema.json: {detail}.",
        "Send the fields that the schema asks for, and no others.",
    )


def _short(message: str) -> str:
    return message if len(message) <= 200 else message[:197] + "..."


@lru_cache(maxsize=8)
def _validator(schema: str) -> Any:  # the library's validator class carries no useful type
    import jsonschema_rs

    return jsonschema_rs.validator_for(schema, offline=True)
