"""The contract files of a workspace: what `esaa init` writes into `.roadmap`, and what lies there now.

Reads bytes and nothing else; what they mean is `esaa.contracts.load`'s business.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import resources
from pathlib import Path

from esaa.contracts.governance import Governance
from esaa.contracts.load import (
    GOVERNANCE_FILES,
    PROFILES_MAX,
    RESULT_SCHEMA_FILE,
    is_governance_file,
    parse_governance,
    too_large,
)
from esaa.contracts.templates import PromptTemplate, TemplateName, parse_template
from esaa.contracts.values import ProtocolVersion
from esaa.errors import ContractError
from esaa.kernel.ingest import CONTRACT, NotIngested, TooLarge
from esaa.stores.outside import read_placed

SHIPPED_PROTOCOL: ProtocolVersion = "0.4.0"
READ_MODEL_SCHEMAS: tuple[str, ...] = ("roadmap.schema.json", "issues.schema.json", "lessons.schema.json")
PROJECTION_SPEC = "PROJECTION_SPEC.md"

_REQUIRED_KEYS = b'"required": ["action", "task_id"]'
_REQUIRED_KEYS_0_4_1 = b'"required": ["action", "task_id", "prior_status"]'


def shipped_files(protocol: ProtocolVersion) -> dict[str, bytes]:
    """Every file that a new workspace gets in `.roadmap`, by name: contracts, schemas and PROJECTION_SPEC.md.

    The contracts carry the protocol's version. From 0.4.1 on an agent result must state `prior_status`.
    """
    package = resources.files("esaa.contracts")
    files: dict[str, bytes] = {}
    for name in (*GOVERNANCE_FILES, *READ_MODEL_SCHEMAS, PROJECTION_SPEC):
        folder = "schemas" if name.endswith(".schema.json") else "defaults"
        files[name] = _as_of(protocol, name, (package / folder / name).read_bytes())
    return files


@cache
def shipped_template(name: TemplateName) -> PromptTemplate:
    """A prompt template as it is shipped."""
    data = (resources.files("esaa.contracts") / "defaults" / "templates" / f"{name}.md").read_bytes()
    return parse_template(name, data.decode(), is_shipped=True)


def read_files(roadmap: Path) -> dict[str, bytes]:
    """The contract files that lie in the folder, by name; none where there is no folder.

    Raises `ContractError` for a contract that is a link, no regular file, too large or unreadable: to skip it would be
    to govern by fewer rules than the project wrote down.
    """
    names = _names(roadmap)
    if len(names) > len(GOVERNANCE_FILES) + PROFILES_MAX:
        message = f"{roadmap} holds {len(names)} contract files."
        raise ContractError("CONTRACT_TOO_LARGE", message, "Remove the PARCER profiles that nobody uses.")
    return {name: _read(roadmap, name) for name in names}


def read_governance(roadmap: Path) -> Governance:
    """The contracts in force in a workspace. Raises `ContractError` where one is missing or wrong."""
    return parse_governance(read_files(roadmap))


def has_governance(roadmap: Path) -> bool:
    """True when any contract file lies in the folder. A bare log has none, and its boundaries are not judged."""
    return bool(_names(roadmap))


def _names(roadmap: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(roadmap) if is_governance_file(name))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(str(roadmap), error.strerror or str(error)) from error


def _read(roadmap: Path, name: str) -> bytes:
    try:
        return read_placed(roadmap / name, CONTRACT)
    except TooLarge as error:
        raise too_large(name) from error
    except NotIngested as error:
        raise _unreadable(name, str(error)) from error
    except FileNotFoundError as error:
        raise _unreadable(name, "it is gone") from error


def _unreadable(name: str, reason: str) -> ContractError:
    hint = "Contracts are regular files that the orchestrator may read."
    return ContractError("CONTRACT_UNREADABLE", f"{name}: cannot be read, {reason}.", hint, file=name)


def _as_of(protocol: ProtocolVersion, name: str, data: bytes) -> bytes:
    if protocol == SHIPPED_PROTOCOL:
        return data
    if name == RESULT_SCHEMA_FILE:
        assert data.count(_REQUIRED_KEYS) == 1, "the schema names its required keys once, in this form"
        return data.replace(_REQUIRED_KEYS, _REQUIRED_KEYS_0_4_1)
    if name.endswith(".yaml"):
        shipped, wanted = f"version: {SHIPPED_PROTOCOL}".encode(), f"version: {protocol}".encode()
        assert shipped in data, "every contract carries its version"
        return data.replace(shipped, wanted)
    return data
