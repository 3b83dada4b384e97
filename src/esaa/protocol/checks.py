"""Verification checks that are run: which commands a `complete` names, how they ended, and what follows.

A check `run:NAME` names a command of AGENT_CONTRACT `executable_checks`. All other checks are text: somebody's word.
Nothing is run here; how a command ended comes with the submission, from the orchestrator and from nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from esaa.contracts.governance import Governance
from esaa.kernel.canonical import canonical, sha256_hex
from esaa.kernel.decider import Rejected
from esaa.protocol.rejections import reject
from esaa.protocol.task_table import Task

if TYPE_CHECKING:
    from esaa.protocol.commands import Submit

_RUN = re.compile(r"run:([^\s:]+)")
_HINT_CHARS_MAX = 1500


class CheckRun(msgspec.Struct, frozen=True, kw_only=True):
    """How one command ended on the staged result.

    - `name`, `arguments`: the command, as the contract had it.
    - `exit_code`: negative where a signal ended it. `ending` says whether it ended by itself.
    - `output_sha256`, `output_bytes`: of all that it printed; `output_end` is the last part as text.
    - `sandbox`: the level that confined it. `staged_seq`: the event up to which the project was as the copy had it.
    - `staged_sha256`: what was delivered into the copy, as `staged_digest` gives it.
    """

    name: str
    arguments: tuple[str, ...]
    exit_code: int
    ending: Literal["exited", "timed_out", "too_large"]
    duration_ms: int
    output_sha256: str
    output_bytes: int
    output_end: str
    sandbox: str
    staged_seq: int
    staged_sha256: str

    @property
    def has_passed(self) -> bool:
        """True where it ended by itself, and well."""
        return self.ending == "exited" and self.exit_code == 0


def named_commands(checks: Iterable[str], task: Task, rules: Governance) -> tuple[str, ...]:
    """The commands that have to be run: those that the checks name, and of the task's own those that are allowed."""
    allowed = rules.agent.executable_checks.commands
    own = task.executable_checks if isinstance(task.executable_checks, list | tuple) else ()
    demanded = [name for name in map(_name_in, own) if name is not None and name in allowed]
    return tuple(dict.fromkeys([name for name in map(_name_in, checks) if name is not None] + demanded))


def staged_digest(contents: Mapping[str, bytes]) -> str:
    """The digest of what is delivered: of the canonical JSON of the contents' digests by path."""
    return sha256_hex(canonical({path: sha256_hex(content) for path, content in contents.items()}))


def refuse_checks(
    task: Task, checks: Sequence[str], command: Submit, contents: Mapping[str, bytes], rules: Governance
) -> Rejected | None:
    """Why a `complete` is not taken because of its executable checks, or None.

    In a rehearsal the question is whether they are worth running: it is answered as if all had passed.
    """
    allowed = rules.agent.executable_checks.commands
    names = named_commands(checks, task, rules)
    for name in names:
        if name not in allowed:
            known = ", ".join(f"run:{one}" for one in allowed) or "none; describe the check in words"
            return reject(
                "CHECK_UNKNOWN",
                f"The check `run:{name:.80}` names a command that AGENT_CONTRACT does not allow.",
                f"Allowed: {known}.",
            )
    if command.is_rehearsal or not names:
        return None
    found = {run.name: run for run in command.check_runs or ()}
    staged = staged_digest(contents)
    for name in names:
        run = found.get(name)
        if run is None or run.arguments != allowed[name] or run.staged_sha256 != staged:
            return reject(
                "CHECK_NOT_RUN",
                f"The check `run:{name}` was not run on what is delivered.",
                "Put the result to the orchestrator again; it runs the commands itself.",
                counts=False,
            )
        if not run.has_passed:
            return reject(
                "CHECK_FAILED",
                f"The check `run:{name}` {_how(run)} on the delivered files (sandbox {run.sandbox}, output sha256"
                f" {run.output_sha256}).",
                f"The end of what it printed: {run.output_end[-_HINT_CHARS_MAX:]}"
                if run.output_end
                else "It was silent.",
            )
    return None


def told_runs(
    checks: Sequence[str], runs: Sequence[CheckRun] | None, rules: Governance
) -> list[dict[str, Any]] | UnsetType:
    """What the event says of the checks, each labelled as `run` or `text`; nothing where no commands are allowed."""
    if not rules.agent.executable_checks.commands:
        return UNSET
    told: list[dict[str, Any]] = [
        {
            "check": f"run:{run.name}",
            "kind": "run",
            "arguments": list(run.arguments),
            "exit_code": run.exit_code,
            "duration_ms": run.duration_ms,
            "output_sha256": run.output_sha256,
            "output_bytes": run.output_bytes,
            "sandbox": run.sandbox,
            "staged_seq": run.staged_seq,
            "staged_sha256": run.staged_sha256,
        }
        for run in runs or ()
    ]
    return told + [{"check": check, "kind": "text"} for check in checks if _name_in(check) is None]


def _name_in(check: str) -> str | None:
    found = _RUN.match(check.strip())
    return None if found is None else found.group(1)


def _how(run: CheckRun) -> str:
    if run.ending == "timed_out":
        return f"was ended at its time limit, after {run.duration_ms / 1000:.0f} s,"
    if run.ending == "too_large":
        return "was ended because it printed too much"
    return f"ended with exit code {run.exit_code}"
