"""Signed submissions: what is taken for an actor's own, what is refused as whose it is not, and what is recorded."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from esaa.contracts.governance import Governance
from esaa.errors import ContractError
from esaa.kernel.canonical import canonical, sha256_hex
from esaa.kernel.checkpoint import ED25519, VerifierKey, format_vkey, key_id
from esaa.kernel.decider import Rejected
from esaa.protocol.commands import Submit
from esaa.protocol.facts import IssueReported, OutputRejected, TaskClaimed, TaskCompleted, TaskReviewed
from esaa.protocol.identity import Turn, message_of, refuse_identity, signature_bytes, signing_message, turn_of
from esaa.protocol.intentions import AgentResult
from esaa.protocol.rejections import reject
from esaa.protocol.result import Refused, parse_result
from esaa.protocol.scheduling import order_for
from esaa.protocol.settle import settle
from esaa.protocol.state import State
from tests.scenarios import (
    IMPL,
    LATER,
    QA,
    Story,
    approved,
    claim,
    complete,
    created,
    done,
    facts_of,
    folded,
    governance,
    governed,
    in_progress,
    in_review,
    report,
    reported,
    review,
    sent_back,
    todo,
)

WORKSPACE = "esaa.local/a1"
VALUE = base64.b64encode(bytes(range(64))).decode()


def vkey(name: str, byte: int) -> str:
    """A public key of this name; whose private half is of no interest here."""
    public = bytes([byte]) * 32
    return format_vkey(VerifierKey(name=name, key_id=key_id(name, ED25519, public), algorithm=ED25519, public=public))


KEY = vkey("impl.example", 1)


def signed_rules(impl_key: str | None = KEY, qa_key: str | None = None, identity: str = "signed") -> Governance:
    """The shipped contracts, with keys of two actors."""
    impl = f"    roles: [impl]\n    key: {impl_key}\n" if impl_key else "    roles: [impl]\n"
    qa = f"    roles: [qa]\n    key: {qa_key or vkey('qa.example', 2)}\n"
    changes = [
        ("contract: agents_swarm\n", f"contract: agents_swarm\nidentity: {identity}\n"),
        ("    roles: [impl]\n", impl),
        ("    roles: [qa]\n", qa),
    ]
    return governed({"agents_swarm.yaml": changes})


RULES = signed_rules()


def put(
    actor: str,
    output: Mapping[str, Any] | bytes,
    *,
    ask: str = "claim",
    attempt: int = 1,
    workspace: str = WORKSPACE,
    genuine: bool = True,
    asked: str | None = None,
    rules: Governance = RULES,
    signature: Any = ...,
) -> Submit:
    """An output as a command, with what its signature says, and whether the key made it."""
    if isinstance(output, bytes):
        data = output
    else:
        claims = (
            {"workspace": workspace, "ask": ask, "attempt": attempt, "value": VALUE} if signature is ... else signature
        )
        data = json.dumps({**output, **({} if claims is None else {"signature": claims})}).encode()
    result = parse_result(data, rules)
    return Submit(actor=actor, result=result, asked_task_id=asked, workspace=WORKSPACE, is_genuine=genuine)


def _settled(command: Submit, state: State, rules: Governance = RULES) -> tuple[Rejected | None, Any]:
    settlement = settle(command, state, rules, LATER)
    return settlement.rejected, facts_of(settlement)[0]


@pytest.mark.parametrize(
    ("given", "actor", "output", "ask", "kind"),
    [
        (todo(), IMPL, claim(), "claim", TaskClaimed),
        (in_progress(), IMPL, complete(), "complete", TaskCompleted),
        (in_review(), QA, review(), "review", TaskReviewed),
        (in_progress(), IMPL, report(), "complete", IssueReported),
        (done(), IMPL, report(), "report", IssueReported),
    ],
)
def test_genuine_act_is_taken_and_keeps_the_signature_it_was_taken_under(
    given: tuple[Story, ...], actor: str, output: dict[str, Any], ask: str, kind: type
) -> None:
    rejected, fact = _settled(put(actor, output, ask=ask), folded(*given))

    assert rejected is None
    assert isinstance(fact, kind)
    assert fact.signature == {  # type: ignore[attr-defined]  # each of the four has it
        "ask": ask,
        "attempt": 1,
        "key": RULES.swarm.actors[actor].key,
        "result_sha256": sha256_hex(canonical(output)),
        "value": VALUE,
        "workspace": WORKSPACE,
    }


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (put(IMPL, claim(), signature=None), "IDENTITY_MISSING"),
        (put(IMPL, b"{", signature=None), "IDENTITY_MISSING"),
        (put("agent-spec", claim()), "IDENTITY_UNREGISTERED"),
        (put(IMPL, claim(), genuine=False), "IDENTITY_INVALID"),
        (put(IMPL, claim(), workspace="esaa.local/other"), "IDENTITY_REPLAYED"),
        (put(IMPL, claim(), attempt=2), "IDENTITY_REPLAYED"),
        (put(IMPL, claim(), ask="complete"), "IDENTITY_REPLAYED"),
        (put(IMPL, claim(), ask="steal"), "IDENTITY_INVALID"),
        (put(IMPL, claim(), signature="x"), "IDENTITY_INVALID"),
        (put(IMPL, claim(), signature={"workspace": WORKSPACE, "attempt": 1}), "IDENTITY_INVALID"),
        (
            put(IMPL, claim(), signature={"workspace": WORKSPACE, "ask": "claim", "attempt": 0, "value": VALUE}),
            "IDENTITY_INVALID",
        ),
        (
            put(IMPL, claim(), signature={"workspace": "w" * 201, "ask": "claim", "attempt": 1, "value": VALUE}),
            "IDENTITY_INVALID",
        ),
        (
            put(IMPL, claim(), signature={"workspace": "w", "ask": "claim", "attempt": 1, "value": "????"}),
            "IDENTITY_INVALID",
        ),
        (
            put(IMPL, claim(), signature={"workspace": "w", "ask": "claim", "attempt": 1, "value": VALUE[:-4]}),
            "IDENTITY_INVALID",
        ),
        (
            put(IMPL, claim(), signature={"workspace": "w", "ask": "claim", "attempt": 1, "value": VALUE, "by": "me"}),
            "IDENTITY_INVALID",
        ),
    ],
)
def test_what_is_not_the_actors_own_is_refused_recorded_and_costs_the_actor_nothing(command: Submit, code: str) -> None:
    rejected, fact = _settled(command, folded(*todo()))

    assert rejected is not None
    assert (rejected.error_code, rejected.layer, rejected.counts) == (code, "vocabulary", False)
    assert isinstance(fact, OutputRejected)
    assert (fact.error_code, fact.rejected_actor, fact.counts) == (code, command.actor, False)


@pytest.mark.parametrize(
    "command",
    [
        put(IMPL, claim(), signature=None, asked="T-1"),
        put(IMPL, claim(), genuine=False, asked="T-1"),
        put(IMPL, claim(), signature=7, asked="T-1"),
        put(IMPL, claim(), attempt=9, asked="T-1"),
    ],
)
def test_agent_that_was_asked_and_does_not_sign_uses_up_its_attempts(command: Submit) -> None:
    rejected, fact = _settled(command, folded(*todo()))

    assert rejected is not None
    assert rejected.error_code.startswith("IDENTITY_")
    assert fact.counts is True


def test_what_an_asked_agent_broke_is_said_as_what_it_is() -> None:
    crashed = Refused(
        rejected=reject("AGENT_FAILED", "it ended with 1", "look"),
        task_id="T-1",
        source_action="claim",
        result_sha256="",
    )
    for result, code in ((crashed, "AGENT_FAILED"), (parse_result(b"{", RULES), "JSON_INVALID")):
        rejected, fact = _settled(Submit(actor=IMPL, result=result, asked_task_id="T-1"), folded(*todo()))
        assert rejected is not None
        assert (rejected.error_code, fact.counts) == (code, True)


def test_genuine_output_that_breaks_a_rule_is_refused_by_that_rule_and_counts() -> None:
    wrong = {"activity_event": {"action": "fly", "task_id": "T-1"}}
    for output, code in ((complete(), "MISSING_CLAIM"), (wrong, "UNKNOWN_ACTION")):
        rejected, _ = _settled(put(IMPL, output), folded(*todo()))
        assert rejected is not None
        assert (rejected.error_code, rejected.counts) == (code, True)


def test_signature_is_judged_before_anything_that_it_would_reveal() -> None:
    rejected, _ = _settled(put(IMPL, claim("T-404"), genuine=False), folded(*todo()))
    assert rejected is not None
    assert rejected.error_code == "IDENTITY_INVALID"
    rejected, _ = _settled(put(IMPL, claim("T-404")), folded(*todo()))
    assert rejected is not None
    assert rejected.error_code == "TASK_NOT_FOUND"


def test_genuine_output_about_no_task_at_all_is_left_to_the_schema() -> None:
    rejected, _ = _settled(put(IMPL, {"activity_event": []}), folded(*todo()))
    assert rejected is not None
    assert rejected.error_code == "SCHEMA_INVALID"


def test_no_act_counts_twice_whatever_became_of_the_task() -> None:
    acts: list[tuple[str, dict[str, Any], tuple[Story, ...]]] = [
        (IMPL, claim(), todo()),
        (IMPL, complete(), in_progress()),
        (QA, review("T-1", "request_changes"), in_review()),
        (IMPL, report(), in_progress()),
        (IMPL, report(), done()),
    ]
    for actor, output, given in acts:
        state = folded(*given)
        turn = turn_of(_task(state), state)
        command = put(actor, output, ask=turn.ask, attempt=turn.attempt)
        settlement = settle(command, state, RULES, LATER)
        assert settlement.rejected is None, output
        after = folded(*given, *((draft.fact, draft.actor) for draft in settlement.drafts))
        for later in (after, *_later(after, given, settlement.drafts)):
            again, _ = _settled(command, later)
            assert again is not None, output
            assert again.error_code == "IDENTITY_REPLAYED", output


def _task(state: State) -> Any:
    return state.tasks.get("T-1")


def _later(after: State, given: tuple[Story, ...], drafts: Any) -> list[State]:
    """States in which the same act would fit once more, were it not for its signature."""
    acted = [(draft.fact, draft.actor) for draft in drafts]
    if _task(after).status == "review":
        return [folded(*given, *acted, sent_back())]
    return []


def test_attempts_are_those_that_the_context_names() -> None:
    states = {
        Turn("claim", 1): folded(*todo()),
        Turn("complete", 1): folded(*in_progress()),
        Turn("complete", 2): folded(*in_progress(), (reported(), IMPL)),
        Turn("review", 1): folded(*in_review()),
        Turn("complete", 3): folded(*in_review(), sent_back(), (reported(), IMPL)),
    }
    for turn, state in states.items():
        assert turn_of(_task(state), state) == turn
        order = order_for(_task(state), state, RULES)
        assert order is not None
        assert Turn(order.action, order.attempt) == turn
    assert turn_of(_task(folded(*done())), folded(*done())) == Turn("report", 1)


def test_unsigned_workspace_asks_for_nothing_and_takes_no_signature_that_nobody_would_check() -> None:
    rules = governance()
    command = put(IMPL, claim(), signature=None, rules=rules)
    assert refuse_identity(command, folded(*todo()), rules) is None
    rejected, fact = _settled(command, folded(*todo()), rules)
    assert rejected is None
    assert fact.signature is msgspec.UNSET
    rejected, _ = _settled(put(IMPL, claim(), rules=rules), folded(*todo()), rules)
    assert rejected is not None
    assert rejected.error_code == "SCHEMA_INVALID"
    # Keys may be registered before they are asked for.
    prepared = signed_rules(identity="unsigned")
    rejected, fact = _settled(put(IMPL, claim(), signature=None, rules=prepared), folded(*todo()), prepared)
    assert rejected is None
    assert fact.signature is msgspec.UNSET


def test_message_binds_everything_and_is_spelled_in_one_way() -> None:
    base: dict[str, Any] = {
        "workspace": "w",
        "actor": "a",
        "task_id": "T",
        "action": "claim",
        "turn": Turn("claim", 1),
        "result_sha256": "0",
    }
    assert signing_message(**base) == (
        b'esaa-submission/v1\n{"action":"claim","actor":"a","ask":"claim","attempt":1,"result_sha256":"0","task_id":"T","workspace":"w"}\n'
    )
    others: list[dict[str, Any]] = [{**base, key: "x\n"} for key in base if key != "turn"]
    others += [{**base, "turn": Turn("claim", 2)}, {**base, "turn": Turn("review", 1)}]
    messages = {signing_message(**one) for one in [base, *others]}
    assert len(messages) == len(others) + 1


def test_message_of_a_submission_is_over_its_own_task_act_and_result() -> None:
    output = {**complete(), "file_updates": []}
    command = put(IMPL, output, ask="complete", attempt=3)
    assert isinstance(command.result, AgentResult)
    assert command.result.signature is not None
    expected = signing_message(
        workspace=WORKSPACE,
        actor=IMPL,
        task_id="T-1",
        action="complete",
        turn=Turn("complete", 3),
        result_sha256=sha256_hex(canonical(output)),
    )
    refused = put(IMPL, {"activity_event": {"task_id": "T-1"}})
    assert isinstance(refused.result, Refused)
    assert refused.result.signature is not None
    assert b'"action":""' in message_of(refused, refused.result.signature)
    assert signature_bytes(command.result.signature) == bytes(range(64))
    assert message_of(command, command.result.signature) == expected


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("nonsense", "actors.agent-impl.key is no public key"),
        (vkey("impl.example", 1)[:-1], "actors.agent-impl.key is no public key"),
        (vkey("another.name", 2), "whose output would it sign?"),
        (
            format_vkey(VerifierKey(name="w", key_id=key_id("w", 4, bytes(32)), algorithm=4, public=bytes(32))),
            "must be an Ed25519 key",
        ),
    ],
)
def test_key_that_could_not_say_who_signed_is_no_contract(key: str, message: str) -> None:
    with pytest.raises(ContractError, match=r"agents_swarm\.yaml") as caught:
        signed_rules(impl_key=key)
    assert message in caught.value.message
    with pytest.raises(ContractError):
        signed_rules(identity="perhaps")


def test_registered_actors_are_told_apart_from_those_without_a_key() -> None:
    rules = signed_rules(impl_key=None)
    state = folded(created(), approved("T-0"))
    rejected, _ = _settled(put(IMPL, claim(), rules=rules), state, rules)
    assert rejected is not None
    assert rejected.error_code == "IDENTITY_UNREGISTERED"
