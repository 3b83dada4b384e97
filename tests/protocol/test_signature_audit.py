"""Recorded signatures are checked again, with nothing but the log: forged, moved and repeated ones are found."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from esaa.contracts.governance import Governance
from esaa.kernel.checkpoint import ED25519, VerifierKey, format_vkey, key_id
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, TaskClaimed
from esaa.protocol.identity import Turn, signing_message
from esaa.protocol.signature_audit import SignatureAudit
from esaa.protocol.verify import LogAudit
from tests.protocol.test_identity import signed_rules
from tests.scenarios import IMPL, created, record

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def _vkey(private: Ed25519PrivateKey = KEY, algorithm: int = ED25519) -> str:
    public = private.public_key().public_bytes_raw()
    name = "impl.example"
    return format_vkey(
        VerifierKey(name=name, key_id=key_id(name, algorithm, public), algorithm=algorithm, public=public)
    )


def _verify(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _signed(version: int = 1, task_id: str = "T-1", **changes: Any) -> Recorded[Fact]:
    bound: dict[str, Any] = {"workspace": "esaa.local/a", "result_sha256": "0" * 64}
    message = signing_message(actor=IMPL, task_id="T-1", action="claim", turn=Turn("claim", version), **bound)
    value = base64.b64encode(KEY.sign(message)).decode()
    signature = {**bound, "ask": "claim", "attempt": version, "key": _vkey(), "value": value} | changes
    return record(TaskClaimed(task_id=task_id, signature=signature), version, actor=IMPL)


def _found(*events: Recorded[Fact], rules: Governance | None = None) -> list[tuple[int | None, str, str]]:
    audit = LogAudit(None, hash_all=False, last_verified=None)
    signatures = SignatureAudit(audit, rules, _verify)
    for line, event in enumerate(events, start=1):
        signatures.feed(event, line)
    return [(one.line, one.code, one.severity) for one in audit.findings]


def test_genuine_signatures_and_acts_without_one_have_no_finding() -> None:
    plain = record(TaskClaimed(task_id="T-1"), 3, actor=IMPL)
    assert _found(_signed(), _signed(2), plain, record(created(), 4)) == []
    assert _found(_signed(), rules=signed_rules(_vkey())) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 3},
        {"ask": "review"},
        {"workspace": "esaa.local/b"},
        {"result_sha256": "1" * 64},
        {"key": _vkey(Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))},
        {"key": _vkey(algorithm=4)},
        {"key": "nonsense"},
        {"value": "AAAA"},
        {"value": "???"},
        {"value": 7},
        {"attempt": "1"},
    ],
)
def test_signature_that_the_named_key_did_not_make_is_found_at_its_line(changes: dict[str, Any]) -> None:
    assert _found(_signed(), _signed(2, **changes)) == [(2, "SIGNATURE_INVALID", "error")]


def test_signature_of_another_task_or_actor_is_found() -> None:
    moved = _signed(task_id="T-2")
    stolen = msgspec.structs.replace(_signed(), actor="agent-qa")
    assert _found(moved) == [(1, "SIGNATURE_INVALID", "error")]
    assert _found(stolen) == [(1, "SIGNATURE_INVALID", "error")]


def test_one_signature_under_two_acts_is_found_at_the_second() -> None:
    again = msgspec.structs.replace(_signed(), version=2)
    assert _found(_signed(), again) == [(2, "SIGNATURE_REPEATED", "error")]


def test_key_that_is_not_the_registered_one_any_more_is_worth_a_warning() -> None:
    assert _found(_signed(), rules=signed_rules()) == [(1, "SIGNATURE_KEY_CHANGED", "warning")]
    assert _found(_signed(), rules=signed_rules(None)) == []
