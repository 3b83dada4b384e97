"""Every screen by its address: it stands, its twin and its command answer the same, and everyone can use it."""

from __future__ import annotations

import re
import shlex

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, expect

from tests.web.browser.browsing import PATIENCE_MS, SCREENS, Reader, Served, esaa

pytestmark = pytest.mark.timeout(400)

ASKED = {
    "bisect": "where=length(values(tasks)[?status=='done'])+<+`2`&bad=60",
    "what-if": "drop=%2314",
    "blame": "pointer=/tasks/T-1000/status",
    "state": "pointer=/tasks/T-1000/status",
    "graph": "depth=2",
    "diff": "since=17",
    "board": "since=17",
    "lanes": "axis=busy",
}
"""What a screen is asked, beside the moment."""


def address_of(screen: str, at: int) -> str:
    asked = ASKED.get(screen, "")
    return f"/log/{screen}?at={at}{'&' if asked else ''}{asked}"


@pytest.mark.parametrize("screen", SCREENS)
def test_an_address_is_the_whole_state_of_a_screen(reader: Reader, screen: str) -> None:
    shown = 60 if screen == "bisect" else 40
    if screen == "what-if":
        reader.open(address_of(screen, 40))
    else:
        reader.open(address_of(screen, 40), shown=shown)
    first = reader.page.locator("[data-screen]").inner_text()
    query = reader.query()
    assert "at=40" in query
    reader.page.reload()
    reader.screen()
    expect(reader.page.locator("[data-screen]")).to_have_text(re.compile(re.escape(first.split("\n")[0])))
    assert reader.query() == query
    assert reader.page.get_by_role("heading", level=1).count() == 1
    assert reader.slider().input_value() == "40"


@pytest.mark.parametrize("screen", [one for one in SCREENS if one != "notes"])  # notes are of the page alone
def test_every_screen_names_its_twin_and_a_command_that_runs(reader: Reader, screen: str) -> None:
    shown = reader.open(address_of(screen, 40))
    twin = shown.get_by_role("link", name="JSON")
    answer = reader.answer(str(twin.get_attribute("href")))
    assert answer["past"] == "log"
    command = str(shown.locator("code[title]").first.get_attribute("title"))
    assert command == answer["cli"]
    words = shlex.split(command)
    assert words[0] == "esaa"
    done = esaa(reader.served.root, *words[1:], check=False)
    assert done.returncode in (0, 1), (command, done.stderr)


def axe_of(reader: Reader) -> list[str]:
    """What axe finds against WCAG 2 A and AA, and its good practices."""
    found = Axe().run(reader.page)
    return [
        f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']][:3]}"
        for one in found.response["violations"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_is_accessible_in_both_schemes(reader: Reader, screen: str, scheme: str) -> None:
    reader.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    reader.open(address_of(screen, 40))
    reader.page.wait_for_timeout(300)
    assert axe_of(reader) == []


def test_the_overview_and_the_keys_are_accessible(reader: Reader) -> None:
    reader.page.goto(f"{reader.served.base}/")
    expect(reader.page.get_by_role("link", name=re.compile("Governed log"))).to_be_visible(timeout=PATIENCE_MS)
    assert axe_of(reader) == []
    reader.open("/log/events?at=17", shown=17)
    reader.press("?")
    expect(reader.page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert axe_of(reader) == []


def test_dark_follows_the_machine_and_the_reader_may_differ(browser: Browser, served: Served) -> None:
    reader = Reader(browser, served)

    def light_of_the_page() -> float:
        colour = reader.page.evaluate("getComputedStyle(document.body).backgroundColor")
        numbers = [float(one) for one in re.findall(r"[\d.]+", colour)][:3]
        return sum(numbers) / (765 if max(numbers) > 1 else 3)

    reader.page.emulate_media(color_scheme="light")
    reader.open("/log/board?at=40", shown=40)
    assert light_of_the_page() > 0.8
    reader.page.emulate_media(color_scheme="dark")
    assert light_of_the_page() < 0.3
    reader.press("t")
    assert light_of_the_page() > 0.8
    reader.page.reload()
    reader.shows(40)
    assert light_of_the_page() > 0.8, "what was chosen is kept"
    reader.leave()


def test_a_narrow_window_scrolls_nothing_sideways(reader: Reader) -> None:
    reader.page.set_viewport_size({"width": 900, "height": 700})
    for screen in SCREENS:
        reader.open(address_of(screen, 40))
        wide = reader.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, screen


def test_a_stream_of_the_trail_has_the_same_screens(reader: Reader) -> None:
    for screen in ("events", "state", "diff", "lanes", "graph", "board"):
        reader.open(f"/PROJ-123/{screen}?at=30", shown=30)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/NOPE-1/events", "NOPE-1"),
        ("/log/events?at=tomorrow", "names no moment"),
        ("/log/state?at=40&pointer=/tasks/T-9999", "no value at"),
        ("/log/bisect?at=40&where=]%5B", "JMESPath"),
    ],
)
def test_what_is_not_there_is_said_in_words(reader: Reader, address: str, said: str) -> None:
    reader.may_complain = "Failed to load resource"
    reader.page.goto(f"{reader.served.base}{address}")
    expect(reader.page.get_by_role("main")).to_contain_text(said, timeout=PATIENCE_MS)


def test_without_the_token_nothing_is_told(browser: Browser, served: Served) -> None:
    stranger = browser.new_context()
    answer = stranger.request.get(f"{served.base}/log/events.json")
    assert answer.status == 403
    assert "run.start" not in answer.text()
    stranger.close()


def test_the_first_load_is_small(browser: Browser, served: Served) -> None:
    person = Reader(browser, served)
    sizes: list[int] = []
    session = person.context.new_cdp_session(person.page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.on("Network.loadingFinished", lambda one: sizes.append(int(one["encodedDataLength"])))
    person.open("/log/board?at=40", shown=40)
    person.leave()
    assert sum(sizes) <= 150_000, f"{len(sizes)} answers"
