"""The first page, once for every page format: the title, the verdict, the figures, and what the report rests on."""

from __future__ import annotations

from typing import NamedTuple

from esaa.audit.render.tables import time_text
from esaa.audit.report import Report
from esaa.audit.request import Format, command_of
from esaa.trail.facts.wording import counted, dollars, seconds


class Figure(NamedTuple):
    """One figure of the summary: its name, its value, a remark, and whether it asks for attention."""

    name: str
    value: str
    remark: str = ""
    is_alarming: bool = False


class Fact(NamedTuple):
    """A line of the first page. `is_code` says that it is a digest, an id or a command."""

    name: str
    value: str
    is_code: bool = False


def title_of(report: Report) -> str:
    """What the report is about, in a few words."""
    sections = list(report.sections.values())
    if report.request.by == "issue" and len(sections) == 1:
        only = sections[0]
        return f"{only.key}: {only.title}" if only.title else only.key
    if report.request.issue_keys:
        return ", ".join(report.request.issue_keys[:6]) + (" and others" if len(report.request.issue_keys) > 6 else "")
    return "All issues" if report.request.is_whole else "Selected events"


def scope_of(report: Report) -> str:
    """Which events the report is about, in a sentence."""
    request = report.request
    parts = [
        f"of {', '.join(request.issue_keys)}" if request.issue_keys else "of every stream",
        f"from {_time(request.from_time)}" if request.from_time else "",
        f"until {_time(request.to_time)}" if request.to_time else "",
        f"of the types {', '.join(request.event_types)}" if request.event_types else "",
    ]
    return f"The events {' '.join(part for part in parts if part)}, by {request.by}. All times are UTC."


def verdict_of(report: Report) -> tuple[bool, str]:
    """Whether all chains hold, and what that means."""
    evidence = report.evidence
    checked = sum(head.sequence - head.first_sequence + 1 for head in evidence.heads)
    streams = counted(len(evidence.heads), "stream")
    if evidence.chain == "intact":
        if not evidence.heads:
            return True, "There are no events to check."
        return True, f"Chain intact. {checked:,} events in {streams} were checked; each names the line before it."
    broken = counted(evidence.findings_count, "finding")
    return False, f"Chain broken. In {streams}: {broken}. Rely on nothing below before that is explained."


def figures_of(report: Report) -> list[Figure]:
    """The figures of the summary; those that say nothing are left out."""
    totals = report.totals
    streams = len(report.evidence.heads)
    first = f"in {totals.streams:,} of {counted(streams, 'stream')}" if streams != totals.streams else ""
    first = first or f"in {counted(streams, 'stream')}"
    found = [
        Figure("Events", f"{totals.events:,}", first),
        Figure("Actors", f"{totals.actors:,}", counted(totals.agents, "agent")),
    ]
    if totals.duration_seconds is not None:
        found.append(Figure("Span", seconds(round(totals.duration_seconds)), "first to last event"))
    if totals.phases_completed:
        found.append(Figure("Phases completed", f"{totals.phases_completed:,}"))
    if totals.tasks:
        found.append(Figure("Tasks done", f"{totals.tasks_done:,}", f"of {totals.tasks:,}"))
    if totals.commits or totals.pull_requests:
        merged = f"{counted(totals.pull_requests, 'pull request')}, {totals.pull_requests_merged:,} merged"
        found.append(Figure("Commits", f"{totals.commits:,}", merged))
    if totals.gaps:
        found.append(Figure("Gaps", f"{totals.gaps:,}", f"{totals.gaps_open:,} open", totals.gaps_open > 0))
    found.append(Figure("Errors", f"{totals.errors:,}", f"{totals.errors_open:,} not settled", totals.errors_open > 0))
    if totals.rejections:
        found.append(Figure("Refused", f"{totals.rejections:,}", "outputs and tools"))
    if totals.tests_passed or totals.tests_failed:
        remark = f"{totals.tests_failed:,} failed"
        found.append(Figure("Tests passed", f"{totals.tests_passed:,}", remark, totals.tests_failed > 0))
    if totals.checks_passed or totals.checks_failed:
        remark = f"{totals.checks_failed:,} failed"
        found.append(Figure("Checks passed", f"{totals.checks_passed:,}", remark, totals.checks_failed > 0))
    if totals.cost_micro_usd is not None:
        found.append(Figure("Cost", dollars(totals.cost_micro_usd), _tokens(report)))
    elif totals.tokens_in is not None or totals.tokens_out is not None:
        found.append(Figure("Tokens", f"{(totals.tokens_in or 0) + (totals.tokens_out or 0):,}", _tokens(report)))
    return found


def facts_of(report: Report, format_: Format) -> list[Fact]:
    """What the report rests on: the digests, the versions, and how to make it again."""
    evidence = report.evidence
    conformance = evidence.conformance
    faulty = conformance.unknown_type + conformance.not_fitting
    schema = "every event fits its type" if not faulty else f"{counted(faulty, 'event')} do not fit their type"
    more = [
        (conformance.with_findings, "recorded with findings"),
        (conformance.redacted, "with secrets taken out"),
        (conformance.told_late, "told with an earlier time of their own"),
    ]
    schema += "".join(f"; {number:,} {what}" for number, what in more if number)
    return [
        Fact("Report digest", evidence.report_sha256, True),
        Fact("Digest of all heads", evidence.heads_sha256, True),
        Fact("Digest of the events", evidence.selection.sha256, True),
        Fact("Schema", f"trail {evidence.schema_version}, report {evidence.report_version}: {schema}"),
        Fact("Made by", f"{evidence.generator.name} {evidence.generator.version}, {_time(report.generated_at)}"),
        Fact("Make it again", command_of(report.request, format_), True),
    ]


CHECK_NOTE = (
    "The heads name the last line of each stream by its hash, and through the chain every line before it. "
    "`esaa audit check FILE` makes this report again from the trail, up to these heads, and compares. "
    "The report digest covers all that the report says but the moment of its making. "
    "A chain shows what was changed inside it, not that all of it was written anew: keep this report, or a head of it, "
    "where the writers of the trail cannot reach it."
)
"""How the evidence is to be read."""


def _tokens(report: Report) -> str:
    totals = report.totals
    return f"{totals.tokens_in or 0:,} tokens in, {totals.tokens_out or 0:,} out"


def _time(ts: str | None) -> str:
    return f"{time_text(ts)} UTC" if ts else ""
