"""Erasable values: in an event stands only a commitment; the value and its salt lie elsewhere, and can be destroyed.

The place of the value holds `PLACEHOLDER`, before the erasure and after it, so that no fold, no schema and no proof
ever depends on the value.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from esaa.kernel.canonical import compact
from esaa.kernel.commitment import SALT_BYTES, commit, opens

PLACEHOLDER = "[erasable]"
_NOTHING = (None, "", PLACEHOLDER)

NewSalt = Callable[[], bytes]


class Erasable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A value that lies beside the log, where it can be erased.

    `path` is the JSON pointer of its place, `commitment` is SHA-256(0x02 || salt || value) in hex, `bytes` is the size
    of the value as compact JSON. `subject` is whom it is about, by a pseudonym; `is_sealed` says that it is encrypted
    with a key of its own.
    """

    path: str
    commitment: str
    bytes: int
    subject: str | None = None
    is_sealed: bool = False


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """A document without its erasable values, a note for each, and by commitment what has to be kept beside it."""

    document: dict[str, Any]
    notes: tuple[Erasable, ...]
    contents: dict[str, bytes]


def withhold(
    document: Mapping[str, Any], pointers: Iterable[str], new_salt: NewSalt, *, subject: str | None, is_sealed: bool
) -> Withheld:
    """Takes the values at the pointers out of a JSON object. A place that is absent, null or empty is passed over.

    `new_salt` gives 32 random bytes for each value: a commitment whose salt can be guessed protects nothing.
    """
    whole: dict[str, Any] = copy.deepcopy(dict(document))
    notes: list[Erasable] = []
    contents: dict[str, bytes] = {}
    for pointer in dict.fromkeys(pointers):
        holder, key = _place(whole, pointer)
        if not isinstance(holder, dict) or key not in holder or holder[key] in _NOTHING:
            continue
        payload, salt = compact(holder[key]), new_salt()
        commitment = commit(salt, payload)
        holder[key] = PLACEHOLDER
        contents[commitment] = salt + payload
        notes.append(
            Erasable(path=pointer, commitment=commitment, bytes=len(payload), subject=subject, is_sealed=is_sealed)
        )
    return Withheld(document=whole, notes=tuple(notes), contents=contents)


def payload_of(note: Erasable, content: bytes) -> bytes | None:
    """The value of a note as compact JSON; None where the content is not what was committed to."""
    salt, payload = content[:SALT_BYTES], content[SALT_BYTES:]
    return payload if len(payload) == note.bytes and opens(note.commitment, salt, payload) else None


def _place(document: dict[str, Any], pointer: str) -> tuple[Any, str]:
    holder: Any = document
    *parents, key = pointer.removeprefix("/").split("/")
    for parent in parents:
        holder = holder.get(parent) if isinstance(holder, dict) else None
    return holder, key
