"""The root of the command line: lazy subcommands, and every error as one line with its exit code."""

from __future__ import annotations

import importlib
import io
import os
import re
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from esaa.cli.face import Face, FaceGroup, face_options, fail
from esaa.errors import EsaaError, StoreError, UsageError
from esaa.version import __version__

SECTIONS = {
    "Every day": {
        "init": "esaa.cli.init:init",
        "run": "esaa.cli.run:run",
        "status": "esaa.cli.reading:status",
        "verify": "esaa.cli.checking:verify",
        "log": "esaa.cli.reading:log",
        "show": "esaa.cli.reading:show",
        "doctor": "esaa.cli.checking:doctor",
    },
    "What was, what changed, and why": {
        "state": "esaa.cli.moments:state",
        "diff": "esaa.cli.comparing:diff",
        "blame": "esaa.cli.comparing:blame",
        "why": "esaa.cli.causes:why",
        "rejections": "esaa.cli.rejections:rejections",
        "bisect": "esaa.cli.bisecting:bisect",
        "what-if": "esaa.cli.what_if:what_if",
        "graph": "esaa.cli.causes:graph",
        "checkout": "esaa.cli.tree:checkout",
        "tail": "esaa.cli.tree:tail",
        "debug": "esaa.cli.debug:debug",
        "pasts": "esaa.cli.pasts:pasts",
        "serve": "esaa.cli.serve:serve",
        "export": "esaa.cli.export:export",
    },
    "Plan": {
        "task": "esaa.cli.tasks:task",
        "issue": "esaa.cli.issues:issue",
        "hotfix": "esaa.cli.issues:hotfix",
    },
    "Work and decide by hand": {
        "claim": "esaa.cli.acts:claim",
        "complete": "esaa.cli.acts:complete",
        "review": "esaa.cli.acts:review",
        "submit": "esaa.cli.acts:submit",
        "reject": "esaa.cli.acts:reject",
        "inbox": "esaa.cli.inbox:inbox",
        "sign": "esaa.cli.identity:sign",
        "dispatch-context": "esaa.cli.reading:dispatch_context",
        "prompt": "esaa.cli.prompting:prompt",
    },
    "Runs at work": {
        "approvals": "esaa.cli.approvals:approvals",
        "approve": "esaa.cli.approvals:approve",
        "deny": "esaa.cli.approvals:deny",
        "pause": "esaa.cli.operations:pause",
        "resume": "esaa.cli.operations:resume",
        "stop": "esaa.cli.operations:stop",
        "metrics": "esaa.cli.metrics:metrics",
    },
    "The audit trail": {
        "record": "esaa.cli.record:record",
        "query": "esaa.cli.query:query",
        "time-travel": "esaa.cli.moments:time_travel",
        "audit": "esaa.cli.audit:audit",
        "replay": "esaa.cli.replay:replay",
        "restore-point": "esaa.cli.restore_points:restore_point",
        "trail": "esaa.cli.trail:trail",
        "snapshot": "esaa.cli.moments:snapshot",
        "index": "esaa.cli.query:index",
    },
    "Proofs, keys, and what must go": {
        "checkpoint": "esaa.cli.keys:checkpoint",
        "key": "esaa.cli.keys:key",
        "prove": "esaa.cli.proofs:prove",
        "check-proof": "esaa.cli.proofs:check_proof",
        "anchor": "esaa.cli.anchors:anchor",
        "witness": "esaa.cli.anchors:witness",
        "reveal": "esaa.cli.erasure:reveal",
        "erase": "esaa.cli.erasure:erase",
    },
    "Upkeep and development": {
        "project": "esaa.cli.checking:project",
        "dev": "esaa.cli.dev:dev",
    },
}
"""The commands as `esaa --help` groups them; a module loads when its command is used."""

COMMANDS = {name: home for section in SECTIONS.values() for name, home in section.items()}
"""Every command, in the order of `esaa --help`."""


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        room = formatter.width - max(map(len, COMMANDS)) - 4
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, _gist(self.get_command(ctx, name), room)) for name in section])

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

    Begin with `esaa init --demo landing`, then `esaa run` and `esaa verify --strict`. What happened since, and why:
    `esaa serve --open` in a browser, or `state`, `diff`, `blame`, `why` and `bisect` here.
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


def _gist(command: click.Command | None, room: int) -> str:
    """What a command does, in its first sentence; where that is too long, without what only explains it."""
    text = "" if command is None else command.get_short_help_str(1000).rstrip(".")
    for mark in ("[:;] ", ", "):
        ends = [found.start() for found in re.finditer(mark, text) if found.start() <= room]
        if len(text) > room and ends:
            text = text[: ends[-1]]
    return text


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
