#!/usr/bin/env python3
"""A second verifier of esaa's logs, for auditors: one file, the standard library alone, no code of the package.

It was written from the published formats (docs/trust.md, PROJECTION_SPEC.md, RFC 6962, C2SP signed notes, tlog
checkpoints and tlog proofs), so that a mistake in the package is not repeated here. It only reads.

    python3 verify_standalone.py PATH [--key VKEY]... [--checkpoint FILE]... [--strict] [--json]
    python3 verify_standalone.py --proof FILE --event FILE --key VKEY
    python3 verify_standalone.py --consistency FILE --key VKEY
    python3 verify_standalone.py --trail FOLDER [--key VKEY]... [--checkpoint FILE]... [--json]

PATH is a workspace, a `.roadmap` folder or a bare `activity.jsonl`. It ends with 0 (ok), 3 (mismatch: the log is sound,
a read model or a recorded hash is not what it gives), 4 (corrupted), 2 (usage) or 7 (not found). What it does not
judge: boundaries and the rights of registered actors, which stand in contracts (YAML), and the files of the project.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import functools
import hashlib
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Json = Any
LINE_BYTES_MAX = 16 * 1024 * 1024
DEPTH_MAX = 128
DIGITS_MAX = 4300
NOTE_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 64
ED25519 = 1
COSIGNATURE = 4


# ---------------------------------------------------------------------------------------------- strict JSON


class NotStrict(ValueError):
    """The bytes are not one strict JSON value."""


def strict_json(data: bytes, bytes_max: int = LINE_BYTES_MAX) -> Json:
    """The value of UTF-8 JSON without duplicate keys, NaN, lone surrogates or bombs. Raises `NotStrict`."""
    if len(data) > bytes_max:
        raise NotStrict(f"{len(data)} bytes are more than the limit of {bytes_max}")
    if data.startswith(b"\xef\xbb\xbf"):
        raise NotStrict("it begins with a byte order mark")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrict(f"byte {error.start} is not UTF-8") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded
        )
    except NotStrict:
        raise
    except RecursionError:
        raise NotStrict("it is nested too deeply") from None
    except ValueError as error:
        raise NotStrict(str(error)) from None
    _check_depth_and_text(value)
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise NotStrict(f"the key {key!r} stands twice in one object")
            seen.add(key)
    return found


def _no_constant(name: str) -> Json:
    raise NotStrict(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise NotStrict(f"the number {text[:20]} is out of range")
    return value


def _bounded(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise NotStrict("a number has too many digits")
    return int(text)


def _check_depth_and_text(value: Json) -> None:
    stack = [(value, 1)]
    while stack:
        one, depth = stack.pop()
        if isinstance(one, str):
            if not one.isascii() and any("\ud800" <= letter <= "\udfff" for letter in one):
                raise NotStrict("a text holds a lone surrogate")
        elif isinstance(one, (dict, list)):
            if depth > DEPTH_MAX:
                raise NotStrict(f"it is nested deeper than {DEPTH_MAX}")
            if isinstance(one, dict):
                stack.extend((key, depth) for key in one)
                stack.extend((item, depth + 1) for item in one.values())
            else:
                stack.extend((item, depth + 1) for item in one)


def canonical(value: Json) -> str:
    """The text that is hashed: sorted keys, no spaces, non-ASCII as itself."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


# ---------------------------------------------------------------------------------------------- Merkle tree (RFC 6962)


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A growing Merkle tree that keeps only the roots of its complete subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def append(self, leaf: bytes) -> None:
        level = 0
        while self._peaks and self._peaks[-1][0] == level:
            leaf = node_hash(self._peaks.pop()[1], leaf)
            level += 1
        self._peaks.append((level, leaf))
        self.size += 1

    def root(self) -> bytes:
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def includes(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2: is `leaf` at `index` of the tree of `size` leaves with `root`?"""
    if not 0 <= index < size:
        return False
    node, last, at = leaf, size - 1, index
    for step in proof:
        if last == 0:
            return False
        if at % 2 or at == last:
            node = node_hash(step, node)
            while not at % 2 and at:
                at, last = at // 2, last // 2
        else:
            node = node_hash(node, step)
        at, last = at // 2, last // 2
    return last == 0 and node == root


def consistent(first: int, first_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162, 2.1.4.2: is the tree of `first` leaves the beginning of the tree of `size` leaves?"""
    if not 0 <= first <= size:
        return False
    if first == size:
        return not proof and first_root == root
    if first == 0:
        return not proof and first_root == hashlib.sha256(b"").digest()
    steps = list(proof)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    if not steps:
        return False
    at, last = first - 1, size - 1
    while at % 2:
        at, last = at // 2, last // 2
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at % 2 or at == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not at % 2 and at:
                at, last = at // 2, last // 2
        else:
            new = node_hash(new, step)
        at, last = at // 2, last // 2
    return last == 0 and old == first_root and new == root


# ---------------------------------------------------------------------------------------------- Ed25519 (RFC 8032)

_P = 2**255 - 19
_Q = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_MINUS_1 = pow(2, (_P - 1) // 4, _P)
Point = tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    minus, plus = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    c, d = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = plus - minus, d - c, d + c, plus + minus
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _sum_of_products(a: int, one: Point, b: int, other: Point) -> Point:
    """a * one + b * other, bit by bit of both numbers at once."""
    both = _add(one, other)
    found: Point = (0, 1, 1, 0)
    for bit in range(max(a.bit_length(), b.bit_length()) - 1, -1, -1):
        found = _add(found, found)
        chosen = (a >> bit & 1) + 2 * (b >> bit & 1)
        if chosen:
            found = _add(found, (one, other, both)[chosen - 1])
    return found


def _point(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    x2 = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * _SQRT_MINUS_1 % _P
    if (x * x - x2) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


_BASE = _point(bytes([0x58]) + bytes([0x66]) * 31)


def _packed(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@functools.lru_cache(maxsize=256)
def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Is `signature` (64 bytes) the signature of `message` by the holder of `public` (32 bytes)?"""
    if len(public) != 32 or len(signature) != 64:
        return False
    key = _point(public)
    s = int.from_bytes(signature[32:], "little")
    if key is None or s >= _Q or _BASE is None:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _Q
    x, y, z, t = key
    minus_key = (_P - x, y, z, _P - t)
    return _packed(_sum_of_products(s, _BASE, h, minus_key)) == signature[:32]


# ---------------------------------------------------------------------------------------------- signed notes


class Invalid(ValueError):
    """A key, note, checkpoint or proof breaks its format, or does not prove what it says."""


class Key(NamedTuple):
    """A verifier key: `name+hex8(id)+base64(algorithm||public key)`."""

    name: str
    id: bytes
    algorithm: int
    public: bytes


class Signature(NamedTuple):
    name: str
    id: bytes
    blob: bytes


class Checkpoint(NamedTuple):
    """A tree head: the log's name, how many lines it had, and the root over them."""

    origin: str
    size: int
    root: bytes


class Note(NamedTuple):
    text: bytes
    signatures: tuple[Signature, ...]


def _base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"{text[:60]!r} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Invalid(f"{text[:60]!r} is not canonical base64")
    return data


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def parse_key(text: str) -> Key:
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not _is_name(parts[0]) or not re.fullmatch("[0-9a-f]{8}", parts[1]):
        raise Invalid("a key is NAME+ID+BASE64")
    data = _base64(parts[2])
    if len(data) != 33 or data[0] not in (ED25519, COSIGNATURE):
        raise Invalid("the key is no Ed25519 key")
    key = Key(parts[0], bytes.fromhex(parts[1]), data[0], data[1:])
    if hashlib.sha256(key.name.encode() + b"\n" + data).digest()[:4] != key.id:
        raise Invalid("the key's id is not that of its name and bytes")
    return key


def parse_note(data: bytes) -> Note:
    if len(data) > NOTE_BYTES_MAX:
        raise Invalid("the note is too long")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("the note is not UTF-8") from None
    if any((letter < " " and letter != "\n") or letter == "\x7f" for letter in text):
        raise Invalid("the note holds a control character")
    body, found, block = text.rpartition("\n\n")
    if not found or not block.endswith("\n") or not body:
        raise Invalid("the note has no signatures")
    signatures = []
    for line in block[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or not _is_name(parts[1]):
            raise Invalid("a line of the note is no signature")
        blob = _base64(parts[2])
        if len(blob) < 5:
            raise Invalid("a signature of the note is too short")
        signatures.append(Signature(parts[1], blob[:4], blob[4:]))
    if len(signatures) > SIGNATURES_MAX:
        raise Invalid("the note has too many signatures")
    return Note((body + "\n").encode(), tuple(signatures))


def parse_checkpoint(text: bytes) -> Checkpoint:
    lines = text.decode("utf-8").split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise Invalid("a checkpoint is an origin, a size and a root, each on a line")
    if not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]):
        raise Invalid("the checkpoint's size is no number")
    root = _base64(lines[2])
    if len(root) != 32:
        raise Invalid("the checkpoint's root is no SHA-256")
    return Checkpoint(lines[0], int(lines[1]), root)


def signers(note: Note, keys: Sequence[Key]) -> list[str]:
    """The names of those of `keys` that signed the note. A wrong signature by one of them is `Invalid`."""
    found = []
    for signature in note.signatures:
        for key in keys:
            if (signature.name, signature.id) != (key.name, key.id):
                continue
            message, blob = note.text, signature.blob
            if key.algorithm == COSIGNATURE:
                if len(blob) != 72:
                    raise Invalid(f"the cosignature of {key.name} has the wrong length")
                message = b"cosignature/v1\ntime %d\n" % int.from_bytes(blob[:8], "big") + note.text
                blob = blob[8:]
            if not ed25519_verifies(key.public, message, blob):
                raise Invalid(f"the signature of {key.name} is wrong")
            name = f"{key.name} ({key.id.hex()})"
            if name not in found:
                found.append(name)
    return found


def check_tlog_proof(data: bytes, leaf: bytes, keys: Sequence[Key]) -> Checkpoint:
    """Checks a `.tlog-proof`: `leaf` is in the log whose checkpoint one of `keys` signed. Raises `Invalid`."""
    head, found, note_data = data.partition(b"\n\n")
    if not found:
        raise Invalid("the proof has no checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Invalid("the proof is not ASCII") from None
    if lines[0] != "c2sp.org/tlog-proof@v1":
        raise Invalid("it is no tlog-proof of version 1")
    at = 1
    if len(lines) > at and lines[at].startswith("extra "):
        _base64(lines[at][len("extra ") :])
        at += 1
    if len(lines) <= at or not re.fullmatch("index (0|[1-9][0-9]{0,18})", lines[at]):
        raise Invalid("the proof has no index")
    index = int(lines[at].split(" ")[1])
    hashes = [_base64(line) for line in lines[at + 1 :]]
    if len(hashes) > 63 or any(len(one) != 32 for one in hashes):
        raise Invalid("a hash of the proof is no SHA-256")
    note = parse_note(note_data)
    checkpoint = parse_checkpoint(note.text)
    if not signers(note, [key for key in keys if key.algorithm == ED25519 and _speaks_for(key, checkpoint.origin)]):
        raise Invalid("none of the given keys signed the proof's checkpoint")
    if not includes(leaf, index, checkpoint.size, hashes, checkpoint.root):
        raise Invalid("the event is not in the log at that index")
    return checkpoint


def check_consistency(data: bytes, keys: Sequence[Key]) -> tuple[Checkpoint, Checkpoint]:
    """Checks a consistency proof: the log of its second checkpoint begins as that of its first. Raises `Invalid`.

    The file: `esaa/consistency-proof@v1`, the hashes in base64, and after a blank line each the two signed checkpoints.
    """
    parts = data.split(b"\n\n")
    if len(parts) != 5:
        raise Invalid("a consistency proof is a head and two signed checkpoints")
    try:
        header, *texts = parts[0].decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Invalid("the proof is not ASCII") from None
    if header != "esaa/consistency-proof@v1":
        raise Invalid("it is no consistency proof of version 1")
    hashes = [_base64(text) for text in texts]
    if len(hashes) > 64 or any(len(one) != 32 for one in hashes):
        raise Invalid("a hash of the proof is no SHA-256")
    heads = []
    for note_data in (parts[1] + b"\n\n" + parts[2] + b"\n", parts[3] + b"\n\n" + parts[4]):
        note = parse_note(note_data)
        head = parse_checkpoint(note.text)
        if not signers(note, [key for key in keys if key.algorithm == ED25519 and _speaks_for(key, head.origin)]):
            raise Invalid("none of the given keys signed a checkpoint of the proof")
        heads.append(head)
    first, second = heads
    if first.origin != second.origin:
        raise Invalid("the two checkpoints are of different logs")
    if not consistent(first.size, first.root, second.size, second.root, hashes):
        raise Invalid("the later log does not begin as the earlier one")
    return first, second


# ---------------------------------------------------------------------------------------------- findings


class Finding(NamedTuple):
    """What is wrong. An error decides the status by its effect; a warning counts with `--strict`."""

    code: str
    line: int | None
    message: str
    severity: str = "error"
    effect: str = "corrupted"
    where: str = "activity.jsonl"


class Line(NamedTuple):
    number: int
    raw: bytes
    ends: bool


def lines_of(data: bytes) -> Iterator[Line]:
    """The stored lines that are not blank, with their numbers; bytes without the LF."""
    pieces = data.split(b"\n")
    for number, raw in enumerate(pieces, 1):
        if raw.strip():
            yield Line(number, raw, number < len(pieces))


# ---------------------------------------------------------------------------------------------- the protocol's envelope

REQUIRED = ("schema_version", "event_id", "event_seq", "ts", "actor", "action", "payload")
AGENT_ACTS = ("claim", "complete", "review", "issue.report")
ORCHESTRATOR_ACTS = (
    "run.start",
    "run.end",
    "task.create",
    "hotfix.create",
    "issue.resolve",
    "output.rejected",
    "orchestrator.file.write",
    "orchestrator.view.mutate",
    "verify.start",
    "verify.ok",
    "verify.fail",
    "task.amend",
)
OTHER_WRITERS = (
    "attempt.create",
    "orchestrator.dispatch",
    "runner.metrics",
    "project.profile.set",
    "chain.anchor",
    "actor.bootstrap",
    "actor.register",
    "actor.bind_alias",
    "verification.configure",
    "verification.run",
)


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_number(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_texts(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_object(value: Json) -> bool:
    return isinstance(value, dict)


class Chain:
    """The links between stored lines, each of which names the leaf hash of the line before it."""

    def __init__(self, findings: list[Finding], where: str = "activity.jsonl") -> None:
        self.findings, self.where = findings, where
        self.is_chained = False
        self.leaves: list[bytes] = []
        self.numbers: list[int] = []
        self.relinked: str | None = None
        """The leaf hash that the last line would have if its link, which is broken, were right."""
        self._doubted = (0, 0)

    def feed(self, number: int, raw: bytes, event: dict[str, Json] | None, before: str | None = None) -> None:
        """Takes a line; `before` is the leaf hash of what stood before the first one, where that is known."""
        doubt, self.relinked = self.relinked, None
        previous = self.leaves[-1].hex() if self.leaves else before
        if event is not None:
            self._check(number, raw, event.get("prev_hash"), previous, doubt)
        self.leaves.append(leaf_hash(raw))
        self.numbers.append(number)

    def _check(self, number: int, raw: bytes, link: Json, before: str | None, doubt: str | None) -> None:
        if link is None:
            if self.is_chained:
                self._add(number, "prev_hash is missing after chained lines")
            return
        self.is_chained = True
        if doubt is not None and link == doubt:
            self.blame_link()
        elif before is None:
            self._add(number, "the first line is chained to a line that is not there")
        elif link != before:
            # The line before was changed, unless what follows tells that it was this link.
            at = self.numbers[-1] if self.numbers else number
            self._add(at, f"this is not the line that line {number} was chained to")
            self._doubted = (len(self.findings) - 1, number)
            written = canonical(link).encode()
            if raw.count(written) == 1:
                self.relinked = leaf_hash(raw.replace(written, canonical(before).encode())).hex()

    def blame_link(self) -> None:
        """With the hash of the line before it in its link, the line is the one that was vouched for: the link lies."""
        place, number = self._doubted
        text = "the prev_hash of this line was changed, and no other"
        self.findings[place] = self.findings[place]._replace(line=number, message=text)

    def _add(self, number: int, message: str) -> None:
        self.findings.append(Finding("CHAIN_BROKEN", number, message, where=self.where))


class Envelopes:
    """The lines as lines: numbers, names, times and every kind of chain."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        self.chain = Chain(findings)
        self.leaves, self.numbers = self.chain.leaves, self.chain.numbers
        self.events = 0
        self._ids: set[str] = set()
        self._seq = 0
        self._time = ""
        self._through = hashlib.sha256()
        self._anchors: dict[int, str] = {}
        self._foreign: str | None = None

    def feed(self, line: Line, value: dict[str, Json] | None) -> dict[str, Json] | None:
        """Checks one line; gives the event in today's form, or None where it is none."""
        self.events += 1
        self.chain.feed(line.number, line.raw, value)
        if value is None:
            self._seq += 1
            self._through.update(line.raw + b"\n")
            return None
        self._check_foreign(line.number, value)
        self._through.update(line.raw + b"\n")
        self._anchors[self.events] = self._through.hexdigest()
        event = _modern(value)
        return event if self._check_envelope(line.number, event) else None

    def _add(self, code: str, line: int, message: str, **more: str) -> None:
        self.findings.append(Finding(code, line, message, **more))

    def _check_foreign(self, number: int, value: dict[str, Json]) -> None:
        payload = value.get("payload")
        if value.get("action") == "chain.anchor" and isinstance(payload, dict) and "anchor_sha256" in payload:
            through, anchor = payload.get("anchored_through_seq"), payload.get("anchor_sha256")
            if not isinstance(through, int) or not 0 < through <= self.events - 1:
                self._add("CHAIN_BROKEN", number, "anchored_through_seq names lines that do not stand before it")
            elif self._anchors.get(through) != anchor:
                self._add("CHAIN_BROKEN", number, "anchor_sha256 is not the hash of the lines before")
            self._foreign = anchor if isinstance(anchor, str) else None
            if "event_hash" not in value:
                return
        if self._foreign is None:
            return
        if "event_hash" not in value:
            self._add("CHAIN_BROKEN", number, "event_hash is missing after hashed events")
            return
        if "prev_event_hash" in value and value["prev_event_hash"] != self._foreign:
            self._add("CHAIN_BROKEN", number, "prev_event_hash is not the hash of the event before")
        rest = {key: item for key, item in value.items() if key != "event_hash"}
        if hashlib.sha256(canonical(rest).encode()).hexdigest() != value["event_hash"]:
            self._add("CHAIN_BROKEN", number, "event_hash is not the hash of the event")
        self._foreign = value["event_hash"] if isinstance(value["event_hash"], str) else ""

    def _check_envelope(self, number: int, event: dict[str, Json]) -> bool:
        missing = [key for key in REQUIRED if key not in event]
        for key in missing:
            self._add("EVENT_MISSING_FIELDS", number, f"the event has no `{key}`")
        for key in ("schema_version", "event_id", "ts", "actor", "action"):
            if key in event and not _is_text(event[key]):
                self._add("SCHEMA_INVALID", number, f"`{key}` is not a text")
                missing.append(key)
        if "payload" in event and not _is_object(event["payload"]):
            self._add("SCHEMA_INVALID", number, "`payload` is not an object")
            missing.append("payload")
        seq = event.get("event_seq")
        expected = self._seq + 1
        if not isinstance(seq, int) or isinstance(seq, bool):
            self._add("EVENT_SEQ_INVALID", number, "event_seq is not a number")
            missing.append("event_seq")
            self._seq = expected
        else:
            if seq != expected:
                self._add("EVENT_SEQ_INVALID", number, f"event_seq {seq} stands where {expected} belongs")
            self._seq = seq
        name = event.get("event_id")
        if isinstance(name, str):
            if name in self._ids and seq == expected:
                self._add("EVENT_ID_DUPLICATE", number, f"event_id {name} was used before")
            elif _is_number(seq) and name != f"EV-{seq:08d}":
                self._add("EVENT_ID_INVALID", number, f"event_id {name} is not EV-{seq:08d}")
            self._ids.add(name)
        self._check_time(number, event.get("ts"))
        return not missing

    def _check_time(self, number: int, ts: Json) -> None:
        if _is_text(ts):
            if ts < self._time:
                severity = "error" if self.chain.is_chained else "warning"
                self._add("TIME_GOES_BACK", number, f"ts {ts} is before {self._time}", severity=severity)
            self._time = ts


def _modern(event: dict[str, Json]) -> dict[str, Json]:
    """The legacy shim: 0.3.0 lines in the form of later ones."""
    if event.get("schema_version", "0.3.0") != "0.3.0":
        return event
    event = dict(event, schema_version="0.3.0")
    if "payload" not in event and "data" in event:
        event["payload"] = event.pop("data")
    if event.get("action") == "run.init":
        event["action"] = "run.start"
    return event


# ---------------------------------------------------------------------------------------------- the projection

_TASK_FIELDS: dict[str, Callable[[Json], bool]] = {
    "task_id": _is_text,
    "task_kind": _is_text,
    "title": _is_text,
    "description": _is_text,
    "depends_on": _is_texts,
    "targets": _is_texts,
    "boundary_grant": _is_texts,
    "task_type": _is_text,
    "executable_checks": _is_texts,
    "supersedes": _is_texts,
}
_AMENDABLE = (
    "boundary_grant",
    "scope_patch",
    "description",
    "title",
    "acceptance_criteria",
    "task_kind",
    "task_type",
    "depends_on",
    "required_review_mode",
    "required_verification",
    "executable_checks",
)
_PROJECTED = ("run.start", "task.create", "hotfix.create", "task.amend", "claim", "complete", "review")
_MUST: dict[str, tuple[str, ...]] = {
    "task.create": ("task_id", "task_kind", "title"),
    "hotfix.create": ("task_id", "task_kind", "title"),
    "task.amend": ("task_id",),
    "claim": ("task_id",),
    "complete": ("task_id",),
    "review": ("task_id", "decision"),
    "issue.report": ("task_id", "issue_id", "severity", "title"),
    "issue.resolve": ("issue_id",),
    "orchestrator.file.write": ("task_id",),
}


class Projection:
    """Folds events into the state that the read models show, and notes what the rules of the protocol forbid."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        self.version = "0.4.0"
        self.project = {"name": "esaa-core", "audit_scope": ".roadmap/"}
        self.tasks: dict[str, dict[str, Json]] = {}
        self.issues: dict[str, dict[str, Json]] = {}
        self.lessons: list[Json] = []
        self.hashes = 0
        self.last_seq = 0
        self.last_ts: str | None = None
        self.last_act: int | None = None
        self._run: dict[str, Json] = {"run_id": None, "status": "initialized"}
        self._correlation: Json = None
        self._status = "unknown"
        self._texts: dict[str, str] = {}
        self._hash: str | None = None
        self._is_first = True
        self._handlers = {
            "run.start": self._on_run_start,
            "run.end": self._on_run_end,
            "verify.ok": self._on_verify_ok,
            "verify.fail": self._on_verify_fail,
            "task.create": self._on_create,
            "hotfix.create": self._on_create,
            "task.amend": self._on_amend,
            "claim": self._on_claim,
            "complete": self._on_complete,
            "review": self._on_review,
            "issue.report": self._on_report,
            "issue.resolve": self._on_resolve,
            "orchestrator.view.mutate": self._on_mutate,
        }

    def feed(self, event: dict[str, Json], line: int) -> None:
        if self._is_first:
            self._is_first = False
            self.version = event["schema_version"]
        self.last_seq, self.last_ts = event["event_seq"], event["ts"]
        action, payload = event["action"], event["payload"]
        if action in AGENT_ACTS:
            self.last_act = line
        elif action not in ("orchestrator.file.write", "hotfix.create", "issue.resolve"):
            self.last_act = None  # what only follows a batch that was closed
        if action in _PROJECTED:
            self._status = "unknown"
        for key in _MUST.get(action, ()):
            if not _is_text(payload.get(key)):
                self._add("SCHEMA_INVALID", line, f"the payload of `{action}` is malformed: `{key}`")
                return
        handler = self._handlers.get(action)
        if handler is not None:
            handler(event, payload, line)
        elif not _is_known(action):
            self._add(
                "UNKNOWN_ACTION", line, f"the action `{action}` is unknown", severity="warning", effect="mismatch"
            )

    def _add(self, code: str, line: int, message: str, **more: str) -> None:
        self.findings.append(Finding(code, line, message, **more))

    # Runs and verifications.

    def _on_run_start(self, event: Json, payload: Json, line: int) -> None:
        self._run = {"run_id": payload.get("run_id"), "status": payload.get("status", "initialized")}
        self._correlation = payload.get("master_correlation_id")
        for key, name in (("project_name", "name"), ("audit_scope", "audit_scope")):
            if _is_text(payload.get(key)):
                self.project[name] = payload[key]
                self._changed(None)

    def _on_run_end(self, event: Json, payload: Json, line: int) -> None:
        self._run["status"] = payload.get("status", self._run["status"])

    def _on_verify_ok(self, event: Json, payload: Json, line: int) -> None:
        self.hashes += 1
        self._status = "ok"
        said, found = payload.get("projection_hash_sha256"), self.hash()
        if said != found:
            text = f"verify.ok says {str(said)[:16]}..., but the events before it give {found[:16]}..."
            self._add("VERIFY_NOT_OK", line, text, severity="warning", effect="mismatch")

    def _on_verify_fail(self, event: Json, payload: Json, line: int) -> None:
        self._status = payload.get("verify_status", "mismatch")

    # Tasks.

    def _on_create(self, event: Json, payload: Json, line: int) -> None:
        name = payload["task_id"]
        wrong = [key for key, fits in _TASK_FIELDS.items() if key in payload and not fits(payload[key])]
        if wrong:
            self._add("SCHEMA_INVALID", line, f"the payload of `{event['action']}` is malformed: `{wrong[0]}`")
            return
        if name in self.tasks:
            self._add("DUPLICATE_TASK", line, f"the task {name} is created a second time")
            return
        task = {
            "task_id": name,
            "task_kind": payload["task_kind"],
            "title": payload["title"],
            "description": payload.get("description", payload["title"]),
            "status": "todo",
            "depends_on": payload.get("depends_on", []),
            "targets": payload.get("targets", []),
            "outputs": payload.get("outputs", {"files": []}),
            "immutability": {"done_is_immutable": True},
        }
        is_hotfix = event["action"] == "hotfix.create" or payload.get("is_hotfix") is True
        if is_hotfix:
            task["is_hotfix"] = True
            for key in ("issue_id", "fixes", "scope_patch", "required_verification", "baseline_id"):
                if key in payload:
                    task[key] = payload[key]
        if payload.get("boundary_grant"):
            task["boundary_grant"] = [grant.replace("\\", "/") for grant in payload["boundary_grant"]]
        if payload.get("plugin"):
            task["plugin"] = payload["plugin"]
        for key in ("task_type", "acceptance_criteria", "required_review_mode", "supersedes"):
            if key in payload:
                task[key] = payload[key]
        if "executable_checks" in payload:
            task["executable_checks"] = sorted(set(payload["executable_checks"]))
        self.tasks[name] = task
        self._changed(name)
        for other in payload.get("supersedes", []):
            if other in self.tasks:
                known = self.tasks[other].setdefault("superseded_by", [])
                if name not in known:
                    known.append(name)
                self._changed(other)
        issue = self.issues.get(payload.get("issue_id")) if _is_text(payload.get("issue_id")) else None
        if event["action"] == "hotfix.create" and issue is not None:
            issue["links"]["hotfix_task_id"] = name

    def _on_amend(self, event: Json, payload: Json, line: int) -> None:
        if self.version != "0.4.1":
            text = f"task.amend belongs to protocol 0.4.1; this log is {self.version}"
            self._add("UNKNOWN_ACTION", line, text, severity="warning", effect="mismatch")
        task = self._task(event, payload, line)
        if task is None:
            return
        if task["status"] != "todo":
            self._forbidden(event, task, line)
            return
        for key in _AMENDABLE:
            value = payload.get(key)
            if key == "boundary_grant" and key in payload and not value:
                task.pop(key, None)
            elif value:
                if key == "boundary_grant":
                    value = [grant.replace("\\", "/") for grant in value]
                elif key == "executable_checks":
                    value = sorted(set(value))
                task[key] = value
        outputs = payload.get("outputs")
        if isinstance(outputs, dict) and outputs.get("files"):
            task["outputs"] = {"files": outputs["files"]}
        self._changed(task["task_id"])

    def _on_claim(self, event: Json, payload: Json, line: int) -> None:
        task = self._task(event, payload, line, "todo")
        if task is not None:
            task.update(status="in_progress", assigned_to=event["actor"], started_at=event["ts"])
            self._changed(task["task_id"])

    def _on_complete(self, event: Json, payload: Json, line: int) -> None:
        task = self._task(event, payload, line, "in_progress")
        if task is None:
            return
        if task["status"] == "in_progress" and task.get("assigned_to") != event["actor"]:
            text = f"{event['actor']} completes {task['task_id']}, which belongs to {task.get('assigned_to')}"
            self._add("LOCK_VIOLATION", line, text, severity="error" if self._is_ours(event) else "warning")
        task["status"] = "review"
        if payload.get("verification"):
            task["verification"] = payload["verification"]
        for key in ("issue_id", "fixes"):
            if key in payload:
                task[key] = payload[key]
        self._changed(task["task_id"])

    def _on_review(self, event: Json, payload: Json, line: int) -> None:
        task = self._task(event, payload, line, "review")
        if task is None:
            return
        if payload["decision"] == "approve":
            task.update(status="done", completed_at=event["ts"])
        elif payload["decision"] == "request_changes":
            task["status"] = "in_progress"
        self._changed(task["task_id"])

    def _task(self, event: Json, payload: Json, line: int, expected: str = "") -> dict[str, Json] | None:
        """The task that an act is about, where the act may change it."""
        task = self.tasks.get(payload["task_id"])
        if task is None:
            self._add("TASK_NOT_FOUND", line, f"`{event['action']}` on the unknown task {payload['task_id']}")
            return None
        if expected and task["status"] != expected:
            return self._forbidden(event, task, line)
        return task

    def _forbidden(self, event: Json, task: dict[str, Json], line: int) -> dict[str, Json] | None:
        text = f"`{event['action']}` on {task['task_id']}, which is {task['status']}"
        is_done = task["status"] == "done"
        self._add("IMMUTABLE_DONE_VIOLATION" if is_done else "INVALID_TRANSITION", line, text)
        return None if is_done or event["action"] == "task.amend" else task

    def _is_ours(self, event: Json) -> bool:
        return "prev_hash" in event

    # Issues and lessons.

    def _on_report(self, event: Json, payload: Json, line: int) -> None:
        name = payload["issue_id"]
        before = self.issues.get(name)
        affected = payload.get("affected", {})
        self.issues[name] = {
            "issue_id": name,
            "status": "open",
            "severity": payload["severity"],
            "title": payload["title"],
            "baseline_id": affected.get("baseline_id") if isinstance(affected, dict) else None,
            "affected": affected,
            "evidence": payload.get("evidence", {}),
            "resolution": {},
            "links": {
                "reported_by_task_id": payload["task_id"],
                "fixes_task_id": payload.get("fixes"),
                "hotfix_task_id": before["links"]["hotfix_task_id"] if before else None,
            },
            "timeline": {
                "created_event_seq": before["timeline"]["created_event_seq"] if before else event["event_seq"],
                "resolved_event_seq": None,
            },
        }
        lesson = payload.get("lesson")
        if (payload.get("category"), payload.get("subtype")) == ("process", "lesson") and isinstance(lesson, dict):
            head = {"lesson_id": f"LES-{len(self.lessons) + 1:04d}", "status": "active", "title": payload["title"]}
            refs = {"source_refs": [{"type": "issue", "ref": name}]}
            self.lessons.append({**head, **lesson, **refs})

    def _on_resolve(self, event: Json, payload: Json, line: int) -> None:
        issue = self.issues.get(payload["issue_id"])
        if issue is not None:
            issue["status"] = "resolved"
            issue["resolution"] = payload.get("resolution", {})
            issue["timeline"]["resolved_event_seq"] = event["event_seq"]

    def _on_mutate(self, event: Json, payload: Json, line: int) -> None:
        if isinstance(payload.get("lessons"), list):
            self.lessons = payload["lessons"]

    # What the read models say.

    def _changed(self, task_id: str | None) -> None:
        self._hash = None
        if task_id is not None:
            self._texts.pop(task_id, None)

    def indexes(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {"by_status": {}, "by_kind": {}}
        for task in self.tasks.values():
            for name, key in (("by_status", "status"), ("by_kind", "task_kind")):
                found[name][task[key]] = found[name].get(task[key], 0) + 1
        return found

    def hash(self) -> str:
        """The projection hash of the events so far."""
        if self._hash is None:
            for name, task in self.tasks.items():
                if name not in self._texts:
                    self._texts[name] = canonical(task)
            tasks = ",".join(self._texts[name] for name in self.tasks)
            rest = [canonical(part) for part in (self.indexes(), self.project, self.version)]
            text = '{{"indexes":{},"project":{},"schema_version":{},"tasks":[{}]}}\n'.format(*rest, tasks)
            self._hash = hashlib.sha256(text.encode()).hexdigest()
        return self._hash

    def roadmap(self) -> Json:
        run = dict(self._run, last_event_seq=self.last_seq, projection_hash_sha256=self.hash())
        run["verify_status"] = self._status
        return {
            "meta": {
                "schema_version": self.version,
                "esaa_version": "0.4.x",
                "immutable_done": True,
                "master_correlation_id": self._correlation,
                "run": run,
                "updated_at": self.last_ts,
            },
            "project": self.project,
            "tasks": list(self.tasks.values()),
            "indexes": self.indexes(),
        }

    def _meta(self) -> dict[str, Json]:
        return {
            "schema_version": self.version,
            "esaa_version": "0.4.x",
            "generated_by": "esaa.project",
            "source_event_store": ".roadmap/activity.jsonl",
            "updated_at": self.last_ts,
        }

    def issues_view(self) -> Json:
        open_by: dict[str, list[str]] = {}
        issues = [self.issues[name] for name in sorted(self.issues)]
        for issue in issues:
            if issue["status"] == "open":
                baseline = issue["baseline_id"]
                open_by.setdefault("none" if baseline is None else baseline, []).append(issue["issue_id"])
        meta = dict(self._meta(), last_event_seq=self.last_seq)
        return {"meta": meta, "issues": issues, "indexes": {"open_by_baseline": open_by}}

    def lessons_view(self) -> Json:
        kinds: dict[str, list[Json]] = {}
        applies: dict[str, list[Json]] = {}
        for lesson in self.lessons:
            if not isinstance(lesson, dict):
                continue
            scope, enforcement = lesson.get("scope"), lesson.get("enforcement")
            for kind in (scope.get("task_kinds") if isinstance(scope, dict) else None) or []:
                kinds.setdefault(kind, []).append(lesson.get("lesson_id"))
            where = enforcement.get("applies_to") if isinstance(enforcement, dict) else None
            if isinstance(where, str):
                applies.setdefault(where, []).append(lesson.get("lesson_id"))
        indexes = {"by_task_kind": kinds, "by_enforcement_applies_to": applies}
        return {"meta": self._meta(), "lessons": self.lessons, "indexes": indexes}


def _is_known(action: str) -> bool:
    known = action in AGENT_ACTS or action in ORCHESTRATOR_ACTS or action in OTHER_WRITERS
    return known or action.startswith(("plugin.", "roadmap."))


# ---------------------------------------------------------------------------------------------- checkpoints


class Trust(NamedTuple):
    """How far the log can be trusted, and by whose word.

    Anchored: a checkpoint from outside of the folder, or one that a witness signed too, covers these events.
    Signed: one that lies beside the log does, which shows what outsiders did, not what the holder of the key did.
    """

    anchored_through: int | None = None
    anchored_by: tuple[str, ...] = ()
    unanchored_tail: int = 0
    invalid_from_line: int | None = None
    signed_through: int | None = None
    checkpoint_signed_by: tuple[str, ...] = ()

    def answer(self) -> str:
        if self.invalid_from_line is not None:
            return f"INVALID from line {self.invalid_from_line}"
        if self.anchored_through is not None:
            by = ", ".join(self.anchored_by)
            return f"VALID-ANCHORED through event {self.anchored_through} by {by}, tail of {self.unanchored_tail}"
        signed = f", signed through event {self.signed_through}" if self.signed_through else ""
        return f"VALID-UNANCHORED, tail of {self.unanchored_tail}{signed}"


class Head(NamedTuple):
    """A checkpoint that keeps the format, and which of the given keys signed it: as the log, and as witnesses."""

    where: str
    checkpoint: Checkpoint
    signers: list[str]
    witnesses: list[str]
    is_anchor: bool


class Heads:
    """Compares checkpoints with the log: the root of as many lines as each of them covers."""

    def __init__(self, keys: Sequence[Key], origin: str | None, findings: list[Finding]) -> None:
        self.keys, self.origin, self.findings = keys, origin, findings
        self.trust = Trust()
        self._heads: list[Head] = []

    def read(self, where: str, data: bytes, size: int | None = None, is_anchor: bool = False) -> None:
        try:
            note = parse_note(data)
            checkpoint = parse_checkpoint(note.text)
            if self.origin is not None and checkpoint.origin != self.origin:
                raise Invalid(f"the checkpoint is of {checkpoint.origin}, the log is {self.origin}")
            if size is not None and checkpoint.size != size:
                raise Invalid(f"the checkpoint covers {checkpoint.size} events, its name says {size}")
            log_keys = [key for key in self.keys if key.algorithm == ED25519 and _speaks_for(key, checkpoint.origin)]
            names = signers(note, log_keys)
            witnesses = signers(note, [key for key in self.keys if key.algorithm == COSIGNATURE])
        except Invalid as error:
            self.findings.append(Finding("CHECKPOINT_INVALID", None, str(error), where=where))
            return
        if not names:
            text = "none of the known keys signed the checkpoint"
            self.findings.append(Finding("CHECKPOINT_KEY_UNKNOWN", None, text, "warning", "mismatch", where))
        self._heads.append(Head(where, checkpoint, names, witnesses, is_anchor))

    def compare(self, leaves: Sequence[bytes], numbers: Sequence[int]) -> None:
        """Where the log differs, it is invalid after the last checkpoint that it keeps, if no line was found yet."""
        is_placed = any(one.line is not None and one.severity == "error" for one in self.findings)
        tree = Tree()
        kept = 0
        sound: list[Head] = []
        contradictions: list[Finding] = []
        for head in sorted(self._heads, key=lambda one: one.checkpoint.size):
            size = head.checkpoint.size
            if size > len(leaves):
                text = f"the checkpoint covers {size} events, the log has {len(leaves)}"
                line = (numbers[-1] if numbers else 0) + 1
                contradictions.append(Finding("CHECKPOINT_BEYOND_LOG", line, text, where=head.where))
                continue
            while tree.size < size:
                tree.append(leaves[tree.size])
            if tree.root() != head.checkpoint.root:
                text = f"the log's first {size} events are not those that the checkpoint was made of"
                line = numbers[kept] if kept < len(numbers) else 1
                contradictions.append(Finding("CHECKPOINT_MISMATCH", line, text, where=head.where))
            elif head.signers:
                kept = size
                sound.append(head)
        self.findings += [one._replace(line=None) if is_placed else one for one in contradictions]
        anchors = [head for head in sound if head.is_anchor or head.witnesses]
        anchored = max((head.checkpoint.size for head in anchors), default=None)
        signed = max((head.checkpoint.size for head in sound), default=None)
        by = [
            name
            for head in anchors
            if head.checkpoint.size == anchored
            for name in ([head.where] if head.is_anchor else []) + head.witnesses
        ]
        signed_by = [name for head in sound if head.checkpoint.size == signed for name in head.signers]
        self.trust = Trust(
            anchored_through=anchored,
            anchored_by=tuple(dict.fromkeys(by)),
            signed_through=signed,
            checkpoint_signed_by=tuple(dict.fromkeys(signed_by)),
        )


def _speaks_for(key: Key, origin: str) -> bool:
    return origin == key.name or origin.startswith(f"{key.name}/")


# ---------------------------------------------------------------------------------------------- the verdict


class Verdict(NamedTuple):
    status: str
    events: int
    projection_hash: str
    hashes: int
    trust: Trust
    findings: tuple[Finding, ...]


def verify(
    path: Path, keys: Sequence[Key] = (), checkpoints: Sequence[tuple[str, bytes]] = (), strict: bool = False
) -> Verdict:
    """Verifies a workspace, a folder like `.roadmap`, or a bare log. Raises `FileNotFoundError`."""
    log, folder = _locate(path)
    data = log.read_bytes()
    findings: list[Finding] = []
    envelopes, projection = Envelopes(findings), Projection(findings)
    stored = list(lines_of(data))
    for line in stored:
        event = envelopes.feed(line, _event_of(line, findings))
        if event is None:
            projection.last_act = None  # nobody knows what stood here
        else:
            projection.feed(event, line.number)
    _check_tail(findings, envelopes, projection, stored)
    heads = Heads(keys, _origin(folder), findings)
    for name, content, size in _own_checkpoints(folder):
        heads.read(name, content, size)
    for name, content in checkpoints:
        heads.read(name, content, is_anchor=True)
    if folder is not None:
        _check_seen(folder, envelopes, findings)
    heads.compare(envelopes.leaves, envelopes.numbers)
    if folder is not None:
        _check_read_models(folder, projection, envelopes.chain.is_chained, findings)
    return _verdict(findings, envelopes, projection, heads, strict)


def _locate(path: Path) -> tuple[Path, Path | None]:
    if path.is_file():
        return path, None
    for folder in (path / ".roadmap", path):
        if (folder / "activity.jsonl").is_file():
            return folder / "activity.jsonl", folder
    raise FileNotFoundError(f"there is no activity.jsonl in {path}")


def _event_of(line: Line, findings: list[Finding]) -> dict[str, Json] | None:
    try:
        value = strict_json(line.raw)
    except NotStrict as error:
        findings.append(Finding("JSONL_INVALID", line.number, f"the line is not strict JSON: {error}"))
        return None
    if not isinstance(value, dict):
        findings.append(Finding("JSONL_INVALID", line.number, "the line is not a JSON object"))
        return None
    return value


def _check_tail(findings: list[Finding], envelopes: Envelopes, projection: Projection, stored: list[Line]) -> None:
    """What a crash left at the end of esaa's own log: a line without line feed, a batch without its end."""
    if not envelopes.chain.is_chained or not stored:
        return
    if not stored[-1].ends:
        last = stored[-1].number
        findings[:] = [one for one in findings if one.line != last]
        findings.append(Finding("TORN_TAIL", last, "the last line was cut by a crash, never acknowledged"))
    elif projection.last_act is not None:
        text = "the last batch was cut by a crash, never acknowledged"
        findings.append(Finding("UNCLOSED_BATCH", projection.last_act, text))


def _origin(folder: Path | None) -> str | None:
    if folder is None or not (folder / "origin").is_file():
        return None
    return (folder / "origin").read_bytes().decode("utf-8", "replace").strip()


def _own_checkpoints(folder: Path | None) -> Iterator[tuple[str, bytes, int | None]]:
    if folder is None or not (folder / "checkpoints").is_dir():
        return
    for file in sorted((folder / "checkpoints").iterdir()):
        if file.is_file() and (file.name == "latest" or file.name.isdigit()):
            yield f"checkpoints/{file.name}", file.read_bytes(), int(file.name) if file.name.isdigit() else None


def _check_seen(folder: Path, envelopes: Envelopes, findings: list[Finding]) -> None:
    """The machine that wrote the log remembers how far it got; an auditor's copy usually has no such file."""
    try:
        seen = strict_json((folder / ".esaa" / "cursors.json").read_bytes())["published"]
        version, leaf = seen["version"], seen["leaf_hash"]
    except (OSError, NotStrict, KeyError, TypeError):
        return
    if not _is_number(version) or version < 1:
        return
    if version == len(envelopes.leaves) and leaf == envelopes.chain.relinked:
        envelopes.chain.blame_link()
    if version > len(envelopes.leaves) or envelopes.leaves[version - 1].hex() != leaf:
        line = envelopes.numbers[min(len(envelopes.numbers), version) - 1] if envelopes.numbers else 1
        if version > len(envelopes.leaves):
            line += 1
        text = f"event {version}, which this machine has seen, is not in the log any more"
        findings.append(Finding("LOG_ROLLED_BACK", line, text))


_VIEWS = (
    ("roadmap.json", Projection.roadmap),
    ("issues.json", Projection.issues_view),
    ("lessons.json", Projection.lessons_view),
)


def _trust(found: Trust, events: int, first_bad: int | None) -> Trust:
    sound = events if first_bad is None else min(first_bad - 1, events)
    tail = max(sound - (found.anchored_through or 0), 0)
    return found._replace(unanchored_tail=tail, invalid_from_line=first_bad)


def _check_read_models(folder: Path, projection: Projection, is_ours: bool, findings: list[Finding]) -> None:
    """Each read model against the projection. In another writer's log only the hashed part of roadmap is an error."""
    for name, view in _VIEWS:
        severity = "error" if is_ours or name == "roadmap.json" else "warning"
        wanted = view(projection)
        try:
            found = strict_json((folder / name).read_bytes(), 1 << 31)
        except FileNotFoundError:
            text = f"{name} is missing"
        except NotStrict as error:
            text = f"{name} is not strict JSON: {error}"
        else:
            if canonical(found) == canonical(wanted):
                continue
            text = f"{name} differs from the projection at {_difference(wanted, found)}"
            if name == "roadmap.json" and not is_ours and _hashed(found) == _hashed(wanted):
                severity = "warning"
        findings.append(Finding("READ_MODEL_DIFFERS", None, text, severity, "mismatch", name))


def _hashed(roadmap: Json) -> Json:
    if not isinstance(roadmap, dict) or not isinstance(roadmap.get("meta"), dict):
        return None
    parts = [roadmap.get(key) for key in ("project", "tasks", "indexes")]
    run = roadmap["meta"].get("run")
    recorded = run.get("projection_hash_sha256") if isinstance(run, dict) else None
    return canonical([roadmap["meta"].get("schema_version"), recorded, *parts])


def _difference(wanted: Json, found: Json, at: str = "") -> str:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in [*wanted, *(key for key in found if key not in wanted)]:
            if key not in wanted or key not in found or canonical(wanted[key]) != canonical(found[key]):
                return _difference(wanted.get(key), found.get(key), f"{at}/{key}")
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, one in enumerate(wanted):
            other = found[index]
            if canonical(one) != canonical(other):
                return _difference(one, other, f"{at}/{index}")
    return at or "/"


def _verdict(
    findings: list[Finding], envelopes: Envelopes, projection: Projection, heads: Heads, strict: bool
) -> Verdict:
    findings.sort(key=lambda one: (one.line is None, one.line or 0))
    errors = [one for one in findings if one.severity == "error"]
    corrupting = [one for one in errors if one.effect == "corrupted"]
    status = "corrupted" if corrupting else "mismatch" if errors or (strict and findings) else "ok"
    lines = [one.line for one in corrupting if one.line is not None]
    trust = _trust(heads.trust, envelopes.events, min(lines) if lines else None)
    return Verdict(status, envelopes.events, projection.hash(), projection.hashes, trust, tuple(findings))


# ---------------------------------------------------------------------------------------------- the audit trail


class Stored(NamedTuple):
    """An event of a stream where it lies: its place in the stream, its file, and its line."""

    place: int
    where: str
    raw: bytes
    event: dict[str, Json] | None


def verify_trail(
    base: Path, keys: Sequence[Key] = (), checkpoints: Sequence[tuple[str, bytes]] = ()
) -> dict[str, tuple[Trust, list[Finding]]]:
    """The streams of a trail, each with what is wrong with its sequence, ids, times, chain and checkpoints.

    The line of a finding is the place in the stream. Events that retention deleted are not judged; where a stream does
    not begin with its first event, its checkpoints cannot be compared either, and it stays unanchored.
    """
    files: dict[str, list[Path]] = {}
    for file in sorted({*base.glob("**/events.jsonl"), *base.glob("**/events-*.jsonl")}):
        if "torn" not in file.relative_to(base).parts:
            files.setdefault(file.parent.name, []).append(file)
    answers = {}
    for name in sorted(files):
        findings: list[Finding] = []
        events = _stream(base, files[name], findings)
        chain = _check_stream(name, events, findings)
        heads = Heads(keys, None, findings)
        folder = base / "checkpoints" / name
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.is_file() and (file.name == "latest" or file.name.isdigit()):
                size = int(file.name) if file.name.isdigit() else None
                heads.read(str(file.relative_to(base)), file.read_bytes(), size)
        for label, content in checkpoints:
            if parse_checkpoint(parse_note(content).text).origin.endswith(f"/trail/{name}"):
                heads.read(label, content, is_anchor=True)
        if not events or events[0].place == 1:
            heads.compare(chain.leaves, chain.numbers)
        errors = [one.line for one in findings if one.severity == "error" and one.line is not None]
        count = events[-1].place if events else 0
        answers[name] = (_trust(heads.trust, count, min(errors) if errors else None), findings)
    return answers


def _stream(base: Path, files: Sequence[Path], findings: list[Finding]) -> list[Stored]:
    """The events of all files in the order of the stream: by the first number that each file has."""
    parts = []
    for file in files:
        where = str(file.relative_to(base))
        faults: list[Finding] = []
        lines = [(line, _event_of(line, faults)) for line in lines_of(file.read_bytes())]
        numbers = [event.get("event_sequence") for _, event in lines if event is not None]
        # The lines of a file are numbered without a gap, so that any two that agree say where it begins.
        begins = [number - at for at, number in enumerate(numbers) if isinstance(number, int)]
        first = max(set(begins), key=begins.count) if begins else 1
        parts.append((first, where, lines, {fault.line: fault for fault in faults}))
    stored: list[Stored] = []
    place = 0
    for first, where, lines, faults_at in sorted(parts, key=lambda part: part[:2]):
        place = first - 1 if not stored else place
        for line, event in lines:
            place += 1
            stored.append(Stored(place, where, line.raw, event))
            if line.number in faults_at:
                findings.append(faults_at[line.number]._replace(line=place, where=where))
    return stored


def _check_stream(name: str, events: Sequence[Stored], findings: list[Finding]) -> Chain:
    chain = Chain(findings)
    ids: set[str] = set()
    time = ""
    expected = events[0].place if events else 1
    for place, where, raw, event in events:
        chain.where = where
        before = None
        if not chain.leaves and place > 1 and event is not None and isinstance(event.get("prev_hash"), str):
            before = event["prev_hash"]  # what it names was deleted, and only its proof is left
        chain.feed(place, raw, event, before)
        if event is None:
            expected += 1
            continue
        sequence = event.get("event_sequence")
        if not isinstance(sequence, int) or sequence != expected:
            text = f"event_sequence is {sequence}; {expected} was to come"
            findings.append(Finding("EVENT_SEQ_INVALID", place, text, where=where))
        expected = sequence + 1 if isinstance(sequence, int) else expected + 1
        time = _check_trail_envelope(name, place, where, event, ids, time, findings)
    return chain


def _check_trail_envelope(
    name: str, place: int, where: str, event: dict[str, Json], ids: set[str], time: str, findings: list[Finding]
) -> str:
    """Checks id, stream and time of an event; gives the time that the next one may not lie before."""

    def add(code: str, message: str) -> None:
        findings.append(Finding(code, place, message, where=where))

    identity = event.get("event_id")
    try:
        uuid.UUID(str(identity))
    except ValueError:
        add("EVENT_ID_INVALID", "event_id is no UUID")
    if identity in ids:
        add("EVENT_ID_DUPLICATE", "event_id stands twice")
    ids.add(str(identity))
    stream = event.get("issue_key") if event.get("issue_key") is not None else "global"
    if stream != name:
        add("STREAM_INVALID", f"the event is of {stream}, the stream is {name}")
    stamp = event.get("timestamp")
    if not isinstance(stamp, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp):
        add("TIMESTAMP_INVALID", "timestamp is no UTC time")
        return time
    if stamp < time:
        add("TIMESTAMP_BACK", f"timestamp {stamp} lies before that of the event before")
    return max(stamp, time)


# ---------------------------------------------------------------------------------------------- the command line


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify a log of esaa without esaa.")
    parser.add_argument("path", nargs="?", type=Path, help="a workspace, a .roadmap folder, or an activity.jsonl")
    parser.add_argument("--key", action="append", default=[], metavar="VKEY", help="a key that you trust, or its file")
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, help="a checkpoint kept elsewhere")
    parser.add_argument("--strict", action="store_true", help="warnings count")
    parser.add_argument("--trail", type=Path, metavar="FOLDER", help="verify the streams of an audit trail")
    parser.add_argument("--proof", type=Path, metavar="FILE", help="check a .tlog-proof")
    parser.add_argument("--consistency", type=Path, metavar="FILE", help="check a proof that a log was only continued")
    parser.add_argument("--event", type=Path, metavar="FILE", help="the event's line, for --proof")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    try:
        keys = [parse_key(Path(key).read_text() if Path(key).is_file() else key) for key in chosen.key]
        anchors = [(str(file), file.read_bytes()) for file in chosen.checkpoint]
        if chosen.proof is not None:
            return _answer_proof(chosen, keys)
        if chosen.consistency is not None:
            return _answer_consistency(chosen, keys)
        if chosen.trail is not None:
            return _answer_trail(chosen, keys, anchors)
        if chosen.path is None:
            parser.print_usage(sys.stderr)
            return 2
        return _answer(verify(chosen.path, keys, anchors, chosen.strict), chosen.json)
    except Invalid as error:
        print(f"invalid: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"not found: {error}", file=sys.stderr)
        return 7


def _answer(verdict: Verdict, as_json: bool) -> int:
    if as_json:
        print(json.dumps(as_data(verdict), ensure_ascii=False))
    else:
        for one in verdict.findings:
            print(_shown(f"{one.severity} {one.where}:{one.line or ''} {one.code}: {one.message}"))
        print(
            f"{verdict.events} events, {verdict.hashes} of {verdict.hashes} verify.ok recomputed; boundaries not judged"
        )
        print(_shown(verdict.trust.answer()))
        print(f"projection_hash_sha256={verdict.projection_hash}")
        print(f"verify_status={verdict.status}")
    return {"ok": 0, "mismatch": 3, "corrupted": 4}[verdict.status]


def _shown(text: str) -> str:
    """Text from the log as a terminal may show it."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def as_data(verdict: Verdict) -> dict[str, Json]:
    """The verdict as JSON, with the keys that `esaa verify --json` has."""
    return {
        "verify_status": verdict.status,
        "events": verdict.events,
        "projection_hash_sha256": verdict.projection_hash,
        "hashes_recomputed": verdict.hashes,
        "hashes": verdict.hashes,
        "boundaries_judged": False,
        "trust": dict(verdict.trust._asdict(), answer=verdict.trust.answer()),
        "findings": [one._asdict() for one in verdict.findings],
    }


def _answer_proof(chosen: argparse.Namespace, keys: Sequence[Key]) -> int:
    if chosen.event is None or not keys:
        print("--proof needs --event and --key", file=sys.stderr)
        return 2
    line = chosen.event.read_bytes()
    line = line[:-1] if line.endswith(b"\n") else line
    try:
        head = check_tlog_proof(chosen.proof.read_bytes(), leaf_hash(line), keys)
    except Invalid as error:
        print(_shown(f"the proof does not hold: {error}"))
        return 1
    print(_shown(f"the event is in {head.origin} as its first {head.size} events were signed"))
    return 0


def _answer_consistency(chosen: argparse.Namespace, keys: Sequence[Key]) -> int:
    if not keys:
        print("--consistency needs --key", file=sys.stderr)
        return 2
    try:
        first, second = check_consistency(chosen.consistency.read_bytes(), keys)
    except Invalid as error:
        print(_shown(f"the proof does not hold: {error}"))
        return 1
    print(_shown(f"the {second.size} events of {second.origin} begin with the {first.size} events signed before"))
    return 0


def _answer_trail(chosen: argparse.Namespace, keys: Sequence[Key], anchors: Sequence[tuple[str, bytes]]) -> int:
    answers = verify_trail(chosen.trail, keys, anchors)
    is_damaged = any(one.severity == "error" for _, findings in answers.values() for one in findings)
    if chosen.json:
        data = {
            name: {"trust": dict(trust._asdict(), answer=trust.answer()), "findings": [one._asdict() for one in found]}
            for name, (trust, found) in answers.items()
        }
        print(json.dumps(data, ensure_ascii=False))
    else:
        for name, (trust, found) in answers.items():
            for one in found:
                print(_shown(f"{one.severity} {one.where}:{one.line or ''} {one.code}: {one.message}"))
            print(_shown(f"{name}: {trust.answer()}"))
    return 4 if is_damaged else 0


if __name__ == "__main__":
    sys.exit(main())
