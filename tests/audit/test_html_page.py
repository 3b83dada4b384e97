"""The HTML report as a page: alone, accessible, readable by day and by night, and at work in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from esaa.audit.render.as_html import HtmlAssets, html_report
from esaa.audit.request import request_of
from esaa.runtime.audit.report import Gathered, _asset, gather
from esaa.runtime.trail.trail import Trail
from tests.audit.conftest import Render
from tests.audit.stories import FIRST

_CSS = _asset("report.css")
_JS = _asset("report.js")
_BROWSER_TIMEOUT_S = 90


class Page(HTMLParser):
    """The elements of a page in their order, each with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(render: Render) -> str:
    return render("html").decode()


def test_policy_allows_this_style_and_this_script_and_nothing_else(page: str) -> None:
    (policy,) = [one["content"] for one in Page(page).of("meta") if "http-equiv" in one]
    digests = {
        name: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for name, text in (("style", _CSS), ("script", _JS))
    }
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src {digests['style']}",
        f"script-src {digests['script']}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert page.count(f"<style>{_CSS}</style>") == 1
    assert page.count(f"<script>{_JS}</script>") == 1


def test_page_asks_nothing_of_any_network(page: str) -> None:
    found = Page(page)
    assert {tag for tag, _ in found.elements} & {"link", "img", "iframe", "object", "embed", "base", "form"} == set()
    assert [one for tag, one in found.elements if "src" in one or "srcset" in one] == []
    assert all(one["href"].startswith("#") for one in found.of("a"))
    for asset in (_CSS, _JS):
        assert not re.search(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttpRequest|eval\(|innerHTML", asset)


def test_every_link_leads_somewhere(page: str) -> None:
    found = Page(page)
    targets = {one["id"] for _, one in found.elements if "id" in one}
    assert {one["href"][1:] for one in found.of("a")} <= targets


def test_tables_headings_and_regions_are_accessible(page: str) -> None:
    found = Page(page)
    assert found.of("html") == [{"lang": "en"}]
    assert all(one.get("scope") in ("col", "row") for one in found.of("th"))
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    regions = [one for _, one in found.elements if one.get("role") == "region"]
    assert regions
    assert all(one.get("aria-label") and one.get("tabindex") == "0" for one in regions)
    drawings = found.of("svg")
    assert len(drawings) == 3
    assert all(one.get("role") == "img" and one.get("aria-label") for one in drawings)
    (field,) = found.of("input")
    assert field["type"] == "search"
    assert "<label>Filter <input" in page


def test_evidence_stands_on_the_first_page(page: str, gathered: Gathered) -> None:
    evidence = gathered.report.evidence
    first_page = page[: page.index('id="overview"')]
    for said in (
        evidence.report_sha256,
        evidence.heads_sha256,
        evidence.selection.sha256,
        *(head.leaf_hash for head in evidence.heads),
        *(head.merkle_root for head in evidence.heads),
        "Chain intact.",
        "trail 1.0.0, report 1.0.0: every event fits its type",
        "esaa audit --format html",
    ):
        assert said in first_page


def variables(css: str) -> Iterator[tuple[str, dict[str, str]]]:
    for name, pattern in (
        ("light", r"^:root \{(.*?)^\}"),
        ("dark", r"prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}"),
        ("print", r"@media print \{\s*:root \{(.*?)\}"),
    ):
        found = re.search(pattern, css, re.DOTALL | re.MULTILINE)
        assert found, name
        yield name, dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", found.group(1)))


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("theme", "colours"), list(variables(_CSS)), ids=["light", "dark", "print"])
def test_letters_stand_out_in_every_theme(theme: str, colours: dict[str, str]) -> None:
    pairs = [("ink", ground) for ground in ("ground", "card", "stripe", "plain-ground", "warn-ground")]
    pairs += [("soft", ground) for ground in ("ground", "card", "stripe")]
    pairs += [("accent", ground) for ground in ("ground", "card", "warn-ground")]
    pairs += [(mood, f"{mood}-ground") for mood in ("good", "bad", "warn")] + [("warn", "card")]
    pairs += [("on-span", span) for span in ("phase", "agent", "failed")]
    weak = {f"{one} on {other}": round(contrast(colours[one], colours[other]), 2) for one, other in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}, theme
    shapes = {
        name: contrast(colours[name], colours["card"]) for name in ("phase", "agent", "failed", "gap", "approval")
    }
    assert {name: ratio for name, ratio in shapes.items() if ratio < 3} == {}, theme


def test_page_with_too_many_events_says_where_they_are(gathered: Gathered) -> None:
    content = html_report(gathered.report, gathered.events_of, HtmlAssets(_CSS, _JS), rows_max=44)
    page = b"".join(content).decode()
    assert "This report is about 45 events; a page lists at most 44." in page
    assert "the JSON and the CSV of the same report" in page
    assert 'id="event-table"' not in page
    assert 'href="#e-' not in page, "a link would lead nowhere"


def test_embedded_data_is_the_report_without_the_events(page: str, gathered: Gathered) -> None:
    data = json.loads(page.partition('id="esaa-audit">')[2].partition("</script>")[0])
    assert data["totals"]["events"] == 45
    assert data["evidence"]["report_sha256"] == gathered.report.evidence.report_sha256
    assert list(data["issues"]) == [FIRST, "PROJ-124"]
    assert "events" not in data["issues"][FIRST]


def test_details_of_an_event_are_cut_where_they_are_endless(told: Trail, gathered: Gathered) -> None:
    from esaa.audit.render.event_table import details_of

    seen = next(gathered.events_of(FIRST))
    whole = details_of(gathered.report, seen, 100_000)
    assert '"issue_summary": "Add user authentication"' in whole
    assert f"leaf_hash: {seen.leaf}" in whole
    cut = details_of(gathered.report, seen, 50)
    assert cut.startswith(whole[:50])
    assert cut.endswith(f"{len(whole) - 50:,} more characters; the JSON report has them.")


class Browser:
    """Chromium without a window, on one page."""

    def __init__(self, path: str, home: Path) -> None:
        self._path = path
        self._home = home

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                self._path,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--enable-logging=stderr",
                "--v=0",
                "--virtual-time-budget=4000",
                f"--user-data-dir={self._home}",
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=_BROWSER_TIMEOUT_S,
            check=True,
        )

    def dom(self, page: Path, fragment: str = "") -> tuple[str, list[str]]:
        """The page after its script has run, and what the console was told."""
        done = self._run("--dump-dom", f"file://{page}{fragment}")
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    def picture(self, page: Path, target: Path, *, dark: bool) -> bytes:
        scheme = ["--force-dark-mode"] if dark else []
        self._run(*scheme, "--window-size=1100,900", f"--screenshot={target}", f"file://{page}")
        return target.read_bytes()


@pytest.fixture
def browser(need_tool: Callable[[str], str], tmp_path: Path) -> Browser:
    return Browser(need_tool("chromium"), tmp_path / "profile")


def test_page_opens_without_a_complaint_and_its_script_runs(browser: Browser, page: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, "utf-8")
    dom, console = browser.dom(file)
    assert console == [], "a policy violation or an error would be told here"
    assert '<output id="shown" aria-live="polite">45 events</output>' in dom
    assert 'class="tools" hidden' not in dom
    assert dom.count('aria-sort="none"') > 40


def test_filter_and_sort_work_in_a_browser(browser: Browser, gathered: Gathered, tmp_path: Path) -> None:
    # The page's own script and, after it, one that acts as a person would; the policy is of this page's script.
    acts = """
      const field = document.getElementById("filter");
      field.value = "TOOLDENIED worktree";
      field.dispatchEvent(new Event("input"));
      const rows = Array.from(document.querySelectorAll("#event-table tbody tr"));
      document.title = rows.filter((row) => !row.hidden).map((row) => row.id).join(" ");
      field.value = "";
      field.dispatchEvent(new Event("input"));
      const buttons = document.querySelectorAll("#event-table thead button");
      buttons[2].click();
      document.title += "|" + document.querySelector("#event-table tbody tr").cells[2].textContent;
      buttons[2].click();
      document.title += "|" + document.querySelector("#event-table tbody tr").cells[2].textContent;
      document.title += "|" + buttons[2].parentElement.getAttribute("aria-sort");
      buttons[2].click();
      document.title += "|" + document.querySelector("#event-table tbody tr").id;
      const duration = document.querySelector("#s1 table thead tr").cells[4].querySelector("button");
      duration.click();
      document.title += "|" + document.querySelector("#s1 table tbody tr").cells[0].textContent;
    """
    content = html_report(gathered.report, gathered.events_of, HtmlAssets(_CSS, _JS + acts))
    file = tmp_path / "acted.html"
    file.write_bytes(b"".join(content))
    dom, console = browser.dom(file)
    assert console == []
    title = dom.partition("<title>")[2].partition("</title>")[0]
    assert title.split("|") == [
        f"e-{FIRST}-13",
        "AgentCompleted",
        "ToolRequested",
        "descending",
        f"e-{FIRST}-1",
        "TEST",
    ]


def test_page_is_drawn_by_day_and_by_night(browser: Browser, page: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, "utf-8")
    day = browser.picture(file, tmp_path / "day.png", dark=False)
    night = browser.picture(file, tmp_path / "night.png", dark=True)
    # An empty page of this size is a few kilobytes.
    assert len(day) > 40_000
    assert len(night) > 40_000
    assert day != night


def test_sections_beyond_a_hundred_stand_in_the_overview_only(tmp_path: Path) -> None:
    from esaa.runtime.trail.recorder import TrailRecorder
    from esaa.trail.intake import Proposal
    from tests.trails import ME, a_trail

    trail = a_trail(tmp_path)
    with TrailRecorder(trail, actor=ME) as recorder:
        recorder.record_many(
            [
                Proposal(event_type="PhaseStarted", metadata={"phase": "PLAN"}, actor=None, issue_key=f"BIG-{number}")
                for number in range(1, 121)
            ]
        )
    big = gather(trail, request_of())
    page = b"".join(html_report(big.report, big.events_of, HtmlAssets(_CSS, _JS))).decode()
    assert page.count('class="part"') == 100
    assert 'href="#s100"' in page
    assert 'href="#s101"' not in page
    assert "BIG-120" in page
    assert "The first 100 are told of below" in page
    assert '"issues"' not in page
