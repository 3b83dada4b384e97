"""Every exception of the package, on one page. Refusals of an agent's output are values, not exceptions.

The class says who has to act; `exit_code` is what the command line ends with (DESIGN section 8).
"""

from __future__ import annotations


class EsaaError(Exception):
    """A broken world: what happened, where, and what to do about it.

    `code` is stable and machine readable; `message` says what and where; `hint` says what to do next;
    `context` holds the values behind the message, for `--json`.
    """

    exit_code = 70

    def __init__(self, code: str, message: str, hint: str = "", **context: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.context = context

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UsageError(EsaaError):
    """The user asked for something that cannot be; nothing was done."""

    exit_code = 2


class NotFound(EsaaError):
    """The task, event, issue, file or workspace that was named does not exist."""

    exit_code = 7


class EventRefused(EsaaError):
    """The quality gates refuse an event of the trail; nothing was recorded. `context["findings"]` has all of them."""

    exit_code = 5


class ConfigError(EsaaError):
    """A setting of this machine or user is wrong."""

    exit_code = 8


class ContractError(EsaaError):
    """A contract of the project is missing, malformed, or asks for what cannot be enforced."""

    exit_code = 8


class StoreError(EsaaError):
    """The storage below failed: full disk, read-only directory, I/O error."""

    exit_code = 10


class WrongExpectedVersion(StoreError):
    """Another writer appended first. `expected` and `actual` are stream versions."""

    exit_code = 6

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            "WRONG_EXPECTED_VERSION",
            f"The log is at event {actual}, not at {expected}.",
            "Read the new events and decide again.",
            expected=expected,
            actual=actual,
        )
        self.expected = expected
        self.actual = actual


class CommandConflict(StoreError):
    """A command id was used before for a different command."""

    exit_code = 6


class MergeConflict(StoreError):
    """Two histories contradict each other and cannot be joined; nothing was changed."""

    exit_code = 6


class StoreLocked(StoreError):
    """Another process holds the writer's lock."""

    exit_code = 6


class CorruptLog(StoreError):
    """The log is damaged somewhere else than in an unacknowledged tail. `line` is the first bad line."""

    exit_code = 4

    def __init__(self, code: str, message: str, hint: str, line: int) -> None:
        super().__init__(code, message, hint, line=line)
        self.line = line


class ProjectionMismatch(StoreError):
    """A read model differs from the projection and could not be rebuilt."""

    exit_code = 3


class AgentError(EsaaError):
    """An agent could not be asked at all (as opposed to: it answered badly)."""

    exit_code = 9


class AgentUnavailable(AgentError):
    """The agent is not installed, too old, not logged in or without a key. The run stops, and nothing is lost."""


class AgentFailed(AgentError):
    """The agent was asked and gave no answer; that costs an attempt.

    `usage` is what the failed call used anyway (an `esaa.agents.base.Usage`), where the agent said so.
    """

    def __init__(self, code: str, message: str, hint: str = "", *, usage: object = None, **context: object) -> None:
        super().__init__(code, message, hint, **context)
        self.usage = usage


class AgentTimedOut(AgentFailed):
    """The agent gave no answer within its time limit."""


class AgentCrashed(AgentFailed):
    """The agent ended without an answer."""


class IntegrationError(EsaaError):
    """Another system failed, could not be reached, or answered what cannot be believed."""

    exit_code = 9


class Halted(EsaaError):
    """The pipeline stands still until a person acts (a critical issue, a failed verification)."""

    exit_code = 1
