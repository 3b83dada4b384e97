"""The text of a query: what it finds, what it refuses, and that nothing in it is ever anything but text."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.errors import UsageError
from esaa.query.index_file import WORDS_TABLE
from esaa.query.words import CHARS_MAX, TERMS_MAX, parse_words

DOCUMENTS = {
    "login": "AgentFailed Agent Failed PROJ-1 login failed: the token has expired",
    "signin": "ErrorOccurred Error Occurred PROJ-2 signin refused after 3 attempts, auth_service-v2 timeout",
    "bridge": "FileWritten File Written PROJ-1 Über die Brücke src/bridge/bruecke.py",
    "failed": "failed login attempt from the café",
}


def found(text: str) -> set[str]:
    """The documents that a text finds."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(WORDS_TABLE)
        connection.executemany("INSERT INTO search(rowid, words) VALUES (?, ?)", enumerate(DOCUMENTS.values()))
        rows = connection.execute("SELECT rowid FROM search WHERE search MATCH ?", (parse_words(text).expression,))
        return {list(DOCUMENTS)[number] for (number,) in rows}


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("login failed", {"login", "failed"}),
        ('"login failed"', {"login"}),
        ("LOGIN", {"login", "failed"}),
        ("uber brucke", {"bridge"}),
        ("über die", {"bridge"}),
        ("cafe", {"failed"}),
        ("cafe\u0301", {"failed"}),
        ("auth*", {"signin"}),
        ("auth", {"signin"}),
        ("serv*", {"signin"}),
        ("auth_service-v2", {"signin"}),
        ("service-auth", set()),
        ('"src bridge"', {"bridge"}),
        ('"src bri"*', {"bridge"}),
        ("src/bridge/bruecke.py", {"bridge"}),
        ("login -expired", {"failed"}),
        ('login -"token has"', {"failed"}),
        ("failed -tok*", {"failed"}),
        ("login OR signin", {"login", "failed", "signin"}),
        ("login OR signin expired OR timeout", {"login", "signin"}),
        ("proj-1 failed", {"login"}),
        ("3 attempts,", {"signin"}),
        ("(refused)", {"signin"}),
        ("agent failed", {"login"}),
        ("or", set()),
        ('"OR"', set()),
        ("and not near", set()),
        ("login\tfailed\n", {"login", "failed"}),
    ],
)
def test_text_finds(text: str, documents: set[str]) -> None:
    assert found(text) == documents


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("", 1, "a word that must occur"),
        ("   ", 1, "a word that must occur"),
        ("-login", 1, "a word that must occur"),
        ('login "failed', 7, "ends with a quotation mark"),
        ('login""failed', 6, "parts a phrase"),
        ('"a b"c', 6, "parts a phrase"),
        ("log*in", 4, "at the end of a word"),
        ("*", 1, "a letter or a digit"),
        ("login --", 7, "a letter or a digit"),
        ('login ""', 7, "a letter or a digit"),
        ("a*", 1, "at least 2"),
        ("service-a*", 1, "at least 2"),
        ("OR login", 1, "between two words"),
        ("login OR", 7, "between two words"),
        ("login OR OR signin", 10, "between two words"),
        ("login OR -signin", 7, "between two words"),
        ("-login OR signin", 8, "between two words"),
        ("login AND failed", 7, "side by side"),
        ("login NOT failed", 7, "write -word"),
        ("log\x00in", 4, "control characters"),
        ("log\ud800in", 4, "control characters"),
        ("x" * (CHARS_MAX + 1), CHARS_MAX + 1, "at most 1000"),
        ("ab " * (TERMS_MAX + 1), TERMS_MAX * 3 + 1, "at most 32"),
    ],
)
def test_bad_text_is_refused_with_place_and_rule(text: str, position: int, rule: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_words(text)
    assert refused.value.code == "QUERY_INVALID"
    assert refused.value.context["position"] == position
    assert rule in refused.value.message
    assert f"character {position}:" in refused.value.message


@given(st.text(st.sampled_from("ab\" *-:(){}^+,\\'ORANDNEAR\0\ud800é日") | st.characters(), max_size=30))
def test_every_text_is_an_expression_or_refused(text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE search USING fts5(facets, words, content='')")
        try:
            expression = parse_words(text).expression
        except UsageError:
            return
        match = f"(facets : (n1 OR n2)) AND (words : ({expression}))"
        assert connection.execute("SELECT rowid FROM search WHERE search MATCH ?", (match,)).fetchall() == []


def test_text_reaches_no_other_column() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE search USING fts5(facets, words, content='')")
        connection.execute("INSERT INTO search(rowid, facets, words) VALUES (1, 'n1 n2', 'login')")
        for text in ("n1", "facets:n1", '"n1 n2"', "login OR n1", "login -n1"):
            match = f"words : ({parse_words(text).expression})"
            rows = connection.execute("SELECT rowid FROM search WHERE search MATCH ?", (match,)).fetchall()
            assert rows == ([(1,)] if text.startswith("login") else []), text
