"""The gate of a governed workspace: asks its policy, and tells its trail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

import msgspec

from esaa.agents.base import Usage
from esaa.errors import EsaaError, NotFound
from esaa.kernel.decider import Rejected
from esaa.protocol.intentions import AgentResult
from esaa.protocol.scheduling import Order
from esaa.runtime.operations.approving import Approving
from esaa.runtime.operations.control import REASONS, in_force, refuse_if_stopped, stream_of_run, tail_of
from esaa.runtime.operations.gate import Estimate, Held
from esaa.runtime.operations.measuring import Measuring
from esaa.runtime.operations.spending import Spending
from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
from esaa.runtime.trail.trail import Trail
from esaa.runtime.workspace import Workspace
from esaa.stores.control import GO_ON, Control, ControlFile
from esaa.trail.event import GLOBAL
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.orchestration import OrchestrationPaused
from esaa.trail.intake import Proposal
from esaa.trail.state import OrchestrationState
from esaa.trail.state_values import Approval


class RunGate:
    """One gate for one run. Budgets and approvals come into force with `begin`, when the run and its stream are known;
    a policy without them costs nothing."""

    def __init__(self, workspace: Workspace, trail: Trail) -> None:
        self._workspace = workspace
        self._trail = trail
        self._file = ControlFile(workspace.roadmap, workspace.disk)
        self._recorder = TrailRecorder(trail, actor=RECORDER, is_async=False)
        self._states: dict[str, tuple[int, OrchestrationState]] = {}
        self._stream = GLOBAL
        self.notices: list[str] = []
        self._spending: Spending | None = None
        self._approving: Approving | None = None
        self._measuring: Measuring | None = None

    def enter(self) -> None:
        """Raises `Halted` where a person has paused or stopped the runs."""
        control = in_force(self._workspace, self._trail, self._file)
        refuse_if_stopped(control)

    def begin(self) -> None:
        """Takes up what was spent and asked before, and settles what a killed process left open."""
        policy = self._workspace.rules.runtime
        self._stream = stream_of_run(self._workspace)
        run_id = self._workspace.state().header.run.run_id or "run"
        now = self._trail.clock.now
        self._measuring = Measuring(now)
        self._spending = Spending(policy.budgets, self._tell, now, run_id=run_id, stream=self._stream)
        if policy.budgets.limits:
            self._spending.begin({name: self._state(name).budgets for name in self._trail.store.names()})
        if policy.approvals.rules:
            self._approving = Approving(
                self._workspace, policy.approvals, self._tell, self._approvals_of, stream=self._stream
            )

    def control(self) -> Control:
        """What a person wishes now."""
        return self._file.read() or GO_ON

    def hold(self, order: Order) -> Held | None:
        """Whether the order waits for a person, repeats itself, or does not fit into a budget."""
        held = None if self._approving is None else self._approving.hold(order)
        return held or (None if self._spending is None else self._spending.hold(order))

    def before(self, order: Order, estimate: Estimate) -> Held | None:
        """Sets aside what the call may take, or says why it must not be made."""
        held = None if self._spending is None else self._spending.before(order, estimate)
        if held is None and self._measuring is not None:
            self._measuring.began()
        return held

    def timeout_s(self, order: Order, timeout_s: float) -> float:
        """How long the call may take."""
        return timeout_s if self._spending is None else self._spending.timeout_s(order, timeout_s)

    def after(self, order: Order, usage: Usage | None, seconds: float, result: bytes | None = None) -> None:
        """Settles a call."""
        if self._measuring is not None:
            self._measuring.ended(order.actor, seconds)
        if self._spending is not None:
            self._spending.after(order, usage, seconds, result)

    def judge(
        self, order: Order, usage: Usage, result: AgentResult, would_pass: Callable[[], bool]
    ) -> Held | Rejected | None:
        """Whether a person has to allow the answer first."""
        return None if self._approving is None else self._approving.judge(order, usage, result, would_pass)

    def ended(self, orders: Iterable[Order], control: Control) -> None:
        """Records what was running when a person ended the run at once."""
        running = [msgspec.to_builtins(order) for order in orders]
        names = ", ".join(f"{one['actor']} ({one['action']} {one['task_id']})" for one in running)
        text = f"ended{tail_of(control)}; was running: {names or 'nothing'}"
        paused = OrchestrationPaused(
            issue_key=None if self._stream == GLOBAL else self._stream,
            pause_reason=REASONS["kill"],
            blocking_issue=text,
            can_resume=True,
            resume_conditions=("esaa resume",),
            extra={"running": running},
        )
        self._tell(self._stream, [paused])

    def close(self) -> None:
        """At the end of a command: tells where the time went, and brings the trail's catalogue up to date.

        Raises nothing: that a measure is missing spoils no run. `notices` says why it is.
        """
        try:
            if self._measuring is not None:
                self._tell(self._stream, [self._measuring.fact(self._workspace.state().header.run.run_id)])
                self._measuring = None
            self._recorder.close()
        except (EsaaError, OSError) as error:
            self.notices.append(f"the times of this run are not in the trail: {error}")

    def __enter__(self) -> RunGate:
        """The gate; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def _approvals_of(self, stream: str) -> Mapping[str, Approval]:
        return self._state(stream).approvals

    def _state(self, stream: str) -> OrchestrationState:
        """The state of a stream now; folded again only where the stream has grown."""
        version = self._trail.store.stream(stream).tip().head.version
        known = self._states.get(stream)
        if known is None or known[0] != version:
            try:
                state = self._recorder.states.reconstruct(stream).state
            except NotFound:
                state = OrchestrationState()
            known = version, state
            self._states[stream] = known
        return known[1]

    def _tell(self, stream: str, facts: list[TrailFact]) -> None:
        self._recorder.record_many([_proposal(stream, fact) for fact in facts])


def _proposal(stream: str, fact: TrailFact) -> Proposal:
    metadata: Any = msgspec.to_builtins(fact)
    issue_key = None if stream == GLOBAL else stream
    return Proposal(
        event_type=type(fact).__name__, metadata=metadata, actor=RECORDER, issue_key=issue_key, stream=stream
    )
