"""Damaged logs and read models: found at the right line, with the right exit code, and never made worse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from tests.cli.workbench import Outcome, Workbench

Lines = list[bytes]


def lines_of(outcome: Outcome) -> list[int]:
    """The lines that the findings of the log name, the first first."""
    return [one["line"] for one in outcome.answer["findings"] if one["line"] is not None]


def assert_corrupted_at(esaa: Workbench, line: int, code: str | None = None) -> None:
    """verify says: corrupted at this line, and nothing earlier but the line before it, where the chain has its end."""
    damaged = esaa.log.read_bytes()
    outcome = esaa("verify", "--json")
    assert outcome.code == 4, (line, outcome)
    answer = outcome.answer
    assert answer["verify_status"] == "corrupted"
    first = answer["trust"]["invalid_from_line"]
    assert first in (line - 1, line), answer["findings"]
    assert answer["trust"]["unanchored_tail"] == first - 1
    errors = [one for one in answer["findings"] if one["severity"] == "error" and one["line"] is not None]
    assert min(one["line"] for one in errors) == first
    assert line in [one["line"] for one in errors], errors
    assert code is None or code in [one["code"] for one in errors if one["line"] == line], errors
    assert all(one["hint"] for one in answer["findings"])
    text = esaa("verify", "--explain")
    assert f"error activity.jsonl:{line} " in text.out
    assert text.out.endswith("verify_status=corrupted\n")
    assert esaa.log.read_bytes() == damaged


def assert_halted(esaa: Workbench, line: int) -> None:
    """Neither readers nor writers go on; the damaged log is copied aside and left as it is."""
    damaged = esaa.log.read_bytes()
    shutil.rmtree(esaa.roadmap / ".esaa")
    outcome = esaa("status")
    assert (outcome.code, outcome.out) == (4, "")
    assert f"line {line}" in outcome.err
    assert outcome.err.count("\n") == 1
    for writer in (
        ["task", "create", "T-9", "--kind", "spec", "--title", "x"],
        ["run", "--agent", "scripted"],
        ["project"],
    ):
        outcome = esaa(*writer)
        assert outcome.code == 4, outcome
        assert outcome.err.count("\n") == 1
        assert f"line {line}" in outcome.err
        assert "a copy lies in .roadmap/snapshots/" in outcome.err
    assert esaa("status", "--json").error["line"] == line
    (copy,) = (esaa.roadmap / "snapshots").iterdir()
    assert copy.read_bytes() == damaged == esaa.log.read_bytes()


def edited(number: int) -> Callable[[Lines], Lines]:
    def edit(lines: Lines) -> Lines:
        event = json.loads(lines[number - 1])
        event["payload"]["edited"] = True
        return [*lines[: number - 1], json.dumps(event, separators=(",", ":")).encode() + b"\n", *lines[number:]]

    return edit


def test_an_edited_line_is_found(finished: Workbench) -> None:
    lines = finished.lines()
    for number in range(1, len(lines)):
        finished.write_log(edited(number)(lines))
        assert_corrupted_at(finished, number, "CHAIN_BROKEN")
    finished.write_log(edited(4)(lines))
    assert_halted(finished, 4)


def test_one_changed_character_anywhere_is_found(finished: Workbench) -> None:
    """Respaced, re-escaped and re-cased lines say the same and are found all the same."""
    lines = finished.lines()
    number = next(n for n, line in enumerate(lines, 1) if b'"claim"' in line)
    for other in (
        lines[number - 1].replace(b'":"', b'": "', 1),
        lines[number - 1].replace(b"T-1", b"\\u0054-1", 1),
        lines[number - 1].replace(b"\n", b" \n"),
        lines[number - 1].replace(b"\n", b"\r\n"),
    ):
        finished.write_log([*lines[: number - 1], other, *lines[number:]])
        assert_corrupted_at(finished, number, "CHAIN_BROKEN")


def test_a_deleted_line_is_found_where_it_is_missing(finished: Workbench) -> None:
    lines = finished.lines()
    for number in range(1, len(lines)):
        finished.write_log([*lines[: number - 1], *lines[number:]])
        assert_corrupted_at(finished, number, "EVENT_SEQ_INVALID")
    assert_halted(finished, len(lines) - 1)


def test_a_doubled_line_is_found_at_its_double(finished: Workbench) -> None:
    lines = finished.lines()
    for number in range(1, len(lines) + 1):
        finished.write_log([*lines[:number], lines[number - 1], *lines[number:]])
        assert_corrupted_at(finished, number + 1, "EVENT_SEQ_INVALID")
    assert_halted(finished, len(lines) + 1)


def test_swapped_lines_are_found_at_the_first_of_them(finished: Workbench) -> None:
    lines = finished.lines()
    for number in range(1, len(lines)):
        finished.write_log([*lines[: number - 1], lines[number], lines[number - 1], *lines[number + 1 :]])
        assert_corrupted_at(finished, number, "EVENT_SEQ_INVALID")
    assert_halted(finished, len(lines) - 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"{}\n", "EVENT_MISSING_FIELDS"),
        (b"null\n", None),
        (b"[]\n", None),
        (b"{\n", "JSONL_INVALID"),
        (b"\xff\xfe\n", "JSONL_INVALID"),
        (b'{"a":1,"a":1}\n', None),
        (b"[" * 5000 + b"\n", "JSONL_INVALID"),
        (b"\x00\n", None),
    ],
)
def test_an_inserted_line_is_found(finished: Workbench, text: bytes, code: str | None) -> None:
    lines = finished.lines()
    for number in (1, 5, len(lines), len(lines) + 1):
        finished.write_log([*lines[: number - 1], text, *lines[number - 1 :]])
        assert_corrupted_at(finished, number, code)


def test_a_forged_line_without_a_link_is_found(finished: Workbench) -> None:
    lines = finished.lines()
    event = json.loads(lines[-1])
    seq = event["event_seq"] + 1
    event |= {"event_seq": seq, "event_id": f"EV-{seq:08d}"}
    del event["prev_hash"]
    finished.write_log([*lines, json.dumps(event).encode() + b"\n"])
    assert_corrupted_at(finished, seq, "CHAIN_BROKEN")
    assert_halted(finished, seq)


def test_blank_lines_are_no_damage(finished: Workbench) -> None:
    lines = finished.lines()
    finished.write_log([b"\n", *lines[:4], b"\n", b"  \n", *lines[4:], b"\n"])
    assert finished("verify").code == 0
    finished.ok("task", "create", "T-9", "--kind", "spec", "--title", "x")
    assert finished("verify", "--strict").code == 0


def test_a_log_cut_inside_a_line_has_a_torn_tail(finished: Workbench) -> None:
    whole = finished.log.read_bytes()
    lines = finished.lines()
    number = len(lines) - 3
    start = sum(len(line) for line in lines[: number - 1])
    for cut in (start + 1, start + len(lines[number - 1]) // 2, start + len(lines[number - 1]) - 1):
        finished.log.write_bytes(whole[:cut])
        assert_corrupted_at(finished, number, "TORN_TAIL")
        shutil.rmtree(finished.roadmap / ".esaa", ignore_errors=True)
        outcome = finished("status")
        assert outcome.code == 4
        assert f"torn line {number}" in outcome.err
        assert "esaa doctor --repair" in outcome.err
        assert finished.log.read_bytes() == whole[:cut]


@pytest.mark.parametrize(
    "line",
    [
        ["task", "create", "T-9", "--kind", "spec", "--title", "x"],
        ["claim", "T-1", "--actor", "agent-spec"],
        ["run"],
        [
            "issue",
            "report",
            "T-1",
            "--actor",
            "agent-qa",
            "--id",
            "ISS-1",
            "--severity",
            "low",
            "--title",
            "x",
            "--symptom",
            "x",
            "--step",
            "x",
        ],
        ["project"],
        ["doctor", "--repair"],
        ["review", "T-1", "--actor", "agent-qa", "--approve"],
    ],
    ids=lambda line: line[0],
)
def test_the_next_command_that_writes_mends_a_torn_tail(planned: Workbench, line: list[str]) -> None:
    sound = planned.log.read_bytes()
    planned.log.write_bytes(sound + b'{"schema_version":"0.4.0","event_id":"EV-0000')
    outcome = planned(*line)
    assert outcome.code in (0, 1, 5), outcome
    assert "torn tail moved to quarantine" in outcome.out + outcome.err
    assert planned.log.read_bytes().startswith(sound)
    repairs = [event["payload"] for event in planned.events() if event["action"] == "orchestrator.view.mutate"]
    assert any(payload["target"] == "log" for payload in repairs), "the repair is recorded"
    (copy,) = (planned.roadmap / "snapshots").iterdir()
    assert copy.read_bytes() == b'{"schema_version":"0.4.0","event_id":"EV-0000'
    planned.assert_sound()


def test_whole_lines_dropped_from_the_end_are_missed_by_the_read_models(finished: Workbench) -> None:
    """Cutting at a line end leaves a log that is true as far as it goes: the read models and files know better."""
    lines = finished.lines()
    forget_what_was_seen(finished)
    found: dict[int, int] = {}
    for keep in range(1, len(lines)):
        finished.write_log(lines[:keep])
        outcome = finished("verify", "--json")
        found[keep] = outcome.code
        answer = outcome.answer
        if outcome.code == 4:
            assert [one["code"] for one in answer["findings"] if one["effect"] == "corrupted"] == ["UNCLOSED_BATCH"]
        else:
            assert outcome.code == 3, (keep, outcome)
            assert any(one["where"].endswith("roadmap.json") for one in answer["findings"])
    assert set(found.values()) == {3, 4}


@pytest.mark.parametrize("keep", [0, 1, 9, -1])
def test_this_machine_remembers_what_it_has_seen_of_a_log(finished: Workbench, keep: int) -> None:
    lines = finished.lines()
    finished.write_log(lines[:keep])
    outcome = finished("verify", "--json")
    assert outcome.code == 4
    assert "LOG_ROLLED_BACK" in [one["code"] for one in outcome.answer["findings"]]
    cut = finished.log.read_bytes()
    refused = finished("task", "create", "T-9", "--kind", "spec", "--title", "x")
    assert refused.code == 4
    assert f"this machine has seen event {len(lines)}" in refused.err
    assert finished.log.read_bytes() == cut, "a log that lacks events is not written to"


def test_a_log_that_was_restored_on_purpose_is_accepted_and_that_is_recorded(finished: Workbench) -> None:
    lines = finished.lines()
    finished.write_log(lines[:12])
    assert finished("doctor", "--repair").code == 4
    outcome = finished("doctor", "--accept-log")
    assert outcome.code in (0, 1), outcome
    assert "accepted, and recorded" in outcome.out
    repair = next(one for one in finished.events() if one["payload"].get("target") == "log")
    assert repair["payload"]["detail"]["seen_seq"] == len(lines)
    assert finished("verify", "--strict").code == 0


def forget_what_was_seen(bench: Workbench) -> None:
    """As in an unsigned copy of the project: what this machine remembers is not part of it."""
    (bench.roadmap / ".esaa" / "cursors.json").unlink()
    bench.unsign()


def test_an_empty_log_is_missed_too(finished: Workbench) -> None:
    forget_what_was_seen(finished)
    finished.log.write_bytes(b"")
    assert finished("verify").code == 3
    finished.log.unlink()
    assert finished("verify").code == 7
    assert finished("status").code == 7


@pytest.mark.parametrize("name", ["roadmap.json", "issues.json", "lessons.json"])
@pytest.mark.parametrize("change", ["edit", "delete", "garbage", "empty", "respace"])
def test_hand_edited_read_models(finished: Workbench, name: str, change: str) -> None:
    path = finished.roadmap / name
    right = path.read_bytes()
    log = finished.log.read_bytes()
    if change == "delete":
        path.unlink()
    else:
        value = json.loads(right)
        value["meta"]["schema_version"] = "0.4.9"
        wrong = {"edit": json.dumps(value, indent=2).encode(), "garbage": b"\xff{", "empty": b""}
        path.write_bytes(wrong.get(change, json.dumps(json.loads(right)).encode()))
    outcome = finished("verify")
    assert outcome.code == 3, outcome
    assert name in outcome.out
    assert outcome.out.endswith("verify_status=mismatch\n")
    assert finished.log.read_bytes() == log
    assert finished("doctor").code == 1
    outcome = finished.ok("doctor", "--repair")
    assert f"repaired: {name} had been changed by hand; projected again from the log" in outcome.out
    assert "the workspace is well" in outcome.out
    assert finished.actions().count("verify.fail") == 1
    finished.assert_sound()


def test_a_status_set_by_hand_frees_nobody(planned: Workbench) -> None:
    """The read model is no way into the log: a task that is `done` there is not done."""
    path = planned.roadmap / "roadmap.json"
    path.write_text(path.read_text().replace('"status": "todo"', '"status": "done"'))
    assert planned("verify").code == 3
    outcome = planned("claim", "T-2", "--actor", "agent-impl")
    assert outcome.code == 5
    assert "DEPENDENCY_NOT_DONE" in outcome.err
    assert "had been changed by hand" in outcome.err
    planned.assert_sound()


def test_changed_files_are_named(finished: Workbench) -> None:
    (finished.root / "src/a.txt").write_text("mine")
    assert finished("verify").code == 0
    outcome = finished("verify", "--files")
    assert outcome.code == 3
    assert "FILE_DIFFERS: `src/a.txt` was changed since" in outcome.out
    (finished.root / "src/a.txt").unlink()
    assert "`src/a.txt` is missing" in finished("verify", "--files").out


def test_a_verify_ok_that_lies_counts_with_strict(finished: Workbench) -> None:
    """Another writer's log: no chain, so an edit shows only in what the events mean."""
    events = finished.events()
    for event in events:
        event.pop("prev_hash", None)
    number = next(event["event_seq"] for event in events if event["action"] == "verify.ok")
    events[number - 1]["payload"]["projection_hash_sha256"] = "0" * 64
    finished.write_log([json.dumps(event).encode() + b"\n" for event in events])
    assert finished("verify", ".roadmap/activity.jsonl").code == 0
    outcome = finished("verify", ".roadmap/activity.jsonl", "--strict", "--json")
    assert (outcome.code, lines_of(outcome)) == (3, [number])


def test_a_clock_that_jumps_back_is_clamped(planned: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    hour_ago = time.time() - 3600
    monkeypatch.setattr(time, "time", lambda: hour_ago)
    last = planned.events()[-1]["ts"]
    planned.ok("claim", "T-1", "--actor", "agent-spec")
    assert [event["ts"] for event in planned.events()] == sorted(event["ts"] for event in planned.events())
    assert planned.events()[-1]["ts"] == last
    planned.assert_sound()


def test_damage_is_found_behind_a_snapshot_too(finished: Workbench) -> None:
    """verify folds the log itself, whatever snapshot lies beside it."""
    finished.edit("STORAGE_POLICY.yaml", "every_events: ", "every_events: 1  # ")
    finished.ok("task", "create", "T-9", "--kind", "spec", "--title", "x")
    assert (finished.roadmap / ".esaa" / "state.snapshot").is_file()
    finished.write_log(edited(4)(finished.lines()))
    assert_corrupted_at(finished, 4, "CHAIN_BROKEN")


def test_damage_is_found_in_the_running_demo(landing: Workbench) -> None:
    lines = landing.lines()
    number = next(n for n, line in enumerate(lines, 1) if b'"output.rejected"' in line)
    landing.write_log([*lines[: number - 1], *lines[number:]])
    assert_corrupted_at(landing, number)


def test_a_dry_run_on_a_torn_log_mends_nothing(planned: Workbench) -> None:
    with planned.log.open("ab") as file:
        file.write(b'{"schema')
    before = planned.tree()
    for line in (
        ["task", "create", "T-9", "--kind", "spec", "--title", "x"],
        ["claim", "T-1", "--actor", "agent-spec"],
    ):
        outcome = planned(*line, "--dry-run")
        assert outcome.code == 4
        assert "esaa doctor --repair" in outcome.err
    assert planned.tree() == before
