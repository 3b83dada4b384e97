"""Checkpoints and notes: the formats of C2SP to the byte, and everything that is not one of them."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.checkpoint import (
    COSIGNATURE,
    ED25519,
    NOTE_BYTES_MAX,
    Checkpoint,
    CheckpointInvalid,
    Note,
    Signature,
    body,
    checkpoint_of,
    cosignature_message,
    cosigned_by,
    format_note,
    format_vkey,
    key_id,
    parse_body,
    parse_hash,
    parse_note,
    parse_number,
    parse_vkey,
    signed_by,
    speaks_for,
)
from esaa.kernel.merkle import EMPTY_ROOT
from tests.kernel.signing import Signer, verify

ORIGIN = "esaa.local/5b2b1f6e-0c39-4f6e-9d6e-1f2a3b4c5d6e"
LOG = Signer(ORIGIN)
WITNESS = Signer("witness.example", 2, COSIGNATURE)
HEAD = Checkpoint(origin=ORIGIN, size=7, root=EMPTY_ROOT)
BODY = f"{ORIGIN}\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".encode()

# The note, keys and signatures of the documentation of golang.org/x/mod/sumdb/note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()


def test_body_is_that_of_tlog_checkpoint() -> None:
    assert body(HEAD) == BODY
    assert parse_body(BODY) == HEAD


def test_lines_after_the_root_are_kept() -> None:
    longer = parse_body(BODY + b"one\ntwo words\n")
    assert longer.extensions == ("one", "two words")
    assert body(longer) == BODY + b"one\ntwo words\n"


@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1), max_size=3),
)
def test_bodies_go_there_and_back(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    made = Checkpoint(origin=origin, size=size, root=root.hex(), extensions=tuple(extensions))
    assert parse_body(body(made)) == made


ROOT_TEXT = b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "ends with a line break"),
        (b"o\n7\n" + ROOT_TEXT, "ends with a line break"),
        (b"o\n7\n", "three lines"),
        (b"\n7\n" + ROOT_TEXT + b"\n", "empty"),
        (b"o\n7\n" + ROOT_TEXT + b"\n\n", "empty"),
        (b"o\n07\n" + ROOT_TEXT + b"\n", "leading zeros"),
        (b"o\n+7\n" + ROOT_TEXT + b"\n", "decimal"),
        (b"o\n-7\n" + ROOT_TEXT + b"\n", "decimal"),
        (b"o\n7 \n" + ROOT_TEXT + b"\n", "decimal"),
        ("o\n\u0667\n".encode() + ROOT_TEXT + b"\n", "decimal"),
        (b"o\n%d\n" % 2**63 + ROOT_TEXT + b"\n", "below"),
        (b"o\n" + b"1" * 5000 + b"\n" + ROOT_TEXT + b"\n", "below"),
        (b"o\n7\n" + ROOT_TEXT[:-1] + b"\n", "base64"),
        (b"o\n7\n" + ROOT_TEXT.replace(b"G", b"G ") + b"\n", "base64"),
        (b"o\n7\n" + ROOT_TEXT.replace(b"FU=", b"FV=") + b"\n", "canonical"),
        (b"o\n7\n" + base64.b64encode(b"x" * 31) + b"\n", "32 bytes"),
        (b"o\r\n7\n" + ROOT_TEXT + b"\n", "control"),
        (b"o\t\n7\n" + ROOT_TEXT + b"\n", "control"),
        (b"\xff\n7\n" + ROOT_TEXT + b"\n", "UTF-8"),
        (b"\xed\xa0\x80\n7\n" + ROOT_TEXT + b"\n", "UTF-8"),
    ],
)
def test_what_is_no_checkpoint_is_refused_by_its_rule(text: bytes, why: str) -> None:
    with pytest.raises(CheckpointInvalid, match=why):
        parse_body(text)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (Checkpoint(origin="", size=1, root=EMPTY_ROOT), "empty"),
        (Checkpoint(origin="a\n5", size=1, root=EMPTY_ROOT), "decimal|base64"),
        (Checkpoint(origin="a", size=1, root=EMPTY_ROOT, extensions=("x\ny",)), "no line breaks"),
        (Checkpoint(origin="a", size=-1, root=EMPTY_ROOT), "decimal"),
        (Checkpoint(origin="a", size=2**63, root=EMPTY_ROOT), "below"),
        (Checkpoint(origin="a", size=1, root="é"), "hexadecimal"),
        (Checkpoint(origin="a", size=1, root="AB" * 32), "hexadecimal"),
        (Checkpoint(origin="\ud800", size=1, root=EMPTY_ROOT), "UTF-8"),
    ],
)
def test_checkpoint_that_can_not_be_read_again_is_not_written(made: Checkpoint, why: str) -> None:
    with pytest.raises(CheckpointInvalid, match=why):
        body(made)


def test_note_of_the_go_documentation_is_read_and_holds() -> None:
    note = parse_note(GO_NOTE)
    assert signed_by(note, parse_vkey(GO_VKEY), verify) == note.signatures[0]
    assert format_note(note) == GO_NOTE


def test_note_is_split_at_its_last_empty_line() -> None:
    text = b"a\n\n\xe2\x80\x94 b AAAAAAA=\n"
    note = parse_note(text + b"\n\xe2\x80\x94 c AAAAAAA=\n")
    assert note.text == text
    assert [one.name for one in note.signatures] == ["c"]


@given(
    st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5),
    st.lists(
        st.builds(
            Signature,
            name=st.text(
                st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="+")
            ).filter(bool),
            key_id=st.binary(min_size=4, max_size=4),
            blob=st.binary(min_size=1, max_size=80),
        ),
        min_size=1,
        max_size=64,
    ),
)
def test_notes_go_there_and_back(lines: list[str], signatures: list[Signature]) -> None:
    made = Note(text="".join(f"{one}\n" for one in lines).encode(), signatures=tuple(signatures))
    assert parse_note(format_note(made)) == made


@given(st.binary(max_size=200) | st.text().map(lambda text: f"{text}\n\n— a AAAAAAA=\n".encode()))
def test_bytes_are_one_note_or_none(data: bytes) -> None:
    try:
        note = parse_note(data)
    except CheckpointInvalid:
        return
    assert format_note(note) == data


SIGNED = b"text\n\n\xe2\x80\x94 a AAAAAAA=\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty line"),
        (b"text\n", "empty line"),
        (SIGNED[:-1], "line break"),
        (b"text\n\n", "line break"),
        (b"text\n\n\n", "line break"),
        (SIGNED.replace(b"\xe2\x80\x94 ", b"- "), "long dash"),
        (SIGNED.replace(b" a ", b" "), "four bytes"),
        (SIGNED.replace(b" a ", b" a+b "), "spaces nor"),
        (SIGNED.replace(b" a ", " a\u2003b ".encode()), "spaces nor"),
        (SIGNED.replace(b" a ", b"  "), "not empty"),
        (SIGNED.replace(b"AAAAAAA=", b""), "four bytes"),
        (SIGNED.replace(b"AAAAAAA=", b"AAAAAA=="), "four bytes"),
        (SIGNED.replace(b"AAAAAAA=", b"AAAAAAB="), "canonical"),
        (SIGNED.replace(b"AAAAAAA=", b"AAAAAAA= "), "base64"),
        (SIGNED.replace(b"AAAAAAA=", "AAAAAAAé".encode()), "base64"),
        (SIGNED.replace(b"text", b"te\x00xt"), "control"),
        (SIGNED.replace(b"text", b"te\x1bxt"), "control"),
        (SIGNED.replace(b"text", b"te\xffxt"), "UTF-8"),
        (b"text\n\n" + b"\xe2\x80\x94 a AAAAAAA=\n" * 65, "at most 64"),
        (b"x" * NOTE_BYTES_MAX + SIGNED, "at most 65536"),
    ],
)
def test_what_is_no_note_is_refused_by_its_rule(data: bytes, why: str) -> None:
    with pytest.raises(CheckpointInvalid, match=why):
        parse_note(data)


def test_note_that_can_not_be_read_again_is_not_written() -> None:
    sign = Signature(name="a", key_id=b"1234", blob=b"x")
    for wrong in (
        Note(text=b"no line break", signatures=(sign,)),
        Note(text=b"text\n", signatures=()),
        Note(text=b"text\n", signatures=(Signature(name="a", key_id=b"123", blob=b"4x"),)),
        Note(text=b"text\n", signatures=(Signature(name="\ud800", key_id=b"1234", blob=b"x"),)),
    ):
        with pytest.raises(CheckpointInvalid):
            format_note(wrong)


def test_signature_of_the_right_key_holds_and_of_no_other_is_seen() -> None:
    note = LOG.note(7, EMPTY_ROOT)
    assert checkpoint_of(note) == HEAD
    assert signed_by(note, LOG.key, verify) == note.signatures[0]
    assert signed_by(note, Signer(ORIGIN, 9).key, verify) is None
    assert signed_by(note, Signer("other").key, verify) is None


def changed(note: Note, blob: bytes) -> Note:
    one = note.signatures[0]
    return Note(text=note.text, signatures=(msgspec.structs.replace(one, blob=blob),))


def test_signature_that_does_not_hold_makes_the_note_invalid() -> None:
    note = LOG.note(7, EMPTY_ROOT)
    blob = note.signatures[0].blob
    for wrong in (blob[:-1], blob + b"\0", blob[:-1] + bytes([blob[-1] ^ 1]), b""):
        with pytest.raises(CheckpointInvalid, match="does not hold"):
            signed_by(changed(note, wrong), LOG.key, verify)
    with pytest.raises(CheckpointInvalid, match="does not hold"):
        signed_by(Note(text=note.text.replace(b"7", b"8"), signatures=note.signatures), LOG.key, verify)


def test_witness_says_when_it_saw_the_note() -> None:
    note = LOG.note(7, EMPTY_ROOT)
    both = Note(text=note.text, signatures=(*note.signatures, WITNESS.sign(note.text, 1_790_000_123)))
    assert cosigned_by(both, WITNESS.key, verify) == 1_790_000_123
    assert cosigned_by(note, WITNESS.key, verify) is None
    assert cosigned_by(both, LOG.key, verify) is None
    assert cosignature_message(5, b"o\n") == b"cosignature/v1\ntime 5\no\n"


def test_cosignature_of_another_time_or_form_does_not_hold() -> None:
    text = LOG.note(7, EMPTY_ROOT).text
    good = Note(text=text, signatures=(WITNESS.sign(text, 5),))
    blob = good.signatures[0].blob
    for wrong in ((6).to_bytes(8, "big") + blob[8:], blob[8:], b"\xff" * 8 + blob[8:]):
        with pytest.raises(CheckpointInvalid, match="does not hold"):
            cosigned_by(changed(good, wrong), WITNESS.key, verify)
    unknown = msgspec.structs.replace(WITNESS.key, algorithm=6)
    with pytest.raises(CheckpointInvalid, match="does not hold"):
        signed_by(good, unknown, verify)


def test_log_signature_is_no_cosignature_of_the_same_key_and_name() -> None:
    # The id of a key says what it signs: a log's key that is a witness elsewhere has two.
    cosigner = Signer(ORIGIN, 1, COSIGNATURE)
    assert cosigner.key.public == LOG.key.public
    assert signed_by(LOG.note(7, EMPTY_ROOT), cosigner.key, verify) is None


@pytest.mark.parametrize("signer", [LOG, WITNESS])
def test_keys_go_there_and_back(signer: Signer) -> None:
    assert parse_vkey(format_vkey(signer.key)) == signer.key
    assert signer.key.key_id == key_id(signer.key.name, signer.key.algorithm, signer.key.public)


@given(st.binary(min_size=32, max_size=32), st.sampled_from([ED25519, COSIGNATURE]))
def test_every_key_has_one_text_and_one_text_has_one_key(public: bytes, algorithm: int) -> None:
    text = "a+" + key_id("a", algorithm, public).hex() + "+" + base64.b64encode(bytes([algorithm]) + public).decode()
    assert format_vkey(parse_vkey(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "name.id"),
        ("a+b", "name.id"),
        (GO_VKEY.replace("PeterNeumann", ""), "not empty"),
        (GO_VKEY.replace("PeterNeumann", "Peter Neumann"), "spaces"),
        (GO_VKEY.replace("PeterNeumann", "Peter\nNeumann"), "spaces"),
        (GO_VKEY.replace("PeterNeumann", "Peter\ud800"), "UTF-8"),
        (GO_VKEY.replace("c74f20a3", "c74f20a4"), "is c74f20a3, not c74f20a4"),
        (GO_VKEY.replace("c74f20a3", "C74F20A3"), "is c74f20a3"),
        (GO_VKEY[:-1], "base64"),
        (GO_VKEY.replace("+AR", "+Ag"), "Ed25519"),
        (GO_VKEY + "AAAA", "32 bytes"),
        ("a+00000000+", "32 bytes"),
    ],
)
def test_what_is_no_key_is_refused(text: str, why: str) -> None:
    with pytest.raises(CheckpointInvalid, match=why):
        parse_vkey(text)


def test_key_speaks_for_its_own_log_and_for_those_below_it() -> None:
    assert speaks_for(LOG.key, ORIGIN)
    assert speaks_for(LOG.key, f"{ORIGIN}/trail/PROJ-1")
    assert not speaks_for(LOG.key, f"{ORIGIN}2")
    assert not speaks_for(LOG.key, "esaa.local")


def test_numbers_and_hashes_have_one_form() -> None:
    assert parse_number("0", "it") == 0
    assert parse_number(str(2**63 - 1), "it") == 2**63 - 1
    with pytest.raises(CheckpointInvalid, match="it is a decimal"):
        parse_number("", "it")
    assert parse_hash(ROOT_TEXT.decode()) == EMPTY_ROOT
