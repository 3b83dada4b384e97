"""What the page asks, and what it need not ask again: moments seen before, further pages, a log that became another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from bench.workspaces import make_workspace
from tests.web.browser.browsing import PATIENCE_MS, Reader, Served, esaa, serving

pytestmark = pytest.mark.timeout(500)

CREATED = [str(2 + 13 * number) for number in range(40)]
"""The events of a made workspace that create its first tasks."""


@pytest.fixture
def witness(browser: Browser, own_run: Path, need_page: None) -> Generator[Reader, None, None]:
    """Somebody who looks at a copy of the demo that a test may change."""
    with serving(own_run) as served:
        person = Reader(browser, served)
        yield person
        person.leave()


@contextmanager
def counting(person: Reader) -> Generator[list[str], None, None]:
    """The paths of answers that came over the network, and not from what the browser kept."""
    session = person.context.new_cdp_session(person.page)
    asked: dict[str, str] = {}

    def sent(event: dict[str, Any]) -> None:
        place = urlsplit(str(event["request"]["url"]))
        if place.path.endswith(".json"):
            asked[str(event["requestId"])] = f"{place.path}?{place.query}"

    def came(event: dict[str, Any]) -> None:
        if event["response"].get("fromDiskCache"):
            kept(event)

    def kept(event: dict[str, Any]) -> None:
        asked.pop(str(event["requestId"]), None)

    session.on("Network.requestWillBeSent", sent)
    session.on("Network.responseReceived", came)
    session.on("Network.requestServedFromCache", kept)
    session.send("Network.enable")
    found: list[str] = []
    yield found
    person.page.wait_for_timeout(300)
    found += asked.values()
    session.detach()


def go(person: Reader, seq: int) -> None:
    person.slider().evaluate(
        "(slider, seq) => { slider.value = String(seq); slider.dispatchEvent(new Event('input', { bubbles: true })); }",
        seq,
    )
    person.shows(seq)


def boards(asked: list[str]) -> list[str]:
    return [one for one in asked if one.startswith("/log/board.json")]


def test_a_moment_that_was_seen_costs_no_request(reader: Reader) -> None:
    with counting(reader) as asked:
        reader.open("/log/board?at=30", shown=30)
        for seq in (40, 50):
            go(reader, seq)
    assert len(boards(asked)) == 3, asked
    with counting(reader) as asked:
        for seq in (40, 30, 50, 40):
            go(reader, seq)
    assert boards(asked) == []


def test_not_even_when_the_page_was_closed_in_between(reader: Reader) -> None:
    for seq in (31, 41):
        reader.open(f"/log/board?at={seq}", shown=seq)
    reader.page.goto("about:blank")
    with counting(reader) as asked:
        for seq in (41, 31):
            reader.open(f"/log/board?at={seq}", shown=seq)
    assert boards(asked) == []
    assert any(one.startswith("/log.json") for one in asked), "what the log is now is always asked"


def test_a_log_that_only_grows_takes_nothing_away(witness: Reader) -> None:
    for seq in (30, 40):
        witness.open(f"/log/board?at={seq}", shown=seq)
    head = int(witness.slider().get_attribute("max") or 0)
    esaa(
        witness.served.root, "task", "create", "T-9001", "--kind", "impl", "--title", "More", "--output", "src/more.txt"
    )
    expect(witness.slider()).not_to_have_attribute("max", str(head), timeout=PATIENCE_MS)
    with counting(witness) as asked:
        go(witness, 30)
        go(witness, 40)
    assert [one for one in boards(asked) if "at=40" in one] == []
    witness.press("End")
    expect(witness.page.get_by_role("button", name="T-9001")).to_be_visible(timeout=PATIENCE_MS)


def test_nothing_of_a_log_is_shown_when_another_lies_there(witness: Reader) -> None:
    for seq in (30, 20):
        witness.open(f"/log/board?at={seq}", shown=seq)
    go(witness, 30)
    go(witness, 20)
    other = witness.served.root.parent / "other"
    other.mkdir()
    esaa(other, "init", "--name", "another-story")
    for number in range(60):
        words = ["--kind", "impl", "--title", "Of another story", "--output", f"src/{number}.txt"]
        esaa(other, "task", "create", f"T-{number:04d}", *words)
    log = witness.served.root / ".roadmap" / "activity.jsonl"
    beside = log.with_suffix(".new")
    shutil.copyfile(other / ".roadmap" / "activity.jsonl", beside)
    witness.may_complain = "Failed to load resource"
    os.replace(beside, log)
    main = witness.page.get_by_role("main")
    expect(main).to_contain_text("Another log lies here now", timeout=PATIENCE_MS)
    for seq in (30, 20):
        go(witness, seq)
        expect(main).to_contain_text("Of another story", timeout=PATIENCE_MS)
        expect(main).not_to_contain_text("T-1000")


def test_notes_are_asked_for_each_time(reader: Reader) -> None:
    for _ in range(2):
        with counting(reader) as asked:
            reader.open("/log/notes?at=12", shown=12)
        assert any(one.startswith("/log/notes.json") for one in asked)


def test_an_address_that_says_head_stays_at_the_head(witness: Reader) -> None:
    head = len((witness.served.root / ".roadmap" / "activity.jsonl").read_bytes().splitlines())
    witness.open("/log/board?at=HEAD", shown=head)
    esaa(
        witness.served.root, "task", "create", "T-9001", "--kind", "impl", "--title", "More", "--output", "src/more.txt"
    )
    expect(witness.page.get_by_role("button", name="T-9001")).to_be_visible(timeout=PATIENCE_MS)
    assert witness.query() == "at=HEAD"


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory, need_page: None) -> Generator[Served, None, None]:
    """A thousand events."""
    root = tmp_path_factory.mktemp("long") / "project"
    root.mkdir()
    make_workspace(root, 1000, open_tasks=2)
    with serving(root) as served:
        yield served


def test_all_decisions_of_a_what_if_are_shown_page_by_page(browser: Browser, long_log: Served) -> None:
    person = Reader(browser, long_log)
    person.open(f"/log/what-if?drop={','.join(CREATED)}")
    rows = person.page.locator("tbody tr")
    expect(rows).to_have_count(200, timeout=PATIENCE_MS)
    drops = "&".join(f"drop=%23{seq}" for seq in CREATED)
    total = person.answer(f"/log/what-if.json?{drops}&count=1")["total"]
    assert 200 < total < 400
    person.page.get_by_role("button", name=f"{total - 200} more of {total - 200}").click()
    expect(rows).to_have_count(total, timeout=PATIENCE_MS)
    last = person.answer(f"/log/what-if.json?{drops}&offset={total - 1}")["outcomes"]
    expect(rows.last).to_contain_text(f"#{last[0]['seq']}")
    expect(person.page.get_by_role("button", name="more of")).to_have_count(0)
    person.leave()


def test_all_changes_between_two_moments_are_shown_page_by_page(browser: Browser, long_log: Served) -> None:
    person = Reader(browser, long_log)
    person.open("/log/diff?at=900&since=0", shown=900)
    total = person.answer("/log/diff.json?at=900&since=0&count=1")["total"]
    assert total > 200
    person.page.get_by_role("button", name=f"more of {total} parts").click()
    rows = person.page.get_by_role("main").locator("li a.pointer")
    told = [
        one["pointer"]
        for at in (0, 200)
        for one in person.answer(f"/log/diff.json?at=900&since=0&count=200&offset={at}")["changes"]
    ]
    expect(rows).to_have_count(len(told), timeout=PATIENCE_MS)
    assert len(set(told)) == len(told)
    person.leave()
