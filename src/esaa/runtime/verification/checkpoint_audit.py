"""The audit of checkpoints: are they what they say, who signed them, and does the log still begin as they say?

Serves both vocabularies. It reads notes and keys; the roots of the log are handed in by whoever read its lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from esaa.errors import ConfigError
from esaa.kernel.checkpoint import (
    COSIGNATURE,
    Checkpoint,
    CheckpointInvalid,
    Note,
    VerifierKey,
    checkpoint_of,
    cosigned_by,
    parse_note,
    signed_by,
    speaks_for,
)
from esaa.kernel.findings import Effect, Severity
from esaa.kernel.roots import TreeHead
from esaa.stores.checkpoints import LATEST, CheckpointStore
from esaa.stores.keys import KeyStore, is_key_name, verify_ed25519
from esaa.stores.seen_heads import SeenHead, SeenHeads
from esaa.stores.verified import VerifiedStore

Answer = Literal["VALID-ANCHORED", "VALID-UNANCHORED", "INVALID"]

RESTORE = "Restore the log from a copy that verifies; never edit it."
ACCEPT = "Restore the missing events; if the log was restored on purpose: `esaa doctor --accept-log`."
_TRUST = "Compare the key with its owner's by another way, then `esaa key trust VKEY` or --key VKEY."


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint from elsewhere: an anchor. `where` names it to people."""

    where: str
    data: bytes


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """How far the log can be trusted. Three answers: anchored through an event, valid but unanchored, or invalid.

    *Anchored* means that a checkpoint from outside of the workspace, signed by a key that is known, covers these
    events. A checkpoint that lies in the workspace says through which event the log is *signed*, and by whom: that
    shows what outsiders did, and not what the holder of the key did.
    """

    answer: Answer
    anchored_through: int | None
    anchored_by: tuple[str, ...]
    unanchored_tail: int
    invalid_from_line: int | None
    signed_through: int | None
    checkpoint_signed_by: tuple[str, ...]


class CheckpointFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. `first_bad` is the first event that nothing vouches for, where there is one."""

    code: str
    severity: Severity
    effect: Effect
    where: str
    message: str
    hint: str
    first_bad: int | None = None


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the checkpoints prove: through which event, signed by which keys, and anchored where."""

    signed_through: int | None
    signed_by: tuple[str, ...]
    anchored_through: int | None
    anchored_by: tuple[str, ...]
    findings: tuple[CheckpointFinding, ...]


def trust_of(events: int, first_bad: int | None, judgement: Judgement) -> Trust:
    """The trust answer of a log with so many events, of which `first_bad` is the first that is damaged."""
    anchored = judgement.anchored_through
    sound = events if first_bad is None else min(first_bad - 1, events)
    answer: Answer = "VALID-UNANCHORED" if anchored is None else "VALID-ANCHORED"
    return Trust(
        answer=answer if first_bad is None else "INVALID",
        anchored_through=anchored,
        anchored_by=judgement.anchored_by,
        unanchored_tail=max(sound - (anchored or 0), 0),
        invalid_from_line=first_bad,
        signed_through=judgement.signed_through,
        checkpoint_signed_by=judgement.signed_by,
    )


class Knowledge:
    """What this machine knows, outside of every workspace: keys that it trusts, and heads that it has seen."""

    def __init__(self, config_dir: Path) -> None:
        self.config_dir = config_dir
        self.keys = KeyStore(config_dir)
        self.seen = SeenHeads(config_dir)
        self.verified = VerifiedStore(config_dir)


class _Read(msgspec.Struct, kw_only=True):
    where: str
    checkpoint: Checkpoint
    signers: list[str]
    witnesses: list[str]
    is_anchor: bool


class CheckpointAudit:
    """Reads what there is when it is made; `judge` compares it with the log.

    `origin` is None for a log without a name: then only what is `given` is judged. `former` are names that it had
    before merges gave it another history.
    """

    def __init__(
        self,
        store: CheckpointStore | None,
        origin: str | None,
        knowledge: Knowledge | None = None,
        keys: Sequence[VerifierKey] = (),
        given: Sequence[Given] = (),
        *,
        former: Sequence[str] = (),
    ) -> None:
        self.origin = origin
        self.verified = None if knowledge is None else knowledge.verified
        self._knowledge = knowledge
        self._given_keys = tuple(keys)
        self._findings: list[CheckpointFinding] = []
        self._read: list[_Read] = []
        self._known: dict[str, tuple[VerifierKey, ...]] = {}
        if store is not None and origin is not None:
            for name in (LATEST, *map(str, store.kept())):
                data = store.read(name)
                if data is not None:
                    self._take(f"{store.folder.name}/{name}", data, size=None if name == LATEST else int(name))
        for one in given:
            self._take(one.where, one.data, size=None, is_anchor=True)
        self._seen = None if origin is None or knowledge is None else knowledge.seen.of(origin)
        for name in former:
            before = None if knowledge is None else knowledge.seen.of(name)
            if before is not None:
                text = f"it was merged elsewhere since this machine saw it at event {before.size}, as {name}"
                hint = "Ask who merged it; what it was before can't be compared any more."
                self._add("STREAM_MERGED", "", text, hint, severity="warning", effect="mismatch")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes at which the log's root is needed."""
        found = {one.checkpoint.size for one in self._read}
        return tuple(sorted(found if self._seen is None else found | {self._seen.size}))

    @property
    def is_needed(self) -> bool:
        """True where the tree of the log has to be computed at all."""
        return bool(self._read) or self.origin is not None

    def covers(self, events: int, heads: Mapping[int, TreeHead]) -> bool:
        """True where a checkpoint that is signed by a trusted key says what these heads of a log say.

        One that covers more than these `events` may: the tail has to lead to what it says, which `judge` finds out.
        """
        trusted = [one.checkpoint for one in self._read if one.signers]
        return any(one.size > events or _agrees(one, heads) for one in trusted)

    def judge(self, heads: Mapping[int, TreeHead], events: int, first: int = 0) -> Judgement:
        """Compares every checkpoint with the log, which has `events` leaves and these heads at `sizes`.

        What covers less than `first` events can't be judged any more: their leaves were deleted, as retention does.
        """
        self._read = [one for one in self._read if one.checkpoint.size >= first]
        if self._seen is not None and self._seen.size < first:
            self._seen = None
        sound = [one for one in self._read if _agrees(one.checkpoint, heads)]
        trusted = [one for one in sound if one.signers]
        anchors = [one for one in trusted if one.is_anchor or one.witnesses]
        signed = max((one.checkpoint.size for one in trusted), default=None)
        anchored = max((one.checkpoint.size for one in anchors), default=None)
        for one in self._read:
            if one not in sound:
                self._add_contradiction(one, events, _best_below(trusted, one.checkpoint.size))
        if self._seen is not None and (self._seen.size > events or heads[self._seen.size].root != self._seen.root):
            self._add_rolled_back(self._seen, events, _best_below(trusted, self._seen.size))
        return Judgement(
            signed_through=signed,
            signed_by=_unique(name for one in trusted if one.checkpoint.size == signed for name in one.signers),
            anchored_through=anchored,
            anchored_by=_unique(
                name
                for one in anchors
                if one.checkpoint.size == anchored
                for name in ([one.where] if one.is_anchor else []) + one.witnesses
            ),
            findings=tuple(self._findings),
        )

    def remember(self, head: TreeHead, events: int) -> None:
        """Keeps in mind how far the log was sound, so that it cannot go back unseen."""
        if self.origin is not None and self._knowledge is not None and head.leaf is not None and events:
            self._knowledge.seen.note(self.origin, SeenHead(size=events, root=head.root, leaf_hash=head.leaf))

    def _take(self, where: str, data: bytes, *, size: int | None, is_anchor: bool = False) -> None:
        try:
            note = parse_note(data)
            checkpoint = checkpoint_of(note)
            if self.origin is not None and checkpoint.origin != self.origin:
                raise CheckpointInvalid(f"it is of the log {checkpoint.origin[:120]}, and this one is {self.origin}")
            if size is not None and checkpoint.size != size:
                raise CheckpointInvalid(f"it is of size {checkpoint.size}, and lies where that of {size} belongs")
            signers, witnesses = self._signatures(note, checkpoint)
        except CheckpointInvalid as error:
            text = f"the checkpoint is not valid: {error}"
            hint = "Put it back from a copy, or make another: `esaa checkpoint`."
            self._add("CHECKPOINT_INVALID", where, text, hint)
            return
        if not signers:
            names = ", ".join(f"{one.name} ({one.key_id.hex()})" for one in note.signatures)
            text = f"no key that this machine trusts has signed it; it is signed by {names[:300]}"
            self._add("CHECKPOINT_KEY_UNKNOWN", where, text, _TRUST, severity="warning", effect="mismatch")
        self._read.append(
            _Read(where=where, checkpoint=checkpoint, signers=signers, witnesses=witnesses, is_anchor=is_anchor)
        )

    def _signatures(self, note: Note, checkpoint: Checkpoint) -> tuple[list[str], list[str]]:
        """Who signed as the log, and which witnesses have seen it, each by name and key id."""
        signers: list[str] = []
        witnesses: list[str] = []
        for key in (*self._keys_for(checkpoint.origin), *self._given_keys):
            name = f"{key.name} ({key.key_id.hex()})"
            if key.algorithm == COSIGNATURE:
                if cosigned_by(note, key, verify_ed25519) is not None:
                    witnesses.append(name)
            elif speaks_for(key, checkpoint.origin) and signed_by(note, key, verify_ed25519) and name not in signers:
                signers.append(name)
        return signers, witnesses

    def _keys_for(self, origin: str) -> tuple[VerifierKey, ...]:
        if self._knowledge is None:
            return ()
        if origin not in self._known:
            names = [origin[:at] for at in range(len(origin) + 1) if at == len(origin) or origin[at] == "/"]
            try:
                found = [key for name in names if is_key_name(name) for key in self._knowledge.keys.known(name)]
            except ConfigError as error:
                found = []
                self._add(error.code, "keys", error.message, error.hint, severity="warning", effect="mismatch")
            self._known[origin] = tuple(found)
        return self._known[origin]

    def _add_contradiction(self, one: _Read, events: int, holds_through: int) -> None:
        size = one.checkpoint.size
        if size > events:
            text = f"the checkpoint covers {size} events, and the log has {events}: it was cut"
            self._add("CHECKPOINT_BEYOND_LOG", one.where, text, RESTORE, first_bad=events + 1)
            return
        text = f"the first {size} events are not those that the checkpoint was made of"
        self._add("CHECKPOINT_MISMATCH", one.where, text, RESTORE, first_bad=holds_through + 1)

    def _add_rolled_back(self, seen: SeenHead, events: int, holds_through: int) -> None:
        if seen.size > events:
            text = f"event {seen.size}, which this machine has seen, is not in the log any more"
            self._add("LOG_ROLLED_BACK", "", text, ACCEPT, first_bad=events + 1)
        else:
            text = f"the first {seen.size} events are not those that this machine has seen"
            self._add("LOG_ROLLED_BACK", "", text, ACCEPT, first_bad=holds_through + 1)

    def _add(
        self,
        code: str,
        where: str,
        message: str,
        hint: str,
        *,
        severity: Severity = "error",
        effect: Effect = "corrupted",
        first_bad: int | None = None,
    ) -> None:
        self._findings.append(
            CheckpointFinding(
                code=code,
                severity=severity,
                effect=effect,
                where=where,
                message=message,
                hint=hint,
                first_bad=first_bad,
            )
        )


def _agrees(checkpoint: Checkpoint, heads: Mapping[int, TreeHead]) -> bool:
    head = heads.get(checkpoint.size)
    return head is not None and head.root == checkpoint.root


def _best_below(trusted: Sequence[_Read], size: int) -> int:
    return max((one.checkpoint.size for one in trusted if one.checkpoint.size < size), default=0)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
