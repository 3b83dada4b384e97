"""A story that audit tests can check by hand: two issues, three agents, a person, and what went wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.trail import Trail
from tests.trails import MORNING, a_trail, ids

ADA = {"type": "user", "id": "ada@example.org"}
CONDUCTOR = {"type": "system", "id": "orchestrator"}
ARCHITECT = {"type": "agent", "id": "ui-architect", "model": "opus-5"}
CODER = {"type": "agent", "id": "api-coder", "model": "sonnet-5"}
TESTER = {"type": "agent", "id": "tester"}

FIRST = "PROJ-123"
SECOND = "PROJ-124"
SHA = "3f1c0de5a7" * 4


class Teller:
    """Records what happens, some seconds after what happened before."""

    def __init__(self, trail: Trail, clock: ManualClock) -> None:
        self.trail = trail
        self.clock = clock
        self.recorder = TrailRecorder(trail)
        self.issue: str | None = None

    def __call__(
        self,
        after_s: float,
        actor: Mapping[str, Any],
        event_type: str,
        /,
        *,
        stream: str | None = None,
        **metadata: Any,
    ) -> str:
        self.clock.advance(after_s)
        return self.recorder.record(event_type, metadata, actor=actor, issue_key=stream or self.issue)


def a_told_trail(root: Path) -> tuple[Trail, ManualClock]:
    """The whole story in a store below `root`, and the clock, which stands an hour after its end."""
    clock = ManualClock(MORNING)
    trail = a_trail(root, clock=clock, new_id=ids(0xA0D17))
    tell = Teller(trail, clock)
    tell_first(tell)
    tell_second(tell)
    tell.recorder.close()
    clock.advance(3600)
    return trail, clock


def tell_first(tell: Teller) -> None:
    """PROJ-123: planned, coded with an error and a refusal, tested, a gap found and closed, merged. 38 events."""
    tell.issue = FIRST
    tell(
        0,
        ADA,
        "OrchestrationStarted",
        issue_key=FIRST,
        initial_phase="PLAN",
        issue_summary="Add user authentication",
        issue_type="Story",
        priority="High",
        labels=["auth"],
    )
    tell(5, CONDUCTOR, "PhaseStarted", phase="PLAN", phase_objective="Agree on the design")
    tell(
        10,
        CONDUCTOR,
        "AgentSpawned",
        agent_name="ui-architect",
        agent_type="design",
        agent_model="opus-5",
        assigned_task="Sketch the login page",
    )
    tell(60, ARCHITECT, "PromptSubmitted", prompt_sha256="a" * 64, agent_name="ui-architect", model="opus-5")
    tell(
        30,
        ARCHITECT,
        "ResponseReceived",
        agent_name="ui-architect",
        model="opus-5",
        tokens_in=12_000,
        tokens_out=3_400,
        cost_micro_usd=251_000,
    )
    tell(
        20,
        ADA,
        "DecisionMade",
        question="Sessions or tokens?",
        choice="Signed session cookies",
        decided_by="ada@example.org",
        rationale="They can be revoked",
    )
    tell(
        300,
        ARCHITECT,
        "AgentCompleted",
        agent_name="ui-architect",
        duration_seconds=420,
        outputs_created=["docs/login.md"],
        quality_metrics={"maintainability_score": 91.5},
    )
    tell(5, CONDUCTOR, "PhaseCompleted", phase="PLAN", duration_seconds=430, next_phase="CODE", quality_score=88)
    tell(2, CONDUCTOR, "PhaseStarted", phase="CODE", phase_objective="Write it")
    tell(
        3,
        CONDUCTOR,
        "AgentSpawned",
        agent_name="api-coder",
        agent_type="code",
        agent_model="sonnet-5",
        assigned_task="Write the session endpoint",
    )
    tell(1, CONDUCTOR, "BudgetReserved", budget_id="issue-123", scope="issue", unit="micro_usd", amount=500_000,
         limit=2_000_000, reservation_id="r1")  # fmt: skip
    tell(30, CODER, "ToolRequested", tool_name="Bash", tool_use_id="t1", agent_name="api-coder")
    tell(1, CONDUCTOR, "ToolDenied", tool_name="Bash", tool_use_id="t1", agent_name="api-coder",
         reason="rm outside of the worktree", rule="deny: rm -rf")  # fmt: skip
    tell(
        60,
        CONDUCTOR,
        "OutputRejected",
        error_code="BOUNDARY_VIOLATION",
        task_id="T-7",
        agent_name="api-coder",
        layer="boundary",
        reason="boundary_violation",
        source_action="complete",
        message="infra/prod.tf lies outside of what T-7 may write",
        hint="Write below src/ only",
    )
    error = tell(
        40,
        CODER,
        "ErrorOccurred",
        error_type="integration_failure",
        error_code="JIRA_API_TIMEOUT",
        error_message="Jira did not answer within 30 s",
        recoverable=True,
    )
    tell(10, CONDUCTOR, "RecoveryAttempted", recovery_from=error, recovery_strategy="retry_with_backoff",
         attempt_number=1, max_attempts=3)  # fmt: skip
    tell(20, CONDUCTOR, "RecoverySucceeded", recovery_from=error, recovery_attempt=1, recovery_duration_seconds=30)
    tell(
        90,
        CODER,
        "ResponseReceived",
        agent_name="api-coder",
        model="sonnet-5",
        tokens_in=40_000,
        tokens_out=9_000,
        cost_micro_usd=255_000,
    )
    tell(1, CONDUCTOR, "BudgetSettled", budget_id="issue-123", scope="issue", unit="micro_usd", amount=506_000,
         reservation_id="r1")  # fmt: skip
    tell(
        120,
        CODER,
        "CommitCreated",
        commit_sha=SHA,
        commit_message="Add the session endpoint\n\nWith a signed cookie.",
        files_changed=4,
        insertions=180,
        deletions=12,
        agent_author="api-coder",
    )
    tell(10, CODER, "AgentCompleted", agent_name="api-coder", duration_seconds=380, outputs_created=["src/session.py"],
         task_status="success_with_warnings")  # fmt: skip
    tell(2, CONDUCTOR, "PhaseCompleted", phase="CODE", duration_seconds=391, next_phase="TEST")
    tell(1, CONDUCTOR, "PhaseStarted", phase="TEST")
    tell(1, CONDUCTOR, "AgentSpawned", agent_name="tester", agent_type="test", assigned_task="Test the endpoint")
    tell(
        60,
        TESTER,
        "TestRunCompleted",
        test_suite="unit",
        total_tests=48,
        passed=47,
        failed=1,
        duration_seconds=31.5,
        coverage={"lines": 81.5},
    )
    tell(
        5,
        TESTER,
        "GapIdentified",
        gap_id="GAP-1",
        severity="high",
        description="A session never expires",
        gap_type="missing_expiry",
        identified_by="tester",
        phase="TEST",
    )
    tell(240, CODER, "CommitCreated", commit_sha="b" * 40, commit_message="Sessions expire", insertions=20, deletions=1,
         agent_author="api-coder")  # fmt: skip
    tell(30, TESTER, "TestRunCompleted", test_suite="unit", total_tests=49, passed=49, failed=0,
         coverage={"lines": 86})  # fmt: skip
    tell(5, TESTER, "GapResolved", gap_id="GAP-1", resolution_strategy="expiry_added", resolved_by="api-coder")
    tell(10, TESTER, "QualityCheckCompleted", check_type="security_scan", passed_quality_gate=True, overall_score=92,
         issues_found=2)  # fmt: skip
    tell(5, TESTER, "AgentCompleted", agent_name="tester", duration_seconds=360, outputs_created=[], tests_written=9)
    tell(2, CONDUCTOR, "PhaseCompleted", phase="TEST", duration_seconds=365)
    tell(
        10,
        CONDUCTOR,
        "PRCreated",
        pr_number=41,
        pr_title="Add user authentication",
        head_branch="auth",
        base_branch="main",
        pr_url="https://forge.example/pr/41",
    )
    tell(10, CONDUCTOR, "ApprovalRequested", approval_id="A-1", subject="Merge pull request #41", risk="medium",
         requested_by="orchestrator")  # fmt: skip
    tell(1800, ADA, "ApprovalGranted", approval_id="A-1", granted_by="ada@example.org", reason="Looks good")
    tell(5, ADA, "PRMerged", pr_number=41, merged_by="ada@example.org", merged_commit_sha="c" * 40)
    tell(5, CONDUCTOR, "IssueTransitioned", issue_key=FIRST, from_status="In Review", to_status="Done")
    tell(1, CONDUCTOR, "OrchestrationCompleted", issue_key=FIRST, duration_seconds=3400, final_state="success")


def tell_second(tell: Teller) -> None:
    """PROJ-124: begun a day later, fails, its gap is open. 7 events."""
    tell.issue = SECOND
    tell(86_400, ADA, "OrchestrationStarted", issue_key=SECOND, initial_phase="CODE", issue_summary="Export as PDF")
    tell(5, CONDUCTOR, "PhaseStarted", phase="CODE")
    tell(5, CONDUCTOR, "AgentSpawned", agent_name="api-coder", agent_model="sonnet-5")
    tell(60, TESTER, "GapIdentified", gap_id="GAP-9", severity="critical", description="No font for Greek",
         identified_by="tester")  # fmt: skip
    tell(60, CONDUCTOR, "AgentFailed", agent_name="api-coder", failure_reason="The font could not be loaded")
    tell(5, CONDUCTOR, "PhaseFailed", phase="CODE", failure_reason="Its only agent failed")
    tell(5, CONDUCTOR, "OrchestrationFailed", issue_key=SECOND, failure_phase="CODE", failure_reason="CODE failed")
