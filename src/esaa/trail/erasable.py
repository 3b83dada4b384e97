"""Which fields of which events are kept erasable: what a project asks for, held against what the fold needs.

Only free text can be erasable: no projection decides by it. Ids, states, names of agents and phases can't.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from esaa.errors import ConfigError
from esaa.kernel.erasable import PLACEHOLDER
from esaa.trail.registry import FAMILIES, TRAIL_TYPES
from esaa.trail.types import EventTypes

# fmt: off
FREE_TEXTS = frozenset((
    "assumption", "author", "basis", "body", "changed_by", "choice", "close_reason", "closed_by", "comment_body",
    "commit_message", "created_by", "decided_by", "denied_by", "description", "end_reason", "error_message",
    "error_stack", "escalated_to", "escalation_reason", "excerpt", "failure_reason", "final_error", "granted_by",
    "hint", "identified_by", "impact", "instructions", "issue_summary", "merged_by", "message", "notes",
    "pause_reason", "posted_by", "pr_description", "pr_title", "question", "rationale", "reason", "requested_by",
    "resolved_by", "restore_reason", "restored_by", "reviewer", "rolled_back_by", "spawn_reason", "text", "title",
    "triggered_by", "worklog_description",
))
# fmt: on
"""The fields of built-in types that may be erasable: texts that people write, and names of people."""

SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
"""A pseudonym: no blank and no @, so that nobody gives a name or an address that would stay in the events."""

_RULE = re.compile(r"(?P<type>\*|[A-Z][A-Za-z0-9]{0,79})\.(?P<field>(?:extra\.)?[A-Za-z0-9_-]{1,64})")
_OF_THE_STORE = frozenset(fact.__name__ for fact in FAMILIES["The store itself"])
_HINT = "Free texts can be erasable, `extra.KEY`, and texts of the project's own types. See docs/how-to/privacy.md."


class ErasableFields:
    """The erasable fields by event type. Raises `ConfigError` for a rule that the fold could not do without."""

    def __init__(self, rules: Iterable[str], types: EventTypes, where: str = "privacy.erasable") -> None:
        self._types = types
        self._of_type: dict[str, tuple[str, ...]] = {}
        wanted: dict[str, list[str]] = {}
        for rule in rules:
            for name in self._named_by(rule, where):
                wanted.setdefault(name, []).append(pointer_of(rule.partition(".")[2]))
        self._of_type = {name: tuple(dict.fromkeys(found)) for name, found in wanted.items()}

    def pointers(self, event_type: str) -> tuple[str, ...]:
        """The JSON pointers of the fields that are kept erasable in every event of a type."""
        return self._of_type.get(event_type, ())

    def fault(self, event_type: str, field: str) -> str | None:
        """Why a field of a type can't be erasable, or None where it can."""
        if event_type in _OF_THE_STORE:
            return f"{event_type} is an act of the store itself"
        if field.startswith("extra."):
            return None
        fact = TRAIL_TYPES.get(event_type)
        if fact is not None:
            if field not in {one.encode_name for one in msgspec.structs.fields(fact)}:
                return f"{event_type} has no field `{field}`"
            return None if field in FREE_TEXTS else f"`{field}` of {event_type} bears state"
        custom = next((one for one in self._types.custom() if one.name == event_type), None)
        if custom is None:
            return f"{event_type} is no event type"
        if field in (custom.phase_field, custom.agent_field, "issue_key"):
            return f"`{field}` of {event_type} bears state"
        if field not in self._types.fields_of(event_type):
            return f"{event_type} has no field `{field}`"
        return None if self._takes_placeholder(custom.schema, field) else f"`{field}` of {event_type} is no free text"

    def _named_by(self, rule: str, where: str) -> list[str]:
        parsed = _RULE.fullmatch(rule)
        if parsed is None:
            raise _invalid(where, f"{rule[:80]!r} is no TYPE.field, TYPE.extra.KEY or *.field")
        name, field = parsed["type"], parsed["field"]
        if name != "*":
            fault = self.fault(name, field)
            if fault is not None:
                raise _invalid(where, fault)
            return [name]
        found = [one for one in self._types.names() if self.fault(one, field) is None]
        if not found:
            raise _invalid(where, f"no event type has an erasable field `{field}`")
        return found

    def _takes_placeholder(self, schema: dict[str, object], field: str) -> bool:
        """True where the schema of a project's own type accepts the placeholder in the value's place."""
        import jsonschema_rs

        properties = schema.get("properties")
        part = properties.get(field, True) if isinstance(properties, dict) else True
        alone = {key: value for key, value in schema.items() if key in ("$schema", "$defs", "definitions")}
        try:
            validator = jsonschema_rs.validator_for({**alone, "properties": {"value": part}}, offline=True)
        except ValueError:
            return False
        return bool(validator.is_valid({"value": PLACEHOLDER}))


def pointer_of(field: str) -> str:
    """The JSON pointer of a field: `/comment_body`, or `/extra/reporter` for `extra.reporter`."""
    return "/" + field.replace(".", "/", 1)


def _invalid(where: str, what: str) -> ConfigError:
    return ConfigError("ERASABLE_INVALID", f"{where}: {what}.", _HINT)
