"""The tools that agents use: asked for, denied, completed, failed."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import Data, TrailFact
from esaa.trail.facts.values import Count, Seconds, Sha256
from esaa.trail.facts.wording import line, seconds, told


class ToolRequested(TrailFact, frozen=True, kw_only=True):
    """An agent asks to use a tool. Recorded by a hook of the agent, or by the adapter that runs it, before it runs.

    - `tool_name`: the tool, such as `Bash` or `mcp__github__create_issue`.
    - `tool_use_id`: the name of this one use; its result carries it too.
    - `task_id`: the task that the agent works on.
    - `arguments`: what the tool is called with, as far as it may be kept.
    - `arguments_sha256`: the digest of the arguments as they were sent.
    - `working_directory`: where the tool runs.
    - `reason`: what the agent wants it for.
    """

    tool_name: str
    tool_use_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    arguments: Data | UnsetType = UNSET
    arguments_sha256: Sha256 | UnsetType = UNSET
    working_directory: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{self.tool_name} is asked for" + told(": {}", self.reason))


class ToolDenied(TrailFact, frozen=True, kw_only=True):
    """A tool was refused to an agent; it did not run. Recorded by whoever refused it.

    - `tool_name`: the tool.
    - `tool_use_id`: the name of this one use.
    - `task_id`: the task that the agent works on.
    - `arguments`: what the tool was to be called with, as far as it may be kept.
    - `arguments_sha256`: the digest of the arguments as they were sent.
    - `reason`: why it was refused, in one sentence.
    - `rule`: the rule of the policy that refused it.
    - `denied_by`: who refused it: a policy, a hook, or a person.
    - `approval_id`: the approval that was asked for and not granted.
    """

    tool_name: str
    reason: str
    tool_use_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    arguments: Data | UnsetType = UNSET
    arguments_sha256: Sha256 | UnsetType = UNSET
    rule: str | UnsetType = UNSET
    denied_by: str | UnsetType = UNSET
    approval_id: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{self.tool_name} is denied" + told(": {}", self.reason) + told(" (rule {})", self.rule))


class ToolCompleted(TrailFact, frozen=True, kw_only=True):
    """A tool ran to its end. Recorded by a hook of the agent, or by the adapter that ran it.

    Never repeated by a replay: what a tool does outside is not known here.

    - `tool_name`: the tool.
    - `tool_use_id`: the name of this one use.
    - `task_id`: the task that the agent works on.
    - `arguments_sha256`: the digest of the arguments as they were sent.
    - `exit_code`: for a command, what it ended with.
    - `output_sha256`: the digest of what it gave back.
    - `output_size_bytes`: how much that was.
    - `files_changed`: the paths of the files that it changed.
    """

    tool_name: str
    tool_use_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    arguments_sha256: Sha256 | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    exit_code: int | UnsetType | None = UNSET
    output_sha256: Sha256 | UnsetType = UNSET
    output_size_bytes: Count | UnsetType = UNSET
    files_changed: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        took = told(" after {}", self.duration_seconds, seconds)
        return line(f"{self.tool_name} is done{took}{told(', exit code {}', self.exit_code)}")


class ToolFailed(TrailFact, frozen=True, kw_only=True):
    """A tool did not do what it was asked for. Recorded by a hook of the agent, or by the adapter that ran it.

    - `tool_name`: the tool.
    - `tool_use_id`: the name of this one use.
    - `task_id`: the task that the agent works on.
    - `arguments_sha256`: the digest of the arguments as they were sent.
    - `exit_code`: for a command, what it ended with.
    - `error_message`: what it reported.
    - `error_type`: the kind of error.
    - `output_sha256`: the digest of what it gave back nevertheless.
    - `timed_out`: true where it was ended because it took too long.
    """

    tool_name: str
    error_message: str
    tool_use_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    arguments_sha256: Sha256 | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    exit_code: int | UnsetType | None = UNSET
    error_type: str | UnsetType = UNSET
    output_sha256: Sha256 | UnsetType = UNSET
    timed_out: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        code = told(" with exit code {}", self.exit_code)
        return line(f"{self.tool_name} fails{code}" + told(": {}", self.error_message))
