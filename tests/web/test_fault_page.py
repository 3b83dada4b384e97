"""A person who opens an address that cannot be answered reads a page; a program gets JSON, as ever."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from tests.web.servers import client, fault_code

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("address", "is_known", "status", "said"),
    [
        ("/log/board", False, 403, "This server does not know you yet"),
        ("/?token=wrong-wrong-wrong-wrong", False, 403, "The token in this address is not the one of this server"),
        ("/log/nonsense", True, 404, "There is no such page"),
        ("/nonsense", True, 404, "There is no such page"),
        ("/", True, 503, "The page is not built"),
    ],
)
def test_a_person_reads_a_page(address: str, is_known: bool, status: int, said: str, tmp_path: Path) -> None:
    with client(tmp_path, is_signed_in=is_known) as web:
        answer = web.get(address, headers={**BROWSER, "accept-encoding": "identity"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert said in answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert ("esaa serve" in answer.text) == (status == 403)
    assert ('href="/"' in answer.text) == (status == 404)


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_a_program_gets_json(accept: str, tmp_path: Path) -> None:
    with client(tmp_path, is_signed_in=False) as web:
        assert fault_code(web.get("/log/board", headers={"accept": accept})) == "TOKEN_MISSING"


def test_a_twin_stays_json_in_a_browser(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        assert fault_code(web.get("/log/nonsense.json", headers=BROWSER)) == "NOT_FOUND"
        assert fault_code(web.post("/actions/nothing.json", headers=BROWSER)) == "ORIGIN_REFUSED"


def test_the_page_may_be_styled_by_its_own_style_alone_and_shows_what_others_sent_as_text(tmp_path: Path) -> None:
    with client(tmp_path) as web:
        answer = web.get("/", headers={**BROWSER, "host": "<script>alert(1)</script>"})
    assert answer.status_code == 403
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'self' 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
