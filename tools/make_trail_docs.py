"""Writes what follows from the event types of the trail: the schemas, the version history, the page of all events.

`python tools/make_trail_docs.py` writes them, `--check` names those that are stale and ends with 1. Both refuse types
that may not follow the version history: a version that was written once is never changed and never taken out. Delete
nothing from `src/esaa/trail/schemas/version-history.json`; it is the one copy that is not made from the code.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from esaa.kernel.canonical import pretty
from esaa.kernel.strict_json import loads_strict
from esaa.trail.facts.base import TrailFact
from esaa.trail.registry import FAMILIES, TRAIL_TYPES
from esaa.trail.types import EventTypes
from esaa.trail.versions.envelope_schema import envelope_definitions
from esaa.trail.versions.evolution import VersionHistory, built_in, check, extended, history_file, parse_history
from esaa.trail.versions.schema import FieldSaid, events_schema, fields_said, type_schema
from esaa.trail.wire import ENVELOPE_REQUIRED, TrailVocabulary

ROOT = Path(__file__).resolve().parent.parent
HISTORY = ROOT / "src" / "esaa" / "trail" / "schemas" / "version-history.json"
SCHEMAS = ROOT / "schemas"
CORPUS = ROOT / "tests" / "corpora" / "trail" / "events.jsonl"
PAGE = ROOT / "docs" / "events.md"
MARK = "<!-- Written by tools/make_trail_docs.py. Change the types, then run `make docs`. -->"


def main(arguments: list[str]) -> int:
    """Writes or checks all files."""
    if arguments not in ([], ["--check"]):
        print("usage: make_trail_docs.py [--check]", file=sys.stderr)
        return 2
    history = parse_history(HISTORY.read_bytes(), str(HISTORY)) if HISTORY.is_file() else VersionHistory()
    complaints = check(history, built_in())
    for complaint in complaints:
        print(f"refused: {complaint}")
    if complaints:
        return 1
    wanted = files(history)
    stale = [path for path, data in wanted.items() if not path.is_file() or path.read_bytes() != data]
    for path in stale:
        if arguments:
            print(f"stale: {path.relative_to(ROOT)} (run `make docs`)")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wanted[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and arguments else 0


def files(history: VersionHistory) -> dict[Path, bytes]:
    """Every generated file with its bytes."""
    shipped = history_file(extended(history, built_in()))
    return {
        HISTORY: shipped,
        SCHEMAS / "version-history.json": shipped,
        SCHEMAS / "orchestration-events.json": pretty(events_schema()) + b"\n",
        PAGE: ("\n".join(page()).rstrip() + "\n").encode(),
    }


def page() -> Iterator[str]:
    """The page of all events: the envelope, then each family with its types."""
    yield from ("# Events of the trail", "", MARK)
    yield from _text(
        f"""
        The trail keeps one event per line. A line is an envelope around the `metadata` of the event's type. There are
        {len(TRAIL_TYPES)} types in {len(FAMILIES)} families; a project can [add its own](how-to/own-event-types.md).
        The same as JSON Schema is in [orchestration-events.json](../schemas/orchestration-events.json); every version
        that was ever written is in [version-history.json](../schemas/version-history.json).

        | family | types |
        |---|---|
        """
    )
    for family, kinds in FAMILIES.items():
        names = ", ".join(f"[{kind.__name__}](#{kind.__name__.lower()})" for kind in kinds)
        yield f"| [{family}](#{_anchor(family)}) | {names} |"
    yield from _envelope()
    examples = _examples()
    for family, kinds in FAMILIES.items():
        yield from ("", f"## {family}")
        yield from _text(inspect.cleandoc(sys.modules[kinds[0].__module__].__doc__ or ""))
        for kind in kinds:
            yield from _type(kind, examples.get(kind.__name__))


def _envelope() -> Iterator[str]:
    yield from _text(
        """
        ## The envelope

        A key that is not on every line is absent where it has nothing to say. Readers accept keys that they do not
        know.
        """
    )
    definitions = envelope_definitions()
    fields = list(fields_said(_resolved(definitions["BaseEvent"], definitions)))
    rows = [(f"`{one.name}`", _yes(_is_on_every_line(one)), _takes(one), _sentence(one.meaning)) for one in fields]
    yield from _table(("key", "on every line", "takes", "meaning"), rows)
    if CORPUS.is_file():
        first = CORPUS.read_bytes().splitlines()[0]
        yield from ("", "A whole line, here spread over several:", "", "```json")
        yield from pretty(loads_strict(first)).decode().splitlines()
        yield "```"
    yield from _text(
        """
        ## What all types have in common

        Every type also takes `extra`: anything else worth keeping, as a JSON object; no projection reads it. A field
        that is not listed is refused: a typing mistake must not lose what was meant. Times are ISO-8601 with their
        offset from UTC. A type whose events are *safe to repeat* may be handed to a handler by a replay; no other is.
        """
    )


def _is_on_every_line(field: FieldSaid) -> bool:
    return field.required and ("." in field.name or field.name in ENVELOPE_REQUIRED)


def _type(kind: type[TrailFact], example: str | None) -> Iterator[str]:
    schema = type_schema(kind)
    yield from ("", f"### {kind.__name__}")
    for paragraph in str(schema["description"]).split("\n\n"):
        yield from ("", paragraph)
    notes = [f"Version {kind.version}"]
    if kind.is_repeatable:
        notes.append("safe to repeat")
    for what, field in (("phase", kind.phase_field), ("agent", kind.agent_field)):
        if field in schema["properties"] and field not in {"phase", "agent_name"}:
            notes.append(f"the {what} that it is about is `{field}`")
    yield from ("", f"{'; '.join(notes)}.")
    if example:
        quoted = example.replace("`", "'")
        yield from ("", f"In a timeline: `{quoted}`")
    fields = [one for one in fields_said(schema) if one.name != "extra"]
    rows = [(f"`{one.name}`", _yes(one.required), _takes(one), _sentence(one.meaning)) for one in fields]
    yield from _table(("field", "required", "takes", "meaning"), rows)


def _examples() -> dict[str, str]:
    """What a timeline shows of the newest line of each type in the corpus."""
    if not CORPUS.is_file():
        return {}
    vocabulary, types = TrailVocabulary(), EventTypes()
    events = [vocabulary.decode(line) for line in CORPUS.read_bytes().splitlines()]
    events = [event for event in events if event.fact.erasable is None]
    return {event.fact.event_type: types.fact_of(event).summary() for event in events}


def _resolved(value: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_resolved(one, definitions) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target = definitions[value["$ref"].rpartition("/")[2]]
        return _resolved(target | {key: one for key, one in value.items() if key != "$ref"}, definitions)
    return {key: _resolved(one, definitions) for key, one in value.items()}


def _takes(field: FieldSaid) -> str:
    if not field.values:
        return field.type
    words = ", ".join(f"`{value}`" for value in field.values)
    return f"{words}, or null" if field.type.endswith("| null") else words


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


def _text(text: str) -> Iterator[str]:
    yield ""
    yield from inspect.cleandoc(text).splitlines()


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield from ("", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}")
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\|", "|").replace("|", "\\|")


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
