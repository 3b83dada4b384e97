"""An audit that is put down and taken up again finds what one finds that never stopped."""

from __future__ import annotations

import json

import msgspec
import pytest

from esaa.kernel.recorded import Recorded
from esaa.protocol.envelope_audit import EnvelopeAudit
from esaa.protocol.facts import Fact, FileWritten, VerificationPassed
from esaa.protocol.roadmap import projection_hash
from esaa.protocol.state import Header, State
from esaa.protocol.task_table import TaskTable
from esaa.protocol.verify import Gathered, LogAudit
from esaa.protocol.wire import ProtocolVocabulary
from tests.scenarios import QA, approved, claimed, completed, created, done, governance, hotfix, record, reported, story

WIRE = ProtocolVocabulary()
DIGEST = "0" * 64


def _events() -> list[Recorded[Fact]]:
    written = FileWritten(
        task_id="T-1",
        files=("src/a.py",),
        effects=[{"path": "src/a.py", "before_sha256": None, "after_sha256": DIGEST, "bytes": 1}],
    )
    false = VerificationPassed(projection_hash_sha256=DIGEST)
    events = story(
        *done(outputs=["src/a.py"]), written, false, reported(), hotfix(), claimed("HF-1"), completed("HF-1"), false
    )
    events += [
        record(approved("HF-1"), len(events) + 1, actor=QA),
        record(FileWritten(task_id="T-9", files=("src/b.py",)), len(events) + 2),
        record(created("T-1"), len(events) + 3),
    ]
    return [msgspec.structs.replace(one, prev_hash="a" * 64 if one.version > 1 else None) for one in events]


def _laid_down(state: State) -> State:
    """The state as it comes back from where it was kept."""
    header = msgspec.json.decode(msgspec.json.encode(state.header), type=Header)
    canonical, pretty, columns = [memoryview(b"".join(pieces)) for pieces in state.tasks.stream()]
    return State(header, TaskTable.load([columns, canonical, pretty]))


@pytest.mark.parametrize("cut", range(1, len(_events())))
def test_meaning_is_taken_up_anywhere(cut: int) -> None:
    events = _events()
    whole = LogAudit(governance(), hash_all=True, last_verified=None)
    first = LogAudit(governance(), hash_all=True, last_verified=None)
    second = LogAudit(governance(), hash_all=True, last_verified=None)
    for line, event in enumerate(events, start=1):
        whole.feed(event, line)
    for line, event in enumerate(events[:cut], start=1):
        first.feed(event, line)

    kept = msgspec.json.decode(msgspec.json.encode(first.gathered()), type=Gathered)
    second.resume(_laid_down(first.state), kept)
    for line, event in enumerate(events[cut:], start=cut + 1):
        second.feed(event, line)

    assert first.findings + second.findings == whole.findings
    assert whole.findings
    assert second.gathered() == whole.gathered()
    assert projection_hash(second.state) == projection_hash(whole.state)


@pytest.mark.parametrize("cut", range(1, len(_events())))
def test_envelopes_are_taken_up_anywhere(cut: int) -> None:
    events = _events()
    first, second = EnvelopeAudit(governance()), EnvelopeAudit(governance())
    for line, event in enumerate(events[:cut], start=1):
        first.feed(json.loads(WIRE.encode(event)), line)

    second.resume(cut, *first.place())
    links = ["a" * 64] * (len(events) - cut)

    assert first.findings == []
    assert second.knows(b"".join(WIRE.encode(event) + b"\n" for event in events[cut:]), links)
    assert second.place() == (events[-1].ts, events[-1].schema_version)
