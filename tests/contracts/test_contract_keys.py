"""Every key of every shipped contract: none may be added, missing, or of another type."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from esaa.contracts.load import parse_governance
from esaa.errors import ContractError
from esaa.kernel.strict_yaml import loads_yaml
from esaa.stores.contracts import shipped_files

Path = tuple[str | int, ...]

SHIPPED = shipped_files("0.4.0")
CONTRACTS: dict[str, Any] = {
    name: loads_yaml(data.decode()) for name, data in SHIPPED.items() if name.endswith(".yaml")
}

OPTIONAL = {
    "agents_swarm.yaml": {
        "actors.agent-spec.adapter",
        "actors.agent-impl.adapter",
        "actors.agent-qa.adapter",
        "actors.runtime-monitor.adapter",
        "resolution.overrides",
        "resolution.overrides.when_task_flag_is_hotfix",
        "resolution.overrides.when_task_flag_is_hotfix.impl",
    },
    "PARCER_PROFILE.agent-spec.yaml": {"required_headings"},
    "PARCER_PROFILE.agent-impl.yaml": {"hotfix_mode"},
    "PARCER_PROFILE.agent-qa.yaml": {"approval_bar"},
}


def is_free(path: Path) -> bool:
    """True inside values that are any JSON: the examples in PARCER profiles."""
    in_valid = path[:2] == ("response", "valid_examples") and len(path) > 2
    in_invalid = path[:2] == ("response", "invalid_examples") and path[3:4] == ("output",)
    return in_valid or in_invalid


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of a contract that has a type of its own, with its path."""
    if is_free(path):
        return
    yield path, value
    if isinstance(value, dict):
        for key, child in value.items():
            yield from walk(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value[:2]):  # the items of a list have one type
            yield from walk(child, (*path, index))


def shown(path: Path) -> str:
    """A path as messages show it: `actors.agent-qa.roles[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def refusal(name: str, path: Path, value: Any, *, remove: bool = False) -> ContractError | None:
    """The error when the value at `path` is another one, or is not there."""
    contract = copy.deepcopy(CONTRACTS[name])
    parent = contract
    for step in path[:-1]:
        parent = parent[step]
    if remove:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(contract, Dumper=dumper, sort_keys=False, allow_unicode=True)
    try:
        parse_governance({**SHIPPED, name: text.encode()})
    except ContractError as error:
        return error
    return None


CASES = [(name, path, value) for name, contract in CONTRACTS.items() for path, value in walk(contract)]
MAPS = [(name, path) for name, path, value in CASES if isinstance(value, dict)]
KEYS = [(name, path) for name, path, _ in CASES if path and isinstance(path[-1], str)]


def test_contracts_survive_being_written_anew() -> None:
    for name in CONTRACTS:
        assert refusal(name, ("version",), "0.4.0") is None


@pytest.mark.parametrize(("name", "path"), MAPS, ids=lambda case: case if isinstance(case, str) else shown(case) or "/")
def test_unknown_key_is_refused_and_named(name: str, path: Path) -> None:
    error = refusal(name, (*path, "surplus"), "x")
    assert error is not None
    assert error.code == "CONTRACT_INVALID"
    assert error.exit_code == 8
    assert error.hint
    assert error.message.startswith(f"{name}: ")
    key = shown((*path, "surplus"))
    kinds = ("by_task_kind", "when_task_flag_is_hotfix", "review")
    if path and path[-1] in kinds and name in ("AGENT_CONTRACT.yaml", "agents_swarm.yaml"):
        assert f"`{shown(path)}` has a wrong key" in error.message
        assert "'surplus'" in error.message
    elif path == ("actors",):
        assert f"`{key}`: expected `object`, got `str`" in error.message
    else:
        assert f"unknown key `{key}`" in error.message


@pytest.mark.parametrize(("name", "path"), KEYS, ids=lambda case: case if isinstance(case, str) else shown(case))
def test_missing_key_is_refused_and_named(name: str, path: Path) -> None:
    error = refusal(name, path, None, remove=True)
    if shown(path) in OPTIONAL.get(name, set()):
        assert error is None
        return
    assert error is not None
    assert error.message.startswith(f"{name}: ")
    assert str(path[-1]) in error.message


@pytest.mark.parametrize(
    ("name", "path", "value"),
    CASES,
    ids=lambda case: case if isinstance(case, str) else shown(case) if isinstance(case, tuple) else "",
)
def test_wrong_type_is_refused_and_named(name: str, path: Path, value: Any) -> None:
    wrong: list[Any] = [None, {"a": 1}] if not isinstance(value, dict) else [None, ["a"], "text", 1]
    if isinstance(value, list):
        wrong += [1, True]
    elif isinstance(value, bool):
        wrong += ["true", 1 if value else 0, "no"]
    elif isinstance(value, int):
        wrong += ["text", True, value + 0.5]
    elif isinstance(value, str):
        wrong += [1, True, 1.5]
    for other in wrong:
        if not path:
            continue
        if other is None and path == ("hotfix_mode",):
            continue  # null says that there is none
        error = refusal(name, path, other)
        assert error is not None, other
        assert error.code == "CONTRACT_INVALID"
        assert error.message.startswith(f"{name}: ")
        assert f"`{shown(path)}" in error.message


@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_contract_that_is_no_map_is_refused(value: Any) -> None:
    for name in CONTRACTS:
        with pytest.raises(ContractError, match="the file as a whole: expected `object`"):
            parse_governance({**SHIPPED, name: yaml.safe_dump(value).encode()})


@pytest.mark.parametrize(
    ("name", "path", "value", "message"),
    [
        ("RUNTIME_POLICY.yaml", ("attempts", "ttll"), 1, "unknown key `attempts.ttll`"),
        ("RUNTIME_POLICY.yaml", ("attempts", "ttl"), "30 minutes", "`attempts.ttl`: invalid ISO8601 duration"),
        ("RUNTIME_POLICY.yaml", ("attempts", "ttl"), 1800, "`attempts.ttl`: expected `duration`, got `int`"),
        ("RUNTIME_POLICY.yaml", ("escalation", "high"), "ignore", "`escalation.high`: invalid enum value 'ignore'"),
        ("STORAGE_POLICY.yaml", ("event_store", "first_event_seq"), 0, "`event_store.first_event_seq`: invalid enum"),
        ("ORCHESTRATOR_CONTRACT.yaml", ("is_single_writer",), False, "`is_single_writer`: invalid enum value False"),
        ("agents_swarm.yaml", ("actors", "agent-qa", "roles"), ["boss"], "`actors.agent-qa.roles[0]`: invalid enum"),
        ("agents_swarm.yaml", ("actors", "agent-qa", "adaptor"), "x", "unknown key `actors.agent-qa.adaptor`"),
        ("AGENT_CONTRACT.yaml", ("contract",), "runtime", "`contract`: invalid enum value 'runtime'"),
        ("AGENT_CONTRACT.yaml", ("version",), "0.5.0", "`version`: invalid enum value '0.5.0'"),
        ("PARCER_PROFILE.agent-qa.yaml", ("context", "injects", 0), "secrets", "`context.injects[0]`: invalid enum"),
    ],
)
def test_message_says_where_and_what(name: str, path: Path, value: Any, message: str) -> None:
    error = refusal(name, path, value)
    assert error is not None
    assert error.message.startswith(f"{name}: {message}")


def test_two_wrong_entries_of_one_map_name_the_first() -> None:
    actors = CONTRACTS["agents_swarm.yaml"]["actors"]
    error = refusal("agents_swarm.yaml", ("actors",), {**actors, "a": {"roles": 1}, "b": {"roles": 1}})
    assert error is not None
    assert "`actors.a.roles`" in error.message
