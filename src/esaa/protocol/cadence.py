"""When a run verifies itself (RUNTIME_POLICY `verify_policy.cadence`, DESIGN 12.8)."""

from __future__ import annotations

from esaa.contracts.governance import Governance
from esaa.protocol.state import State

SHARE = 64
"""Adaptive: one verification for every `tasks / SHARE` projected events, so hashing stays a bounded share."""


def verification_due(state: State, rules: Governance) -> bool:
    """True when the state should be verified now, after an accepted result."""
    since = state.header.events_since_verified
    if since == 0:
        return False
    cadence = rules.runtime.verify_policy.cadence
    if cadence == "adaptive":
        return since * SHARE >= len(state.tasks)
    return cadence == "every_result"
