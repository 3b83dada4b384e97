"""How far a past is proved, as a rail: what is anchored elsewhere, what is sound, what is broken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from esaa.errors import EsaaError
from esaa.history.past import Past
from esaa.kernel.checkpoint import CheckpointInvalid, checkpoint_of, parse_note
from esaa.kernel.merkle import Frontier
from esaa.runtime.history.commands import command
from esaa.runtime.history.views import CheckpointView, ProofView, RailSpan
from esaa.runtime.trail.trail import Trail
from esaa.runtime.trail.verification import verify_stream
from esaa.runtime.trust.trail_checkpoints import stream_checkpoints
from esaa.runtime.verification.checkpoint_audit import Knowledge, Trust
from esaa.runtime.verification.verify import find_target, verify
from esaa.stores.checkpoints import CHECKPOINTS, LATEST, CheckpointStore
from esaa.stores.disk import Disk
from esaa.stores.layout import LOG_NAME, ROADMAP

_CHECKPOINTS_SHOWN_MAX = 200
_ROOT_COMPUTED_MAX = 20_000

_VERIFYING = threading.Lock()
_VERIFIED: dict[tuple[str, int, int, int], Trust] = {}
"""What was verified by this process. Many machines may be open on one log, and a long one takes its time."""
_VERIFIED_MAX = 8


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification said of a past, and the checkpoints that lie beside it."""

    trust: Trust
    checkpoints: tuple[CheckpointView, ...]


Prove = Callable[[], Proof]


def prove_log(root: Path, config_dir: Path) -> Prove:
    """Verifies the governed log of a workspace; the answer is a function, for it takes its time."""

    def prove() -> Proof:
        found = (root / ROADMAP / LOG_NAME).stat()
        key = (str(root), found.st_ino, found.st_size, found.st_mtime_ns)
        with _VERIFYING:
            trust = _VERIFIED.get(key)
            if trust is None:
                trust = verify(find_target(root), knowledge=Knowledge(config_dir)).trust
                _VERIFIED[key] = trust
                while len(_VERIFIED) > _VERIFIED_MAX:
                    _VERIFIED.pop(next(iter(_VERIFIED)))
        store = CheckpointStore(root / ROADMAP / CHECKPOINTS, Disk())
        return Proof(trust=trust, checkpoints=tuple(_checkpoints(store)))

    return prove


def prove_stream(trail: Trail, stream: str, config_dir: Path) -> Prove:
    """Verifies a stream of the trail."""

    def prove() -> Proof:
        verdict = verify_stream(trail, stream, knowledge=Knowledge(config_dir))
        return Proof(trust=verdict.trust, checkpoints=tuple(_checkpoints(stream_checkpoints(trail.store, stream))))

    return prove


def proof_view(past: Past, seq: int, proof: Proof | None) -> ProofView:
    """The rail of a past, and the hashes at a moment."""
    checkpoints = () if proof is None else proof.checkpoints
    signed = next((one.root for one in checkpoints if one.seq == seq), None)
    words = ("trail", "check") if past.kind == "trail" else ("verify", "--at", seq)
    return ProofView(
        past=past.name,
        at=seq,
        cli=command(past, *words),
        rail=() if proof is None else tuple(rail_of(proof.trust, past.head())),
        hash_at=past.entry(seq).leaf_hash if seq else None,
        root_at=signed or _root(past, seq),
        checkpoints=checkpoints,
    )


def rail_of(trust: Trust, head: int) -> Iterator[RailSpan]:
    """The parts of a past from the first event to the last, each with how well it is proved."""
    bad = trust.invalid_from_line
    sound = head if bad is None else max(min(bad - 1, head), 0)
    anchored = min(trust.anchored_through or 0, sound)
    signed = max(min(trust.signed_through or 0, sound), anchored)
    if anchored:
        yield RailSpan(from_=1, to=anchored, kind="verified", text=f"anchored by {', '.join(trust.anchored_by)}")
    if signed > anchored:
        names = ", ".join(trust.checkpoint_signed_by) or "this machine"
        text = f"sound, and signed by {names}; no checkpoint elsewhere covers it"
        yield RailSpan(from_=anchored + 1, to=signed, kind="unanchored", text=text, is_signed=True)
    if sound > signed:
        text = "sound; no checkpoint that a known key signed covers it"
        yield RailSpan(from_=signed + 1, to=sound, kind="unanchored", text=text)
    if sound < head:
        yield RailSpan(from_=sound + 1, to=head, kind="broken", text=f"invalid from line {bad}")


def _checkpoints(store: CheckpointStore) -> Iterator[CheckpointView]:
    """The kept checkpoints and the newest one, by size. One that cannot be read is told by the verification."""
    seen: set[int] = set()
    for name in [*map(str, store.kept()[-_CHECKPOINTS_SHOWN_MAX:]), LATEST]:
        try:
            data = store.read(name)
            note = None if data is None else parse_note(data)
            checkpoint = None if note is None else checkpoint_of(note)
        except (CheckpointInvalid, EsaaError):
            continue
        if note is not None and checkpoint is not None and checkpoint.size not in seen:
            seen.add(checkpoint.size)
            yield CheckpointView(
                seq=checkpoint.size,
                origin=checkpoint.origin,
                root=checkpoint.root,
                signed_by=tuple(dict.fromkeys(one.name for one in note.signatures)),
            )


def _root(past: Past, seq: int) -> str | None:
    if not 0 < seq <= _ROOT_COMPUTED_MAX:
        return None
    frontier = Frontier()
    expected = 1
    for entry in past.entries(1, seq):
        if entry.seq != expected:  # retention has deleted what came before
            return None
        frontier.append(entry.leaf_hash)
        expected += 1
    return frontier.root()
