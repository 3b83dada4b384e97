"""A project's own event types: read from the store, held to the same gates, published, and changed by new versions."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from esaa.errors import ConfigError, EventRefused, StoreError
from esaa.stores.disk import Disk
from esaa.stores.trail_types import SCHEMA_BYTES_MAX, TYPES_MAX, load_types, publish_schemas, shipped_history
from esaa.trail.intake import Proposal
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.types import Untyped
from esaa.trail.versions.evolution import parse_history
from tests.crash.disks import CountingDisk, DeadlyDisk, FailingDisk, Killed
from tests.trails import ISSUE, a_recorder

LICENCE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "LicenceChecked",
    "description": "The licence of a dependency was checked.",
    "type": "object",
    "properties": {
        "package": {"type": "string", "minLength": 1, "description": "What was checked."},
        "verdict": {"enum": ["allowed", "denied"], "description": "What came of it."},
        "checked_by": {"type": "string", "description": "Who checked it."},
        "stage": {"type": "string", "description": "The phase in which it was checked."},
        "notice": {"$ref": "#/$defs/notice"},
    },
    "required": ["package", "verdict"],
    "additionalProperties": False,
    "$defs": {"notice": {"type": "object", "properties": {"lines": {"type": "integer"}}, "required": ["lines"]}},
    "x-esaa": {
        "version": "1.0.0",
        "summary": "{package} is {verdict}",
        "is_repeatable": True,
        "phase_field": "stage",
        "agent_field": "checked_by",
    },
}
ALLOWED = {"package": "left-pad", "verdict": "allowed", "checked_by": "lawyer", "stage": "PLAN"}


def put(base: Path, schema: Any, name: str = "licence-checked.json") -> Path:
    path = base / "schemas" / "custom" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(schema if isinstance(schema, bytes) else json.dumps(schema).encode())
    return path


def with_version(version: str, **properties: Any) -> dict[str, Any]:
    return LICENCE | {
        "properties": LICENCE["properties"] | properties,
        "x-esaa": LICENCE["x-esaa"] | {"version": version},
    }


def published(base: Path, name: str) -> Any:
    return json.loads((base / "schemas" / name).read_bytes())


def test_store_without_custom_types_has_the_built_in_ones(tmp_path: Path) -> None:
    assert load_types(tmp_path).names() == tuple(TRAIL_TYPES)


def test_type_of_the_project_is_known_with_what_it_says_of_itself(tmp_path: Path) -> None:
    put(tmp_path, LICENCE)
    types = load_types(tmp_path)
    assert types.names() == (*TRAIL_TYPES, "LicenceChecked")
    assert types.knows("LicenceChecked")
    assert types.version_of("LicenceChecked") == "1.0.0"
    assert types.is_repeatable("LicenceChecked")
    assert types.required_of("LicenceChecked") == ("package", "verdict")
    assert types.fields_of("LicenceChecked") == frozenset(LICENCE["properties"])


def test_event_of_the_projects_type_goes_through_the_gates_into_the_stream(tmp_path: Path) -> None:
    put(tmp_path / "events", LICENCE)
    recorder = a_recorder(tmp_path)
    recorder.record("LicenceChecked", ALLOWED)
    (located,) = recorder.trail.store.stream(ISSUE).events()
    assert located.event.schema_version == "1.0.0"
    fact = recorder.trail.types.fact_of(located.event)
    assert isinstance(fact, Untyped)
    assert fact.summary() == "left-pad is allowed"
    assert (fact.phase, fact.agent_name) == ("PLAN", "lawyer")


@pytest.mark.parametrize(
    ("metadata", "code", "path"),
    [
        ({"package": "left-pad"}, "FIELD_MISSING", "metadata"),
        ({"package": "", "verdict": "allowed"}, "SCHEMA_INVALID", "metadata.package"),
        ({"package": "left-pad", "verdict": "perhaps"}, "SCHEMA_INVALID", "metadata.verdict"),
        ({"package": "left-pad", "verdict": "allowed", "mood": "good"}, "SCHEMA_INVALID", "metadata"),
        ({"package": "x", "verdict": "denied", "notice": {"lines": "7"}}, "SCHEMA_INVALID", "metadata.notice.lines"),
    ],
)
def test_metadata_that_does_not_fit_is_refused_by_field(tmp_path: Path, metadata: Any, code: str, path: str) -> None:
    put(tmp_path / "events", LICENCE)
    recorder = a_recorder(tmp_path)
    with pytest.raises(EventRefused) as caught:
        recorder.record_many([Proposal(event_type="LicenceChecked", metadata=metadata, actor=None)])
    findings: Any = caught.value.context["findings"]
    assert [(one["code"], one["path"]) for one in findings] == [(code, path)]
    assert list(recorder.trail.store.stream(ISSUE).events()) == []


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        (b"", "it is no strict JSON"),
        (b'{"title": "A", "title": "B"}', "the key 'title' stands twice"),
        ([], "the schema is not a JSON object"),
        (LICENCE | {"title": "licence checked"}, "`title` must be the type's name"),
        ({"type": "object"}, "`title` must be the type's name"),
        (LICENCE | {"title": "PhaseStarted"}, "PhaseStarted is a built-in type"),
        (LICENCE | {"type": "array"}, '`type` must be "object"'),
        (LICENCE | {"properties": 7}, '7 is not of type "object"'),
        (LICENCE | {"properties": {"a": {"pattern": "("}}}, '"(" is not a "regex"'),
        (LICENCE | {"properties": {"a": {"$ref": "#/$defs/none"}}}, "'/$defs/none' does not exist"),
        (LICENCE | {"properties": {"a": {"$ref": "https://example.org/a.json"}}}, "Retrieval is disabled"),
        (LICENCE | {"x-esaa": 7}, "`x-esaa` is not a JSON object"),
        (LICENCE | {"x-esaa": {"version": "1.0"}}, "'1.0' is no semantic version"),
        (LICENCE | {"x-esaa": {"is_repeatable": "yes"}}, "Expected `bool`, got `str`"),
        (LICENCE | {"x-esaa": {"is_repeatble": True}}, "`x-esaa` has no key `is_repeatble`"),
        (LICENCE | {"x-esaa": {"name": "PhaseStarted"}}, "`x-esaa` has no key `name`"),
    ],
)
def test_file_that_is_no_type_is_refused_by_name(tmp_path: Path, schema: Any, what: str) -> None:
    put(tmp_path, schema, "wrong.json")
    with pytest.raises(ConfigError) as caught:
        load_types(tmp_path)
    assert str(caught.value).startswith("schemas/custom/wrong.json: ")
    assert what in str(caught.value)


def test_two_files_cannot_name_one_type(tmp_path: Path) -> None:
    put(tmp_path, LICENCE, "one.json")
    put(tmp_path, with_version("1.1.0"), "two.json")
    with pytest.raises(
        ConfigError, match=r"two\.json and schemas/custom/one\.json both name .* LicenceChecked"
    ) as caught:
        load_types(tmp_path)
    assert caught.value.code == "EVENT_TYPE_TWICE"


def test_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    put(tmp_path, LICENCE | {"description": "x" * SCHEMA_BYTES_MAX})
    with pytest.raises(ConfigError, match="it has more than 262144 bytes"):
        load_types(tmp_path)


def test_more_types_than_anyone_needs_are_refused(tmp_path: Path) -> None:
    for number in range(TYPES_MAX + 1):
        put(tmp_path, b"", f"{number}.json")
    with pytest.raises(ConfigError, match=f"holds {TYPES_MAX + 1} event types") as caught:
        load_types(tmp_path)
    assert caught.value.code == "EVENT_TYPES_TOO_MANY"


def test_link_pipe_and_folder_are_no_types(tmp_path: Path) -> None:
    outside = put(tmp_path / "elsewhere", LICENCE)
    folder = tmp_path / "schemas" / "custom"
    folder.mkdir(parents=True)
    makers = (
        (lambda path: path.symlink_to(outside), "it is a symbolic link"),
        (os.mkfifo, "it is not a regular file"),
        (Path.mkdir, "it is not a regular file"),
    )
    for make, what in makers:
        path = folder / "odd.json"
        make(path)
        with pytest.raises(ConfigError, match=what) as caught:
            load_types(tmp_path)
        assert caught.value.code == "EVENT_TYPE_UNREADABLE"
        path.rmdir() if path.is_dir() else path.unlink()


def test_other_files_beside_the_types_do_not_matter(tmp_path: Path) -> None:
    for name in ("README.md", ".licence.json.7.tmp", ".hidden.json", "licence.json.bak"):
        put(tmp_path, b"nothing", name)
    assert load_types(tmp_path).custom() == ()


# Publishing


def test_store_gets_the_schemas_once(tmp_path: Path) -> None:
    types = load_types(tmp_path)
    assert publish_schemas(tmp_path, Disk(), types)
    assert (tmp_path / "schemas" / "version-history.json").read_bytes() == shipped_history()
    assert published(tmp_path, "orchestration-events.json")["$comment"].startswith("Made by esaa for the types ")
    disk = CountingDisk()
    assert not publish_schemas(tmp_path, disk, types)
    assert disk.steps == []


@pytest.mark.parametrize("name", ["version-history.json", "orchestration-events.json"])
def test_schema_that_went_missing_is_published_again(tmp_path: Path, name: str) -> None:
    publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    whole = (tmp_path / "schemas" / name).read_bytes()
    (tmp_path / "schemas" / name).unlink()
    assert publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    assert (tmp_path / "schemas" / name).read_bytes() == whole


@pytest.mark.parametrize("dialect", ["https://json-schema.org/draft/2020-12/schema", None])
def test_published_schema_judges_lines_of_the_projects_type(tmp_path: Path, dialect: str | None) -> None:
    base = tmp_path / "events"
    put(base, {key: value for key, value in LICENCE.items() if key != "$schema" or dialect})
    recorder = a_recorder(tmp_path)
    recorder.record("LicenceChecked", ALLOWED | {"notice": {"lines": 7}})
    recorder.record("PhaseStarted", {"phase": "PLAN"})
    publish_schemas(base, Disk(), recorder.trail.types)
    validator = jsonschema_rs.validator_for(published(base, "orchestration-events.json"), offline=True)
    lines = [json.loads(located.line) for located in recorder.trail.store.stream(ISSUE).events()]
    assert [validator.is_valid(line) for line in lines] == [True, True]
    for metadata in ({"package": "left-pad"}, ALLOWED | {"notice": {"lines": "7"}}):
        assert not validator.is_valid(lines[0] | {"metadata": metadata})


def test_new_type_is_published_with_its_first_version(tmp_path: Path) -> None:
    publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    put(tmp_path, with_version("3.0.0"))
    assert publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    (written,) = published(tmp_path, "version-history.json")["types"]["LicenceChecked"]
    assert (written["version"], written["after"]) == ("3.0.0", None)
    assert written["schema"] == with_version("3.0.0")
    assert "LicenceChecked" in published(tmp_path, "orchestration-events.json")["properties"]["event_type"]["enum"]


def test_type_that_changed_under_its_old_version_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    put(tmp_path, LICENCE)
    publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    before = {path: path.read_bytes() for path in (tmp_path / "schemas").glob("*.json")}
    put(tmp_path, with_version("1.0.0", verdict={"enum": ["allowed"]}))
    with pytest.raises(ConfigError, match='may no longer be "denied"') as caught:
        publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    assert caught.value.code == "EVENT_TYPE_CHANGED"
    assert "make it 2.0.0" in str(caught.value)
    assert {path: path.read_bytes() for path in before} == before


def test_new_words_of_a_type_need_no_new_version(tmp_path: Path) -> None:
    put(tmp_path, LICENCE)
    publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    put(tmp_path, LICENCE | {"description": "Said better.", "x-esaa": LICENCE["x-esaa"] | {"summary": "{package}"}})
    assert publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    (written,) = published(tmp_path, "version-history.json")["types"]["LicenceChecked"]
    assert written["schema"]["description"] == "Said better."


def test_type_evolves_by_new_versions_which_are_all_kept(tmp_path: Path) -> None:
    for schema in (
        LICENCE,
        with_version("1.1.0", verdict={"enum": ["allowed", "denied", "unknown"]}),
        with_version("2.0.0", verdict={"enum": ["unknown"]}),
    ):
        put(tmp_path, schema)
        assert publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    history = published(tmp_path, "version-history.json")["types"]["LicenceChecked"]
    assert [(one["version"], one["after"]) for one in history] == [
        ("1.0.0", None),
        ("1.1.0", "1.0.0"),
        ("2.0.0", "1.1.0"),
    ]
    assert history[1]["note"] == '`verdict` may be "unknown".'


def test_type_that_the_project_gave_up_stays_in_the_history(tmp_path: Path) -> None:
    path = put(tmp_path, LICENCE)
    publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    path.unlink()
    assert publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    assert "LicenceChecked" in published(tmp_path, "version-history.json")["types"]
    assert "LicenceChecked" not in published(tmp_path, "orchestration-events.json")["properties"]["event_type"]["enum"]


def test_what_a_newer_esaa_wrote_into_the_history_is_not_lost(tmp_path: Path) -> None:
    publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    path = tmp_path / "schemas" / "version-history.json"
    value = json.loads(path.read_bytes())
    first = value["types"]["PhaseStarted"][0]
    value["types"]["PhaseStarted"].append(first | {"version": "1.1.0", "after": "1.0.0"})
    value["types"]["FromTheFuture"] = [first]
    path.write_text(json.dumps(value), "utf-8")
    put(tmp_path, LICENCE)
    publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    kept = published(tmp_path, "version-history.json")["types"]
    assert [one["version"] for one in kept["PhaseStarted"]] == ["1.0.0", "1.1.0"]
    assert kept["FromTheFuture"] == [first]
    assert kept["LicenceChecked"][0]["version"] == "1.0.0"


def test_history_that_cannot_be_read_is_named_and_kept(tmp_path: Path) -> None:
    publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    path = tmp_path / "schemas" / "version-history.json"
    path.write_bytes(b"{torn")
    put(tmp_path, LICENCE)
    with pytest.raises(ConfigError, match=r"schemas/version-history\.json: is no version history"):
        publish_schemas(tmp_path, Disk(), load_types(tmp_path))
    assert path.read_bytes() == b"{torn"


def test_publishing_that_fails_or_dies_at_any_step_is_made_up_for_by_the_next(tmp_path: Path) -> None:
    counting = CountingDisk()
    types = load_types(tmp_path)
    publish_schemas(tmp_path / "whole", counting, types)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole" / "schemas").iterdir()}
    assert len(whole) == 2
    assert len(counting.steps) > 8
    for step in range(1, len(counting.steps) + 1):
        failing, deadly = tmp_path / f"failing-{step}", tmp_path / f"deadly-{step}"
        with pytest.raises(StoreError):
            publish_schemas(failing, FailingDisk(step, errno.EIO), types)
        with pytest.raises(Killed):
            publish_schemas(deadly, DeadlyDisk(step, "torn"), types)
        publish_schemas(deadly, Disk(), types)
        found = {path.name: path.read_bytes() for path in (deadly / "schemas").glob("*.json")}
        assert found == whole, counting.steps[step - 1]


def test_history_of_the_built_in_types_ships_with_the_package() -> None:
    assert parse_history(shipped_history(), "shipped").types.keys() == TRAIL_TYPES.keys()
