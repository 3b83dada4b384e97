"""The loop of a governed run (the ten-step cycle): plan, dispatch, take what comes, one result at a time.

Several agents work at once; their results are serialised at the log. The loop holds no state of its own that matters:
killed at any point, the next run goes on from the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from esaa.agents.base import Agent
from esaa.errors import Halted, ProjectionMismatch, UsageError
from esaa.kernel.decider import Rejected
from esaa.kernel.times import parse_ts
from esaa.protocol.blocking import halting_issue
from esaa.protocol.commands import BindIssue, EndRun, RecordRepair, RecordTimeout, ReportDeadlock, StartRun, Submit
from esaa.protocol.facts import RunEnded, VerificationFailed
from esaa.protocol.intentions import AgentResult
from esaa.protocol.result import Refused, parse_result
from esaa.protocol.scheduling import Order, Plan, Waiting, plan
from esaa.runtime.asking import Asked, Asking
from esaa.runtime.operations.control import tail_of
from esaa.runtime.operations.gate import POLL_S, Gate, Held, OpenGate
from esaa.runtime.tree_watch import CHANGE, TreeWatch, Unaccounted, told
from esaa.runtime.workspace import Receipt, Workspace
from esaa.stores.control import Control

_STRANGE_MAX = 100
"""So many files that no event accounts for are recorded by name."""

Outcome = Literal["success", "failed", "halted", "paused", "waiting"]


class Observer(Protocol):
    """Is told what happens, as it happens."""

    def dispatched(self, order: Order) -> None:
        """An agent was asked."""

    def settled(self, order: Order, receipt: Receipt) -> None:
        """Its answer was accepted or refused."""

    def said(self, text: str) -> None:
        """Something else worth a line."""


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended: the outcome, what was done and refused in it, and what still waits."""

    outcome: Outcome
    run_id: str | None
    results: int
    rejections: tuple[tuple[Order, Rejected], ...]
    waiting: tuple[Waiting, ...]
    message: str


class Orchestrator:
    """Runs one workspace. `agent_of` gives the agent behind an actor, or None where a person answers; `gate` has the
    budgets, the approvals and a person's wishes (without one, nothing is limited and nobody is asked); `apart` are
    folders in which the run keeps what is no part of the project."""

    def __init__(
        self,
        workspace: Workspace,
        agent_of: Callable[[str], Agent | None],
        observer: Observer,
        gate: Gate | None = None,
        apart: tuple[Path, ...] = (),
    ) -> None:
        self._workspace = workspace
        self._agent_of = agent_of
        self._gate = gate or OpenGate()
        self._asking = Asking(workspace, agent_of, self._gate)
        self._watch = TreeWatch(workspace.root, workspace.disk)
        self._apart = apart
        self._observer = observer
        self._in_flight: dict[asyncio.Task[Asked], Order] = {}
        self._results = 0
        self._rejections: list[tuple[Order, Rejected]] = []

    async def run(
        self, *, run_id: str | None, parallel: int, steps: int | None, issue_key: str | None = None
    ) -> RunReport:
        """Runs until the project is done, no way leads on, a person must act, or `steps` results were taken.

        With `issue_key` the run is bound to an issue of the tracker, if it is not bound to it already.
        Raises `Halted` where an open critical issue or a person forbids to begin, and what the workspace and agents
        raise.
        """
        self._gate.enter()
        if not self._begin(run_id, issue_key):
            current = plan(self._workspace.state(), self._workspace.rules, self._workspace.now())
            return self._report("success", current, "all tasks were done before")
        self._gate.begin()
        state = self._workspace.state()
        unwatched = self._watch.begin(state.header.run.run_id, state.seq, self._apart)
        for remark in (*self._asking.begin(), *filter(None, [unwatched])):
            self._observer.said(remark)
        try:
            return await self._loop(parallel, steps)
        finally:
            await self._cancel()

    def _begin(self, run_id: str | None, issue_key: str | None) -> bool:
        """Opens the run, or goes on with the open one. False where a run has ended and nothing is left to do."""
        workspace = self._workspace
        with workspace.writing() as notices:
            for notice in notices:
                self._observer.said(notice)
            state = workspace.state()
            issue = halting_issue(state, workspace.rules)
            if issue is not None:
                raise Halted(
                    "PIPELINE_HALTED",
                    f"The {issue.severity} issue {issue.issue_id} halts the pipeline: {issue.title}",
                    f"Mend it, then run `esaa issue resolve {issue.issue_id}`.",
                )
            if not state.header.run.is_open:
                if state.header.run.count and plan(state, workspace.rules, workspace.now()).is_finished:
                    return False
                rejected = workspace.commit(StartRun(run_id=run_id, issue_key=issue_key)).rejected
                if rejected is not None:
                    raise UsageError(rejected.error_code, rejected.message, rejected.hint)
            elif run_id is not None and run_id != state.header.run.run_id:
                raise UsageError(
                    "RUN_CONFLICT",
                    f"The run {state.header.run.run_id} is open, so {run_id} cannot begin.",
                    f"Go on with it: `esaa run --run-id {state.header.run.run_id}`.",
                )
            elif issue_key is not None:
                workspace.commit(BindIssue(issue_key=issue_key))
        return True

    async def _loop(self, parallel: int, steps: int | None) -> RunReport:
        workspace = self._workspace
        while True:
            now = workspace.now()
            flying = [order.task_id for order in self._in_flight.values()]
            current = plan(workspace.state(), workspace.rules, now, flying)
            control = self._gate.control()
            if control.wish == "kill":
                return await self._ended(current, control)
            served = [order for order in current.orders if self._agent_of(order.actor) is not None]
            held = [order for order in served if self._gate.hold(order) is not None]
            orders = [order for order in served if order not in held] if control.wish == "run" else []
            room = parallel - len(self._in_flight)
            if steps is not None:
                room = min(room, steps - self._results - len(self._in_flight))
            for order in orders[: max(room, 0)]:
                self._dispatch(order)
            if not self._in_flight:
                if control.wish == "stop":
                    return self._report("paused", current, f"stopped{tail_of(control)}")
                if control.wish == "pause":
                    await self._rest(None, control)
                    continue
                if steps is not None and self._results >= steps:
                    return self._report("paused", current, f"stopped after {self._results} results, as asked")
                ended = await self._idle(current)
                if ended is not None:
                    return ended
                continue
            # Whose cooldown ends meanwhile is not kept waiting for those who are at work.
            free_s = None if room <= len(orders) else self._seconds_until_free(current)
            done = await self._next_done(free_s, control, held)
            for task in sorted(done, key=lambda one: self._in_flight[one].task_id):
                order = self._in_flight.pop(task)
                receipt = self._take(order, task.result())
                if receipt is None:
                    continue
                self._results += 1
                halted = next((one.fact for one in receipt.events if isinstance(one.fact, RunEnded)), None)
                if halted is not None:
                    message = str(halted.message)
                    return self._report("halted", current, message)

    def _dispatch(self, order: Order) -> None:
        self._observer.dispatched(order)
        task = asyncio.ensure_future(self._answer(order))
        self._in_flight[task] = order

    async def _answer(self, order: Order) -> Asked:
        """What the agent answered, and how the commands ended that its checks name."""
        asked = await self._asking.ask(order)
        if not isinstance(asked.outcome, bytes) or not self._workspace.rules.agent.executable_checks.commands:
            return asked
        from esaa.runtime.check_runs import checked  # here: most projects have no commands

        command = await checked(self._workspace, self._submission(order, asked, asked.outcome))
        return msgspec.structs.replace(asked, check_runs=command.check_runs)

    def _submission(self, order: Order, asked: Asked, result: bytes) -> Submit:
        return Submit(
            actor=order.actor,
            result=parse_result(result, self._workspace.rules),
            asked_task_id=order.task_id,
            provenance=asked.provenance,
            based_on=asked.based_on,
            received_at=asked.received_at,
            check_runs=asked.check_runs,
        )

    def _take(self, order: Order, asked: Asked) -> Receipt | None:
        """Puts what came to the rules. None where it is held, and nothing came of it yet."""
        workspace = self._workspace
        outcome: Rejected | Held | RecordTimeout | Submit
        answer = asked.outcome
        outcome = self._judged(order, asked, answer) if isinstance(answer, bytes) else answer
        if isinstance(outcome, Held):
            self._asking.hold(order, asked)
            self._observer.settled(order, Receipt(events=(), notices=(outcome.reason,)))
            return None
        if isinstance(outcome, Rejected):
            outcome = _failure(order, asked, outcome)
        receipt = workspace.commit(outcome)
        self._asking.settled(asked)
        if receipt.rejected is not None:
            self._rejections.append((order, receipt.rejected))
        self._observer.settled(order, receipt)
        return receipt

    def _judged(self, order: Order, asked: Asked, answer: bytes) -> Submit | Rejected | Held:
        """The answer as it is put to the rules, unless a person has to allow it first, or has refused it."""
        workspace = self._workspace
        command = self._submission(order, asked, answer)
        if not isinstance(command.result, AgentResult):
            return command
        judged = self._gate.judge(
            order, asked.usage, command.result, lambda: workspace.commit(command, dry_run=True).rejected is None
        )
        return command if judged is None else judged

    async def _next_done(self, free_s: float | None, control: Control, held: list[Order]) -> set[asyncio.Task[Asked]]:
        """Waits until an answer is there, a task is free, or a person has spoken; the answers that are there."""
        left = free_s
        while True:
            step = POLL_S if left is None else min(POLL_S, left)
            done, _ = await asyncio.wait(self._in_flight, timeout=step, return_when=asyncio.FIRST_COMPLETED)
            left = None if left is None else left - step
            is_free = left is not None and left <= 0
            if done or is_free or self._gate.control() != control or any(self._gate.hold(one) is None for one in held):
                return done

    async def _rest(self, seconds: float | None, control: Control) -> None:
        """Waits so long (None: without end), unless a person wishes something else meanwhile."""
        if seconds is None:
            self._observer.said(f"paused{tail_of(control)}; `esaa resume` lets the run go on")
        left = seconds
        while (left is None or left > 0) and self._gate.control() == control:
            step = POLL_S if left is None else min(POLL_S, left)
            await self._workspace.clock.sleep(step)
            left = None if left is None else left - step

    async def _ended(self, current: Plan, control: Control) -> RunReport:
        """A person ended the run at once: its agents are ended with all their processes, and named in the trail."""
        orders = list(self._in_flight.values())
        await self._cancel()
        self._gate.ended(orders, control)
        return self._report("paused", current, f"ended{tail_of(control)}")

    async def _cancel(self) -> None:
        tasks = list(self._in_flight)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._in_flight.clear()

    async def _idle(self, current: Plan) -> RunReport | None:
        """Nothing is in flight and nothing can be dispatched: the end, or a pause."""
        workspace = self._workspace
        if current.is_finished:
            return self._end("success", current, "all tasks are done")
        seconds = self._seconds_until_free(current)
        if seconds is not None:
            self._observer.said(f"waiting {seconds:.0f} s for the cooldown")
            await self._rest(seconds, self._gate.control())
            return None
        held = [one for one in map(self._gate.hold, current.orders) if one is not None]
        if held:
            reasons = tuple(f"{one.task_id}: {one.reason}" for one in held)
            return self._report("waiting", current, "; ".join(reasons))
        if current.orders:
            actors = sorted({order.actor for order in current.orders})
            tasks = ", ".join(order.task_id for order in current.orders[:5])
            return self._report("waiting", current, f"{', '.join(actors)} must act on {tasks} (adapter: manual)")
        if current.deadlocked:
            ids = tuple(one.task_id for one in current.deadlocked)
            reasons = tuple(f"{one.task_id} {one.reason}" for one in current.deadlocked)
            workspace.commit(ReportDeadlock(task_ids=ids, reasons=reasons))
            return self._end("failed", current, f"deadlock: {'; '.join(reasons)}")
        if not current.waiting:
            return self._report("waiting", current, "there is no task yet; create one with `esaa task create`")
        reasons = tuple(f"{one.task_id} {one.reason}" for one in current.waiting)
        return self._end("failed", current, "; ".join(reasons))

    def _seconds_until_free(self, current: Plan) -> float | None:
        """Until the first task that only waits for a time may go on; None where none does."""
        times = [one.until for one in current.waiting if one.until is not None]
        if not times:
            return None
        return max((parse_ts(min(times)) - self._workspace.clock.now()).total_seconds(), 0.01)

    def _end(self, status: Literal["success", "failed"], current: Plan, message: str) -> RunReport:
        workspace = self._workspace
        strange = self._tell_strange_writes()
        if strange:
            detail = {"files": [one.path for one in strange[:_STRANGE_MAX]], "count": len(strange)}
            workspace.commit(RecordRepair(target="files", change=CHANGE, detail=detail))
        # A mismatch is recorded and projected again; only when that does not help, the run halts.
        for _ in range(2):
            header = workspace.state().header
            if header.verify_status == "ok" and header.events_since_verified == 0:
                break  # the last result was verified, and nothing has changed since
            receipt = workspace.verify_now()
            if not any(isinstance(one.fact, VerificationFailed) for one in receipt.events):
                break
            self._observer.said("the read model differed from the projection; projected again")
        else:
            workspace.commit(EndRun(status="halted", message="the read model cannot be brought to the projection"))
            raise ProjectionMismatch(
                "VERIFY_NOT_OK",
                "roadmap.json differs from the projection even after it was written again.",
                "Run `esaa verify --explain` and look for another program that writes it.",
            )
        workspace.commit(EndRun(status=status, message=message) if status != "success" else EndRun(status=status))
        self._watch.end(strange)
        return self._report(status, current, message)

    def _tell_strange_writes(self) -> tuple[Unaccounted, ...]:
        """The files of the project that changed in this run without an event; nothing is taken back."""
        since = self._watch.since()
        found = () if since is None else self._watch.unaccounted(self._workspace.events(since + 1))
        if found:
            self._observer.said(f"no event accounts for the change of {told(found)}")
        return found

    def _report(self, outcome: Outcome, current: Plan, message: str) -> RunReport:
        if outcome not in ("success", "failed"):  # at a true end it was told, and recorded, before
            self._tell_strange_writes()
        return RunReport(
            outcome=outcome,
            run_id=self._workspace.state().header.run.run_id,
            results=self._results,
            rejections=tuple(self._rejections),
            waiting=current.waiting,
            message=message,
        )


def _failure(order: Order, asked: Asked, rejected: Rejected) -> RecordTimeout | Submit:
    """What is recorded of an order that nobody answered."""
    if rejected.error_code == "ATTEMPT_TIMEOUT":
        return RecordTimeout(
            actor=order.actor,
            task_id=order.task_id,
            source_action=order.action,
            message=rejected.message,
            provenance=asked.provenance,
        )
    refused = Refused(rejected=rejected, task_id=order.task_id, source_action=order.action, result_sha256="")
    return Submit(actor=order.actor, result=refused, asked_task_id=order.task_id, provenance=asked.provenance)
