"""The loop of a governed run (the ten-step cycle): plan, dispatch, take what comes, one result at a time.

Several agents work at once; their results are serialised at the log. The loop holds no state of its own that matters:
killed at any point, the next run goes on from the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from esaa.agents.base import Agent
from esaa.errors import Halted, ProjectionMismatch, UsageError
from esaa.kernel.decider import Rejected
from esaa.protocol.attempts import parse_ts
from esaa.protocol.blocking import halting_issue
from esaa.protocol.commands import BindIssue, EndRun, RecordTimeout, ReportDeadlock, StartRun, Submit
from esaa.protocol.facts import RunEnded, VerificationFailed
from esaa.protocol.result import Refused, parse_result
from esaa.protocol.scheduling import Order, Plan, Waiting, plan
from esaa.runtime.asking import Asked, Asking
from esaa.runtime.workspace import Receipt, Workspace

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
    """Runs one workspace. `agent_of` gives the agent behind an actor, or None where a person answers."""

    def __init__(self, workspace: Workspace, agent_of: Callable[[str], Agent | None], observer: Observer) -> None:
        self._workspace = workspace
        self._agent_of = agent_of
        self._asking = Asking(workspace, agent_of)
        self._observer = observer
        self._in_flight: dict[asyncio.Task[Asked], Order] = {}
        self._results = 0
        self._rejections: list[tuple[Order, Rejected]] = []

    async def run(
        self, *, run_id: str | None, parallel: int, steps: int | None, issue_key: str | None = None
    ) -> RunReport:
        """Runs until the project is done, no way leads on, a person must act, or `steps` results were taken.

        With `issue_key` the run is bound to an issue of the tracker, if it is not bound to it already.
        Raises `Halted` where an open critical issue forbids to begin, and what the workspace and agents raise.
        """
        if not self._begin(run_id, issue_key):
            current = plan(self._workspace.state(), self._workspace.rules, self._workspace.now())
            return self._report("success", current, "all tasks were done before")
        for remark in self._asking.begin():
            self._observer.said(remark)
        try:
            return await self._loop(parallel, steps)
        finally:
            for task in self._in_flight:
                task.cancel()
            await asyncio.gather(*self._in_flight, return_exceptions=True)

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
            orders = [order for order in current.orders if self._agent_of(order.actor) is not None]
            room = parallel - len(self._in_flight)
            if steps is not None:
                room = min(room, steps - self._results - len(self._in_flight))
            for order in orders[: max(room, 0)]:
                self._dispatch(order)
            if not self._in_flight:
                if steps is not None and self._results >= steps:
                    return self._report("paused", current, f"stopped after {self._results} results, as asked")
                ended = await self._idle(current)
                if ended is not None:
                    return ended
                continue
            # Whose cooldown ends meanwhile is not kept waiting for those who are at work.
            free_s = None if room <= len(orders) else self._seconds_until_free(current)
            done, _ = await asyncio.wait(self._in_flight, timeout=free_s, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=lambda one: self._in_flight[one].task_id):
                order = self._in_flight.pop(task)
                receipt = self._take(order, task.result())
                self._results += 1
                halted = next((one.fact for one in receipt.events if isinstance(one.fact, RunEnded)), None)
                if halted is not None:
                    message = str(halted.message)
                    return self._report("halted", current, message)

    def _dispatch(self, order: Order) -> None:
        self._observer.dispatched(order)
        task = asyncio.ensure_future(self._asking.ask(order))
        self._in_flight[task] = order

    def _take(self, order: Order, asked: Asked) -> Receipt:
        workspace = self._workspace
        if isinstance(asked.outcome, Rejected):
            receipt = workspace.commit(_failure(order, asked, asked.outcome))
        else:
            command = Submit(
                actor=order.actor,
                result=parse_result(asked.outcome, workspace.rules),
                asked_task_id=order.task_id,
                provenance=asked.provenance,
                based_on=asked.based_on,
                received_at=asked.received_at,
            )
            receipt = workspace.commit(command)
        self._asking.settled(asked)
        if receipt.rejected is not None:
            self._rejections.append((order, receipt.rejected))
        self._observer.settled(order, receipt)
        return receipt

    async def _idle(self, current: Plan) -> RunReport | None:
        """Nothing is in flight and nothing can be dispatched: the end, or a pause."""
        workspace = self._workspace
        if current.is_finished:
            return self._end("success", current, "all tasks are done")
        seconds = self._seconds_until_free(current)
        if seconds is not None:
            self._observer.said(f"waiting {seconds:.0f} s for the cooldown")
            await workspace.clock.sleep(seconds)
            return None
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
        return self._report(status, current, message)

    def _report(self, outcome: Outcome, current: Plan, message: str) -> RunReport:
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
