"""The live tail of a real server: events as they come, after a break, across a log that is replaced or broken."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from esaa.errors import CorruptLog
from esaa.web import tail
from esaa.web.server import WebServer
from tests.history.memory_past import MemoryPast, claims, entry
from tests.web.servers import AUTHORIZED, opener


class Sent(NamedTuple):
    """One message of the stream."""

    name: str
    data: Any
    id: str | None


class Growing:
    """A past whose file changes whenever something happens to it, as that of a real log does."""

    def __init__(self, root: Path) -> None:
        self.past = claims()
        self.log = root / ".roadmap" / "activity.jsonl"
        self.log.parent.mkdir(exist_ok=True)
        self.touch()

    def touch(self) -> None:
        with self.log.open("ab") as file:
            file.write(b"x\n")

    def append(self, **more: Any) -> None:
        self.past.append(entry(self.past.head() + 1, **more), {})
        self.touch()

    def replace(self, past: MemoryPast) -> None:
        self.past.__dict__.update(past.__dict__)
        self.touch()


@contextmanager
def serving(growing: Growing, root: Path) -> Generator[WebServer, None, None]:
    server = WebServer(root, opener(growing.past, root), port=0, token="a-token-for-tests-only")
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(20)
    assert not thread.is_alive()


@contextmanager
def listening(server: WebServer, path: str = "/log/tail", **headers: str) -> Generator[Iterator[Sent], None, None]:
    connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=30)
    try:
        connection.request("GET", path, headers={**AUTHORIZED, **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield messages(answer)
    finally:
        connection.close()


def messages(answer: http.client.HTTPResponse) -> Iterator[Sent]:
    fields: dict[str, str] = {}
    for raw in answer:
        line = raw.decode().rstrip("\n")
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield Sent(fields["event"], json.loads(fields["data"]), fields.get("id"))
            fields = {}


@pytest.fixture
def growing(tmp_path: Path) -> Growing:
    return Growing(tmp_path)


def test_events_come_as_they_happen(growing: Growing, tmp_path: Path) -> None:
    with serving(growing, tmp_path) as server, listening(server) as sent:
        assert next(sent) == Sent("ready", {"head": 6, "hash": growing.past.entry(6).leaf_hash}, "6")
        growing.append(name="review")
        first = next(sent)
        assert (first.name, first.id, first.data["name"]) == ("entry", "7", "review")
        growing.append(name="verify.ok")
        assert next(sent).data["name"] == "verify.ok"


def test_a_listener_comes_back_where_it_was(growing: Growing, tmp_path: Path) -> None:
    with serving(growing, tmp_path) as server:
        with listening(server, last_event_id="4") as sent:
            assert [one.id for one in (next(sent), next(sent), next(sent))] == ["4", "5", "6"]
        with listening(server, "/log/tail?since=HEAD~1") as sent:
            assert next(sent).data["head"] == 5
            assert next(sent).id == "6"
        with listening(server, last_event_id="99") as sent:
            assert next(sent).data == {"head": 6, "hash": growing.past.entry(6).leaf_hash}


def test_text_of_the_log_cannot_begin_a_message(growing: Growing, tmp_path: Path) -> None:
    with serving(growing, tmp_path) as server, listening(server) as sent:
        next(sent)
        growing.append(summary="x\n\nevent: reset\r\ndata: {}\n\n\u2028")
        assert next(sent).data["summary"] == "x\n\nevent: reset\r\ndata: {}\n\n\u2028"
        growing.append()
        assert next(sent).name == "entry"


def test_a_log_that_is_replaced_resets_the_listener(growing: Growing, tmp_path: Path) -> None:
    with serving(growing, tmp_path) as server, listening(server) as sent:
        next(sent)
        growing.replace(claims(3))
        assert next(sent) == Sent("reset", {"head": 3}, "3")
        growing.append()
        assert next(sent).id == "4"


def test_damage_is_told_once_and_so_is_what_comes_after(growing: Growing, tmp_path: Path) -> None:
    real: Callable[[], int] = growing.past.head
    is_broken = False

    def head() -> int:
        if is_broken:
            raise CorruptLog("LINE_INVALID", "Line 3 is no JSON.", "Run `esaa verify`.", 3)
        return real()

    growing.past.head = head  # type: ignore[method-assign]  # the damage comes and goes
    with serving(growing, tmp_path) as server, listening(server) as sent:
        next(sent)
        is_broken = True
        growing.touch()
        told = next(sent)
        assert (told.name, told.data["code"]) == ("problem", "LINE_INVALID")
        is_broken = False
        growing.append()
        assert next(sent).id == "7"


def test_a_moment_that_is_not_there_is_refused_before_the_stream_begins(growing: Growing, tmp_path: Path) -> None:
    with serving(growing, tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=30)
        connection.request("GET", "/log/tail?since=99", headers=AUTHORIZED)
        answer = connection.getresponse()
        assert answer.status == 404
        answer.read()
        connection.close()


def test_there_is_an_end_to_listeners(growing: Growing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "LISTENERS_MAX", 1)
    with serving(growing, tmp_path) as server, listening(server) as sent:
        next(sent)
        connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=30)
        connection.request("GET", "/log/tail", headers=AUTHORIZED)
        answer = connection.getresponse()
        assert answer.status == 503
        assert json.loads(answer.read())["error"]["code"] == "TOO_MANY_LISTENERS"
        connection.close()


def test_the_server_ends_while_someone_listens(growing: Growing, tmp_path: Path) -> None:
    with serving(growing, tmp_path) as server, listening(server) as sent:
        next(sent)
        server.stop()
        assert list(sent) == []
