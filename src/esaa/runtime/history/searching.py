"""The first event after which something does not hold, and the first one in which two pasts differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from esaa.errors import UsageError
from esaa.history.bisect import CONTROLS, Controls, Verdict, bisect
from esaa.history.divergence import Likeness, first_divergence, model_divergence
from esaa.history.log_document import named_lessons
from esaa.history.past import Past
from esaa.history.predicates import Predicate
from esaa.runtime.history.commands import command
from esaa.runtime.history.views import BisectView, DivergenceView


def bisect_where(past: Past, where: str, good: int, bad: int, *, look: Callable[[], None] = lambda: None) -> BisectView:
    """The first event after which a predicate over the state does not hold. Raises `UsageError`, and what `look` raises
    before a moment is tried."""
    predicate = Predicate(where)

    def verdict(seq: int) -> Verdict:
        look()
        return "good" if predicate.holds_at(past, seq) else "bad"

    said = command(past, "bisect", f"{good}..{bad}", "--where", where)
    moments = predicate.moments(past, good, bad)
    return bisect_by(past, verdict, good, bad, said=said, controls=CONTROLS if moments is None else moments)


def bisect_by(
    past: Past, verdict: Callable[[int], Verdict], good: int, bad: int, *, said: str, controls: Controls = 0
) -> BisectView:
    """The same with any verdict over a seq. Raises `UsageError`."""
    found = bisect(verdict, good, bad, controls=controls)
    return BisectView(
        past=past.name,
        at=bad,
        cli=said,
        good=good,
        bad=bad,
        first_bad=None if found.first_bad is None else past.entry(found.first_bad),
        steps=found.steps,
        suspects=found.suspects,
        is_monotone=found.is_monotone,
        note=found.note,
    )


def divergence_view(past: Past, other: Past, likeness: Likeness, where: str) -> DivergenceView:
    """How far two pasts are the same, and where they part. `where` names the other one on the command line."""
    found = first_divergence(past, other, likeness)
    return DivergenceView(
        past=past.name,
        at=past.head(),
        cli=command(past, "diff", "--against", where, *(["--by-meaning"] if likeness == "meaning" else [])),
        same_until=found.same_until,
        first=found.first,
    )


def model_view(past: Past, seq: int, data: bytes, where: str) -> DivergenceView:
    """How a read model (`roadmap.json`, `issues.json`, `lessons.json`) differs from the state after an event."""
    found = model_divergence(past, _members_of(data, where), seq)
    return DivergenceView(
        past=past.name,
        at=seq,
        cli=command(past, "diff", "--against", where),
        same_until=found.same_until,
        first=found.first,
    )


def _members_of(data: bytes, where: str) -> dict[str, Any]:
    """The tasks, issues or lessons of a read model in the shape of the state document."""
    try:
        model = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_model(where, "it is no JSON") from error
    members: dict[str, Any] = {}
    for member, key in (("tasks", "task_id"), ("issues", "issue_id")):
        rows = model.get(member) if isinstance(model, dict) else None
        if isinstance(rows, list) and all(isinstance(row, dict) and isinstance(row.get(key), str) for row in rows):
            members[member] = {row[key]: row for row in rows}
    lessons = model.get("lessons") if isinstance(model, dict) else None
    if isinstance(lessons, list) and all(isinstance(row, dict) for row in lessons):
        members["lessons"] = dict(named_lessons(lessons))
    if not members:
        raise _no_model(where, "it has neither tasks nor issues nor lessons")
    return members


def _no_model(where: str, why: str) -> UsageError:
    return UsageError("MODEL_INVALID", f"{where} is no read model: {why}.", "Name roadmap.json, issues.json, a log.")
