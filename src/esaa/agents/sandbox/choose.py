"""Which sandbox is in force: what the policy asks for, as far as the machine has it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import lru_cache

from esaa.agents.sandbox.base import Sandbox
from esaa.agents.sandbox.bubblewrap import Bubblewrap, lacks_bubblewrap
from esaa.agents.sandbox.landlock import Landlock, lacks_landlock
from esaa.agents.sandbox.none import NoSandbox
from esaa.contracts.sandbox import LEVELS, SandboxLevel, SandboxPolicy
from esaa.errors import AgentUnavailable


@lru_cache(maxsize=1)
def lacking() -> Mapping[SandboxLevel, str]:
    """The levels that this machine does not have, each with the reason. Tried once in a process."""
    tries: dict[SandboxLevel, Callable[[], str | None]] = {"bubblewrap": lacks_bubblewrap, "landlock": lacks_landlock}
    return {level: reason for level, lacks in tries.items() if (reason := lacks()) is not None}


def choose(policy: SandboxPolicy, lacks: Mapping[SandboxLevel, str] | None = None) -> Sandbox:
    """The sandbox of a policy. `lacks` is what the machine does not have; it is found out where it is not given.

    Raises `AgentUnavailable` where the policy demands more than the machine has: nothing is started unconfined then.
    """
    missing = lacking() if lacks is None and (policy.level, policy.required) != ("none", "none") else lacks or {}
    wanted: tuple[SandboxLevel, ...] = LEVELS if policy.level == "best" else (policy.level,)
    level: SandboxLevel | None = next((one for one in wanted if one not in missing), None)
    if level is None or LEVELS.index(level) > LEVELS.index(policy.required):
        demanded = policy.required if level is not None else policy.level
        weak = [f"{one}: {missing[one]}" for one in LEVELS if one in missing]
        raise AgentUnavailable(
            "SANDBOX_UNAVAILABLE",
            f"RUNTIME_POLICY demands the sandbox {demanded}, and this machine has less ({'; '.join(weak)}).",
            "Install what is missing, or let the policy demand less; `esaa doctor agents` tries what is there.",
        )
    return make_sandbox(level)


def make_sandbox(level: SandboxLevel) -> Sandbox:
    """The sandbox of a level that the machine has."""
    if level == "bubblewrap":
        return Bubblewrap(shutil.which("bwrap") or "bwrap")
    return Landlock() if level == "landlock" else NoSandbox()
