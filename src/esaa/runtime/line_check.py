"""The audit of lines in a process of its own: `python -m esaa.runtime.line_check PATH SIZE LINE_BYTES_MAX`.

Prints the outcome as JSON. So a full verification uses two cores: here bytes and chain, there the meaning.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from esaa.kernel.line_audit import LineAudit, audit_lines


def check_file(path: Path, size: int, line_bytes_max: int) -> LineAudit:
    """Audits the first `size` bytes of a log."""
    return audit_lines(stored_lines(path, size), line_bytes_max)


def stored_lines(path: Path, size: int) -> Iterator[bytes]:
    """The lines in the first `size` bytes, without their line feeds."""
    left = size
    with path.open("rb", buffering=1 << 20) as file:
        for line in file:
            left -= len(line)
            if left < 0:
                line = line[:left]
            yield line[:-1] if line.endswith(b"\n") else line
            if left <= 0:
                return


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(check_file(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
