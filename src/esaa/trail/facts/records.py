"""What the store itself does: snapshots, reports, archives, repairs, merges. Its own acts are in the trail, too."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from esaa.trail.facts.base import Data, Json, TrailFact
from esaa.trail.facts.values import Count, Moment, Number, Sha256
from esaa.trail.facts.wording import counted, line, short, size, told

CONCURRENT_SHOWN_MAX = 100
"""How many concurrent pairs a merge names; it counts all of them."""


class MergedHead(msgspec.Struct, frozen=True, kw_only=True):
    """Where one of the merged trails ended.

    - `leaf_hash`: the hash of its last line.
    - `event_sequence`: the sequence number of its last event.
    - `events`: how many events it has of its own, after the part that all have in common.
    - `name`: what it is called: a path, a branch, a machine.
    """

    leaf_hash: Sha256
    event_sequence: Count
    events: Count
    name: str | UnsetType = UNSET


class SnapshotCreated(TrailFact, frozen=True, kw_only=True):
    """A folded state was kept, so that reconstruction starts there. Recorded by the store.

    Making it again is safe: the same events give the same state.

    - `snapshot_id`: the snapshot's name, such as `snap-50`.
    - `event_sequence`: the last event that it holds.
    - `path`: where it lies, relative to the store.
    - `sha256`: the digest of its state.
    - `leaf_hash`: the hash of the line of its last event.
    - `size_bytes`: how large it is.
    - `trigger`: what made it: so many events, a request, or the end of the work.
    - `projection_version`: the version of the rules that folded it.
    """

    is_repeatable: ClassVar[bool] = True

    snapshot_id: str
    event_sequence: Number
    path: str | UnsetType = UNSET
    sha256: Sha256 | UnsetType = UNSET
    leaf_hash: Sha256 | UnsetType = UNSET
    size_bytes: Count | UnsetType = UNSET
    trigger: Literal["periodic", "manual", "pause", "end"] | UnsetType = UNSET
    projection_version: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        of = told(" ({})", self.size_bytes, size)
        return line(f"snapshot {self.snapshot_id} is made at #{self.event_sequence}{of}{told(', {}', self.trigger)}")


class SnapshotDiscarded(TrailFact, frozen=True, kw_only=True):
    """A snapshot is not used any more, for it is wrong, outdated or old. Recorded by the store.

    - `snapshot_id`: the snapshot.
    - `reason`: why, in one sentence.
    - `event_sequence`: the last event that it held.
    - `path`: where it lay, relative to the store.
    - `expected_sha256`: the digest that its state should have had.
    - `found_sha256`: the digest that its state had.
    """

    snapshot_id: str
    reason: str
    event_sequence: Count | UnsetType = UNSET
    path: str | UnsetType = UNSET
    expected_sha256: Sha256 | UnsetType = UNSET
    found_sha256: Sha256 | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"snapshot {self.snapshot_id} is discarded" + told(": {}", self.reason))


class ReportGenerated(TrailFact, frozen=True, kw_only=True):
    """A report was made from the trail. Recorded by the command that made it.

    Making it again is safe: it only reads.

    - `path`: where it lies.
    - `format`: what kind of file it is.
    - `sha256`: the digest of the file.
    - `size_bytes`: how large it is.
    - `events`: how many events it is made from.
    - `issue_keys`: the issues that it is about.
    - `event_types`: only events of these types.
    - `from_time`: only events from then on.
    - `to_time`: only events until then.
    - `grouped_by`: how it is arranged.
    - `head_leaf_hash`: the hash of the last line that it is made from.
    - `requested_by`: who asked for it.
    """

    is_repeatable: ClassVar[bool] = True

    path: str
    format: Literal["json", "csv", "html", "md", "pdf", "text", "parquet"]
    sha256: Sha256 | UnsetType = UNSET
    size_bytes: Count | UnsetType = UNSET
    events: Count | UnsetType = UNSET
    issue_keys: tuple[str, ...] | UnsetType = UNSET
    event_types: tuple[str, ...] | UnsetType = UNSET
    from_time: Moment | UnsetType | None = UNSET
    to_time: Moment | UnsetType | None = UNSET
    grouped_by: Literal["issue", "user", "phase"] | UnsetType = UNSET
    head_leaf_hash: Sha256 | UnsetType | None = UNSET
    requested_by: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        events = told(" of {}", self.events, lambda total: counted(total, "event"))
        return line(f"{self.format} report{events} is made" + told(": {}", self.path))


class ConfigurationChanged(TrailFact, frozen=True, kw_only=True):
    """A setting got another value. Recorded by the command that set it, or by the engine that noticed.

    - `key`: the setting, such as `snapshots.frequency`.
    - `old_value`: its value before; null where it had none.
    - `new_value`: its value after; null where it has none.
    - `file`: the file that holds it.
    - `before_sha256`: the digest of the file before.
    - `after_sha256`: the digest of the file after.
    - `changed_by`: who changed it.
    - `reason`: why, in one sentence.
    """

    key: str
    old_value: Json = UNSET
    new_value: Json = UNSET
    file: str | UnsetType = UNSET
    before_sha256: Sha256 | UnsetType | None = UNSET
    after_sha256: Sha256 | UnsetType | None = UNSET
    changed_by: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        # Values are read whatever they are: null is one of them.
        old = "" if self.old_value is UNSET else f" from {_value(self.old_value)}"
        new = "" if self.new_value is UNSET else f" to {_value(self.new_value)}"
        return line(f"setting {self.key} changes{old}{new}" + told(": {}", self.reason))


class ArchiveCreated(TrailFact, frozen=True, kw_only=True):
    """A part of a stream was sealed and put into an archive. Recorded by the store.

    - `path`: where the archive lies, relative to the store.
    - `events`: how many events it holds.
    - `first_sequence`: the first of them.
    - `last_sequence`: the last of them.
    - `sha256`: the digest of the archive's file.
    - `merkle_root`: the root of the tree over the hashes of its lines.
    - `last_leaf_hash`: the hash of its last line, which the line after it names.
    - `segments`: the paths of the log files that it holds.
    - `format`: how it is written.
    - `compression`: how it is compressed.
    - `size_bytes`: how large it is.
    - `first_timestamp`: when its first event was recorded.
    - `last_timestamp`: when its last event was recorded.
    """

    path: str
    events: Count
    first_sequence: Number
    last_sequence: Number
    sha256: Sha256
    issue_key: str | UnsetType | None = UNSET
    merkle_root: Sha256 | UnsetType = UNSET
    last_leaf_hash: Sha256 | UnsetType = UNSET
    segments: tuple[str, ...] | UnsetType = UNSET
    format: Literal["jsonl", "json", "parquet"] | UnsetType = UNSET
    compression: Literal["none", "zstd", "gzip"] | UnsetType = UNSET
    size_bytes: Count | UnsetType = UNSET
    first_timestamp: Moment | UnsetType = UNSET
    last_timestamp: Moment | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        span = f"#{self.first_sequence} to #{self.last_sequence}"
        of = told(" of {}", self.issue_key)
        return line(f"{counted(self.events, 'event')}{of} archived, {span}" + told(": {}", self.path))


class SegmentDeleted(TrailFact, frozen=True, kw_only=True):
    """An archived part of a stream was deleted, as configured; what proves the rest stays here. Recorded by the store.

    - `path`: what was deleted, relative to the store.
    - `events`: how many events it held.
    - `first_sequence`: the first of them.
    - `last_sequence`: the last of them.
    - `merkle_root`: the root of the tree over the hashes of its lines.
    - `last_leaf_hash`: the hash of its last line, which the line after it names.
    - `leaf_count`: how many lines the tree is over.
    - `sha256`: the digest of the file that was deleted.
    - `reason`: why, in one sentence.
    - `last_timestamp`: when its last event was recorded.
    """

    path: str
    events: Count
    first_sequence: Number
    last_sequence: Number
    merkle_root: Sha256
    last_leaf_hash: Sha256
    issue_key: str | UnsetType | None = UNSET
    leaf_count: Count | UnsetType = UNSET
    sha256: Sha256 | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    last_timestamp: Moment | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        span = f"#{self.first_sequence} to #{self.last_sequence}"
        of = told(" of {}", self.issue_key)
        proof = f", root {short(self.merkle_root)} kept"
        return line(f"{counted(self.events, 'event')}{of} deleted, {span}{proof}" + told(": {}", self.reason))


class DataErased(TrailFact, frozen=True, kw_only=True):
    """Data can no longer be read, because someone has a right to that. Recorded by the command that erased it.

    The events that name the data stay as they are; only what they name is gone.

    - `subject`: what was erased, in words that do not repeat it.
    - `method`: what was destroyed: the content, or the key or salt without which it says nothing.
    - `reason`: why, in one sentence.
    - `digests`: the digests of what was erased.
    - `event_ids`: the events that named it.
    - `items_count`: how many things were erased.
    - `legal_basis`: the rule that asks for it.
    - `requested_by`: who asked for it.
    """

    subject: str
    method: Literal["content_destroyed", "key_destroyed", "salt_destroyed"]
    reason: str | UnsetType = UNSET
    digests: tuple[Sha256, ...] | UnsetType = UNSET
    event_ids: tuple[str, ...] | UnsetType = UNSET
    items_count: Count | UnsetType = UNSET
    legal_basis: str | UnsetType = UNSET
    requested_by: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        what = told(": {}", self.subject)
        return line(f"data is erased ({self.method.replace('_', ' ')}){what}{told(' - {}', self.reason)}")


class LogRepaired(TrailFact, frozen=True, kw_only=True):
    """Damage was mended where the rules allow it. Recorded by the store when it opens, or by the repair command.

    - `target`: what was mended: a stream, or a file of the store.
    - `change`: what was done, in a few words.
    - `reason`: what the damage was, in one sentence.
    - `removed_bytes`: how many bytes were taken away.
    - `removed_sha256`: the digest of these bytes.
    - `quarantine`: where a copy of them lies.
    - `line_number`: the line that was damaged.
    - `events_kept`: how many events are left.
    """

    target: str
    change: str
    reason: str | UnsetType = UNSET
    removed_bytes: Count | UnsetType = UNSET
    removed_sha256: Sha256 | UnsetType = UNSET
    quarantine: str | UnsetType = UNSET
    line_number: Number | UnsetType = UNSET
    events_kept: Count | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        removed = told(" ({})", self.removed_bytes, size)
        return line(f"{self.target} is repaired" + told(": {}", self.change) + removed + told(", {}", self.reason))


class TrailMerged(TrailFact, frozen=True, kw_only=True):
    """Trails that were written in two places became one. Recorded by the command that merged them.

    - `heads`: where each of them ended.
    - `common_sequence`: the last event that all had in common; 0 where there is none.
    - `events_joined`: how many events after that one the merged trail has.
    - `concurrent_pairs`: how many pairs of events neither of which knew of the other.
    - `concurrent`: the event ids of these pairs, the first hundred of them.
    """

    heads: Annotated[tuple[MergedHead, ...], Meta(min_length=1)]
    common_sequence: Count
    events_joined: Count
    concurrent_pairs: Count
    issue_key: str | UnsetType | None = UNSET
    concurrent: Annotated[tuple[tuple[str, str], ...], Meta(max_length=CONCURRENT_SHOWN_MAX)] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        trails = counted(len(self.heads), "trail")
        joined = counted(self.events_joined, "event")
        pairs = counted(self.concurrent_pairs, "concurrent pair")
        return line(f"{trails} merged after #{self.common_sequence}: {joined}, {pairs}")


class ReadModelUpdated(TrailFact, frozen=True, kw_only=True):
    """A view that is folded from the log follows it. Recorded by whoever writes the view.

    Folding it again is safe: the same log gives the same view.

    - `target`: the view, such as `roadmap`.
    - `change`: what was done, mostly `projected`.
    - `warnings`: remarks about what led to it.
    - `sha256`: the digest of the view after.
    - `detail`: the values behind the change.
    """

    is_repeatable: ClassVar[bool] = True

    target: str
    change: str | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET
    sha256: Sha256 | UnsetType = UNSET
    detail: Data | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        warned = told(" ({})", self.warnings or None, lambda remarks: counted(len(remarks), "warning"))
        return line(f"{self.target} follows the log{warned}" + told(": {}", self.change))


def _value(value: Json) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, (str, bool, int, float, type(None))) else "..."
