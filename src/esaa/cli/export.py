"""`esaa export`: a run as one file that anyone can open."""

from __future__ import annotations

from pathlib import Path

import click

from esaa.cli.face import Face, face_options, pass_face


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--html", "is_html", is_flag=True, required=True, help="As one HTML file (the only form there is).")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: RUN.html.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@face_options
@pass_face
def export(face: Face, run_id: str, is_html: bool, output: Path | None, force: bool) -> None:
    """Put the page of a run into one file: read-only, with all its data, and it opens without a server.

    Every screen works but what-if and bisect. Contents of files are in it: look at whom you give it to.

    Example: esaa export --html RUN-0001 --output run.html
    """
    from esaa.cli.pasts import opened
    from esaa.errors import UsageError
    from esaa.stores.disk import Disk
    from esaa.stores.layout import ROADMAP
    from esaa.stores.notes import NoteStore
    from esaa.web.built_page import BuiltPage
    from esaa.web.export import export_run

    root = face.find_root()
    path = output or Path(f"{''.join(one if one.isalnum() or one in '-_.' else '-' for one in run_id)[:100]}.html")
    if path.exists() and not force:
        raise UsageError("OUTPUT_EXISTS", f"{path} is there already.", "Name another file with --output, or --force.")
    if not path.absolute().parent.is_dir():
        raise UsageError("FOLDER_NOT_FOUND", f"There is no folder {path.parent}.", "Make it first.")
    with opened(face, None) as machine:
        done = export_run(machine, run_id, BuiltPage().files(), NoteStore(root / ROADMAP, Disk()).all())
    Disk().replace_file(path, done.html, durable=False)
    for one in done.left_out:
        face.say(one)
    answer = {
        "path": str(path),
        "bytes": len(done.html),
        "run_id": done.run_id,
        "events": done.events,
        "left_out": list(done.left_out),
    }
    face.data(answer, f"{done.run_id}: {done.events} events in {path} ({len(done.html) // 1024} KiB)")
