"""Runs of continuous integration: started, completed, failed."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import CiStatus, Count, Number, Seconds
from esaa.trail.facts.wording import counted, line, listed, seconds, short, told


class CiJob(msgspec.Struct, frozen=True, kw_only=True):
    """One job of a run.

    - `name`: the job's name.
    - `status`: how it ended.
    - `duration_seconds`: how long it took.
    - `url`: where its output can be read.
    """

    name: str
    status: CiStatus | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    url: str | UnsetType = UNSET


class CiRunStarted(TrailFact, frozen=True, kw_only=True):
    """A run of continuous integration begins. Recorded by the CI system's webhook, or by whoever started the run.

    Starting it again is safe: a run on the same commit checks the same.

    - `ci_run_id`: the CI system's name of the run.
    - `workflow`: which of the project's workflows runs.
    - `provider`: the CI system, such as `github_actions`.
    - `url`: where the run can be watched.
    - `commit_sha`: the commit that is checked.
    - `branch`: the branch that is checked.
    - `pr_number`: the pull request that is checked.
    - `trigger`: what started it, such as `push` or `schedule`.
    - `attempt`: which attempt of the run it is, from 1.
    """

    is_repeatable: ClassVar[bool] = True

    ci_run_id: str
    workflow: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    commit_sha: str | UnsetType = UNSET
    branch: str | UnsetType = UNSET
    pr_number: Number | UnsetType = UNSET
    trigger: str | UnsetType = UNSET
    attempt: Number | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{_run(self.ci_run_id, self.workflow)} begins{told(' on {}', self.commit_sha, short)}")


class CiRunCompleted(TrailFact, frozen=True, kw_only=True):
    """A run of continuous integration came to its end. Recorded by the CI system's webhook.

    - `ci_run_id`: the run.
    - `status`: how it ended, in the CI system's own word.
    - `workflow`: which of the project's workflows ran.
    - `provider`: the CI system.
    - `url`: where its output can be read.
    - `commit_sha`: the commit that was checked.
    - `branch`: the branch that was checked.
    - `jobs`: its jobs.
    - `artifacts`: the names of the files that it left.
    - `jobs_count`: how many jobs there were.
    """

    ci_run_id: str
    status: CiStatus
    workflow: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    commit_sha: str | UnsetType = UNSET
    branch: str | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    jobs: tuple[CiJob, ...] | UnsetType = UNSET
    jobs_count: Count | UnsetType = UNSET
    artifacts: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        took = told(" after {}", self.duration_seconds, seconds)
        jobs = told(", {}", self.jobs_count, lambda total: counted(total, "job"))
        return line(f"{_run(self.ci_run_id, self.workflow)} ends{took}: {self.status.replace('_', ' ')}{jobs}")


class CiRunFailed(TrailFact, frozen=True, kw_only=True):
    """A run of continuous integration failed, or could not run. Recorded by the CI system's webhook.

    - `ci_run_id`: the run.
    - `failure_reason`: why, in one sentence.
    - `workflow`: which of the project's workflows ran.
    - `provider`: the CI system.
    - `url`: where its output can be read.
    - `commit_sha`: the commit that was checked.
    - `branch`: the branch that was checked.
    - `failed_jobs`: the names of the jobs that failed.
    - `retry_scheduled`: true where it is tried again.
    """

    ci_run_id: str
    failure_reason: str
    workflow: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    commit_sha: str | UnsetType = UNSET
    branch: str | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    failed_jobs: tuple[str, ...] | UnsetType = UNSET
    retry_scheduled: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        jobs = told(" in {}", self.failed_jobs or None, listed)
        return line(f"{_run(self.ci_run_id, self.workflow)} fails{jobs}" + told(": {}", self.failure_reason))


def _run(ci_run_id: str, workflow: str | UnsetType) -> str:
    return f"CI run {ci_run_id}" + told(" of {}", workflow)
