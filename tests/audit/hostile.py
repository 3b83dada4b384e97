"""A story in which every text is one that someone would like a report to obey."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.trail import Trail
from tests.audit.stories import Teller
from tests.trails import MORNING, a_trail, ids

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "<!-- --> ]]> <![CDATA[",
    "</pre></details></style></title>",
    "&lt;b&gt; &amp;#x3c;",
    "javascript:alert(1)",
    "\u202egnp.exe\u2066 \u200bhidden",
    "nul \x00 bell \x07 escape \x1b[31m line\nbreak\r\n\ttab",
    "| a | b |\n|---|---|",
    "`code` ``` ~~~ \\` \\",
    "[text](https://evil.example) ![image](https://evil.example/x.png)",
    "<https://evil.example> https://evil.example www.evil.example a@evil.example",
    "# heading\n\n- list\n\n***bold*** __bold__ ~~struck~~ [^1]",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "  =1+1",
    "\t=1+1",
    "\r=1+1",
    "\uff1d1+1",
    "\u00a0\uff0b1",
    '#eval("panic()") $x$ #sys.inputs *strong* _emph_ <label> @ref // comment',
    "{{7*7}} ${7*7} %s %(x)s {0}",
    "中文 日本語 😀 Ж λ א",
    "x" * 3000,
)
"""Markup, scripts, marks that reorder, formulas, and what other languages would run."""

PLAIN = ("plain words",)


def a_hostile_trail(root: Path, texts: tuple[str, ...] = HOSTILE) -> Trail:
    """A trail in which these texts stand wherever an event may hold one. The events are the same whatever the texts."""
    clock = ManualClock(MORNING)
    trail = a_trail(root, clock=clock, new_id=ids(0xBAD))
    tell = Teller(trail, clock)
    tell.issue = "PROJ-1"
    for number in range(len(HOSTILE)):
        _tell(tell, number, _texts(texts, number))
    tell.recorder.close()
    return trail


def _texts(texts: tuple[str, ...], start: int) -> Callable[[], str]:
    around = cycle(texts[start % len(texts) :] + texts[: start % len(texts)])
    return lambda: next(around)


def _tell(tell: Teller, number: int, text: Callable[[], str]) -> None:
    """One of everything. Ids stay apart by a number at their end."""
    shown = "".join(one for one in text() if one.isprintable())[:150]
    actor = {"type": "agent", "id": f"{shown} {number}", "model": shown}
    me = {"type": "user", "id": f"{shown} {number}"}

    def name() -> str:
        return f"{text()} {number}"

    phase, agent, gap = name(), name(), name()
    tell(1, me, "OrchestrationStarted", issue_key="PROJ-1", initial_phase=phase, issue_summary=text(), priority=text())
    tell(1, me, "PhaseStarted", phase=phase, phase_objective=text())
    tell(1, me, "AgentSpawned", agent_name=agent, agent_model=text(), assigned_task=text())
    tell(1, actor, "ToolDenied", tool_name=text(), reason=text(), rule=text(), agent_name=agent)
    tell(1, actor, "OutputRejected", error_code=text(), task_id=name(), reason=text(), layer=text(),
         source_action=text(), message=text(), hint=text(), agent_name=agent)  # fmt: skip
    error = tell(1, actor, "ErrorOccurred", error_type=text(), error_code=text(), error_message=text())
    tell(1, me, "RecoveryAttempted", recovery_from=error, recovery_strategy=text())
    tell(1, me, "RecoveryFailed", recovery_from=error, final_error=text())
    tell(1, actor, "CommitCreated", commit_sha=text(), commit_message=text(), agent_author=agent)
    tell(1, me, "PRCreated", pr_number=number + 1, pr_title=text(), pr_url=text(), head_branch=text())
    tell(1, me, "PRMerged", pr_number=number + 1, merged_by=text(), merged_commit_sha=text())
    tell(1, actor, "GapIdentified", gap_id=gap, severity="high", description=text(), gap_type=text())
    tell(1, actor, "GapResolved", gap_id=gap, resolution_strategy=text(), resolved_by=text())
    tell(1, actor, "QualityCheckFailed", check_type=text(), failure_reason=text())
    tell(1, actor, "TestRunFailed", test_suite=text(), failure_reason=text())
    tell(1, me, "TaskCreated", task_id=name(), title=text(), task_kind=text())
    tell(1, me, "ApprovalRequested", approval_id=name(), subject=text(), requested_by=text())
    tell(1, me, "BudgetReserved", budget_id=name(), scope="issue", unit="calls", amount=3, limit=9)
    tell(1, me, "DecisionMade", question=text(), choice=text(), decided_by=text())
    tell(1, actor, "ForeignEventObserved", system=text(), name=text(), payload={text(): [text(), {text(): text()}]})
    tell(1, me, "PhaseFailed", phase=phase, failure_reason=text())
