"""`esaa rejections`: what was asked, which rule refused it, what came next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, face_options, pass_face
from esaa.cli.pasts import builtins, ends_of, entry_line, issue_option, opened, short

if TYPE_CHECKING:
    from esaa.runtime.history.rejections import RejectionView


@click.command()
@click.argument("moments", metavar="[REF|A..B]", required=False)
@click.option("-n", "count", type=click.IntRange(1), default=100, show_default=True, help="Only the last COUNT.")
@issue_option
@face_options
@pass_face
def rejections(face: Face, moments: str | None, count: int, issue: str | None) -> None:
    """Tell what was refused: what was asked, which rule refused it, and what came next.

    A refused output is kept without its secrets, where the storage policy makes no texts erasable.

    Example: esaa rejections HEAD~100..
    """
    first, last = ends_of(moments)
    if moments and ".." not in moments:
        last = first
    begin = "1" if first == "0" else first
    with opened(face, issue) as machine:
        total = machine.rejections(last, first=begin, count=0).total
        answer = machine.rejections(last, first=begin, offset=max(total - count, 0), count=count)
    face.data(builtins(answer), *(line for one in answer.rejections for line in _lines(one)))
    if answer.offset:
        face.say(f"{answer.offset} older ones; -n shows more")
    elif not answer.total:
        face.say("nothing was refused")


def _lines(one: RejectionView) -> Iterator[str]:
    asked, rule = one.asked, one.rule
    yield entry_line(one.entry)
    yield f"  asked by    {asked.actor or '-'}: {asked.action or 'an output'} on {asked.task_id or '-'}"
    if asked.output is not None:
        yield f"  asked for   {short(asked.output)}"
    if asked.note:
        yield f"  note        {asked.note}"
    yield f"  refused by  {rule.layer}: {rule.error_code}" + (f" ({rule.hint})" if rule.hint else "")
    if one.next is not None:
        yield f"  then        {entry_line(one.next)}"
