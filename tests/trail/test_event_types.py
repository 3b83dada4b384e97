"""Every event type of the trail: its fields, what it refuses, its documentation, and the line that it gives.

The checks go through the types' own descriptions, so that a new type is held to all of them as soon as it is listed.
"""

from __future__ import annotations

import copy
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import inspect as shapes

from esaa.trail import facts
from esaa.trail.facts.base import TrailFact, agent_of, phase_of
from esaa.trail.facts.wording import LINE_MAX, brief, counted, line, listed, quantity, seconds, short, size, told
from esaa.trail.registry import FAMILIES, TRAIL_TYPES
from tests.trail.metadata_examples import EXAMPLES, FURTHER, SPECIFIED, SUMMARIES

TYPES = sorted(TRAIL_TYPES)
HOSTILE = ["", "\n\n", "{} {0} %s", "\ud800", "first\x1b[31m\u202e line\nsecond\r\n\tthird \u2028" + "x" * 500]
_DOCUMENTED = re.compile(r"^- `(\w+)`: \S", re.MULTILINE)


class Leaf(NamedTuple):
    """A value of an example: the way to it, and what its type says about it."""

    way: tuple[str | int, ...]
    shape: shapes.Type


@pytest.fixture(scope="session")
def specification() -> dict[str, dict[str, Any]]:
    """The metadata of every example event of the specification beside the checkout, by event type."""
    page = Path(__file__).resolve().parents[2].parent / "shared" / "seeds" / "event-sourcing-orchestrator.md"
    if not page.is_file():
        pytest.skip("the specification (../shared/seeds) is not here")
    blocks = re.findall(r"^```json\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    events = [json.loads(block) for block in blocks if '"event_type"' in block]
    return {event["event_type"]: event["metadata"] for event in events}


def fact_of(name: str, metadata: dict[str, Any]) -> TrailFact:
    return msgspec.convert(metadata, TRAIL_TYPES[name], strict=True)


def sent_on(fact: TrailFact) -> Any:
    """The metadata again, as it would be read from the line."""
    return msgspec.json.decode(msgspec.json.encode(fact))


def required_of(name: str) -> list[str]:
    return [field.name for field in msgspec.structs.fields(TRAIL_TYPES[name]) if field.required]


def minimal(name: str) -> dict[str, Any]:
    return {field: EXAMPLES[name][field] for field in required_of(name)}


def leaves(shape: shapes.Type, value: Any, way: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
    """Every value of an example that its type restricts, with the way to it."""
    if isinstance(shape, shapes.UnionType):
        for one in shape.types:
            if isinstance(one, shapes.StructType) == isinstance(value, dict):
                yield from leaves(one, value, way)
    elif isinstance(shape, shapes.StructType):
        for field in shape.fields:
            if field.encode_name in value:
                yield from leaves(field.type, value[field.encode_name], (*way, field.encode_name))
    elif isinstance(shape, shapes.VarTupleType):
        for number, one in enumerate(value or ()):
            yield from leaves(shape.item_type, one, (*way, number))
    elif isinstance(shape, shapes.TupleType):
        for number, (inner, one) in enumerate(zip(shape.item_types, value, strict=True)):
            yield from leaves(inner, one, (*way, number))
    elif value is not None:
        yield Leaf(way, shape)


def leaves_of(name: str) -> list[Leaf]:
    return list(leaves(shapes.type_info(TRAIL_TYPES[name]), EXAMPLES[name]))


def with_value(metadata: dict[str, Any], way: tuple[str | int, ...], value: object) -> dict[str, Any]:
    changed = copy.deepcopy(metadata)
    at: Any = changed
    for key in way[:-1]:
        at = at[key]
    at[way[-1]] = value
    return changed


def assert_refused(name: str, way: tuple[str | int, ...], value: object) -> None:
    with pytest.raises(msgspec.ValidationError) as refusal:
        fact_of(name, with_value(EXAMPLES[name], way, value))
    where = "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in way)
    assert where in str(refusal.value)


def assert_one_line(summary: str) -> None:
    assert summary
    assert summary == summary.strip()
    assert summary.isprintable()
    assert len(summary) <= LINE_MAX


def documented(kind: type[Any]) -> list[str]:
    return _DOCUMENTED.findall(inspect.cleandoc(kind.__doc__ or ""))


def parts_of(kind: type[Any]) -> dict[str, type[Any]]:
    """The structs that a type's fields hold, by name."""
    found: dict[str, type[Any]] = {}

    def walk(shape: shapes.Type) -> None:
        if isinstance(shape, shapes.StructType):
            found[shape.cls.__name__] = shape.cls
            for field in shape.fields:
                walk(field.type)
        elif isinstance(shape, shapes.UnionType):
            for one in shape.types:
                walk(one)
        elif isinstance(shape, shapes.VarTupleType):
            walk(shape.item_type)

    walk(shapes.type_info(kind))
    return found


PARTS = {
    name: part
    for kind in TRAIL_TYPES.values()
    for name, part in parts_of(kind).items()
    if not issubclass(part, TrailFact)
}


def test_there_are_at_least_fifty_types_each_in_one_family() -> None:
    listed_types = [kind for family in FAMILIES.values() for kind in family]
    assert len(TRAIL_TYPES) >= 50
    assert len(listed_types) == len(set(listed_types)) == len(TRAIL_TYPES)
    assert all(FAMILIES.values())


def test_a_name_of_a_type_is_the_name_of_its_class() -> None:
    assert all(name == kind.__name__ and re.fullmatch(r"[A-Z][A-Za-z0-9]+", name) for name, kind in TRAIL_TYPES.items())


def test_every_type_is_in_the_registry() -> None:
    modules = [import_module(f"esaa.trail.facts.{one.name}") for one in pkgutil.iter_modules(facts.__path__)]
    defined = {
        one
        for module in modules
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, TrailFact) and one is not TrailFact
    }
    assert defined == set(TRAIL_TYPES.values())


def test_every_type_has_an_example() -> None:
    assert set(EXAMPLES) == set(TRAIL_TYPES)
    assert set(SUMMARIES) == set(TRAIL_TYPES)
    assert not set(SPECIFIED) & set(FURTHER)


def test_examples_of_the_specification_are_kept_word_for_word(specification: dict[str, dict[str, Any]]) -> None:
    assert len(specification) == 36
    assert specification == SPECIFIED


def test_examples_of_the_specification_validate_and_lose_nothing(specification: dict[str, dict[str, Any]]) -> None:
    for name, metadata in specification.items():
        assert sent_on(fact_of(name, metadata)) == metadata


@pytest.mark.parametrize("name", TYPES)
def test_full_example_names_every_field_and_loses_nothing(name: str) -> None:
    fields = {field.name for field in msgspec.structs.fields(TRAIL_TYPES[name])}
    assert set(EXAMPLES[name]) == fields - {"extra"}
    full = EXAMPLES[name] | {"extra": {"ticket": {"nested": [1, None, "x"]}}}
    assert sent_on(fact_of(name, full)) == full


@pytest.mark.parametrize("name", TYPES)
def test_a_field_that_is_absent_stays_absent(name: str) -> None:
    assert sent_on(fact_of(name, minimal(name))) == minimal(name)


@pytest.mark.parametrize("name", TYPES)
def test_missing_required_field_is_refused_by_name(name: str) -> None:
    for field in required_of(name):
        without = {key: value for key, value in EXAMPLES[name].items() if key != field}
        with pytest.raises(msgspec.ValidationError, match=f"missing required field `{field}`"):
            fact_of(name, without)


@pytest.mark.parametrize("name", TYPES)
def test_field_of_the_wrong_type_is_refused_where_it_stands(name: str) -> None:
    # A list in an object fits no field that is a text, a number or a truth value.
    checked = [leaf for leaf in leaves_of(name) if not isinstance(leaf.shape, shapes.AnyType | shapes.DictType)]
    assert checked
    for leaf in checked:
        assert_refused(name, leaf.way, {"unexpected": []})


def test_enum_refuses_a_word_that_it_does_not_have() -> None:
    enums = [(name, leaf) for name in TYPES for leaf in leaves_of(name) if isinstance(leaf.shape, shapes.LiteralType)]
    assert len(enums) >= 30
    for name, leaf in enums:
        assert_refused(name, leaf.way, "no such word")
        assert_refused(name, leaf.way, "")


def test_enum_takes_every_word_that_it_has_and_tells_it() -> None:
    for name in TYPES:
        for leaf in leaves_of(name):
            if isinstance(leaf.shape, shapes.LiteralType):
                for word in leaf.shape.values:
                    assert_one_line(fact_of(name, with_value(EXAMPLES[name], leaf.way, word)).summary())


def test_number_below_its_least_value_is_refused() -> None:
    bounded = [
        (name, leaf, leaf.shape.ge)
        for name in TYPES
        for leaf in leaves_of(name)
        if isinstance(leaf.shape, shapes.IntType | shapes.FloatType) and leaf.shape.ge is not None
    ]
    assert len(bounded) >= 150
    for name, leaf, least in bounded:
        assert_refused(name, leaf.way, int(least) - 1)


def test_share_above_the_whole_is_refused() -> None:
    for name, way in (
        ("TestRunCompleted", ("coverage", "lines")),
        ("OrchestrationCompleted", ("metrics", "test_coverage")),
        ("AgentCompleted", ("quality_metrics", "test_coverage")),
        ("DecisionMade", ("confidence",)),
        ("ExternalCallFailed", ("http_status",)),
    ):
        assert_refused(name, way, 600)


def test_whole_number_refuses_a_fraction_a_truth_value_and_what_readers_of_json_round() -> None:
    whole = [(name, leaf) for name in TYPES for leaf in leaves_of(name) if isinstance(leaf.shape, shapes.IntType)]
    assert whole
    for name, leaf in whole:
        for value in (1.5, True, "1"):
            assert_refused(name, leaf.way, value)
        if leaf.way[-1] != "exit_code":
            assert_refused(name, leaf.way, 2**53)


def test_text_with_a_form_refuses_another_form() -> None:
    formed = [
        (name, leaf)
        for name in TYPES
        for leaf in leaves_of(name)
        if isinstance(leaf.shape, shapes.StrType) and leaf.shape.pattern
    ]
    assert len(formed) >= 40
    for name, leaf in formed:
        for value in ("", "yesterday", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"):
            assert_refused(name, leaf.way, value)


@pytest.mark.parametrize(
    "moment",
    [
        "2025-12-22T10:30:00",
        "2025-12-22 10:30:00Z",
        "2025-13-22T10:30:00Z",
        "2025-12-32T10:30:00Z",
        "2025-12-22T24:30:00Z",
        "2025-12-22T10:60:00Z",
        "2025-12-22T10:30:00Z\n",
        "2025-12-22T10:30:00+0100",
        "٢٠٢٥-12-22T10:30:00Z",
    ],
)
def test_time_without_zone_or_out_of_range_is_refused(moment: str) -> None:
    assert_refused("OrchestrationResumed", ("paused_at",), moment)


@pytest.mark.parametrize(
    "moment", ["2025-12-22T10:30:00Z", "2025-12-22T10:30:00.123Z", "2025-12-22T10:30:00.123456789+05:30"]
)
def test_time_of_any_precision_and_offset_is_kept_as_it_was_sent(moment: str) -> None:
    metadata = EXAMPLES["OrchestrationResumed"] | {"paused_at": moment}
    assert sent_on(fact_of("OrchestrationResumed", metadata)) == metadata


def test_unknown_keys_of_a_nested_object_do_not_refuse_the_event() -> None:
    metadata = with_value(EXAMPLES["TestRunCompleted"], ("coverage", "mutation_score"), 71)
    assert fact_of("TestRunCompleted", metadata) == fact_of("TestRunCompleted", EXAMPLES["TestRunCompleted"])


def test_merge_names_no_more_than_a_hundred_concurrent_pairs() -> None:
    pairs = [["a", "b"]] * 100
    assert fact_of("TrailMerged", EXAMPLES["TrailMerged"] | {"concurrent": pairs})
    assert_refused("TrailMerged", ("concurrent",), [*pairs, ["a", "b"]])


@pytest.mark.parametrize("name", TYPES)
def test_summary_says_what_happened(name: str) -> None:
    summary = fact_of(name, EXAMPLES[name]).summary()
    assert summary == SUMMARIES[name]
    assert_one_line(summary)


@pytest.mark.parametrize("name", TYPES)
def test_summary_needs_no_optional_field(name: str) -> None:
    assert_one_line(fact_of(name, minimal(name)).summary())
    for field, value in EXAMPLES[name].items():
        assert_one_line(fact_of(name, minimal(name) | {field: value}).summary())
        if field not in required_of(name):
            rest = {key: other for key, other in EXAMPLES[name].items() if key != field}
            assert_one_line(fact_of(name, rest).summary())


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("text", HOSTILE)
def test_summary_stays_one_line_whatever_the_texts_hold(name: str, text: str) -> None:
    metadata = EXAMPLES[name]
    for leaf in leaves_of(name):
        if isinstance(leaf.shape, shapes.StrType) and not leaf.shape.pattern:
            metadata = with_value(metadata, leaf.way, text)
    assert_one_line(fact_of(name, metadata).summary())


@pytest.mark.parametrize("name", TYPES)
def test_summary_takes_zero_empty_lists_and_null(name: str) -> None:
    metadata = EXAMPLES[name]
    shape = shapes.type_info(TRAIL_TYPES[name])
    assert isinstance(shape, shapes.StructType)
    for field in shape.fields:
        options = field.type.types if isinstance(field.type, shapes.UnionType) else (field.type,)
        if any(isinstance(one, shapes.NoneType) for one in options):
            metadata = metadata | {field.name: None}
        elif any(isinstance(one, shapes.VarTupleType) and not one.min_length for one in options):
            metadata = metadata | {field.name: []}
        elif any(isinstance(one, shapes.IntType | shapes.FloatType) and not one.ge for one in options):
            metadata = metadata | {field.name: 0}
    assert_one_line(fact_of(name, metadata).summary())


@pytest.mark.parametrize("name", TYPES)
def test_every_field_is_documented_and_nothing_else(name: str) -> None:
    kind = TRAIL_TYPES[name]
    shared = inspect.cleandoc(TrailFact.__doc__ or "").partition("wherever they occur:")[2]
    fields = [field.name for field in msgspec.structs.fields(kind)]
    own = documented(kind)
    assert len(own) == len(set(own))
    assert set(own) <= set(fields)
    assert set(fields) <= {*own, *_DOCUMENTED.findall(shared)}


@pytest.mark.parametrize("name", TYPES)
def test_docstring_says_who_records_the_type(name: str) -> None:
    prose = inspect.cleandoc(TRAIL_TYPES[name].__doc__ or "").partition("- `")[0]
    assert re.search(r"\b(Recorded\s+by|Fed\s+from)\b", prose)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_field_of_a_nested_object_is_documented(part: str) -> None:
    assert sorted(documented(PARTS[part])) == sorted(field.name for field in msgspec.structs.fields(PARTS[part]))


@pytest.mark.parametrize("name", TYPES)
def test_phase_and_agent_are_found_where_the_type_keeps_them(name: str) -> None:
    kind = TRAIL_TYPES[name]
    fields = {field.name for field in msgspec.structs.fields(kind)}
    for attribute, standard, found in (
        ("phase_field", "phase", phase_of(fact_of(name, EXAMPLES[name]))),
        ("agent_field", "agent_name", agent_of(fact_of(name, EXAMPLES[name]))),
    ):
        field = getattr(kind, attribute)
        if field != standard and field is not None:
            assert field in fields
        if standard in fields:
            assert field == standard
        assert found == (EXAMPLES[name][field] if field in fields else None)


def test_no_field_has_a_default_that_looks_like_data() -> None:
    for kind in (*TRAIL_TYPES.values(), *PARTS.values()):
        for field in msgspec.structs.fields(kind):
            assert field.default in (msgspec.NODEFAULT, msgspec.UNSET)
            assert field.default_factory is msgspec.NODEFAULT


def test_nested_objects_have_names_of_their_own_in_the_schema() -> None:
    _, components = msgspec.json.schema_components(list(TRAIL_TYPES.values()))
    assert set(components) == {*TRAIL_TYPES, *PARTS}


def test_what_ended_failed_or_was_allowed_is_never_repeatable() -> None:
    for_good = re.compile(
        r"Completed|Failed|Merged|Closed|Granted|Denied|Approval|Deployment|Error|CommitC|Deleted|Erased|Prompt|Tool"
    )
    repeatable = {name for name, kind in TRAIL_TYPES.items() if kind.is_repeatable}
    assert not [name for name in repeatable if for_good.search(name)]
    assert repeatable >= {"IssueTransitioned", "CommentPosted", "AgentSpawned", "FileWritten", "CheckpointCreated"}


def test_types_of_tests_are_no_tests() -> None:
    for name, kind in TRAIL_TYPES.items():
        assert getattr(kind, "__test__", True) is not name.startswith("Test")


def test_unset_and_null_differ_for_a_new_file() -> None:
    written = {"path": "a.py", "after_sha256": "a" * 64}
    assert fact_of("FileWritten", written).summary() == "a.py is written"
    assert fact_of("FileWritten", written | {"before_sha256": None}).summary() == "a.py is written (new)"


def test_run_without_an_issue_has_null_for_its_key() -> None:
    started = fact_of("OrchestrationStarted", {"issue_key": None, "initial_phase": "PLAN"})
    assert started.summary() == "the run starts in PLAN"
    with pytest.raises(msgspec.ValidationError, match="issue_key"):
        fact_of("OrchestrationStarted", {"initial_phase": "PLAN"})


def test_dry_replay_is_not_told_as_done() -> None:
    dry = EXAMPLES["EventReplayed"] | {"dry_run": True, "matches_recorded": None}
    assert fact_of("EventReplayed", dry).summary().startswith("IssueTransitioned #52 would be replayed")


def test_setting_without_a_value_differs_from_one_that_is_null() -> None:
    assert fact_of("ConfigurationChanged", {"key": "a"}).summary() == "setting a changes"
    assert fact_of("ConfigurationChanged", {"key": "a", "new_value": None}).summary() == "setting a changes to null"
    assert fact_of("ConfigurationChanged", {"key": "a", "new_value": [1]}).summary() == "setting a changes to ..."
    shown = fact_of("ConfigurationChanged", {"key": "a", "old_value": "x\ny", "new_value": True}).summary()
    assert shown == 'setting a changes from "x\\ny" to true'


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (seconds(0.35), "0.35 s"),
        (seconds(119), "119 s"),
        (seconds(120), "2 min"),
        (seconds(3599), "1 h"),
        (seconds(3900), "1 h 5 min"),
        (seconds(float("inf")), "inf s"),
        (size(1), "1 byte"),
        (size(1023), "1023 bytes"),
        (size(1024), "1 KiB"),
        (size(2_621_440), "2.5 MiB"),
        (size(5 * 2**40), "5 TiB"),
        (quantity(0, "micro_usd"), "$0"),
        (quantity(42, "micro_usd"), "$0.000042"),
        (quantity(9_999, "micro_usd"), "$0.009999"),
        (quantity(10_000, "micro_usd"), "$0.01"),
        (quantity(1_234_567_890, "micro_usd"), "$1,234.57"),
        (quantity(12_000, "tokens"), "12,000 tokens"),
        (quantity(90, "seconds"), "90 s"),
        (counted(0, "file"), "0 files"),
        (counted(1, "file"), "1 file"),
        (listed(["a", "b\nc", "d"]), "a, b, d"),
        (listed(["a", "b", "c", "d", "e"]), "a, b, c and 2 more"),
        (brief("  one \n two"), "one"),
        (brief(""), ""),
        (short("0123456789abcdef"), "0123456789ab"),
        (told(" by {}", None), ""),
        (told(" by {}", msgspec.UNSET), ""),
        (told(" by {}", ""), ""),
        (told(" by {}", 0), " by 0"),
        (told(": {}", "{x}"), ": {x}"),
        (line("a\tb\x00"), "a b"),
        (line("x" * 999), "x" * (LINE_MAX - 1) + "…"),
    ],
)
def test_words_for_people(said: str, words: str) -> None:
    assert said == words
