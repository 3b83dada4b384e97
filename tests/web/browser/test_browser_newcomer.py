"""Somebody who sees the page for the first time: by clicks alone; on a phone; what is empty, what is wrong."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.browser.browsing import PATIENCE_MS, SCREENS, Reader, Served, esaa, indexed, serving
from tests.web.browser.test_browser_screens import axe_of

pytestmark = pytest.mark.timeout(500)


def question(reader: Reader, text: str) -> None:
    """Starts at the overview, and follows what is asked there."""
    reader.page.goto(reader.served.base)
    reader.page.get_by_role("link", name=text).click()
    reader.screen()


def test_why_the_write_was_rejected_is_one_click_away(reader: Reader) -> None:
    question(reader, "Why was something refused?")
    screen = reader.screen()
    expect(screen).to_contain_text("BOUNDARY_VIOLATION")
    expect(screen).to_contain_text("T-2010 (impl) may not write docs/spec/T-1020.md")


def test_which_event_put_a_task_in_review_is_two_clicks_away(reader: Reader) -> None:
    question(reader, "Which event made a task so?")
    reader.page.get_by_role("button", name=re.compile("T-2010")).click()
    steps = reader.page.get_by_role("complementary", name="Task T-2010").get_by_role("listitem")
    step = steps.filter(has_text="Review")
    expect(step).to_have_count(1)
    expect(step).to_contain_text(re.compile(r"#\d+"))
    expect(step).to_contain_text("T-2010 is completed")


def test_what_the_tree_looked_like_before_the_hotfix_is_four_clicks_away(reader: Reader) -> None:
    question(reader, "Which event made a task so?")
    reader.page.get_by_role("button", name=re.compile("HF-ISS-0001")).click()
    panel = reader.page.get_by_role("complementary", name="Task HF-ISS-0001")
    panel.get_by_role("link", name="Files before it").click()
    reader.screen()
    reader.page.get_by_role("link", name=re.compile("main.js")).click()
    before = reader.page.get_by_role("region", name="Content")
    expect(before).to_contain_text("currentTheme")
    at = int(re.findall(r"at=(\d+)", reader.query())[0])
    told = esaa(reader.served.root, "log", "--json", "--task", "HF-ISS-0001").stdout
    claims = [line for line in told.splitlines() if '"claim"' in line]
    assert f'"event_seq":{at + 1}' in claims[0].replace(" ", "")
    reader.page.go_back()
    reader.page.go_back()
    panel.get_by_role("link", name="Files since").click()
    reader.page.get_by_role("link", name=re.compile("main.js")).click()
    expect(reader.page.get_by_role("region", name="Patch")).to_be_visible()


def test_the_first_event_after_which_something_fails_is_two_clicks_away(reader: Reader) -> None:
    question(reader, "When did it go wrong?")
    expect(reader.screen()).to_contain_text("names the first event")
    reader.page.get_by_role("button", name="no issue is open").click()
    expect(reader.screen()).to_contain_text("ISS-0001 (medium) on T-2020", timeout=PATIENCE_MS)


OUTSIDE = """() => [...document.querySelectorAll("a, button, input, select, h1")]
  .filter((one) => !one.closest("nav, table, .columns, [role=tree], .graph, .skip"))
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && (box.left < -9 || box.right > innerWidth + 9))
  .map(([one]) => one.outerHTML.slice(0, 120))"""


def test_nothing_is_cut_off_on_a_phone(reader: Reader) -> None:
    reader.page.set_viewport_size({"width": 390, "height": 844})
    found: dict[str, list[str]] = {}
    for name in SCREENS:
        reader.open(f"/log/{name}?at=100&since=60")
        outside = reader.page.evaluate(OUTSIDE)
        if outside:
            found[name] = outside
        shown = reader.page.get_by_role("navigation", name="Screens").locator("[aria-current]")
        expect(shown).to_be_in_viewport()
        assert reader.slider().bounding_box()["width"] > 300  # type: ignore[index]
    assert found == {}


@pytest.fixture(scope="module")
def bare(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Generator[Reader, None, None]:
    """A workspace that was made, and nothing more."""
    root = tmp_path_factory.mktemp("bare") / "project"
    root.mkdir()
    esaa(root, "init", "--quiet")
    with serving(indexed(root)) as served:
        person = Reader(browser, served)
        yield person
        person.leave()


EMPTY = {
    "board": "There are no tasks yet",
    "files": "No file is written yet",
    "rejections": "Nothing was refused up to here",
    "metrics": "No agent was called yet",
    "notes": "No notes on this past",
    "blame": "Which event made this value so?",
    "bisect": "When did it go wrong?",
}


@pytest.mark.parametrize("name", EMPTY)
def test_what_is_empty_says_so(name: str, bare: Reader) -> None:
    expect(bare.open(f"/log/{name}")).to_contain_text(EMPTY[name])
    assert axe_of(bare) == []


def test_who_has_no_token_or_a_wrong_one_is_told_what_to_do(browser: Browser, served: Served) -> None:
    context = browser.new_context()
    page = context.new_page()
    for address in ("/log/board", "/?token=the-token-of-yesterday"):
        page.goto(served.base + address)
        expect(page.get_by_role("heading")).to_contain_text(re.compile("this server", re.IGNORECASE))
        expect(page.get_by_text("printed in its terminal")).to_be_visible()
        # The style of its own is let through by the policy.
        assert page.locator("main").evaluate("one => getComputedStyle(one).maxWidth") == "460px"
    context.close()


def test_a_damaged_log_is_told_on_the_first_page_and_on_the_proof(browser: Browser, own_run: Path) -> None:
    log = own_run / ".roadmap" / "activity.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:119], b'{"not": "an event"}\n', *lines[120:]]))
    with serving(indexed(own_run)) as served:
        person = Reader(browser, served)
        told = person.page.get_by_role("status").filter(has_text="The log is damaged.")
        expect(told).to_contain_text("breaks at line 120", timeout=PATIENCE_MS)
        screen = person.open("/log/proof", shown=119)
        broken = screen.get_by_role("listitem").filter(has_text="Broken")
        expect(broken).to_contain_text("after #119", timeout=PATIENCE_MS)
        expect(screen.get_by_role("row", name=re.compile(f"#{len(lines)}"))).to_contain_text("not here")
        log.write_bytes(b"".join(lines))
        expect(broken).to_have_count(0, timeout=PATIENCE_MS)
        person.shows(len(lines))
        person.leave()


def test_what_was_refused_last_stands_first(browser: Browser, own_run: Path) -> None:
    esaa(own_run, "claim", "T-2000", "--actor", "agent-impl", check=False)
    with serving(indexed(own_run)) as served:
        person = Reader(browser, served)
        cards = person.open("/log/rejections").get_by_role("listitem")
        expect(cards).to_have_count(2)
        expect(cards.first).to_contain_text("T-2000")
        expect(cards.last).to_contain_text("BOUNDARY_VIOLATION")
        person.leave()


def test_the_overview_grows_while_one_looks(browser: Browser, own_run: Path) -> None:
    with serving(indexed(own_run)) as served:
        person = Reader(browser, served)
        expect(person.page.get_by_text("Done 10")).to_be_visible(timeout=PATIENCE_MS)
        esaa(own_run, "task", "create", "T-9001", "--kind", "impl", "--title", "One more", "--output", "src/x.txt")
        expect(person.page.get_by_text("Todo 1")).to_be_visible(timeout=PATIENCE_MS)
        person.leave()


def test_an_address_that_names_nothing_leads_back(reader: Reader) -> None:
    reader.may_complain = "404"
    reader.page.goto(reader.served.base + "/log/nonsense")
    expect(reader.page.get_by_role("heading", name="There is no such page")).to_be_visible()
    reader.page.get_by_role("link", name="Open the overview").click()
    expect(reader.page.get_by_role("heading", name="Overview")).to_be_visible()
