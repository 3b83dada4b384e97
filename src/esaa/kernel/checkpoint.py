"""Signed tree heads: the C2SP formats tlog-checkpoint, signed-note and cosignature/v1, read strictly.

Nothing is signed or verified here: who can do that hands in a function. A checkpoint is never the trail's
`CheckpointCreated`, which is a restore point.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable

import msgspec

ED25519 = 1
"""The algorithm of a log's own signature."""
COSIGNATURE = 4
"""The algorithm of a witness's signature, which carries a time."""
NOTE_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 64
SIZE_MAX = 2**63 - 1
_DASH = "\u2014 "
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64

Verify = Callable[[bytes, bytes, bytes], bool]
"""Says of a public key, a message and a signature whether they belong together (Ed25519)."""


class CheckpointInvalid(Exception):
    """Bytes that are no checkpoint, note or key by the rule that the text names; or a signature that does not hold."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The head of the log named `origin`: how many leaves it has and their Merkle root (hex)."""

    origin: str
    size: int
    root: str
    extensions: tuple[str, ...] = ()


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature line: the key's name, the four bytes that stand for it, and what it made (without these four)."""

    name: str
    key_id: bytes
    blob: bytes


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A text, final newline included, and the signatures under it."""

    text: bytes
    signatures: tuple[Signature, ...]


class VerifierKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key with its name. `key_id` follows from the rest."""

    name: str
    key_id: bytes
    algorithm: int
    public: bytes


def body(checkpoint: Checkpoint) -> bytes:
    """The text that is signed. Raises `CheckpointInvalid` for a checkpoint that has no such text."""
    root = base64.b64encode(_root_bytes(checkpoint.root)).decode("ascii")
    lines = (checkpoint.origin, str(checkpoint.size), root, *checkpoint.extensions)
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    if parse_body(text) != checkpoint:
        raise CheckpointInvalid("a line of a checkpoint has no line breaks")
    return text


def parse_body(text: bytes) -> Checkpoint:
    """The checkpoint in a signed text. Raises `CheckpointInvalid`."""
    found = _text(text)
    if not found.endswith("\n"):
        raise CheckpointInvalid("the text of a checkpoint ends with a line break")
    lines = found[:-1].split("\n")
    if len(lines) < 3:
        raise CheckpointInvalid("a checkpoint has three lines: origin, size and root")
    origin, size, root, *extensions = lines
    if not origin or not all(extensions):
        raise CheckpointInvalid("no line of a checkpoint is empty")
    return Checkpoint(
        origin=origin,
        size=parse_number(size, "the size of a checkpoint"),
        root=parse_hash(root),
        extensions=tuple(extensions),
    )


def parse_note(data: bytes) -> Note:
    """The note in these bytes. Raises `CheckpointInvalid`. No signature is verified."""
    if len(data) > NOTE_BYTES_MAX:
        raise CheckpointInvalid(f"a note has at most {NOTE_BYTES_MAX} bytes")
    text, blank, below = _text(data).rpartition("\n\n")
    if not blank:
        raise CheckpointInvalid("a note has an empty line between its text and its signatures")
    if not below.endswith("\n"):
        raise CheckpointInvalid("a note ends with a signature and a line break")
    lines = below[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise CheckpointInvalid(f"a note has at most {SIGNATURES_MAX} signatures")
    return Note(text=f"{text}\n".encode(), signatures=tuple(_signature(line) for line in lines))


def format_note(note: Note) -> bytes:
    """The bytes of a note: `parse_note` gives it back. Raises `CheckpointInvalid` for one that can't be written."""
    lines = "".join(
        f"{_DASH}{one.name} {base64.b64encode(one.key_id + one.blob).decode('ascii')}\n" for one in note.signatures
    )
    data = note.text + b"\n" + lines.encode("utf-8", "surrogatepass")
    if parse_note(data) != note:
        raise CheckpointInvalid("the parts of this note do not make one")
    return data


def checkpoint_of(note: Note) -> Checkpoint:
    """The checkpoint that a note is about. Raises `CheckpointInvalid`."""
    return parse_body(note.text)


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """The four bytes by which a signature names its key."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + bytes((algorithm,)) + public).digest()[:4]


def parse_vkey(text: str) -> VerifierKey:
    """A public key from `name+id+base64`. Raises `CheckpointInvalid`."""
    parts = _text(text.encode("utf-8", "surrogatepass")).split("+", 2)
    if len(parts) != 3:
        raise CheckpointInvalid("a key is written name+id+base64")
    name, identity, encoded = parts
    _check_name(name)
    material = _base64(encoded, "a key")
    if len(material) != 1 + _KEY_BYTES or material[0] not in (ED25519, COSIGNATURE):
        raise CheckpointInvalid(f"a key is Ed25519 ({ED25519:02x}) or its cosignature ({COSIGNATURE:02x}) and 32 bytes")
    algorithm, public = material[0], material[1:]
    found = VerifierKey(name=name, key_id=key_id(name, algorithm, public), algorithm=algorithm, public=public)
    if identity != found.key_id.hex():
        raise CheckpointInvalid(f"the id of this key is {found.key_id.hex()}, not {identity[:80]}")
    return found


def format_vkey(key: VerifierKey) -> str:
    """The text of a public key: `parse_vkey` gives it back."""
    material = base64.b64encode(bytes((key.algorithm,)) + key.public).decode("ascii")
    return f"{key.name}+{key.key_id.hex()}+{material}"


def speaks_for(key: VerifierKey, origin: str) -> bool:
    """Whether a log's key may sign for this origin: its own name, or a log below it (`name/...`)."""
    return origin == key.name or origin.startswith(f"{key.name}/")


def signed_by(note: Note, key: VerifierKey, verify: Verify) -> Signature | None:
    """The note's first signature by this key, which holds; `None` where there is none.

    Raises `CheckpointInvalid` where a signature says it is by this key and is not.
    """
    for one in note.signatures:
        if one.name == key.name and one.key_id == key.key_id:
            if not _holds(note, key, one, verify):
                raise CheckpointInvalid(f"the signature by {one.name} ({one.key_id.hex()}) does not hold")
            return one
    return None


def cosignature_message(time: int, body: bytes) -> bytes:
    """What a witness signs: that it saw this checkpoint at this time (seconds since 1970)."""
    return b"cosignature/v1\ntime %d\n%s" % (time, body)


def cosigned_by(note: Note, key: VerifierKey, verify: Verify) -> int | None:
    """The time at which the witness with this key saw the note; `None` where it did not sign.

    Raises like `signed_by`.
    """
    found = signed_by(note, key, verify) if key.algorithm == COSIGNATURE else None
    return int.from_bytes(found.blob[:8], "big") if found else None


def parse_number(text: str, what: str) -> int:
    """A decimal without sign or leading zeros, below 2**63. Raises `CheckpointInvalid`."""
    if not _DECIMAL.fullmatch(text) or int(text) > SIZE_MAX:
        raise CheckpointInvalid(f"{what} is a decimal number below 2**63 without leading zeros")
    return int(text)


def parse_hash(text: str) -> str:
    """A base64 SHA-256 as hex. Raises `CheckpointInvalid`."""
    found = _base64(text, "a hash")
    if len(found) != hashlib.sha256().digest_size:
        raise CheckpointInvalid("a hash has 32 bytes")
    return found.hex()


def _signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise CheckpointInvalid("a signature begins with a long dash and a space")
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    _check_name(name)
    found = _base64(encoded, "a signature")
    if len(found) < 5:
        raise CheckpointInvalid("a signature has four bytes for its key and more")
    return Signature(name=name, key_id=found[:4], blob=found[4:])


def _holds(note: Note, key: VerifierKey, signature: Signature, verify: Verify) -> bool:
    if key.algorithm == ED25519:
        return len(signature.blob) == _SIGNATURE_BYTES and verify(key.public, note.text, signature.blob)
    time = int.from_bytes(signature.blob[:8], "big")
    if key.algorithm != COSIGNATURE or len(signature.blob) != 8 + _SIGNATURE_BYTES or time > SIZE_MAX:
        return False
    return verify(key.public, cosignature_message(time, note.text), signature.blob[8:])


def _text(data: bytes) -> str:
    try:
        found = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointInvalid("notes and keys are UTF-8") from error
    if _CONTROL.search(found):
        raise CheckpointInvalid("notes and keys have no control characters")
    return found


def _check_name(name: str) -> None:
    if not name or "+" in name or any(one.isspace() for one in name):
        raise CheckpointInvalid("the name of a key is not empty and has neither spaces nor +")


def _base64(text: str, what: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointInvalid(f"{what} is base64") from error
    if base64.b64encode(found).decode("ascii") != text:
        raise CheckpointInvalid(f"{what} is base64 in its one canonical form")
    return found


def _root_bytes(root: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{64}", root):
        raise CheckpointInvalid("a root is 64 hexadecimal digits")
    return bytes.fromhex(root)
