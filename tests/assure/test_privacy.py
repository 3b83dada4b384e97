"""The short form of the privacy figures, and that they count what is found."""

from __future__ import annotations

import random
import re
import sqlite3
from pathlib import Path

import pytest
import zstandard

from assure import privacy
from assure.byte_search import places
from assure.figure import Scope
from assure.planted import FORMS, MARK, planted
from esaa.redaction import redact
from esaa.stores.erasables import ErasableStore


def test_no_secret_and_no_erased_value_is_on_the_disk(short_scope: Scope) -> None:
    for figure in privacy.measure(short_scope):
        assert figure.holds, figure


def test_secrets_that_are_not_taken_out_are_found(short_scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "is_suspicious", lambda text: False)
    figure = privacy.secrets_on_disk(short_scope, random.Random(1))
    assert not figure.holds
    assert figure.value > 100


def test_values_that_are_only_said_to_be_erased_are_found(short_scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ErasableStore, "destroy", lambda store, commitment: True)
    recoverable, _ = privacy.erased_values(short_scope, random.Random(1))
    assert not recoverable.holds


def test_every_form_of_secret_is_recognised_and_marked() -> None:
    supply = planted(random.Random(7), 1)
    for _ in range(5 * len(FORMS)):
        own, form, text = next(supply)
        assert [match.decode().lower() for match in MARK.findall(text.encode())] == [own], form
        assert not MARK.search(redact.redact_text(text)[0].encode()), form


def test_search_looks_into_everything(tmp_path: Path) -> None:
    text = "it says Zxq70000000a here"
    (tmp_path / "plain").write_text(text)
    (tmp_path / "wide").write_bytes(text.encode("utf-16"))
    (tmp_path / "packed").write_bytes(b"before" + zstandard.compress(text.encode()) + b"after")
    (tmp_path / "hex").write_text(text.encode().hex())
    (tmp_path / "zxq70000000a").write_text("a name")
    connection = sqlite3.connect(tmp_path / "base")
    connection.execute("CREATE VIRTUAL TABLE search USING fts5(words, content='')")
    connection.execute("INSERT INTO search(rowid, words) VALUES (1, ?)", (text,))
    connection.commit()
    connection.close()
    found = places([tmp_path], re.compile(rb"(?i)zxq7[0-9a-f]{8}"))
    assert {path.name for path in found["zxq70000000a"]} == {"plain", "wide", "packed", "hex", "zxq70000000a", "base"}
