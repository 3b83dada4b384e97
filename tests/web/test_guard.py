"""Who may ask: the right host, the token, the right origin; and what every answer carries."""

from __future__ import annotations

from pathlib import Path

import pytest

from esaa.web.guard import Hosts
from tests.web.servers import AUTHORIZED, HERE, PORT, TOKEN, client, fault_code

EVERY = ["/", "/log", "/log/board", "/index.json", "/log.json", "/log/events.json", "/log/tail", "/openapi.json"]
NOTE = {"seq": 1, "kind": "bookmark", "text": ""}


@pytest.mark.parametrize("path", [*EVERY, "/assets/index-12345678.js", "/notes.json", "/nothing", "/favicon.ico"])
def test_without_the_token_nothing_is_answered(path: str, tmp_path: Path) -> None:
    with client(tmp_path, is_signed_in=False) as web:
        answer = web.get(path)
    assert answer.status_code == 403
    assert fault_code(answer) == "TOKEN_MISSING"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer wrong", "Basic " + TOKEN, f"Bearer {TOKEN}x", "Bearer \xff"])
def test_a_wrong_token_lets_nobody_in(value: str, tmp_path: Path) -> None:
    with client(tmp_path, is_signed_in=False) as web:
        assert web.get("/log.json", headers={b"authorization": value.encode("latin-1")}).status_code == 403
        web.cookies.set(f"esaa_token_{PORT}", "wrong", domain="127.0.0.1")
        assert web.get("/log.json").status_code == 403


def test_a_bearer_token_lets_a_program_in(tmp_path: Path) -> None:
    with client(tmp_path, is_signed_in=False) as web:
        assert web.get("/log.json", headers=AUTHORIZED).status_code == 200


def test_the_token_of_the_address_becomes_a_cookie_and_leaves_the_address(tmp_path: Path) -> None:
    with client(tmp_path, is_signed_in=False) as web:
        answer = web.get(f"/log/event?at=12&token={TOKEN}&x=a%26b")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/log/event?at=12&x=a%26b"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert f"esaa_token_{PORT}=" in cookie
        assert web.get("/log.json").status_code == 200


def test_a_wrong_token_in_the_address_is_refused(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        answer = web.get("/?token=wrong")
    assert (answer.status_code, fault_code(answer)) == (403, "TOKEN_WRONG")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["//elsewhere.example/x", "/%5C%5Celsewhere.example", "/%2F%2Felsewhere.example"])
def test_signing_in_leads_nowhere_else(path: str, tmp_path: Path) -> None:
    with client(tmp_path, is_signed_in=False) as web:
        answer = web.get(HERE + path + f"?token={TOKEN}")
    place = answer.headers.get("location", "/")
    assert place.startswith("/")
    assert not place.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example",
        f"elsewhere.example:{PORT}",
        "127.0.0.1",
        "127.0.0.1:80",
        f"127.0.0.1.evil.example:{PORT}",
        "",
    ],
)
def test_another_host_is_refused_even_with_the_token(host: str, tmp_path: Path) -> None:
    with client(tmp_path) as web:
        answer = web.get("/log.json", headers={"host": host, **AUTHORIZED})
    assert (answer.status_code, fault_code(answer)) == (403, "HOST_REFUSED")


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
def test_names_of_this_machine_are_answered(host: str, tmp_path: Path) -> None:
    with client(tmp_path) as web:
        assert web.get("/log.json", headers={"host": host, **AUTHORIZED}).status_code == 200


def test_a_server_for_others_takes_addresses_but_no_names() -> None:
    hosts = Hosts(PORT, ["0.0.0.0"])
    assert hosts.is_ours(f"192.0.2.7:{PORT}")
    assert not hosts.is_ours(f"rebound.example:{PORT}")
    assert not Hosts(PORT).is_ours(f"192.0.2.7:{PORT}")


def test_a_server_on_the_usual_port_is_addressed_without_it() -> None:
    assert Hosts(80).is_ours("localhost")
    assert not Hosts(80).is_ours("localhost:8080")
    assert not Hosts(PORT).is_ours("localhost:one")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"origin": f"http://localhost:{PORT}"},
        {"origin": HERE, "sec-fetch-site": "cross-site"},
        {"origin": HERE, "sec-fetch-site": "same-site"},
    ],
)
def test_another_page_cannot_write_with_our_cookie(headers: dict[str, str], tmp_path: Path) -> None:
    with client(tmp_path) as web:
        answer = web.put("/log/notes/n1.json", json=NOTE, headers=headers)
        assert (answer.status_code, fault_code(answer)) == (403, "ORIGIN_REFUSED")
        assert web.get("/notes.json").json()["total"] == 0


def test_our_own_page_writes(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        sent = {"origin": HERE, "sec-fetch-site": "same-origin"}
        assert web.put("/log/notes/n1.json", json=NOTE, headers=sent).status_code == 200


def test_a_program_with_the_token_writes_without_an_origin(tmp_path: Path) -> None:
    with client(tmp_path, is_signed_in=False) as web:
        assert web.put("/log/notes/n1.json", json=NOTE, headers=AUTHORIZED).status_code == 200
        other = {**AUTHORIZED, "origin": "http://elsewhere.example"}
        assert web.put("/log/notes/n2.json", json=NOTE, headers=other).status_code == 403


@pytest.mark.parametrize("path", [*EVERY[:6], "/nothing", "/log/nothing", "/actions/approve.json"])
def test_every_answer_forbids_what_a_page_could_do(path: str, tmp_path: Path) -> None:
    with client(tmp_path) as web:
        headers = web.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert headers["cache-control"]


def test_a_web_socket_is_closed(tmp_path: Path) -> None:
    from starlette.websockets import WebSocketDisconnect

    with client(tmp_path) as web, pytest.raises(WebSocketDisconnect), web.websocket_connect("/log/tail"):
        pass
