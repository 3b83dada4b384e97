"""One cursor for every view: the slider, the keys, the history of the browser, notes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.web.browser.browsing import PATIENCE_MS, Reader, esaa

pytestmark = pytest.mark.timeout(400)


def refused_seqs(reader: Reader) -> list[int]:
    found = reader.answer("/log/events.json?rejections=1")["entries"]
    return [int(one["seq"]) for one in found]


def member(reader: Reader, parent: str, name: str) -> Locator:
    """The row of a member in the tree of the state, by its name and that of what it lies in: values hold words too."""

    def row_of(name: str) -> Locator:
        return reader.page.locator(".row").filter(has=reader.page.locator(".name", has_text=re.compile(rf"^{name}$")))

    inside = reader.page.get_by_role("treeitem").filter(has=reader.page.locator(":scope > .row").and_(row_of(parent)))
    return inside.get_by_role("group").locator(row_of(name))


def test_the_first_arrow_after_a_deep_link_is_one_step(reader: Reader) -> None:
    """A slider that is made before the head is known clamps its value, and the first key would lead to event 1."""
    reader.open("/log/board?at=40", shown=40)
    assert reader.slider().input_value() == "40"
    reader.slider().focus()
    reader.press("ArrowRight")
    reader.shows(41)
    reader.asks("at=41")


def test_the_list_follows_the_cursor(reader: Reader) -> None:
    reader.open("/log/events?at=150", shown=150)
    row = reader.page.get_by_role("option", selected=True).and_(reader.page.locator("[aria-posinset]"))
    expect(row).to_have_attribute("aria-posinset", "150")
    expect(row).to_be_in_viewport()
    reader.slider().focus()
    reader.press("Home")
    reader.press("ArrowRight", "ArrowRight")
    expect(row).to_have_attribute("aria-posinset", "2")
    expect(row).to_be_in_viewport()


def test_scrubbing_shows_each_moment_as_it_was(reader: Reader) -> None:
    reader.open("/log/state?at=1&pointer=/verification/status", shown=1)
    for seq in (120, 3, 77, 76, 161, 12):
        reader.slider().fill(str(seq))
        reader.shows(seq)
        value = reader.answer(f"/log/state.json?at={seq}&pointer=/verification/status")["value"]
        leaf = member(reader, "verification", "status")
        expect(leaf).to_contain_text(str(value))


def test_the_keys_move(reader: Reader) -> None:
    reader.open("/log/events?at=40", shown=40)
    for key, seq in (("j", 41), ("j", 42), ("k", 41), ("J", 51), ("K", 41), ("ArrowLeft", 40), ("Home", 0)):
        reader.press(key)
        reader.shows(seq)
    head = int(reader.answer("/log.json")["head"])
    reader.press("End")
    reader.shows(head)
    assert "at=" not in reader.query(), "the end is followed"


def test_the_keys_find_the_task_and_the_refusal(reader: Reader) -> None:
    (refused,) = refused_seqs(reader)
    reader.open("/log/events?at=5", shown=5)
    reader.press("r")
    reader.shows(refused)
    expect(reader.page.get_by_role("complementary", name="The event")).to_contain_text("output.rejected")
    subject = reader.answer(f"/log/event.json?at=%23{refused}")["entry"]["subject"]
    of_it = [one["seq"] for one in reader.answer(f"/log/events.json?subject={subject}")["entries"]]
    reader.press("n")
    reader.shows(min(seq for seq in of_it if seq > refused))
    reader.press("p")
    reader.shows(refused)
    reader.press("p")
    reader.shows(max(seq for seq in of_it if seq < refused))


def test_the_keys_open_screens_and_keep_the_moment(reader: Reader) -> None:
    reader.open("/log/events?at=40", shown=40)
    for key, screen in (("b", "board"), ("s", "state"), ("f", "files"), ("d", "diff"), ("p", "proof"), ("e", "events")):
        reader.press("g", key)
        expect(reader.page.locator(f"[data-screen={screen}]")).to_have_attribute(
            "data-shown", "40", timeout=PATIENCE_MS
        )
    reader.press("?")
    keys = reader.page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    reader.press("j")
    reader.press("Escape")
    expect(keys).to_be_hidden()
    assert "at=40" in reader.query(), "while a dialog is open the keys do nothing behind it"


def test_letters_in_a_field_are_letters(reader: Reader) -> None:
    reader.open("/log/events?at=40", shown=40)
    reader.press("/")
    field = reader.page.get_by_role("textbox", name="Search the events")
    expect(field).to_be_focused()
    field.press_sequentially("jkT-2010")
    expect(field).to_have_value("jkT-2010")
    assert "at=40" in reader.query()


def test_one_goes_to_any_moment_by_its_name(reader: Reader) -> None:
    reader.open("/log/board?at=40", shown=40)
    head = int(reader.answer("/log.json")["head"])
    reader.press(".")
    line = reader.page.get_by_role("dialog").get_by_role("textbox")
    line.fill("tomorrow")
    reader.may_complain = "Failed to load resource"
    line.press("Enter")
    expect(reader.page.get_by_role("alert")).to_contain_text("names no moment")
    line.fill("HEAD~3")
    line.press("Enter")
    reader.shows(head - 3)


def test_comparing_outlines_what_changed(reader: Reader) -> None:
    reader.open("/log/board?at=17", shown=17)
    reader.press("s")
    assert "since=17" in reader.query()
    reader.slider().fill("40")
    reader.shows(40)
    expect(reader.page.get_by_role("button", name=re.compile("T-1000 .*changed"))).to_be_visible()
    assert reader.page.get_by_role("button", name=re.compile("T-3020 .*changed")).count() == 0
    reader.press("x")
    reader.shows(17)
    assert "since=40" in reader.query()
    reader.press("S")
    expect(reader.page.get_by_role("button", name="Stop comparing")).to_be_hidden()


def test_back_and_forward_walk_through_what_was_seen(reader: Reader) -> None:
    reader.open("/log/board?at=40", shown=40)
    reader.page.get_by_role("link", name="State").click()
    expect(reader.page.locator("[data-screen=state]")).to_have_attribute("data-shown", "40", timeout=PATIENCE_MS)
    reader.press("Home")
    reader.shows(0)
    reader.page.go_back()
    expect(reader.page.locator("[data-screen=state]")).to_have_attribute("data-shown", "40", timeout=PATIENCE_MS)
    reader.page.go_back()
    expect(reader.page.locator("[data-screen=board]")).to_have_attribute("data-shown", "40", timeout=PATIENCE_MS)
    reader.page.go_forward()
    expect(reader.page.locator("[data-screen=state]")).to_be_visible()


def test_a_value_is_blamed_by_a_click(reader: Reader) -> None:
    reader.open("/log/state?at=60&pointer=/tasks/T-1000/title", shown=60)
    member(reader, "T-1000", "status").click()
    blame = reader.answer("/log/blame.json?at=60&pointer=/tasks/T-1000/status")
    last = blame["history"][-1]["seq"]
    expect(reader.page.get_by_role("complementary", name="Blame")).to_contain_text(f"#{last}", timeout=PATIENCE_MS)
    reader.asks("pointer=/tasks/T-1000/status")


def test_why_the_write_was_refused_is_found_without_typing(reader: Reader) -> None:
    reader.page.goto(f"{reader.served.base}/")
    reader.page.get_by_role("link", name=re.compile("Governed log")).click()
    reader.page.get_by_role("navigation").get_by_role("link", name="Rejections").click()
    screen = reader.screen()
    expect(screen).to_contain_text("BOUNDARY_VIOLATION", timeout=PATIENCE_MS)
    expect(screen).to_contain_text("agent-impl")
    expect(screen).to_contain_text("docs/spec/T-1020.md")


def test_bisect_from_the_page_names_the_event_that_the_command_names(reader: Reader) -> None:
    where = "length(values(issues)[?status=='open']) == `0`"
    reader.open("/log/bisect?at=40", shown=40)
    reader.page.get_by_role("textbox", name="This holds while all is well").fill(where)
    reader.page.get_by_role("button", name="Search").click()
    done = esaa(reader.served.root, "bisect", "--where", where, "--json", check=False)
    first = re.search(r'"first_bad": \{"seq": (\d+)', done.stdout)
    assert first is not None, done
    expect(reader.page.get_by_role("main")).to_contain_text(f"#{first.group(1)}", timeout=PATIENCE_MS)


def test_what_if_says_that_it_did_not_happen(reader: Reader) -> None:
    claim = next(one["seq"] for one in reader.answer("/log/events.json?name=claim")["entries"])
    reader.open(f"/log/what-if?at={claim}", shown=claim)
    reader.page.get_by_role("button", name=f"What if #{claim} had not happened?").click()
    main = reader.page.get_by_role("main")
    expect(main).to_contain_text("Hypothetical. This did not happen.", timeout=PATIENCE_MS)
    expect(main).to_contain_text("refused")


def test_a_file_is_shown_as_it_was_with_its_patch(reader: Reader) -> None:
    written = reader.answer("/log/files.json?at=HEAD")["files"][0]
    reader.open(f"/log/files?at={written['seq']}&since={written['seq'] - 1}&path={written['path']}")
    expect(reader.page.get_by_role("main")).to_contain_text("+", timeout=PATIENCE_MS)
    content = reader.answer(f"/log/files.json?at={written['seq']}&path={written['path']}")["content"]
    first = next(line for line in content.splitlines() if line.strip())
    expect(reader.page.get_by_role("main")).to_contain_text(first.strip())


def test_bookmarks_and_notes_are_kept(reader: Reader) -> None:
    reader.open("/log/notes?at=40", shown=40)
    reader.press("m")
    reader.page.get_by_role("textbox", name="At #40").fill("<b>here</b> it began")
    reader.page.get_by_role("button", name="Add a note").click()
    main = reader.page.get_by_role("main")
    expect(main).to_contain_text("<b>here</b> it began", timeout=PATIENCE_MS)
    reader.page.reload()
    expect(main).to_contain_text("<b>here</b> it began", timeout=PATIENCE_MS)
    notes = reader.answer("/log/notes.json")["notes"]
    assert sorted((one["kind"], one["seq"]) for one in notes) == [("bookmark", 40), ("note", 40)]
    for one in notes:
        reader.context.request.delete(
            f"{reader.served.base}/log/notes/{one['note_id']}.json",
            headers={"content-type": "application/json", "origin": reader.served.base},
        )
    assert reader.answer("/log/notes.json")["total"] == 0
