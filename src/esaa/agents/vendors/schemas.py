"""The schema of a wanted answer, as a vendor takes it.

It comes in the strict subset: every property is required, and what may be absent is nullable. OpenAI wants it so.
The others count alternatives (Anthropic takes 16 of them) and know properties that may be absent.
"""

from __future__ import annotations

import json
from typing import Any

_NULL = {"type": "null"}
_DEPTH_MAX = 32


def schema_of(schema: bytes, *, is_strict: bool) -> dict[str, Any] | None:
    """The schema for a vendor; None where there is none, or none that describes an object, so that the prompt alone
    says what is wanted."""
    try:
        value = json.loads(schema or b"null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("type") != "object":
        return None
    return value if is_strict else _loosened(value, 0)


def _loosened(schema: Any, depth: int) -> Any:
    """Nullable properties become properties that may be absent."""
    if depth > _DEPTH_MAX:
        return schema
    if isinstance(schema, list):
        return [_loosened(one, depth + 1) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: one if key in ("enum", "required") else _loosened(one, depth + 1) for key, one in schema.items()}
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return made
    bare = {name: found for name, one in properties.items() if (found := _without_null(one)) is not None}
    made["properties"] |= {name: _loosened(one, depth + 1) for name, one in bare.items()}
    made["required"] = [name for name in schema.get("required", ()) if name not in bare]
    return made


def _without_null(schema: Any) -> Any:
    """What a nullable schema is beside null; None where it is not nullable, or is more than one thing beside it."""
    branches = schema.get("anyOf") if isinstance(schema, dict) else None
    if not isinstance(branches, list) or _NULL not in branches:
        return None
    rest = [one for one in branches if one != _NULL]
    return rest[0] if len(rest) == 1 else None
