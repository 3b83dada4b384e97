"""What was refused is kept: the bytes of a refused output, without secrets, beside the log.

They bear no state and prove nothing. Who asks later what was wanted, and what another contract would have said, finds
them by the digest in the rejection. Whoever deletes one harms nothing but that answer; the oldest are let go where all
together need too much room.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esaa.contracts.governance import Governance
from esaa.kernel.canonical import compact, sha256_hex
from esaa.kernel.recorded import Draft
from esaa.kernel.strict_json import NotStrict, loads_strict
from esaa.protocol.commands import AnyCommand, Submit
from esaa.protocol.facts import Fact, OutputRejected
from esaa.protocol.settle import Settlement
from esaa.stores.refused import room_for

KEPT_BYTES_MAX = 256 * 1024
"""A larger output is not kept; its digest is recorded all the same."""

_ESCAPES = ("\\u", "\\/")
"""How a text that is no JSON may hide a secret from the patterns."""


def with_refused_output(command: AnyCommand, settlement: Settlement, rules: Governance) -> Settlement:
    """The settlement of a refused output with its bytes among the contents, and their digest in the rejection.

    An output of an unregistered actor is not kept, and none where agents' texts are to be erasable: they stand in it.
    """
    if settlement.rejected is None or not isinstance(command, Submit) or rules.storage.erasable:
        return settlement
    if command.actor not in rules.swarm.actors:
        return settlement
    kept = kept_form(command.result.sent)
    if kept is None or room_for(kept) > rules.storage.refused_outputs_bytes_max:
        return settlement
    digest = sha256_hex(kept)
    drafts = tuple(_with_digest(draft, digest) for draft in settlement.drafts)
    return msgspec.structs.replace(settlement, drafts=drafts, contents={**settlement.contents, digest: kept})


def refused_digests(drafts: Iterable[Draft[Fact]]) -> frozenset[str]:
    """The digests of the refused outputs that drafts tell of."""
    facts = (draft.fact for draft in drafts)
    return frozenset(
        fact.output_sha256 for fact in facts if isinstance(fact, OutputRejected) and isinstance(fact.output_sha256, str)
    )


def kept_form(sent: bytes) -> bytes | None:
    """An output without secrets: the very bytes where it held none. None for one that is empty, too large, or that
    nobody can look into."""
    from esaa.redaction.redact import redact, redact_text  # here: a run without refusals pays for no patterns

    if not sent or len(sent) > KEPT_BYTES_MAX:
        return None
    try:
        # Strictly, for what stands twice under one name would not be looked at; and written anew, without escapes.
        clean, notes = redact(compact(loads_strict(sent)))
        return clean if notes else sent
    except (NotStrict, msgspec.DecodeError):
        pass  # no strict JSON, or a number that no decoder takes: looked at as a text
    try:
        text = sent.decode()
    except UnicodeDecodeError:
        return None
    return None if any(escape in text for escape in _ESCAPES) else redact_text(text)[0].encode()


def _with_digest(draft: Draft[Fact], digest: str) -> Draft[Fact]:
    if not isinstance(draft.fact, OutputRejected):
        return draft
    return msgspec.structs.replace(draft, fact=msgspec.structs.replace(draft.fact, output_sha256=digest))
