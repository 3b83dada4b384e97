"""What a replay came to: for each event and in total, with the keys of the specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from esaa.history.replay_plan import ReplayStep
from esaa.history.replay_results import matches_recorded
from esaa.kernel.canonical import compact
from esaa.runtime.replay.handlers import Outcome

Status = Literal["success", "skipped", "failed"]

_ERROR_CHARS_MAX = 2000


class EventResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one event.

    - `reason`: why it was skipped; `detail` says more.
    - `result`: what the handler did, or (dry) would do; `error`: why it failed.
    - `matches_recorded`: whether that is what was recorded at the time; null where nobody can tell.
    """

    event_id: str
    status: Status
    sequence: int
    event_type: str
    reason: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    result: dict[str, Any] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    handler: str | UnsetType = UNSET
    matches_recorded: bool | UnsetType | None = UNSET
    warnings: tuple[str, ...] = ()

    def why(self) -> str:
        """Why it was skipped or failed, in full; empty where it was replayed."""
        if isinstance(self.error, str):
            return self.error
        reason = self.reason if isinstance(self.reason, str) else ""
        return f"{reason}: {self.detail}" if isinstance(self.detail, str) else reason


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay did, or (dry) would do; the first four keys are the specification's.

    - `verified_count`, `mismatched_count`: of the replayed events, those with the recorded outcome, and with another.
    - `filtered_count`: how many events of the range were not selected; they are not among the results.
    - `faults`: preconditions of the whole that fail; then nothing was done.
    - `replay_id`: its name; None where nothing was recorded.
    """

    replayed_count: int
    skipped_count: int
    failed_count: int
    results: tuple[EventResult, ...]
    verified_count: int
    mismatched_count: int
    filtered_count: int
    dry_run: bool
    issue_key: str
    replay_id: str | None
    from_sequence: int
    to_sequence: int
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """True where nothing failed and every outcome that can be compared is the recorded one."""
        return not (self.faults or self.failed_count or self.mismatched_count)


def settled(step: ReplayStep, act: Callable[[], object]) -> EventResult:
    """The result of an act. Whatever a handler raises is its failure; only the end of the process passes through."""
    try:
        outcome = _outcome(act())
        data: dict[str, Any] = msgspec.json.decode(compact(dict(outcome.data)))
        matches = outcome.matches_recorded
        if matches is None:
            matches = matches_recorded(step.event, step.recorded, data)
    except Exception as error:
        text = str(error).strip() or type(error).__name__
        return _of(step, "failed", error=text[:_ERROR_CHARS_MAX])
    summary = {"summary": outcome.summary} if outcome.summary else {}
    return _of(step, "success", result={**summary, **data}, matches_recorded=matches)


def skipped(step: ReplayStep) -> EventResult:
    """The result of a step that no handler gets."""
    is_told = not step.detail or step.skip == "precondition_failed"
    return _of(step, "skipped", reason=step.reason, detail=UNSET if is_told else step.detail)


def _outcome(answer: object) -> Outcome:
    """What a handler gave back; one that says nothing has done its work all the same."""
    if answer is None:
        return Outcome()
    if isinstance(answer, Outcome):
        return answer
    if isinstance(answer, Mapping):
        return Outcome(data=answer)
    raise TypeError(f"the handler gave back a {type(answer).__name__}, not an Outcome")


def _of(step: ReplayStep, status: Status, **fields: Any) -> EventResult:
    return EventResult(
        event_id=step.event.event_id,
        status=status,
        sequence=step.event.version,
        event_type=step.event.fact.event_type,
        handler=step.handler or UNSET,
        warnings=step.warnings,
        **fields,
    )
