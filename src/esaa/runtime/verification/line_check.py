"""The audit of lines in a process of its own: `python -m esaa.runtime.verification.line_check LOG SIZE ROADMAP SIZES`.

Prints the outcome as JSON. So a full verification uses two cores: here bytes, chain and envelopes, there the meaning.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from esaa.contracts.governance import Governance
from esaa.errors import ContractError
from esaa.kernel.findings import Finding
from esaa.kernel.line_audit import LineAudit, LineAuditor
from esaa.kernel.merkle import Frontier, Subtree
from esaa.kernel.roots import RootsAt, TreeHead
from esaa.protocol.envelope_audit import EnvelopeAudit
from esaa.stores.contracts import has_governance, read_governance
from esaa.stores.jsonl import LINE_BYTES_MAX
from esaa.stores.verified import PieceDigests

if TYPE_CHECKING:
    from esaa.runtime.verification.reverification import Prefix

_RUN_BYTES = 128 * 1024
"""So much is read and judged at once; it stays in the cache of a core."""


class LineCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: bytes and chain, the findings in the envelopes, and the heads of the tree, where they were wanted:
    at the sizes that were asked for, as far as the log reaches, and at its end.

    With the tree come its frontier at the end, the digests of the bytes in pieces, and the last time and version."""

    lines: LineAudit
    envelopes: list[Finding]
    heads: dict[int, TreeHead] = {}
    frontier: tuple[Subtree, ...] = ()
    digests: list[str] = []
    end: tuple[str, str] = ("", "")


def check_file(
    path: Path,
    size: int,
    rules: Governance | None,
    heads_at: Sequence[int] | None = None,
    prefix: Prefix | None = None,
) -> LineCheck:
    """Audits lines and envelopes in the first `size` bytes of a log; with `heads_at` it also computes the tree, and the
    digests of the bytes. With `prefix` only what comes after it is audited."""
    reader = EnvelopeAudit(rules)
    limit = LINE_BYTES_MAX if rules is None else rules.storage.event_store.line_bytes_max
    if heads_at is None:
        auditor = LineAuditor(limit, reader)
        for run in stored_runs(path, size):
            auditor.run(run)
        return LineCheck(lines=auditor.outcome(), envelopes=reader.findings)
    if prefix is None:
        roots, digests, heads, start = RootsAt(heads_at), PieceDigests(), {}, 0
        auditor = LineAuditor(limit, reader, take_leaf=roots.add)
    else:
        place = prefix.place
        roots, digests, heads = RootsAt(heads_at, Frontier.of(place.frontier)), prefix.digests(path), place.heads
        start = place.offset
        prefix.envelopes(reader)
        auditor = LineAuditor(
            limit,
            reader,
            before=place.leaf_hash,
            chained_from=place.chained_from,
            start=place.events,
            take_leaf=roots.add,
        )
    for run in stored_runs(path, size, tap=digests.update, start=start):
        auditor.run(run)
    lines = auditor.outcome()
    if prefix is not None:
        lines.events += prefix.place.events
    end = roots.end()
    return LineCheck(
        lines=lines,
        envelopes=reader.findings,
        heads={roots.size: end} | roots.heads | heads,
        frontier=roots.parts(),
        digests=digests.digests(),
        end=reader.place(),
    )


def stored_runs(
    path: Path,
    size: int,
    progress: Callable[[int], None] | None = None,
    *,
    start: int = 0,
    tap: Callable[[bytes], None] | None = None,
) -> Iterator[bytes]:
    """The lines in the first `size` bytes, from the offset `start` on, in runs of whole lines; the last line may lack
    its line feed.

    `progress` is told the bytes read so far; `tap` sees every byte in passing.
    """
    left = size - start
    rest: list[bytes] = []
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while left > 0 and (chunk := file.read(min(_RUN_BYTES, left))):
            left -= len(chunk)
            if tap is not None:
                tap(chunk)
            if progress is not None:
                progress(size - left)
            end = chunk.rfind(b"\n") + 1
            if end:
                yield b"".join((*rest, chunk[:end]))
                rest = []
            rest.append(chunk[end:])
    if any(rest):
        yield b"".join(rest)


def readable_rules(roadmap: Path | None) -> Governance | None:
    """The contracts beside a log, or None where there are none that can be read."""
    if roadmap is None or not has_governance(roadmap):
        return None
    try:
        return read_governance(roadmap)
    except ContractError:
        return None


if __name__ == "__main__":
    gc.disable()
    log, bytes_to_read, folder, sizes = sys.argv[1:]
    wanted = None if sizes == "none" else [int(one) for one in sizes.split(",") if one]
    outcome = check_file(Path(log), int(bytes_to_read), readable_rules(Path(folder) if folder else None), wanted)
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
