"""What was asked, put to the rules of a world once more."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from esaa.history.asked import Asked, AskedCommand, AskedOutput, ContentOf, KnownFile, NoOutput, refusal_of
from esaa.history.world import World
from esaa.kernel.decider import Rejected
from esaa.kernel.times import parse_ts
from esaa.protocol.attempts import deadline
from esaa.protocol.commands import AnyCommand, FileOnDisk, Submit
from esaa.protocol.conflicts import Meeting
from esaa.protocol.facts import OutputRejected
from esaa.protocol.identity import turn_of
from esaa.protocol.intentions import AgentResult, FileUpdate
from esaa.protocol.result import Refused, parse_result
from esaa.protocol.settle import Settlement, settle
from esaa.protocol.signature import PresentedSignature, SignatureClaims

NO_FILE = "the file that it edits is not kept"
NO_MERGE = "two changes of one file would have to be merged again"
NO_CHECKS = "the commands that its checks name would have to be run"

_UNKNOWN_WORKSPACE = "?"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What came of putting something to the rules. `unsure` says why an acceptance would be a guess; else empty."""

    settlement: Settlement
    unsure: str = ""

    @property
    def refusal(self) -> Rejected | None:
        """Why it was refused, or None where it was accepted. A person's refusal of an attempt is a refusal as well."""
        if self.settlement.rejected is not None:
            return self.settlement.rejected
        facts = [draft.fact for draft in self.settlement.drafts]
        return next((refusal_of(fact) for fact in facts if isinstance(fact, OutputRejected)), None)


def try_once(asked: Asked, world: World, actual: World, now: str, content_of: ContentOf) -> Trial | None:
    """What the rules of a world say; None where there is nothing to decide.

    `actual` is the world as it was at that time: what the log says of the disk is true there, and here only where both
    have the same files.
    """
    match asked:
        case AskedOutput():
            command, unsure = _submission(asked, world, actual, content_of)
            return Trial(settlement=settle(command, world.state, world.rules, now), unsure=unsure)
        case AskedCommand():
            return Trial(settlement=settle(asked.command, world.state, world.rules, now))
        case NoOutput():
            action, task_id = asked.fact.source_action, asked.fact.task_id
            refused = Refused(rejected=asked.refusal, task_id=task_id, source_action=action, result_sha256="")
            submit = Submit(actor=asked.actor, result=refused, asked_task_id=task_id)
            return Trial(settlement=settle(submit, world.state, world.rules, now))
        case _:
            return None


def _submission(asked: AskedOutput, world: World, actual: World, content_of: ContentOf) -> tuple[AnyCommand, str]:
    result = _signed(parse_result(asked.output, world.rules), asked, world)
    claims = None if result.signature is None else result.signature.claims
    named = result.task_id if isinstance(result, Refused) else result.intention.task_id
    was_asked_other = asked.refusal is not None and asked.task_id is not None and named != asked.task_id
    files, unsure = _files(result, asked, world, actual, content_of)
    command = Submit(
        actor=asked.actor,
        result=result,
        files=files,
        asked_task_id=asked.task_id if asked.is_dispatched or was_asked_other else None,
        # What was accepted had seen what lay there, or its meeting is recorded.
        based_on=world.state.seq if asked.refusal is None or asked.is_dispatched else None,
        workspace=None if claims is None else claims.workspace,
        is_genuine=True,
        check_runs=asked.check_runs,
        provenance=asked.provenance,
        received_at=_received_at(asked, actual),
    )
    return command, asked.lacks or unsure


def _signed(result: AgentResult | Refused, asked: AskedOutput, world: World) -> AgentResult | Refused:
    """The result with the signature that its actor would have made at this turn, where it had made one at its own."""
    presented, kept = result.signature, asked.signature
    if presented is None and kept is None:
        return result
    task_id = result.task_id if isinstance(result, Refused) else result.intention.task_id
    task = None if task_id is None else world.state.task(task_id)
    turn = None if task is None else turn_of(task, world.state)
    workspace = presented.claims.workspace if presented is not None else str((kept or {}).get("workspace"))
    claims: dict[str, Any] = {
        "workspace": workspace or _UNKNOWN_WORKSPACE,
        "ask": "claim" if turn is None else turn.ask,
        "attempt": 1 if turn is None else turn.attempt,
        "value": "",
    }
    signature = PresentedSignature(claims=msgspec.convert(claims, SignatureClaims), result_sha256=result.result_sha256)
    return msgspec.structs.replace(result, signature=signature)


def _received_at(asked: AskedOutput, actual: World) -> str | None:
    """What was accepted after its deadline had come before it, and waited while the run was down."""
    task = None if asked.task_id is None or not asked.recorded_at else actual.state.task(asked.task_id)
    end = None if task is None else deadline(task, actual.state, actual.rules)
    return None if end is None or parse_ts(asked.recorded_at) <= end else f"{end:%Y-%m-%dT%H:%M:%SZ}"


def _files(
    result: AgentResult | Refused, asked: AskedOutput, world: World, actual: World, content_of: ContentOf
) -> tuple[dict[str, FileOnDisk], str]:
    """What lies at the paths of an output, and why that may be otherwise."""
    files: dict[str, FileOnDisk] = {}
    unsure = ""
    for update in result.updates if isinstance(result, AgentResult) else ():
        known = asked.files.get(update.path)
        if known is not None and world.sha256(update.path) == actual.sha256(update.path):
            files[update.path] = _as_recorded(update, known)
            continue
        if known is not None and known.merge is not None:
            unsure = NO_MERGE
        sha256 = world.sha256(update.path)
        content = None if sha256 is None or update.edits is UNSET else content_of(sha256)
        if update.edits is not UNSET and content is None:
            unsure = NO_FILE
        files[update.path] = FileOnDisk(sha256=sha256, content=content)
    return files, unsure


def _as_recorded(update: FileUpdate, known: KnownFile) -> FileOnDisk:
    if known.merge is None:
        return FileOnDisk(sha256=known.before_sha256)
    writer, base = known.merge.get("with_task"), known.merge.get("base_sha256")
    meeting = Meeting(
        writer=writer if isinstance(writer, str) else None,
        base_sha256=base if isinstance(base, str) else None,
        proposed=b"" if update.content is UNSET else update.content.encode(),
        merged=known.after,
    )
    return FileOnDisk(sha256=known.before_sha256, meeting=meeting)
