"""The built-in event types: by family, in the order in which one reads about them, and by name."""

from __future__ import annotations

from esaa.trail.facts.agents import AgentBlocked, AgentCompleted, AgentFailed, AgentSpawned
from esaa.trail.facts.approvals import ApprovalDenied, ApprovalExpired, ApprovalGranted, ApprovalRequested
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.budgets import BudgetExceeded, BudgetReserved, BudgetSettled
from esaa.trail.facts.ci import CiRunCompleted, CiRunFailed, CiRunStarted
from esaa.trail.facts.decisions import AssumptionRecorded, DecisionMade
from esaa.trail.facts.deployments import (
    DeploymentCompleted,
    DeploymentFailed,
    DeploymentRolledBack,
    DeploymentStarted,
)
from esaa.trail.facts.documentation import ConfluencePageCreated, DocumentationCreated
from esaa.trail.facts.external import (
    ExternalCallCompleted,
    ExternalCallFailed,
    ExternalCallStarted,
    ForeignEventObserved,
    NotificationSent,
)
from esaa.trail.facts.files import FileDeleted, FileWritten
from esaa.trail.facts.gaps import GapEscalated, GapIdentified, GapResolved
from esaa.trail.facts.git import CommitCreated, PRClosed, PRCreated, PRMerged
from esaa.trail.facts.orchestration import (
    OrchestrationCompleted,
    OrchestrationFailed,
    OrchestrationPaused,
    OrchestrationResumed,
    OrchestrationStarted,
    RunMeasured,
)
from esaa.trail.facts.phases import PhaseCompleted, PhaseFailed, PhaseStarted
from esaa.trail.facts.quality import QualityCheckCompleted, QualityCheckFailed, QualityCheckStarted
from esaa.trail.facts.records import (
    ArchiveCreated,
    ConfigurationChanged,
    DataErased,
    LogRepaired,
    ReadModelUpdated,
    ReportGenerated,
    SegmentDeleted,
    SnapshotCreated,
    SnapshotDiscarded,
    TrailMerged,
)
from esaa.trail.facts.recovery import ErrorOccurred, RecoveryAttempted, RecoveryFailed, RecoverySucceeded
from esaa.trail.facts.replays import EventReplayed, ReplayCompleted, ReplayStarted
from esaa.trail.facts.restore_points import CheckpointCreated, CheckpointRestored
from esaa.trail.facts.reviews import ReviewCompleted, ReviewRequested
from esaa.trail.facts.sessions import (
    ContextCompacted,
    PromptSubmitted,
    ResponseReceived,
    SessionEnded,
    SessionStarted,
)
from esaa.trail.facts.summaries import OrchestrationSummarized, PhaseSummarized
from esaa.trail.facts.tasks import (
    OutputRejected,
    TaskAmended,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskDone,
    TaskReopened,
)
from esaa.trail.facts.testing import TestRunCompleted, TestRunFailed, TestRunStarted
from esaa.trail.facts.tools import ToolCompleted, ToolDenied, ToolFailed, ToolRequested
from esaa.trail.facts.tracker import CommentPosted, IssueTransitioned, WorklogAdded

FAMILIES: dict[str, tuple[type[TrailFact], ...]] = {
    "Orchestration": (
        OrchestrationStarted,
        OrchestrationCompleted,
        OrchestrationFailed,
        OrchestrationPaused,
        OrchestrationResumed,
        RunMeasured,
    ),
    "Phases": (PhaseStarted, PhaseCompleted, PhaseFailed),
    "Agents": (AgentSpawned, AgentCompleted, AgentFailed, AgentBlocked),
    "Gaps": (GapIdentified, GapResolved, GapEscalated),
    "Git": (CommitCreated, PRCreated, PRMerged, PRClosed),
    "Tracker": (IssueTransitioned, CommentPosted, WorklogAdded),
    "Documentation": (DocumentationCreated, ConfluencePageCreated),
    "Quality": (QualityCheckStarted, QualityCheckCompleted, QualityCheckFailed),
    "Tests": (TestRunStarted, TestRunCompleted, TestRunFailed),
    "Restore points": (CheckpointCreated, CheckpointRestored),
    "Errors and recovery": (ErrorOccurred, RecoveryAttempted, RecoverySucceeded, RecoveryFailed),
    "Tasks of the governed run": (
        TaskCreated,
        TaskAmended,
        TaskClaimed,
        TaskCompleted,
        TaskReopened,
        TaskDone,
        OutputRejected,
    ),
    "Files": (FileWritten, FileDeleted),
    "Reviews": (ReviewRequested, ReviewCompleted),
    "Sessions": (SessionStarted, SessionEnded, PromptSubmitted, ResponseReceived, ContextCompacted),
    "Tools": (ToolRequested, ToolDenied, ToolCompleted, ToolFailed),
    "Approvals": (ApprovalRequested, ApprovalGranted, ApprovalDenied, ApprovalExpired),
    "Budgets": (BudgetReserved, BudgetSettled, BudgetExceeded),
    "Continuous integration": (CiRunStarted, CiRunCompleted, CiRunFailed),
    "Deployments": (DeploymentStarted, DeploymentCompleted, DeploymentFailed, DeploymentRolledBack),
    "Decisions": (DecisionMade, AssumptionRecorded),
    "Other systems": (
        ExternalCallStarted,
        ExternalCallCompleted,
        ExternalCallFailed,
        NotificationSent,
        ForeignEventObserved,
    ),
    "Replays": (ReplayStarted, EventReplayed, ReplayCompleted),
    "Summaries": (PhaseSummarized, OrchestrationSummarized),
    "The store itself": (
        SnapshotCreated,
        SnapshotDiscarded,
        ReportGenerated,
        ConfigurationChanged,
        ArchiveCreated,
        SegmentDeleted,
        DataErased,
        LogRepaired,
        TrailMerged,
        ReadModelUpdated,
    ),
}
"""The families with their types. The first eleven are the specification's."""

TRAIL_TYPES: dict[str, type[TrailFact]] = {kind.__name__: kind for family in FAMILIES.values() for kind in family}
"""The types by name."""
