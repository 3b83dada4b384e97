"""`esaa metrics`: how runs and agents do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, face_options, pass_face
from esaa.cli.pasts import opened

if TYPE_CHECKING:
    from esaa.audit.run_metrics import Metrics, RunMetrics
    from esaa.runtime.trail.trail import Trail
    from esaa.trail.facts.orchestration import RunMeasured


@click.command()
@click.option("--run", "run_id", metavar="ID", help="This run alone (default: every run).")
@click.option("--agent", metavar="NAME", help="The outputs of this agent alone.")
@click.option("--at", "moment", metavar="REF", help="As it was then: 12, HEAD~3, a time, @{2h} or an event id.")
@face_options
@pass_face
def metrics(face: Face, run_id: str | None, agent: str | None, moment: str | None) -> None:
    """Count attempts, acceptance, rejections, tokens and cost of runs and agents, and say where the time went.

    Tokens and cost are what the agents said. Times are those of `esaa run`, as it told the trail.

    Example: esaa metrics --run RUN-0001
    """
    import msgspec

    from esaa.audit.run_metrics import run_metrics
    from esaa.cli.terminal import columns
    from esaa.errors import NotFound
    from esaa.open import open_trail
    from esaa.query.history.opening import has_index

    if moment is None and not has_index(face.find_root()):
        # To count the events once costs less than to make the index.
        workspace = face.workspace()
        found = run_metrics(workspace.events(), _measured(open_trail(workspace.root)), agent=agent)
    else:
        with opened(face, None) as machine:
            if moment is None and machine.damage is not None:
                raise machine.damage
            found = machine.run_metrics(moment or "HEAD", agent=agent)
    chosen = [one for one in found if run_id is None or one.run_id == run_id]
    if run_id is not None and not chosen:
        raise NotFound("RUN_NOT_FOUND", f"There is no run {run_id[:80]!r}.", "`esaa metrics` names them.")
    lines: list[str] = []
    for run in chosen:
        lines += [_headline(run), *columns([_HEAD, *(_row(name, one) for name, one in sorted(run.agents.items()))])]
    face.data([msgspec.to_builtins(one) for one in chosen], *lines)


_HEAD = ("", "attempts", "accepted", "rejected", "tokens in", "tokens out", "cost", "calls", "works", "rejections")


def _headline(run: RunMetrics) -> str:
    from esaa.trail.facts.wording import seconds

    share = "" if run.overhead_share is None else f" ({run.overhead_share:.1%} of the agents' time)"
    acceptance = "" if run.acceptance is None else f", {run.acceptance:.0%} accepted"
    return (
        f"{run.run_id}: {run.status or 'open'}, {run.attempts} attempts{acceptance}; at work for"
        f" {seconds(run.elapsed_seconds)}, agents worked {seconds(run.working_seconds)},"
        f" nobody worked {seconds(run.waiting_seconds)}, overhead {run.overhead_cpu_seconds:g} s of CPU{share}"
    )


def _row(name: str, one: Metrics) -> tuple[str, ...]:
    from esaa.trail.facts.wording import quantity, seconds

    cost = quantity(one.cost_micro_usd, "micro_usd") if one.cost_micro_usd else "-"
    unpriced = f" + {one.unpriced} unpriced" if one.unpriced else ""
    codes = ", ".join(f"{count} {code}" for code, count in sorted(one.rejections.items()))
    return (
        name,
        str(one.attempts),
        str(one.accepted),
        str(one.rejected),
        f"{one.tokens_in:,}",
        f"{one.tokens_out:,}",
        cost + unpriced,
        str(one.calls),
        seconds(one.working_seconds),
        codes or "-",
    )


def _measured(trail: Trail) -> Iterator[RunMeasured]:
    """What `esaa run` told of its processes."""
    from esaa.trail.facts.orchestration import RunMeasured

    for stream in trail.store.names():
        for located in trail.store.stream(stream).events():
            if located.event.fact.event_type == RunMeasured.__name__:
                fact = trail.types.fact_of(located.event)
                if isinstance(fact, RunMeasured):
                    yield fact
