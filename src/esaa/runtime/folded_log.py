"""The log and the state folded from it, kept together: opened from a snapshot, brought up to the head, appended to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esaa.errors import StoreError
from esaa.kernel.recorded import Draft, Recorded
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import Fact
from esaa.protocol.state import Header, State
from esaa.protocol.task_table import TaskTable
from esaa.stores.base import START, Batch, Head
from esaa.stores.jsonl import JsonlStore
from esaa.stores.snapshots import SnapshotStore


class FoldedLog:
    """Whoever appends holds the writer's lock; reading needs none."""

    def __init__(self, store: JsonlStore[Fact], snapshots: SnapshotStore, snapshot_every: int) -> None:
        self.store = store
        self._snapshots = snapshots
        self._snapshot_every = snapshot_every
        self._snapshot_place = START
        self._state: State | None = None

    def state(self) -> State:
        """The state at the head of the log. Raises `CorruptLog` and `TornTail`; then nothing is kept."""
        state = self._open() if self._state is None or self._was_cut() else self._state
        self._state = None
        for recorded in self.store.read(self.store.head()):
            evolve(state, recorded)
        self._state = state
        return state

    def known(self) -> State | None:
        """The state as it was last folded, without looking at the log."""
        return self._state

    def forget(self) -> None:
        """Drops the folded state; the next `state` opens the log again."""
        self._state = None

    def append(self, drafts: Sequence[Draft[Fact]], batch: Batch) -> tuple[Recorded[Fact], ...]:
        """Appends durably and folds on. On a failure the folded state is dropped."""
        state = self._state
        assert state is not None, "append comes after state"
        try:
            events = self.store.append(drafts, state.seq, batch)
        except StoreError:
            self._state = None
            raise
        for recorded in events:
            evolve(state, recorded)
        return events

    def keep_snapshot(self) -> None:
        """Saves a snapshot when the tail behind the last one has grown long."""
        if self.store.head().version - self._snapshot_place.version >= self._snapshot_every:
            self.save_snapshot()

    def save_snapshot(self) -> None:
        """Saves a snapshot of the head."""
        state, head = self.state(), self.store.head()
        self._snapshots.save(head, [msgspec.json.encode(state.header), *state.tasks.dump()])
        self._snapshot_place = head

    @property
    def snapshot_place(self) -> Head:
        """The head of the snapshot in use."""
        return self._snapshot_place

    def _was_cut(self) -> bool:
        """True where what was folded lies in the log no more: a reader saw a batch that a repair took back."""
        head = self.store.head()
        return self.store.size() != head.offset and not self.store.is_at(head)

    def _open(self) -> State:
        loaded = self._snapshots.load()
        self._snapshot_place = START
        self.store.rewind(START)
        if loaded is None:
            return State()
        place, sections = loaded
        if not self.store.is_at(place):
            return State()
        self._snapshot_place = place
        self.store.rewind(place)
        return State(msgspec.json.decode(sections[0], type=Header), TaskTable.load(sections[1:]))
