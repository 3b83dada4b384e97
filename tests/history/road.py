"""The road of commands into a log, in memory: settled, recorded with contents, folded. For tests of what-if."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from esaa.contracts.governance import Governance
from esaa.contracts.values import ProtocolVersion
from esaa.history.changes import Change
from esaa.history.edits import Edits
from esaa.history.log_fold import written_files
from esaa.history.what_if import Imagined, imagine
from esaa.history.world import differences
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.recorded import Draft, Recorded
from esaa.protocol.commands import AnyCommand, FileOnDisk
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import Fact, FileWritten
from esaa.protocol.settle import Settlement, settle
from esaa.protocol.state import State
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.refused_outputs import with_refused_output
from esaa.stores.base import Batch
from esaa.stores.memory import MemoryStore
from tests.scenarios import governance, submit


class Road:
    """A log, its state, its files and the kept contents. Each command comes a minute after the one before it."""

    def __init__(self, protocol: ProtocolVersion = "0.4.0") -> None:
        self.rules = governance(protocol)
        self.state = State()
        self.contents: dict[str, bytes] = {}
        self.tree: dict[str, bytes] = {}
        self.minutes = 0
        self._store: MemoryStore[Fact] = MemoryStore(ProtocolVocabulary(protocol))

    @property
    def now(self) -> str:
        """The time of the next command."""
        return f"2026-03-{1 + self.minutes // 1440:02d}T{self.minutes // 60 % 24:02d}:{self.minutes % 60:02d}:00Z"

    @property
    def events(self) -> list[Recorded[Fact]]:
        """The log."""
        return list(self._store.read())

    def last(self, action: type[Fact] | Any) -> int:
        """The seq of the last event of a kind."""
        return max(one.version for one in self.events if isinstance(one.fact, action))

    def send(self, actor: str, output: Mapping[str, Any] | bytes, **more: Any) -> Settlement:
        """An actor's output. `asked`, `provenance` and others are those of `Submit`."""
        command = submit(actor, output, files=dict(self.tree), asked=more.pop("asked", None), rules=self.rules)
        return self.put(msgspec.structs.replace(command, **more))

    def put(self, command: AnyCommand) -> Settlement:
        """A command."""
        settlement = settle(command, self.state, self.rules, self.now)
        settlement = with_refused_output(command, settlement, self.rules)
        self.record(settlement.drafts, settlement.contents)
        self.minutes += 10
        return settlement

    def record(self, drafts: tuple[Draft[Fact], ...], contents: Mapping[str, bytes] | None = None) -> None:
        """What was decided, into the log."""
        self.contents |= contents or {}
        for recorded in self._store.append(drafts, self.state.seq, Batch(ts=self.now)):
            evolve(self.state, recorded)
            if isinstance(recorded.fact, FileWritten):
                for path, file in written_files(recorded.fact).items():
                    self.tree[path] = self.contents[str(file.sha256)]

    def what_if(self, edits: Edits | None = None, other_rules: Governance | None = None, **more: Any) -> Imagined:
        """What would have happened."""
        events = more.pop("events", self.events)
        contents = more.pop("contents", self.contents)
        return imagine(events, edits or Edits(), self.rules, contents.get, other_rules=other_rules, **more)


def lying(content: bytes) -> FileOnDisk:
    """A file on the disk."""
    return FileOnDisk(sha256=sha256_hex(content), content=content)


def changes(found: Imagined) -> list[Change]:
    """What would be otherwise in the end."""
    return list(differences(found.actual, found.other))


def told(found: Imagined) -> dict[int, tuple[str, str, str | None]]:
    """The changed decisions: what they were, would be, and why not."""
    return {one.seq: (one.was, one.is_, one.error_code) for one in found.outcomes}
