"""From the settings of `.roadmap/anchors.yaml` to the anchors behind them, for one log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from esaa.contracts.anchors import (
    FILE_NAME,
    AnchorSettings,
    DirectoryAnchor,
    GitNoteAnchor,
    GitTagAnchor,
    Rfc3161Anchor,
    WitnessAnchor,
    parse_anchors,
)
from esaa.errors import ContractError
from esaa.kernel.checkpoint import COSIGNATURE, CheckpointInvalid, Note, VerifierKey, parse_note, parse_vkey
from esaa.kernel.ingest import ANCHORS, NotIngested
from esaa.runtime.trust.anchors import directory, git_note, git_tag, rfc3161, witness
from esaa.runtime.trust.anchors.base import Anchor
from esaa.runtime.trust.anchors.git import Git
from esaa.runtime.trust.anchors.witness import Prove
from esaa.stores.anchor_receipts import NOTE, Receipt, ReceiptStore
from esaa.stores.disk import Disk
from esaa.stores.outside import read_placed


def read_anchors(roadmap: Path) -> dict[str, AnchorSettings]:
    """The anchors that are configured; none where there is no file. Raises `ContractError`."""
    path = roadmap / FILE_NAME
    try:
        data = read_placed(path, ANCHORS)
    except FileNotFoundError:
        return {}
    except NotIngested as error:
        raise ContractError(
            "ANCHORS_INVALID", f"{path} cannot be taken: {error}.", "Put a plain file there."
        ) from error
    return parse_anchors(data, str(path))


def make_anchor(
    name: str, settings: AnchorSettings, root: Path, origin: str, receipts: ReceiptStore, prove: Prove, disk: Disk
) -> Anchor:
    """The anchor of one setting, for the log named `origin`. Raises `ContractError` for a key that is none."""
    match settings:
        case DirectoryAnchor(path=path):
            return directory.DirectoryAnchor(path, root, origin, disk)
        case GitTagAnchor(remote=remote):
            return git_tag.GitTagAnchor(Git(root), remote, origin)
        case GitNoteAnchor(remote=remote):
            return git_note.GitNoteAnchor(Git(root), remote, origin)
        case Rfc3161Anchor(url=url, ca_file=ca_file):
            return rfc3161.Rfc3161Anchor(url, root / ca_file, lambda: _stamped(name, origin, receipts))
        case WitnessAnchor(url=url, key=key):
            found = _key(name, key)
            return witness.WitnessAnchor(url, found, origin, prove, lambda: _cosigned(name, origin, receipts))
        case _:
            assert_never(settings)


def _stamped(name: str, origin: str, receipts: ReceiptStore) -> Iterator[tuple[bytes, bytes]]:
    for receipt in _of(name, origin, receipts):
        note, token = receipts.file(receipt, NOTE), receipts.file(receipt, rfc3161.TOKEN)
        if note is not None and token is not None:
            yield note, token


def _cosigned(name: str, origin: str, receipts: ReceiptStore) -> Iterator[Note]:
    for receipt in _of(name, origin, receipts):
        try:
            yield parse_note(receipts.file(receipt, NOTE) or b"")
        except CheckpointInvalid:
            continue


def _of(name: str, origin: str, receipts: ReceiptStore) -> Iterator[Receipt]:
    return (one for one in receipts.all() if one.anchor == name and one.origin == origin)


def _key(name: str, text: str) -> VerifierKey:
    try:
        found = parse_vkey(text.strip())
    except CheckpointInvalid as error:
        raise ContractError("ANCHORS_INVALID", f"The key of the anchor {name} is none: {error}.", _WITNESS) from error
    if found.algorithm != COSIGNATURE:
        raise ContractError("ANCHORS_INVALID", f"The key of the anchor {name} is no witness's.", _WITNESS)
    return found


_WITNESS = "A witness's public key is what `esaa witness key` prints there."
