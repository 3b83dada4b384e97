"""PARCER_PROFILE.*.yaml: persona, audience, rules, context, execution and response of one actor.

Every dimension is handed to the agent with its task (`esaa dispatch-context`); `context.injects` decides what the
agent sees, and `required_headings` is enforced when a document is delivered.
"""

from __future__ import annotations

from typing import Any, Literal

from esaa.contracts.values import ContractFinding, ContractValue, ProtocolVersion

ContextSection = Literal[
    "task",
    "spec",
    "files",
    "dependencies",
    "lessons",
    "issues",
    "last_rejection",
    "boundary",
    "policy",
]


class Persona(ContractValue, frozen=True, kw_only=True):
    """Who the actor is, what it never is, how it works, and what it does when unsure."""

    role: str
    identity_constraints: tuple[str, ...]
    operating_mode: str
    failure_default: str


class Consumer(ContractValue, frozen=True, kw_only=True):
    """One reader of the output, and the precision that this reader needs."""

    who: str
    needs: str


class Audience(ContractValue, frozen=True, kw_only=True):
    """Who consumes the output."""

    consumers: tuple[Consumer, ...]


class Rules(ContractValue, frozen=True, kw_only=True):
    """Hard rules (a violation is rejected) and soft rules (good practice)."""

    hard: tuple[str, ...]
    soft: tuple[str, ...]


class Context(ContractValue, frozen=True, kw_only=True):
    """What the orchestrator puts before the agent, and what it never does."""

    injects: tuple[ContextSection, ...]
    never_injects: tuple[str, ...]


class Execution(ContractValue, frozen=True, kw_only=True):
    """The steps to take before anything is emitted."""

    steps: tuple[str, ...]


class InvalidExample(ContractValue, frozen=True, kw_only=True):
    """An output that is refused, and why."""

    output: Any  # any JSON value: the point of the example is that it is wrong
    why: str


class Response(ContractValue, frozen=True, kw_only=True):
    """The exact output format, with examples."""

    format: str
    valid_examples: tuple[dict[str, Any], ...]  # agent results as JSON objects
    invalid_examples: tuple[InvalidExample, ...]


class HotfixMode(ContractValue, frozen=True, kw_only=True):
    """What changes for the actor when the task is a hotfix."""

    activated_when: Literal["task.is_hotfix == true"]
    additional_constraints: tuple[str, ...]


class ParcerProfile(ContractValue, frozen=True, kw_only=True):
    """All six dimensions of one actor's profile.

    `required_headings` are the headings that every Markdown file delivered under docs/spec/ must have.
    """

    profile: str
    version: ProtocolVersion
    persona: Persona
    audience: Audience
    rules: Rules
    context: Context
    execution: Execution
    response: Response
    required_headings: tuple[str, ...] = ()
    hotfix_mode: HotfixMode | None = None
    approval_bar: str = ""

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        dimensions = {
            "persona.role": self.persona.role.strip(),
            "audience.consumers": self.audience.consumers,
            "rules.hard": self.rules.hard,
            "execution.steps": self.execution.steps,
            "response.format": self.response.format.strip(),
            "response.valid_examples": self.response.valid_examples,
        }
        for name, content in dimensions.items():
            if not content:
                raise ContractFinding(f"{name} must not be empty: a profile covers all six dimensions")
        for heading in self.required_headings:
            if not heading.startswith("#"):
                raise ContractFinding(f"required_headings: {heading!r} must begin with '#'")
        if "task" not in self.context.injects and self.profile != "orchestrator-runtime":
            raise ContractFinding("context.injects must contain 'task'")
