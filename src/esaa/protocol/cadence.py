"""When a run verifies itself (RUNTIME_POLICY `verify_policy.cadence`, DESIGN 12.8)."""

from __future__ import annotations

from typing import assert_never

from esaa.contracts.governance import Governance
from esaa.protocol.state import State

SHARE = 64
"""Adaptive: one verification for every `tasks / SHARE` projected events, so hashing stays a bounded share."""


def verification_due(state: State, rules: Governance) -> bool:
    """True when the state should be verified now, after an accepted result."""
    since = state.header.verified.events_since
    if since == 0:
        return False
    match rules.runtime.verify_policy.cadence:
        case "every_result":
            return True
        case "run_end":
            return False
        case "adaptive":
            return since * SHARE >= len(state.tasks)
        case other:
            assert_never(other)
