"""What the three command lines print, read: real streams, and everything that another version might print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.agents.base import Usage
from esaa.agents.clis.claude_code import ClaudeCode
from esaa.agents.clis.codex import Codex
from esaa.agents.clis.dialect import Dialect, Heard, Trouble
from esaa.agents.clis.gemini import Gemini
from esaa.agents.clis.stream import json_lines, micro_usd

DIALECTS: list[Dialect] = [ClaudeCode(), Codex(), Gemini()]
KEYS = """type subtype is_error item usage modelUsage message result error errors stats models status content role id
text structured_output"""
WORDS = "result assistant init system turn.completed turn.failed item.completed agent_message message success \ud800"
ANSWER = b'{"action":"complete","task_id":"T-1"}'


def lines(*values: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def sample(name: str) -> bytes:
    """A real stream that lies beside the checkout. It is no tool: where it is absent, the test skips, in CI too."""
    path = Path(__file__).resolve().parents[2].parent / "shared" / "samples" / name
    if not path.is_file():
        pytest.skip(f"the real stream {name} (../shared/samples) is not here")
    return path.read_bytes()


def test_real_stream_of_claude_code() -> None:
    assert ClaudeCode().heard(sample("claude_code_live/stream_json_output.jsonl"), 0) == Heard(
        result=ANSWER,
        # 600 and 252 with the helper's calls; the main loop alone had 400 and 168.
        usage=Usage(model="claude-opus-4-8[1m]", tokens_in=600, tokens_out=252, tokens_cached=0, cost_micro_usd=9300),
    )


def test_real_stream_of_codex() -> None:
    assert Codex().heard(sample("codex_live/exec_json_output.jsonl"), 0) == Heard(
        result=ANSWER, usage=Usage(tokens_in=240, tokens_out=60, tokens_cached=40)
    )


def test_real_stream_of_gemini() -> None:
    assert Gemini().heard(sample("gemini_live/stream_json_output.jsonl"), 0) == Heard(
        result=ANSWER, usage=Usage(model="gemini-fake", tokens_in=200, tokens_out=20, tokens_cached=0)
    )


def test_claude_without_a_schema_answers_in_words() -> None:
    output = lines(
        {"type": "system", "subtype": "init", "model": "m-1"},
        {"type": "result", "subtype": "success", "is_error": False, "result": "Sure! Here it is."},
    )
    assert ClaudeCode().heard(output, 0) == Heard(
        result=b"Sure! Here it is.", usage=Usage(model="m-1", tokens_in=0, tokens_out=0, tokens_cached=0)
    )


def test_claude_that_was_ended_tells_what_it_had_used_so_far() -> None:
    def message(name: str, tokens_in: int, cached: int, tokens_out: int) -> dict[str, Any]:
        usage = {"input_tokens": tokens_in, "cache_read_input_tokens": cached, "output_tokens": tokens_out}
        return {"type": "assistant", "message": {"id": name, "usage": usage}}

    output = lines(message("a", 100, 0, 1), message("a", 100, 0, 9), message("b", 120, 50, 7))
    heard = ClaudeCode().heard(output, -9)
    assert heard == Heard(usage=Usage(tokens_in=270, tokens_out=16, tokens_cached=50))


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ({"subtype": "success", "is_error": True, "api_error_status": 401, "result": "401"}, "unavailable"),
        ({"subtype": "success", "is_error": True, "api_error_status": 403, "result": "403"}, "unavailable"),
        ({"subtype": "success", "is_error": True, "result": "Not logged in · Please run /login"}, "unavailable"),
        ({"subtype": "success", "is_error": True, "api_error_status": 429, "result": "slow down"}, "failed"),
        ({"subtype": "error_max_turns", "is_error": False}, "failed"),
        ({"subtype": "error_during_execution", "errors": ["a", "b"]}, "failed"),
    ],
)
def test_claude_in_trouble(result: dict[str, Any], kind: str) -> None:
    trouble = ClaudeCode().heard(lines({"type": "result", "modelUsage": {}} | result), 1).trouble
    assert trouble is not None
    assert trouble.kind == kind


def failed_turn(message: str) -> bytes:
    return lines(
        {"type": "turn.started"},
        {"type": "error", "message": "Reconnecting... 1/4"},
        {"type": "turn.failed", "error": {"message": message}},
    )


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("unexpected status 401 Unauthorized: fault, url: http://127.0.0.1:1/v1/responses", "unavailable"),
        ("unexpected status 403 Forbidden", "unavailable"),
        ("exceeded retry limit, last status: 429 Too Many Requests", "failed"),
        ("We are experiencing high demand", "failed"),
    ],
)
def test_codex_in_trouble(message: str, kind: str) -> None:
    heard = Codex().heard(failed_turn(message), 1)
    assert heard.result is None
    assert heard.trouble == Trouble(kind=kind, message=message)  # type: ignore[arg-type]


def test_codex_that_found_its_way_after_an_error_has_answered() -> None:
    said = {"type": "item.completed", "item": {"type": "agent_message", "text": "{}"}}
    output = lines({"type": "error", "message": "Reconnecting... 1/4 (401)"}, said, {"type": "turn.completed"})
    assert Codex().heard(output, 0) == Heard(result=b"{}")


def gemini_said(*texts: str, status: str = "success", **more: Any) -> bytes:
    said = [{"type": "message", "role": "assistant", "content": text, "delta": True} for text in texts]
    return lines({"type": "init", "model": "auto"}, *said, {"type": "result", "status": status, **more})


def test_gemini_answers_with_what_it_says_after_its_last_tool() -> None:
    output = lines(
        {"type": "message", "role": "assistant", "content": "I write the file."},
        {"type": "tool_use", "tool_name": "write_file"},
        {"type": "tool_result", "status": "success"},
    ) + gemini_said('{"a"', ":1}")
    assert Gemini().heard(output, 0).result == b'{"a":1}'


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ('```json\n{"a":1}\n```\n', '{"a":1}'),
        ('```\n{"a":1}\n```', '{"a":1}'),
        ('Here:\n```json\n{"a":1}\n```', 'Here:\n```json\n{"a":1}\n```'),
        ('```json\n{"a":1}\n```\n```json\n{}\n```', '```json\n{"a":1}\n```\n```json\n{}\n```'),
    ],
)
def test_gemini_may_fence_its_answer_and_nothing_more(said: str, answer: str) -> None:
    assert Gemini().heard(gemini_said(said), 0).result == answer.encode()


def test_gemini_counts_thoughts_and_names_the_model_that_did_the_work() -> None:
    models = {
        "small": {"total_tokens": 12, "input_tokens": 10, "output_tokens": 2, "cached": 0},
        "large": {"total_tokens": 500, "input_tokens": 300, "output_tokens": 50, "cached": 100},
    }
    usage = Gemini().heard(gemini_said("{}", stats={"models": models}), 0).usage
    assert usage == Usage(model="large", tokens_in=310, tokens_out=202, tokens_cached=100)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('[API Error: {"error":{"code":401,"message":"fault","status":"UNAUTHENTICATED"}}]', "unavailable"),
        ('[API Error: {"error":{"code": 403}}]', "unavailable"),
        ("API key not valid. Please pass a valid API key.", "unavailable"),
        ('[API Error: {"error":{"code":500,"status":"INTERNAL"}}]', "failed"),
        ("[API Error: fault]\nPlease wait and try again later.", "failed"),
    ],
)
def test_gemini_in_trouble(message: str, kind: str) -> None:
    heard = Gemini().heard(gemini_said(status="error", error={"message": message}), 145)
    assert heard.trouble == Trouble(kind=kind, message=message)  # type: ignore[arg-type]
    assert Gemini().heard(b"", 41).trouble is not None


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\n\n",
        b"Segmentation fault",
        b'{"type":"result"',
        b'[1]\n"x"\nnull\n{}\n',
        b'{"type":"result","modelUsage":[1],"usage":7,"result":{}}\n',
        b'{"type":"turn.completed","usage":"much"}\n{"type":"item.completed","item":null}\n',
        b'{"type":"result","status":"success","stats":{"models":{"m":null}}}\n',
        b'{"type":' + b"[" * 100_000 + b"\n",
        b"\xff\xfe\x00",
    ],
)
def test_whatever_is_printed_is_no_answer_and_no_accident(dialect: Dialect, output: bytes) -> None:
    assert dialect.heard(output, 0).result is None


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@given(data=st.data())
def test_no_stream_of_objects_is_an_accident(dialect: Dialect, data: st.DataObject) -> None:
    keys = st.sampled_from(KEYS.split())
    words = st.sampled_from(WORDS.split())
    value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )
    objects = data.draw(st.lists(st.dictionaries(keys, value, max_size=6), max_size=5))
    heard = dialect.heard(lines(*objects), data.draw(st.integers(-9, 255)))
    assert isinstance(heard, Heard)


def test_lines_that_are_no_objects_are_passed_over() -> None:
    assert list(json_lines(b'Warning!\n{"a":1}\n[2]\n  {"b":2}\r\n{broken\n')) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("amount", "micro"),
    [(0.0093, 9300), (0, 0), (1e-7, 0), (12, 12_000_000), (-1, None), (True, None), ("1", None), (float("nan"), None)],
)
def test_cost_is_whole_millionths_or_unknown(amount: object, micro: int | None) -> None:
    assert micro_usd(amount) == micro
