"""Lessons: the read model, and the rules that lessons put on outputs.

A lesson's `rule` is enforced where it is written in one of these forms (one lesson, one rule):

    forbid path GLOB       the task's files may not match
    forbid text TEXT       no delivered file may contain the text
    require path GLOB      a `complete` must deliver a matching file
    require field NAME     the activity event must carry the field
    require check TEXT     a verification check must contain the text

Mode `reject` takes any form, `require_field` the third last, `require_step` the last. A lesson that an agent reports
with one of these modes and a rule of another form is refused, for it could not be enforced; mode `warn` takes any text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from esaa.kernel.canonical import pretty
from esaa.kernel.decider import Layer
from esaa.protocol.issues import SOURCE
from esaa.protocol.paths import matches
from esaa.protocol.roadmap import ESAA_VERSION, schema_version
from esaa.protocol.state import State, lesson_kinds

_FORMS = ("forbid path ", "forbid text ", "require path ", "require field ", "require check ")
_FORMS_OF_MODE = {
    "reject": _FORMS,
    "require_field": ("require field ",),
    "require_step": ("require check ",),
}
_LAYER_OF: dict[str, Layer] = {
    "output_contract": "schema",
    "boundaries": "boundary",
    "template": "verification_gate",
    "workflow_gate": "state_machine",
    "verification_gate": "verification_gate",
}


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a lesson looks at: the activity event's fields, the checks, and the delivered files by path."""

    fields: dict[str, Any]
    is_complete: bool
    checks: tuple[str, ...]
    files: dict[str, bytes]


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A lesson that an output breaks; `is_refusal` is False for lessons that only warn."""

    lesson_id: str
    layer: Layer
    message: str
    is_refusal: bool


def lessons_json(state: State) -> bytes:
    """`lessons.json`, byte for byte, indexed by task kind and by what the lesson applies to."""
    by_kind: dict[str, list[str]] = {}
    by_target: dict[str, list[str]] = {}
    for lesson in state.header.lessons:
        lesson_id = str(lesson.get("lesson_id", ""))
        for kind in lesson_kinds(lesson):
            by_kind.setdefault(kind, []).append(lesson_id)
        target = _enforcement(lesson).get("applies_to")
        if isinstance(target, str):
            by_target.setdefault(target, []).append(lesson_id)
    document = {
        "meta": {
            "schema_version": schema_version(state),
            "esaa_version": ESAA_VERSION,
            "generated_by": "esaa.project",
            "source_event_store": SOURCE,
            "updated_at": state.header.last_ts,
        },
        "lessons": state.header.lessons,
        "indexes": {
            "by_task_kind": dict(sorted(by_kind.items())),
            "by_enforcement_applies_to": dict(sorted(by_target.items())),
        },
    }
    return pretty(document) + b"\n"


def enforceable(lesson: dict[str, Any]) -> bool:
    """True when the lesson's mode can hold its rule."""
    mode = _enforcement(lesson).get("mode")
    forms = _FORMS_OF_MODE.get(mode) if isinstance(mode, str) else None
    return forms is None or _form(str(lesson.get("rule", ""))) in forms


def violations(lessons: Sequence[dict[str, Any]], delivery: Delivery) -> list[Violation]:
    """The lessons that an output breaks, in the lessons' order. Rules of no known form bind nobody."""
    found: list[Violation] = []
    for lesson in lessons:
        rule = str(lesson.get("rule", "")).strip()
        message = _broken(rule, delivery)
        if message is not None:
            enforcement = _enforcement(lesson)
            found.append(
                Violation(
                    lesson_id=str(lesson.get("lesson_id", "")),
                    layer=_LAYER_OF.get(str(enforcement.get("applies_to")), "verification_gate"),
                    message=message,
                    is_refusal=enforcement.get("mode") in _FORMS_OF_MODE,
                )
            )
    return found


def _broken(rule: str, delivery: Delivery) -> str | None:
    form = _form(rule)
    subject = rule[len(form) :].strip()
    if not form or not subject:
        return None
    match form:
        case "forbid path ":
            hit = next((path for path in delivery.files if matches(path, subject)), None)
            return None if hit is None else f"writes `{hit}`, which `{subject}` forbids"
        case "forbid text ":
            hit = next((path for path, content in delivery.files.items() if subject.encode() in content), None)
            return None if hit is None else f"`{hit}` contains the forbidden text `{subject}`"
        case "require path ":
            if not delivery.is_complete or any(matches(path, subject) for path in delivery.files):
                return None
            return f"delivers no file that matches `{subject}`"
        case "require field ":
            return None if delivery.fields.get(subject) is not None else f"has no field `{subject}`"
        case _:
            if not delivery.is_complete or any(subject.lower() in check.lower() for check in delivery.checks):
                return None
            return f"has no verification check that mentions `{subject}`"


def _form(rule: str) -> str:
    return next((form for form in _FORMS if rule.strip().startswith(form)), "")


def _enforcement(lesson: dict[str, Any]) -> dict[str, Any]:
    enforcement = lesson.get("enforcement")
    return enforcement if isinstance(enforcement, dict) else {}
