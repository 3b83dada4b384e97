"""The signature as it stands in a submission: taken off before the result is looked at, and parsed strictly."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal

import msgspec

from esaa.kernel.canonical import canonical, sha256_hex

SIGNATURE_KEY = "signature"
_SIGNATURE_BYTES = 64
_WORKSPACE_CHARS_MAX = 200
_ATTEMPT_MAX = 1 << 53


class SignatureMalformed(ValueError):
    """What stands under `signature` is no signature. The text completes the sentence "its signature ..."."""


class SignatureClaims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a submission says about its signature: the workspace it was made for, what was asked and for the how-manieth
    time, and the signature itself in base64. Actor, task and act are those of the submission."""

    workspace: str
    ask: Literal["claim", "complete", "review", "report"]
    attempt: int
    value: str


class PresentedSignature(msgspec.Struct, frozen=True, kw_only=True):
    """A signature and the digest of what it is over: the canonical JSON of the result without it."""

    claims: SignatureClaims
    result_sha256: str


def digest_of_result(result: dict[str, Any]) -> str:
    """The SHA-256 of a result's canonical JSON, as its signature names it. `result` carries no signature."""
    return sha256_hex(canonical(result))


def take_signature(value: dict[str, Any]) -> PresentedSignature | None:
    """The signature of a submission, taken out of `value`; None where there is none. Raises `SignatureMalformed`."""
    if SIGNATURE_KEY not in value:
        return None
    try:
        claims = msgspec.convert(value.pop(SIGNATURE_KEY), SignatureClaims)
    except msgspec.ValidationError as error:
        raise SignatureMalformed(f"is malformed: {error}") from error
    if len(claims.workspace) > _WORKSPACE_CHARS_MAX or not 0 < claims.attempt < _ATTEMPT_MAX:
        raise SignatureMalformed("names no workspace and attempt")
    try:
        signature = base64.b64decode(claims.value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureMalformed("is not base64") from error
    if len(signature) != _SIGNATURE_BYTES or base64.b64encode(signature).decode() != claims.value:
        raise SignatureMalformed("is not the base64 of 64 bytes")
    return PresentedSignature(claims=claims, result_sha256=digest_of_result(value))
