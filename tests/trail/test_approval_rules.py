"""Who may allow what: the author never, others where the rule names them; and only the content that was asked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from esaa.contracts.approvals import ApprovalRule
from esaa.trail.approvals import allows, approval_id, fault_of_decider, is_expired
from esaa.trail.state_values import Approval

DIGEST = "ab" * 32
OPEN = Approval(status="open", requested_by="agent-impl", expires_at="2026-01-05T10:00:00.000Z", content_sha256=DIGEST)
GRANTED = replace(OPEN, status="granted", decided_by="ada", expires_at=None)
RULE = ApprovalRule(name="writes to src", approvers=("ada", "bob"))


def test_grant_allows_its_content_alone() -> None:
    assert allows(GRANTED, RULE, DIGEST)
    assert not allows(GRANTED, RULE, "cd" * 32)
    assert not allows(replace(GRANTED, content_sha256=None), RULE, DIGEST)
    assert not allows(OPEN, RULE, DIGEST)
    assert not allows(None, RULE, DIGEST)
    assert not allows(replace(GRANTED, status="denied"), RULE, DIGEST)


@pytest.mark.parametrize("name", ["agent-impl", "orchestrator", "runtime-monitor", "eve"])
def test_grant_of_someone_who_may_not_counts_for_nothing(name: str) -> None:
    assert fault_of_decider(OPEN, RULE, name) is not None
    assert not allows(replace(GRANTED, decided_by=name), RULE, DIGEST)


def test_without_a_list_anyone_but_the_author_may_answer() -> None:
    anyone = ApprovalRule(name="anyone")
    assert fault_of_decider(OPEN, anyone, "eve") is None
    assert fault_of_decider(OPEN, None, "eve") is None
    assert fault_of_decider(OPEN, anyone, "agent-impl") is not None


def test_request_expires_at_its_time() -> None:
    assert not is_expired(OPEN, datetime(2026, 1, 5, 9, 59, 59, tzinfo=UTC))
    assert is_expired(OPEN, datetime(2026, 1, 5, 10, 0, tzinfo=UTC))
    assert not is_expired(GRANTED, datetime(2027, 1, 1, tzinfo=UTC))
    assert not is_expired(replace(OPEN, expires_at=None), datetime(2027, 1, 1, tzinfo=UTC))


def test_name_follows_from_the_content_and_the_number() -> None:
    name = approval_id("T-1", "complete", DIGEST, 0)
    assert name == approval_id("T-1", "complete", DIGEST, 0)
    assert len({name, approval_id("T-1", "complete", DIGEST, 1), approval_id("T-1", "complete", "cd" * 32, 0)}) == 3
