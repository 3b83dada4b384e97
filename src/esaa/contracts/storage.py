"""STORAGE_POLICY.yaml: the format of the event store and the limits of what is stored."""

from __future__ import annotations

from typing import Literal

from esaa.contracts.values import ContractFinding, ContractValue, ProtocolVersion

ErasableText = Literal["notes", "evidence"]
"""What can lie beside the log, where it can be erased. Everything else that an agent sends bears state."""

ENVELOPE_FIELDS: tuple[str, ...] = (
    "schema_version",
    "event_id",
    "event_seq",
    "ts",
    "actor",
    "action",
    "payload",
)


class EventStoreFormat(ContractValue, frozen=True, kw_only=True):
    """The format of `activity.jsonl`. The fixed values are written down so that a change of them is refused."""

    path: Literal[".roadmap/activity.jsonl"]
    format: Literal["jsonl"]
    encoding: Literal["utf-8"]
    event_id: Literal["EV-%08d"]
    first_event_seq: Literal[1]
    required_fields: tuple[str, ...]
    line_bytes_max: int
    durability: Literal["fdatasync"]


class StateSnapshots(ContractValue, frozen=True, kw_only=True):
    """A new state snapshot is written when more than `every_events` events lie behind the last one."""

    every_events: int


class StoragePolicy(ContractValue, frozen=True, kw_only=True):
    """How events and folded states are stored."""

    contract: Literal["storage_policy"]
    version: ProtocolVersion
    event_store: EventStoreFormat
    state_snapshots: StateSnapshots
    erasable: tuple[ErasableText, ...] = ()
    refused_outputs_bytes_max: int = 64 * 1024 * 1024

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        if self.event_store.required_fields != ENVELOPE_FIELDS:
            raise ContractFinding(f"event_store.required_fields must be exactly {ENVELOPE_FIELDS}")
        if self.event_store.line_bytes_max < 4096:
            raise ContractFinding("event_store.line_bytes_max must be at least 4096")
        if self.state_snapshots.every_events < 1:
            raise ContractFinding("state_snapshots.every_events must be at least 1")
        if self.refused_outputs_bytes_max < 0:
            raise ContractFinding("refused_outputs_bytes_max must be at least 0")
