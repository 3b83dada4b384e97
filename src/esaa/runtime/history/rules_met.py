"""What stood behind an event: the output of the agent, as far as it is known, and the rules that it met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import UNSET

from esaa.history.entries import Entry
from esaa.history.past import Past
from esaa.history.pointers import pointer_of
from esaa.history.rules import RuleMet, rules_met
from esaa.protocol.facts import FileWritten, IssueReported, OutputRejected, TaskClaimed, TaskCompleted, TaskReviewed
from esaa.runtime.history.files import stored_content
from esaa.runtime.history.lines import fact_of
from esaa.runtime.history.sources import Sources

_ACTS = (TaskClaimed, TaskCompleted, TaskReviewed, IssueReported)
_OUTPUT_SHOWN_MAX = 64 * 1024


class RulesMet:
    """Answers for one past, with the contracts that are in force now."""

    def __init__(self, past: Past, sources: Sources) -> None:
        self._past = past
        self._sources = sources

    def met_by(self, entry: Entry) -> tuple[RuleMet, ...]:
        """The rules that an event passed, or the one that refused it. An event of the trail met none of them."""
        fact = fact_of(self._past, entry.seq)
        if fact is None:
            return ()
        task = None if entry.subject is None else self._past.part(entry.seq - 1, pointer_of(("tasks", entry.subject)))
        return rules_met(
            fact,
            entry.actor,
            rules=self._sources.rules,
            task=task if isinstance(task, dict) else None,
            files=tuple(self._written_by(entry)) if isinstance(fact, TaskCompleted) else (),
        )

    def _written_by(self, entry: Entry) -> Iterator[str]:
        """The files that an output brought."""
        for seq in self._past.caused_by(entry.event_id):
            fact = fact_of(self._past, seq)
            if isinstance(fact, FileWritten):
                yield from fact.files

    def output_behind(self, entry: Entry, causes: Iterable[Entry]) -> dict[str, Any] | None:
        """The output that led to an event: of the nearest event that records one; None where no agent stood behind it.

        Its text is there where it was kept: an accepted output stands in its event, a refused one lies in the blobs.
        """
        for one in (entry, *causes):
            fact = fact_of(self._past, one.seq)
            if isinstance(fact, OutputRejected):
                return self._refused(one, fact)
            if isinstance(fact, _ACTS):
                return {
                    "seq": one.seq,
                    "agent": one.actor,
                    "action": one.name,
                    "task_id": fact.task_id,
                    "is_accepted": True,
                    **_provenance(fact.provenance),
                    "result": {"notes": None if fact.notes is UNSET else fact.notes},
                }
        return None

    def _refused(self, entry: Entry, fact: OutputRejected) -> dict[str, Any]:
        digest = fact.output_sha256 if isinstance(fact.output_sha256, str) else None
        kept = None if digest is None else stored_content(self._sources, digest).data
        return {
            "seq": entry.seq,
            "agent": None if fact.rejected_actor is UNSET else fact.rejected_actor,
            "action": fact.source_action,
            "task_id": fact.task_id,
            "is_accepted": False,
            **_provenance(fact.provenance),
            "result": None if kept is None else kept[:_OUTPUT_SHOWN_MAX].decode("utf-8", "replace"),
        }


def _provenance(value: Any) -> dict[str, Any]:
    """Where an output came from, as the orchestrator noted it. It comes from a log, so it may be anything."""
    return dict(value) if isinstance(value, dict) else {}
