"""What a person does from the page of a real server: approvals, issues, hotfixes; what is refused or not there."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.web.browser.browsing import PATIENCE_MS, Reader, esaa, indexed, serving
from tests.web.browser.test_browser_screens import axe_of

pytestmark = pytest.mark.timeout(500)

RULE = """
approvals:
  rules:
    - {name: the engine, paths: [src/calc_engine.py], risk: high, approvers: [ada], expires: PT8H}
"""
REFUSED = r"Failed to load resource.*(400|403|404|409)"


def actions_of(root: Path) -> list[tuple[str, str]]:
    """Who did what, by the log."""
    lines = (root / ".roadmap" / "activity.jsonl").read_text("utf-8").splitlines()
    return [(str(event["actor"]), str(event["action"])) for event in map(json.loads, lines)]


def decisions_of(root: Path) -> list[tuple[str, str, str | None]]:
    """What was decided by whom and why, by the trail."""
    said = json.loads(esaa(root, "approvals", "--all", "--json", check=False).stdout)
    return [(one["status"], one.get("decided_by") or "", one.get("reason")) for one in said]


@pytest.fixture
def waiting(browser: Browser, tmp_path: Path) -> Path:
    """A workspace whose run waits until a person allows an answer."""
    root = tmp_path / "calc"
    root.mkdir()
    esaa(root, "init", "--demo", "calc", "--quiet")
    policy = root / ".roadmap" / "RUNTIME_POLICY.yaml"
    policy.write_text(policy.read_text("utf-8") + RULE, "utf-8")
    assert esaa(root, "run", "--quiet", check=False).returncode == 1
    return root


def report_issue(root: Path, issue_id: str = "ISS-0009", task: str = "T-2000") -> None:
    words = ["issue", "report", task, "--actor", "agent-qa", "--id", issue_id, "--severity", "high"]
    esaa(root, *words, "--title", "Off by one", "--symptom", "It is", "--step", "Look", "--quiet")


@pytest.fixture
def acting(browser: Browser, own_run: Path) -> Generator[Reader, None, None]:
    """Somebody who may act on a copy of the demo with an open issue."""
    report_issue(own_run)
    with serving(indexed(own_run), "--allow-actions") as served:
        person = Reader(browser, served)
        yield person
        person.leave()


def panel(person: Reader, task: str) -> Locator:
    person.open(f"/log/board?task={task}")
    return person.page.get_by_role("complementary", name=f"Task {task}")


def verified(root: Path) -> None:
    done = esaa(root, "verify", "--strict", "--quiet", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_answer_is_seen_refused_to_the_wrong_person_and_allowed_by_the_right_one(
    browser: Browser, waiting: Path
) -> None:
    with serving(indexed(waiting), "--allow-actions") as served:
        person = Reader(browser, served)
        page = person.page
        allow = page.get_by_role("button", name="Allow")
        expect(page.get_by_text("writes 2 files: src/calc_engine.py")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_text("high risk")).to_be_visible()
        expect(allow).to_be_disabled()
        page.get_by_role("button", name="Show what it is about").click()
        expect(page.get_by_role("region", name=re.compile("The answer of AP-"))).to_contain_text('"action": "complete"')
        expect(page.get_by_text("class CalcError")).to_be_visible()
        assert axe_of(person) == []
        person.may_complain = REFUSED
        page.get_by_label("Your name").fill("agent-impl")
        allow.click()
        expect(page.get_by_role("alert")).to_contain_text("is the author of what is to be allowed")
        page.get_by_label("Your name").fill("bob")
        allow.click()
        expect(page.get_by_role("alert")).to_contain_text("names ada")
        assert [one[0] for one in decisions_of(waiting)] == ["open"]
        page.get_by_label("Your name").fill("ada")
        page.get_by_label("Why").fill("read it line by line")
        allow.click()
        expect(page.get_by_role("status")).to_contain_text("is allowed by ada")
        expect(allow).to_have_count(0)
        person.leave()
    assert decisions_of(waiting) == [("granted", "ada", "read it line by line")]
    assert esaa(waiting, "run", "--quiet").returncode == 0
    assert ("agent-impl", "complete") in actions_of(waiting)
    verified(waiting)


def test_an_answer_that_a_person_refuses_is_a_rejection_with_its_reason(browser: Browser, waiting: Path) -> None:
    with serving(indexed(waiting), "--allow-actions") as served:
        person = Reader(browser, served)
        person.page.get_by_label("Your name").fill("ada")
        person.page.get_by_label("Why").fill("the tests say nothing of nesting")
        person.page.get_by_role("button", name="Refuse").click()
        expect(person.page.get_by_role("status")).to_contain_text("is refused by ada")
        esaa(waiting, "run", "--quiet", check=False)
        screen = person.open("/log/rejections")
        expect(screen).to_contain_text("APPROVAL_DENIED")
        expect(screen).to_contain_text("the tests say nothing of nesting")
        person.leave()
    assert ("orchestrator", "output.rejected") in actions_of(waiting)
    verified(waiting)


def test_a_request_that_was_decided_meanwhile_is_said(browser: Browser, waiting: Path) -> None:
    with serving(indexed(waiting), "--allow-actions") as served:
        person = Reader(browser, served)
        page = person.page
        page.get_by_label("Your name").fill("ada")
        expect(page.get_by_role("button", name="Refuse")).to_be_enabled(timeout=PATIENCE_MS)
        asked = json.loads(esaa(waiting, "approvals", "--json", check=False).stdout)
        esaa(waiting, "approve", asked[0]["approval_id"], "--as", "ada")
        person.may_complain = REFUSED
        page.get_by_role("button", name="Refuse").click()
        expect(page.get_by_role("alert")).to_contain_text("is granted by ada")
        person.leave()
    assert [one[:2] for one in decisions_of(waiting)] == [("granted", "ada")]


def test_an_issue_is_resolved_from_its_task(acting: Reader) -> None:
    root = acting.served.root
    shown = panel(acting, "T-2000")
    expect(shown).to_contain_text("Off by one")
    shown.get_by_role("button", name="Resolve and try again").click()
    expect(shown.get_by_role("status")).to_contain_text("ISS-0009 is closed")
    expect(shown.get_by_role("button", name="Resolve and try again")).to_have_count(0)
    expect(shown).to_contain_text("ISS-0009 high, resolved")
    assert actions_of(root).count(("orchestrator", "issue.resolve")) == 2
    acting.open("/log/events")
    expect(acting.page.get_by_role("option", name=re.compile("issue.resolve")).last).to_be_visible()
    verified(root)


def test_a_hotfix_is_made_from_its_task_once(acting: Reader) -> None:
    root = acting.served.root
    shown = panel(acting, "T-2000")
    make = shown.get_by_role("button", name="Make a hotfix")
    expect(make).to_be_enabled()
    assert axe_of(acting) == []
    make.click()
    expect(shown.get_by_role("status")).to_contain_text("ISS-0009 has its hotfix")
    expect(acting.page.get_by_role("button", name=re.compile("HF-ISS-0009"))).to_be_visible()
    assert actions_of(root).count(("orchestrator", "hotfix.create")) == 2
    before = (root / ".roadmap" / "activity.jsonl").read_bytes()
    make.click()
    expect(shown.get_by_role("status")).to_contain_text("Refused:")
    assert actions_of(root).count(("orchestrator", "hotfix.create")) == 2
    assert (root / ".roadmap" / "activity.jsonl").read_bytes().startswith(before)
    verified(root)


def test_what_is_past_offers_no_acts(acting: Reader) -> None:
    head = len(actions_of(acting.served.root))
    acting.open(f"/log/board?task=T-2000&at={head - 1}", shown=head - 1)
    shown = acting.page.get_by_role("complementary", name="Task T-2000")
    expect(shown).to_contain_text("Off by one")
    expect(shown.get_by_role("button", name="Make a hotfix")).to_have_count(0)


POST = """async ([address, body]) => {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: answer.status, ...(await answer.json()) };
}"""


def post(person: Reader, address: str, body: dict[str, str]) -> Any:
    """Sends it as a script of the page would."""
    return person.page.evaluate(POST, [address, body])


def test_without_allow_actions_the_page_names_the_commands_and_the_server_refuses(
    browser: Browser, waiting: Path
) -> None:
    with serving(indexed(waiting)) as served:
        person = Reader(browser, served)
        page = person.page
        expect(page.get_by_text(re.compile(r"esaa approve AP-[0-9a-f]{10} --as NAME"))).to_be_visible(
            timeout=PATIENCE_MS
        )
        for name in ("Allow", "Refuse"):
            expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
        expect(page.get_by_label("Your name")).to_have_count(0)
        asked = person.answer("/approvals.json")[0]
        before = (waiting / ".roadmap" / "activity.jsonl").read_bytes()
        person.may_complain = REFUSED
        for name in ("approve", "deny"):
            said = post(person, f"/actions/{name}.json", {"approval_id": asked["approval_id"], "by": "ada"})
            assert (said["status"], said["error"]["code"]) == (403, "ACTIONS_OFF")
        for name in ("retry", "hotfix"):
            said = post(person, f"/actions/{name}.json", {"issue_id": "ISS-0009"})
            assert (said["status"], said["error"]["code"]) == (403, "ACTIONS_OFF")
        person.leave()
    assert [one[0] for one in decisions_of(waiting)] == ["open"]
    assert (waiting / ".roadmap" / "activity.jsonl").read_bytes() == before


def test_without_allow_actions_an_issue_shows_its_commands(browser: Browser, own_run: Path) -> None:
    report_issue(own_run)
    with serving(indexed(own_run)) as served:
        person = Reader(browser, served)
        shown = panel(person, "T-2000")
        expect(shown).to_contain_text("esaa issue resolve ISS-0009")
        expect(shown).to_contain_text("esaa hotfix create ISS-0009")
        expect(shown.get_by_role("button", name="Make a hotfix")).to_have_count(0)
        person.leave()
