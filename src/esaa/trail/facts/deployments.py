"""Deployments: a version goes into an environment, or back out of it."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import RollbackState, Seconds
from esaa.trail.facts.wording import line, seconds, told


class DeploymentStarted(TrailFact, frozen=True, kw_only=True):
    """A version begins to go into an environment. Recorded by the tool that deploys.

    Never repeated by a replay: whether a deployment is still wanted is decided anew each time.

    - `deployment_id`: the deployment's name; its later events carry it too.
    - `environment`: where it goes, such as `staging` or `production`.
    - `deployed_version`: the version that goes there.
    - `previous_version`: the version that is there before.
    - `commit_sha`: the commit that the version was made from.
    - `strategy`: how the versions are exchanged.
    - `triggered_by`: who or what asked for it.
    - `approval_id`: the approval that allows it.
    - `url`: where it can be watched.
    """

    deployment_id: str
    environment: str
    deployed_version: str | UnsetType = UNSET
    previous_version: str | UnsetType | None = UNSET
    commit_sha: str | UnsetType = UNSET
    strategy: (
        Literal["all_at_once", "recreate", "rolling", "blue_green", "canary", "shadow", "ab_test", "manual"] | UnsetType
    ) = UNSET
    triggered_by: str | UnsetType = UNSET
    approval_id: str | UnsetType = UNSET
    url: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        how = told(" ({})", self.strategy, lambda name: name.replace("_", " "))
        return line(f"deployment{told(' of {}', self.deployed_version)} to {self.environment} begins{how}")


class DeploymentCompleted(TrailFact, frozen=True, kw_only=True):
    """A version is in its environment. Recorded by the tool that deploys.

    - `deployment_id`: the deployment.
    - `environment`: where it went.
    - `deployed_version`: the version that is there now.
    - `commit_sha`: the commit that the version was made from.
    - `health`: what the environment says about itself afterwards.
    - `url`: where the deployed thing is reached.
    """

    deployment_id: str
    environment: str
    deployed_version: str | UnsetType = UNSET
    commit_sha: str | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    health: Literal["healthy", "degraded", "unhealthy", "unknown"] | UnsetType = UNSET
    url: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        took = told(" after {}", self.duration_seconds, seconds)
        health = told(", {}", self.health)
        what = told(" of {}", self.deployed_version)
        return line(f"deployment{what} to {self.environment} is complete{took}{health}")


class DeploymentFailed(TrailFact, frozen=True, kw_only=True):
    """A version did not get into its environment. Recorded by the tool that deploys.

    - `deployment_id`: the deployment.
    - `environment`: where it was to go.
    - `failure_reason`: why, in one sentence.
    - `deployed_version`: the version that was to go there.
    - `error_message`: the error behind the reason, as it was printed.
    - `failed_step`: the step that failed.
    - `rollback_state`: what the failure left behind.
    """

    deployment_id: str
    environment: str
    failure_reason: str
    deployed_version: str | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    error_message: str | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET
    rollback_state: RollbackState | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        what = told(" of {}", self.deployed_version)
        return line(f"deployment{what} to {self.environment} fails" + told(": {}", self.failure_reason))


class DeploymentRolledBack(TrailFact, frozen=True, kw_only=True):
    """An environment went back to the version before. Recorded by the tool that deploys.

    - `deployment_id`: the deployment that is taken back.
    - `environment`: where.
    - `reason`: why, in one sentence.
    - `rolled_back_version`: the version that is taken back.
    - `restored_version`: the version that is there again.
    - `rolled_back_by`: who or what asked for it.
    - `rollback_state`: what it left behind.
    """

    deployment_id: str
    environment: str
    reason: str
    rolled_back_version: str | UnsetType = UNSET
    restored_version: str | UnsetType = UNSET
    rolled_back_by: str | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    rollback_state: RollbackState | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        back = told(" to {}", self.restored_version)
        return line(f"{self.environment} goes back{back}" + told(": {}", self.reason))
