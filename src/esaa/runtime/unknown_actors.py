"""Outputs of unregistered actors: the log hears of them now and then, the details go to a small, bounded file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from esaa.kernel.ingest import SMALL_STATE
from esaa.protocol.commands import Submit
from esaa.protocol.facts import OutputRejected
from esaa.protocol.settle import Settlement
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.outside import read_own

_DIGESTS_MAX = 16
_NAME_MAX = 64


class _Detail(msgspec.Struct, frozen=True, kw_only=True):
    ts: str
    actor: str
    result_sha256: str
    is_recorded: bool


class UnknownActorFile:
    """The last details, at most `details_max`; how many of them the log has not been told of yet."""

    def __init__(self, path: Path, disk: Disk, details_max: int) -> None:
        self._path = path
        self._disk = disk
        self._details_max = details_max

    def note(self, command: Submit, settlement: Settlement, now: str) -> Settlement:
        """Keeps the detail. Where the settlement records an event, the event tells of all that were held back."""
        from esaa.redaction.redact import redact_text  # here: hardly any workspace hears of strangers

        details = self._read()
        records = bool(settlement.drafts)
        held_back = [detail for detail in details if not detail.is_recorded]
        if records:
            details = [msgspec.structs.replace(detail, is_recorded=True) for detail in details]
        digest = command.result.result_sha256
        name = redact_text(command.actor)[0][:_NAME_MAX]
        details.append(_Detail(ts=now, actor=name, result_sha256=digest, is_recorded=records))
        self._write(details[-self._details_max :])
        if not records or not held_back:
            return settlement
        digests = [digest, *(detail.result_sha256 for detail in held_back)][:_DIGESTS_MAX]
        drafts = tuple(
            msgspec.structs.replace(
                draft,
                fact=msgspec.structs.replace(draft.fact, count=len(held_back) + 1, digests=tuple(digests)),
            )
            if isinstance(draft.fact, OutputRejected)
            else draft
            for draft in settlement.drafts
        )
        return msgspec.structs.replace(settlement, drafts=drafts)

    def _read(self) -> list[_Detail]:
        try:
            lines = (read_own(self._path, SMALL_STATE) or b"").splitlines()
            return [msgspec.json.decode(line, type=_Detail) for line in lines]
        except ValueError:  # no JSON, or no UTF-8
            return []

    def _write(self, details: list[_Detail]) -> None:
        data = b"".join(msgspec.json.encode(detail) + b"\n" for detail in details)
        try:
            self._disk.mkdir(self._path.parent)
            self._disk.replace_file(self._path, data, durable=False)
        except OSError as error:
            raise storage_error(self._path, error) from error
