"""Making checkpoints: the tree is brought to the head of the log, and what it came to is signed and published.

A crash at any step leaves a log that is at least as long as its newest checkpoint: the log is durable first. A log
that no longer begins as this machine has signed or seen it is never signed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from esaa.errors import CorruptLog
from esaa.kernel.checkpoint import (
    Checkpoint,
    CheckpointInvalid,
    Note,
    Signature,
    body,
    checkpoint_of,
    signed_by,
)
from esaa.kernel.merkle import Frontier
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, RunEnded, VerificationPassed
from esaa.runtime.trust.checkpoint_sources import Source
from esaa.stores.base import Head
from esaa.stores.checkpoints import CheckpointStore
from esaa.stores.frontier_cache import FrontierCache
from esaa.stores.keys import KeyStore, SigningKey, verify_ed25519
from esaa.stores.seen_heads import SeenHead, SeenHeads

Reason = Literal["verify.ok", "run.end", "every_events", "demand", "rotation"]
_KEPT: frozenset[Reason] = frozenset(("run.end", "demand", "rotation"))
_RESTORE = "Restore the log from a copy that verifies; if it was restored on purpose: `esaa doctor --accept-log`."


class Checkpointer:
    """Makes the checkpoints of one log. Whoever calls holds the log's writer lock.

    `key_name` is the name under which the key lies: the project's origin, for its streams too.
    """

    def __init__(
        self,
        source: Source,
        origin: str,
        key_name: str,
        store: CheckpointStore,
        cache: FrontierCache,
        keys: KeyStore,
        seen: SeenHeads,
        *,
        every_events: int,
    ) -> None:
        self.origin = origin
        self.store = store
        self.seen = seen
        self._source = source
        self._key_name = key_name
        self._cache = cache
        self._keys = keys
        self._every_events = every_events
        self._last_size: int | None = None

    def due(self, events: Sequence[Recorded[Fact]] = ()) -> Reason | None:
        """Why a checkpoint should be made after these events of the governed log, or None."""
        if any(isinstance(one.fact, RunEnded) for one in events):
            return "run.end"
        if any(isinstance(one.fact, VerificationPassed) for one in events):
            return "verify.ok"
        return "every_events" if self.is_long_past(self._source.head().version) else None

    def is_long_past(self, version: int) -> bool:
        """True where a log of this many events was last signed too many events ago."""
        return version - self._size_of_last() >= self._every_events

    def can_sign(self) -> bool:
        """True where there is a key, whatever may be wrong with it."""
        return self._keys.has(self._key_name)

    def make(self, reason: Reason) -> Checkpoint | None:
        """Signs and publishes the head; None where this machine has no key, or the log is empty.

        Raises `CorruptLog` where the log is not what was signed or seen before, `ConfigError` for a key that cannot be
        used, `StoreError`.
        """
        key = self._keys.load(self._key_name)
        if key is None or self._source.head().version == 0:
            return None
        return self._make([key], keep=reason in _KEPT)

    def make_signed_by(self, keys: Sequence[SigningKey]) -> Checkpoint:
        """Signs the head with several keys, and keeps that: how a new key is brought in by the one before it."""
        return self._make(keys, keep=True)

    def refused(self) -> CorruptLog | None:
        """Why this log may not be signed, or None: it lacks what this machine has seen of it."""
        known = self.seen.of(self.origin)
        if known is None:
            return None
        head = self._source.head()
        if known.size > head.version:
            text = f"The log {self.origin} ends at event {head.version}, but this machine has seen event {known.size}"
            return CorruptLog("LOG_ROLLED_BACK", f"{text} of it.", _RESTORE, head.version + 1)
        return None

    def _make(self, keys: Sequence[SigningKey], *, keep: bool) -> Checkpoint:
        refused = self.refused()
        if refused is not None:
            raise refused
        head, frontier = self._grown()
        checkpoint = Checkpoint(origin=self.origin, size=frontier.size, root=frontier.root())
        note = self._signed(checkpoint, keys)
        if keep:
            self.store.keep(note, checkpoint.size)
        self.store.publish(note)
        self._last_size = checkpoint.size
        self._cache.save(head, frontier)
        assert head.leaf_hash is not None, "a log with events has a last leaf"
        self.seen.note(self.origin, SeenHead(size=checkpoint.size, root=checkpoint.root, leaf_hash=head.leaf_hash))
        return checkpoint

    def _grown(self) -> tuple[Head, Frontier]:
        """The frontier at the head; on the way it must be what was signed and seen."""
        head = self._source.head()
        cached = self._cache.load()
        if cached is not None and cached[0].version <= head.version and self._source.is_at(cached[0]):
            place, frontier = cached
        else:
            place, frontier = self._source.beginning()
        stops = {size: root for size, root in self._must_hold(head).items() if size >= frontier.size}
        pending: list[str] = []
        following = min(stops, default=None)
        for leaf in self._source.leaves(place):
            if frontier.size + len(pending) == following:
                frontier.extend(pending)
                pending = []
                self._check(frontier, stops.pop(frontier.size))
                following = min(stops, default=None)
            pending.append(leaf)
        frontier.extend(pending)
        if frontier.size in stops:
            self._check(frontier, stops.pop(frontier.size))
        if frontier.size != head.version:
            raise CorruptLog(
                "EVENT_SEQ_INVALID",
                f"The log {self.origin} has {frontier.size} lines, and its last event is {head.version}.",
                "Run `esaa verify --explain`.",
                frontier.size,
            )
        return head, frontier

    def _must_hold(self, head: Head) -> Mapping[int, str]:
        """The roots that the log had before, by size: as this machine has seen, and as its own keys have signed it."""
        found: dict[int, str] = {}
        try:
            note = self.store.latest()
            if note is not None and self._is_own(note):
                signed = checkpoint_of(note)
                if signed.origin == self.origin:
                    found[signed.size] = signed.root
        except CheckpointInvalid:
            pass  # whatever it is, nobody signed it
        seen = self.seen.of(self.origin)
        if seen is not None:
            found[seen.size] = seen.root
        beyond = [size for size in found if size > head.version]
        if beyond:
            raise CorruptLog(
                "CHECKPOINT_BEYOND_LOG",
                f"The log {self.origin} ends at event {head.version}, but a checkpoint covers {max(beyond)}.",
                _RESTORE,
                head.version + 1,
            )
        return found

    def _check(self, frontier: Frontier, root: str) -> None:
        if frontier.size and frontier.root() != root:
            raise CorruptLog(
                "CHECKPOINT_MISMATCH",
                f"The first {frontier.size} events of the log {self.origin} are not those that were signed or seen.",
                _RESTORE,
                1,
            )

    def _is_own(self, note: Note) -> bool:
        return any(signed_by(note, key, verify_ed25519) for key in self._keys.known(self._key_name))

    def _size_of_last(self) -> int:
        if self._last_size is None:
            try:
                note = self.store.latest()
                self._last_size = 0 if note is None else checkpoint_of(note).size
            except CheckpointInvalid:
                self._last_size = 0
        return self._last_size

    @staticmethod
    def _signed(checkpoint: Checkpoint, keys: Sequence[SigningKey]) -> Note:
        text = body(checkpoint)
        signatures = tuple(
            Signature(name=key.verifier.name, key_id=key.verifier.key_id, blob=key.sign(text)) for key in keys
        )
        note = Note(text=text, signatures=signatures)
        # What others will trust is read as they read it, before they can.
        assert all(signed_by(note, key.verifier, verify_ed25519) for key in keys), "a signature that does not hold"
        return note
