"""The anchor that is a C2SP witness: it cosigns a checkpoint after it saw that the log continues what it cosigned.

Of one log a witness signs one history. Two of them are what it refuses, and says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from esaa.errors import IntegrationError
from esaa.kernel.checkpoint import (
    Checkpoint,
    CheckpointInvalid,
    Note,
    VerifierKey,
    checkpoint_of,
    cosigned_by,
    format_note,
    parse_note,
    parse_number,
)
from esaa.kernel.witnessing import AddCheckpoint, format_request
from esaa.runtime.trust.anchors.base import Placed, checkpoint_in
from esaa.runtime.trust.anchors.http import Answer, exchange
from esaa.stores.keys import verify_ed25519

SIZE_TYPE = "text/x.tlog.size"

Prove = Callable[[int, Checkpoint], Sequence[str]]
"""The hashes that lead from a size of the log to a checkpoint."""


class WitnessAnchor:
    """A witness that is asked over HTTP. `cosigned` gives what it cosigned before, as far as that was kept."""

    def __init__(
        self, url: str, key: VerifierKey, origin: str, prove: Prove, cosigned: Callable[[], Iterable[Note]]
    ) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._origin = origin
        self._prove = prove
        self._cosigned = cosigned

    def put(self, note: bytes, size: int) -> Placed:
        """Has the checkpoint cosigned. Raises `IntegrationError`: `WITNESS_REFUSES` where it saw another history."""
        known = max((found.size for one in self._own() if (found := checkpoint_in(one)) is not None), default=0)
        answer = self._add(note, known if known <= size else 0)
        if answer.status == 409 and answer.content_type == SIZE_TYPE:
            # It knows another size than was kept here; it is asked once more from there.
            theirs = _size_in(answer)
            if theirs > size:
                raise IntegrationError(
                    "WITNESS_AHEAD",
                    f"The witness {self._key.name} has cosigned {theirs} events, and this checkpoint has {size}.",
                    "If the log had more events once, it was rolled back: `esaa verify`. Else make a newer checkpoint.",
                )
            answer = self._add(note, theirs)
        if answer.status in (409, 422):
            raise IntegrationError(
                "WITNESS_REFUSES",
                f"The witness {self._key.name} has cosigned another history of this log: {_said(answer)}.",
                "One of the two was rewritten. `esaa anchor check` compares them.",
            )
        if answer.status != 200:
            raise IntegrationError(
                "WITNESS_FAILED",
                f"The witness {self._key.name} answers {answer.status}: {_said(answer)}.",
                "Does it know this log and its key?",
            )
        cosigned, time = self._with(note, answer.body)
        at = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Placed(where=self._url, note=cosigned, detail={"time": at, "witness": self._key.name})

    def fetch(self) -> Iterator[bytes]:
        """The newest checkpoint that the witness shows, where it shows any, and those kept here that it did sign."""
        yield from self._own()
        name = hashlib.sha256(self._origin.encode()).hexdigest()
        answer = exchange(f"{self._url}/checkpoint/{name}")
        if answer.status == 200 and self._is_cosigned(answer.body):
            yield answer.body

    def _own(self) -> Iterator[bytes]:
        for note in self._cosigned():
            data = format_note(note)
            if self._is_cosigned(data):
                yield data

    def _is_cosigned(self, data: bytes) -> bool:
        try:
            return cosigned_by(parse_note(data), self._key, verify_ed25519) is not None
        except CheckpointInvalid:
            return False

    def _add(self, note: bytes, known: int) -> Answer:
        about = checkpoint_of(parse_note(note))
        proof = tuple(self._prove(known, about)) if 0 < known <= about.size else ()
        request = AddCheckpoint(old_size=known, proof=proof, note=note)
        return exchange(f"{self._url}/add-checkpoint", format_request(request), {"Content-Type": "text/plain"})

    def _with(self, note: bytes, lines: bytes) -> tuple[bytes, int]:
        """The note with the cosignature of this witness; whatever else it signed with is left out."""
        try:
            ours = parse_note(note)
            answered = parse_note(ours.text + b"\n" + lines)
            time = cosigned_by(answered, self._key, verify_ed25519)
        except CheckpointInvalid as error:
            raise self._unbelievable(str(error)) from error
        if time is None:
            raise self._unbelievable("it did not sign with the key that was named for it")
        key = (self._key.name, self._key.key_id)
        others = [one for one in ours.signatures if (one.name, one.key_id) != key]
        signed = [one for one in answered.signatures if (one.name, one.key_id) == key][:1]
        return format_note(msgspec.structs.replace(ours, signatures=(*others, *signed))), time

    def _unbelievable(self, reason: str) -> IntegrationError:
        return IntegrationError(
            "WITNESS_UNBELIEVABLE",
            f"The answer of the witness {self._key.name} does not hold: {reason}.",
            "Is the key in .roadmap/anchors.yaml that of the witness?",
        )


def _size_in(answer: Answer) -> int:
    try:
        return parse_number(answer.body.decode("ascii").removesuffix("\n"), "the size")
    except (CheckpointInvalid, UnicodeDecodeError) as error:
        raise IntegrationError(
            "WITNESS_FAILED", f"The witness answers 409 without its size: {_said(answer)}.", "Is it a C2SP witness?"
        ) from error


def _said(answer: Answer) -> str:
    return " ".join(answer.body.decode("utf-8", "replace").split())[:200] or "it said nothing"
