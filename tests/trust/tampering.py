"""The tamper corpus: what somebody may do to a log, its read models and its checkpoints, one function for each kind.

Every tampering is drawn: it takes a sound log with its checkpoints and gives the files as the tamperer leaves them. The
auditor has an anchor: a checkpoint over the whole sound log, kept where the tamperer does not come.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from esaa.kernel.canonical import compact
from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import (
    ED25519,
    Checkpoint,
    Note,
    Signature,
    VerifierKey,
    body,
    format_note,
    key_id,
    parse_note,
)
from esaa.kernel.merkle import root
from tests.trust.clean_logs import CleanLog, draw_log, made_of

ORIGIN = "esaa.local/6e0f1d1c-8f61-4f3a-9a55-1f4f0f6d2b10"


class Signer:
    """A key pair that signs checkpoints; the same seed gives the same key."""

    def __init__(self, seed: int, name: str = ORIGIN) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(random.Random(seed).randbytes(32))
        public = self._private.public_key().public_bytes_raw()
        self.verifier = VerifierKey(name=name, key_id=key_id(name, ED25519, public), algorithm=ED25519, public=public)

    def checkpoint(self, lines: tuple[bytes, ...], origin: str = ORIGIN) -> bytes:
        """The signed tree head over these lines."""
        text = body(Checkpoint(origin=origin, size=len(lines), root=root(leaf_hash(line) for line in lines)))
        key = self.verifier
        signature = Signature(name=key.name, key_id=key.key_id, blob=self._private.sign(text))
        return format_note(Note(text=text, signatures=(signature,)))


OPERATOR = Signer(1)
"""Who signs the log. In some tamperings the operator is the tamperer."""
INTRUDER = Signer(2)
"""Somebody with a key of the same name that nobody trusts."""


class Sound(NamedTuple):
    """A sound log as it was kept: its files, its lines, and the anchor that lies elsewhere."""

    files: Mapping[str, bytes]
    lines: tuple[bytes, ...]
    anchor: bytes


def kept(log: CleanLog) -> Sound:
    """A log with what keeps it: its name, the checkpoint over it and one over its first half."""
    half = log.lines[: len(log.lines) // 2]
    notes = {
        "origin": ORIGIN.encode() + b"\n",
        "checkpoints/latest": OPERATOR.checkpoint(log.lines),
        f"checkpoints/{len(half)}": OPERATOR.checkpoint(half),
    }
    return Sound(dict(log.files) | notes, log.lines, OPERATOR.checkpoint(log.lines))


Files = dict[str, bytes]
Tampering = Callable[[Sound, random.Random], Files]


def _log(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _with_lines(sound: Sound, lines: list[bytes]) -> Files:
    return dict(sound.files) | {"activity.jsonl": _log(lines)}


def _chained(lines: list[bytes], start: int = 0) -> list[bytes]:
    """The lines renumbered and chained again: what a tamperer does who knows the format."""
    made = list(lines[:start])
    for number, line in enumerate(lines[start:], start + 1):
        event = json.loads(line)
        event |= {"event_seq": number, "event_id": f"EV-{number:08d}"}
        event.pop("prev_hash", None)
        if made:
            event["prev_hash"] = leaf_hash(made[-1])
        made.append(compact(event))
    return made


def _rewritten(sound: Sound, lines: list[bytes], signer: Signer | None) -> Files:
    """A consistent history with read models of its own, and new checkpoints where there is somebody to sign them."""
    new = made_of(tuple(lines))
    files = {name: data for name, data in sound.files.items() if signer is None or not name.startswith("checkpoints/")}
    files |= new.files
    if signer is not None:
        files["checkpoints/latest"] = signer.checkpoint(tuple(lines))
    return files


def _edited(line: bytes, draw: random.Random) -> bytes:
    """One fact of an event, changed as somebody would who has something to hide."""
    event: dict[str, Any] = json.loads(line)
    choice = draw.randrange(4)
    if choice == 0:
        event["actor"] = "agent-other" if event["actor"] != "agent-other" else "agent-impl"
    elif choice == 1:
        event["ts"] = event["ts"][:-2] + ("1Z" if event["ts"][-2] != "1" else "2Z")
    elif choice == 2 and "status" in event["payload"]:
        event["payload"]["status"] = "edited"
    else:
        event["payload"]["notes"] = "nothing happened"
    return compact(event)


def _place(sound: Sound, draw: random.Random) -> int:
    return draw.randrange(len(sound.lines))


# In the log, as somebody does who only has an editor.


def edit(sound: Sound, draw: random.Random) -> Files:
    """A value of one event is changed."""
    lines, at = list(sound.lines), _place(sound, draw)
    lines[at] = _edited(lines[at], draw)
    return _with_lines(sound, lines)


def flip(sound: Sound, draw: random.Random) -> Files:
    """One bit of the log is flipped."""
    data = bytearray(sound.files["activity.jsonl"])
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return dict(sound.files) | {"activity.jsonl": bytes(data)}


def delete(sound: Sound, draw: random.Random) -> Files:
    """A line is taken out."""
    lines = list(sound.lines)
    del lines[_place(sound, draw)]
    return _with_lines(sound, lines)


def insert(sound: Sound, draw: random.Random) -> Files:
    """A line that fits its place by number and chain is put in."""
    lines, at = list(sound.lines), _place(sound, draw)
    event: dict[str, Any] = {"schema_version": "0.4.0", "event_id": f"EV-{at + 1:08d}", "event_seq": at + 1}
    event |= {"ts": json.loads(lines[at])["ts"], "actor": "orchestrator", "action": "verify.start"}
    event["payload"] = {"strict": True}
    if at:
        event["prev_hash"] = leaf_hash(lines[at - 1])
    lines.insert(at, compact(event))
    return _with_lines(sound, lines)


def insert_garbage(sound: Sound, draw: random.Random) -> Files:
    """Something that is no event is put in."""
    lines = list(sound.lines)
    lines.insert(_place(sound, draw), draw.choice((b"{}", b"[]", b"null", b"garbage", b"\xff\xfe", b'{"a":1,"a":2}')))
    return _with_lines(sound, lines)


def reorder(sound: Sound, draw: random.Random) -> Files:
    """Two lines change places."""
    lines = list(sound.lines)
    one, other = draw.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return _with_lines(sound, lines)


def double(sound: Sound, draw: random.Random) -> Files:
    """A line stands twice."""
    lines, at = list(sound.lines), _place(sound, draw)
    lines.insert(draw.choice((at, len(lines))), lines[at])
    return _with_lines(sound, lines)


def truncate(sound: Sound, draw: random.Random) -> Files:
    """Whole lines are cut off the end."""
    return _with_lines(sound, list(sound.lines[: _place(sound, draw)]))


def truncate_with_read_models(sound: Sound, draw: random.Random) -> Files:
    """Whole lines are cut off, the read models are made to fit, and the newer checkpoints are gone."""
    lines = sound.lines[: draw.randrange(1, len(sound.lines))]
    return dict(made_of(lines).files) | {"origin": sound.files["origin"]}


def tear(sound: Sound, draw: random.Random) -> Files:
    """The log ends in the middle of a line."""
    data = sound.files["activity.jsonl"]
    return dict(sound.files) | {"activity.jsonl": data[: draw.randrange(1, len(data))]}


def respell(sound: Sound, draw: random.Random) -> Files:
    """An event is written in other bytes that mean the same."""
    lines, at = list(sound.lines), _place(sound, draw)
    event = json.loads(lines[at])
    forms = (json.dumps(event), json.dumps(event, sort_keys=True), lines[at].decode() + " ", lines[at].decode() + "\r")
    lines[at] = draw.choice([form for form in forms if form.encode() != lines[at]]).encode()
    return _with_lines(sound, lines)


def splice(sound: Sound, draw: random.Random) -> Files:
    """The end of another log follows the beginning of this one."""
    other = draw_log(draw).lines
    at = draw.randrange(1, len(sound.lines))
    return _with_lines(sound, [*sound.lines[:at], *other[min(at, len(other) - 1) :]])


# In the log, by somebody who knows the format.


def rewrite_edited(sound: Sound, draw: random.Random) -> Files:
    """A value is changed, and everything after it numbered, chained and projected again."""
    lines, at = list(sound.lines), _place(sound, draw)
    lines[at] = _edited(lines[at], draw)
    return _rewritten(sound, _chained(lines, at), None)


def rewrite_deleted(sound: Sound, draw: random.Random) -> Files:
    """A line is taken out, and everything after it numbered, chained and projected again."""
    lines, at = list(sound.lines), _place(sound, draw)
    del lines[at]
    return _rewritten(sound, _chained(lines, at), None)


def rewrite_without_checkpoints(sound: Sound, draw: random.Random) -> Files:
    """As before, and the checkpoints beside the log are thrown away."""
    return {name: data for name, data in rewrite_edited(sound, draw).items() if not name.startswith("checkpoints/")}


def unchain(sound: Sound, draw: random.Random) -> Files:
    """The links are taken out, so that the log looks like another writer's."""
    events = [json.loads(line) for line in sound.lines]
    for event in events:
        event.pop("prev_hash", None)
    return _with_lines(sound, [compact(event) for event in events])


def replace_log(sound: Sound, draw: random.Random) -> Files:
    """A wholly different history takes the log's place."""
    return _rewritten(sound, list(draw_log(draw).lines), None)


# With a signature.


def rewrite_signed_by_intruder(sound: Sound, draw: random.Random) -> Files:
    """A rewritten history with checkpoints that a stranger's key of the same name signed."""
    lines, at = list(sound.lines), _place(sound, draw)
    lines[at] = _edited(lines[at], draw)
    return _rewritten(sound, _chained(lines, at), INTRUDER)


def rewrite_signed_by_operator(sound: Sound, draw: random.Random) -> Files:
    """A rewritten history that the operator signed again: only the anchor elsewhere knows."""
    lines, at = list(sound.lines), _place(sound, draw)
    lines[at] = _edited(lines[at], draw)
    return _rewritten(sound, _chained(lines, at), OPERATOR)


def truncate_signed_by_operator(sound: Sound, draw: random.Random) -> Files:
    """A log that the operator cut and signed again: only the anchor elsewhere knows."""
    return _rewritten(sound, list(sound.lines[: draw.randrange(1, len(sound.lines))]), OPERATOR)


def replace_signed_by_operator(sound: Sound, draw: random.Random) -> Files:
    """A wholly different history that the operator signed: only the anchor elsewhere knows."""
    return _rewritten(sound, list(draw_log(draw).lines), OPERATOR)


# Beside the log.


def flip_checkpoint(sound: Sound, draw: random.Random) -> Files:
    """One bit of the signed part or the signature is flipped."""
    name = draw.choice([name for name in sound.files if name.startswith("checkpoints/")])
    data = bytearray(sound.files[name])
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return dict(sound.files) | {name: bytes(data)}


def move_signature(sound: Sound, draw: random.Random) -> Files:
    """A true signature of one checkpoint under the text of another."""
    half = next(name for name in sound.files if name.startswith("checkpoints/") and name != "checkpoints/latest")
    one, other = parse_note(sound.files["checkpoints/latest"]), parse_note(sound.files[half])
    note = Note(text=one.text, signatures=other.signatures)
    return dict(sound.files) | {"checkpoints/latest": format_note(note)}


def checkpoint_of_other_log(sound: Sound, draw: random.Random) -> Files:
    """The checkpoint of another log, signed by the same operator, takes the place of the newest."""
    other = "esaa.local/00000000-0000-4000-8000-000000000000"
    return dict(sound.files) | {"checkpoints/latest": OPERATOR.checkpoint(draw_log(draw).lines, other)}


def edit_read_model(sound: Sound, draw: random.Random) -> Files:
    """A read model says something else than the log."""
    name = draw.choice(("roadmap.json", "issues.json", "lessons.json"))
    view: dict[str, Any] = json.loads(sound.files[name])
    at = draw.choice(("meta", "project", "indexes", "new") if name == "roadmap.json" else ("meta", "indexes", "new"))
    if at == "new":
        view["approved_by"] = "everybody"
    else:
        view[at][draw.choice(list(view[at]))] = {"edited": True}
    return dict(sound.files) | {name: json.dumps(view, indent=2, ensure_ascii=False).encode() + b"\n"}


def swap_read_models(sound: Sound, draw: random.Random) -> Files:
    """A read model of another moment, or of another log."""
    other = made_of(sound.lines[: draw.randrange(1, len(sound.lines))]) if draw.random() < 0.5 else draw_log(draw)
    differing = [name for name in other.files if name.endswith(".json") and other.files[name] != sound.files[name]]
    name = draw.choice(differing) if differing else "roadmap.json"
    return dict(sound.files) | {name: other.files[name] if differing else b"{}\n"}


def drop_read_model(sound: Sound, draw: random.Random) -> Files:
    """A read model is gone."""
    name = draw.choice(("roadmap.json", "issues.json", "lessons.json"))
    return {one: data for one, data in sound.files.items() if one != name}


KINDS: tuple[Tampering, ...] = (
    edit,
    flip,
    delete,
    insert,
    insert_garbage,
    reorder,
    double,
    truncate,
    truncate_with_read_models,
    tear,
    respell,
    splice,
    rewrite_edited,
    rewrite_deleted,
    rewrite_without_checkpoints,
    unchain,
    replace_log,
    rewrite_signed_by_intruder,
    rewrite_signed_by_operator,
    truncate_signed_by_operator,
    replace_signed_by_operator,
    flip_checkpoint,
    move_signature,
    checkpoint_of_other_log,
    edit_read_model,
    swap_read_models,
    drop_read_model,
)
"""Every way of tampering, in the order of this page."""
