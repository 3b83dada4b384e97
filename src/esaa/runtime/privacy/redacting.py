"""Secrets are taken out of what the governed log is about to hold, before anything of it reaches the disk.

Texts lose their secrets. An id or a path can't: it would name something else then, so it is refused. The contents of
files are the project's own and are written as they were sent; a secret in one is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from esaa.errors import UsageError
from esaa.kernel.canonical import compact, sha256_hex
from esaa.kernel.recorded import Draft
from esaa.protocol.commands import AnyCommand, Submit
from esaa.protocol.facts import Fact, FileWritten, ViewMutated
from esaa.protocol.rejections import reject
from esaa.protocol.result import Refused
from esaa.protocol.settle import Settlement

if TYPE_CHECKING:
    from esaa.redaction.note import Redaction

LOOKED_AT_MAX = 1024 * 1024
"""So many bytes of a file are looked at for secrets."""

_NAMES = re.compile(
    r"/(?:task_id|issue_id|fixes|run_id|baseline_id|master_correlation_id|prior_status|source_action|rejected_actor"
    r"|task_kind|decision|(?:depends_on|supersedes|boundary_grant|scope_patch|files|outputs|affected|effects)(?:/.*)?)"
)
"""The places of ids and paths. What stands there means something by being exactly that."""

_ENCODER = msgspec.json.Encoder()


def guarded(
    command: AnyCommand, settlement: Settlement, settle_again: Callable[[AnyCommand], Settlement]
) -> Settlement:
    """The settlement without secrets. Where an id or a path holds one, the command is refused instead; for an agent's
    result that refusal is recorded, without the name."""
    kind = _secret_name(settlement.drafts)
    if kind is None:
        return without_secrets(settlement)
    rejected = reject(
        "SCHEMA_INVALID",
        f"An id or a path looks like a secret ({kind}).",
        "Ids and paths stay in the log for ever: choose one that is no credential.",
    )
    if not isinstance(command, Submit):
        return Settlement(drafts=(), rejected=rejected)
    refused = Refused(
        rejected=rejected,
        task_id=None,
        source_action=None,
        result_sha256=command.result.result_sha256,
        sent=command.result.sent,
    )
    return without_secrets(settle_again(msgspec.structs.replace(command, result=refused)))


def refuse_secret_id(command_id: str) -> None:
    """Raises `UsageError` for the id of a command that looks like a secret: it stays in the log."""
    from esaa.redaction.redact import redact_text

    if redact_text(command_id)[1]:
        raise UsageError(
            "COMMAND_ID_INVALID", "The command id looks like a secret.", "Choose one that is no credential."
        )


def without_secrets(settlement: Settlement) -> Settlement:
    """The settlement with its texts redacted, and a warning for each secret that was in them, or is in a file."""
    from esaa.redaction.redact import redact_text  # here: who only reads pays for no patterns

    redacted = [_redacted(draft) for draft in settlement.drafts]
    warnings = [
        f"a secret ({note.kind}) was taken out of {note.path}" for _, notes in redacted for note in notes
    ] + list(_secrets_in_files(settlement))
    drafts = [draft for draft, _ in redacted]
    told = tuple(redact_text(warning)[0] for warning in settlement.warnings) + tuple(dict.fromkeys(warnings))
    if warnings:
        _tell(drafts, told)
    if told == settlement.warnings and all(new is old for new, old in zip(drafts, settlement.drafts, strict=True)):
        return settlement
    return msgspec.structs.replace(settlement, drafts=tuple(drafts), warnings=told)


def _redacted(draft: Draft[Fact]) -> tuple[Draft[Fact], tuple[Redaction, ...]]:
    if isinstance(draft.fact, FileWritten):
        return draft, ()
    from esaa.redaction.redact import redact

    clean, notes = redact(_encoded(draft.fact))
    if not notes:
        return draft, ()
    fact = msgspec.json.decode(clean, type=type(draft.fact))
    return msgspec.structs.replace(draft, fact=fact), notes


def _secret_name(drafts: Iterable[Draft[Fact]]) -> str | None:
    """The kind of the secret that an id or a path of the drafts is, or None."""
    from esaa.redaction.redact import redact

    for draft in drafts:
        for note in redact(_encoded(draft.fact))[1]:
            if _NAMES.fullmatch(note.path):
                return note.kind
    return None


def _tell(drafts: list[Draft[Fact]], warnings: tuple[str, ...]) -> None:
    """The warnings stand in the event that closes the batch, where there is one."""
    for number, draft in enumerate(drafts):
        if isinstance(draft.fact, ViewMutated) and draft.fact.change == "projected":
            fact = msgspec.structs.replace(draft.fact, warnings=warnings or UNSET)
            drafts[number] = msgspec.structs.replace(draft, fact=fact)
            return


def _secrets_in_files(settlement: Settlement) -> Iterable[str]:
    from esaa.redaction.redact import redact_text

    for digest, content in settlement.contents.items():
        _, notes = redact_text(content[:LOOKED_AT_MAX].decode("utf-8", "replace"))
        for note in notes:
            path = _path_of(settlement, digest)
            yield f"`{path}` holds what looks like a secret ({note.kind}); files are written as they were sent"


def _path_of(settlement: Settlement, digest: str) -> str:
    for draft in settlement.drafts:
        if isinstance(draft.fact, FileWritten) and isinstance(draft.fact.effects, list):
            for effect in draft.fact.effects:
                if digest in (effect.get("after_sha256"), effect.get("before_sha256")):
                    return str(effect.get("path"))
    return sha256_hex(digest.encode())[:12]


def _encoded(fact: Fact) -> bytes:
    try:
        return _ENCODER.encode(fact)
    except (OverflowError, ValueError):
        return compact(fact)  # an integer beyond 64 bits, sent by an agent
