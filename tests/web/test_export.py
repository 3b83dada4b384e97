"""An exported run: one file that needs nothing, tells all of the run, and cannot be talked into anything."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from esaa.cli.app import run
from esaa.errors import NotFound, StoreError
from esaa.history.pointers import parse_pointer
from esaa.open import open_machine
from esaa.web import export
from esaa.web.export import export_run, in_one_file

PAGE = {
    "index.html": b"""<!doctype html><html><head><title>esaa</title>
    <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
    <script type="module" crossorigin src="/assets/index-aaaaaaaa.js"></script>
    <link rel="stylesheet" crossorigin href="/assets/style-bbbbbbbb.css">
  </head><body><div id="app"></div></body></html>""",
    "index-aaaaaaaa.js": b'const end = "</script><!--", other = "</SCRIPT>"; export {};',
    "style-bbbbbbbb.css": b'a::before { content: "</style>" }',
    "icon.svg": b"<svg/>",
}


def data_of(html: bytes) -> dict[str, Any]:
    found = re.search(rb'<script type="application/json" id="esaa-data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    value: dict[str, Any] = json.loads(found[1])
    return value


def test_everything_is_in_the_file(demo_run: Path) -> None:
    html = export_run(open_machine(demo_run), "RUN-0001", PAGE).html.decode()
    assert not re.search(r"""\b(src|href)\s*=\s*["'](?!data:)""", html)
    assert "https://" not in html.split('id="esaa-data"')[0]


def test_no_text_ends_the_element_that_it_stands_in() -> None:
    html = in_one_file(PAGE, {"text": "</script><script>alert(1)</script><!--"}).decode()
    assert html.count("<script") == 2
    assert html.count("</script") == 2
    assert html.count("</style") == 1
    assert "<!--" not in html
    assert data_of(html.encode()) == {"text": "</script><script>alert(1)</script><!--"}


def test_the_policy_names_the_very_script_and_style() -> None:
    html = in_one_file(PAGE, {}).decode()
    policy = re.search(r'content="(default-src[^"]*)"', html)
    script, style = re.search(r'<script type="module">(.*?)</script>', html), re.search("<style>(.*?)</style>", html)
    assert policy is not None
    assert script is not None
    assert style is not None
    for text in (script[1], style[1]):
        digest = base64.b64encode(sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    assert "connect-src" not in policy[1]


def state_at(data: dict[str, Any], seq: int) -> dict[str, Any]:
    """The state as the page makes it from the parts."""
    state: dict[str, Any] = {name: {} for name in ("tasks", "issues", "lessons", "work", "files")}
    for pointer, versions in data["parts"].items():
        held = [version for version in versions if version[0] <= seq]
        if held and len(held[-1]) == 2:
            *names, last = parse_pointer(pointer)
            place = state
            for name in names:
                place = place.setdefault(name, {})
            place[last] = held[-1][1]
    return state


@pytest.mark.parametrize("seq", [1, 12, 13, 40, 79, 80, 130, 167])
def test_the_page_can_make_every_state_from_it(seq: int, demo_run: Path) -> None:
    machine = open_machine(demo_run)
    data = data_of(export_run(machine, "RUN-0001", PAGE).html)
    whole = machine.past.document(seq)
    assert state_at(data, seq) == {"tasks": {}, "issues": {}, "lessons": {}, "work": {}, "files": {}} | whole


def test_the_run_is_told_whole(demo_run: Path) -> None:
    machine = open_machine(demo_run)
    done = export_run(machine, "RUN-0001", PAGE)
    data = data_of(done.html)
    assert done.left_out == ()
    assert [one["seq"] for one in data["entries"]] == list(range(1, done.events + 1))
    assert len(data["payloads"]) == len(data["line_bytes"]) == done.events
    assert data["meta"]["head"] == done.events
    assert data["answers"]["rejections"]["total"] == 1
    assert data["answers"]["proof"]["rail"]
    written = {one["sha256"] for one in state_at(data, done.events)["files"].values()}
    assert written <= set(data["contents"])
    page = next(
        value["sha256"] for name, value in machine.past.document(167)["files"].items() if name == "src/index.html"
    )
    assert data["contents"][page] == (demo_run / "src" / "index.html").read_text("utf-8")


def test_a_long_run_is_cut_and_that_is_said(demo_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "EVENTS_MAX", 50)
    monkeypatch.setattr(export, "CONTENTS_BYTES_MAX", 5000)
    machine = open_machine(demo_run)
    done = export_run(machine, "RUN-0001", PAGE)
    data = data_of(done.html)
    assert done.events == 50
    assert [one["seq"] for one in data["entries"]] == list(range(118, 168))
    assert any(one.startswith("Events #1 to #117") for one in done.left_out)
    assert any("contents" in one for one in done.left_out)
    assert sum(map(len, data["contents"].values())) <= 5000
    for seq in (117, 118, 150):
        assert state_at(data, seq)["tasks"] == machine.past.document(seq)["tasks"]


def test_an_export_is_the_same_each_time(demo_run: Path) -> None:
    machine = open_machine(demo_run)
    assert export_run(machine, "RUN-0001", PAGE).html == export_run(machine, "RUN-0001", PAGE).html


def test_a_run_that_is_not_there_and_a_page_that_is_not_built(demo_run: Path) -> None:
    machine = open_machine(demo_run)
    with pytest.raises(NotFound, match="RUN-9"):
        export_run(machine, "RUN-9", PAGE)
    for page in ({}, {**PAGE, "index.html": b"<html></html>"}, {"index.html": PAGE["index.html"]}):
        with pytest.raises(StoreError):
            export_run(machine, "RUN-0001", page)


def test_the_command_writes_a_file_and_never_over_another(
    demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("esaa.web.built_page.BuiltPage.files", lambda _self: PAGE)
    target = tmp_path / "run.html"
    words = ["export", "--html", "RUN-0001", "--output", str(target), "--root", str(demo_run)]
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bytes"] == target.stat().st_size
    assert run(words) == 2
    assert run([*words, "--force"]) == 0
    assert run(["export", "--html", "RUN-9", "--output", str(tmp_path / "no"), "--root", str(demo_run)]) == 7
    assert not (tmp_path / "no").exists()
    assert run(["export", "RUN-0001", "--root", str(demo_run)]) == 2
