"""The root of the command line: lazy subcommands, and every error as one line with its exit code."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from esaa.cli.face import Face, FaceGroup, face_options, fail
from esaa.errors import EsaaError, StoreError, UsageError
from esaa.version import __version__

COMMANDS = {
    "init": "esaa.cli.init:init",
    "run": "esaa.cli.run:run",
    "pause": "esaa.cli.operations:pause",
    "resume": "esaa.cli.operations:resume",
    "stop": "esaa.cli.operations:stop",
    "approvals": "esaa.cli.approvals:approvals",
    "approve": "esaa.cli.approvals:approve",
    "deny": "esaa.cli.approvals:deny",
    "metrics": "esaa.cli.metrics:metrics",
    "submit": "esaa.cli.acts:submit",
    "sign": "esaa.cli.identity:sign",
    "claim": "esaa.cli.acts:claim",
    "complete": "esaa.cli.acts:complete",
    "review": "esaa.cli.acts:review",
    "reject": "esaa.cli.acts:reject",
    "inbox": "esaa.cli.inbox:inbox",
    "verify": "esaa.cli.checking:verify",
    "status": "esaa.cli.reading:status",
    "log": "esaa.cli.reading:log",
    "show": "esaa.cli.reading:show",
    "dispatch-context": "esaa.cli.reading:dispatch_context",
    "prompt": "esaa.cli.prompting:prompt",
    "record": "esaa.cli.record:record",
    "state": "esaa.cli.moments:state",
    "diff": "esaa.cli.comparing:diff",
    "blame": "esaa.cli.comparing:blame",
    "why": "esaa.cli.causes:why",
    "graph": "esaa.cli.causes:graph",
    "bisect": "esaa.cli.bisecting:bisect",
    "checkout": "esaa.cli.tree:checkout",
    "tail": "esaa.cli.tree:tail",
    "debug": "esaa.cli.debug:debug",
    "pasts": "esaa.cli.pasts:pasts",
    "time-travel": "esaa.cli.moments:time_travel",
    "query": "esaa.cli.query:query",
    "index": "esaa.cli.query:index",
    "snapshot": "esaa.cli.moments:snapshot",
    "reveal": "esaa.cli.erasure:reveal",
    "erase": "esaa.cli.erasure:erase",
    "trail": "esaa.cli.trail:trail",
    "replay": "esaa.cli.replay:replay",
    "restore-point": "esaa.cli.restore_points:restore_point",
    "audit": "esaa.cli.audit:audit",
    "rejections": "esaa.cli.rejections:rejections",
    "what-if": "esaa.cli.what_if:what_if",
    "serve": "esaa.cli.serve:serve",
    "export": "esaa.cli.export:export",
    "task": "esaa.cli.tasks:task",
    "issue": "esaa.cli.issues:issue",
    "hotfix": "esaa.cli.issues:hotfix",
    "key": "esaa.cli.keys:key",
    "checkpoint": "esaa.cli.keys:checkpoint",
    "prove": "esaa.cli.proofs:prove",
    "check-proof": "esaa.cli.proofs:check_proof",
    "anchor": "esaa.cli.anchors:anchor",
    "witness": "esaa.cli.anchors:witness",
    "dev": "esaa.cli.dev:dev",
    "project": "esaa.cli.checking:project",
    "doctor": "esaa.cli.checking:doctor",
}
"""The commands in the order of `esaa --help`; a module loads when its command is used."""


class PipeClosed(Exception):
    """Who read the answer has seen enough."""


@contextmanager
def _pipe_seen() -> Generator[None, None, None]:
    # click would end with 1, which means "the answer is no" here.
    try:
        yield
    except BrokenPipeError as error:
        raise PipeClosed from error


class LazyGroup(FaceGroup):
    """A group whose commands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        home = COMMANDS.get(cmd_name)
        if home is None:
            return None
        module, _, name = home.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _pipe_seen():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _pipe_seen():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"Did you mean `esaa {near[0]}`?" if near else "`esaa --help` lists the commands."
            raise click.UsageError(f"There is no command {args[0]!r}. {hint}", ctx) from error


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="esaa %(version)s")
@face_options
def cli() -> None:
    """Agents propose, a deterministic orchestrator disposes, replay proves it.

    Begin with `esaa init --demo landing`, then `esaa run` and `esaa verify --strict`.
    """


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Never raises."""
    is_json = "--json" in arguments
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal without UTF-8 shows a code for what it has no character for.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _refuse_bytes(arguments)
        code = cli.main(args=list(arguments), prog_name="esaa", standalone_mode=False, obj=Face())
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(is_json=is_json)
    except click.ClickException as error:
        hint = "See --help."
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f"See `{error.ctx.command_path} --help`."
        return fail(UsageError("USAGE", _sentence(error.format_message()), hint), is_json=is_json)
    except EsaaError as error:
        return fail(error, is_json=is_json)
    except (PipeClosed, BrokenPipeError):
        return _pipe_closed()
    except OSError as error:
        where = f"{error.filename}" if error.filename else "Reading or writing"
        text = f"{where} failed: {error.strerror or error}."
        return fail(StoreError("STORAGE_FAILED", text, "Check the path, the disk and the rights."), is_json=is_json)
    except Exception as error:  # the last line of defence: a bug is reported as one, without a traceback
        if os.environ.get("ESAA_DEBUG"):
            raise
        text = f"This is a bug in esaa: {type(error).__name__}: {error}."
        return fail(EsaaError("BUG", text, "ESAA_DEBUG=1 shows where. The log is whole."), is_json=is_json)


def _refuse_bytes(arguments: Sequence[str]) -> None:
    # Bytes that are no UTF-8 reach Python as lone surrogates, which no log can hold.
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            text = f"The argument {argument[:80]!a} is not UTF-8 text."
            raise UsageError("TEXT_INVALID", text, "Check the terminal's encoding.") from error


def _interrupted(*, is_json: bool) -> int:
    error = EsaaError("INTERRUPTED", "Interrupted; everything acknowledged so far is in the log.", "Run it again.")
    fail(error, is_json=is_json)
    return 130


def _pipe_closed() -> int:
    # The reader has seen enough (`| head`). Nothing more may be written to it, not even by the interpreter's end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "?", "!")) else f"{text}."
