"""Runs executable checks on a staged result: a copy of the project with the delivered files in it, in the sandbox.

Asked before the lock is taken, for a command may take minutes. Nothing that a command does to its copy is kept.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from esaa.agents.process import run_program
from esaa.agents.sandbox.enclosure import Enclosure
from esaa.contracts.sandbox import CHECKS
from esaa.errors import AgentError
from esaa.kernel.canonical import sha256_hex
from esaa.protocol.checks import CheckRun, named_commands, staged_digest
from esaa.protocol.commands import Submit
from esaa.protocol.facts import FileWritten
from esaa.protocol.intentions import AgentResult, Complete

if TYPE_CHECKING:
    from esaa.runtime.workspace import Workspace

_FILES_MAX = 200_000
_BYTES_MAX = 4_000_000_000
_NEVER_COPIED = (".roadmap", ".git")
_END_BYTES = 4000


class Staging(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be run, and on what: the delivered contents by path, and the event that the project stands at."""

    names: tuple[str, ...]
    contents: Mapping[str, bytes]
    seq: int


async def checked(workspace: Workspace, command: Submit) -> Submit:
    """The submission with how its commands ended; as it was where there is nothing to run, or it is refused anyway.

    Raises `AgentError` where the project cannot be staged, `AgentUnavailable` where the sandbox is less than the policy
    demands: then nothing is decided, and nothing is lost.
    """
    staging = staging_of(workspace, command)
    if staging is None:
        return command
    runs = await run_checks(workspace, staging, workspace.enclosure_of(CHECKS))
    return msgspec.structs.replace(command, check_runs=runs)


def checked_now(workspace: Workspace, command: Submit) -> Submit:
    """As `checked`, for who cannot wait otherwise; in a loop it holds the loop up."""
    if staging_of(workspace, command) is None:
        return command
    answers: list[Submit] = []
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            answers.append(asyncio.run(checked(workspace, command)))
        except BaseException as error:  # it is raised again, in the thread that asked
            failures.append(error)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        ask()
    else:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    if failures:
        raise failures[0]
    return answers[0]


def is_outdated(workspace: Workspace, command: Submit) -> bool:
    """True where other contents would be written than the commands were run on: the head has moved, and was merged."""
    if not command.check_runs:
        return False
    staging = staging_of(workspace, msgspec.structs.replace(command, check_runs=None))
    return staging is not None and any(
        run.staged_sha256 != staged_digest(staging.contents) for run in command.check_runs
    )


def staging_of(workspace: Workspace, command: Submit) -> Staging | None:
    """What a submission has to have run; None where nothing, or where it is refused whatever the commands say."""
    result = command.result
    if command.check_runs is not None or not isinstance(result, AgentResult):
        return None
    if not isinstance(result.intention, Complete):
        return None
    state = workspace.state()
    task = state.task(result.intention.task_id)
    if task is None:
        return None
    names = named_commands(result.intention.checks, task, workspace.rules)
    if not names:
        return None
    settlement = workspace.rehearse(command)
    if settlement.rejected is not None:
        return None
    contents: dict[str, bytes] = {}
    for draft in settlement.drafts:
        if isinstance(draft.fact, FileWritten):
            for effect in draft.fact.effects:
                contents[effect["path"]] = settlement.contents[effect["after_sha256"]]
    return Staging(names=names, contents=contents, seq=state.seq)


async def run_checks(workspace: Workspace, staging: Staging, enclosure: Enclosure) -> tuple[CheckRun, ...]:
    """Runs the commands one after the other, each on a fresh copy, up to the first that fails."""
    contract = workspace.rules.agent.executable_checks
    linked = [workspace.root / name for name in contract.linked if (workspace.root / name).is_dir()]
    runs: list[CheckRun] = []
    for name in staging.names:
        arguments = contract.commands[name]
        with enclosure.opened() as cell:
            tree = cell.private / "tree"
            await asyncio.to_thread(stage, workspace.root, tree, staging.contents, contract.linked)
            program = cell.program(
                arguments, directory=tree, sees_project=False, readable=linked, writable=(tree,), is_merged=True
            )
            ended = await run_program(
                program,
                b"",
                timeout_s=contract.timeout.total_seconds(),
                output_bytes_max=contract.output_bytes_max,
            )
        run = CheckRun(
            name=name,
            arguments=arguments,
            exit_code=ended.code,
            ending=ended.ending,
            duration_ms=round(ended.duration_s * 1000),
            output_sha256=sha256_hex(ended.output),
            output_bytes=len(ended.output),
            output_end=_end_of(ended.output or ended.complaint),
            sandbox=enclosure.level,
            staged_seq=staging.seq,
            staged_sha256=staged_digest(staging.contents),
        )
        runs.append(run)
        if not run.has_passed:
            break
    return tuple(runs)


def stage(root: Path, tree: Path, contents: Mapping[str, bytes], linked: tuple[str, ...]) -> None:
    """Copies the project into `tree`, with `contents` in it. Links are copied as links, and special files are left out.

    `linked` folders become links to the project's own. Raises `AgentError` where the project is too large to copy.
    """
    left = [_FILES_MAX, _BYTES_MAX]
    never = {root / name for name in _NEVER_COPIED} | {root / name for name in linked}

    def copy(folder: Path, to: Path) -> None:
        to.mkdir(mode=0o700)
        for entry in os.scandir(folder):
            path, target = folder / entry.name, to / entry.name
            if path in never:
                continue
            if entry.is_symlink():
                target.symlink_to(os.readlink(path))
            elif entry.is_dir():
                copy(path, target)
            elif entry.is_file():
                left[0] -= 1
                left[1] -= entry.stat().st_size
                if min(left) < 0:
                    raise _too_large(root)
                shutil.copyfile(path, target)
                target.chmod(0o600 | entry.stat().st_mode & 0o777)

    try:
        copy(root, tree)
        for name in linked:
            if (root / name).is_dir():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).symlink_to(root / name)
        for path, content in contents.items():
            target = tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            # A link on the way would lead out of the copy; the project's own path was looked at before.
            if not target.parent.resolve().is_relative_to(tree.resolve()):
                raise AgentError(
                    "CHECKS_NOT_STAGED", f"`{path}` does not lie in the project.", "Deliver to a plain file of it."
                )
            target.unlink(missing_ok=True)
            target.write_bytes(content)
    except OSError as error:
        raise AgentError(
            "CHECKS_NOT_STAGED",
            f"The project cannot be copied for its checks: {error}.",
            "Make the files readable, or make room in the temporary folder.",
        ) from error


def _too_large(root: Path) -> AgentError:
    return AgentError(
        "CHECKS_NOT_STAGED",
        f"The project {root} is too large to be copied for its checks ({_FILES_MAX} files, {_BYTES_MAX} bytes).",
        "Name its large folders under AGENT_CONTRACT `executable_checks.linked`.",
    )


def _end_of(output: bytes) -> str:
    text = output[-_END_BYTES:].decode("utf-8", "replace")
    # Control characters would steer the terminal of whoever reads the event.
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text).strip()
