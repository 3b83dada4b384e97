"""The time machine in the terminal: a whole demo run, and every question that one can ask about it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench, command

Make = Callable[[str, list[list[str]]], Path]


@pytest.fixture
def run(esaa: Workbench, make_template: Make) -> Workbench:
    """The demo, run to its end."""
    esaa.fill_from(make_template("time-machine", [["init", "--demo", "landing"], ["run"]]))
    return esaa


def seq_of(esaa: Workbench, *words: str) -> int:
    """The seq of the first event that `esaa log` names with these options."""
    first = esaa.ok("log", *words, "--json").out.splitlines()[0]
    seq: int = json.loads(first)["event_seq"]
    return seq


def test_who_put_a_task_in_review_is_found_and_why_that_was_allowed(run: Workbench) -> None:
    answer = run.ok("blame", "/tasks/T-2010/status", "--at", "HEAD~1", "--json").answer
    assert [step["after"] for step in answer["history"]] == ["todo", "in_progress", "review", "done"]
    review = answer["history"][2]
    assert (review["entry"]["name"], review["entry"]["actor"]) == ("complete", "agent-impl")
    earlier = run.ok("blame", "/tasks/T-2010/status", "--at", str(review["seq"]))
    assert "in_progress -> review" in earlier.out
    assert "passed  boundary: src/styles.css: inside src/**" in earlier.out
    assert "The specification stands" in earlier.out
    assert json.loads(run.ok(*answer["cli"].split()[1:], "--json").out) == answer


def test_why_a_write_was_refused_is_told_with_the_rule_and_what_was_asked(run: Workbench) -> None:
    (line,) = run.ok("log", "--rejections").out.splitlines()
    assert "BOUNDARY_VIOLATION" in line
    seq = seq_of(run, "--rejections")
    told = run.ok("why", str(seq)).out
    assert "refused  boundary: A file lies outside" in told
    assert "not_asked" not in told
    answer = run.ok("why", str(seq), "--json").answer
    assert answer["output"]["agent"] == "agent-impl"
    assert "docs/spec/T-1020.md" in answer["output"]["result"]
    assert [one["outcome"] for one in answer["rules"]].count("refused") == 1


def test_tree_before_the_hotfix_is_written_and_the_patch_leads_from_it_to_what_followed(run: Workbench) -> None:
    created = seq_of(run, "--action", "hotfix.create")
    before = run.root.parent / "before"
    outcome = run.ok("checkout", "--at", str(created), str(before))
    assert "src/main.js" in outcome.out.splitlines()
    patch = run("diff", f"{created}..", "--files")
    assert patch.code == 1
    assert "+      reflect();" in patch.out
    subprocess.run(
        ["git", "apply", "--stat", "-"], cwd=before, input=patch.out.encode(), check=True, capture_output=True
    )
    subprocess.run(["git", "init", "-q"], cwd=before, check=True, capture_output=True)
    subprocess.run(["git", "apply", "-"], cwd=before, input=patch.out.encode(), check=True, capture_output=True)
    for path in before.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            assert path.read_bytes() == (run.root / path.relative_to(before)).read_bytes(), path
    one = run("diff", f"{created}..", "--files", "--path", "src/main.js")
    assert one.out.count("diff --git") == 1


def test_first_event_after_which_a_predicate_fails_is_found(run: Workbench) -> None:
    reported = seq_of(run, "--action", "issue.report")
    outcome = run.ok("bisect", "--where", "length(issues) == `0`", "--json")
    assert outcome.answer["first_bad"]["seq"] == reported
    assert outcome.answer["suspects"] == [reported]
    assert "first bad: " in run.ok("bisect", "0..HEAD", "--where", "length(issues) == `0`").out
    holds = run("bisect", "--where", "run.run_id != 'nobody'")
    assert (holds.code, holds.out.strip()) == (1, "It still holds at the end.")


def test_first_event_after_which_a_command_fails_is_found(run: Workbench) -> None:
    written = [
        json.loads(line)["event_seq"]
        for line in run.ok("log", "--action", "orchestrator.file.write", "--json").out.splitlines()
        if "src/styles.css" in line
    ]
    outcome = run.ok("bisect", "5..", "--json", "--run", "sh", "-c", "test ! -e src/styles.css")
    assert outcome.answer["first_bad"]["seq"] == written[0]
    assert outcome.answer["cli"].endswith("--run sh -c 'test ! -e src/styles.css'")


def test_what_a_probe_cannot_tell_is_skipped_and_what_hangs_is_bad(run: Workbench) -> None:
    script = 'test "$ESAA_SEQ" -lt 40 && exit 0; test "$ESAA_SEQ" -gt 120 && exit 1; exit 125'
    answer = run.ok("bisect", "1..", "--json", "--run", "sh", "-c", script).answer
    assert answer["first_bad"] is None
    assert len(answer["suspects"]) > 1
    slow = run("bisect", "1..", "--timeout", "0.2", "--run", "sh", "-c", "test -e src && sleep 60; true")
    assert slow.code == 0
    assert "did not end within 0.2 s" in slow.err


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["bisect"], 2, "USAGE"),
        (["bisect", "--run"], 2, "USAGE"),
        (["bisect", "--run", "no-such-program-here"], 2, "COMMAND_NOT_FOUND"),
        (["bisect", "--where", "a["], 2, "EXPRESSION_INVALID"),
        (["bisect", "9..3", "--where", "run"], 2, "BISECT_RANGE_INVALID"),
        (["bisect", "--where", "run.run_id == 'x'"], 2, "BISECT_NOT_GOOD"),
        (["blame", "/tasks"], 2, "POINTER_TOO_WIDE"),
        (["blame", "tasks"], 2, "POINTER_INVALID"),
        (["blame", "/tasks/T-9/status"], 7, "VALUE_NOT_FOUND"),
        (["state", "/tasks/T-9"], 7, "VALUE_NOT_FOUND"),
        (["state", "/run", "--projection", "agents"], 2, "USAGE"),
        (["state", "--at", "sometime"], 2, "REF_INVALID"),
        (["state", "--at", ""], 2, "REF_INVALID"),
        (["state", "--at", "9999"], 7, "EVENT_NOT_FOUND"),
        (["status", "T-9", "--at", "5"], 7, "TASK_NOT_FOUND"),
        (["why", "0"], 7, "EVENT_NOT_FOUND"),
        (["graph", "9999"], 7, "EVENT_NOT_FOUND"),
        (["diff", "1..9999"], 7, "EVENT_NOT_FOUND"),
        (["diff", "--issue", "nonsense"], 2, "ISSUE_KEY_INVALID"),
        (["diff", "--issue", "PROJ-9"], 7, "ISSUE_NOT_FOUND"),
        (["diff", "1..2", "--against", "."], 2, "USAGE"),
        (["diff", "--against", "src/index.html"], 4, "JSONL_INVALID"),
        (["checkout", "src"], 2, "FOLDER_NOT_EMPTY"),
        (["export", "--html", "RUN-0001", "--output", "nowhere/run.html"], 2, "FOLDER_NOT_FOUND"),
        (["checkout", "src/index.html"], 2, "FOLDER_INVALID"),
    ],
)
def test_what_cannot_be_asked_is_said(run: Workbench, arguments: list[str], code: int, error: str) -> None:
    outcome = run(*arguments[:1], "--json", *arguments[1:])
    assert (outcome.code, json.loads(outcome.err.splitlines()[-1])["error"]["code"]) == (code, error)


def test_what_is_missing_is_named_as_it_was_asked_for(run: Workbench) -> None:
    assert "There is no command 'no-such-program-here'." in run("bisect", "--run", "no-such-program-here").err
    assert run("diff", "--against", "src/index.html").err.startswith("esaa: Log src/index.html breaks at line 1")


@pytest.mark.parametrize("past", [[], ["--issue", "global"]])
@pytest.mark.parametrize("pointer", ["", "/tasks"])
def test_the_command_that_an_answer_names_gives_it_again(run: Workbench, past: list[str], pointer: str) -> None:
    answer = run.ok("state", pointer, "--at", "HEAD~5", *past, "--json").answer
    assert run.ok(*shlex.split(answer["cli"])[1:], "--json").answer == answer


def test_more_steps_back_than_there_are_events_lead_to_the_beginning_everywhere(run: Workbench) -> None:
    assert run.ok("state", "--at", "HEAD~9999", "--json").answer == run.ok("state", "--at", "0", "--json").answer
    assert run.ok("tail", "--since", "HEAD~9999").out == run.ok("tail", "--since", "0").out
    assert len(run.ok("log", "HEAD~9999..").out.splitlines()) == len(run.ok("tail", "--since", "0").out.splitlines())
    assert "#0 is the moment before the first event" in run("why", "HEAD~9999").err


def test_a_diff_of_what_is_nowhere_says_so(run: Workbench) -> None:
    mistyped = run("diff", "..9", "--path", "/tasks/T-9")
    assert (mistyped.code, mistyped.out) == (0, "")
    assert mistyped.err == "warning: there is nothing at /tasks/T-9, neither at #0 nor at #9\n#0 to #9: 0 changes\n"
    seq = seq_of(run, "--action", "claim", "--task", "T-2010")
    assert run("diff", f"{seq}..{seq}", "--path", "/tasks/T-2010").err == f"#{seq} to #{seq}: 0 changes\n"
    one = run("diff", f"{seq - 1}..{seq}", "--path", "/tasks/T-2010/status")
    assert one.err == f"#{seq - 1} to #{seq}: 1 change\n"


def test_diff_says_what_changed_and_ends_with_1_where_something_did(run: Workbench) -> None:
    claimed = seq_of(run, "--action", "claim", "--task", "T-2010")
    outcome = run("diff", f"{claimed - 1}..{claimed}")
    assert outcome.code == 1
    assert "~ /tasks/T-2010/status  todo -> in_progress" in outcome.out
    back = run("diff", f"{claimed}..{claimed - 1}", "--path", "/tasks/T-2010/status")
    assert back.out.splitlines() == ["~ /tasks/T-2010/status  in_progress -> todo"]
    assert run("diff", "HEAD..").code == 0
    paged = run("diff", "1..", "--offset", "2", "--count", "3", "--json").answer
    assert paged["total"] == sum(paged["counts"].values()) > 5
    assert len({change["pointer"].split("/")[2] for change in paged["changes"]}) == 3
    # All pages together are what one asks for without pages.
    whole = run("diff", "1..", "--json").answer
    assert [one for one in whole["changes"] if one in paged["changes"]] == paged["changes"]


def test_copy_of_a_log_is_the_same_until_somebody_changes_it(run: Workbench) -> None:
    copy = run.root.parent / "copy"
    shutil.copytree(run.root, copy)
    assert run("diff", "--against", str(copy)).code == 0
    lines = (copy / ".roadmap" / "activity.jsonl").read_bytes().splitlines(keepends=True)
    bare = run.root.parent / "bare.jsonl"
    bare.write_bytes(b"".join(lines[:40]))
    outcome = run("diff", "--against", str(bare))
    assert (outcome.code, "the same up to #40, and they part at #41" in outcome.out) == (1, True)
    assert "there: it has ended" in outcome.out
    # Nothing is left beside a log that lies alone.
    assert sorted(path.name for path in bare.parent.iterdir()) == ["bare.jsonl", "copy", "home", "project"]


def test_read_model_is_compared_with_the_log(run: Workbench) -> None:
    for name in ("roadmap.json", "issues.json", "lessons.json"):
        assert run("diff", "--against", f".roadmap/{name}").code == 0
    path = run.roadmap / "roadmap.json"
    path.write_text(path.read_text("utf-8").replace('"title": "Style the page"', '"title": "Paint the page"'), "utf-8")
    outcome = run("diff", "--against", ".roadmap/roadmap.json")
    assert outcome.code == 1
    assert "~ /tasks/T-2010/title  Style the page -> Paint the page" in outcome.out


def test_state_shows_values_and_members(run: Workbench) -> None:
    assert run.ok("state", "/tasks/T-2010/status").out == "done\n"
    assert run.ok("state", "/tasks/T-2010/status", "--at", "10").out == "todo\n"
    assert "T-2010" in run.ok("state", "/tasks").out
    assert {one["name"] for one in run.ok("state", "--json").answer["children"]} >= {"run", "tasks", "files"}
    assert run.ok("state", "--select", 'tasks."T-2010".status').out == "done\n"
    assert run.ok("state", "/run", "--select", "run_id").out == "RUN-0001\n"
    paged = run.ok("state", "/tasks", "--count", "2", "--after", "T-1010", "--json").answer
    assert [one["name"] for one in paged["children"]] == ["T-1020", "T-2000"]
    assert run.ok("state", "--issue", "global", "/tasks/T-2010/status").out == "done\n"
    assert "current_phase" in run.ok("state", "--issue", "global", "--json").answer


def test_everything_answers_for_an_earlier_moment(run: Workbench) -> None:
    claimed = seq_of(run, "--action", "claim", "--task", "T-2010")
    board = run.ok("status", "--at", str(claimed), "--json").answer
    assert board["counts"]["in_progress"] == 1
    assert "in_progress  agent-impl  Style the page" in run.ok("status", "--at", str(claimed)).out
    task = run.ok("status", "T-2010", "--at", str(claimed)).out
    assert f"at #{claimed}: in_progress, owner agent-impl" in task
    proof = run.ok("verify", "--at", str(claimed), "--json").answer
    assert [(one["from"], one["kind"]) for one in proof["rail"]] == [(1, "unanchored")]
    assert len(proof["root_at"]) == len(proof["hash_at"]) == 64
    then = run.ok("metrics", "--at", str(claimed), "--json").answer[0]
    now = run.ok("metrics", "--json").answer[0]
    assert 0 < then["attempts"] < now["attempts"]
    assert run.ok("metrics", "--at", "HEAD", "--json").answer == run.ok("metrics", "--json").answer


def test_damaged_log_is_answered_for_up_to_the_damage(run: Workbench) -> None:
    lines = run.log.read_bytes().splitlines(keepends=True)
    run.log.write_bytes(b"".join([*lines[:90], b"{}\n", *lines[91:]]))
    outcome = run.ok("state", "/tasks/T-2010/status")
    assert (outcome.out, "breaks at line 91" in outcome.err) == ("done\n", True)
    assert run("verify", "--at", "80").code == 0
    shutil.copytree(run.root, run.root.parent / "copy")
    assert run("diff", "--against", "../copy").code == 4


def test_causes_are_drawn(run: Workbench) -> None:
    completed = seq_of(run, "--action", "complete", "--task", "T-2010")
    refused = seq_of(run, "--rejections")
    drawn = run.ok("graph", str(completed), "--depth", "1").out.splitlines()
    assert [f"#{refused} " in drawn[0], drawn[1].startswith("*"), f"#{completed} " in drawn[1]] == [True] * 3
    assert "orchestrator.file.write" in drawn[2]
    assert "T-2010 is approved" in drawn[-1]
    written = run.ok("graph", str(completed + 1), "--critical").out
    assert f"#{completed} " in written.splitlines()[-2]
    assert "+0 s" in written.splitlines()[-1]
    assert f"because of  #{completed}" in run.ok("why", str(completed + 1)).out
    assert f"needed      #{refused}" in run.ok("why", str(completed)).out
    # What the end of the run waited for, back to the first task that there was.
    chain = run.ok("graph", "HEAD", "--critical", "--depth", "50").out.splitlines()
    assert "task.create" in chain[0]
    assert "run ends: success" in chain[-1]


def test_tail_prints_the_last_events_and_goes_on(run: Workbench) -> None:
    last = run.ok("tail").out.splitlines()
    assert len(last) == 10
    assert "run ends: success" in last[-1]
    lines = [json.loads(line) for line in run.ok("tail", "--since", "HEAD~2", "--json").out.splitlines()]
    assert [one["name"] for one in lines] == ["verify.ok", "run.end"]
    assert "events" in run.ok("pasts").out
    process = subprocess.Popen(
        command("tail", "-f", "--since", "166"), cwd=run.root, stdout=subprocess.PIPE, env=dict(os.environ)
    )
    try:
        run.ok("task", "create", "T-9", "--kind", "spec", "--title", "One more", "--output", "docs/spec/T-9.md")
        assert process.stdout is not None
        assert b"run.start" in process.stdout.readline() + process.stdout.readline() + process.stdout.readline()
    finally:
        process.terminate()
        process.communicate()


def test_missing_content_is_named_and_nothing_is_written_in_a_dry_run(run: Workbench) -> None:
    digest = run.ok("state", "/files/src~1main.js/sha256").out.strip()
    (run.roadmap / "blobs" / digest[:2] / digest).unlink()
    outcome = run("checkout", "../out")
    assert outcome.code == 1
    assert "warning: src/main.js was not written: its content was not kept, or was erased" in outcome.err
    assert (run.root.parent / "out" / "src" / "styles.css").is_file()
    dry = run("checkout", "--dry-run", "../other")
    assert not (run.root.parent / "other").exists()
    assert "would be written: src/index.html" in dry.out
    probe = run.ok("bisect", "5..85", "--json", "--run", "sh", "-c", "test ! -e src/styles.css")
    assert probe.answer["first_bad"] is not None
