"""Contract files as bytes in, one `Governance` out. Pure: reads no file, and keeps no cache of its own.

Whoever calls may keep what `encode_governance` gives under the digest of the files, and so skip YAML altogether.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from esaa.contracts.agent import AgentContract
from esaa.contracts.examples import check_examples
from esaa.contracts.governance import Governance
from esaa.contracts.locate import describe
from esaa.contracts.orchestrator import OrchestratorContract
from esaa.contracts.parcer import ParcerProfile
from esaa.contracts.runtime import RuntimePolicy
from esaa.contracts.sandbox import CHECKS
from esaa.contracts.storage import StoragePolicy
from esaa.contracts.swarm import SwarmRegistry
from esaa.contracts.templates import TEMPLATE_NAMES, PromptTemplate, TemplateName, parse_template
from esaa.contracts.values import ContractFinding
from esaa.errors import ContractError
from esaa.kernel.ingest import CONTRACT, NotIngested, TooLarge, text_of
from esaa.kernel.strict_yaml import NotStrictYaml, loads_yaml

AGENT_FILE = "AGENT_CONTRACT.yaml"
ORCHESTRATOR_FILE = "ORCHESTRATOR_CONTRACT.yaml"
RUNTIME_FILE = "RUNTIME_POLICY.yaml"
STORAGE_FILE = "STORAGE_POLICY.yaml"
SWARM_FILE = "agents_swarm.yaml"
RESULT_SCHEMA_FILE = "agent_result.schema.json"

GOVERNANCE_FILES: tuple[str, ...] = (
    AGENT_FILE,
    ORCHESTRATOR_FILE,
    RUNTIME_FILE,
    STORAGE_FILE,
    SWARM_FILE,
    "PARCER_PROFILE.agent-spec.yaml",
    "PARCER_PROFILE.agent-impl.yaml",
    "PARCER_PROFILE.agent-qa.yaml",
    "PARCER_PROFILE.orchestrator-runtime.yaml",
    RESULT_SCHEMA_FILE,
)
"""The contract files that every governed workspace has in `.roadmap`. Further PARCER profiles may lie beside them."""

FILE_BYTES_MAX = CONTRACT.bytes_max
PROFILES_MAX = 64

TEMPLATE_FILES: dict[str, TemplateName] = {f"PROMPT_TEMPLATE.{name}.md": name for name in TEMPLATE_NAMES}
"""The files in `.roadmap` that replace the shipped prompt templates; none of them has to be there."""

_PROFILE_FILE = re.compile(r"PARCER_PROFILE\.([a-z][a-z0-9-]{0,63})\.yaml")
_HINT_KEYS = "A contract has only keys that are enforced: correct the key, or take it out."
_HINT_DOCTOR = "`esaa doctor` explains the contracts of a workspace; `esaa init` writes them in a new one."
_HINT_YAML = "Contracts are plain YAML: maps, lists and scalars, without tags, anchors, aliases or duplicate keys."

_Contract = TypeVar(
    "_Contract", AgentContract, OrchestratorContract, RuntimePolicy, StoragePolicy, SwarmRegistry, ParcerProfile
)


def is_governance_file(name: str) -> bool:
    """True for the required contract files, for every further PARCER profile, and for prompt templates."""
    return name in GOVERNANCE_FILES or name in TEMPLATE_FILES or _PROFILE_FILE.fullmatch(name) is not None


def parse_governance(files: Mapping[str, bytes]) -> Governance:
    """All contracts, parsed and checked. Files that are no contracts are left alone.

    Raises `ContractError` for the first file that is missing, malformed, holds an unknown key or a wrong value, or
    asks for what cannot be enforced; the message names the file and the key.
    """
    missing = [name for name in GOVERNANCE_FILES if name not in files]
    if missing:
        raise missing_files(missing)
    profile_files = [name for name in sorted(files) if _PROFILE_FILE.fullmatch(name)]
    if len(profile_files) > PROFILES_MAX:
        message = f"There are {len(profile_files)} PARCER profiles; at most {PROFILES_MAX} are read."
        raise ContractError("CONTRACT_TOO_LARGE", message, "Remove the profiles of actors that no longer exist.")
    profiles = {name: _contract(name, files[name], ParcerProfile) for name in profile_files}
    governance = Governance(
        agent=_contract(AGENT_FILE, files[AGENT_FILE], AgentContract),
        orchestrator=_contract(ORCHESTRATOR_FILE, files[ORCHESTRATOR_FILE], OrchestratorContract),
        runtime=_contract(RUNTIME_FILE, files[RUNTIME_FILE], RuntimePolicy),
        storage=_contract(STORAGE_FILE, files[STORAGE_FILE], StoragePolicy),
        swarm=_contract(SWARM_FILE, files[SWARM_FILE], SwarmRegistry),
        profiles={profile.profile: profile for profile in profiles.values()},
        result_schema=_text(RESULT_SCHEMA_FILE, files[RESULT_SCHEMA_FILE]),
        templates={name: _template(file, name, files[file]) for file, name in TEMPLATE_FILES.items() if file in files},
    )
    _check_names(profiles)
    _check_versions(governance, profiles)
    _check_reviewers(governance)
    _check_sandboxes(governance)
    try:
        check_examples(governance.result_schema, profiles)
    except ContractFinding as finding:
        raise ContractError("CONTRACT_INVALID", f"{finding}.", _HINT_DOCTOR) from None
    return governance


def encode_governance(governance: Governance) -> bytes:
    """The value as JSON, for a cache that is keyed by the digest of the files it came from."""
    return msgspec.json.encode(governance)


def decode_governance(data: bytes) -> Governance:
    """What `encode_governance` gave. Raises `ContractError` for anything else; then parse the files again."""
    try:
        return msgspec.json.decode(data, type=Governance)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"The cached contracts cannot be read: {error}."
        raise ContractError("CONTRACT_CACHE_INVALID", message, "Parse the contract files again.") from error


def missing_files(names: list[str]) -> ContractError:
    """The error for contract files that are not there."""
    what = "Contract file" if len(names) == 1 else "Contract files"
    verb = "is" if len(names) == 1 else "are"
    message = f"{what} {', '.join(names)} {verb} missing from .roadmap."
    return ContractError("CONTRACT_MISSING", message, _HINT_DOCTOR, files=tuple(names))


def too_large(name: str) -> ContractError:
    """The error for a contract file beyond `FILE_BYTES_MAX`."""
    message = f"{name}: the file is larger than {FILE_BYTES_MAX // 1024} KiB."
    return ContractError("CONTRACT_TOO_LARGE", message, "Shorten it: no contract needs that much.", file=name)


def _text(name: str, data: bytes) -> str:
    try:
        return text_of(data, CONTRACT)
    except TooLarge:
        raise too_large(name) from None
    except NotIngested as error:
        raise ContractError("CONTRACT_MALFORMED", f"{name}: {error}.", "Save the file as UTF-8.", file=name) from None


def _contract(name: str, data: bytes, kind: type[_Contract]) -> _Contract:
    try:
        value = loads_yaml(_text(name, data))
    except NotStrictYaml as error:
        raise ContractError("CONTRACT_MALFORMED", f"{name}: {error}.", _HINT_YAML, file=name) from None
    try:
        contract: _Contract = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message = f"{name}: {describe(value, kind, str(error))}."
        raise ContractError("CONTRACT_INVALID", message, _HINT_KEYS, file=name) from None
    try:
        contract.check()
    except ContractFinding as finding:
        hint = f"Correct {name}; `esaa doctor` explains what each key means."
        raise ContractError("CONTRACT_INVALID", f"{name}: {finding}.", hint, file=name) from None
    return contract


def _template(file: str, name: TemplateName, data: bytes) -> PromptTemplate:
    try:
        return parse_template(name, _text(file, data), is_shipped=False)
    except ContractFinding as finding:
        hint = "`esaa prompt TASK --template` prints the one in force, to begin from."
        raise ContractError("CONTRACT_INVALID", f"{file}: {finding}.", hint, file=file) from None


def _check_names(profiles: Mapping[str, ParcerProfile]) -> None:
    for name, profile in profiles.items():
        if name != f"PARCER_PROFILE.{profile.profile}.yaml":
            message = f"{name}: `profile` is {profile.profile!r}, which is not the name in the file's name."
            hint = "Name the file PARCER_PROFILE.<profile>.yaml."
            raise ContractError("CONTRACT_INVALID", message, hint, file=name)


def _check_versions(governance: Governance, profiles: Mapping[str, ParcerProfile]) -> None:
    versions: dict[str, Any] = {
        AGENT_FILE: governance.agent.version,
        ORCHESTRATOR_FILE: governance.orchestrator.version,
        RUNTIME_FILE: governance.runtime.version,
        STORAGE_FILE: governance.storage.version,
        SWARM_FILE: governance.swarm.version,
        **{name: profile.version for name, profile in profiles.items()},
    }
    expected = governance.agent.version
    for name, version in versions.items():
        if version != expected:
            message = f"{name}: `version` is {version!r}, but {AGENT_FILE} has {expected!r}."
            hint = "All contracts of a workspace have the version of its protocol."
            raise ContractError("CONTRACT_VERSIONS_DIFFER", message, hint, file=name)


def _check_sandboxes(governance: Governance) -> None:
    policy = governance.runtime.sandbox
    if policy is None:
        return
    for name, actor in governance.swarm.actors.items():
        if actor.sandbox is not None and not policy.allows(actor.sandbox):
            message = (
                f"{SWARM_FILE}: actors.{name}.sandbox: {actor.sandbox} is less than the {policy.required} that"
                f" {RUNTIME_FILE} requires."
            )
            raise ContractError("CONTRACT_INVALID", message, "Take it out, or require less.", file=SWARM_FILE)
    known = {*governance.swarm.actors, CHECKS}
    unknown = [name for name in policy.network if name not in known]
    if unknown:
        message = f"{RUNTIME_FILE}: sandbox.network: {unknown[0]!r} is neither an actor nor `{CHECKS}`."
        raise ContractError("CONTRACT_INVALID", message, "Name actors of agents_swarm.yaml.", file=RUNTIME_FILE)


def _check_reviewers(governance: Governance) -> None:
    if governance.orchestrator.review.self_review:
        return
    for kind, reviewer in governance.swarm.review.items():
        for is_hotfix in (False, True):
            if reviewer in governance.swarm.assignment(kind, is_hotfix).agents:
                message = (
                    f"{SWARM_FILE}: review.{kind}: {reviewer!r} also does the {kind} work, and {ORCHESTRATOR_FILE}"
                    " has review.self_review false, so such work could never be reviewed."
                )
                hint = "Name another reviewer, or allow self_review."
                raise ContractError("CONTRACT_INVALID", message, hint, file=SWARM_FILE)
