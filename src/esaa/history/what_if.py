"""What would have happened: a copy of the log with some of it changed, every later decision put to the rules again.

Two worlds are folded side by side: the one of the log, and the imagined one. What was asked is put to the rules in
both, at the time that was recorded. Where the rules, asked in the world of the log, do not say what the log says, no
answer about the imagined world is worth anything: then the event is taken over as it is, and labelled. Agents are not
asked again; what they sent then is what they send here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.history.asked import Asked, AskedOutput, ContentOf, Witnessed, asked_of, refusal_of
from esaa.history.decisions import Decision, decisions
from esaa.history.edits import Edits, Inserted, edited_event, edited_output, no_output
from esaa.history.trial import NO_CHECKS, Trial, try_once
from esaa.history.world import World
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, FileWritten, OutputRejected
from esaa.protocol.summary import summary, task_of
from esaa.protocol.wire import action_of

Was = Literal["accepted", "rejected", "absent"]
Is = Literal["accepted", "rejected", "dropped", "not_judged"]

_COUNTED = (
    "decisions",
    "accepted",
    "rejected",
    "not_judged",
    "dropped",
    "edited",
    "inserted",
    "newly_accepted",
    "newly_rejected",
)
OTHER_RULES = "the rules of today do not decide it as the log says"
OUTSIDE = "it hung on more than the log has: files on the disk, a merge, a command's outcome, a signature"
AS_EDITED = "it stands as it was edited"

_SURE_LAYERS = frozenset({"vocabulary", "state_machine", "boundary", "immutability"})
"""What these layers refuse, they refuse whatever a file's content or a command's outcome may be."""
_BY_CONTENT = frozenset(
    {"EDIT_BASE_MISMATCH", "EDIT_TARGET_NOT_FOUND", "EDIT_AMBIGUOUS", "EDIT_INVALID", "RESOURCE_LIMIT_EXCEEDED"}
)
"""But for these, which are about a file's content."""
_OUTSIDE_CODES = _BY_CONTENT | {
    "APPROVAL_DENIED",
    "CHECK_FAILED",
    "CHECK_NOT_RUN",
    "IDENTITY_INVALID",
    "IDENTITY_MISSING",
    "IDENTITY_REPLAYED",
    "MISSING_HEADING",
    "PATH_INVALID",
    "WRITE_CONFLICT",
}


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decision, as it was and as it would have been.

    - `seq`: the event; of what was inserted, the event that it comes after.
    - `error_code`, `message`: why it would be refused; `was_error_code` why it was.
    - `is_edited`: it was changed on purpose.
    - `note`: why it was not judged; empty where it was. Then what was recorded stays.
    """

    seq: int
    actor: str
    name: str
    subject: str | None
    summary: str
    was: Was
    is_: Is = msgspec.field(name="is")
    error_code: str | None = None
    message: str | None = None
    was_error_code: str | None = None
    is_edited: bool = False
    note: str = ""

    @property
    def is_changed(self) -> bool:
        """True where it is otherwise than it was, or was changed on purpose."""
        was = (self.was, self.was_error_code)
        return self.is_edited or (self.is_ != "not_judged" and (self.is_, self.error_code) != was)


class Imagined:
    """What would have happened, and the two worlds at the end.

    `outcomes` are the changed decisions, `counts` tells of all, `not_judged` of those that were taken over, by why.
    """

    def __init__(self, actual: World, other: World) -> None:
        self.actual = actual
        self.other = other
        self.outcomes: list[Outcome] = []
        self.counts: Counter[str] = Counter(dict.fromkeys(_COUNTED, 0))
        self.not_judged: Counter[str] = Counter()
        self.first_divergence: int | None = None

    def add(self, outcome: Outcome) -> None:
        """One more decision."""
        self.counts["decisions"] += outcome.was != "absent"
        self.counts[outcome.is_] += 1
        self.counts["edited"] += outcome.is_edited and outcome.is_ != "dropped" and outcome.was != "absent"
        self.counts["inserted"] += outcome.was == "absent"
        self.counts["newly_accepted"] += (outcome.was, outcome.is_) == ("rejected", "accepted")
        self.counts["newly_rejected"] += (outcome.was, outcome.is_) == ("accepted", "rejected")
        if outcome.note:
            self.not_judged[outcome.note] += 1
        if outcome.is_changed:
            self.outcomes.append(outcome)
            if self.first_divergence is None:
                self.first_divergence = outcome.seq


def imagine(
    events: Iterable[Recorded[Fact]],
    edits: Edits,
    rules: Governance,
    content_of: ContentOf,
    *,
    other_rules: Governance | None = None,
    progress: Callable[[int], None] | None = None,
) -> Imagined:
    """Folds the log twice. Without edits and other rules everything is decided again, and nothing should change.

    `rules` are those in force. Before the first edit nothing is judged, unless there are other rules, or no edits.
    Raises `UsageError` for an edit that does not fit.
    """
    first = edits.first if other_rules is None else None
    run = _Run(edits, rules, other_rules or rules, content_of, is_shared=first is not None)
    for decision in decisions(events):
        last = decision.events[-1].version
        if first is not None and last >= first:
            run.part()
        run.take(decision)
        if progress is not None:
            progress(last)
    run.part()
    return run.found


class _Run:
    """The two worlds on their way through the log. While they are shared, only one of them is folded."""

    def __init__(
        self, edits: Edits, rules: Governance, other_rules: Governance, content_of: ContentOf, *, is_shared: bool
    ) -> None:
        self.found = Imagined(World(rules), World(other_rules))
        self._edits = edits
        self._content_of = content_of
        self._is_shared = is_shared

    def part(self) -> None:
        """From here on the imagined world goes its own way."""
        if self._is_shared:
            self._is_shared = False
            self.found.other = self.found.actual.copy(self.found.other.rules)

    def take(self, decision: Decision) -> None:
        """One more decision of the log, and what is inserted after it."""
        if not self._is_shared:
            self._imagine(decision)
        self.found.actual.take(decision.events)
        for recorded in decision.events:
            for one in self._edits.inserted.get(recorded.version, ()):
                self._insert(one, recorded)

    def _imagine(self, decision: Decision) -> None:
        head, edits, content_of = decision.head, self._edits, self._content_of
        actual, other = self.found.actual, self.found.other
        asked = asked_of(decision, content_of)
        if head.version in edits.dropped:
            self._tell(decision, "dropped", None, is_edited=True)
            return
        is_edited = edits.touches(decision)
        imagined = _edited(decision, edits) if is_edited else decision
        wanted = _asked(asked, imagined, edits, content_of) if is_edited else asked
        control = try_once(asked, actual, actual, head.ts, content_of)
        trial = try_once(wanted, other, actual, imagined.head.ts, content_of)
        if control is None or trial is None:
            why = wanted.why if isinstance(wanted, Witnessed) else ""
            if why or is_edited:
                self._tell(imagined, "not_judged", None, is_edited=is_edited, note=why or AS_EDITED)
            other.take(imagined.events)
            return
        doubt = _doubt(_refusal(decision), control, trial)
        if doubt:
            self._tell(imagined, "not_judged", None, is_edited=is_edited, note=doubt)
            other.take(imagined.events)
            return
        verdict: Is = "accepted" if trial.refusal is None else "rejected"
        self._tell(imagined, verdict, trial.refusal, is_edited=is_edited)
        other.take(_copied(trial, decision, imagined, edits))

    def _tell(
        self, decision: Decision, verdict: Is, refusal: Rejected | None, *, is_edited: bool, note: str = ""
    ) -> None:
        recorded = _refusal(decision)
        head = decision.head
        self.found.add(
            Outcome(
                seq=head.version,
                actor=_actor(head),
                name=_act(head.fact),
                subject=task_of(head.fact),
                summary=summary(head.fact),
                was="accepted" if recorded is None else "rejected",
                is_=verdict,
                error_code=None if refusal is None else refusal.error_code,
                message=None if refusal is None else refusal.message,
                was_error_code=None if recorded is None else recorded.error_code,
                is_edited=is_edited,
                note=note,
            )
        )

    def _insert(self, one: Inserted, after: Recorded[Fact]) -> None:
        actual, other = self.found.actual, self.found.other
        trial = try_once(one.asked, other, actual, after.ts, self._content_of)
        refusal = None if trial is None else trial.refusal
        # What it would edit may lie on the disk, where no log tells of it.
        hangs_on_content = refusal is None or refusal.error_code in _BY_CONTENT
        note = trial.unsure if trial is not None and hangs_on_content else ""
        refusal = None if note else refusal
        verdict: Is = "not_judged" if note else "accepted" if refusal is None else "rejected"
        outcome = Outcome(
            seq=after.version,
            actor=one.actor,
            name=one.name,
            subject=one.subject,
            summary="inserted",
            was="absent",
            is_=verdict,
            error_code=None if refusal is None else refusal.error_code,
            message=None if refusal is None else refusal.message,
            is_edited=True,
            note=note,
        )
        self.found.add(outcome)
        if trial is None:
            other.take([] if one.event is None else [one.event])
        elif not note:
            new = msgspec.structs.replace(after, command_id=None)
            drafts = trial.settlement.drafts
            other.take([msgspec.structs.replace(new, actor=one.actor, fact=one.fact) for one in drafts])


def _doubt(recorded: Rejected | None, control: Trial, trial: Trial) -> str:
    """Why the outcome of a trial would be a guess; empty where it is none."""
    refusal = trial.refusal
    if refusal is not None and _is_sure(refusal) and not _same(control.refusal, refusal):
        return ""  # the worlds differ in just that
    if not _same(recorded, control.refusal):
        return OUTSIDE if recorded is not None and recorded.error_code in _OUTSIDE_CODES else OTHER_RULES
    if refusal is not None and _same(recorded, refusal):
        return ""
    if refusal is not None and refusal.error_code == "CHECK_NOT_RUN":
        return NO_CHECKS
    return trial.unsure


def _is_sure(refusal: Rejected) -> bool:
    return refusal.layer in _SURE_LAYERS and refusal.error_code not in _BY_CONTENT


def _same(one: Rejected | None, other: Rejected | None) -> bool:
    return (None if one is None else one.error_code) == (None if other is None else other.error_code)


def _refusal(decision: Decision) -> Rejected | None:
    fact = decision.head.fact
    return refusal_of(fact) if isinstance(fact, OutputRejected) else None


def _edited(decision: Decision, edits: Edits) -> Decision:
    """The decision with other values, and without those of its followers that are dropped."""
    events: list[Recorded[Fact]] = []
    for recorded in decision.events:
        if recorded.version in edits.dropped:
            continue
        own = tuple(one for one in edits.edited.get(recorded.version, ()) if not one.is_of_output)
        events.append(edited_event(recorded, own) if own else recorded)
    return Decision(events=tuple(events))


def _asked(asked: Asked, imagined: Decision, edits: Edits, content_of: ContentOf) -> Asked:
    """What would have been asked in the edited decision. A refusal that is edited itself stays as it is edited."""
    head = imagined.head
    own = edits.edited.get(head.version, ())
    of_output = tuple(one for one in own if one.is_of_output)
    if not isinstance(head.fact, OutputRejected):
        if of_output:
            raise no_output(head.version, "what was accepted is edited where the event has it: /payload/...")
        again = asked_of(imagined, content_of)
        if isinstance(asked, AskedOutput) and isinstance(again, AskedOutput):
            return msgspec.structs.replace(again, recorded_at=asked.recorded_at)
        return again
    if len(of_output) < len(own):
        return Witnessed(why=AS_EDITED)
    if of_output and not isinstance(asked, AskedOutput):
        raise no_output(head.version, "its output was not kept")
    if isinstance(asked, AskedOutput) and of_output:
        return msgspec.structs.replace(asked, output=edited_output(asked.output, of_output, head.version))
    return asked


def _copied(trial: Trial, decision: Decision, imagined: Decision, edits: Edits) -> Iterator[Recorded[Fact]]:
    """The events of the imagined world. Each has the number of the event that it is a copy of."""
    head = imagined.head
    by_version = {one.version: one for one in imagined.events}
    known = {_key(one.fact): by_version.get(one.version) for one in decision.events}
    for draft in trial.settlement.drafts:
        key = _key(draft.fact)
        match = known.get(key, head)
        if match is None:
            continue  # it is dropped
        fact = draft.fact
        is_act = match is head and type(match.fact) is type(fact) and not isinstance(fact, OutputRejected)
        if is_act or (key in known and match.version in edits.edited and not isinstance(fact, FileWritten)):
            fact = match.fact  # with all that the orchestrator put beside it
        yield msgspec.structs.replace(match, actor=draft.actor, fact=fact, ts=head.ts)


def _key(fact: Fact) -> tuple[object, ...]:
    names = ("task_id", "issue_id", "files", "target")
    return (type(fact), *(getattr(fact, name, None) for name in names))


def _actor(head: Recorded[Fact]) -> str:
    fact = head.fact
    return fact.rejected_actor if isinstance(fact, OutputRejected) and fact.rejected_actor is not UNSET else head.actor


def _act(fact: Fact) -> str:
    return fact.source_action or "output" if isinstance(fact, OutputRejected) else action_of(fact)
