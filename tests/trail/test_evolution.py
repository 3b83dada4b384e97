"""A type that was written once stays readable: what a change is, which version it needs, how old lines are lifted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from esaa.errors import ConfigError
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.phases import PhaseStarted
from esaa.trail.types import EventTypes, Untyped
from esaa.trail.versions.compatibility import judge
from esaa.trail.versions.evolution import (
    VersionHistory,
    WrittenVersion,
    built_in,
    check,
    extended,
    fingerprint,
    history_file,
    parse_history,
)
from esaa.trail.versions.schema import type_schema
from esaa.trail.versions.upcasters import NoUpcaster, Steps, semver, upcast
from esaa.trail.wire import TrailVocabulary
from tests.trail.extend_corpus import example

Word = Literal["low", "high"]
Count = Annotated[int, Meta(ge=0, le=100)]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place.

    - `path`: the file.
    - `line`: the line.
    """

    path: str
    line: int | UnsetType = UNSET


class FurtherPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A place.

    - `path`: the file.
    """

    path: str


def kind(version: str = "1.0.0", words: str = "Something happened.", **fields: Any) -> type[TrailFact]:
    """An event type called Thing. A field is its type, for a required one, or its type and UNSET."""
    listed = "\n".join(f"- `{name}`: what it means." for name in fields)
    members = [(name, *one) if isinstance(one, tuple) else (name, one) for name, one in fields.items()]
    made = msgspec.defstruct(
        "Thing",
        members,
        bases=(TrailFact,),
        namespace={"version": version, "__doc__": f"{words}\n\n{listed}"},
        frozen=True,
        kw_only=True,
    )
    assert issubclass(made, TrailFact)
    return made


def maybe(one: Any) -> tuple[Any, Any]:
    return (one | UnsetType, UNSET)


def written(*kinds: type[TrailFact]) -> VersionHistory:
    """The history after these versions of Thing, as the tool writes it."""
    history = VersionHistory()
    for one in kinds:
        history = extended(history, built_in([one]))
    return history


@pytest.mark.parametrize(
    ("old", "new", "level", "reason"),
    [
        ({"a": str}, {"a": str}, "same", None),
        ({"a": str}, {"a": str, "b": maybe(str)}, "minor", "the optional field `b` is new"),
        ({"a": str}, {"a": str, "b": str}, "breaking", "the required field `b` is new"),
        ({"a": str, "b": maybe(str)}, {"a": str}, "breaking", "the field `b` is gone"),
        ({"a": str, "b": str}, {"a": str}, "breaking", "the field `b` is gone"),
        ({"a": maybe(str)}, {"a": str}, "breaking", "the field `a` is required now"),
        ({"a": str}, {"a": maybe(str)}, "minor", "the field `a` is optional now"),
        ({"a": str}, {"a": int}, "breaking", "`a` may no longer be a string"),
        ({"a": int}, {"a": float}, "minor", "`a` may be a number"),
        ({"a": float}, {"a": int}, "breaking", "`a` may no longer be a number"),
        ({"a": int}, {"a": bool}, "breaking", "`a` may no longer be an integer"),
        ({"a": str}, {"a": str | None}, "minor", "`a` may be null"),
        ({"a": str | None}, {"a": str}, "breaking", "`a` may no longer be null"),
        ({"a": str}, {"a": Any}, "minor", "`a` may be anything"),
        ({"a": Any}, {"a": str}, "breaking", "`a` may no longer be anything"),
        ({"a": Word}, {"a": Literal["low", "high", "none"]}, "minor", '`a` may be "none"'),
        ({"a": Word}, {"a": Literal["low"]}, "breaking", '`a` may no longer be "high"'),
        ({"a": Word}, {"a": str}, "minor", "`a` may be a string"),
        ({"a": Word}, {"a": Annotated[str, Meta(max_length=3)]}, "breaking", "`a` may no longer be one of a list"),
        ({"a": str}, {"a": Word}, "breaking", "`a` may no longer be a string"),
        ({"a": Word}, {"a": Literal["high", "low"]}, "patch", "its words changed"),
        ({"a": Count}, {"a": Annotated[int, Meta(ge=0, le=200)]}, "minor", "`maximum` of `a` is 200, it was 100"),
        ({"a": Count}, {"a": Annotated[int, Meta(ge=0, le=50)]}, "breaking", "`maximum` of `a` is 50, it was 100"),
        ({"a": Count}, {"a": Annotated[int, Meta(ge=1, le=100)]}, "breaking", "`minimum` of `a` is 1, it was 0"),
        ({"a": Count}, {"a": Annotated[float, Meta(ge=0, le=100)]}, "minor", "`a` may be a number"),
        ({"a": Count}, {"a": Annotated[float, Meta(ge=0, le=50)]}, "breaking", "`a` may no longer be an integer"),
        ({"a": Count}, {"a": int}, "minor", "`maximum` of `a` is None, it was 100"),
        ({"a": int}, {"a": Count}, "breaking", "`maximum` of `a` is 100, it was None"),
        ({"a": str}, {"a": Annotated[str, Meta(min_length=1)]}, "breaking", "`minLength` of `a` is 1, it was None"),
        ({"a": str}, {"a": Annotated[str, Meta(pattern="^x")]}, "breaking", "`a` has '^x' as `pattern`, it had no"),
        ({"a": Annotated[str, Meta(pattern="^x")]}, {"a": str}, "minor", "`a` has no `pattern`, it had '^x' as"),
        ({"a": tuple[str, ...]}, {"a": tuple[int, ...]}, "breaking", "`a[]` may no longer be a string"),
        ({"a": tuple[str, ...]}, {"a": tuple[str | int, ...]}, "minor", "`a[]` may be an integer"),
        ({"a": Place}, {"a": FurtherPlace}, "breaking", "the field `a.line` is gone"),
        ({"a": FurtherPlace}, {"a": Place}, "minor", "the optional field `a.line` is new"),
        ({"a": dict[str, int]}, {"a": dict[str, Any]}, "minor", "`a.*` may be anything"),
        ({"a": dict[str, Any]}, {"a": dict[str, int]}, "breaking", "`a.*` may no longer be anything"),
        (
            {"a": tuple[int, str]},
            {"a": tuple[int, int]},
            "breaking",
            "`prefixItems` of `a` changed, which no rule judges",
        ),
    ],
)
def test_change_is_judged(old: Mapping[str, Any], new: Mapping[str, Any], level: str, reason: str | None) -> None:
    found = judge(type_schema(kind(**old)), type_schema(kind(**new)))
    assert found.level == level
    assert found.reasons[:1] == (() if reason is None else (reason,))


def test_the_worst_of_several_changes_decides_and_comes_first() -> None:
    found = judge(type_schema(kind(a=str, b=Word)), type_schema(kind(b=Literal["low", "high", "none"])))
    assert found.level == "breaking"
    assert found.reasons == ("the field `a` is gone", '`b` may be "none"')


def test_new_words_are_a_patch_and_nothing_more() -> None:
    old, new = type_schema(kind(a=str)), type_schema(kind(a=str, words="Something else happened."))
    assert judge(old, new).level == "patch"
    assert judge(old, type_schema(kind(version="1.0.1", a=str))).level == "same"


def test_a_field_may_be_called_like_a_word_of_json_schema() -> None:
    # `title` and `description` are words of a schema, and fields of events.
    old, new = type_schema(kind(title=str, description=str)), type_schema(kind(title=int, description=str))
    assert judge(old, new).reasons == ("`title` may no longer be a string", "`title` may be an integer")


def test_what_a_replay_makes_of_a_type_is_a_minor_change() -> None:
    old = type_schema(kind(a=str))
    new = old | {"x-esaa": old["x-esaa"] | {"is_repeatable": True}}
    assert judge(old, new).level == "minor"
    assert judge(old, new).reasons == ("`is_repeatable` is True, it was False",)


def test_what_no_rule_judges_is_breaking() -> None:
    assert judge({"oneOf": [{"type": "string"}]}, {"oneOf": [{"type": "integer"}]}).level == "breaking"
    assert judge({"type": "object", "$defs": {"x": {"type": "string"}}}, {"type": "object"}).level == "breaking"
    assert judge({"anyOf": [{"type": "string"}, {"type": "string", "pattern": "x"}]}, {}).level == "breaking"


def test_schemas_that_are_true_or_false_are_judged_as_what_they_mean() -> None:
    any_list, texts, nothing = ({"type": "array", "items": one} for one in (True, {"type": "string"}, False))
    assert judge(any_list, texts).reasons == ("`[]` may no longer be anything", "`[]` may be a string")
    assert judge(texts, any_list).level == "minor"
    assert judge(texts, nothing).level == "breaking"


def test_values_of_several_kinds_are_covered_by_the_kinds_together() -> None:
    words = {"enum": ["low", 1, None, True]}
    kinds = [{"type": one} for one in ("string", "integer", "null", "boolean")]
    assert judge(words, {"anyOf": kinds}).level == "minor"
    assert judge(words, {"type": ["string", "integer", "null", "boolean"]}).level == "minor"
    assert judge(words, {"anyOf": kinds[:3]}).level == "breaking"
    assert judge({"const": "low"}, {"enum": ["low", "high"]}).reasons == ('the metadata may be "high"',)


def test_object_that_takes_no_further_fields_any_more_is_breaking() -> None:
    opened, closed = {"type": "object"}, {"type": "object", "additionalProperties": False}
    assert judge(opened, closed).level == "breaking"
    assert judge(closed, opened).level == "minor"


FIELD_TYPES: list[Any] = [
    str,
    int,
    float,
    bool,
    Any,
    Word,
    Literal["low"],
    str | None,
    Count,
    Annotated[str, Meta(min_length=2)],
    tuple[str, ...],
    dict[str, int],
    Place,
    FurtherPlace,
    Word | None,
]
SHAPES = st.dictionaries(
    st.sampled_from("abc"), st.sampled_from([*FIELD_TYPES, *map(maybe, FIELD_TYPES)]), min_size=1, max_size=3
)
VALUES = st.sampled_from(
    ["", "low", "high", "xyz", 0, 50, 101, -1, 0.5, True, None, [], ["x"], {}, {"path": "x"}, {"path": "x", "line": 1}]
)


@given(SHAPES, SHAPES, st.data())
@settings(max_examples=400, deadline=None)
def test_what_fitted_before_fits_after_every_change_that_is_not_breaking(
    old: Mapping[str, Any], new: Mapping[str, Any], data: st.DataObject
) -> None:
    before, after = type_schema(kind(**old)), type_schema(kind(**new))
    if judge(before, after).level == "breaking":
        return
    validators = [jsonschema_rs.validator_for(one, offline=True) for one in (before, after)]
    names = [name for name in old if data.draw(st.booleans())]
    for values in data.draw(st.lists(st.lists(VALUES, min_size=len(names), max_size=len(names)), max_size=10)):
        metadata = dict(zip(names, values, strict=True))
        if validators[0].is_valid(metadata):
            assert validators[1].is_valid(metadata), metadata


@given(SHAPES)
@settings(max_examples=50, deadline=None)
def test_no_type_differs_from_itself(fields: Mapping[str, Any]) -> None:
    assert judge(type_schema(kind(**fields)), type_schema(kind(**fields))).level == "same"


def test_fingerprint_has_no_words() -> None:
    assert fingerprint(kind(a=Word)) == fingerprint(kind(a=Word, words="Others.", version="7.0.0"))
    assert fingerprint(kind(a=Word)) != fingerprint(kind(a=maybe(Word)))
    assert "description" not in str(fingerprint(kind(a=Place)))


# Versions


def complaints(history: VersionHistory, now: type[TrailFact], steps: Steps | None = None) -> list[str]:
    return check(history, built_in([now]), {} if steps is None else steps)


UP: Steps = {("Thing", "1.0.0"): ("2.0.0", dict)}


def test_types_of_today_may_follow_their_history() -> None:
    types = built_in()
    assert check(extended(VersionHistory(), types), types) == []


def test_change_without_a_new_version_is_refused() -> None:
    history = written(kind(a=str, b=maybe(str)))
    assert complaints(history, kind(a=str)) == [
        "Thing 1.0.0 was changed without a new version (the field `b` is gone); make it 2.0.0"
    ]
    assert complaints(history, kind(a=str, b=maybe(str), c=maybe(int))) == [
        "Thing 1.0.0 was changed without a new version (the optional field `c` is new); make it 1.1.0"
    ]


def test_new_words_need_no_new_version() -> None:
    history = written(kind(a=str))
    reworded = kind(a=str, words="Said better.")
    assert complaints(history, reworded) == []
    assert complaints(history, kind(a=str, words="Said better.", version="1.0.1")) == []
    assert extended(history, built_in([reworded])).types["Thing"][0].schema["description"] == "Said better."


@pytest.mark.parametrize(
    ("version", "fields", "complaint"),
    [
        ("1.0.1", {"a": str, "b": maybe(str)}, "1.0.1 is too small a step from 1.0.0 for a minor change"),
        ("1.1.0", {"a": str, "b": str}, "1.1.0 is too small a step from 1.0.0 for a breaking change"),
        ("1.0.1", {"a": int}, "1.0.1 is too small a step from 1.0.0 for a breaking change"),
        ("1.1.0", {"a": str, "b": maybe(str)}, None),
        ("2.0.0", {"a": str, "b": maybe(str)}, None),
        ("2.0.0", {"a": int}, None),
        ("1.0.1", {"a": str}, None),
    ],
)
def test_version_says_how_large_the_change_is(version: str, fields: Mapping[str, Any], complaint: str | None) -> None:
    found = complaints(written(kind(a=str)), kind(version, **fields), UP if version == "2.0.0" else {})
    if complaint is None:
        assert found == []
    else:
        assert any(one.startswith(f"Thing {complaint}") for one in found), found


def test_breaking_change_needs_an_upcaster() -> None:
    history, now = written(kind(a=str)), kind("2.0.0", b=str)
    assert complaints(history, now) == ["Thing 1.0.0 has no upcaster to 2.0.0: it ends at 1.0.0"]
    assert complaints(history, now, UP) == []
    assert check(history, built_in([now]), steps=None) == []


def test_new_major_version_needs_an_upcaster_even_where_nothing_broke() -> None:
    # A reader takes no line of another major version as it stands.
    history, now = written(kind(a=str)), kind("2.0.0", a=str)
    assert complaints(history, now) == ["Thing 1.0.0 has no upcaster to 2.0.0: it ends at 1.0.0"]
    assert complaints(history, now, UP) == []
    assert complaints(history, kind("1.9.0", a=str)) == []


def test_every_version_that_was_written_needs_its_way_to_today() -> None:
    history = written(kind(a=str), kind("1.1.0", a=str, b=maybe(str)), kind("2.0.0", b=str))
    now = kind("3.0.0", c=str)
    up: dict[tuple[str, str], Any] = {("Thing", "1.1.0"): ("2.0.0", dict), ("Thing", "2.0.0"): ("3.0.0", dict)}
    assert complaints(history, now, up) == ["Thing 1.0.0 has no upcaster to 3.0.0: it ends at 1.0.0"]
    assert complaints(history, now, up | {("Thing", "1.0.0"): ("1.1.0", dict)}) == []
    assert complaints(history, now, up | {("Thing", "1.0.0"): ("1.5.0", dict)}) == [
        "an upcaster of Thing leads to 1.5.0, a version that never was"
    ]


def test_upcasters_that_turn_in_a_circle_lead_nowhere() -> None:
    history = written(kind(a=str), kind("2.0.0", b=str))
    up: Steps = {("Thing", "1.0.0"): ("2.0.0", dict), ("Thing", "2.0.0"): ("1.0.0", dict)}
    found = complaints(history, kind("3.0.0", c=str), up)
    assert [one.rpartition(":")[0] for one in found] == [
        "Thing 1.0.0 has no upcaster to 3.0.0",
        "Thing 2.0.0 has no upcaster to 3.0.0",
    ]


def test_version_cannot_go_back() -> None:
    history = written(kind(a=str), kind("1.1.0", a=str, b=maybe(str)))
    assert complaints(history, kind(a=str)) == ["Thing stands at 1.0.0, but 1.1.0 was written already"]


def test_version_cannot_be_taken_out_of_the_history() -> None:
    history = written(kind(a=str), kind("1.1.0", a=str, b=maybe(str)), kind("2.0.0", a=int))
    first, second, third = history.types["Thing"]
    now = kind("2.0.0", a=int)
    up: Steps = {("Thing", "1.0.0"): ("1.1.0", dict), ("Thing", "1.1.0"): ("2.0.0", dict)}
    assert complaints(history, now, up) == []
    for rest, gone in (((second, third), "1.0.0"), ((first, third), "1.1.0")):
        found = complaints(VersionHistory(types={"Thing": rest}), now, up)
        assert any(f"follows {gone}, which was taken out of the history" in one for one in found), found
    assert complaints(VersionHistory(types={"Thing": (first, second)}), kind("1.1.0", a=str, b=maybe(str)), up) == []
    assert complaints(VersionHistory(), now, up) == ["Thing stands at 2.0.0 and has no history; a type begins at 1.0.0"]


def test_type_cannot_be_taken_away() -> None:
    assert check(written(kind(a=str)), {}) == ["Thing is gone; a type that was written once stays"]


def test_new_type_begins_at_the_first_version() -> None:
    assert complaints(VersionHistory(), kind(a=str)) == []
    assert len(complaints(VersionHistory(), kind("1.0.1", a=str))) == 1


def test_version_that_is_none_is_refused() -> None:
    for history in (VersionHistory(), written(kind(a=str))):
        assert complaints(history, kind("one", a=str)) == ["Thing stands at 'one', which is no semantic version"]


def test_history_out_of_order_is_found() -> None:
    (one,) = written(kind(a=str)).types["Thing"]
    back = WrittenVersion(version="0.9.0", after="1.0.0", note="", schema=one.schema)
    found = complaints(VersionHistory(types={"Thing": (one, back)}), kind(a=str), UP)
    assert "Thing 0.9.0 cannot follow 1.0.0" in found


def test_history_grows_by_what_is_new_and_says_what_that_is() -> None:
    old = kind(a=str, b=maybe(str))
    history = written(old, kind("2.0.0", a=str, c=maybe(int)))
    first, second = history.types["Thing"]
    assert (first.version, first.after, first.note) == ("1.0.0", None, "The first version.")
    assert first.schema == type_schema(old)
    assert (second.version, second.after) == ("2.0.0", "1.0.0")
    assert second.note == "The field `b` is gone; the optional field `c` is new."
    assert extended(history, built_in([kind("2.0.0", a=str, c=maybe(int))])) == history


def test_history_survives_its_file_with_a_line_for_each_version() -> None:
    history = written(kind(a=str), kind("1.1.0", a=str, b=maybe(Place)))
    data = history_file(history)
    assert parse_history(data, "x") == history
    assert [line[:11] for line in data.splitlines() if b'"version"' in line] == [b'{"version":'] * 2
    assert parse_history(history_file(VersionHistory()), "x") == VersionHistory()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"types": {"Thing": []}}',
        b'{"types": {"Thing": [{"version": "one", "after": null, "note": "", "schema": {}}]}}',
        b'{"types": {"Thing": [{"version": "1.0.0"}]}}',
    ],
)
def test_history_that_is_none_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"schemas/version-history\.json: is no version history") as caught:
        parse_history(data, "schemas/version-history.json")
    assert caught.value.code == "VERSION_HISTORY_INVALID"


# Upcasters

OLD_LINES: dict[str, dict[str, Any]] = {
    "0.8.0": {"stage": "plan", "agents": "2"},
    "0.9.0": {"stage": "PLAN", "expected_agents": 2},
    "1.0.0": {"phase": "PLAN", "expected_agents": 2},
}
"""One and the same event, as three versions of PhaseStarted would have written it."""


def numbered(metadata: dict[str, Any]) -> dict[str, Any]:
    """0.8.0 to 0.9.0: stages in capitals, the agents counted."""
    return {"stage": metadata["stage"].upper(), "expected_agents": int(metadata["agents"])}


def renamed(metadata: dict[str, Any]) -> dict[str, Any]:
    """0.9.0 to 1.0.0: a stage is called a phase."""
    return {("phase" if key == "stage" else key): value for key, value in metadata.items()}


CHAIN: Steps = {
    ("PhaseStarted", "0.8.0"): ("0.9.0", numbered),
    ("PhaseStarted", "0.9.0"): ("1.0.0", renamed),
}


def old_line(version: str, metadata: dict[str, Any]) -> bytes:
    event = example("PhaseStarted", 1, None)
    seen = msgspec.structs.replace(event.fact, metadata=msgspec.Raw(msgspec.json.encode(metadata)))
    return TrailVocabulary().encode(msgspec.structs.replace(event, schema_version=version, fact=seen))


@pytest.mark.parametrize("version", OLD_LINES)
def test_old_lines_are_lifted_step_by_step_to_the_fact_of_today(version: str) -> None:
    line = old_line(version, OLD_LINES[version])
    event = TrailVocabulary().decode(line)
    fact = EventTypes(steps=CHAIN).fact_of(event)
    assert fact == PhaseStarted(phase="PLAN", expected_agents=2)
    assert fact.summary() == "PLAN begins"
    assert TrailVocabulary().encode(event) == line


def test_old_line_without_its_chain_is_kept_as_it_is_and_has_no_type() -> None:
    event = TrailVocabulary().decode(old_line("0.8.0", OLD_LINES["0.8.0"]))
    for broken in ({}, {("PhaseStarted", "0.8.0"): ("0.9.0", numbered)}):
        fact = EventTypes(steps=broken).fact_of(event)
        assert isinstance(fact, Untyped)
        assert fact.metadata == OLD_LINES["0.8.0"]


@pytest.mark.parametrize("metadata", [{}, {"stage": 7, "agents": "2"}, {"stage": "plan", "agents": "two"}])
def test_old_line_that_never_fitted_its_version_has_no_type(metadata: dict[str, Any]) -> None:
    fact = EventTypes(steps=CHAIN).fact_of(TrailVocabulary().decode(old_line("0.8.0", metadata)))
    assert isinstance(fact, Untyped)


def test_step_sees_a_copy_and_the_line_stays_as_it_was() -> None:
    def spoil(metadata: dict[str, Any]) -> dict[str, Any]:
        metadata.clear()
        return {"phase": "PLAN"}

    line = old_line("0.9.0", OLD_LINES["0.9.0"])
    event = TrailVocabulary().decode(line)
    types = EventTypes(steps={("PhaseStarted", "0.9.0"): ("1.0.0", spoil)})
    assert types.fact_of(event) == types.fact_of(event) == PhaseStarted(phase="PLAN")
    assert TrailVocabulary().encode(event) == line


def test_newer_minor_version_is_read_as_it_stands_and_a_newer_major_one_is_not() -> None:
    later = {"phase": "PLAN", "mood": "good"}
    assert EventTypes().fact_of(TrailVocabulary().decode(old_line("1.7.0", later))) == PhaseStarted(phase="PLAN")
    assert isinstance(EventTypes().fact_of(TrailVocabulary().decode(old_line("2.0.0", later))), Untyped)


@pytest.mark.parametrize(
    "version", ["", "1", "1.0", "1.0.0.0", "1.0.x", "-1.0.0", "1.0.0-rc1", "²‍.0.0", "1.0.9999999999"]
)
def test_text_that_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(NoUpcaster, match="is no semantic version"):
        semver(version)
    with pytest.raises(NoUpcaster):
        upcast("Thing", version, "1.0.0", {})
