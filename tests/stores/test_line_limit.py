"""STORAGE_POLICY `line_bytes_max`: an event that is too long is refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from esaa.errors import UsageError
from esaa.kernel.recorded import Draft
from esaa.protocol.facts import Fact, TaskClaimed
from esaa.protocol.wire import ProtocolVocabulary
from esaa.stores.base import Batch
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore


def test_event_longer_than_the_limit_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    store: JsonlStore[Fact] = JsonlStore(tmp_path / "log.jsonl", ProtocolVocabulary(), Disk(), line_bytes_max=4096)
    short: Draft[Fact] = Draft(actor="agent-spec", fact=TaskClaimed(task_id="T-1"))
    long: Draft[Fact] = Draft(actor="agent-spec", fact=TaskClaimed(task_id="T-1", notes="x" * 5000))
    batch = Batch(ts="2026-03-01T12:00:00Z")
    with pytest.raises(UsageError) as caught:
        store.append([short, long], 0, batch)
    assert caught.value.code == "LINE_TOO_LONG"
    assert not store.path.exists()
    assert [event.version for event in store.append([short], 0, batch)] == [1]
