"""The sandbox in RUNTIME_POLICY.yaml: which one confines what agents and checks start, and what it lets through."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from esaa.contracts.values import ContractFinding, ContractValue

SandboxLevel = Literal["bubblewrap", "landlock", "none"]
SandboxChoice = Literal["bubblewrap", "landlock", "none", "best"]

LEVELS: tuple[SandboxLevel, ...] = ("bubblewrap", "landlock", "none")
"""From the strongest to the weakest."""

CHECKS = "checks"
"""Under `network`: the commands of executable checks. No actor has this name."""


class ProcessLimits(ContractValue, frozen=True, kw_only=True):
    """What a program and everything that it starts may use.

    `cpu` (time), `memory_mb` and `file_mb` hold for each process, `processes` for all of them together. Where the
    machine gives control groups, `memory_mb` holds for all of them together too. MB are 1,000,000 bytes.
    """

    cpu: timedelta = timedelta(minutes=30)
    memory_mb: int = 8000
    processes: int = 1024
    file_mb: int = 4000


class SandboxPolicy(ContractValue, frozen=True, kw_only=True):
    """How programs are confined.

    - `level`: the sandbox to use; `best` is the strongest that the machine has. A level by name is a demand.
    - `required`: the weakest level that will do; with less, nothing is started.
    - `network`: who may use the network: names of actors, and `checks`.
    - `readable`: folders and files outside of the project that may be read, as absolute paths.
    - `limits`: see `ProcessLimits`.
    """

    level: SandboxChoice = "best"
    required: SandboxLevel = "none"
    network: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    limits: ProcessLimits = ProcessLimits()

    def allows(self, level: SandboxChoice) -> bool:
        """False for a level that is less than the required one."""
        return level == "best" or LEVELS.index(level) <= LEVELS.index(self.required)

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        if not self.allows(self.level):
            raise ContractFinding(f"sandbox.level is {self.level}, which is less than the required {self.required}")
        for path in self.readable:
            if not path.startswith("/") or path == "/" or ".." in path.split("/") or "\0" in path:
                raise ContractFinding(f"sandbox.readable: {path!r} is not an absolute path below /")
        for name in ("memory_mb", "processes", "file_mb"):
            if getattr(self.limits, name) < 1:
                raise ContractFinding(f"sandbox.limits.{name} must be at least 1")
        if self.limits.cpu.total_seconds() < 1:
            raise ContractFinding("sandbox.limits.cpu must be at least PT1S")
