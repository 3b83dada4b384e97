"""A command line as an agent: it works in a private tree, under a sandbox where there is one, and its changes are
proposed with its answer."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import msgspec

from esaa.agents.base import Answer, Dispatch, Prompt, Usage
from esaa.agents.clis.dialect import Ask, Dialect, Heard, Invocation
from esaa.agents.clis.environment import handed_on, without_secrets
from esaa.agents.clis.versions import Installed, find_installed
from esaa.agents.private_tree import PrivateTree, private_tree
from esaa.agents.process import Finished, Program, run_program
from esaa.agents.proposals import proposed
from esaa.agents.sandbox.enclosure import Cell, Enclosure
from esaa.errors import AgentCrashed, AgentTimedOut, AgentUnavailable
from esaa.protocol.answer_schema import without_nulls
from esaa.protocol.scheduling import Order

RULES = """

How to work here: the current directory is a private copy of what you may read of the project. Change files there and \
nowhere else, where the boundary in the context allows it. What you change is added to your answer as `file_updates`; \
do not repeat it there. A removed file cannot be proposed. Your last message is your answer: exactly one JSON object \
and nothing around it.
"""
"""What an agent with hands of its own is told after the prompt, which is the same for every adapter."""

_STREAM_BYTES_MAX = 256 * 1024 * 1024
"""The stream tells of every tool and of all that it printed, so it is larger than any result."""

T = TypeVar("T")


class CliSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the swarm's registry says about one actor's command line.

    `env` names variables that are handed on beside the dialect's own. `timeout_s` shortens the time of a dispatch.
    """

    model: str | None = None
    timeout_s: float | None = None
    tokens_out_max: int | None = None
    env: tuple[str, ...] = ()


class CliAgent:
    """Asks one command line. `readable_of` gives the patterns of what an order may read of the enclosure's project.

    `environment` stands in for that of this process, for who leads the program elsewhere than its user would.
    """

    def __init__(
        self,
        dialect: Dialect,
        enclosure: Enclosure,
        readable_of: Callable[[Order], tuple[str, ...] | None],
        settings: CliSettings | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._dialect = dialect
        self._enclosure = enclosure
        self._project = enclosure.root
        self._readable_of = readable_of
        self._settings = settings or CliSettings()
        self._environment = os.environ if environment is None else environment

    async def answer(self, dispatch: Dispatch) -> Answer:
        """What the program said in the end, with what it changed in its tree as file updates.

        Raises `AgentUnavailable` where it is missing, too old, refused by its vendor or cut off from it by the
        sandbox; `AgentTimedOut` and `AgentCrashed` where it was asked and gave no answer.
        """
        name = self._dialect.name
        if self._enclosure.level != "none" and not self._enclosure.is_networked:
            raise AgentUnavailable(
                "NETWORK_NOT_GRANTED",
                f"{name} calls its vendor, and the sandbox grants {dispatch.order.actor} no network.",
                f"Add {dispatch.order.actor} to `sandbox.network` in RUNTIME_POLICY.yaml.",
            )
        variables = handed_on(self._dialect, self._settings.env, self._environment)
        installed = await find_installed(self._dialect, self._project, variables | {"HOME": os.path.expanduser("~")})
        readable = self._readable_of(dispatch.order)
        with ExitStack() as stack:
            tree = await in_thread(lambda: stack.enter_context(private_tree(self._project, readable)))
            cell = await in_thread(lambda: stack.enter_context(self._enclosure.opened()))
            ask = self._ask(dispatch, tree, cell, variables)
            program, given = self._program(ask, cell, installed)
            timeout_s = min(dispatch.timeout_s, self._settings.timeout_s or dispatch.timeout_s)
            finished = await run_program(program, given, timeout_s=timeout_s, output_bytes_max=_STREAM_BYTES_MAX)
            heard = self._dialect.heard(without_secrets(finished.output, self._dialect, variables), finished.code)
            usage = msgspec.structs.replace(
                heard.usage,
                model=heard.usage.model or self._settings.model,
                client=name,
                client_version=installed.version,
                duration_s=round(finished.duration_s, 3),
                sandbox=self._enclosure.level,
            )
            result = self._result(heard, finished, usage, timeout_s, variables)
            changes = await in_thread(tree.changes)
            proposal = proposed(without_nulls(result), changes.files, _declared(dispatch))
        remarks = () if installed.remark is None else (installed.remark,)
        return Answer(
            result=without_secrets(proposal.result, self._dialect, variables),
            usage=usage,
            remarks=(*remarks, *changes.remarks, *proposal.remarks),
        )

    def _ask(self, dispatch: Dispatch, tree: PrivateTree, cell: Cell, variables: dict[str, str]) -> Ask:
        is_editing = dispatch.order.action == "complete"
        is_confined = self._enclosure.level != "none"
        prompt = dispatch.prompt
        said = dispatch.context.decode() if prompt is None else prompt.user
        return Ask(
            prompt=Prompt(
                template=dispatch.order.template if prompt is None else prompt.template,
                template_version="" if prompt is None else prompt.template_version,
                system="" if prompt is None else prompt.system,
                user=said + (RULES if is_editing else ""),
                sha256="" if prompt is None else prompt.sha256,
            ),
            schema=dispatch.schema,
            tree=tree.root,
            home=cell.private / "home",
            asked=tree.asked,
            variables=variables,
            has_key=any(name in variables for name in self._dialect.credentials),
            model=self._settings.model,
            tokens_out_max=self._settings.tokens_out_max,
            is_editing=is_editing,
            # A command of its own can reach whatever this user can, where nothing confines it.
            has_shell=is_confined and dispatch.order.action != "claim",
            is_confined=is_confined,
        )

    def _program(self, ask: Ask, cell: Cell, installed: Installed) -> tuple[Program, bytes]:
        invocation: Invocation = self._dialect.invocation(ask)
        for (folder, path), content in invocation.files.items():
            target = {"asked": ask.asked, "home": ask.home, "tree": ask.tree}[folder] / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        home = ask.home if ask.has_key else Path(os.path.expanduser("~"))
        login = () if ask.has_key else tuple(home / one for one in self._dialect.login if (home / one).exists())
        program = cell.program(
            (str(installed.path), *invocation.arguments),
            directory=ask.tree,
            sees_project=False,
            readable=(*installed.folders, ask.asked),
            writable=(ask.tree, *login),
            environment={**ask.variables, "HOME": str(home), **invocation.environment},
        )
        return program, invocation.given

    def _result(
        self, heard: Heard, finished: Finished, usage: Usage, timeout_s: float, variables: dict[str, str]
    ) -> bytes:
        """The answer that was heard, or the error that says why there is none."""
        name = self._dialect.name
        last_words = without_secrets(finished.last_words.encode(), self._dialect, variables).decode("utf-8", "replace")
        if heard.trouble is not None and heard.trouble.kind == "unavailable":
            raise AgentUnavailable(
                "AGENT_NOT_AUTHORISED", f"{name} was refused: {heard.trouble.message}", self._dialect.log_in
            )
        if finished.ending == "timed_out":
            raise AgentTimedOut(
                "AGENT_TIMED_OUT",
                f"{name} gave no answer within {timeout_s:.0f} s.",
                "It was ended; the task stays with its owner.",
                usage=usage,
            )
        if finished.ending == "too_large":
            raise AgentCrashed(
                "OUTPUT_TOO_LARGE",
                f"{name} printed more than {_STREAM_BYTES_MAX} bytes and was ended.",
                "A smaller task makes a shorter stream.",
                usage=usage,
            )
        if heard.trouble is not None:
            raise AgentCrashed(
                "AGENT_CRASHED", f"{name} gave up: {heard.trouble.message}", "It is tried again.", usage=usage
            )
        if heard.result is None:
            why = last_words or "it said nothing"
            raise AgentCrashed(
                "AGENT_CRASHED",
                f"{name} ended with exit code {finished.code} and without an answer: {why}",
                f"Try `{self._dialect.program}` by hand.",
                usage=usage,
            )
        return heard.result


def _declared(dispatch: Dispatch) -> tuple[str, ...]:
    try:
        outputs = json.loads(dispatch.context)["task"]["outputs"]["files"]
    except (ValueError, KeyError, TypeError):
        return ()  # a profile may leave the task out of the context
    return tuple(path for path in outputs if isinstance(path, str)) if isinstance(outputs, list) else ()


async def in_thread(act: Callable[[], T]) -> T:
    """Runs what waits for the disk beside the loop. It is waited for even when this is cancelled: it may have begun
    what must be taken back."""
    running = asyncio.ensure_future(asyncio.to_thread(act))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
