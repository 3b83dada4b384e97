"""Models behind the three vendors' SDKs, asked over the loopback fake: answers, usage, failures, keys."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from esaa.agents.base import Answer, Dispatch
from esaa.agents.resolve import make_agent
from esaa.agents.vendors.anthropic import AnthropicVendor
from esaa.agents.vendors.api_agent import ApiAgent, ApiSettings
from esaa.agents.vendors.google import GoogleVendor
from esaa.agents.vendors.openai import OpenAIVendor
from esaa.agents.vendors.vendor import Vendor
from esaa.contracts.swarm import Actor
from esaa.dev.fake_llm.conversation import Request
from esaa.dev.fake_llm.script import Rule, Script, Turn
from esaa.dev.fake_llm.server import FakeLlm
from esaa.errors import AgentCrashed, AgentError, AgentTimedOut, AgentUnavailable, ConfigError
from esaa.protocol.result import Refused, parse_result
from tests.dev.questions import dispatch_of
from tests.scenarios import governance

KEY = "sk-very-secret-0123456789"
APIS = ("anthropic", "openai-responses", "openai-chat", "gemini")
CLIENTS = {"anthropic": "anthropic", "openai-responses": "openai", "openai-chat": "openai", "gemini": "google"}
KEY_NAMES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "google": "GEMINI_API_KEY"}


class Bench(NamedTuple):
    """An API, and agents that ask the fake by it."""

    api: str

    def agent(self, fake: FakeLlm, environ: Mapping[str, str] | None = None, **settings: Any) -> ApiAgent:
        """An agent with the fake's address and key in its environment."""
        is_chat = self.api == "openai-chat"
        vendors: dict[str, Vendor] = {
            "anthropic": AnthropicVendor(),
            "openai-responses": OpenAIVendor(),
            "openai-chat": OpenAIVendor(is_chat=True),
            "gemini": GoogleVendor(),
        }
        vendor = vendors[self.api]
        if is_chat:
            settings |= {"base_url": f"{fake.url}/v1", "key_names": ("OPENAI_API_KEY",)}
        settings.setdefault("output_bytes_max", 1_000_000)
        given = fake.environment() if environ is None else environ
        return ApiAgent(vendor, ApiSettings(model="model-of-tests", **settings), given, first_pause_s=0.01)


@pytest.fixture(params=APIS)
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def ask(agent: ApiAgent, question: Dispatch | None = None) -> Answer:
    return asyncio.run(agent.answer(question or dispatch_of()))


def played(*rules: Rule, key: str | None = KEY) -> FakeLlm:
    return FakeLlm(Script(rules=rules, key=key))


@pytest.mark.parametrize("action", ["claim", "complete", "review"])
def test_each_api_answers_with_a_result_that_the_contract_takes(bench: Bench, action: str) -> None:
    with played() as fake:
        answer = ask(bench.agent(fake), dispatch_of(action))
    result = parse_result(answer.result, governance())
    assert not isinstance(result, Refused), result
    assert json.loads(answer.result)["activity_event"]["action"] == action
    assert [seen.request.api for seen in fake.seen] == [bench.api]
    assert fake.seen[0].request.schema is not None


def test_usage_comes_from_the_answer(bench: Bench) -> None:
    with played() as fake:
        usage = ask(bench.agent(fake)).usage
    assert usage.client == CLIENTS[bench.api]
    assert usage.model == "model-of-tests"
    assert usage.client_version is not None
    assert usage.client_version[0].isdigit()
    # The fake counts what was said by its length; each vendor's way to count the cache comes to the same.
    assert usage.tokens_in == 89
    assert usage.tokens_cached == 16
    assert usage.tokens_out is not None
    assert usage.tokens_out > 30
    assert usage.cost_micro_usd is None
    assert usage.duration_s is not None


def test_system_and_user_texts_go_out_as_they_are(bench: Bench) -> None:
    question = dispatch_of()
    assert question.prompt is not None
    with played() as fake:
        ask(bench.agent(fake), question)
    assert fake.seen[0].request.said == (question.prompt.system, question.prompt.user)


@pytest.mark.parametrize("status", [408, 429, 500, 503, 529])
def test_passing_failures_are_tried_again(bench: Bench, status: int) -> None:
    with played(Rule(times=2, status=status, retry_after_s=0.02)) as fake:
        answer = ask(bench.agent(fake))
    assert json.loads(answer.result)["activity_event"]["action"] == "complete"
    assert [seen.status for seen in fake.seen] == [status, status, 200]


def test_a_broken_connection_is_tried_again(bench: Bench) -> None:
    with played(Rule(times=1, fault="cut")) as fake:
        answer = ask(bench.agent(fake))
    assert json.loads(answer.result)["activity_event"]["action"] == "complete"
    assert len(fake.seen) == 2


def test_failures_without_an_end_cost_an_attempt(bench: Bench) -> None:
    with played(Rule(status=500)) as fake, pytest.raises(AgentCrashed, match="500") as caught:
        ask(bench.agent(fake))
    assert caught.value.code == "API_FAILED"
    assert len(fake.seen) == 6
    assert getattr(caught.value.usage, "client", None) == CLIENTS[bench.api]


def test_a_wait_beyond_the_time_limit_is_not_begun(bench: Bench) -> None:
    began = time.monotonic()
    with played(Rule(status=429, retry_after_s=600)) as fake, pytest.raises(AgentCrashed, match="429"):
        ask(bench.agent(fake))
    assert len(fake.seen) == 1
    assert time.monotonic() - began < 20


def test_nobody_at_the_address_costs_an_attempt(bench: Bench) -> None:
    with played() as fake:
        agent = bench.agent(fake)
    with pytest.raises(AgentCrashed, match="connection broke"):
        ask(agent)


@pytest.mark.parametrize("rule", [Rule(fault="never"), Rule(wait_s=60)], ids=["never", "slow"])
def test_an_answer_that_does_not_come_ends_at_the_time_limit(bench: Bench, rule: Rule) -> None:
    ask_once = dispatch_of(timeout_s=1.0)
    with played(rule) as fake:
        agent = bench.agent(fake)
        asyncio.run(asyncio.to_thread(agent._vendor.load))
        began = time.monotonic()
        with pytest.raises(AgentTimedOut, match="within 1 s"):
            ask(agent, ask_once)
        assert time.monotonic() - began < 15


def test_the_actors_own_limit_holds_where_it_is_shorter(bench: Bench) -> None:
    with played(Rule(fault="never")) as fake, pytest.raises(AgentTimedOut, match=r"within 0\.5 s"):
        ask(bench.agent(fake, timeout_s=0.5))


def test_one_agent_answers_several_questions_at_once(bench: Bench) -> None:
    names = [f"T-{number}" for number in range(8)]

    async def all_at_once(agent: ApiAgent) -> list[Answer]:
        return await asyncio.gather(*(agent.answer(dispatch_of(task_id=name)) for name in names))

    with played(Rule(times=2, status=500)) as fake:
        answers = asyncio.run(all_at_once(bench.agent(fake)))
    assert [json.loads(one.result)["activity_event"]["task_id"] for one in answers] == names


def test_a_call_that_is_cancelled_leaves_nothing_behind(bench: Bench) -> None:
    async def cancelled(agent: ApiAgent, fake: FakeLlm) -> None:
        asking = asyncio.create_task(agent.answer(dispatch_of()))
        while not fake.seen:
            await asyncio.sleep(0.01)
        asking.cancel()
        await asking

    with played(Rule(fault="never")) as fake, pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled(bench.agent(fake), fake))


def test_a_slow_answer_is_waited_for(bench: Bench) -> None:
    with played(Rule(wait_s=0.3)) as fake:
        duration_s = ask(bench.agent(fake)).usage.duration_s
    assert duration_s is not None
    assert duration_s >= 0.3


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_taken_stops_the_run_without_a_retry(bench: Bench, status: int) -> None:
    rule = Rule(status=status, message=f"Incorrect API key provided: {KEY}")
    with played(rule) as fake, pytest.raises(AgentUnavailable) as caught:
        ask(bench.agent(fake))
    assert caught.value.code == "KEY_REFUSED"
    assert caught.value.exit_code == 9
    assert KEY not in str(caught.value)
    assert len(fake.seen) == 1


def test_a_wrong_key_is_named_by_its_variable(bench: Bench) -> None:
    with played() as fake:
        wrong = fake.environment() | {KEY_NAMES[CLIENTS[bench.api]]: "another-key"}
        with pytest.raises(AgentUnavailable, match=KEY_NAMES[CLIENTS[bench.api]]) as caught:
            ask(bench.agent(fake, wrong))
    assert caught.value.code == "KEY_REFUSED"


def test_no_key_stops_the_run_before_anything_is_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with played() as fake:
        with pytest.raises(AgentUnavailable) as caught:
            ask(bench.agent(fake, {}))
        assert caught.value.code == "KEY_MISSING"
        assert "keyring set esaa" in caught.value.hint
        assert fake.seen == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (Rule(status=404), "MODEL_UNKNOWN"),
        (Rule(status=400), None),
        (Rule(status=413), None),
    ],
    ids=["unknown model", "bad request", "too large a prompt"],
)
def test_what_a_retry_cannot_help_is_not_retried(bench: Bench, rule: Rule, code: str | None) -> None:
    with played(rule) as fake, pytest.raises(AgentError) as caught:
        ask(bench.agent(fake))
    assert len(fake.seen) == 1
    if code is None:
        assert isinstance(caught.value, AgentCrashed)
        assert str(rule.status) in caught.value.message
    else:
        assert isinstance(caught.value, AgentUnavailable)
        assert caught.value.code == code


def test_a_refusal_is_told_with_what_it_cost(bench: Bench) -> None:
    with played(Rule(fault="refusal")) as fake, pytest.raises(AgentCrashed, match="refused to answer") as caught:
        ask(bench.agent(fake))
    assert caught.value.code == "ANSWER_REFUSED"
    assert getattr(caught.value.usage, "tokens_in", 0) == 89
    assert len(fake.seen) == 1


def test_half_an_answer_is_told_with_what_helps(bench: Bench) -> None:
    with played(Rule(fault="truncated")) as fake, pytest.raises(AgentCrashed, match="cut short") as caught:
        ask(bench.agent(fake, tokens_out_max=7))
    assert caught.value.code == "ANSWER_CUT_SHORT"
    assert "tokens_out_max" in caught.value.hint
    assert getattr(caught.value.usage, "tokens_out", 0) > 0


@pytest.mark.parametrize("fault", ["prose", "fenced", "half", "garbage", "empty"])
def test_what_is_no_result_comes_back_as_it_was_said(bench: Bench, fault: Any) -> None:
    with played(Rule(fault=fault)) as fake:
        answer = ask(bench.agent(fake))
    assert isinstance(parse_result(answer.result, governance()), Refused)
    assert answer.usage.tokens_out is not None


def test_a_flood_is_not_read_to_its_end(bench: Bench) -> None:
    with played(Rule(fault="flood")) as fake, pytest.raises(AgentCrashed, match="more than 100000 bytes") as caught:
        ask(bench.agent(fake, output_bytes_max=100_000))
    assert caught.value.code == "OUTPUT_TOO_LARGE"
    assert len(fake.seen) == 1


def test_an_answer_just_above_the_limit_is_refused(bench: Bench) -> None:
    with played(Rule(turns=(Turn(text="x" * 1001),))) as fake, pytest.raises(AgentCrashed) as caught:
        ask(bench.agent(fake, output_bytes_max=1000))
    assert caught.value.code == "OUTPUT_TOO_LARGE"


def test_the_key_is_in_no_answer_error_or_log(bench: Bench, quiet: pytest.LogCaptureFixture) -> None:
    rules = (Rule(times=1, status=500, message=f"broken: {KEY}"), Rule(times=1, status=400, message=f"bad: {KEY}"))
    with played(*rules) as fake:
        agent = bench.agent(fake)
        with pytest.raises(AgentCrashed) as caught:
            ask(agent)
        answer = ask(agent)
    assert "[key]" in caught.value.message
    told = [str(caught.value), repr(caught.value.context), answer.result.decode(), repr(answer), repr(agent)]
    assert all(KEY not in text for text in [*told, quiet.text])


def test_a_key_that_no_header_can_hold_is_an_error_without_the_key(bench: Bench) -> None:
    with played() as fake:
        broken = fake.environment() | {KEY_NAMES[CLIENTS[bench.api]]: "sk-secret\nx: y\u00fc"}
        with pytest.raises(AgentError) as caught:
            ask(bench.agent(fake, broken))
    assert "sk-secret" not in str(caught.value)


def test_a_schema_that_describes_no_object_is_left_to_the_prompt(bench: Bench) -> None:
    import msgspec

    question = msgspec.structs.replace(dispatch_of(), schema=b'{"type": "array"}')
    with played() as fake:
        answer = ask(bench.agent(fake), question)
    assert fake.seen[0].request.schema is None
    assert not isinstance(parse_result(answer.result, governance()), Refused)


def test_without_a_prompt_nothing_is_asked(bench: Bench) -> None:
    import msgspec

    question = msgspec.structs.replace(dispatch_of(), prompt=None)
    with played() as fake, pytest.raises(AgentError) as caught:
        ask(bench.agent(fake), question)
    assert caught.value.code == "PROMPT_MISSING"
    assert fake.seen == []


def test_a_missing_sdk_names_its_extra(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    module = {"anthropic": "anthropic", "openai": "openai", "google": "google.genai"}[CLIENTS[bench.api]]
    monkeypatch.setitem(sys.modules, module, None)
    if module == "google.genai":
        import google

        monkeypatch.delattr(google, "genai", raising=False)
    with played() as fake, pytest.raises(AgentUnavailable, match="not installed") as caught:
        ask(bench.agent(fake))
    assert caught.value.code == "EXTRA_MISSING"
    assert "pip install 'esaa[" in caught.value.hint


def test_a_server_that_answers_something_else_costs_an_attempt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from esaa.dev.fake_llm import server

    monkeypatch.setattr(server._Handler, "_deliver", lambda self, *given, **named: self._json(200, ["what"]))
    with played() as fake, pytest.raises(AgentCrashed):
        ask(bench.agent(fake))


def test_a_model_without_structured_output_is_asked_with_a_tool_from_then_on() -> None:
    bench = Bench("anthropic")
    refused = Rule(times=1, status=400, message="output_config.format: this model does not support it")
    with played(refused) as fake:
        agent = bench.agent(fake)
        first, second = ask(agent), ask(agent)
    assert first.result == second.result
    assert [seen.request.answer_tool for seen in fake.seen] == [None, "agent_result", "agent_result"]


def test_an_empty_account_at_openai_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from esaa.dev.fake_llm import responses_wire

    monkeypatch.setitem(responses_wire._ERRORS, 429, "insufficient_quota")
    with played(Rule(status=429)) as fake, pytest.raises(AgentUnavailable) as caught:
        ask(Bench("openai-responses").agent(fake))
    assert caught.value.code == "QUOTA_EXHAUSTED"
    assert len(fake.seen) == 1


@pytest.mark.parametrize("rule", [Rule(status=402), Rule(status=400, message="Your credit balance is too low.")])
def test_an_empty_account_at_anthropic_stops_the_run(rule: Rule) -> None:
    with played(rule) as fake, pytest.raises(AgentUnavailable) as caught:
        ask(Bench("anthropic").agent(fake))
    assert caught.value.code == "QUOTA_EXHAUSTED"
    assert len(fake.seen) == 1


def test_openai_keeps_nothing_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    from esaa.dev.fake_llm import responses_wire

    bodies: list[dict[str, Any]] = []
    read = responses_wire.read

    def kept(body: dict[str, Any]) -> Request:
        bodies.append(body)
        return read(body)

    monkeypatch.setattr(responses_wire, "read", kept)
    with played() as fake:
        ask(Bench("openai-responses").agent(fake))
    assert bodies[0]["store"] is False


def test_a_key_from_the_keyring_serves_where_the_environment_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    kept = {("esaa", "ANTHROPIC_API_KEY"): KEY}
    monkeypatch.setattr(keyring, "get_password", lambda service, name: kept.get((service, name)))
    with played() as fake:
        given = {"ANTHROPIC_BASE_URL": fake.url}
        assert ask(Bench("anthropic").agent(fake, given)).usage.tokens_out
        with pytest.raises(AgentUnavailable):
            ask(Bench("gemini").agent(fake, {"GOOGLE_GEMINI_BASE_URL": fake.url}))


def test_a_keyring_that_fails_is_one_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.errors import NoKeyringError

    def locked(service: str, name: str) -> str:
        raise NoKeyringError(name)

    monkeypatch.setattr(keyring, "get_password", locked)
    with played() as fake, pytest.raises(AgentUnavailable) as caught:
        ask(Bench("anthropic").agent(fake, {"ANTHROPIC_BASE_URL": fake.url}))
    assert caught.value.code == "KEY_MISSING"


def test_an_address_of_the_project_gets_no_key_that_the_project_does_not_name(tmp_path: Path) -> None:
    with played(key="none") as fake:
        actor = Actor(roles=("impl",), model="local")
        agent = make_agent(f"openai:{fake.url}/v1", tmp_path, 100_000, actor)
        assert isinstance(agent, ApiAgent)
        # The fake takes the key "none" alone, so this passes only where no key of the environment was sent.
        assert asyncio.run(agent.answer(dispatch_of())).usage.tokens_out
        assert fake.seen[0].request.api == "openai-chat"


@pytest.mark.parametrize(
    ("adapter", "actor", "code"),
    [
        ("anthropic", Actor(roles=("impl",)), "MODEL_MISSING"),
        ("google", None, "MODEL_MISSING"),
        ("openai:ftp://example.org", Actor(roles=("impl",), model="m"), "BASE_URL_INVALID"),
        ("openai:http://", Actor(roles=("impl",), model="m"), "BASE_URL_INVALID"),
        ("openai:http://[::1", Actor(roles=("impl",), model="m"), "BASE_URL_INVALID"),
        ("openai:https://me:secret@example.org/v1", Actor(roles=("impl",), model="m"), "BASE_URL_INVALID"),
        ("openai:http://example.org/v1", Actor(roles=("impl",), model="m", env=("A_KEY",)), "BASE_URL_INVALID"),
        ("anthropic:x", Actor(roles=("impl",), model="m"), "ADAPTER_UNKNOWN"),
    ],
)
def test_adapters_that_cannot_work_are_named(tmp_path: Path, adapter: str, actor: Actor | None, code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_agent(adapter, tmp_path, 1000, actor)
    assert caught.value.code == code
    assert "secret" not in str(caught.value)
