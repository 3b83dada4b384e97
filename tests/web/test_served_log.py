"""The server over a real log: what it says is what the command line says, and it outlives what happens to the log."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from esaa.cli.app import run
from esaa.open import open_machine
from tests.web.servers import AUTHORIZED, client, fault_code

LOG = Path(".roadmap") / "activity.jsonl"


@contextmanager
def serving(root: Path, *, allows_actions: bool = False) -> Generator[TestClient, None, None]:
    with client(root, open_machine=partial(open_machine, root), allows_actions=allows_actions) as web:
        yield web


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/log/state.json?at=40", ["state", "--at", "40"]),
        ("/log/diff.json?since=20&at=40", ["diff", "20..40"]),
        ("/log/blame.json?pointer=/tasks/T-1000/status&at=60", ["blame", "/tasks/T-1000/status", "--at", "60"]),
        ("/log/graph.json?at=79&depth=3", ["graph", "79", "--depth", "3"]),
        ("/log/bisect.json?where=run.status=='initialized'", ["bisect", "--where", "run.status=='initialized'"]),
        ("/log/what-if.json?drop=79", ["what-if", "--drop", "79"]),
    ],
)
def test_the_page_is_told_what_the_command_line_prints(
    address: str, words: list[str], demo_run: Path, esaa_json: Callable[..., object]
) -> None:
    said = esaa_json(*words, "--root", str(demo_run))
    with serving(demo_run) as web:
        assert web.get(address).json() == said


def test_every_question_is_answered_of_the_log_and_of_a_stream(demo_run: Path) -> None:
    with serving(demo_run) as web:
        assert {one["name"] for one in web.get("/index.json").json()["pasts"]} == {"log", "PROJ-123"}
        for past, task in (("log", "T-1000"), ("PROJ-123", "T-1000")):
            for question in (
                "event.json?at=12",
                "state.json",
                "board.json?since=10",
                f"task.json?id={task}",
                "diff.json?since=10",
                "graph.json",
                "lanes.json?axis=busy",
                "files.json",
                "metrics.json",
                "rejections.json",
                "proof.json",
                "what-if.json?drop=20",
            ):
                answer = web.get(f"/{past}/{question}")
                assert answer.status_code == 200, (past, question, answer.text)
                assert answer.json()["past"] == past
                assert answer.json()["cli"].startswith("esaa ")


def test_an_event_that_comes_is_there_at_once(own_run: Path) -> None:
    with serving(own_run) as web:
        before = web.get("/log.json").json()["head"]
        assert run(["verify", "--quiet", "--root", str(own_run)]) == 0
        assert run(["task", "create", "T-9000", "--kind", "impl", "--title", "More", "--root", str(own_run)]) == 0
        assert web.get("/log.json").json()["head"] > before
        assert web.get("/log/task.json?id=T-9000").status_code == 200


def test_a_log_that_is_replaced_is_another_log(own_run: Path) -> None:
    log = own_run / LOG
    with serving(own_run) as web:
        first = web.get("/log.json").json()
        assert first["head"] == len(log.read_bytes().splitlines())
        shorter = b"".join(log.read_bytes().splitlines(keepends=True)[:50])
        (own_run / "other").write_bytes(shorter)
        os.replace(own_run / "other", log)
        answer = web.get("/log.json")
        assert answer.status_code == 200
        assert answer.json()["head"] == 50
        gone = web.get("/log/state.json?at=60")
        assert gone.status_code == 404


def test_a_log_that_is_damaged_answers_for_what_is_sound_and_says_so_and_is_mended_by_itself(own_run: Path) -> None:
    log = own_run / LOG
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    with serving(own_run) as web:
        assert web.get("/log.json").json()["head"] == len(lines)
        log.write_bytes(b"".join([*lines[:60], b"{not JSON\n", *lines[61:]]))
        answer = web.get("/log.json")
        assert answer.status_code in (200, 503)
        if answer.status_code == 200:
            assert answer.json()["head"] == 60
        else:
            assert fault_code(answer)
        rail = web.get("/log/proof.json").json()["rail"]
        assert [one["kind"] for one in rail][-1] == "broken"
        assert (rail[0]["from"], rail[-2]["to"], rail[-1]["from"]) == (1, 60, 61)
        assert "line 61: " in rail[-1]["text"]
        log.write_bytes(whole)
        mended = web.get("/log/proof.json").json()
        assert "broken" not in [one["kind"] for one in mended["rail"]]
        assert mended["rail"][-1]["to"] == len(lines)
        assert web.get("/log.json").json()["head"] == len(lines)


def test_contracts_that_change_are_read_again(own_run: Path) -> None:
    contract = own_run / ".roadmap" / "AGENT_CONTRACT.yaml"
    with serving(own_run) as web:
        assert web.get("/log/what-if.json?drop=79").status_code == 200
        contract.write_text("nonsense: [", "utf-8")
        assert web.get("/log/what-if.json?drop=79").status_code != 200
        assert web.get("/log/events.json").status_code == 200


def test_a_link_that_leads_nowhere_among_the_contracts_disturbs_nobody(own_run: Path) -> None:
    # Editors lock a file with such a link beside it.
    (own_run / ".roadmap" / ".#AGENT_CONTRACT.yaml").symlink_to("somebody@somewhere.4711")
    with serving(own_run) as web:
        assert web.get("/log/events.json").status_code == 200
        assert web.get("/PROJ-123/events.json").status_code == 200


def test_a_trail_without_a_log_is_served_too(own_run: Path) -> None:
    (own_run / LOG).unlink()
    with client(own_run, open_machine=partial(open_machine, own_run)) as web:
        (own_run / LOG).unlink(missing_ok=True)
        assert [one["name"] for one in web.get("/index.json").json()["pasts"]] == ["PROJ-123"]
        assert web.get("/PROJ-123/events.json").json()["total"] > 100
        assert fault_code(web.get("/log.json")) == "LOG_NOT_FOUND"


# Actions


def issue(root: Path) -> None:
    words = ["issue", "report", "T-2000", "--actor", "agent-qa", "--id", "ISS-0009", "--severity", "low"]
    words += ["--title", "Off by one", "--symptom", "It is", "--step", "Look"]
    assert run([*words, "--quiet", "--root", str(root)]) == 0


def test_nothing_is_done_unless_it_was_allowed(own_run: Path) -> None:
    issue(own_run)
    before = (own_run / LOG).read_bytes()
    with serving(own_run) as web:
        for name in ("approve", "deny", "retry", "hotfix"):
            answer = web.post(f"/actions/{name}.json", json={"issue_id": "ISS-0009"}, headers=AUTHORIZED)
            assert (answer.status_code, fault_code(answer)) == (403, "ACTIONS_OFF")
    assert (own_run / LOG).read_bytes() == before


def test_a_hotfix_takes_the_road_of_the_command(own_run: Path) -> None:
    issue(own_run)
    with serving(own_run, allows_actions=True) as web:
        body = {"issue_id": "ISS-0009", "scope": ["src/main.js"]}
        tried = web.post("/actions/hotfix.json", json={**body, "dry_run": True}, headers=AUTHORIZED).json()
        assert (tried["accepted"], tried["dry_run"]) == (True, True)
        done = web.post("/actions/hotfix.json", json=body, headers=AUTHORIZED).json()
        assert done["accepted"] is True
        assert done["events"][0]["action"] == "hotfix.create"
        assert web.get("/log/task.json?id=HF-ISS-0009").status_code == 200
    assert run(["verify", "--strict", "--quiet", "--root", str(own_run)]) == 0


def test_a_retry_closes_the_issue_and_a_refusal_is_an_answer(own_run: Path) -> None:
    issue(own_run)
    with serving(own_run, allows_actions=True) as web:
        done = web.post(
            "/actions/retry.json", json={"issue_id": "ISS-0009", "note": "again"}, headers=AUTHORIZED
        ).json()
        assert done["accepted"] is True
        again = web.post("/actions/retry.json", json={"issue_id": "ISS-0009"}, headers=AUTHORIZED)
        assert again.status_code == 200
        assert again.json()["accepted"] is False
        assert again.json()["rejected"]["message"]


def test_another_page_cannot_act(own_run: Path) -> None:
    issue(own_run)
    with serving(own_run, allows_actions=True) as web:
        for headers in ({}, {"origin": "http://elsewhere.example"}, {"origin": "null"}):
            answer = web.post("/actions/retry.json", json={"issue_id": "ISS-0009"}, headers=headers)
            assert (answer.status_code, fault_code(answer)) == (403, "ORIGIN_REFUSED")
        form = web.post("/actions/retry.json", data={"issue_id": "ISS-0009"}, headers=AUTHORIZED)
        assert (form.status_code, fault_code(form)) == (400, "BODY_INVALID")


def test_what_is_no_action_or_request_is_said(own_run: Path) -> None:
    with serving(own_run, allows_actions=True) as web:
        assert web.post("/actions/destroy.json", json={}, headers=AUTHORIZED).status_code == 404
        body = {"approval_id": "AP-0000000000", "by": "ada"}
        for name in ("approve", "deny"):
            answer = web.post(f"/actions/{name}.json", json=body, headers=AUTHORIZED)
            assert (answer.status_code, fault_code(answer)) == (404, "APPROVAL_NOT_FOUND")
        assert web.get("/approvals.json").json() == []
        assert fault_code(web.get("/approvals/AP-0000000000.json")) == "APPROVAL_NOT_FOUND"


def test_the_index_lies_beside_the_log_and_is_kept(own_run: Path) -> None:
    with serving(own_run) as web:
        web.get("/log.json")
    kept = list((own_run / ".roadmap" / ".esaa").glob("history.db"))
    assert len(kept) == 1
    shutil.rmtree(own_run / ".roadmap" / ".esaa")
    with serving(own_run) as web:
        assert web.get("/log.json").status_code == 200


def test_the_log_is_never_written_by_reading(own_run: Path) -> None:
    before = (own_run / LOG).read_bytes()
    with serving(own_run) as web:
        for screen in ("events", "state", "board", "lanes", "files", "metrics", "proof", "rejections"):
            web.get(f"/log/{screen}.json")
    assert (own_run / LOG).read_bytes() == before
    assert json.loads(before.splitlines()[0])["event_seq"] == 1
