"""The examples in PARCER profiles, held to the schema that judges real results: a wrong model would be imitated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from esaa.contracts.parcer import ParcerProfile
from esaa.contracts.storage import ENVELOPE_FIELDS
from esaa.contracts.swarm import ORCHESTRATOR
from esaa.contracts.values import RESERVED_ACTIONS, ContractFinding
from esaa.kernel.strict_yaml import PlainValue

ORCHESTRATOR_PROFILE = "orchestrator-runtime"
SCHEMA_DEPTH_MAX = 64


def check_examples(result_schema: str, profiles: Mapping[str, ParcerProfile]) -> None:
    """Raise `ContractFinding` where the schema is no JSON Schema, or a "valid" example is not valid.

    `profiles` is keyed by file name. The orchestrator sends no results: its examples are events of its own.
    """
    import jsonschema_rs  # here, because contracts that come from the cache never need the validator

    schema = _schema(result_schema)
    try:
        # Offline: a `$ref` must not make anybody fetch anything.
        validator = jsonschema_rs.validator_for(schema, offline=True)
    except ValueError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ContractFinding(f"agent_result.schema.json: not a usable JSON Schema, {reason}") from None
    for name, profile in profiles.items():
        for number, example in enumerate(profile.response.valid_examples):
            where = f"{name}: response.valid_examples[{number}]"
            if profile.profile == ORCHESTRATOR_PROFILE:
                _check_event(where, example)
                continue
            for failure in validator.iter_errors(example):
                path = "/".join(str(step) for step in failure.instance_path)
                raise ContractFinding(f"{where}: refused by agent_result.schema.json at /{path}, {failure.message}")


def _check_event(where: str, event: Mapping[str, Any]) -> None:
    absent = [field for field in ENVELOPE_FIELDS if field not in event]
    if absent:
        raise ContractFinding(f"{where}: an event needs {absent}")
    if event["actor"] != ORCHESTRATOR or event["action"] not in RESERVED_ACTIONS:
        raise ContractFinding(f"{where}: the orchestrator writes its own events only {RESERVED_ACTIONS}")


def _schema(text: str) -> dict[str, PlainValue]:
    name = "agent_result.schema.json"
    try:
        value: PlainValue = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise ContractFinding(f"{name}: not strict JSON, {error}") from None
    if not isinstance(value, dict):
        raise ContractFinding(f"{name}: the schema must be a JSON object")
    _refuse_depth(name, value)
    return value


def _refuse_depth(name: str, schema: PlainValue) -> None:
    level: list[PlainValue] = [schema]
    for _ in range(SCHEMA_DEPTH_MAX):
        below: list[PlainValue] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise ContractFinding(f"{name}: nested more than {SCHEMA_DEPTH_MAX} deep")


def _object(pairs: list[tuple[str, PlainValue]]) -> dict[str, PlainValue]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
