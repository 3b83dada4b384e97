"""The specification's second projection: what each agent did, how long it took, and how well.

The specification's fields tell of an agent's last run, the further ones of all of its runs together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from esaa.trail.event import TrailEvent
from esaa.trail.facts.agents import AgentBlocked, AgentCompleted, AgentFailed, AgentSpawned
from esaa.trail.facts.base import TrailFact, agent_of
from esaa.trail.facts.files import FileDeleted, FileWritten
from esaa.trail.facts.gaps import GapIdentified, GapResolved
from esaa.trail.facts.git import CommitCreated
from esaa.trail.facts.sessions import PromptSubmitted, ResponseReceived, SessionEnded, SessionStarted
from esaa.trail.facts.tasks import OutputRejected, TaskClaimed, TaskCompleted, TaskDone
from esaa.trail.facts.tools import ToolCompleted, ToolDenied, ToolFailed
from esaa.trail.folds.reading import given


class AgentMetric(msgspec.Struct, kw_only=True):
    """One agent. The first six fields, and `failure_reason` once it failed, are the specification's.

    - `status`: `unspawned` is an agent that acted without a recorded start; the specification knows no such agent.
    - `runs`, `completions`, `failures`, `blocks`: how often it was spawned, completed, failed, was blocked.
    - `total_seconds`: of all its completed runs.
    - `tasks_claimed`, `tasks_delivered`, `tasks_done`, `rejected_outputs`: of its tasks in the governed run.
    - `files_written`: how many different files it wrote.
    - `prompts`, `tokens_in`, `tokens_out`, `cost_micro_usd`: of its model; a session's own sums count where none of
      its responses was recorded.
    - `tools_used`: how often each tool ran for it, also where it failed; `tools_denied`: how often one was refused.
    - `model`: the language model that was named last.
    """

    spawned_at: str | None = None
    completed_at: str | None = None
    duration_seconds: float | None = None
    status: Literal["active", "completed", "failed", "unspawned"] = "unspawned"
    outputs_created: list[str] = []
    quality_score: float | None = None
    failure_reason: str | UnsetType = UNSET
    runs: int = 0
    completions: int = 0
    failures: int = 0
    blocks: int = 0
    total_seconds: float = 0.0
    tasks_claimed: int = 0
    tasks_delivered: int = 0
    tasks_done: int = 0
    rejected_outputs: int = 0
    files_written: int = 0
    commits: int = 0
    gaps_identified: int = 0
    gaps_resolved: int = 0
    prompts: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_micro_usd: int = 0
    tools_used: dict[str, int] = {}
    tools_denied: int = 0
    model: str | None = None


Pairs = Iterable[tuple[TrailEvent, TrailFact]]

_OF_MODELS = (PromptSubmitted, ResponseReceived, SessionStarted, SessionEnded)
_OF_TASKS = (TaskClaimed, TaskCompleted, TaskDone, OutputRejected)
_OF_WORK = (CommitCreated, GapIdentified, GapResolved, ToolCompleted, ToolFailed, ToolDenied, FileWritten, FileDeleted)
_OF_AGENTS = (AgentSpawned, AgentCompleted, AgentFailed, AgentBlocked)
_COUNTED = (*_OF_AGENTS, *_OF_TASKS, *_OF_WORK, *_OF_MODELS)


def agent_metrics(pairs: Pairs) -> dict[str, AgentMetric]:
    """The metrics by agent, in the order in which the agents appear."""
    metrics: dict[str, AgentMetric] = {}
    paths: dict[str, set[str]] = {}
    answered: set[tuple[str, str]] = set()
    ended: dict[tuple[str, str], SessionEnded] = {}
    for event, fact in pairs:
        if not isinstance(fact, _COUNTED):
            continue
        agent = _agent(event, fact)
        if agent is None:
            continue
        metric = metrics.get(agent)
        if metric is None:
            metric = metrics[agent] = AgentMetric()
        match fact:
            case AgentSpawned() | AgentCompleted() | AgentFailed() | AgentBlocked():
                _lives(metric, event, fact)
            case TaskClaimed() | TaskCompleted() | TaskDone() | OutputRejected():
                _tasks(metric, fact)
            case FileWritten() | FileDeleted():
                changed = paths.setdefault(agent, set())
                changed.add(fact.path)
                metric.files_written = len(changed)
            case PromptSubmitted() | ResponseReceived() | SessionStarted() | SessionEnded():
                _uses_model(metric, fact)
                if isinstance(fact, ResponseReceived):
                    answered.add((agent, event.fact.session_id))
                elif isinstance(fact, SessionEnded):
                    ended[agent, event.fact.session_id] = fact
            case _:
                _works(metric, fact)
    for (agent, session_id), fact in ended.items():
        # Its sums hold the responses, which were counted one by one where they were recorded.
        if (agent, session_id) not in answered:
            _spends(metrics[agent], fact)
    return metrics


def _agent(event: TrailEvent, fact: TrailFact) -> str | None:
    """The agent that the fact names; else the actor, where it is an agent."""
    actor = event.fact.actor
    return agent_of(fact) or (actor.id if actor.type == "agent" else None)


def _lives(
    metric: AgentMetric, event: TrailEvent, fact: AgentSpawned | AgentCompleted | AgentFailed | AgentBlocked
) -> None:
    match fact:
        case AgentSpawned():
            metric.spawned_at = event.ts
            metric.completed_at = metric.duration_seconds = metric.quality_score = None
            metric.status = "active"
            metric.outputs_created = []
            metric.failure_reason = UNSET
            metric.runs += 1
            metric.model = given(fact.agent_model) or metric.model
        case AgentCompleted():
            metric.completed_at = event.ts
            metric.duration_seconds = given(fact.duration_seconds)
            metric.status = "completed"
            metric.outputs_created = list(fact.outputs_created)
            quality = given(fact.quality_metrics)
            metric.quality_score = None if quality is None else given(quality.maintainability_score)
            metric.completions += 1
            metric.total_seconds += given(fact.duration_seconds) or 0.0
        case AgentFailed():
            metric.status = "failed"
            metric.failure_reason = fact.failure_reason
            metric.failures += 1
        case AgentBlocked():
            metric.blocks += 1
        case _:
            assert_never(fact)


def _tasks(metric: AgentMetric, fact: TaskClaimed | TaskCompleted | TaskDone | OutputRejected) -> None:
    match fact:
        case TaskClaimed():
            metric.tasks_claimed += 1
        case TaskCompleted():
            metric.tasks_delivered += 1
        case TaskDone():
            metric.tasks_done += 1
        case OutputRejected():
            metric.rejected_outputs += given(fact.count) or 1
        case _:
            assert_never(fact)


def _works(metric: AgentMetric, fact: TrailFact) -> None:
    match fact:
        case CommitCreated():
            metric.commits += 1
        case GapIdentified():
            metric.gaps_identified += 1
        case GapResolved():
            metric.gaps_resolved += 1
        case ToolDenied():
            metric.tools_denied += 1
        case ToolCompleted() | ToolFailed():
            metric.tools_used[fact.tool_name] = metric.tools_used.get(fact.tool_name, 0) + 1
        case _:
            raise AssertionError(f"{type(fact).__name__} is counted, and nobody counts it")


def _uses_model(metric: AgentMetric, fact: PromptSubmitted | ResponseReceived | SessionStarted | SessionEnded) -> None:
    match fact:
        case PromptSubmitted():
            metric.prompts += 1
            metric.model = given(fact.model) or metric.model
        case SessionStarted():
            metric.model = given(fact.model) or metric.model
        case ResponseReceived():
            metric.model = given(fact.model) or metric.model
            _spends(metric, fact)
        case SessionEnded():
            pass  # its sums count at the end, where its responses are known
        case _:
            assert_never(fact)


def _spends(metric: AgentMetric, fact: ResponseReceived | SessionEnded) -> None:
    metric.tokens_in += given(fact.tokens_in) or 0
    metric.tokens_out += given(fact.tokens_out) or 0
    metric.cost_micro_usd += given(fact.cost_micro_usd) or 0
