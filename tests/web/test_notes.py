"""Notes and bookmarks: kept beside the log, for every past, across servers, and never a part of the log."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from esaa.errors import NotFound, StoreError, UsageError
from esaa.stores import notes
from esaa.stores.disk import Disk
from esaa.stores.notes import Note, NoteStore
from tests.history.memory_past import claims, entry
from tests.web.servers import AUTHORIZED, client, fault_code

NOTE = {"seq": 2, "kind": "note", "text": "Why was it claimed so late?"}


def test_a_note_comes_back(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        put = web.put("/log/notes/n-1.json", json=NOTE, headers=AUTHORIZED)
        assert put.status_code == 200
    with client(tmp_path) as web:
        found = web.get("/log/notes.json").json()
        assert found["total"] == 1
        assert found["notes"][0] == put.json()
        assert found["notes"][0]["text"] == NOTE["text"]
        assert found["notes"][0]["leaf_hash"] == claims().entry(2).leaf_hash
        assert found["notes"][0]["is_stale"] is False
        assert web.get("/notes.json").json()["notes"][0]["note_id"] == "n-1"
    assert (tmp_path / ".roadmap" / "activity.jsonl").read_bytes() == b"{}\n"


def test_a_note_is_changed_and_removed(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        web.put("/log/notes/n-1.json", json=NOTE, headers=AUTHORIZED)
        web.put("/log/notes/n-1.json", json={**NOTE, "text": "Ah."}, headers=AUTHORIZED)
        assert [one["text"] for one in web.get("/log/notes.json").json()["notes"]] == ["Ah."]
        assert web.delete("/log/notes/n-1.json", headers=AUTHORIZED).json()["removed"] is True
        assert web.get("/log/notes.json").json()["total"] == 0
        gone = web.delete("/log/notes/n-1.json", headers=AUTHORIZED)
        assert (gone.status_code, fault_code(gone)) == (404, "NOTE_NOT_FOUND")


def test_a_note_about_another_log_is_told_apart(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        web.put("/log/notes/n-1.json", json=NOTE, headers=AUTHORIZED)
    other = claims(1)
    other.append(entry(2, "verify.ok", "orchestrator"), {})
    with client(tmp_path, other) as web:
        assert web.get("/log/notes.json").json()["notes"][0]["is_stale"] is True
    with client(tmp_path, claims(1)) as web:
        assert web.get("/log/notes.json").json()["notes"][0]["is_stale"] is True


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"seq":1,"text":"x","seq":2}',
        b'{"seq":7,"text":"x"}',
        b'{"seq":-1,"text":"x"}',
        b'{"seq":1.5,"text":"x"}',
        b'{"seq":1,"text":"  "}',
        b'{"seq":1,"text":"x","kind":"essay"}',
        b'{"seq":1,"text":"x","color":"red"}',
        b'{"seq":1,"text":"' + b"x" * 4001 + b'"}',
        b'{"seq":1,"text":"' + b"x" * 70_000 + b'"}',
        b"[" * 10_000,
        b'{"seq":1,"text":"\xff"}',
        b'{"seq":1,"text":"\\ud800"}',
    ],
)
def test_what_is_no_note_is_refused(body: bytes, tmp_path: Path) -> None:
    with client(tmp_path) as web:
        sent = {**AUTHORIZED, "content-type": "application/json"}
        assert web.put("/log/notes/n-1.json", content=body, headers=sent).status_code == 400
        assert web.get("/log/notes.json").json()["total"] == 0


def test_a_form_of_another_page_is_no_note(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        sent = {**AUTHORIZED, "content-type": "text/plain"}
        answer = web.put("/log/notes/n-1.json", content=json.dumps(NOTE), headers=sent)
    assert (answer.status_code, fault_code(answer)) == (400, "BODY_INVALID")


@pytest.mark.parametrize("note_id", ["a b", "x" * 65, "a.b", "%C3%A9"])
def test_ids_are_plain(note_id: str, tmp_path: Path) -> None:
    with client(tmp_path) as web:
        answer = web.put(f"/log/notes/{note_id}.json", json=NOTE, headers=AUTHORIZED)
    assert (answer.status_code, fault_code(answer)) == (400, "NOTE_INVALID")


def test_a_secret_does_not_reach_the_disk(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    with client(tmp_path) as web:
        web.put("/log/notes/n-1.json", json={**NOTE, "text": f"It used {secret} then."}, headers=AUTHORIZED)
        assert "[redacted:" in web.get("/log/notes.json").json()["notes"][0]["text"]
    assert secret.encode() not in (tmp_path / ".roadmap" / "notes.jsonl").read_bytes()


def note(number: int, text: str = "x") -> Note:
    return Note(note_id=f"n{number}", past="log", seq=1, kind="note", text=text, leaf_hash=None, changed_at="")


def store_in(root: Path) -> NoteStore:
    (root / ".roadmap").mkdir(exist_ok=True)
    return NoteStore(root / ".roadmap", Disk())


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.put(note(1))
    path = tmp_path / ".roadmap" / "notes.jsonl"
    path.write_bytes(path.read_bytes() + b"<<<<<<< ours\n\xff\xfe\n[1]\n" + b"[" * 100_000 + b'\n{"note_id":"torn"')
    store.put(note(2))
    assert [one.note_id for one in store.all()] == ["n1", "n2"]


def test_the_file_stays_small(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for turn in range(1200):
        store.put(note(1, f"turn {turn}"))
    assert [one.text for one in store.all()] == ["turn 1199"]
    assert len((tmp_path / ".roadmap" / "notes.jsonl").read_bytes().splitlines()) < 600


def test_there_is_an_end_to_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "NOTES_MAX", 2)
    store = store_in(tmp_path)
    store.put(note(1))
    store.put(note(2))
    with pytest.raises(UsageError, match="2 notes already"):
        store.put(note(3))
    store.put(note(2, "changed"))
    store.remove("log", "n1")
    store.put(note(3))
    with pytest.raises(NotFound):
        store.remove("log", "n1")


def test_a_link_in_the_place_of_the_notes_is_not_followed(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("", "utf-8")
    os.symlink(elsewhere, tmp_path / ".roadmap" / "notes.jsonl")
    with pytest.raises(StoreError):
        store.all()
    with pytest.raises(StoreError):
        store.put(note(1))
    assert elsewhere.read_bytes() == b""
