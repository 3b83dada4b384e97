"""The answers of the time machine. Each is one Struct: the command line prints it, the web server sends the same.

Each answer says of which past it speaks, at which seq, and which command line gives it again. Lists are bounded: an
answer carries the `total`, and `offset`, `count` or `after` ask for the rest.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from esaa.audit.run_metrics import RunMetrics
from esaa.history.axes import AxisName, LaneGap, LaneTick
from esaa.history.bisect import BisectStep
from esaa.history.blame import BlameStep
from esaa.history.board import BoardColumn
from esaa.history.causation import Edge
from esaa.history.changes import Change
from esaa.history.divergence import FirstDifference
from esaa.history.entries import Entry, Kind
from esaa.history.lanes import Lane
from esaa.history.rules import RuleMet
from esaa.history.task_times import TaskTimes

ValueKind = Literal["object", "array", "value"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What all answers carry: the past (`log` or the key of a stream), the seq, and the command that asks the same."""

    past: str
    at: int
    cli: str


class PastSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One past of the workspace: its name, how many events it has, from when to when, and what it is about."""

    name: str
    kind: Kind
    head: int
    first_ts: str | None
    last_ts: str | None
    summary: str


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the governed log. `status` is None while it is open; `issue_key` names the stream that tells of it."""

    run_id: str
    status: str | None
    first_seq: int
    last_seq: int
    first_ts: str
    last_ts: str
    issue_key: str | None


class Overview(Answer, frozen=True, kw_only=True):
    """Everything that has a past: the governed log, the streams of the trail, and the runs."""

    pasts: tuple[PastSummary, ...]
    runs: tuple[RunSummary, ...]


class VerifyView(msgspec.Struct, frozen=True, kw_only=True):
    """What the last recorded verification said, and when."""

    status: str
    detail: str


class Meta(Answer, frozen=True, kw_only=True):
    """What a past consists of: how long it is, who acted in it and how, and whether it was found whole."""

    kind: Kind
    head: int
    head_hash: str | None
    first_ts: str | None
    last_ts: str | None
    names: tuple[str, ...]
    actors: tuple[str, ...]
    subjects_count: int
    runs: tuple[RunSummary, ...]
    verify: VerifyView


class EventsView(Answer, frozen=True, kw_only=True):
    """Some events that fit a filter, oldest first."""

    total: int
    offset: int
    entries: tuple[Entry, ...]


class EventView(Answer, frozen=True, kw_only=True):
    """One event in full: its payload, what it changed, what led to it, what followed from it, which rules it met.

    `causes` are those that it names; `premises` are the events that made it possible, where it names none.
    """

    entry: Entry
    payload: Any
    line_bytes: int
    changes: tuple[Change, ...]
    causes: tuple[Entry, ...]
    premises: tuple[Entry, ...]
    effects: tuple[Entry, ...]
    rules: tuple[RuleMet, ...]


class StateChild(msgspec.Struct, frozen=True, kw_only=True):
    """A member of an object or array: its name, its kind, how many members it has itself, and how it begins."""

    name: str
    kind: ValueKind
    size: int
    preview: str


class StateView(Answer, frozen=True, kw_only=True):
    """A value of the state. `value` is None where it is large: then `children` names its members, a page of them.

    `preview` says how the value begins.
    """

    pointer: str
    kind: ValueKind
    value: Any
    preview: str
    children: tuple[StateChild, ...]
    total: int


class BoardView(Answer, frozen=True, kw_only=True):
    """The tasks by status."""

    since: int | None
    counts: dict[str, int]
    columns: tuple[BoardColumn, ...]


class TaskVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A task as an event left it."""

    seq: int
    ts: str
    actor: str
    name: str
    status: str
    owner: str | None
    summary: str


class FileRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the log tells of: its content, the task and the event that wrote it, and how it changed since A."""

    path: str
    sha256: str | None
    bytes: int | None
    task_id: str | None
    seq: int | None
    changed: Literal["added", "changed", "removed", ""] = ""


class TaskView(Answer, frozen=True, kw_only=True):
    """One task: as it was, with its work, its issues, its files, and every event that changed it."""

    task: dict[str, Any]
    work: dict[str, Any]
    issues: tuple[dict[str, Any], ...]
    versions: tuple[TaskVersion, ...]
    files: tuple[FileRow, ...]


class DiffView(Answer, frozen=True, kw_only=True):
    """What differs between the states after `a` and after `b`.

    `total`, `offset` and `counts` (by member of the document) count parts: values such as one task, which an event
    changes as a whole. A part that was changed and changed back is counted, and has no changes.
    """

    a: int
    b: int
    pointer: str
    total: int
    offset: int
    counts: dict[str, int]
    changes: tuple[Change, ...]


class BlameView(Answer, frozen=True, kw_only=True):
    """Which events made a value what it is, the newest last; and what led to the last one: its causes, the output
    of the agent behind it as far as it is known, and the rules that it passed."""

    pointer: str
    value: Any
    history: tuple[BlameStep, ...]
    cause: tuple[Entry, ...]
    output: dict[str, Any] | None
    rules: tuple[RuleMet, ...]
    is_cut: bool = False


class WhyView(Answer, frozen=True, kw_only=True):
    """Why an event is there: what led to it, what followed, and the rules that it met.

    `causes` is the chain of causes that are named, the nearest first; `premises` are the events that made it possible,
    where it names no cause; `effects` name it as their cause.
    """

    entry: Entry
    causes: tuple[Entry, ...]
    premises: tuple[Entry, ...]
    effects: tuple[Entry, ...]
    rules: tuple[RuleMet, ...]
    output: dict[str, Any] | None


class GraphNode(Entry, frozen=True, kw_only=True, gc=False):
    """An event of a causation graph; `depth` is below 0 for causes, above it for effects."""

    depth: int


class GraphView(Answer, frozen=True, kw_only=True):
    """What led to an event and what followed. `critical` is the slowest chain; `is_cut` where there is more.

    An edge of kind `caused` is named by its effect; one of kind `enabled` follows from the rules: the effect could not
    have been without it.
    """

    nodes: tuple[GraphNode, ...]
    edges: tuple[Edge, ...]
    critical: tuple[int, ...]
    is_cut: bool


class LanesView(Answer, frozen=True, kw_only=True):
    """Who acted when."""

    axis: AxisName
    first: int
    last: int
    width: int
    lanes: tuple[Lane, ...]
    ticks: tuple[LaneTick, ...]
    gaps: tuple[LaneGap, ...]


class FilesView(Answer, frozen=True, kw_only=True):
    """The files that the log tells of, as they were. Of one `path` also its content and what changed since A.

    `content` is None where it is binary, large, erased or was never kept; `note` says which.
    """

    since: int | None
    total: int
    offset: int
    files: tuple[FileRow, ...]
    path: str | None = None
    content: str | None = None
    is_binary: bool = False
    patch: str | None = None
    note: str = ""


class MetricsView(Answer, frozen=True, kw_only=True):
    """How runs, agents and tasks do, up to a moment. `tasks` are the slowest ones; `total` is how many there are."""

    runs: tuple[RunMetrics, ...]
    total: int
    tasks: tuple[TaskTimes, ...]


class RailSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a past, both ends included, and how well it is proved.

    `verified`: covered by a checkpoint that is kept elsewhere. `unanchored`: sound, but covered by none; `is_signed`
    where a checkpoint beside the log covers it, not `is_checked` where it came after the check. `broken`: damaged, or
    behind the damage.
    """

    from_: int = msgspec.field(name="from")
    to: int
    kind: Literal["verified", "unanchored", "broken"]
    text: str
    is_signed: bool = False
    is_checked: bool = True


class CheckpointView(msgspec.Struct, frozen=True, kw_only=True):
    """A signed tree head: of how many events, under which name, the root, and the names of the keys."""

    seq: int
    origin: str
    root: str
    signed_by: tuple[str, ...]


class ProofView(Answer, frozen=True, kw_only=True):
    """How far a past is proved, and the hashes at a moment: of its line, and of the Merkle tree up to it.

    `root_at` is None where it was not worth computing; `checked_at` is when the past was verified as the rail says.
    """

    rail: tuple[RailSpan, ...]
    hash_at: str | None
    root_at: str | None
    checkpoints: tuple[CheckpointView, ...]
    checked_at: str | None = None


class BisectView(Answer, frozen=True, kw_only=True):
    """The first event after which something does not hold. `first_bad` is None where it holds at the end.

    `suspects` are the events among which the first bad one is; `is_monotone` is False where something was good again
    after it had been bad; `note` says what is odd about the answer.
    """

    good: int
    bad: int
    first_bad: Entry | None
    steps: tuple[BisectStep, ...]
    suspects: tuple[int, ...] = ()
    is_monotone: bool | None = None
    note: str = ""


class DivergenceView(Answer, frozen=True, kw_only=True):
    """How far two pasts are the same, and where they part; `first` is None where they do not.

    Of a read model, `same_until` is None where the log never said what it says.
    """

    same_until: int | None
    first: FirstDifference | None


class NotWritten(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a checkout left out, and why."""

    path: str
    reason: str


class CheckoutView(Answer, frozen=True, kw_only=True):
    """What was written into a folder, and what could not be."""

    folder: str
    written: tuple[str, ...]
    missing: tuple[NotWritten, ...]
