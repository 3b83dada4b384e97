"""Errors, and what is tried to recover from them."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import Data, TrailFact
from esaa.trail.facts.values import Number, Seconds
from esaa.trail.facts.wording import line, seconds, told


class ErrorOccurred(TrailFact, frozen=True, kw_only=True):
    """Something went wrong that is not the failure of an agent, a phase or a test. Recorded by whoever noticed it.

    - `error_type`: its kind, such as `integration_failure`.
    - `error_code`: the precise code, such as `JIRA_API_TIMEOUT`.
    - `error_message`: what went wrong, as it was printed.
    - `error_context`: the values behind it.
    - `recoverable`: true where trying again, or something else, can help.
    - `recovery_strategy`: what is done about it, such as `exponential_backoff`.
    """

    error_type: str
    error_message: str
    error_code: str | UnsetType = UNSET
    error_context: Data | UnsetType = UNSET
    recoverable: bool | UnsetType = UNSET
    recovery_strategy: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        code = told(" {}", self.error_code)
        return line(f"error: {self.error_type.replace('_', ' ')}{code}" + told(": {}", self.error_message))


class RecoveryAttempted(TrailFact, frozen=True, kw_only=True):
    """Something is tried to recover from an error. Recorded by the orchestrator.

    - `recovery_from`: the id of the event that told of the error.
    - `recovery_strategy`: what is tried, such as `retry_with_backoff`.
    - `attempt_number`: which attempt it is, from 1.
    - `max_attempts`: how many there may be.
    - `backoff_seconds`: how long was waited before it.
    """

    recovery_from: str
    recovery_strategy: str | UnsetType = UNSET
    attempt_number: Number | UnsetType = UNSET
    max_attempts: Number | UnsetType = UNSET
    backoff_seconds: Seconds | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        number = told(" {}", self.attempt_number) + told(" of {}", self.max_attempts)
        how = told(": {}", self.recovery_strategy, lambda name: name.replace("_", " "))
        return line(f"recovery attempt{number} for {self.recovery_from}{how}")


class RecoverySucceeded(TrailFact, frozen=True, kw_only=True):
    """An error is overcome. Recorded by the orchestrator.

    - `recovery_from`: the id of the event that told of the error.
    - `recovery_attempt`: the attempt that helped, from 1.
    - `recovery_duration_seconds`: how long it took from the error on.
    - `state_restored`: true where the state is as before the error.
    - `can_continue`: true where the work goes on.
    """

    recovery_from: str
    recovery_attempt: Number | UnsetType = UNSET
    recovery_duration_seconds: Seconds | UnsetType = UNSET
    state_restored: bool | UnsetType = UNSET
    can_continue: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        took = told(" after {}", self.recovery_duration_seconds, seconds)
        return line(f"recovered from {self.recovery_from}{took}{told(' with attempt {}', self.recovery_attempt)}")


class RecoveryFailed(TrailFact, frozen=True, kw_only=True):
    """An error could not be overcome. Recorded by the orchestrator.

    - `recovery_from`: the id of the event that told of the error.
    - `all_attempts_exhausted`: true where nothing is left to try.
    - `final_error`: what the last attempt reported.
    - `escalation_required`: true where a person has to act.
    - `rollback_initiated`: true where the work goes back to a restore point.
    """

    recovery_from: str
    all_attempts_exhausted: bool | UnsetType = UNSET
    final_error: str | UnsetType = UNSET
    escalation_required: bool | UnsetType = UNSET
    rollback_initiated: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"no recovery from {self.recovery_from}" + told(": {}", self.final_error))
