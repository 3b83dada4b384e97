"""The loopback fake: what it reads, answers, streams and breaks, by each of the vendors' wire formats."""

from __future__ import annotations

import gzip
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from esaa.dev.fake_llm import anthropic_wire, chat_wire, gemini_wire, responses_wire
from esaa.dev.fake_llm.client_tools import write_call
from esaa.dev.fake_llm.conversation import Call, Request
from esaa.dev.fake_llm.obedience import find_context
from esaa.dev.fake_llm.schemas import fitted, sample, schema_fault
from esaa.dev.fake_llm.script import Player, Rule, Script, Turn, When, read_script
from esaa.dev.fake_llm.server import FakeLlm
from esaa.errors import ConfigError, UsageError
from tests.dev.questions import context_of, prompt_of

APIS = ("anthropic", "openai-responses", "openai-chat", "gemini")
OK = {"authorization": "Bearer any"}


class Http(NamedTuple):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def value(self) -> Any:
        """The body as JSON."""
        return json.loads(self.data)


def send(fake: FakeLlm, path: str, body: object, headers: Mapping[str, str] = OK, method: str = "POST") -> Http:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=30)
    try:
        connection.request(method, path, data, {"content-type": "application/json", **headers})
        response = connection.getresponse()
        names = {name.lower(): text for name, text in response.getheaders()}
        return Http(response.status, names, response.read())
    finally:
        connection.close()


def question(api: str, text: str, *, is_streamed: bool = False) -> tuple[str, dict[str, Any]]:
    """A path and a body that ask the text."""
    stream = {"stream": True} if is_streamed else {}
    messages = [{"role": "user", "content": text}]
    match api:
        case "anthropic":
            return "/v1/messages?beta=true", {"model": "m", "max_tokens": 9, "messages": messages, **stream}
        case "openai-responses":
            return "/v1/responses", {"model": "m", "input": [{"type": "message", **messages[0]}], **stream}
        case "openai-chat":
            return "/v1/chat/completions", {"model": "m", "messages": messages, **stream}
        case _:
            verb = "streamGenerateContent?alt=sse" if is_streamed else "generateContent"
            contents = [{"role": "user", "parts": [{"text": text}]}]
            return f"/v1beta/models/m:{verb}", {"contents": contents}


def said_by(api: str, answer: Any) -> str:
    match api:
        case "anthropic":
            return "".join(one["text"] for one in answer["content"])
        case "openai-responses":
            return "".join(part["text"] for item in answer["output"] for part in item["content"])
        case "openai-chat":
            return str(answer["choices"][0]["message"]["content"])
        case _:
            return "".join(part["text"] for part in answer["candidates"][0]["content"]["parts"])


def events_of(data: bytes) -> list[tuple[str, Any]]:
    """The name and the value of each server-sent event."""
    found = []
    for block in data.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        if lines:
            value = lines["data"]
            found.append((lines.get("event", ""), value if value == "[DONE]" else json.loads(value)))
    return found


def streamed_text(api: str, events: list[tuple[str, Any]]) -> str:
    match api:
        case "anthropic":
            return "".join(one["delta"]["text"] for name, one in events if name == "content_block_delta")
        case "openai-responses":
            return "".join(one["delta"] for name, one in events if name == "response.output_text.delta")
        case "openai-chat":
            choices = [one["choices"][0] for _, one in events if one != "[DONE]" and one["choices"]]
            return "".join(one["delta"].get("content", "") for one in choices)
        case _:
            return "".join(said_by(api, one) for _, one in events)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("action", ["claim", "complete", "review"])
def test_it_obeys_the_context_in_a_prompt(api: str, action: str) -> None:
    with FakeLlm() as fake:
        answer = send(fake, *question(api, prompt_of(context_of(action)).user))
    assert answer.status == 200
    result = json.loads(said_by(api, answer.value))
    assert result["activity_event"]["action"] == action
    assert result["activity_event"]["task_id"] == "T-1"
    assert ("file_updates" in result) == (action == "complete")


@pytest.mark.parametrize("api", APIS)
def test_a_stream_says_what_the_whole_answer_says(api: str) -> None:
    text = prompt_of(context_of()).user
    with FakeLlm() as fake:
        whole = send(fake, *question(api, text))
        streamed = send(fake, *question(api, text, is_streamed=True))
    events = events_of(streamed.data)
    assert streamed.headers["content-type"] == "text/event-stream"
    assert len(events) > 4
    assert streamed_text(api, events) == said_by(api, whole.value)


def test_streams_have_the_frames_that_their_clients_wait_for() -> None:
    with FakeLlm() as fake:
        streams = {api: events_of(send(fake, *question(api, "hello", is_streamed=True)).data) for api in APIS}
    assert [name for name, _ in streams["anthropic"]] == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [name for name, _ in streams["openai-responses"]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [one["sequence_number"] for _, one in streams["openai-responses"]] == list(range(9))
    assert streams["openai-chat"][-1] == ("", "[DONE]")
    assert streams["openai-chat"][-2][1]["usage"]["total_tokens"] > 0
    assert streams["gemini"][-1][1]["candidates"][0]["finishReason"] == "STOP"
    assert streams["gemini"][-1][1]["usageMetadata"]["totalTokenCount"] > 0


def test_gemini_without_sse_streams_one_list() -> None:
    with FakeLlm() as fake:
        path, body = question("gemini", "hello")
        answer = send(fake, path.replace("generateContent", "streamGenerateContent"), body)
    assert "".join(said_by("gemini", one) for one in answer.value) == "ok"


@pytest.mark.parametrize("api", APIS)
def test_a_prompt_without_a_task_is_answered_with_a_word(api: str) -> None:
    with FakeLlm() as fake:
        assert said_by(api, send(fake, *question(api, "Give me a title.")).value) == "ok"


def test_an_answer_that_has_a_tool_is_given_by_that_tool_and_ended() -> None:
    schema = {"type": "object", "properties": {"activity_event": {"type": "object"}}}
    path, body = question("anthropic", prompt_of(context_of("claim")).user)
    body["tools"] = [{"name": "Bash", "input_schema": {}}, {"name": "StructuredOutput", "input_schema": schema}]
    with FakeLlm() as fake:
        first = send(fake, path, body).value
        (call,) = first["content"]
        body["messages"] += [
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "taken"}]},
        ]
        second = send(fake, path, body).value
    assert first["stop_reason"] == "tool_use"
    assert call["name"] == "StructuredOutput"
    assert call["input"]["activity_event"]["action"] == "claim"
    assert second["stop_reason"] == "end_turn"
    assert [block["type"] for block in second["content"]] == ["text"]


def test_other_structured_questions_get_a_value_that_fits() -> None:
    path, body = question("openai-chat", prompt_of(context_of()).user)
    properties = {"title": {"type": "string"}, "n": {"type": "integer", "minimum": 3}}
    schema = {"type": "object", "properties": properties, "required": ["title", "n"], "additionalProperties": False}
    body["response_format"] = {"type": "json_schema", "json_schema": {"name": "t", "strict": True, "schema": schema}}
    with FakeLlm() as fake:
        assert json.loads(said_by("openai-chat", send(fake, path, body).value)) == {"title": "ok", "n": 3}


TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "Write": ("anthropic", {"tools": [{"name": "Write", "input_schema": {}}]}),
    "exec_command": ("openai-responses", {"tools": [{"type": "function", "name": "exec_command", "parameters": {}}]}),
    "write_file": ("gemini", {"tools": [{"functionDeclarations": [{"name": "write_file"}]}]}),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_files_are_handed_in_by_the_clients_own_tools(tool: str) -> None:
    api, more = TOOLS[tool]
    path, body = question(api, "Working directory: /work/tree\n" + prompt_of(context_of()).user)
    body |= more
    with FakeLlm(Script(hand_in="tools")) as fake:
        first = send(fake, path, body).value
        if api == "anthropic":
            call = first["content"][1]
            given, result = call["input"], {"type": "tool_result", "tool_use_id": call["id"], "content": "done"}
            body["messages"] += [
                {"role": "assistant", "content": [call]},
                {"role": "user", "content": [result]},
            ]
        elif api == "openai-responses":
            call = first["output"][1]
            given = json.loads(call["arguments"])
            body["input"] += [call, {"type": "function_call_output", "call_id": call["call_id"], "output": "done"}]
        else:
            call = first["candidates"][0]["content"]["parts"][1]["functionCall"]
            given = call["args"]
            answer = {"functionResponse": {"name": tool, "response": {"output": "done"}}}
            body["contents"] += [
                {"role": "model", "parts": [{"functionCall": call}]},
                {"role": "user", "parts": [answer]},
            ]
        second = send(fake, path, body).value
    if tool == "exec_command":
        assert "cat > src/page.txt" in given["cmd"]
    else:
        assert given["file_path"] == "/work/tree/src/page.txt"
    result = json.loads(said_by(api, second))
    assert result["activity_event"]["action"] == "complete"
    assert "file_updates" not in result


def test_the_shell_commands_write_the_file_as_it_is(tmp_path: Path) -> None:
    request = Request(api="openai-responses", model="m", said=(), tools={"exec_command": None})
    text = '# It\'s `$HOME`\n\n"quoted" \\n\n'
    given = write_call(request, "exec_command", "a b/c.txt", text).input
    assert isinstance(given, dict)
    subprocess.run(["/bin/sh", "-c", given["cmd"]], cwd=tmp_path, check=True)
    assert (tmp_path / "a b" / "c.txt").read_text() == text


ERRORS: dict[str, Any] = {
    "anthropic": lambda value: value["error"]["type"],
    "openai-responses": lambda value: value["error"]["code"],
    "openai-chat": lambda value: value["error"]["code"],
    "gemini": lambda value: value["error"]["status"],
}


@pytest.mark.parametrize("api", APIS)
def test_errors_have_the_vendors_shape_and_are_used_up(api: str) -> None:
    with FakeLlm(Script(rules=(Rule(times=1, status=429, retry_after_s=1.5),))) as fake:
        first, second = send(fake, *question(api, "hello")), send(fake, *question(api, "hello"))
    assert (first.status, second.status) == (429, 200)
    assert first.headers["retry-after"] == "1.5"
    assert ERRORS[api](first.value) in ("rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED")
    assert [seen.status for seen in fake.seen] == [429, 200]


@pytest.mark.parametrize("api", APIS)
def test_a_key_is_asked_for(api: str) -> None:
    with FakeLlm(Script(key="right")) as fake:
        answers = [
            send(fake, *question(api, "hello"), {name: text})
            for name, text in [
                ("x-other", "right"),
                ("x-api-key", "wrong"),
                ("x-api-key", "right"),
                ("x-goog-api-key", "right"),
                ("authorization", "Bearer right"),
            ]
        ]
    refused = 400 if api == "gemini" else 401
    assert [one.status for one in answers] == [refused, refused, 200, 200, 200]
    if api == "gemini":
        assert answers[0].value["error"]["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_cut_answer_breaks_off(api: str, is_streamed: bool) -> None:
    text = prompt_of(context_of()).user
    with FakeLlm(Script(rules=(Rule(fault="cut"),))) as fake:
        path, body = question(api, text, is_streamed=is_streamed)
        if is_streamed:
            events = events_of(send(fake, path, body).data)
            assert events
            assert all(name not in ("message_stop", "response.completed") for name, _ in events)
            assert ("", "[DONE]") not in events
        else:
            with pytest.raises(http.client.IncompleteRead):
                send(fake, path, body)


def test_an_answer_that_never_comes_ends_with_the_server() -> None:
    with FakeLlm(Script(rules=(Rule(fault="never"),))) as fake:
        connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=30)
        path, body = question("anthropic", "hello")
        connection.request("POST", path, json.dumps(body), OK)
        until = time.monotonic() + 20
        while not fake.seen:
            assert time.monotonic() < until
            time.sleep(0.01)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        connection.getresponse()
    connection.close()


def test_a_slow_answer_comes_late() -> None:
    with FakeLlm(Script(rules=(Rule(wait_s=0.4),))) as fake:
        began = time.monotonic()
        assert send(fake, *question("anthropic", "hello")).status == 200
    assert time.monotonic() - began >= 0.4


FAULTS: dict[str, Any] = {
    "prose": lambda text: text.startswith("Here is") and '"activity_event"' in text,
    "fenced": lambda text: text.startswith("```json\n{"),
    "half": lambda text: text.startswith('{"activity_event"') and not text.endswith("}"),
    "truncated": lambda text: text.startswith('{"activity_event"') and not text.endswith("}"),
    "garbage": lambda text: "{" not in text and text,
    "empty": lambda text: text == "",
    "refusal": lambda text: text.startswith("I cannot"),
    "flood": lambda text: len(text) == 100 * 1024 * 1024,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_spoil_the_answer(fault: Any) -> None:
    with FakeLlm(Script(rules=(Rule(fault=fault),))) as fake:
        answer = send(fake, *question("anthropic", prompt_of(context_of()).user)).value
    assert FAULTS[fault](said_by("anthropic", answer))
    stops = {"truncated": "max_tokens", "refusal": "refusal"}
    assert answer["stop_reason"] == stops.get(fault, "end_turn")


def test_counting_and_listing_are_answered_too() -> None:
    text = [{"role": "user", "content": "x" * 400}]
    with FakeLlm() as fake:
        assert send(fake, "/v1/messages/count_tokens", {"model": "m", "messages": text}).value["input_tokens"] == 101
        contents = {"contents": [{"role": "user", "parts": [{"text": "x" * 400}]}]}
        assert send(fake, "/v1beta/models/m:countTokens", contents).value["totalTokens"] == 101
        wrapped = {"generateContentRequest": contents}
        assert send(fake, "/v1beta/models/m:countTokens", wrapped).value["totalTokens"] == 101
        assert send(fake, "/v1/models", b"", method="GET").value["data"]
        assert send(fake, "/v1beta/models", b"", method="GET").value["models"]
        assert send(fake, "/", b"", method="HEAD").status == 200
        assert send(fake, "/", b"", method="GET").value["service"] == "esaa dev fake-llm"
        assert send(fake, "/api/event_logging/batch", {}).status == 200
        assert send(fake, "/v1/other", {}).status == 404
        assert send(fake, "/other", b"", method="GET").status == 404
        assert fake.seen == []


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_questions_are_read(encoding: str) -> None:
    path, body = question("openai-responses", "hello")
    data = json.dumps(body).encode()
    packed = gzip.compress(data) if encoding == "gzip" else zstandard.compress(data)
    with FakeLlm() as fake:
        assert send(fake, path, packed, {**OK, "content-encoding": encoding}).status == 200


def test_questions_in_chunks_are_read() -> None:
    path, body = question("gemini", "hello")
    data = json.dumps(body).encode()
    with FakeLlm() as fake:
        connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=30)
        connection.request("POST", path, iter([data[:10], data[10:]]), OK, encode_chunked=True)
        assert connection.getresponse().status == 200
        connection.close()
    assert fake.seen[0].request.said == ("hello",)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"messages": 3}',
        b'{"messages": ["x"]}',
        b'{"messages": [], "tools": [1]}',
        b"[" * 100_000,
    ],
)
def test_a_question_of_another_shape_is_refused_and_the_server_lives(body: bytes) -> None:
    with FakeLlm() as fake:
        answer = send(fake, "/v1/messages", body)
        assert answer.status == (200 if body == b"" else 400)
        assert send(fake, *question("anthropic", "hello")).status == 200


def test_broken_encodings_and_lengths_are_refused() -> None:
    with FakeLlm() as fake:
        for headers in ({"content-encoding": "gzip"}, {"content-encoding": "zstd"}, {"content-encoding": "br"}):
            assert send(fake, "/v1/messages", b"{}", {**OK, **headers}).status == 400
        assert send(fake, "/v1/messages", b"", {**OK, "content-length": str(10**12)}).status == 400
        assert send(fake, "/v1/messages", b"zz\r\n", {**OK, "transfer-encoding": "chunked"}).status == 400


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        (When(), True),
        (When(api="anthropic"), True),
        (When(api="gemini"), False),
        (When(model="m"), True),
        (When(model="n"), False),
        (When(contains="The page"), True),
        (When(contains="absent"), False),
        (When(task_id="T-1", action="complete", attempt=1), True),
        (When(task_id="T-2"), False),
        (When(action="claim"), False),
        (When(attempt=2), False),
    ],
)
def test_a_rule_answers_what_it_means(when: When, holds: bool) -> None:
    request = Request(api="anthropic", model="m", said=(prompt_of(context_of()).user,))
    player = Player(Script(rules=(Rule(when=when, status=500),)))
    assert (player.answer(request).rule.status == 500) is holds


def test_turns_follow_the_results_of_tools() -> None:
    calls = (Call(name="a", input={}), Call(name="b", input={}))
    turns = (Turn(calls=calls), Turn(text="next", calls=calls[:1]), Turn(json={"done": True}))
    player = Player(Script(rules=(Rule(turns=turns),)))

    def at(results: int) -> Any:
        return player.answer(Request(api="openai-chat", model="m", said=(), results=results)).reply

    assert [call.name for call in at(0).calls] == ["a", "b"]
    assert [call.name for call in at(1).calls] == ["a", "b"]
    assert ([call.name for call in at(2).calls], at(2).text) == (["a"], "next")
    assert at(3).text == '{"done": true}'
    assert at(9).text == '{"done": true}'


def test_the_last_context_of_a_conversation_counts() -> None:
    first, second = (prompt_of(context_of(task_id=one)).user for one in ("T-1", "T-2"))
    request = Request(api="gemini", model="m", said=(first, '{"context_version" broken', second + " {x} {}"))
    found = find_context(request)
    assert found is not None
    assert found["ask"]["task_id"] == "T-2"
    assert find_context(Request(api="gemini", model="m", said=('{"context_version": 1}', "{" * 5000))) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: 3", "rules"),
        ("rule: []", "rule"),
        ("rules: [{fault: bored}]", "fault"),
        ("rules: [{status: 200}]", "200"),
        ("rules: [{turns: [{text: a}, {text: b}]}]", "turn without calls"),
        ("{", "cannot be taken"),
        ("", "no document"),
        ("hand_in: mail", "hand_in"),
    ],
)
def test_a_script_that_makes_no_sense_is_named(text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        read_script(text.encode(), "rules.yaml")
    assert caught.value.code == "SCRIPT_INVALID"


def test_a_script_is_read() -> None:
    text = b"""
key: k
hand_in: tools
rules:
  - when: {task_id: T-1, action: claim}
    times: 2
    status: 503
    retry_after_s: 1
  - turns:
      - calls: [{name: Bash, input: {command: ls}}]
      - json: {a: 1}
"""
    script = read_script(text, "rules.yaml")
    assert (script.key, script.hand_in, len(script.rules)) == ("k", "tools", 2)
    assert script.rules[0].when.task_id == "T-1"
    assert script.rules[1].turns[0].calls[0].name == "Bash"
    assert read_script(b"{}", "empty.yaml") == Script()


def test_a_port_in_use_is_named() -> None:
    with FakeLlm() as fake, pytest.raises(UsageError, match=str(fake.port)):
        FakeLlm(port=fake.port)


STRICT: dict[str, tuple[dict[str, Any], str]] = {
    "open object": ({"type": "object", "properties": {"a": {"type": "string"}}}, "additionalProperties"),
    "optional": (
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
        "required",
    ),
    "condition": ({"type": "object", "if": {}, "properties": {}, "additionalProperties": False}, "if"),
    "no object": ({"type": "array"}, "root"),
}


@pytest.mark.parametrize("name", STRICT)
def test_a_schema_that_openai_would_refuse_is_refused(name: str) -> None:
    schema, expected = STRICT[name]
    path, body = question("openai-responses", "hello")
    body["text"] = {"format": {"type": "json_schema", "name": "s", "strict": True, "schema": schema}}
    with FakeLlm() as fake:
        answer = send(fake, path, body)
    assert answer.status == 400
    assert expected in answer.value["error"]["message"]
    assert schema_fault(schema, "openai-responses", is_strict=False) is None


def test_samples_and_fitted_values_keep_to_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/a"},
            "b": {"type": "array", "minItems": 2, "items": {"type": "boolean"}},
            "c": {"enum": ["x", "y"]},
            "d": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "e": {"const": 7},
        },
        "required": ["a", "b", "c", "d", "e"],
        "$defs": {"a": {"type": "OBJECT", "properties": {"n": {"type": "NUMBER"}}, "required": ["n"]}},
    }
    assert sample(schema) == {"a": {"n": 0}, "b": [False, False], "c": "x", "d": None, "e": 7}
    assert fitted({"a": {}, "b": [True]}, schema) == {"a": {"n": None}, "b": [True], "c": None, "d": None, "e": None}


def test_readers_know_the_older_and_nested_shapes() -> None:
    nested = {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}]}
    assert set(responses_wire.read({"input": "hello", **nested}).tools) == {"f"}
    assert responses_wire.read({"input": "hello", "instructions": "be kind"}).said == ("be kind", "hello")
    older = {"output_format": {"type": "json_schema", "schema": {"type": "object"}}}
    assert anthropic_wire.read({"messages": [], **older}).schema == {"type": "object"}
    snake = {"system_instruction": {"parts": [{"text": "be kind"}]}, "contents": []}
    assert gemini_wire.read(snake, "m", is_streamed=False).said == ("be kind",)
    parts = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    assert chat_wire.read({"messages": parts}).said == ("a", "b")


def test_the_command_prints_where_it_is_and_answers_until_it_is_interrupted(tmp_path: Path) -> None:
    script = tmp_path / "rules.yaml"
    script.write_text("rules: [{status: 429}]\n")
    command = [sys.executable, "-m", "esaa", "dev", "fake-llm", "--script", str(script), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            variables = json.loads(process.stdout.readline())
            port = int(variables["ANTHROPIC_BASE_URL"].rpartition(":")[2])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            path, body = question("anthropic", "hello")
            connection.request("POST", path, json.dumps(body), OK)
            assert connection.getresponse().status == 429
            connection.close()
            assert process.stderr.readline() == "anthropic m no task -> 429\n"
        finally:
            process.send_signal(2)
        assert process.wait(30) == 130


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "esaa", "dev", "fake-llm", "--script", str(tmp_path / "absent.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7
    assert "absent.yaml" in done.stderr
    assert "Traceback" not in done.stderr
