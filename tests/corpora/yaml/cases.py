"""YAML from outside: by class, the text and the value that it has to give, or what the refusal has to say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Refused(NamedTuple):
    """The text is refused, and the refusal says this."""

    why: str


class Case(NamedTuple):
    """Bytes of a class, and the value that they have to give, or a `Refused`."""

    kind: str
    data: bytes
    expected: Any


_LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
_TAGS = Refused("tags are not allowed")
_ALIASES = Refused("anchors and aliases are not allowed")
_TWICE = Refused("stands twice")
_NO_TEXT = Refused("is not a text")
_DEEP = Refused("nested more than")
_LARGE = Refused("more than")
_BROKEN = Refused("not YAML")

TABLE: dict[str, tuple[tuple[str | bytes, Any], ...]] = {
    "plain": (
        ("a: 1", {"a": 1}), ("- a\n- b\n", ["a", "b"]), ("a: {b: [1, 2]}", {"a": {"b": [1, 2]}}), ("a: |\n  x\n", {"a": "x\n"}),
        ("'a b': \"c\\n\"", {"a b": "c\n"}), ("é: 中", {"é": "中"}), ("a: 1 # b", {"a": 1}), ("a:\n", {"a": None}), ("--- 1", 1),
    ),
    "tags": tuple((text, _TAGS) for text in (
        "!!python/object/apply:os.system ['id']", "a: !!python/name:os.system", "a: !!str 1", "!!binary aGk=", "a: !x 1",
        "!<tag:yaml.org,2002:int> 1", "- !!set {a, b}", "!!python/tuple [1]", "a: !!timestamp 2026-01-01", "!!omap [a: 1]",
        "!!python/object/new:type {}", "a: !!float 1", "! a",
    )),
    "anchors, aliases and bombs": (
        *((text, _ALIASES) for text in (
            "a: &a 1", "a: &a [1]\nb: *a", "&a [*a]", "&a {b: *a}", "- *none", _LAUGHS, "a: &x {}\n<<: *x", "- &a a\n" * 1000,
            "&a a: &b b", "*a : 1",
        )),
    ),
    "merge keys": (("<<: {a: 1}\nb: 2", {"<<": {"a": 1}, "b": 2}), ("'<<': 1", {"<<": 1}), ("<<: [{a: 1}]", {"<<": [{"a": 1}]})),
    "words that are no booleans": tuple((f"a: {word}", {"a": word}) for word in (
        "no", "yes", "on", "off", "No", "NO", "y", "n", "Yes", "ON", "True", "TRUE", "False", "Null", "NULL",
    )),
    "texts that are no numbers": tuple((f"a: {word}", {"a": word}) for word in (
        "010", "0o17", "0x1F", "0b11", "1_000", "12:30:45", "190:20:30", "1.", ".5", "+.inf", ".nan", ".inf", "-.INF", "1e", "0.4.0",
        "2026-02-27", "2026-02-27T01:25:22Z", "1e999", "99999999999999999999", "00", "+", "--", "1,000", "0.1e1000", "=",
    )),
    "numbers": (
        ("a: 0", {"a": 0}), ("a: -1", {"a": -1}), ("a: 1.5", {"a": 1.5}), ("a: 1e3", {"a": 1000.0}), ("a: +7", {"a": 7}),
        ("a: 999999999999999999", {"a": 999999999999999999}),
    ),
    "duplicate keys": tuple((text, _TWICE) for text in (
        "a: 1\na: 2", "{a: 1, a: 1}", "a: 1\n'a': 2", "a: 1\n\"\\x61\": 2", "x: {a: 1, b: 2, a: 3}", "- {a: 1, a: 2}", "? a\n? a\n",
        "'': 1\n\"\": 2",
    )),
    "keys that are no texts": tuple((text, _NO_TEXT) for text in (
        "1: a", "null: a", "true: a", "~: a", "1.5: a", "? [a]\n: b", "? {a: b}\n: c", "? \n: a", "{[a]: b}", "{1: a}", "? - a\n - b",
    )),
    "several documents": tuple((text, Refused("second document")) for text in (
        "a: 1\n---\nb: 2", "---\n---\n", "a\n...\n---\nb", "--- |\n--- |\n",
    )),
    "directives": (
        ("%YAML 1.2\n---\na: 1", Refused("directives are not allowed")), ("%TAG ! x:\n---\na", Refused("directives are not allowed")),
        ("%YAML 9.9\n---\na", _BROKEN), ("%FOO\n", _BROKEN), ("%YAML 1.1\n---\n", Refused("directives are not allowed")),
    ),
    "deep": (
        ("[" * 33 + "]" * 33, _DEEP), ("[" * 100_000, _DEEP), ("{a: " * 40 + "1" + "}" * 40, _DEEP), ("- " * 50_000, _DEEP),
        ("\n".join(" " * number + "a:" for number in range(40)), _DEEP), ("? " * 50_000, _DEEP), ("[{" * 20, _DEEP),
        ("[" * 31 + "]" * 31, None),
    ),
    "large": (
        ("a: " + "x" * (256 << 10), _LARGE), ("#" * ((256 << 10) + 1), _LARGE), ("- a\n" * (1 << 17), _LARGE),
        ("a: " + "x" * (1 << 17), None), ("- a\n" * (1 << 15), None), ("\n".join(f"k{number}: 1" for number in range(20_000)), None),
    ),
    "not UTF-8": (
        (b"a: \xff", Refused("not UTF-8")), (b"a: \xc0\xaf", Refused("not UTF-8")), (b"a: \xed\xa0\x80", Refused("not UTF-8")),
        ("a: 1".encode("utf-16"), Refused("not UTF-8")), ("a: é".encode("latin-1"), Refused("not UTF-8")),
        ("a: 1".encode("utf-16-le"), _BROKEN), (b"\xef\xbb\xbfa: 1", {"a": 1}),
    ),
    "characters that are none": (
        ("a: \0", _BROKEN), ("a: \x07", _BROKEN), ("a: \x1b[31m", _BROKEN), ("\x7f: 1", _BROKEN), ('"\\ud800"', _BROKEN),
        ('"\\UFFFFFFFF"', _BROKEN), ('"\\q"', _BROKEN), ("a: \ufffe", _BROKEN), ('"\\x1b"', "\x1b"), ('"\\0"', "\0"),
    ),
    "broken": tuple((text, _BROKEN) for text in (
        "a: [1", "a: {", "a: 'x", 'a: "x', "a: b: c", "- a\nb", "\t- a", "a: |x\n", "a: @b", "a: `b`", "]", "}", "a\n b: c\n", "[a, b",
        "{a b: c: d}", "a: 'b' c", "k" * 1100 + ": 1\nb", "[1,,2]", ", a", ": a", "...\n", "a:\n\tb: 1", "> > a",
    )),
    "empty": tuple((text, Refused("no document")) for text in ("", " ", "\n\n", "# nothing\n", "\ufeff")),
}  # fmt: skip
"""`None` as a value stands for "whatever it gives"."""


def cases() -> Iterator[Case]:
    """Every case, class by class."""
    for kind, rows in TABLE.items():
        for text, expected in rows:
            yield Case(kind, text if isinstance(text, bytes) else text.encode(), expected)
