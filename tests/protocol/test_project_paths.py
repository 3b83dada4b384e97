"""What a legal project path is, which spellings are one file, and what a pattern covers."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.protocol.boundaries import duplicate_path, pattern_fault
from esaa.protocol.paths import (
    PART_BYTES_MAX,
    PARTS_MAX,
    PATH_CHARS_MAX,
    covered_folded,
    fold,
    matches,
    overlap,
    path_fault,
)

BAD_PATHS: dict[str, list[str]] = {
    "empty": [""],
    "too long": ["a/" * 511 + "abc", "a" * (PATH_CHARS_MAX + 1)],
    "too deep": ["/".join(["a"] * (PARTS_MAX + 1))],
    "component too long": ["a" * 256, "src/" + "é" * 128 + ".py"],
    "absolute": ["/etc/passwd", "//server/share", "/"],
    "drive letter": ["C:/windows", "c:relative"],
    "backslash": ["src\\a.py", "..\\a", "\\\\server\\share"],
    "parent component": ["..", "../a", "src/../../a", "src/..", "a/../b"],
    "dot component": [".", "./a", "src/./a", "src/."],
    "empty component": ["src//a", "src///a"],
    "trailing slash": ["src/", "a/b/"],
    "line feed": ["src/a\n.py", "a\n", "\na"],
    "carriage return": ["src/a\r"],
    "tab": ["src/a\tb"],
    "null": ["src/a\0.py", "\0"],
    "escape and delete": ["src/\x1b[31m", "src/\x7f"],
    "C1 control": ["src/\x85a", "src/\x9b31m"],
    "bidirectional override": ["src/\u202egpj.exe", "src/\u2066a"],
    "zero width": ["src/a\u200b.py", ".gi\u200dt/config", "src/\ufeffa", "src/\u00ada"],
    "line separator": ["src/a\u2028b", "src/a\u2029b"],
    "lone surrogate": ["src/\ud800", "\udfff"],
    "not in form C": [unicodedata.normalize("NFD", "src/é.py"), "src/\u212aelvin.py", "\u212b"],
    "ends with a dot or space": ["src/a.", "src/a ", "src./a", "src /a", "..."],
    "begins with a space, hyphen or tilde": [" src/a", "-rf", "src/-o", "~/a", "~root", "src/ a"],
    "reserved device": [
        "con",
        "CON.txt",
        "src/nul",
        "src/aux.py",
        "prn",
        "com1",
        "LPT9.log",
        "com¹",
        "conin$",
        "a/Nul.x",
    ],
    "Windows short name": ["PROGRA~1/a", "GIT~1/config", "src/a~1.py"],
    "forbidden character": [
        "src/a?.py",
        "src/*.py",
        "a<b",
        "a>b",
        'a"b',
        "a|b",
        "a:b",
        "src/a:stream",
        ".git::$INDEX_ALLOCATION",
    ],
    "compatibility spelling of something else": [
        "src/\uff0e\uff0e/a",
        "\u2025/a",
        "src/\u2024/a",
        "src\uff0fa",
        "src/a\uff1astream",
        "a\uff3cb",
        "src/\uff23\uff2f\uff2e",
        "src/a\u00a0",
        "src/\u3000a",
        "src/a\uff5e1.py/\uff5ex",
    ],
    "letter that nobody sees": ["src/a\u3164", "src/\u115f", "src/a\u2800b", "src/\uffa0"],
    "compatibility spelling of a protected name": [
        "\uff0egit/config",
        "\uff47it.git/../x",
        ".\uff47it/config",
        ".\u24e1oadmap/x",
        ".\ufb01/../x",
        ".\u1d4dit/x",
    ],
}

GOOD_PATHS = [
    "a",
    "src/a.py",
    "docs/spec/T-1000.md",
    "src/index.html",
    "src/über/straße.txt",
    "src/日本語/ファイル.md",
    "src/a b/c d.txt",
    ".github/workflows/ci.yml",
    ".editorconfig",
    "src/.hidden/a",
    "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z",
    "/".join(["a"] * PARTS_MAX),
    "a" * PART_BYTES_MAX,
    "src/console.py",
    "src/com10.txt",
    "src/nullable.rs",
    "src/a-b_c+d=e,f;g@h!i#j$k%l&m(n)[o]{p}'q^`.txt",
    "src/a..b",
    "src/...a",
    "src/a~b",
    "_private",
    "9lives",
    "auxiliary/conning.tower",
    "src/emoji-😀.txt",
]


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in BAD_PATHS.items() for path in paths])
def test_bad_path_has_a_fault(kind: str, path: str) -> None:
    assert path_fault(path) is not None, kind


def test_corpus_of_bad_paths_has_at_least_twenty_five_classes() -> None:
    assert len(BAD_PATHS) >= 25


@pytest.mark.parametrize("path", GOOD_PATHS)
def test_good_path_has_no_fault(path: str) -> None:
    assert path_fault(path) is None


@settings(derandomize=True, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_every_text_is_a_good_path_or_has_a_fault_and_no_good_one_leaves_the_project(path: str) -> None:
    if path_fault(path) is None:
        assert not path.startswith("/")
        assert "\\" not in path
        assert not {"", ".", ".."} & set(path.split("/"))
        assert unicodedata.normalize("NFC", path) == path
        assert path.isprintable() or any(unicodedata.category(c) in ("Zs", "Co", "Cn") for c in path)


@pytest.mark.parametrize(
    "spelling",
    [".roadmap", ".ROADMAP", ".Roadmap", ".\uff52oadmap", ".git", ".GIT", ".gIt", ".Claude", ".CODEX", ".Gemini"],
)
def test_every_spelling_of_a_protected_directory_is_faulty_or_covered(spelling: str) -> None:
    never = (".roadmap/**", ".git/**", ".claude/**", ".codex/**", ".gemini/**")
    for path in (spelling, f"{spelling}/config", f"{spelling}/a/b"):
        assert path_fault(path) is not None or covered_folded(path, never)


def test_folding_makes_the_spellings_of_one_file_equal() -> None:
    assert fold("SRC/Straße.PY") == fold("src/STRASSE.py")
    assert fold("src/é") == fold(unicodedata.normalize("NFD", "src/É"))
    assert fold("src/a") != fold("src/b")


# Patterns.


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("src/**", ["src/a", "src/a/b"], ["src", "src-evil/a", "srcx", "a/src/b", "SRC/a"]),
        ("src/", ["src/a", "src/a/b"], ["src", "src-evil/a"]),
        ("src/**/**", ["src/a", "src/a/b"], ["src", "srcs/a"]),
        ("src/**/", ["src/a", "src/a/b"], ["src"]),
        ("**", ["a", "a/b", ".git/x"], [""]),
        ("**/", ["a", "a/b"], [""]),
        ("**/**", ["a", "a/b"], [""]),
        ("src/a.py", ["src/a.py"], ["src/a.py/b", "src/axpy", "src/a.pyx", "x/src/a.py"]),
        ("docs/*.md", ["docs/a.md", "docs/.md"], ["docs/a/b.md", "docs/a.mdx", "docs/a.md/b"]),
        ("docs/a?.md", ["docs/ab.md"], ["docs/a.md", "docs/abc.md", "docs/a/.md"]),
        ("**/test_*.py", ["test_a.py", "a/test_b.py", "a/b/test_.py"], ["a/test_b.pyc", "test_a.py/x"]),
        ("src/**/x", ["src/x", "src/a/x", "src/a/b/x"], ["src/a", "x", "src/xx"]),
        ("a/**/b/**/c", ["a/b/c", "a/x/b/y/z/c", "a/b/b/c"], ["a/c/b", "a/b"]),
        ("**/x/**", ["x/a", "a/x/b", "a/b/x/c/d"], ["x", "a/x"]),
        ("a*b*c", ["abc", "aXbXc", "abbcc"], ["ab/c", "acb", "abcd"]),
        ("a.+(b)", ["a.+(b)"], ["aab", "a.b"]),
        ("", [""], ["a"]),
        ("/a", ["/a"], ["a"]),
    ],
)
def test_pattern_covers_whole_components_only(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in yes if not matches(path, pattern)] == []
    assert [path for path in no if matches(path, pattern)] == []


_WORD = st.text("ab", min_size=1, max_size=3)
_GLOB = st.one_of(st.just("**"), st.text("ab*?", min_size=1, max_size=4))


@settings(derandomize=True, deadline=None)
@given(
    st.lists(_WORD, min_size=1, max_size=5).map("/".join),
    st.tuples(st.lists(_GLOB, min_size=1, max_size=5).map("/".join), st.sampled_from(["", "/"])).map("".join),
)
def test_pattern_matches_as_its_definition_says(path: str, pattern: str) -> None:
    assert matches(path, pattern) == _defined(path.split("/"), pattern.removesuffix("/").split("/"), pattern[-1] == "/")


def _defined(names: list[str], parts: list[str], below: bool) -> bool:
    if below or parts[-1] == "**":
        rest = parts if below and parts[-1] != "**" else parts[:-1]
        return any(_components(names[:count], rest) for count in range(len(names)))
    return _components(names, parts)


def _components(names: list[str], parts: list[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_components(names[skipped:], parts[1:]) for skipped in range(len(names) + 1))
    return bool(names) and _characters(names[0], parts[0]) and _components(names[1:], parts[1:])


def _characters(name: str, part: str) -> bool:
    if not part:
        return not name
    if part[0] == "*":
        return any(_characters(name[skipped:], part[1:]) for skipped in range(len(name) + 1))
    return bool(name) and part[0] in (name[0], "?") and _characters(name[1:], part[1:])


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/".join(["a" * 20] * 60), "/".join(["**", "a*"] * 300) + "/x"),
        ("a" * 250 + "b", "*a" * 500 + "c"),
        ("a/" * 60 + "z", "**/*a*/" * 200 + "x"),
        ("a/" * 60 + "z", "**/" * 600 + "x"),
    ],
)
def test_hostile_pattern_costs_no_time(path: str, pattern: str) -> None:
    began = time.process_time()

    assert not matches(path, pattern)

    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("pattern", ["secret/**", "secret/", "secret/**/**", "SECRET/**"])
def test_forbidden_directory_is_covered_with_its_own_name_in_any_case(pattern: str) -> None:
    for path in ("secret", "Secret", "secret/a", "SECRET/b/c"):
        assert covered_folded(path, (pattern,))
    assert not covered_folded("secrets/a", (pattern,))
    assert not covered_folded("a", ())


@pytest.mark.parametrize(
    ("pattern", "is_legal"),
    [
        ("src/**", True),
        ("src/", True),
        ("**", True),
        ("docs/*.md", True),
        ("**/x", True),
        ("src/a.py", True),
        ("", False),
        ("/src/**", False),
        ("../**", False),
        ("src/../**", False),
        ("src//**", False),
        ("src\\**", False),
        ("src/a?.py", False),
        ("~/**", False),
        ("/**", False),
    ],
)
def test_pattern_is_legal_as_a_path_would_be(pattern: str, is_legal: bool) -> None:
    assert (pattern_fault(pattern) is None) == is_legal


# Two write sets.


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("src/a.py", "src/a.py", True),
        ("src/a.py", "SRC/A.py", True),
        ("src/a.py", "src/b.py", False),
        ("src/a", "src/a/b", True),
        ("src/a", "src/ab", False),
        ("src/**", "src/a.py", True),
        ("src/**", "tests/a.py", False),
        ("src/", "src/a/", True),
        ("src/", "src", True),
        ("src/*.py", "src/a/**", True),
        ("docs/*.md", "tests/**", False),
        ("**", "anything/at/all", True),
    ],
)
def test_write_sets_meet_where_one_file_could_be_in_both(one: str, other: str, meet: bool) -> None:
    assert (overlap((one,), (other,)) is not None) == meet
    assert (overlap((other,), (one,)) is not None) == meet


def test_overlap_names_the_pattern_of_the_left_side() -> None:
    assert overlap(("docs/a", "src/**"), ("src/b",)) == "src/**"
    assert overlap((), ("src/b",)) is None


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["a", "b"], None),
        (["a", "a"], ("a", "a")),
        (["src/a", "SRC/A"], ("src/a", "SRC/A")),
        (["src/straße", "src/STRASSE"], ("src/straße", "src/STRASSE")),
        (["src/a", "src/a/b"], ("src/a", "src/a/b")),
        (["src/a/b/c", "src/a"], ("src/a", "src/a/b/c")),
        (["src/a", "src/ab/c"], None),
        ([], None),
    ],
)
def test_two_names_of_one_file_are_found(paths: list[str], found: tuple[str, str] | None) -> None:
    assert duplicate_path(paths) == found
