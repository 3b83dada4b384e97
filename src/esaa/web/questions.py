"""Every question that the page can ask of a past: its address, its parameters, and the call of the time machine.

One table makes the addresses, the reading of parameters, and the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from esaa.history.entries import EntryFilter
from esaa.runtime.history import views
from esaa.runtime.history.machine import TimeMachine
from esaa.runtime.history.rejections import RejectionsView
from esaa.runtime.history.what_if import InsertedFile, WhatIfView, Wishes, parse_insert
from esaa.web.parameters import Parameter

Values = Mapping[str, Any]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question. Its answer is a Struct of type `answer`, the very one that the command line prints.

    - `screen`: the last part of the address; empty for what the past itself is.
    - `is_of_log_alone`: the events up to the head decide the answer; nothing beside the log (contracts, contents,
      checkpoints, measures) has a part in it.
    - `is_slow`: it may read the whole log; few of these are worked on at once, so that the others do not wait.
    """

    screen: str
    about: str
    parameters: tuple[Parameter, ...]
    ask: Callable[[TimeMachine, Values], msgspec.Struct]
    answer: Any
    is_of_log_alone: bool = False
    is_slow: bool = False


_AT = Parameter(
    name="at", kind="moment", default="HEAD", about="A moment: #12, HEAD~3, a time, @{2h} or an event id.", example="12"
)
_SINCE = Parameter(name="since", kind="moment", about="The moment to compare with (A of A..B).", example="1")
_OFFSET = Parameter(name="offset", kind="whole", default=0, most=1_000_000_000, about="How many to leave out.")
_POINTER = Parameter(name="pointer", default="", about="A JSON pointer into the state, such as /tasks/T-1000/status.")
_AFTER = Parameter(name="after", about="The last one of the page before.")


def _count(default: int, most: int = 1000) -> Parameter:
    return Parameter(name="count", kind="whole", default=default, least=1, most=most, about="How many at most.")


def _filter(values: Values) -> EntryFilter:
    return EntryFilter(
        names=values["name"],
        actors=values["actor"],
        subjects=values["subject"],
        text=values["q"] or "",
        rejections_only=bool(values["rejections"]),
    )


def _wishes(values: Values) -> Wishes:
    inserted = tuple(parse_insert(text) for text in values["insert"])
    return Wishes(
        drop=values["drop"],
        edit=values["edit"],
        insert=tuple(InsertedFile(data=text.encode(), name="FILE", ref=ref) for text, ref in inserted),
    )


QUESTIONS: tuple[Question, ...] = (
    Question(
        screen="",
        about="What a past consists of.",
        parameters=(),
        ask=lambda machine, _: machine.meta(),
        answer=views.Meta,
    ),
    Question(
        screen="events",
        about="Events that fit a filter, oldest first.",
        parameters=(
            Parameter(name="q", about="Words that all stand in the event (full text)."),
            Parameter(name="name", kind="texts", about="Only this action or event type; may be given often."),
            Parameter(name="actor", kind="texts", about="Only this actor; may be given often."),
            Parameter(name="subject", kind="texts", about="Only this task; may be given often."),
            Parameter(name="rejections", kind="flag", default=False, about="1: only what was refused."),
            _OFFSET,
            _count(100),
        ),
        ask=lambda machine, values: machine.events(_filter(values), offset=values["offset"], count=values["count"]),
        answer=views.EventsView,
        is_of_log_alone=True,
    ),
    Question(
        screen="event",
        about="One event in full.",
        parameters=(_AT,),
        ask=lambda machine, values: machine.event(values["at"]),
        answer=views.EventView,
    ),
    Question(
        screen="state",
        about="A value of the state after an event, or a page of its members.",
        parameters=(_AT, _POINTER, _AFTER, _count(200)),
        ask=lambda machine, values: machine.state(
            values["at"], pointer=values["pointer"], after=values["after"], count=values["count"]
        ),
        answer=views.StateView,
        is_of_log_alone=True,
    ),
    Question(
        screen="board",
        about="The tasks by status, as of a moment.",
        parameters=(_AT, _SINCE, Parameter(name="status", about="This column alone."), _AFTER, _count(50, 500)),
        ask=lambda machine, values: machine.board(
            values["at"],
            since=values["since"],
            status=values["status"],
            after=values["after"],
            count=values["count"],
        ),
        answer=views.BoardView,
        is_of_log_alone=True,
    ),
    Question(
        screen="task",
        about="One task and all that changed it.",
        parameters=(_AT, Parameter(name="id", is_required=True, about="The task.", example="T-1000")),
        ask=lambda machine, values: machine.task(values["id"], values["at"]),
        answer=views.TaskView,
    ),
    Question(
        screen="diff",
        about="What changed from one moment to another.",
        parameters=(msgspec.structs.replace(_SINCE, is_required=True), _AT, _POINTER, _OFFSET, _count(200)),
        ask=lambda machine, values: machine.diff(
            values["since"], values["at"], pointer=values["pointer"], offset=values["offset"], count=values["count"]
        ),
        answer=views.DiffView,
        is_of_log_alone=True,
    ),
    Question(
        screen="blame",
        about="Which events made a value what it is.",
        parameters=(_AT, msgspec.structs.replace(_POINTER, default=None, is_required=True, example="/run/status")),
        ask=lambda machine, values: machine.blame(values["pointer"], values["at"]),
        answer=views.BlameView,
    ),
    Question(
        screen="graph",
        about="The causes and effects around an event.",
        parameters=(
            _AT,
            Parameter(name="depth", kind="whole", default=3, least=1, most=20, about="How many steps to go."),
            _count(300, 1000),
        ),
        ask=lambda machine, values: machine.graph(values["at"], depth=values["depth"], count=values["count"]),
        answer=views.GraphView,
        is_of_log_alone=True,
    ),
    Question(
        screen="lanes",
        about="Who acted when.",
        parameters=(
            Parameter(name="first", kind="moment", default="1", about="The first event."),
            Parameter(name="last", kind="moment", default="HEAD", about="The last event."),
            Parameter(name="width", kind="whole", default=1000, least=50, most=10_000, about="In so many columns."),
            Parameter(
                name="axis",
                kind="choice",
                default="wall",
                choices=("wall", "order", "busy"),
                about="wall: the clock; order: an event is as wide as any other; busy: idle time is left out.",
            ),
        ),
        ask=lambda machine, values: machine.lanes(
            first=values["first"], last=values["last"], width=values["width"], axis=values["axis"]
        ),
        answer=views.LanesView,
        is_of_log_alone=True,
    ),
    Question(
        screen="files",
        about="The files as they were; with `path` that one with its content.",
        parameters=(_AT, _SINCE, Parameter(name="path", about="One file."), _OFFSET, _count(200)),
        ask=lambda machine, values: machine.files(
            values["at"],
            since=values["since"],
            path=values["path"],
            offset=values["offset"],
            count=values["count"],
        ),
        answer=views.FilesView,
    ),
    Question(
        screen="metrics",
        about="How runs, agents and tasks do, up to a moment.",
        parameters=(_AT, _count(100)),
        ask=lambda machine, values: machine.metrics(values["at"], count=values["count"]),
        answer=views.MetricsView,
    ),
    Question(
        screen="rejections",
        about="What was refused: what was asked, which rule refused it, what came next.",
        parameters=(_AT, _OFFSET, _count(100)),
        ask=lambda machine, values: machine.rejections(values["at"], offset=values["offset"], count=values["count"]),
        answer=RejectionsView,
    ),
    Question(
        screen="proof",
        about="How far the past is proved, and the hashes at a moment.",
        parameters=(
            _AT,
            Parameter(name="fresh", kind="flag", default=False, about="1: verify it now, whatever is known already."),
        ),
        ask=lambda machine, values: machine.proof(values["at"], is_fresh=bool(values["fresh"])),
        answer=views.ProofView,
        is_slow=True,
    ),
    Question(
        screen="bisect",
        about="The first event after which a predicate over the state does not hold any more.",
        parameters=(
            Parameter(
                name="where",
                is_required=True,
                about="A JMESPath expression over the state that is true while all is well.",
                example="run.status == 'success'",
            ),
            Parameter(name="good", kind="moment", default="0", about="A moment at which it holds."),
            Parameter(name="bad", kind="moment", default="HEAD", about="A moment at which it does not."),
        ),
        ask=lambda machine, values: machine.bisect(values["where"], good=values["good"], bad=values["bad"]),
        answer=views.BisectView,
        is_of_log_alone=True,
        is_slow=True,
    ),
    Question(
        screen="what-if",
        about="What would have happened, had some events been otherwise. Nothing is written.",
        parameters=(
            _AT,
            Parameter(name="drop", kind="moments", about="An event to leave out; may be given often.", example="14"),
            Parameter(name="edit", kind="texts", about="REF:POINTER=JSON, another value in an event's line."),
            Parameter(name="insert", kind="texts", about="JSON@REF, an actor's result after an event."),
            _OFFSET,
            _count(200),
        ),
        ask=lambda machine, values: machine.what_if(
            _wishes(values), values["at"], offset=values["offset"], count=values["count"]
        ),
        answer=WhatIfView,
        is_slow=True,
    ),
)

BY_SCREEN: Mapping[str, Question] = {one.screen: one for one in QUESTIONS}
