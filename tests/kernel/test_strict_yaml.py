"""Strict YAML: what it reads, and everything that it refuses."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.strict_yaml import DEPTH_MAX, NotStrictYaml, PlainValue, loads_yaml


@pytest.fixture(params=["c", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers: the C one, and the Python one that serves where libyaml is missing."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml")


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        (
            "a: {b: [x, -2, 1.5, 1e3, true, false, null, ~]}",
            {"a": {"b": ["x", -2, 1.5, 1000.0, True, False, None, None]}},
        ),
        ("a:\n", {"a": None}),
        ('a: "1"', {"a": "1"}),
        ("a: '~'", {"a": "~"}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("a: >-\n  one\n  two\n", {"a": "one two"}),
        ("a: é", {"a": "é"}),
        ("a: 0.4.0", {"a": "0.4.0"}),
        ("a: PT30M", {"a": "PT30M"}),
        ("a: 2026-02-27", {"a": "2026-02-27"}),
        ("[]", []),
        ("--- {}\n...\n", {}),
        ("\ufeffa: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    ],
)
def test_plain_yaml_is_read(text: str, value: PlainValue) -> None:
    assert loads_yaml(text) == value


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "word", ["no", "yes", "on", "off", "True", "017", "0x1f", "0o7", "1_000", ".inf", ".nan", "12:30", "="]
)
def test_words_with_two_meanings_stay_text(word: str) -> None:
    assert loads_yaml(f"a: {word}") == {"a": word}


def test_number_beyond_any_limit_stays_text() -> None:
    assert loads_yaml("a: " + "9" * 5000) == {"a": "9" * 5000}


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\na: 2", "line 2: the key 'a' stands twice"),
        ("x: {b: 1, c: 2, b: 3}", "line 1: the key 'b' stands twice"),
        ('a: 1\n"a": 2', "line 2: the key 'a' stands twice"),
        ("a: &x 1", "line 1: anchors and aliases are not allowed"),
        ("a: &x {b: 1}", "anchors and aliases are not allowed"),
        ("a: &x [b]", "anchors and aliases are not allowed"),
        ("a: 1\nb: *x", "line 2: anchors and aliases are not allowed"),
        ("a: !!str 1", "line 1: tags are not allowed"),
        ("a: ! 1", "tags are not allowed"),
        ("a: !!map {}", "tags are not allowed"),
        ("a: !!python/object/apply:os.system ['true']", "tags are not allowed"),
        ("%YAML 1.1\n---\na: 1", "directives are not allowed"),
        ("%TAG ! tag:example.com,2026:\n---\na: 1", "directives are not allowed"),
        ("a: 1\n---\nb: 2", "a second document begins here"),
        ("", "there is no document"),
        ("# nothing but a comment\n", "there is no document"),
        ("1: a", "the key '1' is not a text"),
        ("true: a", "the key 'True' is not a text"),
        ("~: a", "the key 'None' is not a text"),
        ("? [a]\n: 1", "is not a text"),
        ("a: [1", "not YAML"),
        ("a: b: c", "line 1, column 5: not YAML"),
        ("\ta: 1", "not YAML"),
        ("a: \x00", "not YAML"),
        ("@a", "not YAML"),
        ("[" * (DEPTH_MAX + 1), f"nested more than {DEPTH_MAX} deep"),
        ("{a: " * (DEPTH_MAX + 1), f"nested more than {DEPTH_MAX} deep"),
    ],
)
def test_surprising_yaml_is_refused(text: str, why: str) -> None:
    with pytest.raises(NotStrictYaml) as caught:
        loads_yaml(text)
    assert why in str(caught.value)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("escape", ["\\ud800", "\\UFFFFFFFF"])
def test_escape_that_is_no_character_is_refused(escape: str) -> None:
    with pytest.raises(NotStrictYaml):
        loads_yaml(f'a: "{escape}"')


@pytest.mark.usefixtures("parser")
def test_deepest_allowed_value_is_read() -> None:
    loads_yaml("[" * DEPTH_MAX + "]" * DEPTH_MAX)


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? ", "a: &x [*x", "'", "x", "\n", "!", "%"])
def test_bomb_is_answered_at_once(unit: str) -> None:
    began = time.process_time()
    with contextlib.suppress(NotStrictYaml):
        loads_yaml(unit * (262_144 // len(unit)))
    assert time.process_time() - began < 5


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(NotStrictYaml):
        loads_yaml(text)


_SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text()


@given(st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_what_json_can_say_is_read_the_same(value: PlainValue) -> None:
    # JSON is YAML, but for characters that YAML wants escaped; escapes of astral characters are JSON's alone.
    text = json.dumps(value)
    if "\\ud" not in text:
        assert loads_yaml(text) == value


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["\udcff", "a: \ud800", "a\udcff: 1", "# \udfff"])
def test_bytes_that_were_no_text_are_refused(text: str) -> None:
    with contextlib.suppress(NotStrictYaml):
        loads_yaml(text)
