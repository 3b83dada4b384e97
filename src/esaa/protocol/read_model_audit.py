"""The audit of the read models as they lie on disk, against the projection.

In esaa's own log every byte counts. In another writer's log only the hashed part of the roadmap is an error; what
else differs is a warning.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from esaa.kernel.canonical import canonical, sha256_hex
from esaa.kernel.findings import Severity
from esaa.kernel.strict_json import NotStrict, loads_strict
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.roadmap import projection_hash, roadmap_json, roadmap_pieces
from esaa.protocol.verify import LogAudit

_PROJECT = "Run `esaa project` to write it again from the log (`esaa doctor --repair` does too)."


def audit_roadmap(audit: LogAudit, file: BinaryIO) -> None:
    """Compares an open `roadmap.json` with the projection, piece by piece."""
    pieces = roadmap_pieces(audit.state, keep_texts=False)
    if all(file.read(len(piece)) == piece for piece in pieces) and not file.read(1):
        return
    file.seek(0)
    try:
        found = _value(file.read())
    except NotStrict as error:
        _differs(audit, "roadmap.json", f"is not strict JSON: {error}", "error")
        return
    expected: Any = json.loads(roadmap_json(audit.state))
    if not isinstance(found, dict) or _hashed(found) != projection_hash(audit.state):
        where = _first_difference(expected, found)
        _differs(audit, "roadmap.json", f"differs from the projection of the log at {where}", "error")
    elif found != expected:
        where = _first_difference(expected, found)
        _differs(audit, "roadmap.json", f"differs from the projection at {where}", _own(audit))
    elif audit.is_chained:
        _differs(audit, "roadmap.json", "holds the right values in other bytes", "error")


def audit_issues(audit: LogAudit, data: bytes) -> None:
    """Compares `issues.json`."""
    _audit_small(audit, "issues.json", data, issues_json(audit.state))


def audit_lessons(audit: LogAudit, data: bytes) -> None:
    """Compares `lessons.json`."""
    _audit_small(audit, "lessons.json", data, lessons_json(audit.state))


def audit_missing(audit: LogAudit, name: str) -> None:
    """A read model that is not there."""
    _differs(audit, name, "is missing", _own(audit))


def _audit_small(audit: LogAudit, name: str, data: bytes, expected: bytes) -> None:
    if data == expected:
        return
    try:
        found = _value(data)
    except NotStrict as error:
        _differs(audit, name, f"is not strict JSON: {error}", "error")
        return
    wanted = json.loads(expected)
    if found != wanted:
        _differs(audit, name, f"differs from the projection at {_first_difference(wanted, found)}", _own(audit))
    elif audit.is_chained:
        _differs(audit, name, "holds the right values in other bytes", "error")


def _own(audit: LogAudit) -> Severity:
    return "error" if audit.is_chained else "warning"


def _differs(audit: LogAudit, name: str, message: str, severity: Severity) -> None:
    audit.add(
        "READ_MODEL_DIFFERS", None, f"{name} {message}", _PROJECT, severity=severity, effect="mismatch", where=name
    )


def _value(data: bytes) -> Any:
    return loads_strict(data, bytes_max=1 << 40)


def _hashed(roadmap: dict[str, Any]) -> str:
    meta = roadmap.get("meta")
    part = {
        "schema_version": meta.get("schema_version") if isinstance(meta, dict) else None,
        "project": roadmap.get("project"),
        "tasks": roadmap.get("tasks"),
        "indexes": roadmap.get("indexes"),
    }
    return sha256_hex(canonical(part) + b"\n")


def _first_difference(expected: Any, found: Any, path: str = "") -> str:
    """The JSON pointer of the first place where two values differ, and what stands there."""
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = [*expected, *(key for key in found if key not in expected)]
        key = next(key for key in keys if not _same(expected.get(key, _ABSENT), found.get(key, _ABSENT)))
        return _first_difference(expected.get(key), found.get(key), f"{path}/{key}")
    if isinstance(expected, list) and isinstance(found, list):
        for number, (left, right) in enumerate(zip(expected, found, strict=False)):
            if not _same(left, right):
                return _first_difference(left, right, f"{path}/{number}")
        return f"{path or '/'} ({len(found)} items where {len(expected)} belong)"
    return f"{path or '/'} ({_short(found)} where {_short(expected)} belongs)"


_ABSENT = object()


def _same(one: Any, other: Any) -> bool:
    """True for the same JSON; Python alone takes 1, 1.0 and true for equal, and a hash does not."""
    return bool(one == other) and canonical(one) == canonical(other)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
