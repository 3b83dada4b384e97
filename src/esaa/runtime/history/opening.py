"""What a time machine stands on in a workspace, beside its past: contents, contracts, measures, proofs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from esaa.contracts.governance import Governance
from esaa.errors import EsaaError
from esaa.runtime.history.lines import recorded_in
from esaa.runtime.history.machine import TimeMachine
from esaa.runtime.history.proof import prove_log, prove_stream
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.stream_past import StreamPast
from esaa.runtime.trail.trail import Trail
from esaa.stores.blobs import BlobStore
from esaa.stores.contracts import has_governance, read_governance
from esaa.stores.disk import Disk
from esaa.stores.layout import ROADMAP
from esaa.stores.refused import RefusedStore
from esaa.trail.facts.orchestration import RunMeasured

LOG = "log"
"""The name of the governed log among the pasts of a workspace."""


def log_sources(root: Path, log: Path, trail: Callable[[], Trail], config_dir: Path) -> Sources:
    """What lies around the governed log at `log`. The trail is opened when its measures are asked for."""
    return Sources(
        root=root,
        content_of=RefusedStore(root / ROADMAP / "blobs", Disk()).get,
        rules=_readable_rules(root / ROADMAP),
        recorded=lambda last: recorded_in(log, last),
        measured=lambda until: _measured(trail(), until),
        prove=prove_log(root, config_dir),
    )


def stream_machine(trail: Trail, stream: str, config_dir: Path) -> TimeMachine:
    """The time machine of a stream. Raises `UsageError` for a key that is none, `NotFound`."""
    sources = Sources(
        root=trail.root,
        content_of=BlobStore(trail.root / ROADMAP / "blobs", Disk()).get,
        prove=prove_stream(trail, stream, config_dir),
    )
    return TimeMachine(StreamPast(trail, stream), sources)


def _readable_rules(roadmap: Path) -> Governance | None:
    """The contracts; history can be read whatever became of them."""
    if not has_governance(roadmap):
        return None
    try:
        return read_governance(roadmap)
    except EsaaError:
        return None


def _measured(trail: Trail, until: str | None) -> Iterator[RunMeasured]:
    """What `esaa run` told the trail of its processes, up to a time."""
    for stream in trail.store.names():
        for located in trail.store.stream(stream).events():
            event = located.event
            # The trail writes milliseconds, the log does not: what the second of the log's event holds is in.
            if event.fact.event_type == RunMeasured.__name__ and (until is None or event.ts[:19] <= until[:19]):
                fact = trail.types.fact_of(event)
                if isinstance(fact, RunMeasured):
                    yield fact
