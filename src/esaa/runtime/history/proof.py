"""How far a past is proved, as a rail: what is anchored elsewhere, what is sound, what is broken.

To check a long past takes its time. What was checked is shown again, with the time of the check, while the files are
the same, or are those bytes and some more; whoever wants to know anew asks for that. Nothing of it is left when the
process ends.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

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
from esaa.stores.file_stamps import FileStamp, stamps_of
from esaa.stores.layout import LOG_NAME, ROADMAP
from esaa.stores.verified import digests_of, has_digests

_CHECKPOINTS_SHOWN_MAX = 200
_ROOT_COMPUTED_MAX = 20_000
_PAUSES = 20
"""A log that only grew is checked again when so many times as long has gone by as the last check took: a page that
follows a long run costs a twentieth of a processor at most. What came since is shown as not checked."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification said: how far it trusts so many events, and what is wrong where it stops to."""

    trust: Trust
    events: int
    fault: str = ""


class Proof(Checked, frozen=True, kw_only=True):
    """A verification, when it was done, and the checkpoints that lie beside the past."""

    checked_at: str
    checkpoints: tuple[CheckpointView, ...]


class Stamps(NamedTuple):
    """The files that hold a past, in their order, and the folders of checkpoints and keys, on which a verdict rests as
    well: what comes or goes there changes the time of the folder."""

    files: tuple[FileStamp, ...]
    beside: tuple[FileStamp, ...]

    def are_longer_than(self, before: Stamps) -> bool:
        """True where the last file grew, and nothing else is another one."""
        if self.beside != before.beside or len(self.files) != len(before.files) or not self.files:
            return False
        one, other = self.files[-1], before.files[-1]
        return self.files[:-1] == before.files[:-1] and one[:3] == other[:3] and one.size > other.size


class _Kept(NamedTuple):
    stamps: Stamps
    checked: Checked
    digests: list[str] | None
    at: str
    ended_s: float
    took_s: float


class Prove:
    """Verifies a past when it is asked, by `check`, and keeps what was found while `stamps` are the same."""

    def __init__(
        self,
        check: Callable[[], Checked],
        stamps: Callable[[], Stamps],
        checkpoints: Callable[[], CheckpointStore],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._check, self._stamps, self._checkpoints = check, stamps, checkpoints
        self._now, self._seconds = now, seconds
        self._lock = threading.Lock()
        self._kept: _Kept | None = None

    def __call__(self, *, is_fresh: bool = False) -> Proof:
        """How far the past is proved: as it was found before, where that may be shown and it need not be `is_fresh`."""
        with self._lock:
            stamps = self._stamps()
            kept = None if is_fresh else self._kept
            if kept is None or not self._may_be_shown(kept, stamps):
                kept = self._kept = self._checked(stamps)
        found = msgspec.structs.asdict(kept.checked)
        return Proof(**found, checked_at=kept.at, checkpoints=tuple(_checkpoints(self._checkpoints())))

    def _checked(self, stamps: Stamps) -> _Kept:
        at, began = self._now(), self._seconds()
        found = self._check()
        ended = self._seconds()
        digests = None
        with contextlib.suppress(OSError):
            if stamps.files and found.trust.invalid_from_line is None:
                digests = digests_of(Path(stamps.files[-1].path), stamps.files[-1].size)
        if self._stamps() != stamps:
            digests = None  # of other bytes, perhaps, than those that were checked
        text = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
        return _Kept(stamps, found, digests, text, ended, ended - began)

    def _may_be_shown(self, kept: _Kept, stamps: Stamps) -> bool:
        if stamps == kept.stamps:
            return True
        is_soon = self._seconds() - kept.ended_s < _PAUSES * kept.took_s
        if kept.digests is None or not is_soon or not stamps.are_longer_than(kept.stamps):
            return False
        # That it has become longer does not say that nobody wrote into its middle: its bytes do.
        before = kept.stamps.files[-1]
        return has_digests(Path(before.path), before.size, kept.digests)


def prove_log(root: Path, config_dir: Path) -> Prove:
    """Verifies the governed log of a workspace."""
    roadmap = root / ROADMAP

    def check() -> Checked:
        verdict = verify(find_target(root), knowledge=Knowledge(config_dir))
        bad = verdict.trust.invalid_from_line
        first = next((one for one in verdict.findings if one.line == bad and one.severity == "error"), None)
        return Checked(trust=verdict.trust, events=verdict.events, fault="" if first is None else first.message)

    def stamps() -> Stamps:
        return Stamps(stamps_of([roadmap / LOG_NAME]), stamps_of([roadmap / CHECKPOINTS, config_dir / "keys"]))

    return Prove(check, stamps, lambda: CheckpointStore(roadmap / CHECKPOINTS, Disk()))


def prove_stream(trail: Trail, stream: str, config_dir: Path) -> Prove:
    """Verifies a stream of the trail."""

    def check() -> Checked:
        verdict = verify_stream(trail, stream, knowledge=Knowledge(config_dir))
        fault = verdict.errors[0].message if verdict.errors else ""
        return Checked(trust=verdict.trust, events=verdict.head_sequence, fault=fault)

    def stamps() -> Stamps:
        files = stamps_of(one.path for one in trail.store.stream(stream).segments())
        return Stamps(files, stamps_of([stream_checkpoints(trail.store, stream).folder, config_dir / "keys"]))

    return Prove(check, stamps, lambda: stream_checkpoints(trail.store, stream))


def proof_view(past: Past, seq: int, proof: Proof | None) -> ProofView:
    """The rail of a past, and the hashes at a moment."""
    checkpoints = () if proof is None else proof.checkpoints
    signed = next((one.root for one in checkpoints if one.seq == seq), None)
    words = ("trail", "check") if past.kind == "trail" else ("verify", "--at", seq)
    return ProofView(
        past=past.name,
        at=seq,
        cli=command(past, *words),
        rail=() if proof is None else tuple(rail_of(proof.trust, past.head(), proof.events, proof.fault)),
        hash_at=past.entry(seq).leaf_hash if seq else None,
        root_at=signed or _root(past, seq),
        checkpoints=checkpoints,
        checked_at=None if proof is None else proof.checked_at,
    )


def rail_of(trust: Trust, head: int, checked: int | None = None, fault: str = "") -> Iterator[RailSpan]:
    """The parts of a past from the first event to the last, each with how well it is proved.

    `checked` events were verified, of which some may lie behind the `head`, where damage ends what can be read; `fault`
    says what is wrong there.
    """
    bad = trust.invalid_from_line
    known = head if checked is None else checked
    sound = min(known, head) if bad is None else max(min(bad - 1, known), 0)
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
    if bad is not None:
        told = f"invalid from line {bad}" + (f": {fault}" if fault else "")
        yield RailSpan(from_=sound + 1, to=max(head, known, sound + 1), kind="broken", text=told)
    elif head > sound:
        text = "came after the check, and is not checked yet"
        yield RailSpan(from_=sound + 1, to=head, kind="unanchored", text=text, is_checked=False)


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
