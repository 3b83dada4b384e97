"""Anchoring: puts copies of checkpoints elsewhere, keeps the receipts, and compares what comes back with the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from esaa.errors import ContractError, EsaaError
from esaa.kernel.checkpoint import Checkpoint, VerifierKey, checkpoint_of, format_note
from esaa.kernel.tlog_proof import ProofInvalid, signed_checkpoint
from esaa.runtime.clock import Clock
from esaa.runtime.trust.anchors.base import Anchor, checkpoint_in
from esaa.runtime.trust.proving import ProvableLog
from esaa.stores.anchor_receipts import NOTE, Receipt, ReceiptStore
from esaa.stores.checkpoints import LATEST
from esaa.stores.keys import verify_ed25519

Standing = Literal["holds", "differs", "beyond", "unsigned", "deleted"]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One anchored checkpoint against the log as it is now.

    `holds`: the log begins with it. `differs`: the log was rewritten. `beyond`: the log is shorter than it was.
    `unsigned`: no key that is trusted here signed it. `deleted`: retention took what would be compared.
    """

    anchor: str
    size: int
    root: str
    standing: Standing


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What all anchors gave back. `failed` says of each that could not be asked why."""

    checkpoints: tuple[Compared, ...]
    failed: dict[str, str]

    @property
    def anchored_through(self) -> int:
        """The size up to which an anchor vouches for the log as it is."""
        return max((one.size for one in self.checkpoints if one.standing == "holds"), default=0)

    @property
    def is_contradicted(self) -> bool:
        """True where an anchor holds what this log is not."""
        return any(one.standing in ("differs", "beyond") for one in self.checkpoints)


class Anchoring:
    """The anchors of one log. `anchors` makes each when it is asked for, so that one wrong setting harms no other."""

    def __init__(
        self,
        log: ProvableLog,
        origin: str,
        anchors: Mapping[str, tuple[str, Callable[[], Anchor]]],
        receipts: ReceiptStore,
        clock: Clock,
    ) -> None:
        self.names = tuple(anchors)
        self._log = log
        self._origin = origin
        self._anchors = anchors
        self._receipts = receipts
        self._clock = clock

    def put(self, name: str) -> Receipt:
        """Puts the newest checkpoint into an anchor, and keeps the receipt.

        Raises `NotFound` where there is no checkpoint, `ContractError` for an anchor that is not configured,
        `IntegrationError` where it fails, `CorruptLog` where the log is not what was signed.
        """
        note = self._log.note(LATEST)
        checkpoint = checkpoint_of(note)
        self._log.hashes_since(checkpoint.size, checkpoint)  # what the log is not any more is not anchored
        kind, _ = self._configured(name)
        placed = self._open(name).put(format_note(note), checkpoint.size)
        receipt = Receipt(
            anchor=name,
            kind=kind,
            origin=self._origin,
            size=checkpoint.size,
            root=checkpoint.root,
            at=self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            where=placed.where,
            detail=placed.detail,
        )
        self._receipts.keep(receipt, {NOTE: placed.note, **placed.files})
        return receipt

    def compare(self, names: Sequence[str], keys: Sequence[VerifierKey]) -> Comparison:
        """Fetches from anchors, and compares every checkpoint with the log. Raises nothing for what it finds."""
        found: dict[tuple[str, int, str], Checkpoint | None] = {}
        failed: dict[str, str] = {}
        for name in names:
            try:
                for note in self._notes(name):
                    about = checkpoint_in(note)
                    if about is not None and about.origin == self._origin:
                        key = (name, about.size, about.root)
                        found[key] = found.get(key) or _signed(note, keys)
            except EsaaError as error:
                failed[name] = str(error)
        signed = {key: one for key, one in found.items() if one is not None}
        roots = self._log.roots(one.size for one in signed.values())
        return Comparison(
            checkpoints=tuple(
                Compared(anchor=name, size=size, root=root, standing=self._standing(size, root, one, roots))
                for (name, size, root), one in sorted(found.items(), key=lambda item: item[0])
            ),
            failed=failed,
        )

    def fetched(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The notes about this log that anchors give back now, each with its anchor. Raises `IntegrationError`."""
        for name in names:
            for note in self._notes(name):
                about = checkpoint_in(note)
                if about is not None and about.origin == self._origin:
                    yield name, note

    def _notes(self, name: str) -> Iterable[bytes]:
        return self._open(name).fetch()

    def _open(self, name: str) -> Anchor:
        return self._configured(name)[1]()

    def _configured(self, name: str) -> tuple[str, Callable[[], Anchor]]:
        found = self._anchors.get(name)
        if found is None:
            known = ", ".join(self._anchors) or "none"
            raise ContractError(
                "ANCHOR_UNKNOWN",
                f"There is no anchor {name[:80]!r}; configured: {known}.",
                "Anchors are named in .roadmap/anchors.yaml.",
            )
        return found

    @staticmethod
    def _standing(size: int, root: str, signed: Checkpoint | None, roots: dict[int, str]) -> Standing:
        if signed is None:
            return "unsigned"
        if size in roots:
            return "holds" if roots[size] == root else "differs"
        return "deleted" if size < max(roots) else "beyond"


def _signed(note: bytes, keys: Sequence[VerifierKey]) -> Checkpoint | None:
    try:
        return signed_checkpoint(note, keys, verify_ed25519)
    except ProofInvalid:
        return None
