"""Proofs that leave the workspace: receipts for single events, and consistency between two checkpoints.

A proof is made only from a log that still is what its checkpoint says; the checks need neither workspace nor network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import overload

import msgspec

from esaa.errors import CorruptLog, NotFound, StoreError, UsageError
from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import (
    COSIGNATURE,
    Checkpoint,
    CheckpointInvalid,
    Note,
    VerifierKey,
    checkpoint_of,
    cosigned_by,
    format_note,
    parse_note,
)
from esaa.kernel.head_proof import HEADER as HEAD_PROOF_HEADER
from esaa.kernel.head_proof import HeadProof, check_head_proof, format_head_proof, parse_head_proof
from esaa.kernel.merkle import Frontier, Subtree, consistency_proof, inclusion_proof, leaves_under, verify_inclusion
from esaa.kernel.tlog_proof import ProofInvalid, TlogProof, check_proof, format_proof, parse_proof
from esaa.runtime.trust.checkpoint_sources import Source
from esaa.stores.checkpoints import LATEST, CheckpointStore
from esaa.stores.keys import verify_ed25519

_EXPLAIN = "Run `esaa verify --explain`."
_BYTES = 32


class PackedLeaves(Sequence[str]):
    """Leaf hashes in 32 bytes each, seen as hex."""

    def __init__(self, leaves: Iterable[str] = ()) -> None:
        self._packed = bytearray()
        for leaf in leaves:
            self._packed += bytes.fromhex(leaf)

    def __len__(self) -> int:
        return len(self._packed) // _BYTES

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._packed[index * _BYTES : (index + 1) * _BYTES].hex()


class Leaves(msgspec.Struct, frozen=True, kw_only=True):
    """The leaves of a log, the first ones perhaps only as the subtrees that stand for them."""

    before: tuple[Subtree, ...] = ()
    hashes: Sequence[str]


class ProvableLog:
    """A log of either vocabulary as proofs see it: its leaves and its checkpoints.

    `cosigned` gives notes that others have signed as well; what they add to a checkpoint is put under it.
    """

    def __init__(
        self,
        read: Callable[[int], Leaves],
        notes: CheckpointStore,
        cosigned: Callable[[], Iterable[Note]] = tuple,
    ) -> None:
        self._read = read
        self._notes = notes
        self._cosigned = cosigned

    def receipt(self, sequence: int, line: bytes, *, with_event: bool = False) -> TlogProof:
        """The proof that event `sequence`, whose stored line is `line`, is in the log, under the newest checkpoint.

        Raises `NotFound` without a checkpoint that covers it, `CorruptLog` where the log is not what was signed.
        """
        note = self.note(LATEST)
        checkpoint = checkpoint_of(note)
        index = sequence - 1
        if index >= checkpoint.size:
            raise NotFound(
                "CHECKPOINT_MISSING",
                f"The newest checkpoint covers {checkpoint.size} events, and this is event {sequence}.",
                "Make one: `esaa checkpoint` (of a trail stream: with --stream).",
            )
        leaves = self._leaves(checkpoint)
        try:
            hashes = inclusion_proof(leaves.hashes, index, leaves.before)
        except ValueError as error:
            raise _gone(error) from error
        made = TlogProof(
            index=index, hashes=hashes, checkpoint=self._with_cosignatures(note), extra=line if with_event else None
        )
        try:
            format_proof(made)
        except ProofInvalid as error:
            raise UsageError(
                "PROOF_TOO_LONG", f"The receipt cannot hold its event: {error}.", "Leave it out."
            ) from error
        # That it holds says also that the log is what was signed: every leaf went into its hashes.
        if not verify_inclusion(leaf_hash(line), index, checkpoint.size, hashes, checkpoint.root):
            if _root(leaves, checkpoint.size) != checkpoint.root:
                raise _mismatch(checkpoint)
            raise CorruptLog(
                "CHECKPOINT_MISMATCH", f"Event {sequence} is not line {sequence} here.", _EXPLAIN, sequence
            )
        return made

    def continuation(self, earlier: Note, later: Note) -> HeadProof:
        """The proof that the log of one checkpoint begins with that of another. Raises `UsageError`, `CorruptLog`."""
        first, last = checkpoint_of(earlier), checkpoint_of(later)
        if first.origin != last.origin or first.size > last.size:
            raise UsageError(
                "CHECKPOINTS_UNORDERED",
                f"{first.origin} with {first.size} events does not come before {last.origin} with {last.size}.",
                "Name two checkpoints of this log, the smaller one first.",
            )
        leaves = self._signed_leaves(last)
        if first.size >= leaves_under(leaves.before) and _root(leaves, first.size) != first.root:
            raise _mismatch(first)
        try:
            hashes = consistency_proof(leaves.hashes, first.size, leaves.before)
        except ValueError as error:
            raise _gone(error) from error
        return HeadProof(hashes=hashes, earlier=self._with_cosignatures(earlier), later=self._with_cosignatures(later))

    def hashes_since(self, first: int, checkpoint: Checkpoint) -> tuple[str, ...]:
        """The consistency proof from a size to a checkpoint. Raises `NotFound`, `CorruptLog`."""
        leaves = self._signed_leaves(checkpoint)
        try:
            return consistency_proof(leaves.hashes, first, leaves.before)
        except ValueError as error:
            raise _gone(error) from error

    def roots(self, sizes: Iterable[int]) -> dict[int, str]:
        """The root that the log had at each of these sizes, as far as it goes, and where reading it ended.

        Sizes below the first that is there are gone: of them nothing is said.
        """
        wanted = sorted(set(sizes))
        leaves = self._read(wanted[-1]) if wanted else Leaves(hashes=())
        frontier = Frontier.of(leaves.before)
        rest = iter(leaves.hashes)
        found: dict[int, str] = {}
        for size in wanted:
            if size >= frontier.size:
                frontier.extend(islice(rest, size - frontier.size))
            if frontier.size == size:
                found[size] = frontier.root()
        return {**found, frontier.size: frontier.root()}

    def note(self, name: str) -> Note:
        """The kept checkpoint of a size, or the `latest`. Raises `NotFound`, `StoreError`."""
        data = self._notes.read(name)
        if data is None:
            kept = ", ".join(map(str, self._notes.kept()[-8:])) or "none"
            raise NotFound(
                "CHECKPOINT_MISSING", f"There is no checkpoint {name}; kept: {kept}.", "Make one: `esaa checkpoint`."
            )
        return read_checkpoint(data, f"{self._notes.folder / name}")

    def _signed_leaves(self, checkpoint: Checkpoint) -> Leaves:
        leaves = self._leaves(checkpoint)
        if _root(leaves, checkpoint.size) != checkpoint.root:
            raise _mismatch(checkpoint)
        return leaves

    def _leaves(self, checkpoint: Checkpoint) -> Leaves:
        leaves = self._read(checkpoint.size)
        size = leaves_under(leaves.before) + len(leaves.hashes)
        if leaves_under(leaves.before) > checkpoint.size:
            raise NotFound(
                "EVENT_DELETED",
                f"Retention deleted the first {size} events, and the checkpoint covers {checkpoint.size}.",
                "Make a newer one: `esaa checkpoint --stream`.",
            )
        if size != checkpoint.size:
            raise CorruptLog(
                "CHECKPOINT_BEYOND_LOG",
                f"The log {checkpoint.origin} ends at event {size}, but a checkpoint covers {checkpoint.size}.",
                _EXPLAIN,
                size + 1,
            )
        return leaves

    def _with_cosignatures(self, note: Note) -> bytes:
        signatures = list(note.signatures)
        for other in self._cosigned():
            if other.text == note.text:
                signatures += [one for one in other.signatures if one not in signatures]
        return format_note(msgspec.structs.replace(note, signatures=tuple(signatures)))


def leaves_of_log(path: Path) -> Callable[[int], Leaves]:
    """The leaves of a log in one file: its stored lines, blank ones left out."""

    def read(size: int) -> Leaves:
        with path.open("rb") as file:
            lines = (line.removesuffix(b"\n") for line in file if line.strip())
            return Leaves(hashes=PackedLeaves(islice(map(leaf_hash, lines), size)))

    return read


def leaves_of_source(source: Source) -> Callable[[int], Leaves]:
    """The leaves of a stream, what retention deleted as the subtrees that its proofs name."""

    def read(size: int) -> Leaves:
        place, frontier = source.beginning()
        before = frontier.parts()
        return Leaves(before=before, hashes=PackedLeaves(islice(source.leaves(place), max(size - frontier.size, 0))))

    return read


def read_checkpoint(data: bytes, where: str) -> Note:
    """The note of a checkpoint. Raises `StoreError` for bytes that are none."""
    try:
        note = parse_note(data)
        checkpoint_of(note)
    except CheckpointInvalid as error:
        raise StoreError("CHECKPOINT_INVALID", f"{where} holds no checkpoint: {error}.", _EXPLAIN) from error
    return note


class Proved(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof shows: that event `sequence` of the log is this one, or that the log of `size` events begins with
    its first `since` ones. `seen` says which witnesses saw the checkpoint, and when (seconds since 1970)."""

    kind: str
    origin: str
    size: int
    root: str
    sequence: int | None = None
    since: int | None = None
    seen: tuple[tuple[str, int], ...] = ()


def is_head_proof(data: bytes) -> bool:
    """True for the bytes of a consistency proof."""
    return data.startswith(HEAD_PROOF_HEADER.encode())


def origin_of(data: bytes) -> str:
    """The log that a proof says it is about. Raises `ProofInvalid`; nothing is verified."""
    note = parse_head_proof(data).later if is_head_proof(data) else parse_proof(data).checkpoint
    try:
        return checkpoint_of(parse_note(note)).origin
    except CheckpointInvalid as error:
        raise ProofInvalid(str(error)) from error


def check(data: bytes, line: bytes | None, keys: Sequence[VerifierKey]) -> Proved:
    """What the bytes of a proof show to somebody who trusts these keys. Raises `ProofInvalid` where they show nothing.

    `line` is the event as it is stored, without its line feed; for None the receipt must hold it.
    """
    if is_head_proof(data):
        proof = parse_head_proof(data)
        earlier, later = check_head_proof(proof, keys, verify_ed25519)
        seen = _seen(proof.later, keys)
        return Proved(
            kind="consistency", origin=later.origin, size=later.size, root=later.root, since=earlier.size, seen=seen
        )
    receipt = parse_proof(data)
    event = receipt.extra if line is None else line
    if event is None:
        raise ProofInvalid("the receipt does not hold its event, and none was given")
    found = check_proof(receipt, leaf_hash(event), keys, verify_ed25519)
    return Proved(
        kind="event",
        origin=found.origin,
        size=found.size,
        root=found.root,
        sequence=receipt.index + 1,
        seen=_seen(receipt.checkpoint, keys),
    )


def formatted(proof: TlogProof | HeadProof) -> bytes:
    """The bytes of a proof of either kind."""
    return format_proof(proof) if isinstance(proof, TlogProof) else format_head_proof(proof)


def _seen(note: bytes, keys: Sequence[VerifierKey]) -> tuple[tuple[str, int], ...]:
    parsed = parse_note(note)
    try:
        times = [(key.name, cosigned_by(parsed, key, verify_ed25519)) for key in keys if key.algorithm == COSIGNATURE]
    except CheckpointInvalid as error:
        raise ProofInvalid(str(error)) from error
    missing = [name for name, time in times if time is None]
    if missing:
        raise ProofInvalid(f"the witness {missing[0]} did not sign the checkpoint")
    return tuple((name, time) for name, time in times if time is not None)


def _root(leaves: Leaves, size: int) -> str:
    frontier = Frontier.of(leaves.before)
    frontier.extend(islice(leaves.hashes, size - frontier.size))
    return frontier.root()


def _mismatch(checkpoint: Checkpoint) -> CorruptLog:
    return CorruptLog(
        "CHECKPOINT_MISMATCH",
        f"The first {checkpoint.size} events of the log {checkpoint.origin} are not those of the checkpoint.",
        "Nothing is proved with a log that was changed. Restore it from a copy that verifies.",
        1,
    )


def _gone(error: ValueError) -> NotFound:
    return NotFound(
        "EVENT_DELETED", f"Retention deleted what the proof needs: {error}.", "An older receipt still holds."
    )
