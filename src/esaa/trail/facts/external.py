"""What crosses the border of the project: calls to other systems, notifications, events from elsewhere."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from esaa.trail.facts.base import Json, TrailFact
from esaa.trail.facts.values import Count, Number, Seconds, Severity, Sha256
from esaa.trail.facts.wording import line, listed, seconds, told

HttpStatus = Annotated[int, Meta(ge=100, le=599)]
"""The status code of a response over HTTP."""


class ExternalCallStarted(TrailFact, frozen=True, kw_only=True):
    """Another system is about to be called. Recorded by the integration that calls it, before it does.

    Never repeated by a replay: only the integration knows whether its system drops a second call.

    - `system`: the other system, such as `jira` or `github`.
    - `operation`: what is asked of it, such as `create_issue`.
    - `call_id`: the call's name; its result carries it too.
    - `target`: what the call is about, such as a path or an id.
    - `idempotency_key`: what the other system tells a repeated call by.
    - `attempt`: which attempt it is, from 1.
    - `request_sha256`: the digest of what is sent.
    - `task_id`: the task that it is made for.
    """

    system: str
    operation: str
    call_id: str | UnsetType = UNSET
    target: str | UnsetType = UNSET
    idempotency_key: str | UnsetType = UNSET
    attempt: Number | UnsetType = UNSET
    request_sha256: Sha256 | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        again = f" (attempt {self.attempt})" if isinstance(self.attempt, int) and self.attempt > 1 else ""
        return line(f"{self.system} is called: {self.operation}{told(' {}', self.target)}{again}")


class ExternalCallCompleted(TrailFact, frozen=True, kw_only=True):
    """Another system did what it was asked for. Recorded by the integration that called it.

    - `system`: the other system.
    - `operation`: what was asked of it.
    - `call_id`: the call.
    - `target`: what the call was about.
    - `idempotency_key`: what the other system tells a repeated call by.
    - `attempt`: which attempt it was, from 1.
    - `http_status`: the status of the response.
    - `response_sha256`: the digest of what came back.
    - `response_size_bytes`: how much that was.
    - `result_id`: what the other system calls the thing that it made or changed.
    - `task_id`: the task that it was made for.
    """

    system: str
    operation: str
    call_id: str | UnsetType = UNSET
    target: str | UnsetType = UNSET
    idempotency_key: str | UnsetType = UNSET
    attempt: Number | UnsetType = UNSET
    http_status: HttpStatus | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    response_sha256: Sha256 | UnsetType = UNSET
    response_size_bytes: Count | UnsetType = UNSET
    result_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        took = told(" after {}", self.duration_seconds, seconds)
        status = told(" ({})", self.http_status)
        return line(f"{self.system} answers{took}{status}: {self.operation}{told(' {}', self.target)}")


class ExternalCallFailed(TrailFact, frozen=True, kw_only=True):
    """Another system did not do what it was asked for, or did not answer. Recorded by the integration that called it.

    - `system`: the other system.
    - `operation`: what was asked of it.
    - `error_message`: what went wrong, as it was reported.
    - `error_code`: the precise code.
    - `call_id`: the call.
    - `target`: what the call was about.
    - `idempotency_key`: what the other system tells a repeated call by.
    - `attempt`: which attempt it was, from 1.
    - `http_status`: the status of the response, where there was one.
    - `retry_scheduled`: true where it is tried again.
    - `retry_delay_seconds`: how long after this.
    - `task_id`: the task that it was made for.
    """

    system: str
    operation: str
    error_message: str
    error_code: str | UnsetType = UNSET
    call_id: str | UnsetType = UNSET
    target: str | UnsetType = UNSET
    idempotency_key: str | UnsetType = UNSET
    attempt: Number | UnsetType = UNSET
    http_status: HttpStatus | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    retry_scheduled: bool | UnsetType = UNSET
    retry_delay_seconds: Seconds | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        status = told(" ({})", self.http_status)
        return line(f"{self.system} fails at {self.operation}{status}" + told(": {}", self.error_message))


class NotificationSent(TrailFact, frozen=True, kw_only=True):
    """People were told something. Recorded by the integration that sent it.

    Sending it again is safe where the channel drops a second message with the same event id.

    - `channel`: the way it went, such as `slack`, `email` or `webhook`.
    - `subject`: what they were told, in one line.
    - `body`: the whole text.
    - `recipients`: who was told: persons, rooms or addresses.
    - `severity`: how urgent it is.
    - `notification_id`: the channel's name of the message.
    - `about_event_id`: the event that it tells of.
    """

    is_repeatable: ClassVar[bool] = True

    channel: str
    subject: str
    body: str | UnsetType = UNSET
    recipients: tuple[str, ...] | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    notification_id: str | UnsetType = UNSET
    about_event_id: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        to = told(" to {}", self.recipients or None, listed)
        return line(f"notification by {self.channel}{to}" + told(": {}", self.subject))


class ForeignEventObserved(TrailFact, frozen=True, kw_only=True):
    """Something happened elsewhere that has no type here. Recorded by whoever imports or relays it.

    - `system`: where it happened.
    - `name`: what it is called there.
    - `payload`: what it said, as it was sent.
    - `foreign_id`: its id there.
    - `url`: where it can be looked up.
    """

    system: str
    name: str
    payload: Json = UNSET
    foreign_id: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{self.system}: {self.name}{told(' {}', self.foreign_id)}")
