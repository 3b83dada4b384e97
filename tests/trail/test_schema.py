"""The published schema says of a line what the code says of it, and everything in it is explained."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.kernel.canonical import pretty
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.types import EventTypes, parse_custom_type
from esaa.trail.versions.envelope_schema import ENVELOPE
from esaa.trail.versions.schema import described, events_schema, family_of, type_schema
from esaa.trail.wire import ENVELOPE_REQUIRED, Envelope, raw_metadata
from tests.trail.metadata_examples import EXAMPLES

ROOT = Path(__file__).resolve().parents[2]
TYPES = EventTypes()
SCHEMA = events_schema()
VALIDATOR = jsonschema_rs.validator_for(SCHEMA, offline=True)

JSON_TEXTS = st.sampled_from(
    ["", "x", "high", "success", "2025-12-22T10:30:00Z", "2025-12-22T10:30:00Z\n", "2025-12-22", "a" * 64, "A" * 64]
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([-1, 0, 1, 50, 99, 100, 101, 599, 600, 2**53 - 1, 2**53, 2**63, 2**64, 2**70, -(2**70)])
    | st.sampled_from([0.5, -0.5, 99.5, 100.5, 1e-9, 1.5e300])
    | JSON_TEXTS
    | st.text(max_size=5),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(JSON_TEXTS, below, max_size=2),
    max_leaves=4,
)
"""Values of all kinds. Fractions are never whole: that is where the two part (see below)."""


def line_of(name: str, metadata: Any, **envelope: Any) -> dict[str, Any]:
    line: dict[str, Any] = {
        "event_id": "0d1e2f3a-0000-4000-8000-000000000001",
        "event_type": name,
        "event_version": "1.0.0",
        "timestamp": "2026-02-27T01:25:22.000Z",
        "event_sequence": 1,
        "issue_key": "PROJ-123",
        "session_id": "0D1E2F3A-0000-4000-8000-000000000002",
        "actor": {"type": "user", "id": "ada"},
        "metadata": metadata,
    }
    return line | envelope


def fits(line: Any) -> bool:
    return VALIDATOR.is_valid(line)


def is_faultless(name: str, metadata: Any) -> bool:
    return TYPES.faults(name, raw_metadata(metadata)) == []


def places(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to everything inside a JSON value."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in below:
        yield (*way, key)
        yield from places(one, (*way, key))


@pytest.mark.parametrize("name", TRAIL_TYPES)
def test_example_of_each_type_fits(name: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(line_of(name, EXAMPLES[name]))] == []


@pytest.mark.parametrize("name", TRAIL_TYPES)
def test_schema_and_gates_agree_where_a_field_is_missing_or_unknown(name: str) -> None:
    for field in EXAMPLES[name]:
        without = {key: value for key, value in EXAMPLES[name].items() if key != field}
        assert fits(line_of(name, without)) == is_faultless(name, without) == (field not in TYPES.required_of(name))
    assert not fits(line_of(name, EXAMPLES[name] | {"no_such_field": 1}))
    assert not is_faultless(name, EXAMPLES[name] | {"no_such_field": 1})


@given(st.data())
@settings(max_examples=700, deadline=None)
def test_schema_and_gates_agree_on_any_change_of_an_example(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(TRAIL_TYPES)))
    metadata = copy.deepcopy(EXAMPLES[name])
    *way, last = data.draw(st.sampled_from(list(places(metadata))))
    holder: Any = metadata
    for step in way:
        holder = holder[step]
    match data.draw(st.sampled_from(["set", "set", "remove", "add"])):
        case "set":
            holder[last] = data.draw(JSON_VALUES)
        case "remove":
            del holder[last]
        case _ if isinstance(holder, dict):
            holder[data.draw(JSON_TEXTS)] = data.draw(JSON_VALUES)
        case _:
            holder.append(data.draw(JSON_VALUES))
    assert fits(line_of(name, metadata)) == is_faultless(name, metadata), metadata


@pytest.mark.parametrize("value", [1.0, 100.0, -0.0])
def test_a_whole_number_with_a_fraction_is_the_one_known_difference(value: float) -> None:
    # To JSON Schema 2020-12 `1.0` is an integer. The gates refuse it: no hash may see two spellings of one number.
    changed = EXAMPLES["PhaseStarted"] | {"expected_agents": value}
    assert fits(line_of("PhaseStarted", changed))
    assert not is_faultless("PhaseStarted", changed)


def test_true_is_no_number_and_one_is_not_true() -> None:
    for field, value in (("expected_agents", True), ("expected_agents", "2"), ("phase", 1)):
        changed = EXAMPLES["PhaseStarted"] | {field: value}
        assert not fits(line_of("PhaseStarted", changed))
        assert not is_faultless("PhaseStarted", changed)
    changed = EXAMPLES["AgentFailed"] | {"retry_scheduled": 1}
    assert not fits(line_of("AgentFailed", changed))
    assert not is_faultless("AgentFailed", changed)


def test_envelope_has_the_keys_of_a_line_in_their_order() -> None:
    fields = msgspec.structs.fields(Envelope)
    assert list(ENVELOPE) == [field.encode_name for field in fields]
    assert SCHEMA["$defs"]["BaseEvent"]["required"] == list(ENVELOPE_REQUIRED)
    assert {field.encode_name for field in fields if field.required} == set(ENVELOPE_REQUIRED)


@pytest.mark.parametrize("key", ENVELOPE_REQUIRED)
def test_line_without_a_required_key_does_not_fit(key: str) -> None:
    line = line_of("PhaseStarted", {"phase": "PLAN"})
    assert fits(line)
    del line[key]
    assert not fits(line)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("event_id", "EV-00000001"),
        ("event_id", "0D1E2F3A-0000-4000-8000-000000000001"),
        ("event_id", "0d1e2f3a-0000-4000-8000-000000000001\n"),
        ("event_type", "NoSuchType"),
        ("event_version", "1.0"),
        ("timestamp", "2026-02-27T01:25:22Z"),
        ("timestamp", "2026-02-27T01:25:22.000+01:00"),
        ("event_sequence", 0),
        ("event_sequence", True),
        ("issue_key", "../PROJ-1"),
        ("issue_key", "proj-1"),
        ("session_id", "yesterday"),
        ("correlation_id", ""),
        ("correlation_id", None),
        ("actor", {"type": "robot", "id": "ada"}),
        ("actor", {"type": "user"}),
        ("actor", {"type": "user", "id": ""}),
        ("metadata", []),
        ("git_sha", "x" * 501),
        ("vector_clock", {"laptop": -1}),
        ("occurred_at", "yesterday"),
        ("redaction", [{"kind": "password", "path": "metadata.x", "count": 0}]),
        ("findings", [{"gate": 9, "code": "X", "path": "y", "message": "z"}]),
        ("source", {"event_id": "EV-00000001"}),
        ("source", {"event_id": "EV-00000001", "leaf_hash": "short"}),
        ("origin", {"prev_hash": "a" * 64}),
        ("prev_hash", "A" * 64),
    ],
)
def test_line_with_a_malformed_key_does_not_fit(key: str, value: Any) -> None:
    assert not fits(line_of("PhaseStarted", {"phase": "PLAN"}) | {key: value})


def test_line_may_have_keys_that_nobody_knows_yet() -> None:
    assert fits(line_of("PhaseStarted", {"phase": "PLAN"}, signature="later"))
    assert fits(line_of("PhaseStarted", {"phase": "PLAN"}, issue_key=None))


def test_schema_is_a_valid_one_with_a_name_of_its_own() -> None:
    jsonschema_rs.meta.validate(SCHEMA)
    assert SCHEMA["$id"] == "urn:esaa:orchestration-events:1.0.0"
    assert "://" not in json.dumps(SCHEMA).replace(SCHEMA["$schema"], "")


def test_everything_in_the_schema_is_explained() -> None:
    silent = [
        f"{name}.{field}"
        for name, definition in SCHEMA["$defs"].items()
        for field, one in {"": definition, **definition["properties"]}.items()
        if not one.get("description")
    ]
    assert silent == []


@pytest.mark.parametrize("name", TRAIL_TYPES)
def test_type_says_what_it_is_to_the_engine(name: str) -> None:
    kind = TRAIL_TYPES[name]
    assert SCHEMA["$defs"][name]["x-esaa"] == {
        "version": kind.version,
        "family": family_of(name),
        "is_repeatable": kind.is_repeatable,
        "phase_field": kind.phase_field,
        "agent_field": kind.agent_field,
    }


@pytest.mark.parametrize("name", TRAIL_TYPES)
def test_schema_of_one_type_stands_alone(name: str) -> None:
    schema = type_schema(TRAIL_TYPES[name])
    assert '"$ref"' not in json.dumps(schema)
    validator = jsonschema_rs.validator_for(schema, offline=True)
    assert validator.is_valid(EXAMPLES[name])
    assert not validator.is_valid(EXAMPLES[name] | {"no_such_field": 1})


def test_values_of_an_enum_stand_in_the_order_of_the_code() -> None:
    severity = SCHEMA["$defs"]["GapIdentified"]["properties"]["severity"]
    assert severity["enum"] == ["critical", "high", "medium", "low", "info"]


LICENCE = {
    "title": "LicenceChecked",
    "type": "object",
    "properties": {"package": {"$ref": "#/$defs/package"}, "verdict": {"enum": ["allowed", "denied"]}},
    "required": ["package"],
    "$defs": {"package": {"type": "string", "minLength": 1, "description": "What was checked."}},
    "x-esaa": {"version": "2.1.0", "summary": "{package} is {verdict}"},
}


@pytest.mark.parametrize(
    ("version", "metadata", "is_fitting"),
    [
        ("2.1.0", {"package": "left-pad"}, True),
        ("2.1.0", {"package": ""}, False),
        ("2.0.7", {"package": ""}, False),
        ("2.2.0", {"package": ""}, True),
        ("1.0.0", {"package": ""}, True),
    ],
)
def test_type_of_a_project_is_judged_in_the_versions_that_its_schema_stands_for(
    version: str, metadata: Any, is_fitting: bool
) -> None:
    custom = parse_custom_type(LICENCE, "licence.json")
    validator = jsonschema_rs.validator_for(events_schema([custom]), offline=True)
    assert validator.is_valid(line_of("LicenceChecked", metadata, event_version=version)) == is_fitting
    assert not VALIDATOR.is_valid(line_of("LicenceChecked", metadata, event_version=version))


def test_type_is_described_for_people() -> None:
    about = described(TYPES, "AgentCompleted")
    assert about.prose.startswith("An agent has done its work.")
    said = {one.name: one for one in about.fields}
    assert said["duration_seconds"].required
    assert said["duration_seconds"].type == "number from 0"
    assert said["outputs_created"].type == "list of texts"
    assert said["task_status"].values[0] == "success"
    assert said["quality_metrics.test_coverage"].type == "number from 0 to 100"
    assert about.fields[-1].name == "extra"
    own = described(EventTypes({"LicenceChecked": parse_custom_type(LICENCE, "licence.json")}), "LicenceChecked")
    assert [(one.name, one.required, one.type) for one in own.fields] == [
        ("package", True, "see the schema"),
        ("verdict", False, "allowed | denied"),
    ]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, "anything"),
        ({"description": "Whatever it is."}, "anything"),
        ({"const": 7}, "see the schema"),
        ({"type": "array"}, "array"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}, "list of list of whole numbers"),
        ({"type": "string", "format": "date-time"}, "time"),
        ({"type": "string", "minLength": 1}, "text, not empty"),
        ({"type": "number", "minimum": 0, "maximum": 1}, "number from 0 to 1"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "true or false or null"),
        ({"anyOf": [{"enum": ["low", "high"]}, {"type": "null"}]}, "low | high | null"),
    ],
)
def test_what_a_field_takes_is_said_in_words(schema: dict[str, Any], said: str) -> None:
    own = LICENCE | {"properties": {"package": schema, "anything_goes": True}}
    types = EventTypes({"LicenceChecked": parse_custom_type(own, "licence.json")})
    assert [one.type for one in described(types, "LicenceChecked").fields] == [said]


def run_tool(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools" / "make_trail_docs.py"), *arguments]
    env = os.environ | {"PYTHONPATH": str(root / "src")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the tool reads and writes."""
    for folder in ("tools", "src", "schemas", "tests/corpora/trail"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "events.md", tmp_path / "docs" / "events.md")
    return tmp_path


def test_generated_files_are_fresh() -> None:
    done = run_tool(ROOT, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (ROOT / "schemas" / "orchestration-events.json").read_bytes() == pretty(SCHEMA) + b"\n"


@pytest.mark.parametrize(
    "stale", ["docs/events.md", "schemas/orchestration-events.json", "schemas/version-history.json"]
)
def test_tool_names_what_is_stale_and_writes_it_anew(checkout: Path, stale: str) -> None:
    (checkout / stale).write_text("changed\n", "utf-8")
    found = run_tool(checkout, "--check")
    assert found.returncode == 1
    assert found.stdout == f"stale: {stale} (run `make docs`)\n"
    assert run_tool(checkout).stdout == f"wrote {stale}\n"
    assert run_tool(checkout, "--check").returncode == 0
    assert (checkout / stale).read_bytes() == (ROOT / stale).read_bytes()


def test_tool_refuses_a_changed_type_without_a_new_version_and_writes_nothing(checkout: Path) -> None:
    module = checkout / "src" / "esaa" / "trail" / "facts" / "phases.py"
    text = module.read_text("utf-8")
    assert text.count("    expected_agents: ") == 1
    module.write_text(
        text.replace("    expected_agents: ", "    agents_expected: ").replace(
            "`expected_agents`", "`agents_expected`"
        ),
        "utf-8",
    )
    before = {path: path.read_bytes() for path in checkout.rglob("*.*") if path.suffix in {".md", ".json"}}
    for arguments in ((), ("--check",)):
        done = run_tool(checkout, *arguments)
        assert done.returncode == 1, done.stderr
        assert done.stdout.startswith("refused: PhaseStarted 1.0.0 was changed without a new version (the field")
        assert "make it 2.0.0" in done.stdout
    assert {path: path.read_bytes() for path in before} == before


def test_tool_adds_a_new_version_to_the_history_and_keeps_the_old_one(checkout: Path) -> None:
    module = checkout / "src" / "esaa" / "trail" / "facts" / "phases.py"
    text = module.read_text("utf-8")
    changed = text.replace("    - `expected_agents`:", "    - `mood`: how it feels.\n    - `expected_agents`:").replace(
        "    expected_agents: ",
        '    version: ClassVar[str] = "1.1.0"\n    mood: str | UnsetType = UNSET\n    expected_agents: ',
    )
    module.write_text(changed, "utf-8")
    done = run_tool(checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    history = json.loads((checkout / "schemas" / "version-history.json").read_bytes())
    first, second = history["types"]["PhaseStarted"]
    assert first == json.loads((ROOT / "schemas" / "version-history.json").read_bytes())["types"]["PhaseStarted"][0]
    assert (second["version"], second["after"]) == ("1.1.0", "1.0.0")
    assert second["note"] == "The optional field `mood` is new."
    shipped = checkout / "src" / "esaa" / "trail" / "schemas" / "version-history.json"
    assert shipped.read_bytes() == (checkout / "schemas" / "version-history.json").read_bytes()
    assert run_tool(checkout, "--check").returncode == 0
