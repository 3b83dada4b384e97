"""What lies around a past: the contents of files, the contracts, the other things that an answer is taken from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from esaa.contracts.governance import Governance
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact
from esaa.runtime.history.proof import Prove
from esaa.trail.facts.orchestration import RunMeasured


def no_content(_digest: str) -> bytes | None:
    """Where contents are not kept."""
    return None


def nothing_measured(_until: str | None) -> Iterable[RunMeasured]:
    """Where nothing was measured."""
    return ()


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What a time machine is given beside its past. All but the root may be missing.

    - `root`: the workspace.
    - `content_of`: the content of a digest; None where it was never kept, or was erased.
    - `rules`: the contracts in force; None where they cannot be read.
    - `recorded`: the events of the governed log up to one; None where the past is asked for each.
    - `measured`: what `esaa run` told of its processes, up to a time.
    - `prove`: verifies the past.
    """

    root: Path
    content_of: Callable[[str], bytes | None] = no_content
    rules: Governance | None = None
    recorded: Callable[[int], Iterable[Recorded[Fact]]] | None = None
    measured: Callable[[str | None], Iterable[RunMeasured]] = nothing_measured
    prove: Prove | None = None
