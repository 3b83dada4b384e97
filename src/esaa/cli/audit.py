"""`esaa audit`: reports of the trail, and `esaa audit check`, which proves one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, exit_with, face_options, pass_face
from esaa.cli.terminal import for_screen, plain

if TYPE_CHECKING:
    from esaa.runtime.audit.report import FileOptions, Gathered

_FORMATS = ("json", "csv", "html", "md", "pdf")
_GROUPINGS = ("issue", "user", "phase")
_FOLDER = click.Path(exists=True, file_okay=False)
_DAMAGED = 4


@click.group(invoke_without_command=True)
@click.option("--issue", "issues", multiple=True, metavar="KEY", help="Only this issue, or `global` (repeatable).")
@click.option("--from", "from_date", metavar="TIME", help="Only events from then on: a date, or a time with its zone.")
@click.option("--to", "to_date", metavar="TIME", help="Only events until then; a date is a whole day (UTC).")
@click.option("--types", metavar="A,B", help="Only events of these types.")
@click.option("--by", type=click.Choice(_GROUPINGS), default="issue", show_default=True, help="One section for each.")
@click.option(
    "--format", "format_", type=click.Choice(_FORMATS), default="html", show_default=True, help="What to make."
)
@click.option("--output", metavar="FILE|-", help="Where to (default: a new, recorded file in the trail's reports/).")
@click.option("--raw", is_flag=True, help="CSV: leave cells alone that a spreadsheet would take for formulas.")
@click.option("--bom", is_flag=True, help="CSV: begin with a byte order mark, as Excel likes it.")
@click.option(
    "--font-path", "font_paths", multiple=True, type=_FOLDER, help="PDF: a folder of further fonts (repeatable)."
)
@face_options
@pass_face
@click.pass_context
def audit(
    ctx: click.Context,
    face: Face,
    issues: tuple[str, ...],
    from_date: str | None,
    to_date: str | None,
    types: str | None,
    by: str,
    format_: str,
    output: str | None,
    raw: bool,
    bom: bool,
    font_paths: tuple[str, ...],
) -> None:
    """Make an audit report of the trail.

    It tells who did what, what went wrong and what was done about it, and names the heads of the streams that it was
    made from: `esaa audit check FILE` makes it again and compares. Ends with 4 where a stream is damaged; the report
    then says where.

    Example: esaa audit --from 2025-12-15 --to 2025-12-22 --format html
    """
    if ctx.invoked_subcommand is not None:
        return
    import msgspec

    from esaa.audit.request import as_format, request_of
    from esaa.open import open_trail
    from esaa.runtime.audit.report import FileOptions, gather, write_report
    from esaa.trail.facts.wording import counted

    trail = open_trail(face.find_root())
    request = request_of(issue_keys=issues, from_date=from_date, to_date=to_date, event_types=_split(types), by=by)
    with _progress(face) as told:
        gathered = gather(trail, request, told=told)
    options = FileOptions(is_raw=raw, with_bom=bom, font_paths=font_paths)
    if output == "-":
        _to_stdout(face, gathered, format_, options)
        return
    written = write_report(
        trail,
        gathered,
        as_format(format_),
        output=None if output is None else Path(output),
        options=options,
        requested_by=_login(),
    )
    for warning in written.warnings:
        face.warn(warning)
    _warn_of_damage(face, gathered)
    face.data(msgspec.to_builtins(written), written.path)
    face.say(f"{counted(written.events, 'event')}, chain {written.chain}, report digest {written.report_sha256}")
    face.say(f"`esaa audit check {written.path}` proves it.")
    _end(gathered)


@audit.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--font-path", "font_paths", multiple=True, type=_FOLDER, help="PDF: the fonts that it was made with.")
@face_options
@pass_face
def check(face: Face, file: Path, font_paths: tuple[str, ...]) -> None:
    """Make a report again from the trail, up to the heads that it names, and compare every byte.

    What was recorded since does not matter. Ends with 0 (ok), 1 (the file differs), 2 (it cannot be read), 4 (the trail
    no longer holds what the report names).

    Example: esaa audit check .roadmap/events/reports/audit-20251222-103000.html
    """
    import msgspec

    from esaa.errors import UsageError
    from esaa.kernel.ingest import REPORT, NotIngested
    from esaa.open import open_trail
    from esaa.runtime.audit.check import check_report
    from esaa.stores.outside import read_named
    from esaa.trail.facts.wording import counted

    try:
        data = read_named(file, REPORT)
    except NotIngested as error:
        raise UsageError("REPORT_UNREADABLE", f"The report cannot be read: {error}.", "Give another file.") from error
    with _progress(face) as told:
        answer = check_report(open_trail(face.find_root()), data, font_paths=font_paths, told=told)
    recorded = ", recorded in the trail when it was made" if answer.is_recorded else ""
    since = f"; {counted(answer.events_since, 'event')} since" if answer.events_since else ""
    lines = [f"differs: {one}" for one in answer.differences]
    lines.append(
        f"{answer.status}: {answer.format} report of {counted(answer.events, 'event')} "
        f"in {counted(answer.streams, 'stream')}, "
        f"made {answer.generated_at}{recorded}{since}"
    )
    face.data(msgspec.to_builtins(answer), *lines)
    exit_with(0 if answer.status == "ok" else 1)


def _to_stdout(face: Face, gathered: Gathered, format_: str, options: FileOptions) -> None:
    from esaa.audit.request import as_format
    from esaa.errors import UsageError
    from esaa.runtime.audit.report import pieces

    if format_ == "pdf" and sys.stdout.isatty():
        raise UsageError("OUTPUT_INVALID", "A PDF is nothing for a terminal.", "Give --output FILE, or pipe it on.")
    warnings: list[str] = []
    content = pieces(gathered, as_format(format_), options, warnings)
    for warning in warnings:
        face.warn(warning)
    _warn_of_damage(face, gathered)
    sys.stdout.flush()
    if sys.stdout.isatty():
        click.echo(for_screen(b"".join(content).decode()), nl=False)
    else:
        for piece in content:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    _end(gathered)


def _warn_of_damage(face: Face, gathered: Gathered) -> None:
    evidence = gathered.report.evidence
    for finding in evidence.findings[:5]:
        face.warn(f"{finding.stream} {finding.sequence} {finding.code}: {finding.message}")
    if evidence.findings_count > 5:
        face.warn(f"and {evidence.findings_count - 5} more findings; the report has them")


def _end(gathered: Gathered) -> None:
    if gathered.report.evidence.chain != "intact":
        exit_with(_DAMAGED)


@contextmanager
def _progress(face: Face) -> Generator[Callable[[str], None], None, None]:
    """Which stream is read, on a terminal, where it takes longer than a second."""
    import time

    started = time.monotonic()
    is_shown = sys.stderr.isatty() and not face.is_quiet

    def told(text: str) -> None:
        if is_shown and time.monotonic() - started > 1:
            click.echo(f"\r\x1b[2K{plain(text)}", nl=False, err=True)

    yield told
    if is_shown and time.monotonic() - started > 1:
        click.echo("\r\x1b[2K", nl=False, err=True)


def _split(types: str | None) -> list[str]:
    return [one.strip() for one in (types or "").split(",") if one.strip()]


def _login() -> str | None:
    import getpass

    try:
        return f"user:{getpass.getuser()}"
    except (OSError, KeyError):  # a container may have no name for its user
        return None
