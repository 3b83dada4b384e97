"""Events that change no state, told by their bytes: who folds a log need not decode nearly half of it."""

from __future__ import annotations

from esaa.protocol.facts import OutputRejected, VerificationStarted, ViewMutated

STATELESS = frozenset((ViewMutated.action_name, VerificationStarted.action_name, OutputRejected.action_name))
"""The actions whose events seldom change the state; `is_stateless_payload` tells which do."""


def is_stateless(line: bytes) -> bool:
    """True for a line, as esaa writes it, whose fact changes no state: it need not be decoded to fold the log.

    Not to be asked of the first line, which says what version the log has.
    """
    # No JSON string holds a bare quote, so what stands right before the first inner brace is the envelope's own key.
    brace = line.find(b"{", 1)
    head = _STATELESS_HEADS.get(line[brace - _HEAD_END : brace])
    if head is None or not line.startswith(head, brace - len(head)):
        return False
    return line[brace : line.find(b"}", brace) + 1] in _COMMON_PAYLOADS or _names_no_state(line)


def is_stateless_payload(payload: bytes) -> bool:
    """As `is_stateless`, for the payload of an action whose events seldom change the state."""
    return payload in _COMMON_PAYLOADS or _names_no_state(payload)


def _names_no_state(text: bytes) -> bool:
    # A key may be spelt with escapes.
    return b'"lessons"' not in text and b'"bound"' not in text and b"\\u" not in text


_COMMON_PAYLOADS = frozenset(
    [b'{"strict":true}']
    + [b'{"target":"' + target + b'","change":"projected"}' for target in (b"roadmap", b"issues", b"lessons")]
)
"""Payloads that hold nothing more, for certain: an object without an inner one ends at its first brace."""
_HEAD_END = 24
_STATELESS_HEADS = {
    head[-_HEAD_END:]: head for head in (b',"action":"%b","payload":' % name.encode() for name in STATELESS)
}
