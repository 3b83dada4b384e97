"""Asks the agent behind an order, once: its context and prompt, its time, and a durable copy of what it answered.

An answer is on disk before it is judged. A run that is killed in between finds it there and asks nobody twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from esaa.agents.base import Agent, Answer, Dispatch, Usage, is_repeatable, takes_prompt
from esaa.errors import AgentCrashed, AgentError, AgentFailed, AgentTimedOut
from esaa.kernel.decider import Rejected
from esaa.kernel.times import parse_ts
from esaa.protocol.checks import CheckRun
from esaa.protocol.prompts import question_sha256
from esaa.protocol.provenance import provenance_of
from esaa.protocol.rejections import reject
from esaa.protocol.scheduling import Order, order_for
from esaa.runtime.briefing import brief, dispatch_of
from esaa.runtime.operations.gate import Estimate, Gate, Held, OpenGate
from esaa.runtime.workspace import Workspace
from esaa.stores.answers import KeptAnswer

_TIDYING_S = 30.0
"""What an adapter has, after its time limit, to end what it began; then it is cancelled."""

_REMARKS_MAX = 20
_REMARK_CHARS_MAX = 500
_CHARS_PER_TOKEN = 3
"""Fewer than any tokeniser in use needs on average, so that enough is set aside."""
_NOT_ASKED = Usage(tokens_in=0, tokens_out=0, cost_micro_usd=0)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking: the bytes of a result, or why there is none (`Held`: nobody was asked).

    `usage` says what it cost, `provenance` what is recorded of it. `based_on` is the event up to which the agent had
    seen the project, `received_at` the log's time at which the answer came; `is_kept` is True where an earlier run was
    given it and was killed before it was judged. `check_runs`: how the commands ended that its checks name.
    """

    question_sha256: str
    outcome: bytes | Rejected | Held
    usage: Usage = Usage()
    provenance: dict[str, Any] | None = None
    based_on: int | None = None
    received_at: str | None = None
    is_kept: bool = False
    check_runs: tuple[CheckRun, ...] | None = None


class Asking:
    """Asks for one workspace. `agent_of` gives the agent behind an actor; `gate` says what may be spent."""

    def __init__(self, workspace: Workspace, agent_of: Callable[[str], Agent | None], gate: Gate | None = None) -> None:
        self._workspace = workspace
        self._agent_of = agent_of
        self._gate = gate or OpenGate()
        self._settled: set[str] = set()

    def begin(self) -> list[str]:
        """Throws away the kept answers to questions that nobody asks any more; returns a remark on each."""
        state, rules, answers = self._workspace.state(), self._workspace.rules, self._workspace.answers
        remarks: list[str] = []
        for kept in answers.all():
            task = state.task(kept.task_id)
            order = None if task is None else order_for(task, state, rules)
            if task is None or order is None or question_sha256(order, task) != kept.question_sha256:
                remarks.append(f"an answer about {kept.task_id} that was never judged is out of date, and was dropped")
                answers.drop(kept.question_sha256)
        return remarks

    async def ask(self, order: Order) -> Asked:
        """The answer to an order, from an earlier run where one was kept. Raises `AgentError` and `StoreError`."""
        workspace = self._workspace
        agent = self._agent_of(order.actor)
        assert agent is not None, "only orders with an agent are dispatched"
        question = self._question(order)
        kept = None if question in self._settled else workspace.answers.find(question)
        if kept is not None:
            return Asked(
                question_sha256=question,
                outcome=kept.result,
                usage=kept.usage,
                provenance=kept.provenance,
                based_on=kept.based_on,
                received_at=kept.received_at,
                is_kept=True,
            )
        timeout_s = self._time_left_s(order)
        if timeout_s <= 0:
            message = f"The attempt on {order.task_id} ended at {order.deadline}."
            rejected = reject("ATTEMPT_TIMEOUT", message, "Its owner is asked again.")
            return Asked(question_sha256=question, outcome=rejected)
        based_on = workspace.state().seq
        if takes_prompt(agent):
            dispatch = dispatch_of(workspace, order, timeout_s)
        else:
            dispatch = Dispatch(order=order, context=brief(workspace, order), timeout_s=timeout_s)
        held = self._gate.before(order, self._estimate(dispatch))
        if held is not None:
            return Asked(question_sha256=question, outcome=held)
        dispatch = msgspec.structs.replace(dispatch, timeout_s=self._gate.timeout_s(order, timeout_s))
        began = workspace.clock.now()
        try:
            outcome, usage = await _answer(agent, dispatch)
        except AgentError:
            self._gate.after(order, _NOT_ASKED, 0)
            raise
        except asyncio.CancelledError:
            self._gate.after(order, None, (workspace.clock.now() - began).total_seconds())
            raise
        seconds = max((workspace.clock.now() - began).total_seconds(), 0)
        provenance = provenance_of(usage, dispatch.prompt)
        if isinstance(outcome, Rejected):
            self._gate.after(order, usage, seconds)
            return Asked(question_sha256=question, outcome=outcome, usage=usage, provenance=provenance)
        received_at = workspace.now()
        asked = Asked(
            question_sha256=question,
            outcome=outcome,
            usage=usage,
            provenance=provenance,
            based_on=based_on,
            received_at=received_at,
        )
        if not is_repeatable(agent):
            self._keep(order, asked, outcome)
        self._gate.after(order, usage, seconds, outcome)
        return asked

    def hold(self, order: Order, asked: Asked) -> None:
        """The answer waits for a person, who wants to see it: it is kept, also where the agent could be asked again."""
        if isinstance(asked.outcome, bytes) and self._workspace.answers.find(asked.question_sha256) is None:
            self._keep(order, asked, asked.outcome)

    def settled(self, asked: Asked) -> None:
        """What was answered is judged, and in the log; it is never taken from the disk again."""
        self._settled.add(asked.question_sha256)
        self._workspace.answers.drop(asked.question_sha256)

    def _keep(self, order: Order, asked: Asked, result: bytes) -> None:
        self._workspace.answers.keep(
            KeptAnswer(
                question_sha256=asked.question_sha256,
                task_id=order.task_id,
                received_at=asked.received_at or self._workspace.now(),
                based_on=self._workspace.state().seq if asked.based_on is None else asked.based_on,
                usage=asked.usage,
                provenance=asked.provenance,
                result=result,
            )
        )

    def _estimate(self, dispatch: Dispatch) -> Estimate:
        """What the call may take. An agent that needs no prompt is no model, and takes no tokens that are known."""
        actor = self._workspace.rules.swarm.actors.get(dispatch.order.actor)
        prompt, limits = dispatch.prompt, None if actor is None else actor.limits
        seconds = dispatch.timeout_s
        if limits is not None and limits.timeout_s is not None:
            seconds = min(seconds, limits.timeout_s)
        if prompt is None:
            return Estimate(seconds=seconds)
        return Estimate(
            seconds=seconds,
            tokens_in=-(-len(prompt.system + prompt.user) // _CHARS_PER_TOKEN),
            tokens_out=None if limits is None else limits.tokens_out_max,
            model=None if actor is None else actor.model,
        )

    def _question(self, order: Order) -> str:
        task = self._workspace.state().task(order.task_id)
        assert task is not None, "an order is about a task of the state"
        return question_sha256(order, task)

    def _time_left_s(self, order: Order) -> float:
        workspace = self._workspace
        whole_s = workspace.rules.runtime.attempts.ttl.total_seconds()
        if order.deadline is None:
            return whole_s
        # A clock that was set back gives no attempt more time than one has.
        return min(whole_s, (parse_ts(order.deadline) - workspace.clock.now()).total_seconds())


def _with_remarks(answer: Answer) -> Usage:
    # An agent names the files in them; they are for a reader, not a second channel for contents.
    remarks = tuple(remark[:_REMARK_CHARS_MAX] for remark in answer.remarks[:_REMARKS_MAX])
    return msgspec.structs.replace(answer.usage, remarks=remarks) if remarks else answer.usage


async def _answer(agent: Agent, dispatch: Dispatch) -> tuple[bytes | Rejected, Usage]:
    """What the agent said, or why it said nothing; and what that cost."""
    order, timeout_s = dispatch.order, dispatch.timeout_s
    try:
        async with asyncio.timeout(timeout_s + _TIDYING_S):
            answer = await agent.answer(dispatch)
            return answer.result, _with_remarks(answer)
    except TimeoutError:
        message = f"The agent of {order.actor} kept no time limit: it gave no answer within {timeout_s:.0f} s."
        return reject("ATTEMPT_TIMEOUT", message, "It was cancelled; the task stays with its owner."), Usage()
    except AgentTimedOut as error:
        return reject("ATTEMPT_TIMEOUT", error.message, error.hint), _usage_of(error)
    except AgentCrashed as error:
        code = "RESOURCE_LIMIT_EXCEEDED" if error.code == "OUTPUT_TOO_LARGE" else "AGENT_FAILED"
        return reject(code, error.message, error.hint), _usage_of(error)


def _usage_of(error: AgentFailed) -> Usage:
    return error.usage if isinstance(error.usage, Usage) else Usage()
