"""The JSON twins: what they answer, what they refuse, and what is not sent twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from esaa.errors import CorruptLog, StoreLocked, UsageError
from esaa.runtime.history.machine import TimeMachine
from esaa.web.questions import QUESTIONS
from tests.history.memory_past import claims, entry
from tests.web.servers import client, fault_code


def test_the_answer_is_the_struct_itself(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        found = web.get("/log/events.json?actor=agent-impl&name=claim").json()
    assert found["past"] == "log"
    assert found["cli"] == "esaa log"
    assert found["total"] == 2
    assert [one["seq"] for one in found["entries"]] == [2, 5]


def test_values_of_a_list_are_any_of_them(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        assert web.get("/log/events.json?name=claim&name=complete").json()["total"] == 4


def test_the_state_at_a_moment(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        found = web.get("/log/state.json", params={"at": "#2", "pointer": "/tasks/T-1/status"}).json()
    assert (found["at"], found["value"]) == (2, "in_progress")


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/log/events.json?count=0", 400, "PARAMETER_INVALID"),
        ("/log/events.json?count=1001", 400, "PARAMETER_INVALID"),
        ("/log/events.json?count=-1", 400, "PARAMETER_INVALID"),
        ("/log/events.json?count=%C2%B2", 400, "PARAMETER_INVALID"),
        ("/log/events.json?count=1&count=2", 400, "PARAMETER_INVALID"),
        ("/log/events.json?rejections=yes", 400, "PARAMETER_INVALID"),
        ("/log/events.json?q=%00", 400, "PARAMETER_INVALID"),
        (f"/log/events.json?q={'x' * 2001}", 400, "PARAMETER_INVALID"),
        ("/log/events.json?" + "&".join(["name=a"] * 51), 400, "PARAMETER_INVALID"),
        ("/log/diff.json", 400, "PARAMETER_INVALID"),
        ("/log/lanes.json?axis=sideways", 400, "PARAMETER_INVALID"),
        ("/log/state.json?at=yesterday", 400, "REF_INVALID"),
        ("/log/state.json?at=7", 404, "EVENT_NOT_FOUND"),
        ("/log/state.json?pointer=tasks", 400, "POINTER_INVALID"),
        ("/PROJ-1/events.json", 404, "STREAM_NOT_FOUND"),
        ("/nonsense/events.json", 400, "ISSUE_KEY_INVALID"),
        ("/log/nothing.json", 404, "NOT_FOUND"),
        ("/log/.json", 404, "NOT_FOUND"),
        ("/log/", 404, "NOT_FOUND"),
        ("/log/board/deeper", 404, "NOT_FOUND"),
    ],
)
def test_what_cannot_be_answered_is_said_in_json(address: str, status: int, code: str, tmp_path: Path) -> None:
    with client(tmp_path) as web:
        answer = web.get(address)
    assert (answer.status_code, fault_code(answer)) == (status, code)
    assert answer.json()["error"]["message"]


def test_what_the_page_keeps_in_its_address_does_no_harm(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        assert web.get("/log/events.json?live=1&selected=T-1").status_code == 200


def test_an_address_takes_only_its_methods(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        answer = web.post("/log/events.json", headers={"origin": "http://127.0.0.1:8321"})
    assert (answer.status_code, fault_code(answer)) == (405, "METHOD_NOT_ALLOWED")


def test_what_was_sent_is_not_sent_again(tmp_path: Path) -> None:
    past = claims()
    with client(tmp_path, past) as web:
        first = web.get("/log/events.json")
        again = web.get("/log/events.json", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        past.append(entry(7), {})
        assert web.get("/log/events.json", headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_another_question_has_another_tag(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        tags = {web.get(f"/log/events.json?offset={offset}").headers["etag"] for offset in range(3)}
    assert len(tags) == 3


def test_an_answer_that_the_tag_names_is_not_worked_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with client(tmp_path) as web:
        tag = web.get("/log/events.json").headers["etag"]
        monkeypatch.setattr("tests.web.servers.SmallMachine.events", _never)
        assert web.get("/log/events.json", headers={"if-none-match": tag}).status_code == 304


def _never(*_: object, **__: object) -> None:
    raise AssertionError("it is asked all the same")


def test_what_the_address_pins_to_the_head_is_kept(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        head = web.get("/log.json").json()["head_hash"]
        assert "immutable" in web.get(f"/log/events.json?head={head}").headers["cache-control"]
        assert "immutable" not in web.get("/log/events.json?head=old").headers["cache-control"]
        assert "immutable" not in web.get("/log/events.json").headers["cache-control"]
        # How long ago something was changes by itself, and what the past itself is may come from beside the log.
        assert "immutable" not in web.get(f"/log/state.json?at=@{{2h}}&head={head}").headers["cache-control"]
        assert "immutable" not in web.get(f"/log.json?head={head}").headers["cache-control"]


def test_what_does_not_lie_in_the_log_is_never_kept(tmp_path: Path) -> None:
    alone = {one.screen for one in QUESTIONS if one.is_of_log_alone}
    assert alone == {"events", "state", "board", "diff", "graph", "lanes", "bisect"}, (
        "web/src/lib/kept.ts names them too"
    )
    with client(tmp_path) as web:
        head = web.get("/log.json").json()["head_hash"]
        for address in ("/log/notes.json", "/notes.json", "/approvals.json", "/server.json", "/index.json"):
            assert web.get(f"{address}?head={head}").headers["cache-control"] == "no-store"


def test_what_is_kept_is_for_who_asked(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        head = web.get("/log.json").json()["head_hash"]
        kept = web.get(f"/log/events.json?head={head}").headers
    assert "private" in kept["cache-control"]
    assert {"cookie", "authorization"} <= {one.strip().lower() for one in kept["vary"].split(",")}


def test_a_log_that_goes_on_or_becomes_another_is_not_kept_under_the_old_head(tmp_path: Path) -> None:
    past = claims()
    with client(tmp_path, past) as web:
        head = web.get("/log.json").json()["head_hash"]
        past.append(entry(7), {})
        answer = web.get(f"/log/events.json?head={head}")
    assert answer.json()["total"] == 7
    assert "immutable" not in answer.headers["cache-control"]


def test_large_answers_are_sent_small(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        assert web.get("/log/events.json").headers["content-encoding"] == "gzip"


def test_a_log_that_cannot_be_read_is_said_and_taken_up_again_when_mended(tmp_path: Path) -> None:
    past = claims()
    broken = False
    real_head = past.head

    def head() -> int:
        if broken:
            raise CorruptLog("LINE_INVALID", "Line 3 is no JSON.", "Run `esaa verify`.", 3)
        return real_head()

    past.head = head  # type: ignore[method-assign]  # the damage comes and goes
    with client(tmp_path, past) as web:
        assert web.get("/log.json").status_code == 200
        broken = True
        answer = web.get("/log.json")
        assert (answer.status_code, fault_code(answer)) == (503, "LINE_INVALID")
        assert answer.json()["error"]["line"] == 3
        assert answer.headers["retry-after"]
        broken = False
        assert web.get("/log.json").status_code == 200


def test_a_log_that_is_gone_is_said(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        assert web.get("/log.json").status_code == 200
        (tmp_path / ".roadmap" / "activity.jsonl").unlink()
        answer = web.get("/log.json")
    assert (answer.status_code, fault_code(answer)) == (404, "LOG_NOT_FOUND")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("X", "x"), 400),
        (StoreLocked("LOCKED", "x"), 409),
        (OSError(28, "No space left on device"), 503),
    ],
)
def test_errors_have_their_status(error: Exception, status: int, tmp_path: Path) -> None:
    def open_machine(_name: str, _told: Callable[[int, int], None]) -> TimeMachine:
        raise error

    with client(tmp_path, open_machine=open_machine) as web:
        assert web.get("/log.json").status_code == status


def test_a_bug_is_told_as_one(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    def open_machine(_name: str, _told: Callable[[int, int], None]) -> TimeMachine:
        raise ZeroDivisionError("by zero")

    with client(tmp_path, open_machine=open_machine) as web:
        quiet = TestClient(web.app, base_url=str(web.base_url), raise_server_exceptions=False, cookies=web.cookies)
        answer = quiet.get("/log.json")
    assert (answer.status_code, fault_code(answer)) == (500, "BUG")
    assert answer.headers["content-security-policy"]


def test_the_document_describes_every_question(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        found = web.get("/openapi.json").json()
    for one in QUESTIONS:
        assert f"/{{past}}/{one.screen}.json".replace("/.json", ".json") in found["paths"]
    text = json.dumps(found)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in found["components"]["schemas"]


def test_the_overview_and_the_server_itself(tmp_path: Path) -> None:
    with client(tmp_path, allows_actions=True) as web:
        assert web.get("/index.json").json()["pasts"][0]["name"] == "log"
        found = web.get("/server.json").json()
    assert found["workspace"] == tmp_path.name
    assert found["allows_actions"] is True
