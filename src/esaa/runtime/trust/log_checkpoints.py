"""The checkpoints of a workspace's governed log: made as it grows, by whoever writes to it and has the key."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from esaa.errors import CorruptLog, EsaaError
from esaa.kernel.checkpoint import Checkpoint
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact
from esaa.runtime.trust.checkpoint_sources import LogSource
from esaa.runtime.trust.checkpointing import Checkpointer, Reason
from esaa.stores.base import Head
from esaa.stores.checkpoints import CHECKPOINTS, LATEST, CheckpointStore
from esaa.stores.disk import Disk
from esaa.stores.frontier_cache import FrontierCache
from esaa.stores.jsonl import JsonlStore
from esaa.stores.keys import KeyStore, SigningKey, refuse_inside
from esaa.stores.origin import make_origin, read_origin, replace_origin
from esaa.stores.secrets import state_key
from esaa.stores.seen_heads import SeenHeads

_TOLD = "unsigned-told"


class LogCheckpoints:
    """What a workspace needs to know of signing. Every method is called under the writer's lock."""

    def __init__(
        self, roadmap: Path, store: JsonlStore[Any], config_dir: Path, disk: Disk, *, every_events: int
    ) -> None:
        self.keys = KeyStore(config_dir, disk)
        self._roadmap = roadmap
        self._store = store
        self._config_dir = config_dir
        self._disk = disk
        self._every_events = every_events
        self._checkpointer: Checkpointer | None = None

    def after(self, events: Sequence[Recorded[Fact]]) -> tuple[str, ...]:
        """Makes a checkpoint where one is due, and says what went wrong instead of raising it: what was decided stands.

        That nothing is signed on this machine, for it has no key, is said once.
        """
        try:
            checkpointer = self._opened()
            if checkpointer is None:
                return ()
            reason = checkpointer.due(events)
            if reason is None:
                return ()
            if not checkpointer.can_sign():
                return self._unsigned(checkpointer.origin)
            refuse_inside(self._config_dir, self._roadmap.parent)
            checkpointer.make(reason)
        except EsaaError as error:
            return (f"no checkpoint was made: {error}",)
        return ()

    def make(self, reason: Reason) -> Checkpoint | None:
        """A checkpoint of the head, as somebody asked for it; None without an origin, a key or an event."""
        checkpointer = self._opened()
        if checkpointer is None:
            return None
        refuse_inside(self._config_dir, self._roadmap.parent)
        return checkpointer.make(reason)

    def begin(self, *, is_new_log: bool = False) -> SigningKey:
        """Names the log, where it has no name yet, and makes this machine's key. A new log takes over no name under
        which another one was signed or seen. Raises `UsageError` where there is a key, and `ConfigError`.
        """
        refuse_inside(self._config_dir, self._roadmap.parent)
        lying = CheckpointStore(self._roadmap / CHECKPOINTS, self._disk)
        before = read_origin(self._roadmap)
        if is_new_log and before is not None and (lying.read(LATEST) or lying.kept() or self._seen().of(before)):
            lying.set_aside()
            return self.keys.create(replace_origin(self._roadmap, self._disk, _new_id))
        return self.keys.create(make_origin(self._roadmap, self._disk, _new_id))

    def rotate(self) -> tuple[SigningKey, SigningKey, Checkpoint | None]:
        """Puts a new key in the place of the old one, brought in by a checkpoint that both have signed.

        Raises `NotFound` where there is no origin or key. Cut short at any step, it goes on with the same two keys.
        """
        refuse_inside(self._config_dir, self._roadmap.parent)
        origin = read_origin(self._roadmap) or ""
        old, new = self.keys.rotate(origin)
        checkpointer = self._opened()
        made = None
        if checkpointer is not None and self._store.head().version:
            made = checkpointer.make_signed_by([old, new])
        self.keys.finish_rotation(origin)
        return old, new, made

    def rolled_back(self) -> CorruptLog | None:
        """Why this log may not be appended to, or None: it does not hold what this machine has seen of it."""
        origin = self._origin()
        if origin is None:
            return None
        seen = self._seen().of(origin)
        if seen is None or self._store.holds(Head(version=seen.size, leaf_hash=seen.leaf_hash)):
            return None
        head = self._store.head()
        what = f"{self._store.path} ends at event {head.version}, but this machine has seen event {seen.size} of it"
        if seen.size <= head.version:
            what = f"{self._store.path} is not the log that this machine has seen: event {seen.size} is another one"
        return CorruptLog(
            "LOG_ROLLED_BACK",
            f"{what}.",
            "Restore the missing events; if the log was restored on purpose: `esaa doctor --accept-log`.",
            min(head.version, seen.size - 1) + 1,
        )

    def begin_anew(self) -> dict[str, str]:
        """Gives the log another name and key, for it was accepted with another history than was signed.

        Two histories under one name would be what checkpoints are there to rule out. Old checkpoints are set aside.
        """
        before = read_origin(self._roadmap)
        if before is None:
            return {}
        CheckpointStore(self._roadmap / CHECKPOINTS, self._disk).set_aside()
        after = replace_origin(self._roadmap, self._disk, _new_id)
        self._checkpointer = None
        if self.keys.has(before):
            with suppress(EsaaError):
                self.keys.create(after)
        return {"origin_before": before, "origin": after}

    def _seen(self) -> SeenHeads:
        return SeenHeads(self._config_dir, self._disk)

    def _origin(self) -> str | None:
        with suppress(EsaaError):
            return read_origin(self._roadmap)
        return None

    def _opened(self) -> Checkpointer | None:
        if self._checkpointer is None:
            origin = read_origin(self._roadmap)
            if origin is None:
                return None
            self._checkpointer = Checkpointer(
                LogSource(self._store),
                origin,
                origin,
                CheckpointStore(self._roadmap / CHECKPOINTS, self._disk),
                FrontierCache(
                    self._roadmap / ".esaa" / "frontier", self._disk, state_key(self._config_dir, self._disk), origin
                ),
                self.keys,
                self._seen(),
                every_events=self._every_events,
            )
        return self._checkpointer

    def _unsigned(self, origin: str) -> tuple[str, ...]:
        told = self._roadmap / ".esaa" / _TOLD
        if told.exists():
            return ()
        with suppress(OSError):
            self._disk.replace_file(told, f"{origin}\n".encode(), durable=False)
        return (f"this machine has no key for {origin}, so nothing is signed here; `esaa key create` makes one",)


def _new_id() -> str:
    # Loaded where it is needed: a workspace is named once.
    from uuid import uuid4

    return str(uuid4())
