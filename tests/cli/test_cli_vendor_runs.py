"""Whole projects by models behind the vendors' SDKs, over the loopback fake: finished, refused, stopped, continued."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from esaa.dev.fake_llm.script import Rule, Script, Turn, When
from esaa.dev.fake_llm.server import FakeLlm
from tests.cli.workbench import Workbench

KEY = "sk-very-secret-0123456789"
MODEL = "model-of-tests"
ADAPTERS = {
    "anthropic": ("anthropic", "anthropic"),
    "openai-responses": ("openai", "openai"),
    "openai-chat": ("openai:{url}/v1", "openai"),
    "gemini": ("google", "google"),
}


def governed(esaa: Workbench, monkeypatch: pytest.MonkeyPatch, fake: FakeLlm, api: str = "anthropic") -> str:
    """The demo project with a model behind every actor, and the user's environment; the name of the client."""
    esaa.ok("init", "--demo", "landing")
    adapter, client = ADAPTERS[api]
    fields = f"adapter: {adapter.format(url=fake.url)}\n    model: {MODEL}"
    if api == "openai-chat":
        fields += "\n    env: [OPENAI_API_KEY]"
    esaa.edit("agents_swarm.yaml", "adapter: cassette:.roadmap/cassettes", fields)
    for name, value in fake.environment().items():
        monkeypatch.setenv(name, value)
    return client


def played(*rules: Rule) -> FakeLlm:
    return FakeLlm(Script(rules=rules, key=KEY))


def assert_nowhere(root: Path, secret: str) -> None:
    """The text is in no file of the workspace."""
    for path in root.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def provenances(esaa: Workbench, action: str) -> list[dict[str, Any]]:
    return [event["payload"]["provenance"] for event in esaa.events() if event["action"] == action]


@pytest.mark.parametrize("api", ADAPTERS)
def test_the_demo_is_finished_through_each_sdk(esaa: Workbench, monkeypatch: pytest.MonkeyPatch, api: str) -> None:
    with played() as fake:
        client = governed(esaa, monkeypatch, fake, api)
        outcome = esaa.ok("run")
        asked = len(fake.seen)
    assert "success" in outcome.out
    assert {seen.request.api for seen in fake.seen} == {api}
    assert all(seen.request.schema is not None for seen in fake.seen)
    tasks = esaa.ok("task", "list", "--json").answer
    assert {task["status"] for task in tasks} == {"done"}
    assert asked == 3 * len(tasks)
    esaa.assert_sound()
    for one in provenances(esaa, "complete"):
        assert (one["client"], one["model"]) == (client, MODEL)
        assert one["tokens_in"] > one["tokens_out"] > 0
        assert one["client_version"][0].isdigit()
        assert len(one["prompt_sha256"]) == 64
    assert_nowhere(esaa.root, KEY)
    assert KEY not in outcome.out + outcome.err


def test_what_is_refused_is_taught_in_the_next_prompt(esaa: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: dict[str, Any] = {"activity_event": {"action": "claim", "task_id": "T-1000", "prior_status": "done"}}
    rules = (
        Rule(when=When(action="claim", task_id="T-1000"), times=1, turns=(Turn(json=wrong),)),
        Rule(when=When(action="complete", task_id="T-1000"), times=1, fault="prose"),
    )
    with played(*rules) as fake:
        governed(esaa, monkeypatch, fake)
        outcome = esaa("run", "--steps", "8")
    rejected = [event["payload"] for event in esaa.events() if event["action"] == "output.rejected"]
    assert len(rejected) == 2, outcome
    claims = [
        seen.request for seen in fake.seen if any("`claim` the task T-1000" in text for text in seen.request.said)
    ]
    assert len(claims) == 2
    assert rejected[0]["error_code"] not in "\n".join(claims[0].said)
    assert rejected[0]["error_code"] in "\n".join(claims[1].said)
    assert rejected[0]["message"] in "\n".join(claims[1].said)
    assert all(one["provenance"]["tokens_out"] > 0 for one in rejected)


def test_a_key_that_is_not_taken_stops_the_run_and_nothing_is_lost(
    esaa: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played() as fake:
        governed(esaa, monkeypatch, fake)
        esaa.ok("run", "--steps", "2")
        before = esaa.lines()
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-revoked-key")
        outcome = esaa("run", "--json")
        assert outcome.code == 9
        assert json.loads(outcome.err.splitlines()[-1])["error"]["code"] == "KEY_REFUSED"
        assert "sk-revoked-key" not in outcome.out + outcome.err
        assert esaa.lines()[: len(before)] == before
        assert "output.rejected" not in esaa.actions()
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        esaa.ok("run")
    assert {task["status"] for task in esaa.ok("task", "list", "--json").answer} == {"done"}
    esaa.assert_sound()
    assert_nowhere(esaa.root, "sk-revoked-key")


def test_a_vendor_that_fails_for_a_while_is_outlasted(esaa: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = (Rule(times=1, status=429, retry_after_s=0.1), Rule(times=1, status=529), Rule(times=1, fault="cut"))
    with played(*rules) as fake:
        governed(esaa, monkeypatch, fake)
        esaa.ok("run", "--steps", "1")
        assert [seen.status for seen in fake.seen] == [429, 529, 200, 200]
    assert "output.rejected" not in esaa.actions()
    assert esaa.actions().count("claim") == 1


@pytest.mark.parametrize(
    ("fault", "said"), [("refusal", "refused to answer"), ("truncated", "cut short"), ("flood", "more than")]
)
def test_an_answer_that_is_none_is_a_recorded_rejection(
    esaa: Workbench, monkeypatch: pytest.MonkeyPatch, fault: Any, said: str
) -> None:
    with played(Rule(times=1, fault=fault)) as fake:
        governed(esaa, monkeypatch, fake)
        outcome = esaa("run", "--steps", "1")
    assert "Traceback" not in outcome.err
    (rejected,) = [event["payload"] for event in esaa.events() if event["action"] == "output.rejected"]
    assert said in rejected["message"]
    assert rejected["error_code"] == ("RESOURCE_LIMIT_EXCEEDED" if fault == "flood" else "AGENT_FAILED")
    esaa.assert_sound()


def test_a_model_is_named_before_anything_runs(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "landing")
    esaa.edit("agents_swarm.yaml", "adapter: cassette:.roadmap/cassettes", "adapter: google")
    before = esaa.lines()
    outcome = esaa("run", "--json")
    assert outcome.code == 8
    assert outcome.error["code"] == "MODEL_MISSING"
    assert esaa.lines() == before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("limits: {timeout_s: 0}", "timeout_s"),
        ("limits: {tokens_out_max: 0}", "tokens_out_max"),
        ("limits: {speed: 1}", "speed"),
        ("model: ' '", "model"),
        ("env: ['KEY=sk-secret-value']", "names of variables, never values"),
    ],
)
def test_what_an_actor_may_not_say_is_named(esaa: Workbench, line: str, said: str) -> None:
    esaa.ok("init", "--demo", "landing")
    old = "adapter: cassette:.roadmap/cassettes"
    esaa.edit("agents_swarm.yaml", old, f"{old}\n    {line}")
    outcome = esaa("run", "--json")
    assert outcome.code == 8
    assert said in outcome.err
    assert "sk-secret-value" not in outcome.err
