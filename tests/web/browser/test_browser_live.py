"""The page while the log moves: events come, a run goes on, the log is replaced, damaged, or full of malice."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.browser.browsing import PATIENCE_MS, SCREENS, Reader, Served, esaa, serving

pytestmark = pytest.mark.timeout(500)

HOSTILE = "<script>window.owned=1</script><img src=x onerror=window.owned=1>\x1b]0;owned\x07\u202egnp.exe{{7*7}}${7*7}"


@pytest.fixture
def own(own_run: Path, need_page: None) -> Generator[Served, None, None]:
    """A server over a copy of the demo that a test may change."""
    with serving(own_run) as found:
        yield found


@pytest.fixture
def witness(browser: Browser, own: Served) -> Generator[Reader, None, None]:
    """Somebody who looks at that copy."""
    person = Reader(browser, own)
    yield person
    person.leave()


def head_of(served: Served) -> int:
    return len((served.root / ".roadmap" / "activity.jsonl").read_bytes().splitlines())


def add_task(root: Path, name: str, title: str = "One more") -> None:
    esaa(root, "task", "create", name, "--kind", "impl", "--title", title, "--output", f"src/{name}.txt")


def test_new_events_come_by_themselves(witness: Reader) -> None:
    head = head_of(witness.served)
    witness.open("/log/board", shown=head)
    add_task(witness.served.root, "T-9001", "It came while one looked")
    grown = head_of(witness.served)
    assert grown > head
    witness.shows(grown)
    expect(witness.page.get_by_role("button", name=re.compile("T-9001"))).to_be_visible()


def test_who_looks_at_a_moment_stays_there_while_the_log_grows(witness: Reader) -> None:
    witness.open("/log/board?at=40", shown=40)
    add_task(witness.served.root, "T-9001")
    expect(witness.slider()).to_have_attribute("max", str(head_of(witness.served)), timeout=PATIENCE_MS)
    witness.shows(40)
    assert witness.slider().input_value() == "40"


NOTE_WHAT_IS_SHOWN = """() => {
  const screen = document.querySelector("[data-screen]");
  const note = () => screen.dataset.shown !== undefined && seen.push(Number(screen.dataset.shown));
  window.seen = [];
  new MutationObserver(note).observe(screen, { attributes: true, attributeFilter: ["data-shown"] });
  note();
}"""
LATE_ANSWERS = """{
  const soon = window.fetch;
  window.fetch = async (...asked) => {
    await new Promise((done) => setTimeout(done, 450));
    return soon(...asked);
  };
}"""


@pytest.mark.parametrize("late", ["", LATE_ANSWERS], ids=["soon", "late"])
def test_a_whole_run_is_followed_to_its_end(browser: Browser, tmp_path: Path, need_page: None, late: str) -> None:
    """Answers that come later than new events do not keep the page from showing what there is."""
    root = tmp_path / "calc"
    root.mkdir()
    esaa(root, "init", "--demo", "calc", "--quiet")
    with serving(root) as served:
        person = Reader(browser, served)
        person.page.add_init_script(late)
        person.open("/log/events")
        person.page.evaluate(NOTE_WHAT_IS_SHOWN)
        line = [sys.executable, "-m", "esaa", "--root", str(root), "run", "--quiet"]
        run = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert run.wait(300) == 0
        person.shows(head_of(served))
        seen = person.page.evaluate("window.seen")
        assert any(seen[0] < one < seen[-1] for one in seen), "it was seen to grow"
        assert seen == sorted(seen)
        last = person.page.get_by_role("option", selected=True).and_(person.page.locator("[aria-posinset]"))
        expect(last).to_contain_text("run.end")
        expect(last).to_be_in_viewport()
        person.leave()


def test_a_server_that_goes_away_is_told_and_forgotten_when_it_is_back(browser: Browser, own_run: Path) -> None:
    with serving(own_run, "--token", "the-token-of-this-test") as served:
        person = Reader(browser, served)
        person.open("/log/board?at=40", shown=40)
    port = served.base.rpartition(":")[2]
    person.may_complain = "Failed to load resource|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY"
    person.slider().fill("12")
    expect(person.page.get_by_role("main")).to_contain_text("The server does not answer", timeout=PATIENCE_MS)
    with serving(own_run, "--token", "the-token-of-this-test", "--port", port):
        person.page.get_by_role("button", name="Ask again").click()
        person.shows(12)
        person.leave()


def test_a_log_that_is_replaced_is_read_anew(witness: Reader) -> None:
    witness.open("/log/events?at=40", shown=40)
    other = witness.served.root.parent / "other"
    other.mkdir()
    esaa(other, "init", "--name", "another-story")
    for number in range(60):
        add_task(other, f"T-{number:04d}", "Of another story")
    log = witness.served.root / ".roadmap" / "activity.jsonl"
    beside = log.with_suffix(".new")
    shutil.copyfile(other / ".roadmap" / "activity.jsonl", beside)
    witness.may_complain = "Failed to load resource"
    os.replace(beside, log)
    expect(witness.page.get_by_role("main")).to_contain_text("Of another story", timeout=PATIENCE_MS)
    witness.shows(40)


def test_a_log_that_is_damaged_is_told_and_healed_by_itself(witness: Reader) -> None:
    witness.open("/log/board?at=40", shown=40)
    log = witness.served.root / ".roadmap" / "activity.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    witness.may_complain = "Failed to load resource"
    log.write_bytes(b"".join([*lines[:20], b'{"not": "an event"}\n', *lines[21:]]))
    told = witness.page.get_by_role("status").filter(has_text="breaks at line 21")
    expect(told).to_be_visible(timeout=PATIENCE_MS)
    witness.shows(20)
    log.write_bytes(whole)
    expect(told).to_be_hidden(timeout=PATIENCE_MS)
    witness.shows(40)


def test_a_log_that_lost_its_end_is_told_and_taken_up_again(witness: Reader) -> None:
    witness.open("/log/board", shown=head_of(witness.served))
    add_task(witness.served.root, "T-9001")
    head = head_of(witness.served)
    witness.shows(head)
    log = witness.served.root / ".roadmap" / "activity.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    witness.may_complain = "Failed to load resource"
    for end in (50, 51):
        log.write_bytes(b"".join(lines[:end]))
        expect(witness.slider()).to_have_attribute("max", str(end), timeout=PATIENCE_MS)
    log.write_bytes(whole)
    expect(witness.slider()).to_have_attribute("max", str(head), timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def hostile(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Generator[Reader, None, None]:
    """A workspace whose every text is malice, and a reader of it."""
    root = tmp_path_factory.mktemp("hostile") / "project"
    root.mkdir()
    esaa(root, "init", "--name", "small")
    add_task(root, "T-1", HOSTILE.replace("\x1b", "").replace("\x07", ""))
    add_task(root, "T-2", "A" * 20_000)
    log = root / ".roadmap" / "activity.jsonl"
    # Escapes cannot come in by the command; another writer could have put them there.
    text = log.read_text().replace("One more", json.dumps(HOSTILE)[1:-1])
    log.write_text(text)
    with serving(root) as served:
        person = Reader(browser, served)
        yield person
        person.leave()


@pytest.mark.parametrize("screen", SCREENS)
def test_no_text_of_a_log_is_ever_markup(hostile: Reader, screen: str) -> None:
    hostile.may_complain = "Failed to load resource"
    asked = {"blame": "&pointer=/tasks/T-1/title", "state": "&pointer=/tasks/T-1/title", "diff": "&since=0"}
    hostile.open(f"/log/{screen}?at=4{asked.get(screen, '')}")
    hostile.page.wait_for_timeout(300)
    assert hostile.page.evaluate("typeof window.owned") == "undefined"
    assert hostile.page.locator("main img[src=x], main script").count() == 0
    assert "owned" not in hostile.page.title()
    wide = hostile.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "a long word breaks no layout"


def test_malice_in_the_address_is_only_text(hostile: Reader) -> None:
    hostile.may_complain = "Failed to load resource"
    for address in (
        "/log/events?q=<script>window.owned=1</script>",
        "/%3Cscript%3Ewindow.owned=1%3C%2Fscript%3E/events",
        "/log/%3Cimg%20src=x%20onerror=window.owned=1%3E",
        "/log/state?at=4&pointer=/<img src=x onerror=window.owned=1>",
        "/log/events?at=javascript:window.owned=1",
    ):
        hostile.page.goto(f"{hostile.served.base}{address}")
        hostile.page.wait_for_timeout(300)
        assert hostile.page.evaluate("typeof window.owned") == "undefined", address


def test_an_exported_run_opens_without_a_server(browser: Browser, own_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    esaa(own_run, "export", "--html", "RUN-0001", "--output", str(path))
    page = browser.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(path.as_uri())
    for screen in ("events", "board", "state", "files", "lanes", "diff", "rejections", "proof", "metrics"):
        page.goto(f"{path.as_uri()}#/log/{screen}?at=40&since=17")
        expect(page.locator(f"[data-screen={screen}]")).to_have_attribute("data-shown", "40", timeout=PATIENCE_MS)
    expect(page.get_by_text("read-only file")).to_be_visible()
    assert complaints == []
    assert [one for one in asked if not one.startswith(("file:", "data:", "blob:"))] == []
    page.close()
