"""The audit of lines in a process of its own: `python -m esaa.runtime.line_check LOG SIZE ROADMAP SIZES`.

Prints the outcome as JSON. So a full verification uses two cores: here bytes, chain and envelopes, there the meaning.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from esaa.contracts.governance import Governance
from esaa.errors import ContractError
from esaa.kernel.findings import Finding
from esaa.kernel.line_audit import LineAudit, audit_lines
from esaa.kernel.roots import RootsAt, TreeHead
from esaa.protocol.envelope_audit import EnvelopeAudit
from esaa.stores.contracts import has_governance, read_governance
from esaa.stores.jsonl import LINE_BYTES_MAX

_CHUNK = 1024 * 1024


class LineCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: bytes and chain, the findings in the envelopes, and the heads of the tree, where they were wanted:
    at the sizes that were asked for, as far as the log reaches, and at its end."""

    lines: LineAudit
    envelopes: list[Finding]
    heads: dict[int, TreeHead] = {}


def check_file(path: Path, size: int, rules: Governance | None, heads_at: Sequence[int] | None = None) -> LineCheck:
    """Audits lines and envelopes in the first `size` bytes of a log; with `heads_at` it also computes the tree."""
    reader = EnvelopeAudit(rules)
    limit = LINE_BYTES_MAX if rules is None else rules.storage.event_store.line_bytes_max
    if heads_at is None:
        return LineCheck(lines=audit_lines(stored_lines(path, size), limit, reader), envelopes=reader.findings)
    roots = RootsAt(heads_at)
    lines = audit_lines(stored_lines(path, size), limit, reader, take_leaf=roots.add)
    heads = {roots.size: roots.end()} | roots.heads
    return LineCheck(lines=lines, envelopes=reader.findings, heads=heads)


def stored_lines(path: Path, size: int, progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """The lines in the first `size` bytes, without their line feeds; `progress` is told the bytes read so far."""
    left = size
    rest = b""
    with path.open("rb", buffering=0) as file:
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            left -= len(chunk)
            if progress is not None:
                progress(size - left)
            pieces = (rest + chunk).split(b"\n")
            rest = pieces.pop()
            yield from pieces
    if rest:
        yield rest


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
