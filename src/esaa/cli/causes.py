"""`esaa why` and `esaa graph`: what led to an event, and what followed from it."""

from __future__ import annotations

import click

from esaa.cli.face import Face, face_options, pass_face
from esaa.cli.pasts import behind_lines, builtins, entry_line, issue_option, opened


@click.command()
@click.argument("event", metavar="REF")
@issue_option
@face_options
@pass_face
def why(face: Face, event: str, issue: str | None) -> None:
    """Say why an event is there: its causes, its effects, the output behind it, and the rules that it met.

    Example: esaa why 42
    """
    with opened(face, issue) as machine:
        answer = machine.why(event)
    lines = [entry_line(answer.entry)]
    lines += [f"  because of  {entry_line(one)}" for one in answer.causes]
    lines += [f"  needed      {entry_line(one)}" for one in answer.premises]
    lines += [f"  led to      {entry_line(one)}" for one in answer.effects]
    face.data(builtins(answer), *lines, *behind_lines(answer.output, answer.rules))


@click.command()
@click.argument("event", metavar="REF")
@click.option("--depth", type=click.IntRange(0, 50), default=3, show_default=True, help="How many steps to go.")
@click.option("--critical", is_flag=True, help="Only the slowest chain, with the time between its events.")
@issue_option
@face_options
@pass_face
def graph(face: Face, event: str, depth: int, critical: bool, issue: str | None) -> None:
    """Draw what led to an event and what followed from it, so many steps both ways.

    Example: esaa graph 42 --depth 5
    """
    with opened(face, issue) as machine:
        answer = machine.graph(event, depth=depth)
    entries = {node.seq: node for node in answer.nodes}
    if critical:
        seconds = {(edge.cause, edge.effect): edge.seconds for edge in answer.edges}
        lines = []
        for index, seq in enumerate(answer.critical):
            took = seconds.get((answer.critical[index - 1], seq)) if index else None
            lines.append(f"{'' if took is None else f'+{took:g} s':>10}  {entry_line(entries[seq])}")
    else:
        lines = _tree(answer.at, {seq: entry_line(one) for seq, one in entries.items()}, answer.edges)
    face.data(builtins(answer), *lines)
    if answer.is_cut:
        face.say("there is more; --depth goes farther")


def _tree(seq: int, texts: dict[int, str], edges: tuple[object, ...]) -> list[str]:
    """The events as a tree: each below its cause, the one in question marked."""
    from esaa.history.causation import Edge

    below: dict[int, list[int]] = {}
    caused: set[int] = set()
    for edge in edges:
        assert isinstance(edge, Edge)
        below.setdefault(edge.cause, []).append(edge.effect)
        caused.add(edge.effect)
    roots = [one for one in texts if one not in caused] or [min(texts)]
    lines: list[str] = []
    seen: set[int] = set()
    stack = [(one, 0) for one in reversed(roots)]
    while stack:
        one, depth = stack.pop()
        mark = "*" if one == seq else " "
        again = " (again)" if one in seen else ""
        lines.append(f"{mark} {'  ' * depth}{texts[one]}{again}")
        if one not in seen:
            seen.add(one)
            stack += [(next_one, depth + 1) for next_one in sorted(below.get(one, ()), reverse=True)]
    return lines
