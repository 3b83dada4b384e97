"""The shell of the page and its files: served as they are, and nothing else of the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.servers import client, fault_code

SHELL = b"<!doctype html><title>esaa</title>"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_bytes(SHELL)
    (folder / "index-D3adB33f.js").write_bytes(b"export {}")
    (folder / "index-D3adB33f.css").write_bytes(b"body {}")
    (folder / "favicon.svg").write_bytes(b"<svg/>")
    (folder / ".built-from").write_bytes(b"0123")
    (tmp_path / "secret.js").write_bytes(b"secret")
    return folder


@pytest.mark.parametrize("path", ["/", "/log", "/log/board", "/log/what-if", "/log/notes", "/PROJ-1/events", "/global"])
def test_every_screen_is_the_shell(path: str, page: Path, tmp_path: Path) -> None:
    with client(tmp_path, page=page) as web:
        answer = web.get(path + "?at=12")
    assert answer.content == SHELL
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["/nonsense", "/log/nonsense", "/nonsense/board", "/favicon.ico", "/log/board/x"])
def test_what_is_no_screen_is_not_there(path: str, page: Path, tmp_path: Path) -> None:
    with client(tmp_path, page=page) as web:
        answer = web.get(path)
    assert (answer.status_code, fault_code(answer)) == (404, "NOT_FOUND")


def test_files_with_a_hash_are_kept_for_ever(page: Path, tmp_path: Path) -> None:
    with client(tmp_path, page=page) as web:
        script, style, icon = (
            web.get(f"/assets/{one}") for one in ("index-D3adB33f.js", "index-D3adB33f.css", "favicon.svg")
        )
    assert script.content == b"export {}"
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert style.headers["content-type"].startswith("text/css")
    assert "immutable" not in icon.headers["cache-control"]
    assert icon.headers["content-type"].startswith("image/svg+xml")


@pytest.mark.parametrize(
    "name",
    ["../secret.js", "..%2fsecret.js", "%2e%2e%2fsecret.js", ".built-from", "index.html", "nothing.js", "a%00b", ""],
)
def test_nothing_else_is_served(name: str, page: Path, tmp_path: Path) -> None:
    with client(tmp_path, page=page) as web:
        answer = web.get(f"/assets/{name}")
    assert answer.status_code in (400, 404)
    assert b"secret" not in answer.content


def test_a_page_that_is_not_built_says_so_and_the_answers_still_come(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / ".not-built").write_text("it needs Node.js\n", "utf-8")
    with client(tmp_path, page=folder) as web:
        answer = web.get("/log/board")
        assert (answer.status_code, fault_code(answer)) == (503, "PAGE_NOT_BUILT")
        assert "it needs Node.js" in answer.json()["error"]["message"]
        assert web.get("/log/events.json").status_code == 200


def test_a_page_that_is_built_anew_is_served_anew(page: Path, tmp_path: Path) -> None:
    import os

    with client(tmp_path, page=page) as web:
        assert web.get("/").content == SHELL
        (page / "index.html").write_bytes(b"another")
        os.utime(page / "index.html", ns=(1, 1))
        assert web.get("/").content == b"another"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("/log/event?at=12&since=3", "/log/events?at=12&since=3"),
        ("/log/event", "/log/events"),
        ("/log/task?id=T-1000&at=12", "/log/board?task=T-1000&at=12"),
    ],
)
def test_what_stands_beside_a_list_is_shown_there(asked: str, shown: str, page: Path, tmp_path: Path) -> None:
    with client(tmp_path, page=page) as web:
        answer = web.get(asked)
    assert (answer.status_code, answer.headers["location"]) == (303, shown)
