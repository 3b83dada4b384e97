"""What every command shares: the workspace it works on, and how it speaks (stdout is data, stderr is talk)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from esaa.cli.terminal import plain
from esaa.errors import EsaaError

if TYPE_CHECKING:
    from esaa.runtime.workspace import Receipt, Workspace

C = TypeVar("C", bound=Callable[..., Any])


class FaceGroup(click.Group):
    """A group that shows its help where nothing is asked of it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)


class Face:
    """The global options of one invocation."""

    def __init__(self) -> None:
        self.root: str | None = None
        self.is_json = False
        self.is_quiet = False

    def find_root(self) -> Path:
        """The workspace's folder. Raises `NotFound`."""
        from esaa.open import find_root

        return Path(self.root) if self.root is not None else find_root(Path.cwd())

    def workspace(self) -> Workspace:
        """The workspace, opened."""
        from esaa.open import open_workspace

        return open_workspace(self.find_root())

    def writable(self) -> Workspace:
        """The workspace, with whatever a crash left in it mended, and that said."""
        workspace = self.workspace()
        self.mend(workspace)
        return workspace

    def mend(self, workspace: Workspace) -> None:
        """Mends what a crash left, and says so."""
        with workspace.writing() as notices:
            for notice in notices:
                self.warn(notice)

    def data(self, value: object, *lines: str) -> None:
        """The answer: JSON with `--json`, else the lines."""
        if self.is_json:
            click.echo(as_json(value))
        else:
            for line in lines:
                click.echo(plain(line))

    def say(self, text: str) -> None:
        """A remark, on stderr, unless `--quiet`."""
        if not self.is_quiet:
            click.echo(plain(text), err=True)

    def warn(self, text: str) -> None:
        """A warning, on stderr, also with `--quiet`."""
        click.echo(f"warning: {plain(text)}", err=True)

    def receipt(self, receipt: Receipt, done: str) -> None:
        """The outcome of a command that writes; ends the process with 5 where it was refused."""
        from esaa.runtime.receipts import receipt_view

        for notice in receipt.notices:
            self.warn(notice)
        for warning in receipt.warnings:
            self.warn(warning)
        rejected = receipt.rejected
        if self.is_json:
            click.echo(as_json(receipt_view(receipt)))
        elif rejected is not None:
            text = f"rejected [{rejected.layer}] {rejected.error_code}: {rejected.message} {rejected.hint}"
            click.echo(plain(text.rstrip()), err=True)
        else:
            prefix = "would be: " if receipt.is_dry_run else "already done: " if receipt.is_repeat else ""
            last = f" (event #{receipt.events[0].version})" if receipt.events and not receipt.is_dry_run else ""
            click.echo(plain(f"{prefix}{done}{last}"))
        if rejected is not None:
            sys.exit(5)


def as_json(value: object) -> str:
    """The value as JSON on one line, in which no character steers a terminal."""
    is_utf8 = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
    return plain(json.dumps(value, ensure_ascii=not is_utf8, default=str))


def fail(error: EsaaError, *, is_json: bool) -> int:
    """Reports an error in one line and returns its exit code."""
    if is_json:
        context = {key: value for key, value in error.context.items() if value is not None}
        body = {"code": error.code, "message": error.message, "hint": error.hint, **context}
        click.echo(as_json({"error": body}), err=True)
    else:
        click.echo(f"esaa: {plain(str(error))}", err=True)
    return error.exit_code


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value not in (None, False):
            setattr(context.ensure_object(Face), name, value)

    return callback


def face_options(command: C) -> C:
    """The global options; they may stand before or after the command's name."""
    for option in (
        click.option("--quiet", is_flag=True, expose_value=False, callback=_set("is_quiet"), help="No remarks."),
        click.option("--json", is_flag=True, expose_value=False, callback=_set("is_json"), help="Answer in JSON."),
        click.option(
            "--root",
            type=click.Path(file_okay=False),
            expose_value=False,
            callback=_set("root"),
            help="The workspace (default: the nearest folder upwards that has .roadmap/).",
        ),
    ):
        command = option(command)
    return command


def exit_with(code: int) -> NoReturn:
    """Ends the command with a code of DESIGN section 8."""
    sys.exit(code)


pass_face = click.make_pass_decorator(Face, ensure=True)
