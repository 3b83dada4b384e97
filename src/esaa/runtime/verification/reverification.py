"""Verifying again: a prefix that a signed checkpoint covers and that this machine has verified before is compared by
its bytes, and only what came after it is judged in full.

Used for the plain question; whoever asks for everything (`--strict`, `--all`) gets everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import msgspec

from esaa.errors import ContractError
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.findings import Finding
from esaa.kernel.merkle import Subtree
from esaa.kernel.roots import TreeHead
from esaa.protocol.envelope_audit import EnvelopeAudit
from esaa.protocol.roadmap import projection_hash
from esaa.protocol.state import Header, State
from esaa.protocol.task_table import TaskTable
from esaa.protocol.verify import Gathered, LogAudit
from esaa.runtime.verification.checkpoint_audit import CheckpointAudit, Trust
from esaa.runtime.verification.line_check import LineCheck
from esaa.stores.contracts import has_governance, read_files
from esaa.stores.verified import PieceDigests, VerifiedStore, has_digests
from esaa.stores.views import VIEW_NAMES
from esaa.version import __version__

REMEMBERED_FROM_BYTES = 4 * 1024 * 1024
"""A shorter log is judged anew each time."""
_WORTH_ONE_IN = 20
"""What is remembered is replaced when so large a part has come to it."""
_TAIL_BYTES_MIN = 8 * 1024 * 1024
"""A tail is judged by one process. Where it is longer than this, and than a quarter of the prefix, all is judged."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the verified prefix ends: how many events and bytes, and what an audit of the next line has to know."""

    events: int
    offset: int
    leaf_hash: str
    chained_from: int
    last_ts: str
    schema_version: str
    frontier: tuple[Subtree, ...]
    heads: dict[int, TreeHead]


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """A verification that found nothing: of which bytes, by which rules, with what outcome."""

    place: Place
    digests: tuple[str, ...]
    rules: str
    gathered: Gathered
    boundaries_judged: bool
    projection_hash_sha256: str
    read_models: dict[str, str]


class Prefix:
    """A remembered prefix that lies in the log byte for byte; the folded state is opened where it is needed."""

    def __init__(self, remembered: Remembered, sections: Sequence[memoryview]) -> None:
        self.remembered = remembered
        self.place = remembered.place
        self._sections = sections

    def resume(self, audit: LogAudit) -> None:
        """Puts an audit where the verified prefix ended."""
        header = msgspec.json.decode(self._sections[1], type=Header)
        canonical_texts, pretty_texts, columns = self._sections[2:]
        tasks = TaskTable.load([columns, canonical_texts, pretty_texts])
        audit.resume(State(header, tasks), self.remembered.gathered)

    def is_all_there_is(self, log: Path, roadmap: Path | None) -> bool:
        """True where nothing was appended since, and the read models are those that were compared with the state."""
        if roadmap is None or log.stat().st_size != self.place.offset:
            return False
        return self.remembered.read_models == read_model_digests(roadmap)

    def digests(self, log: Path) -> PieceDigests:
        """The digests of the prefix, to be gone on with."""
        return PieceDigests.after(log, self.place.offset, self.remembered.digests)

    def envelopes(self, reader: EnvelopeAudit) -> None:
        """Puts the audit of envelopes there."""
        place = self.place
        reader.resume(place.events, place.last_ts, place.schema_version)


def known_prefix(checkpoints: CheckpointAudit, roadmap: Path, log: Path) -> Prefix | None:
    """The prefix that a signed checkpoint covers and that this machine has verified before; None where one is missing,
    or where a checkpoint asks for a head that is not remembered."""
    if checkpoints.origin is None or checkpoints.verified is None:
        return None
    try:
        found = _remembered_prefix(checkpoints.verified, checkpoints.origin, roadmap, log)
    except ContractError:
        return None
    if found is None:
        return None
    place = found.place
    is_known = all(size in place.heads for size in checkpoints.sizes if size <= place.events)
    return found if is_known and checkpoints.covers(place.events, place.heads) else None


def keep(
    findings: Sequence[Finding],
    trust: Trust,
    roadmap: Path | None,
    checkpoints: CheckpointAudit,
    checked: LineCheck,
    audit: LogAudit,
    size: int,
    prefix: Prefix | None,
) -> None:
    """Remembers a verification that found nothing at all in a long log of our own that is signed, as far as it is."""
    events, lines = checked.lines.events, checked.lines
    known = 0 if prefix is None else prefix.place.events
    is_worth_it = size >= REMEMBERED_FROM_BYTES and events - known > known // _WORTH_ONE_IN
    is_plain = lines.lines == events and lines.chained_from in (1, 2)
    if not is_worth_it or not is_plain or findings or trust.signed_through is None:
        return
    if roadmap is None or checkpoints.origin is None or checkpoints.verified is None or lines.leaf_hash is None:
        return
    last_ts, version = checked.end
    place = Place(
        events=events,
        offset=size,
        leaf_hash=lines.leaf_hash,
        chained_from=lines.chained_from or 1,
        last_ts=last_ts,
        schema_version=version,
        frontier=checked.frontier,
        heads=checked.heads,
    )
    remembered = Remembered(
        place=place,
        digests=tuple(checked.digests),
        rules=rules_digest(roadmap),
        gathered=audit.gathered(),
        boundaries_judged=has_governance(roadmap),
        projection_hash_sha256=projection_hash(audit.state),
        read_models=read_model_digests(roadmap),
    )
    first = [msgspec.json.encode(remembered)], [msgspec.json.encode(audit.state.header)]
    checkpoints.verified.save(checkpoints.origin, chain(first, audit.state.tasks.stream()))


def _remembered_prefix(store: VerifiedStore, origin: str, roadmap: Path, log: Path) -> Prefix | None:
    """The prefix that need not be judged again, or None: nothing is remembered, or something is not as it was.

    Raises `ContractError`, as reading contracts does.
    """
    sections = store.load(origin)
    if sections is None:
        return None
    try:
        found = msgspec.json.decode(sections[0], type=Remembered)
    except msgspec.DecodeError:
        return None
    tail = log.stat().st_size - found.place.offset
    if not 0 <= tail <= max(_TAIL_BYTES_MIN, found.place.offset // 4) or found.rules != rules_digest(roadmap):
        return None
    if not has_digests(log, found.place.offset, found.digests):
        return None
    return Prefix(found, sections)


def rules_digest(roadmap: Path) -> str:
    """The digest of what the prefix was judged by: the contracts, and the version of the judge."""
    files = read_files(roadmap) if has_governance(roadmap) else {}
    text = msgspec.json.encode([__version__, {name: sha256_hex(files[name]) for name in sorted(files)}])
    return sha256_hex(text)


def read_model_digests(roadmap: Path) -> dict[str, str]:
    """The digests of the read models that lie there."""
    found: dict[str, str] = {}
    for name in VIEW_NAMES:
        path = roadmap / name
        if path.is_file():
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
