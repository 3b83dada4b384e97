"""The trail as a whole: `esaa trail list`, `check`, `feed`, `archive`, `merge`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.anchored import checkpoint_options, given_checkpoint, parse_key, reach
from esaa.cli.face import Face, FaceGroup, exit_with, face_options, pass_face

if TYPE_CHECKING:
    from esaa.runtime.trail.trail import Trail
    from esaa.runtime.trail.verification import StreamVerdict

_SHOWN_MAX = 20
_SAMPLES = 10


@click.group(cls=FaceGroup)
@face_options
def trail() -> None:
    """The audit trail as a whole: what it holds, whether it is sound, and how it grows old.

    Example: esaa trail check
    """


@trail.command(name="list")
@face_options
@pass_face
def list_(face: Face) -> None:
    """Name the streams of the trail: how many events each has, and when the last one was.

    Example: esaa trail list
    """
    from esaa.cli.terminal import columns
    from esaa.open import open_trail

    opened = open_trail(face.find_root())
    rows: list[tuple[str, str, str]] = []
    for name in opened.store.names():
        tip = opened.store.stream(name).tip()
        rows.append((name, str(tip.head.version), tip.ts))
    face.data([{"stream": one, "events": int(n), "last_event_at": ts} for one, n, ts in rows], *columns(rows))


@trail.command()
@click.option("--issue", "issues", multiple=True, metavar="KEY", help="Only this stream. May be given often.")
@checkpoint_options
@face_options
@pass_face
def check(face: Face, issues: tuple[str, ...], checkpoints: tuple[Path, ...], vkeys: tuple[str, ...]) -> None:
    """Verify every stream, and measure the six success metrics of the trail.

    Ends with 4 where a stream is damaged, with 1 where a metric misses its target.

    Example: esaa trail check
    """
    from esaa.cli.moments import builtins
    from esaa.cli.terminal import columns
    from esaa.config import load_config
    from esaa.open import find_log, open_trail
    from esaa.runtime.trail.check import check_trail
    from esaa.runtime.trail.states import check_stream
    from esaa.runtime.verification.checkpoint_audit import Knowledge

    root = face.find_root()
    opened = open_trail(root)
    for issue in issues:
        check_stream(issue)
    try:
        log: Path | None = find_log(root)
    except Exception:  # a trail needs no governed run
        log = None
    report = check_trail(
        opened,
        log,
        _queries(opened, face),
        issues or None,
        told=_progress(face),
        knowledge=Knowledge(Path(load_config().config_dir)),
        keys=[parse_key(one) for one in vkeys],
        given=[given_checkpoint(one) for one in checkpoints],
    )
    lines: list[str] = []
    for verdict in report.verdicts:
        lines += _complaints(verdict)
    signed = [one for one in report.verdicts if one.trust.signed_through is not None]
    lines += [f"{one.stream}: {reach(one.trust)}" for one in signed[:_SHOWN_MAX]]
    if len(signed) > _SHOWN_MAX:
        lines.append(f"and {len(signed) - _SHOWN_MAX} more signed streams (--json has them)")
    rows = [("", "metric", "target", "measured")]
    rows += [("ok" if one.is_met else "MISSED", one.name, one.target, one.measured) for one in report.metrics]
    heads = [
        {
            "stream": one.stream,
            "events": one.events,
            "head_sequence": one.head_sequence,
            "head_leaf_hash": one.head_leaf_hash,
            "merkle_root": one.merkle_root,
            "trust": builtins(one.trust),
            "errors": builtins(one.errors),
            "warnings": builtins(one.warnings),
        }
        for one in report.verdicts
    ]
    face.data(
        {"is_sound": report.is_sound, "metrics": builtins(report.metrics), "streams": heads}, *lines, *columns(rows)
    )
    exit_with(4 if not report.is_sound else 0 if report.is_met else 1)


@trail.command()
@face_options
@pass_face
def feed(face: Face) -> None:
    """Bring the trail up to the governed log: every event of the run that is not told yet.

    Example: esaa trail feed
    """
    from esaa.open import find_log, open_feed

    root = face.find_root()
    find_log(root)
    feed = open_feed(root)
    told = feed.catch_up()
    for notice in feed.finish():
        face.warn(notice)
    face.data({"events_recorded": told}, f"{told} events recorded from the governed log")


@trail.command()
@click.option("--dry-run", is_flag=True, help="Say what would be archived and deleted, do nothing.")
@face_options
@pass_face
def archive(face: Face, dry_run: bool) -> None:
    """Archive and delete what is past its time (`cleanup` in event-sourcing.yaml). Proofs of deleted events stay.

    Example: esaa trail archive --dry-run
    """
    from esaa.cli.moments import builtins
    from esaa.open import open_trail
    from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
    from esaa.runtime.trail.retention import retire

    opened = open_trail(face.find_root())
    if not opened.settings.cleanup.enabled:
        face.say("cleanup.enabled is false: nothing is archived or deleted")
    with TrailRecorder(opened, actor=RECORDER) as recorder:
        done = retire(recorder, dry_run=dry_run)
    verb = {"archive": "archived", "delete": "deleted"}
    prefix = "would be " if dry_run else ""
    face.data(
        {"dry_run": dry_run, "segments": builtins(done)},
        *(
            f"{prefix}{verb[one.act]}: {one.stream} #{one.first_sequence} to #{one.last_sequence}, {one.path}"
            for one in done
        ),
    )
    face.say(f"{len(done)} segments {prefix}retired")


@trail.command()
@click.argument("other", required=False, metavar="[OTHER]", type=click.Path(path_type=Path))
@click.option(
    "--driver",
    nargs=3,
    metavar="BASE OURS THEIRS",
    type=click.Path(path_type=Path, dir_okay=False),
    help="As a merge driver of git: join THEIRS into the file OURS.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be joined, change nothing.")
@face_options
@pass_face
def merge(face: Face, other: Path | None, driver: tuple[Path, Path, Path] | None, dry_run: bool) -> None:
    """Join the trail in the folder OTHER into this one; without OTHER, join what came together inside this one.

    OTHER is a workspace or the folder of its events. Concurrent events are named. Merging twice changes nothing, and it
    does not matter on which side it is done. As a driver for git: `git config merge.esaa.driver "esaa trail merge
    --driver %O %A %B"` and `events*.jsonl merge=esaa` in .gitattributes; then run `esaa trail merge`.

    Example: esaa trail merge ../other-machine --dry-run
    """
    from esaa.cli.moments import builtins
    from esaa.open import open_trail
    from esaa.runtime.trail.merge import merge_files, merge_stores, rejoin, write_file
    from esaa.stores.disk import Disk
    from esaa.stores.trail import TrailStore

    if driver is not None:
        _, ours, theirs = driver
        joined = merge_files(ours, theirs)
        if not dry_run:
            write_file(ours, joined, Disk())
        face.say(f"{len(joined.lines)} events, {joined.concurrent_pairs} concurrent pairs")
        return
    opened = open_trail(face.find_root())
    if other is None:
        done = rejoin(opened, dry_run=dry_run)
    else:
        base = open_trail(other).store.base if (other / ".roadmap").is_dir() else other
        done = merge_stores(opened, TrailStore(base, opened.settings.storage, Disk()), dry_run=dry_run)
    changed = [one for one in done if one.is_changed]
    verb = "would be joined" if dry_run else "joined"
    lines = [
        f"{one.stream}: {verb}, {one.before} events before, {one.events} now, {one.concurrent_pairs} concurrent pairs"
        for one in changed
    ]
    lines += [f"  {a} and {b} are concurrent" for one in changed for a, b in one.concurrent[:_SHOWN_MAX]]
    face.data({"dry_run": dry_run, "streams": builtins(done)}, *lines)
    face.say(f"{len(changed)} of {len(done)} streams {verb}")


def _queries(opened: Trail, face: Face) -> list[Callable[[], object]]:
    """Questions as people ask them: an issue's newest events, a type, an actor, a day, words. The first one, which
    may bring the index up to date, is asked before."""
    from functools import partial

    from esaa.query.filters import Query
    from esaa.query.finder import open_index

    finder = open_index(opened.store, opened.settings.indexing, opened.types, say=face.say)
    newest = finder.search(Query(limit=50)).events
    queries = [Query(limit=50), Query(text="agent", limit=50)]
    for located in newest[:: max(len(newest) // _SAMPLES, 1)]:
        event = located.event
        key = event.fact.issue_key
        queries += [
            Query(issue_keys=(key,) if key else (), limit=50),
            Query(event_types=(event.fact.event_type,), limit=50),
            Query(actors=(event.actor,), limit=50),
            Query(since=event.ts, limit=50),
            Query(event_id=event.event_id),
        ]
    return [partial(finder.search, query) for query in queries]


def _complaints(verdict: StreamVerdict) -> list[str]:
    found = [("error", one) for one in verdict.errors] + [("warning", one) for one in verdict.warnings]
    lines = [f"{kind}: {verdict.stream} #{one.line} {one.code}: {one.message}" for kind, one in found[:_SHOWN_MAX]]
    if len(found) > _SHOWN_MAX:
        lines.append(f"{verdict.stream}: and {len(found) - _SHOWN_MAX} more (--json has them)")
    return lines


def _progress(face: Face) -> Callable[[str], None]:
    import time

    from esaa.cli.terminal import plain

    started = time.monotonic()

    def told(text: str) -> None:
        if time.monotonic() - started > 1 and sys.stderr.isatty() and not face.is_quiet:
            click.echo(f"\r\x1b[2K{plain(text)}", nl=False, err=True)

    return told
