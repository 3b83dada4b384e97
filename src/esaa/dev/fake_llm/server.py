"""The loopback server: routes, keys, faults, and what it has seen. It listens on 127.0.0.1 and nowhere else."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec

from esaa.dev.fake_llm import anthropic_wire, chat_wire, gemini_wire, responses_wire
from esaa.dev.fake_llm.bodies import BodyInvalid, read_body
from esaa.dev.fake_llm.conversation import Reply, Request, Tokens, count_tokens
from esaa.dev.fake_llm.obedience import find_context
from esaa.dev.fake_llm.schemas import schema_fault
from esaa.dev.fake_llm.script import Outcome, Player, Plays, Script
from esaa.errors import UsageError

_POLL_S = 0.2
_SHUTDOWN_POLL_S = 0.02
_MODELS = ("fake-model",)


class Wire(Protocol):
    """What the server needs of a vendor's wire format, once the request is read."""

    def whole(self, request: Request, reply: Reply, tokens: Tokens, identity: str) -> dict[str, Any]:
        """The answer as one object."""
        ...

    def events(
        self, request: Request, reply: Reply, tokens: Tokens, identity: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The answer as events: a name (empty where the format has none) and a value."""
        ...


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One request for an answer, and what became of it: a status, and the fault that was played."""

    request: Request
    path: str
    status: int
    fault: str | None = None

    def line(self) -> str:
        """In a few words."""
        ask = (find_context(self.request) or {}).get("ask", {})
        about = " ".join(str(ask[name]) for name in ("task_id", "action", "attempt") if name in ask)
        fault = f" ({self.fault})" if self.fault else ""
        return f"{self.request.api} {self.request.model} {about or 'no task'} -> {self.status}{fault}"


class FakeLlm:
    """A running server. Use it as a context manager; `url` is its base without a path.

    `player` answers in place of a script. `on_body` is told the body of every request, whatever it asks for.
    """

    def __init__(
        self,
        script: Script | None = None,
        port: int = 0,
        on_seen: Callable[[Seen], None] | None = None,
        *,
        player: Plays | None = None,
        on_body: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.player: Plays = player or Player(script or Script())
        self.seen: list[Seen] = []
        self.is_closing = threading.Event()
        self.on_body = on_body
        self._on_seen = on_seen
        self._count = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"fake": self})
        try:
            self._server = _Server(("127.0.0.1", port), handler)
        except (OSError, OverflowError) as error:
            text = f"Port {port} of 127.0.0.1 cannot be used: {error}."
            raise UsageError("PORT_UNUSABLE", text, "Leave --port away for a free one.") from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_SHUTDOWN_POLL_S,), daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """The variables by which the three SDKs and CLIs find the server."""
        key = self.player.script.key or "fake-key"
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": key,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": key,
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GEMINI_API_KEY": key,
        }

    def note(self, seen: Seen) -> None:
        """Keeps what was seen, and tells it."""
        with self._lock:
            self.seen.append(seen)
        if self._on_seen is not None:
            self._on_seen(seen)

    def identity(self) -> str:
        """A new identifier for an answer: they are numbered."""
        with self._lock:
            self._count += 1
            return f"fake{self._count:06}"

    def wait(self) -> None:
        """Serves until it is closed."""
        self._thread.join()

    def __enter__(self) -> FakeLlm:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to tell of."""


class _Handler(BaseHTTPRequestHandler):
    fake: FakeLlm
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """The server tells what it has seen by `note`."""

    def do_HEAD(self) -> None:
        self._json(200, {})

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/models"):
            made = [{"id": name, "object": "model", "type": "model", "display_name": name} for name in _MODELS]
            named = [{"name": f"models/{name}"} for name in _MODELS] if "/v1beta" in path else []
            self._json(200, {"object": "list", "data": made, "has_more": False, "models": named})
        elif path == "/":
            self._json(200, {"service": "esaa dev fake-llm"})
        else:
            self._json(404, responses_wire.failure(404, f"There is no {path}."))

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        try:
            body = read_body(self.rfile, self.headers)
            if self.fake.on_body is not None:
                self.fake.on_body(body)
            self._route(parts.path, parse_qs(parts.query), body)
        except BodyInvalid as error:
            self.close_connection = True
            self._json(400, responses_wire.failure(400, str(error)))
        except (AttributeError, TypeError, KeyError) as error:
            # The readers take a request for what the vendors document; what is of another shape is the client's error.
            self.close_connection = True
            self._json(400, responses_wire.failure(400, f"The request has not the documented shape: {error!r}."))

    def _route(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> None:
        model, _, verb = path.rpartition("/")[2].partition(":")
        if path.endswith("/messages/count_tokens"):
            self._json(200, {"input_tokens": count_tokens(anthropic_wire.read(body), Reply()).given})
        elif path.endswith("/messages"):
            self._answer(path, anthropic_wire.read(body), anthropic_wire)
        elif path.endswith("/responses"):
            self._answer(path, responses_wire.read(body), responses_wire)
        elif path.endswith("/chat/completions"):
            self._answer(path, chat_wire.read(body), chat_wire)
        elif verb == "countTokens":
            self._json(200, {"totalTokens": count_tokens(_gemini(body, model), Reply()).given})
        elif verb == "generateContent":
            self._answer(path, _gemini(body, model), gemini_wire)
        elif verb == "streamGenerateContent":
            is_sse = query.get("alt") == ["sse"]
            request = gemini_wire.read(body, model, is_streamed=True)
            self._answer(path, request, gemini_wire, is_list=not is_sse)
        elif "/event" in path or "/log" in path or "/metrics" in path:
            self._json(200, {})
        else:
            self._json(404, responses_wire.failure(404, f"There is no {path}."))

    def _answer(self, path: str, request: Request, wire: Wire, *, is_list: bool = False) -> None:
        if (refusal := self._refusal(request)) is not None:
            status, text = refusal
            self.fake.note(Seen(request=request, path=path, status=status))
            reason = "API_KEY_INVALID" if request.api == "gemini" and "key" in text else None
            self._json(status, _failure(request, status, text, reason))
            return
        outcome = self.fake.player.answer(request)
        rule = outcome.rule
        self.fake.note(Seen(request=request, path=path, status=rule.status or 200, fault=rule.fault))
        if rule.wait_s and not self._waited(rule.wait_s):
            return
        if rule.status is not None:
            # What Anthropic says beside each error.
            headers = {"x-should-retry": "true" if rule.status in (408, 409, 429) or rule.status >= 500 else "false"}
            if rule.retry_after_s is not None:
                headers["retry-after"] = f"{rule.retry_after_s:g}"
            self._json(rule.status, _failure(request, rule.status, rule.message), headers)
        elif rule.fault == "never":
            self._waited(None)
            self.close_connection = True
        else:
            self._deliver(request, outcome, wire, is_list=is_list)

    def _deliver(self, request: Request, outcome: Outcome, wire: Wire, *, is_list: bool) -> None:
        reply, identity = outcome.reply, self.fake.identity()
        tokens = count_tokens(request, reply)
        is_cut = outcome.rule.fault == "cut"
        if not request.is_streamed:
            self._json(200, wire.whole(request, reply, tokens, identity), is_cut=is_cut)
            return
        made = list(wire.events(request, reply, tokens, identity))
        if is_list:
            self._json(200, [value for _, value in made], is_cut=is_cut)
            return
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            self.close_connection = True
            for name, value in made[: len(made) // 2] if is_cut else made:
                head = f"event: {name}\n" if name else ""
                self.wfile.write(f"{head}data: {json.dumps(value)}\n\n".encode())
            if request.api == "openai-chat" and not is_cut:
                self.wfile.write(b"data: [DONE]\n\n")
            if is_cut:
                self._reset()

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        key = self.fake.player.script.key
        given = self.headers.get("x-api-key") or self.headers.get("x-goog-api-key")
        given = given or (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if not given or (key is not None and given != key):
            # Gemini calls a wrong key a wrong argument.
            return (400 if request.api == "gemini" else 401), "API key not valid."
        if request.schema is not None and request.answer_tool is None:
            fault = schema_fault(request.schema, request.api, is_strict=request.is_strict)
            if fault is not None:
                return 400, f"Invalid schema: {fault}."
        return None

    def _json(self, status: int, value: object, headers: dict[str, str] | None = None, *, is_cut: bool = False) -> None:
        data = json.dumps(value).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.send_header("request-id", "req_fake")
            for name, text in (headers or {}).items():
                self.send_header(name, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[: len(data) // 2] if is_cut else data)
            if is_cut:
                self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def _waited(self, wait_s: float | None) -> bool:
        """False when the client or the server ended before the time was over; None waits for that alone."""
        waited_s = 0.0
        while wait_s is None or waited_s < wait_s:
            step_s = _POLL_S if wait_s is None else min(_POLL_S, wait_s - waited_s)
            if self.fake.is_closing.wait(step_s) or self._is_gone():
                self.close_connection = True
                return False
            waited_s += step_s
        return True

    def _is_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True


def _gemini(body: dict[str, Any], model: str) -> Request:
    # countTokens may wrap what it asks about.
    return gemini_wire.read(body.get("generateContentRequest") or body, model, is_streamed=False)


def _failure(request: Request, status: int, text: str, reason: str | None = None) -> dict[str, Any]:
    match request.api:
        case "anthropic":
            return anthropic_wire.failure(status, text)
        case "gemini":
            return gemini_wire.failure(status, text, reason)
        case "openai-responses" | "openai-chat":
            return responses_wire.failure(status, text)
