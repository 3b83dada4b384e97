"""Bytes that nobody foresaw: each door answers with a value or its own refusal, and what it takes means one thing."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assure.doors import Door, doors
from assure.mutation import TOKENS
from esaa.effects.paths import inspect, parent_of
from esaa.kernel import checkpoint, head_proof, tlog_proof
from esaa.kernel.canonical import compact
from esaa.kernel.checkpoint import CheckpointInvalid
from esaa.kernel.ingest import CONTRACT, Limit, NotIngested, json_of, yaml_of
from esaa.kernel.tlog_proof import ProofInvalid
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.paths import fold, path_fault
from esaa.protocol.wire import ProtocolVocabulary
from esaa.stores.disk import Disk
from esaa.trail.wire import TrailVocabulary
from tests.properties.strategies import JSON

_STABLE = settings(derandomize=True, deadline=None, max_examples=150)
_FEW = settings(derandomize=True, deadline=None, max_examples=40)
LIMIT = Limit(1 << 16, 64)

TOKEN_SOUP = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=6), max_size=12).map(b"".join)
PARTS = st.sampled_from(
    ["..", ".", "", "a", "src", "..a", "a\0", "\uff0e\uff0e", ".git", "é", "e\u0301", "con", "-x", "~", "\udcff"]
)
PATHS = st.lists(PARTS | st.text(max_size=6), max_size=6).map("/".join)


@pytest.mark.parametrize("door", doors(), ids=lambda door: door.name)
def test_door_answers_any_tokens_in_any_order(door: Door) -> None:
    @_FEW
    @given(TOKEN_SOUP | st.binary(max_size=200))
    def answers(data: bytes) -> None:
        with suppress(*door.refusals):
            door.take(data)

    answers()


@_STABLE
@given(JSON)
def test_json_that_is_taken_is_the_same_when_it_is_written_and_taken_again(value: object) -> None:
    data = compact(value)
    with suppress(NotIngested):
        assert compact(json_of(data, LIMIT)) == data


@_STABLE
@given(TOKEN_SOUP)
def test_yaml_that_is_taken_is_json_too(data: bytes) -> None:
    with suppress(NotIngested):
        value = yaml_of(data, CONTRACT)
        assert json_of(compact(value), LIMIT) == value


@_STABLE
@given(
    JSON | st.dictionaries(st.sampled_from(["event_seq", "event_id", "action", "payload", "ts", "actor", "x"]), JSON)
)
@example(
    {
        "schema_version": "0.4.0",
        "event_id": "EV-1",
        "event_seq": 1,
        "ts": "x",
        "actor": "x",
        "action": "x",
        "payload": 1,
    }
)
def test_line_that_is_taken_is_taken_again_after_it_was_written(value: object) -> None:
    for vocabulary in (ProtocolVocabulary(), TrailVocabulary()):
        with suppress(MalformedLine):
            recorded = vocabulary.decode(compact(value))
            again = vocabulary.decode(vocabulary.encode(recorded))  # type: ignore[arg-type]  # its own
            assert again == recorded


@_STABLE
@given(st.data())
def test_note_and_proofs_are_taken_in_one_spelling_only(data: st.DataObject) -> None:
    by_name = {door.name: door for door in doors()}
    name = data.draw(st.sampled_from(["checkpoint", "receipt", "consistency proof"]))
    seed = by_name[name].seeds[0]
    at = data.draw(st.integers(0, len(seed)))
    noise = data.draw(st.sampled_from([b"", b"\n", b" ", b"\r", b"=", b"A", b"\0", b"\xff", b"0"]))
    changed = seed[:at] + noise + seed[at + data.draw(st.integers(0, 2)) :]

    with suppress(CheckpointInvalid, ProofInvalid):
        if name == "checkpoint":
            assert checkpoint.format_note(checkpoint.parse_note(changed)) == changed
        elif name == "receipt":
            assert tlog_proof.format_proof(tlog_proof.parse_proof(changed)) == changed
        else:
            assert head_proof.format_head_proof(head_proof.parse_head_proof(changed)) == changed


@_STABLE
@given(PATHS)
def test_legal_path_stays_legal_when_it_is_folded_and_any_path_stays_inside(path: str) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        root = Path(name) / "project"
        root.mkdir()
        (Path(name) / "a").write_bytes(b"outside")
        found = inspect(root, path, bytes_max=100, want_content=True)
        assert found.content is None
        with suppress(OSError, ValueError), parent_of(root, path, create=Disk()) as (directory, last):
            fd = os.open(last, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644, dir_fd=directory)
            os.close(fd)
        assert sorted(os.listdir(name)) == ["a", "project"]
        assert (Path(name) / "a").read_bytes() == b"outside"
    if path_fault(path) is None:
        assert not {"..", ".", ""} & set(fold(path).split("/"))
        assert "\\" not in fold(path)
