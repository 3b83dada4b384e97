"""`esaa replay` and `esaa restore-point` on the command line: what they print, and what they end with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from esaa.kernel.canonical import sha256_hex
from tests.cli.workbench import Outcome, Workbench

KEY = "PROJ-123"
RUNNER = "handlers:\n  TestRunStarted: {command: [./runner.sh], name: unit-tests}\n"


@pytest.fixture
def story(esaa: Workbench) -> Workbench:
    """An issue with a written file, a test run that passed, and a merged pull request: events 1 to 5."""
    esaa.roadmap.mkdir()
    record(esaa, "OrchestrationStarted", issue_key=KEY, initial_phase="CODE")
    write(esaa, "src/a.py", "a = 1\n")
    record(esaa, "TestRunStarted", test_suite="unit")
    record(esaa, "TestRunCompleted", test_suite="unit", total_tests=2, passed=2, failed=0)
    record(esaa, "PRMerged", pr_number=7)
    (esaa.root / "handlers.yaml").write_text(RUNNER)
    program(esaa, 'echo \'{"passed": 2, "failed": 0}\'')
    return esaa


def record(esaa: Workbench, event_type: str, **metadata: Any) -> None:
    esaa.ok("record", event_type, "--issue", KEY, "--data", json.dumps(metadata))


def write(esaa: Workbench, path: str, text: str, before: str | None = None) -> None:
    digest = sha256_hex(text.encode())
    for file in (esaa.root / path, esaa.roadmap / "blobs" / digest[:2] / digest):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    replaced = None if before is None else sha256_hex(before.encode())
    record(esaa, "FileWritten", path=path, after_sha256=digest, before_sha256=replaced, size_bytes=len(text))


def program(esaa: Workbench, line: str) -> None:
    path = esaa.root / "runner.sh"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def stored(esaa: Workbench) -> list[dict[str, Any]]:
    (log,) = (esaa.roadmap / "events").rglob("events.jsonl")
    return [json.loads(line) for line in log.read_bytes().splitlines()]


def counts(outcome: Outcome) -> tuple[int, int, int]:
    answer = outcome.answer
    return answer["replayed_count"], answer["skipped_count"], answer["failed_count"]


def test_without_execute_nothing_is_done_and_every_event_has_its_line(story: Workbench) -> None:
    (story.root / "src/a.py").unlink()
    before = story.tree()
    outcome = story.ok("replay", KEY)
    assert outcome.out.splitlines() == [
        "#1  OrchestrationStarted  skipped  non_replayable_event_type",
        "#2  FileWritten  would replay  src/a.py would get back its content (6 bytes) (as recorded)",
        "#3  TestRunStarted  skipped  no_handler: nothing is known that does a TestRunStarted again; "
        "--handlers names a program",
        "#4  TestRunCompleted  skipped  non_replayable_event_type",
        "#5  PRMerged  skipped  non_replayable_event_type",
        "dry run, nothing was done: 1 replayed, 4 skipped, 0 failed (1 as recorded, 0 not as recorded); "
        "--execute does it",
    ]
    assert story.tree() == before


def test_execute_restores_files_runs_programs_and_leaves_markers(story: Workbench) -> None:
    (story.root / "src/a.py").unlink()
    outcome = story.ok("replay", KEY, "--execute", "--handlers", "handlers.yaml")
    assert (story.root / "src/a.py").read_text() == "a = 1\n"
    *lines, summary = outcome.out.splitlines()
    assert lines[1] == "#2  FileWritten  replayed  src/a.py got back its content (6 bytes) (as recorded)"
    assert lines[2] == "#3  TestRunStarted  replayed  ran ./runner.sh (as recorded)"
    name, _, rest = summary.partition(": ")
    assert rest == "2 replayed, 3 skipped, 0 failed (2 as recorded, 0 not as recorded)"
    assert f"{name} begins" in outcome.err
    markers = stored(story)[5:]
    assert [one["event_type"] for one in markers] == ["ReplayStarted", *["EventReplayed"] * 5, "ReplayCompleted"]
    assert {one["correlation_id"] for one in markers} == {name}
    assert markers[0]["actor"]["type"] == "user"
    second = story.ok("replay", KEY, "--execute", "--handlers", "handlers.yaml")
    assert f"already_replayed: restore-file did it in {name}; --again does it again" in second.out
    assert "nothing to do: 0 replayed, 5 skipped" in second.out
    again = story.ok("replay", KEY, "--execute", "--again", "--json", "--handlers", "handlers.yaml")
    assert counts(again) == (2, 3, 0)


def test_json_has_the_keys_of_the_specification(story: Workbench) -> None:
    answer = story.ok("replay", KEY, "--from", "2", "--to", "4", "--execute", "--json").answer
    assert (answer["replayed_count"], answer["skipped_count"], answer["failed_count"]) == (1, 2, 0)
    first, second, third = answer["results"]
    assert {key: first[key] for key in ("event_id", "status", "matches_recorded")} == {
        "event_id": stored(story)[1]["event_id"],
        "status": "success",
        "matches_recorded": True,
    }
    assert first["result"]["path"] == "src/a.py"
    assert (second["status"], second["reason"]) == ("skipped", "no_handler")
    assert third["reason"] == "non_replayable_event_type"
    assert answer["replay_id"].startswith("replay-")


def test_outcome_other_than_the_recorded_one_ends_with_1(story: Workbench) -> None:
    program(story, 'echo \'{"passed": 1, "failed": 1}\'')
    outcome = story("replay", KEY, "--execute", "--handlers", "handlers.yaml")
    assert outcome.code == 1
    assert "ran ./runner.sh (not as recorded)" in outcome.out
    assert "(1 as recorded, 1 not as recorded)" in outcome.out


def test_event_that_fails_ends_with_1_and_fail_fast_stops_there(story: Workbench) -> None:
    program(story, "echo 'no database' >&2; exit 4")
    record(story, "TestRunStarted", test_suite="slow")
    outcome = story("replay", KEY, "--execute", "--fail-fast", "--handlers", "handlers.yaml")
    assert outcome.code == 1
    assert "#3  TestRunStarted  failed  ./runner.sh ended with exit code 4: no database" in outcome.out
    assert "#6  TestRunStarted  skipped  stopped: an event before it failed" in outcome.out
    name = outcome.out.splitlines()[-1].partition(":")[0]
    program(story, "echo '{\"passed\": 2}'")
    goes_on = story.ok("replay", KEY, "--execute", "--replay-id", name, "--handlers", "handlers.yaml", "--json")
    assert goes_on.answer["replay_id"] == name
    assert counts(goes_on) == (2, 4, 0)
    assert stored(story)[-1]["metadata"]["replayed_count"] == 3


def test_selection_by_type_agent_and_phase(story: Workbench) -> None:
    only = story.ok("replay", KEY, "--type", "FileWritten", "--json").answer
    assert [one["event_type"] for one in only["results"]] == ["FileWritten"]
    assert only["filtered_count"] == 4
    assert "4 not selected" in story.ok("replay", KEY, "--type", "FileWritten").out
    nobody = story("replay", KEY, "--agent", "codr", "--phase", "PLAN")
    assert nobody.code == 0
    assert "no event from #1 to #5 fits agent codr, phase PLAN" in nobody.err
    assert len(story.ok("replay", KEY, "--phase", "CODE", "--json").answer["results"]) == 5


@pytest.mark.parametrize(
    ("arguments", "first", "last"),
    [
        (["--from", "#2"], 2, 5),
        (["--from", "2", "--to", "3"], 2, 3),
        (["--from", "HEAD~1"], 4, 5),
        (["--to", "HEAD~3"], 1, 2),
        (["--from", "2001-01-01T00:00:00Z"], 1, 5),
        (["--from", "@{4w}", "--to", "HEAD"], 1, 5),
    ],
)
def test_moments_are_named_as_everywhere(story: Workbench, arguments: list[str], first: int, last: int) -> None:
    answer = story.ok("replay", KEY, *arguments, "--json").answer
    assert (answer["from_sequence"], answer["to_sequence"]) == (first, last)
    assert [one["sequence"] for one in answer["results"]] == list(range(first, last + 1))


def test_moments_are_event_ids_and_times_too(story: Workbench) -> None:
    events = stored(story)
    answer = story.ok("replay", KEY, "--from", events[2]["event_id"], "--to", events[3]["event_id"], "--json").answer
    assert (answer["from_sequence"], answer["to_sequence"]) == (3, 4)
    at = story.ok("replay", KEY, "--from", events[3]["timestamp"], "--to", events[3]["timestamp"], "--json").answer
    same = [event["event_sequence"] for event in events if event["timestamp"] == events[3]["timestamp"]]
    assert [one["sequence"] for one in at["results"]] == same


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["PROJ-9"], 7, "no events of PROJ-9"),
        (["proj"], 2, "no issue key"),
        (["../../etc"], 2, "no issue key"),
        ([KEY, "--from", "99"], 7, "ends at event"),
        ([KEY, "--from", "3000-01-01T00:00:00Z"], 7, "there is no #6"),
        ([KEY, "--from", "soon"], 2, "names no moment"),
        ([KEY, "--from", "3", "--to", "2"], 2, "no events from #3 to #2"),
        ([KEY, "--to", "2001-01-01T00:00:00Z"], 2, "no events"),
        ([KEY, "--type", "TestRunStrted"], 2, "Did you mean TestRunStarted?"),
        ([KEY, "--replay-id", "replay-nobody"], 7, "There has been none yet"),
        ([KEY, "--from-restore-point", "ckpt-nobody"], 7, "There is no restore point"),
        ([KEY, "--handlers", "none.yaml"], 2, "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused(story: Workbench, arguments: list[str], code: int, said: str) -> None:
    before = story.tree()
    for more in ([], ["--execute"]):
        outcome = story("replay", *arguments, *more)
        assert outcome.code == code, outcome
        assert said in outcome.err
    assert story.tree() == before


def test_precondition_that_fails_ends_with_1_and_nothing_is_done(story: Workbench) -> None:
    (log,) = (story.roadmap / "events").rglob("events.jsonl")
    log.write_bytes(log.read_bytes().replace(b'"unit"', b'"UNIT"', 1))
    (story.root / "src/a.py").unlink()
    before = story.tree()
    outcome = story("replay", KEY, "--execute")
    assert outcome.code == 1
    assert "warning: event #4 is not chained to the event before it" in outcome.err
    assert "#2  FileWritten  skipped  precondition_failed: event #4 is not chained" in outcome.out
    assert "nothing to do" in outcome.out
    assert story.tree() == before


def test_file_that_someone_changed_needs_force(story: Workbench) -> None:
    (story.root / "src/a.py").write_text("mine")
    outcome = story("replay", KEY, "--execute", "--type", "FileWritten")
    assert outcome.code == 1
    assert "someone changed it since" in outcome.out
    assert (story.root / "src/a.py").read_text() == "mine"
    story.ok("replay", KEY, "--execute", "--force", "--type", "FileWritten")
    assert (story.root / "src/a.py").read_text() == "a = 1\n"


def test_restore_point_is_made_listed_and_gone_back_to(story: Workbench) -> None:
    dry = story.ok("restore-point", "create", "--issue", KEY, "--dry-run")
    assert dry.out == "a restore point of PROJ-123 would be made: the state after event #5\n"
    assert len(stored(story)) == 5
    made = story.ok("restore-point", "create", "--issue", KEY, "--reason", "milestone", "--json").answer
    name = made["checkpoint_id"]
    assert (story.roadmap / "events" / made["state_snapshot"]).is_file()
    (listed,) = story.ok("restore-point", "list", "--json").answer
    assert (listed["checkpoint_id"], listed["event_sequence"], listed["phase"]) == (name, 6, "CODE")
    assert listed["has_file"] is True
    assert name in story.ok("restore-point", "list", "--issue", KEY).out

    write(story, "src/a.py", "a = 2\n", "a = 1\n")
    dry = story.ok("restore-point", "restore", name)
    assert dry.out.splitlines() == [
        "src/a.py: would be restored",
        f"{name}: 1 file would be restored; the state is the recorded one",
        "dry run, nothing was done; --execute does it",
    ]
    assert (story.root / "src/a.py").read_text() == "a = 2\n"
    done = story.ok("restore-point", "restore", name, "--yes", "--reason", "test_failure_rollback")
    assert done.out.splitlines()[-1] == f"{name}: 1 file restored; the state is the recorded one"
    assert (story.root / "src/a.py").read_text() == "a = 1\n"
    last = stored(story)[-1]
    assert (last["event_type"], last["metadata"]["files_restored"]) == ("CheckpointRestored", 1)

    replayed = story.ok("replay", KEY, "--from-restore-point", name, "--execute", "--json").answer
    assert replayed["from_sequence"] == 7
    assert replayed["warnings"] == []
    assert (story.root / "src/a.py").read_text() == "a = 2\n"


def test_poisoned_file_of_a_restore_point_is_named_and_ends_with_1(story: Workbench) -> None:
    made = story.ok("restore-point", "create", "--issue", KEY, "--json").answer
    path = story.roadmap / "events" / made["state_snapshot"]
    path.write_text(path.read_text().replace('"CODE"', '"DONE"'))
    outcome = story("restore-point", "restore", made["checkpoint_id"])
    assert outcome.code == 1
    assert "the checksum of its file is not that of the state in it; the events decide" in outcome.err
    assert "the state could not be validated" in outcome.out


def test_restore_points_that_are_not_there(story: Workbench) -> None:
    assert "there are no restore points" in story.ok("restore-point", "list").err
    assert story("restore-point", "restore", "ckpt-1").code == 7
    assert story("restore-point", "create", "--issue", "PROJ-9").code == 7
    assert story("restore-point", "create", "--issue", "what").code == 2
    assert story("restore-point", "restore", "ckpt-1", "--json").error["code"] == "RESTORE_POINT_NOT_FOUND"


def test_restore_point_without_a_commit_is_not_gone_back_to_with_git(story: Workbench) -> None:
    name = story.ok("restore-point", "create", "--issue", KEY, "--json").answer["checkpoint_id"]
    outcome = story("restore-point", "restore", name, "--git", "--execute", "--json")
    assert (outcome.code, outcome.error["code"]) == (2, "RESTORE_POINT_WITHOUT_COMMIT")


def test_text_of_an_event_cannot_steer_the_terminal(story: Workbench) -> None:
    record(story, "FileWritten", path="src/\u001b[31mred.py", after_sha256="0" * 64)
    outcome = story("replay", KEY)
    assert outcome.code == 1
    assert "\x1b" not in outcome.out
    assert "control character" in outcome.out
