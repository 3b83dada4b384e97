"""From recorded events back to what was asked: an agent's output, or a command of the orchestrator's own.

An accepted output is put together again from its act and the files that it wrote, a refused one was kept beside the
log. What cannot be had again is said, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from esaa.contracts.swarm import MONITOR
from esaa.history.decisions import Decision
from esaa.kernel.canonical import compact
from esaa.kernel.decider import Rejected
from esaa.kernel.times import parse_ts
from esaa.protocol.checks import CheckRun
from esaa.protocol.commands import (
    AmendTask,
    AnyCommand,
    CreateHotfix,
    CreateTask,
    RecordTimeout,
    RejectOutput,
    ReportDeadlock,
    ResolveIssue,
    StartRun,
)
from esaa.protocol.erasable import ACTS
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    HotfixCreated,
    IssueReported,
    IssueResolved,
    OutputRejected,
    RunStarted,
    TaskAmended,
    TaskCompleted,
    TaskCreated,
)
from esaa.protocol.rejections import CODES
from esaa.protocol.wire import payload_of

ContentOf = Callable[[str], bytes | None]
"""The content of a digest, or None where it is not kept."""

FOREIGN = "another writer recorded it"
NOT_KEPT = "the refused output was not kept"
NO_CONTENT = "the content of a delivered file is not kept"

_NOT_SENT = frozenset({"signature", "erasable", "provenance", "check_runs", "reviewer_role"})
"""What the orchestrator puts beside what an agent sent."""


class KnownFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the log says of one written file: what lay there before, and how it was merged where it was."""

    before_sha256: str | None
    after: bytes
    merge: dict[str, Any] | None = None


class AskedOutput(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An agent's output, ready to be put to the rules once more.

    - `output`: its bytes; those of an accepted one say the same as what was sent.
    - `task_id`: the task that the log says it was about; `is_dispatched` where its agent had been asked about it.
    - `signature`: what the log kept of the signature of an accepted output.
    - `recorded_at`: when it was decided; empty for what never was.
    - `refusal`: the refusal as it was recorded; None for what was accepted.
    - `lacks`: what of it is not there any more; empty where it is whole.
    """

    actor: str
    output: bytes
    task_id: str | None = None
    is_dispatched: bool = False
    provenance: dict[str, Any] | None = None
    signature: Mapping[str, Any] | None = None
    check_runs: tuple[CheckRun, ...] | None = None
    files: Mapping[str, KnownFile] = {}
    recorded_at: str = ""
    refusal: Rejected | None = None
    lacks: str = ""


class AskedCommand(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A command of a person or of the orchestrator itself."""

    command: AnyCommand


class NoOutput(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An agent was asked and no output came, or it was refused before anybody looked into it: why."""

    actor: str
    fact: OutputRejected
    refusal: Rejected


class Witnessed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Nothing to decide: what was seen (a verification, a repair, a run's end), or (`why`) nothing that can be asked
    again."""

    why: str = ""


Asked = AskedOutput | AskedCommand | NoOutput | Witnessed


def asked_of(decision: Decision, content_of: ContentOf) -> Asked:
    """What was asked when this was decided."""
    if decision.is_foreign or not is_log_time(decision.head.ts):
        return Witnessed(why=FOREIGN)
    head, fact = decision.head, decision.head.fact
    if isinstance(fact, OutputRejected):
        return _refused(fact, content_of)
    if isinstance(fact, ACTS) and head.actor != MONITOR:
        return _accepted(decision, content_of)
    command = _command(fact)
    return Witnessed() if command is None else AskedCommand(command=command)


def is_log_time(text: str) -> bool:
    """True for a time with its zone, as every decision has one."""
    try:
        return parse_ts(text).tzinfo is not None
    except ValueError:
        return False


def refusal_of(fact: OutputRejected) -> Rejected:
    """A recorded refusal as a value. Older logs say less of it; then the list of codes says it."""
    code = CODES.get(fact.error_code, CODES["SCHEMA_INVALID"])
    return Rejected(
        layer=code.layer if fact.layer is UNSET else fact.layer,  # type: ignore[arg-type]  # one of the seven, or old
        reason=code.reason if fact.reason is UNSET else fact.reason,
        error_code=fact.error_code,
        message=fact.message,
        hint="" if fact.hint is UNSET else fact.hint,
        counts=fact.counts is True,
    )


def _refused(fact: OutputRejected, content_of: ContentOf) -> Asked:
    actor = "" if fact.rejected_actor is UNSET else fact.rejected_actor
    provenance = _object(fact.provenance)
    if fact.count is not UNSET:
        return Witnessed(why=NOT_KEPT)  # of an unregistered actor, and perhaps of several
    if fact.result_sha256 is UNSET:
        if fact.task_id is None:
            return Witnessed(why=NOT_KEPT)
        if fact.hint is UNSET and fact.error_code not in CODES:
            return Witnessed(why=NOT_KEPT)  # of an older writer, who says less
        if fact.hint is UNSET:
            said = RejectOutput(task_id=fact.task_id, actor=actor, error_code=fact.error_code, message=fact.message)
            return AskedCommand(command=said)
        timeout = RecordTimeout(
            actor=actor,
            task_id=fact.task_id,
            source_action=fact.source_action or "",
            message=fact.message,
            provenance=provenance,
        )
        return AskedCommand(command=timeout)
    if not fact.result_sha256:
        return NoOutput(actor=actor, fact=fact, refusal=refusal_of(fact))
    output = None if fact.output_sha256 is UNSET else content_of(fact.output_sha256)
    if output is None:
        return Witnessed(why=NOT_KEPT)
    return AskedOutput(
        actor=actor,
        output=output,
        task_id=fact.task_id,
        is_dispatched=provenance is not None,
        provenance=provenance,
        refusal=refusal_of(fact),
    )


def _accepted(decision: Decision, content_of: ContentOf) -> AskedOutput:
    head, fact = decision.head, decision.head.fact
    event = {name: value for name, value in payload_of(fact).items() if name not in _NOT_SENT}
    updates: list[dict[str, str]] = []
    files: dict[str, KnownFile] = {}
    lacks = ""
    for one in decision.followers:
        for effect in _effects(one.fact):
            path, content = str(effect.get("path")), _content(effect.get("after_sha256"), content_of)
            merge = _object(effect.get("merge"))
            proposed = content if merge is None else _content(merge.get("proposed_sha256"), content_of)
            text = _text(proposed)
            if text is None or content is None:
                lacks = NO_CONTENT
            before = effect.get("before_sha256")
            files[path] = KnownFile(
                before_sha256=before if isinstance(before, str) else None, after=content or b"", merge=merge
            )
            updates.append({"path": path, "content": text or ""})
    provenance = _object(getattr(fact, "provenance", UNSET))
    return AskedOutput(
        actor=head.actor,
        output=compact({"activity_event": event} | ({"file_updates": updates} if updates else {})),
        task_id=str(event.get("task_id")),
        is_dispatched=provenance is not None,
        provenance=provenance,
        signature=_object(getattr(fact, "signature", UNSET)),
        check_runs=_check_runs(fact.check_runs) if isinstance(fact, TaskCompleted) else None,
        files=files,
        recorded_at=head.ts,
        lacks=lacks,
    )


def _command(fact: Fact) -> AnyCommand | None:
    """The command that leads to a fact of the orchestrator's or the monitor's own; None where it only saw something."""
    match fact:
        case RunStarted():
            return StartRun(run_id=fact.run_id, baseline_id=fact.baseline_id, project_name=fact.project_name)
        case HotfixCreated():
            return CreateHotfix(
                issue_id=str(fact.issue_id),
                fixes=fact.fixes if isinstance(fact.fixes, str) else None,
                scope_patch=_given(fact.scope_patch),
                task_id=fact.task_id,
            )
        case TaskCreated():
            return CreateTask(
                task_id=fact.task_id,
                task_kind=fact.task_kind,
                title=fact.title,
                description=fact.description,
                depends_on=_given(fact.depends_on),
                outputs=_files(fact.outputs),
                boundary_grant=_given(fact.boundary_grant),
                supersedes=_given(fact.supersedes),
            )
        case TaskAmended():
            return AmendTask(
                task_id=fact.task_id,
                depends_on=UNSET if fact.depends_on is None else fact.depends_on,
                outputs=UNSET if fact.outputs is UNSET else _files(fact.outputs),
                boundary_grant=UNSET if fact.boundary_grant is None else fact.boundary_grant,
            )
        case IssueResolved():
            return ResolveIssue(issue_id=fact.issue_id)
        case IssueReported():
            return ReportDeadlock(task_ids=(fact.task_id,), reasons=(fact.title,))
        case _:
            return None


def _effects(fact: Fact) -> list[dict[str, Any]]:
    effects = fact.effects if isinstance(fact, FileWritten) else None
    return [effect for effect in effects if isinstance(effect, dict)] if isinstance(effects, list) else []


def _content(digest: object, content_of: ContentOf) -> bytes | None:
    return content_of(digest) if isinstance(digest, str) else None


def _text(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None


def _check_runs(told: object) -> tuple[CheckRun, ...] | None:
    """How its commands had ended: well, or it had not been accepted."""
    if not isinstance(told, list):
        return None
    runs: list[CheckRun] = []
    for one in told:
        if isinstance(one, dict) and one.get("kind") == "run":
            name = str(one.get("check")).removeprefix("run:")
            known = {"ending": "exited", "output_end": "", "name": name}
            try:
                runs.append(msgspec.convert(known | one, CheckRun))
            except msgspec.ValidationError:
                return None
    return tuple(runs)


def _files(outputs: object) -> tuple[str, ...]:
    found = outputs.get("files") if isinstance(outputs, dict) else None
    return tuple(path for path in found if isinstance(path, str)) if isinstance(found, list | tuple) else ()


def _given(value: tuple[str, ...] | UnsetType | None) -> tuple[str, ...]:
    return () if value is UNSET or value is None else value


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
