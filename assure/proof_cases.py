"""Roots, proofs and signed checkpoints as the package makes them, true ones and spoilt ones, for others to judge."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import (
    ED25519,
    Checkpoint,
    Note,
    Signature,
    VerifierKey,
    body,
    format_note,
    format_vkey,
    key_id,
)
from esaa.kernel.merkle import consistency_proof, inclusion_proof, root

LEAVES_MAX = 130
_ORDER = 2**252 + 27742317777372353535851937790883648493


class Case(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One question. Hashes, entries and notes are hex; `truth` is None where a lie may lead to the same hash.

    A wrong size is such a lie: it can leave the shape of a path as it was. What binds the size is the signature.
    """

    kind: Literal["root", "inclusion", "consistency", "note"]
    spoilt: str = ""
    truth: bool | None = True
    entries: list[str] = []
    leaf: str = ""
    index: int = 0
    size: int = 0
    first: int = 0
    old: str = ""
    root: str = ""
    proof: list[str] = []
    note: str = ""
    key: str = ""


def draw_cases(seed: int, trees: int, notes: int) -> list[Case]:
    """True cases, each followed by spoilt ones."""
    draw = random.Random(seed)
    cases: list[Case] = []
    for _ in range(trees):
        entries = [draw.randbytes(draw.randrange(1, 60)) for _ in range(draw.randint(1, LEAVES_MAX))]
        cases += _of_tree(entries, draw)
    for _ in range(notes):
        cases += _of_note(draw)
    return cases


def _of_tree(entries: Sequence[bytes], draw: random.Random) -> Iterator[Case]:
    leaves = [leaf_hash(entry) for entry in entries]
    whole = Case(kind="root", entries=[entry.hex() for entry in entries], root=root(leaves))
    yield whole
    yield _with(whole, "root", root=_flipped(whole.root, draw))
    yield _with(whole, "entry", entries=[*whole.entries[:-1], whole.entries[-1] + "00"])
    index = draw.randrange(len(leaves))
    included = Case(
        kind="inclusion",
        leaf=leaves[index],
        index=index,
        size=len(leaves),
        root=whole.root,
        proof=list(inclusion_proof(leaves, index)),
    )
    yield included
    yield from _spoilt_path(included, draw)
    yield _with(included, "leaf", leaf=_flipped(included.leaf, draw))
    yield _with(included, "index", index=(index + 1) % len(leaves), truth=len(leaves) == 1)
    yield _with(included, "size", size=draw.randint(index + 1, LEAVES_MAX), truth=None)
    yield _with(included, "root of others", root=hashlib.sha256(b"other").hexdigest())
    first = draw.randint(1, len(leaves))
    grown = Case(
        kind="consistency",
        entries=whole.entries,
        first=first,
        size=len(leaves),
        old=root(leaves[:first]),
        root=whole.root,
        proof=list(consistency_proof(leaves, first)),
    )
    yield grown
    yield from _spoilt_path(grown, draw)
    yield _with(grown, "old root", old=_flipped(grown.old, draw))
    yield _with(grown, "first", first=draw.randint(1, len(leaves)), truth=None)
    yield _with(grown, "size", size=draw.randint(first, LEAVES_MAX), truth=None)


def _spoilt_path(case: Case, draw: random.Random) -> Iterator[Case]:
    yield _with(case, "root", root=_flipped(case.root, draw))
    yield _with(case, "one hash more", proof=[*case.proof, hashlib.sha256(b"more").hexdigest()])
    if case.proof:
        at = draw.randrange(len(case.proof))
        yield _with(case, "hash", proof=[*case.proof[:at], _flipped(case.proof[at], draw), *case.proof[at + 1 :]])
        yield _with(case, "one hash less", proof=case.proof[:at] + case.proof[at + 1 :])
        yield _with(case, "no hashes", proof=[])
    if len(case.proof) > 1:
        yield _with(case, "order", proof=case.proof[::-1])


def _of_note(draw: random.Random) -> Iterator[Case]:
    name = f"esaa.local/{draw.getrandbits(64):016x}"
    key, private = _key(name, draw)
    head = Checkpoint(origin=name, size=draw.randrange(10**6), root=draw.randbytes(32).hex())
    text = body(head)
    blob = private.sign(text)
    vkey = format_vkey(key)
    true = Case(kind="note", note=_note(text, key, blob).hex(), key=vkey)
    yield true
    yield _with(true, "text", note=_note(text.replace(b"\n", b"1\n", 1), key, blob).hex())
    yield _with(true, "size", note=_note(body(msgspec.structs.replace(head, size=head.size + 1)), key, blob).hex())
    at = draw.randrange(64)
    flipped = bytes(byte ^ (at == place) << draw.randrange(8) for place, byte in enumerate(blob))
    yield _with(true, "signature", note=_note(text, key, flipped).hex())
    # The same signature with S + L in place of S: a forger's second form, which RFC 8032 forbids.
    scalar = int.from_bytes(blob[32:], "little") + _ORDER
    yield _with(true, "S not reduced", note=_note(text, key, blob[:32] + scalar.to_bytes(32, "little")).hex())
    yield _with(true, "S and R zero", note=_note(text, key, bytes(64)).hex())
    yield _with(true, "R only", note=_note(text, key, blob[:32] + bytes(32)).hex())
    yield _with(true, "signature cut", note=_note(text, key, blob[:-1]).hex())
    stranger, their = _key(name, draw)
    yield _with(true, "a stranger's key of the same name", note=_note(text, stranger, their.sign(text)).hex())
    yield _with(true, "a stranger's signature under the key's id", note=_note(text, key, their.sign(text)).hex())
    yield _with(true, "unsigned", note=text.hex())
    yield _with(true, "key id", key=vkey.replace(f"+{key.key_id.hex()}+", f"+{stranger.key_id.hex()}+"))
    both = _note(text, key, blob) + _note(text, stranger, their.sign(text)).partition(b"\n\n")[2]
    yield _with(true, "", note=both.hex(), truth=True)


def _key(name: str, draw: random.Random) -> tuple[VerifierKey, Ed25519PrivateKey]:
    private = Ed25519PrivateKey.from_private_bytes(draw.randbytes(32))
    public = private.public_key().public_bytes_raw()
    key = VerifierKey(name=name, key_id=key_id(name, ED25519, public), algorithm=ED25519, public=public)
    return key, private


def _note(text: bytes, key: VerifierKey, blob: bytes) -> bytes:
    return format_note(Note(text=text, signatures=(Signature(name=key.name, key_id=key.key_id, blob=blob),)))


def _flipped(hexadecimal: str, draw: random.Random) -> str:
    data = bytearray.fromhex(hexadecimal)
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return data.hex()


def _with(case: Case, spoilt: str, **changes: object) -> Case:
    return msgspec.structs.replace(case, **({"spoilt": spoilt, "truth": False} | changes))


def split_note(note: bytes) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
    """A note's text and its signatures as name, key id and signature, for a tool that knows no notes."""
    text, _, below = note.rpartition(b"\n\n")
    found: list[tuple[str, bytes, bytes]] = []
    for line in below.decode().splitlines():
        parts = line.split(" ")
        if len(parts) == 3:
            blob = base64.b64decode(parts[2])
            found.append((parts[1], blob[:4], blob[4:]))
    return text + b"\n", found
