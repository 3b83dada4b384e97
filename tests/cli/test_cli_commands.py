"""Every command in its ordinary use: what it says, what it ends with, what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from esaa.cli.app import COMMANDS, SECTIONS
from tests.cli.workbench import SPEC, Workbench, result

REPORT = (
    "issue",
    "report",
    "T-1",
    "--actor",
    "agent-qa",
    "--id",
    "ISS-1",
    "--severity",
    "medium",
    "--title",
    "The page is too wide",
    "--symptom",
    "It scrolls",
    "--step",
    "Open it",
)


def write_spec(esaa: Workbench) -> None:
    (esaa.root / "docs" / "spec").mkdir(parents=True)
    (esaa.root / "docs" / "spec" / "page.md").write_text(SPEC)


def finish_spec(esaa: Workbench) -> None:
    """T-1 from todo to done."""
    esaa.ok("claim", "T-1", "--actor", "agent-spec")
    write_spec(esaa)
    esaa.ok("complete", "T-1", "--actor", "agent-spec", "--file", "docs/spec/page.md", "--check", "headings are there")
    esaa.ok("review", "T-1", "--actor", "agent-qa", "--approve")


def test_version_is_one_line(esaa: Workbench) -> None:
    outcome = esaa.process("--version")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "esaa 0.1.0\n"
    assert esaa.ok("--version").out == outcome.out


@pytest.mark.parametrize("columns", ["80", "40"])
def test_help_names_every_command_once_under_a_heading(
    esaa: Workbench, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    told = esaa.ok("--help").out.splitlines()
    rows = [line.split()[0] for line in told[told.index("Every day:") :] if line.startswith("  ") and line[2] != " "]
    assert rows == list(COMMANDS)
    assert [line[:-1] for line in told if line.endswith(":") and line[0] != " "] == ["Options", *SECTIONS]
    assert not [line for line in told[1:] if line.endswith("...")]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(esaa: Workbench, command: str) -> None:
    outcome = esaa.ok(command, "--help")
    if command in ("task", "issue", "hotfix"):
        for line in outcome.out.partition("Commands:")[2].splitlines():
            if line.strip():
                assert "Example: esaa" in esaa.ok(command, line.split()[0], "--help").out
    else:
        assert "Example: esaa" in outcome.out


@pytest.mark.parametrize("group", [[], ["task"], ["issue"], ["hotfix"]])
def test_a_group_alone_shows_its_help_and_ends_with_2(esaa: Workbench, group: list[str]) -> None:
    outcome = esaa(*group)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Usage: esaa")
    assert ("Commands:" if group else "Every day:") in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["tsk"],
        ["task", "lst"],
        ["claim"],
        ["claim", "T-1"],
        ["log", "--nope"],
        ["run", "--parallel", "0"],
        ["log", "-n", "x"],
        ["review", "T-1", "--actor", "agent-qa"],
        ["reject", "T-1", "--actor", "a", "--message", "m", "--code", "NOPE"],
        ["init", "--protocol", "9"],
        ["--root"],
        ["status", "a", "b"],
        ["init", "--root", "/nowhere/at/all"],
    ],
)
def test_wrong_use_is_one_line_and_2(planned: Workbench, arguments: list[str]) -> None:
    outcome = planned(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("esaa: ")
    assert outcome.err.count("\n") == 1
    outcome = planned("--json", *arguments)
    assert outcome.code == 2
    assert set(outcome.error) >= {"code", "message", "hint"}
    assert outcome.error["hint"]


def test_a_misspelt_command_is_guessed(esaa: Workbench) -> None:
    assert "Did you mean `esaa status`?" in esaa("statsu").err


def test_init_makes_a_verified_workspace(esaa: Workbench) -> None:
    outcome = esaa.ok("init", "--name", "tide")
    assert outcome.out.startswith("tide: 0 tasks, ")
    assert "next: esaa task create" in outcome.err
    assert esaa.actions() == ["run.start", "verify.start", "verify.ok"]
    esaa.assert_sound()


def test_init_answers_in_json_and_takes_the_folders_name(esaa: Workbench) -> None:
    outcome = esaa.ok("init", "--json", "--quiet")
    assert outcome.err == ""
    answer = outcome.answer
    assert (answer["project"], answer["protocol"], answer["tasks"], answer["events"]) == ("project", "0.4.0", 0, 3)
    assert answer["root"] == str(esaa.root)


def test_init_of_the_newer_protocol(esaa: Workbench) -> None:
    esaa.ok("init", "--protocol", "0.4.1", "--demo", "calc")
    assert {event["schema_version"] for event in esaa.events()} == {"0.4.1"}
    esaa.ok("task", "amend", "T-1000", "--title", "Another title")
    assert esaa.ok("status", "T-1000", "--json").answer["task"]["title"] == "Another title"
    esaa.assert_sound()


def test_init_in_a_folder_named_by_root(esaa: Workbench) -> None:
    other = esaa.root / "other"
    other.mkdir()
    esaa.ok("init", "--root", "other")
    assert (other / ".roadmap" / "activity.jsonl").is_file()
    assert not esaa.roadmap.exists()


def test_init_never_overwrites_a_log(planned: Workbench) -> None:
    before = planned.tree()
    outcome = planned("init", "--demo", "landing")
    assert outcome.code == 2
    assert "There is a log already" in outcome.err
    assert planned.tree() == before
    planned.log.unlink()
    planned.log.symlink_to("elsewhere.jsonl")
    assert planned("init").code == 2
    assert planned.log.is_symlink()
    assert not (planned.roadmap / "elsewhere.jsonl").exists()


def test_init_keeps_contracts_that_are_there(esaa: Workbench) -> None:
    esaa.ok("init")
    mine = (esaa.roadmap / "RUNTIME_POLICY.yaml").read_text().replace("PT2M", "PT9M")
    esaa.log.unlink()
    (esaa.roadmap / "RUNTIME_POLICY.yaml").write_text(mine)
    outcome = esaa.ok("init")
    assert "kept RUNTIME_POLICY.yaml as it was" in outcome.err
    assert (esaa.roadmap / "RUNTIME_POLICY.yaml").read_text() == mine


def test_two_inits_at_once_make_one_log(esaa: Workbench) -> None:
    both = [esaa.start("init", "--name", name) for name in ("one", "two")]
    codes = sorted((process.communicate(timeout=60), process.returncode)[1] for process in both)
    assert codes == [0, 2]
    assert esaa.actions() == ["run.start", "verify.start", "verify.ok"]
    esaa.assert_sound()


def test_an_unknown_demo_is_not_found(esaa: Workbench) -> None:
    outcome = esaa("init", "--demo", "moon")
    assert outcome.code == 7
    assert "calc, landing" in outcome.err
    assert not esaa.roadmap.exists()


def test_a_task_goes_all_the_way_by_hand(planned: Workbench) -> None:
    esaa = planned
    assert esaa.ok("claim", "T-1", "--actor", "agent-spec").out.startswith("T-1 is in_progress, owned by agent-spec")
    write_spec(esaa)
    said = esaa.ok("complete", "T-1", "--actor", "agent-spec", "--file", "docs/spec/page.md", "--check", "all there")
    assert said.out.startswith("T-1 is in review")
    changes = ["--request-changes", "R2 is missing", "--request-changes", "R3 too"]
    assert esaa.ok("review", "T-1", "--actor", "agent-qa", *changes).out.startswith("T-1 goes back to its owner")
    (esaa.root / "second.md").write_text(SPEC + "\nR2 and R3.\n")
    esaa.ok("complete", "T-1", "--actor", "agent-spec", "--file", "docs/spec/page.md=second.md", "--check", "all there")
    assert (esaa.root / "docs/spec/page.md").read_text() == SPEC + "\nR2 and R3.\n"
    assert esaa.ok("review", "T-1", "--actor", "agent-qa", "--approve").out.startswith("T-1 is done")
    outcome = esaa("claim", "T-1", "--actor", "agent-spec")
    assert outcome.code == 5
    assert "IMMUTABLE_DONE_VIOLATION" in outcome.err
    esaa.assert_sound()


def test_submit_takes_a_file_or_standard_input(planned: Workbench) -> None:
    esaa = planned
    (esaa.root / "claim.json").write_bytes(result("claim", "T-1", prior_status="todo"))
    outcome = esaa.ok("submit", "claim.json", "--actor", "agent-spec", "--json")
    answer = outcome.answer
    assert answer["accepted"] is True
    assert answer["rejected"] is None
    assert [event["action"] for event in answer["events"]][:2] == ["claim", "orchestrator.view.mutate"]
    assert answer["events"][0]["event_seq"] == len(esaa.events()) - len(answer["events"]) + 1
    sent = result("complete", "T-1", {"docs/spec/page.md": SPEC})
    assert esaa.ok("submit", "-", "--actor", "agent-spec", stdin=sent).out.startswith("agent-spec's result is accepted")
    assert (esaa.root / "docs/spec/page.md").read_text() == SPEC
    esaa.assert_sound()


def test_submit_of_a_file_that_is_not_there_is_not_found(planned: Workbench) -> None:
    before = planned.tree()
    for name in ("nothing.json", "."):
        outcome = planned("submit", name, "--actor", "agent-spec")
        assert outcome.code == 7
        assert name in outcome.err
    assert planned.tree() == before


def test_a_rejection_says_layer_code_and_hint_and_ends_with_5(planned: Workbench) -> None:
    outcome = planned("complete", "T-2", "--actor", "agent-impl", "--check", "it was read")
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err.startswith("rejected [state_machine] MISSING_CLAIM: ")
    assert outcome.err.endswith("Claim the task first.\n")
    outcome = planned("complete", "T-2", "--actor", "agent-impl", "--check", "it was read", "--json")
    assert (outcome.code, outcome.err) == (5, "")
    assert outcome.answer["rejected"]["reason"] == "invalid_transition"
    assert [event["action"] for event in outcome.answer["events"]] == ["output.rejected"]


def test_issues_and_hotfixes(planned: Workbench) -> None:
    esaa = planned
    finish_spec(esaa)
    assert esaa.ok(*REPORT).out.startswith("ISS-1 is open")
    assert "issue ISS-1 (medium) on T-1: The page is too wide" in esaa.ok("status").out
    assert esaa.ok("hotfix", "create", "ISS-1", "--scope", "docs/spec/page.md").out.startswith(
        "a hotfix of ISS-1 is todo"
    )
    task = esaa.ok("status", "HF-ISS-1", "--json").answer["task"]
    assert (task["is_hotfix"], task["fixes"], task["scope_patch"]) == (True, "T-1", ["docs/spec/page.md"])
    outcome = esaa("hotfix", "create", "ISS-1")
    assert (outcome.code, "HOTFIX_ALREADY_EXISTS" in outcome.err) == (5, True)
    assert esaa.ok("issue", "resolve", "ISS-1", "--note", "it was the window").out.startswith("ISS-1 is resolved")
    outcome = esaa("issue", "resolve", "ISS-1")
    assert (outcome.code, "ISSUE_NOT_OPEN" in outcome.err) == (5, True)
    esaa.assert_sound()


def test_a_report_with_fixes_makes_the_hotfix(planned: Workbench) -> None:
    esaa = planned
    finish_spec(esaa)
    esaa.ok(*REPORT, "--fixes", "T-1", "--affects", "docs/spec/page.md")
    assert esaa.ok("status", "HF-ISS-1", "--json").answer["task"]["status"] == "todo"


def test_tasks_are_created_listed_and_refused(planned: Workbench) -> None:
    esaa = planned
    arguments = [
        "--kind",
        "impl",
        "--title",
        "Ünïcödé",
        "--depends-on",
        "T-1",
        "--target",
        "web",
        "--criterion",
        "fast",
    ]
    esaa.ok("task", "create", "T-5", *arguments, "--supersedes", "T-3")
    rows = esaa.ok("task", "list", "--kind", "impl").out.splitlines()
    assert [row.split()[0] for row in rows] == ["T-2", "T-3", "T-5"]
    assert rows[-1].endswith("Ünïcödé")
    assert [task["task_id"] for task in esaa.ok("task", "list", "--status", "todo", "--json").answer] == [
        "T-1",
        "T-2",
        "T-3",
        "T-4",
        "T-5",
    ]
    assert esaa.ok("task", "list", "--status", "done").out == ""
    for arguments, code in (
        (["T-5", "--kind", "impl", "--title", "x"], "DUPLICATE_TASK"),
        (["T-6", "--kind", "impl", "--title", "x", "--depends-on", "T-6"], "DEPENDENCY_INVALID"),
        (["T-6", "--kind", "impl", "--title", "x", "--depends-on", "T-9"], "DEPENDENCY_INVALID"),
        (["T-6", "--kind", "impl", "--title", "x", "--output", "../x"], "PATH_INVALID"),
        (["T-6", "--kind", "impl", "--title", "x", "--supersedes", "T-9"], "TASK_NOT_FOUND"),
    ):
        before = esaa.log.read_bytes()
        outcome = esaa("task", "create", *arguments)
        assert (outcome.code, code in outcome.err) == (5, True), outcome
        assert esaa.log.read_bytes() == before
    outcome = esaa("task", "amend", "T-5", "--title", "y")
    assert (outcome.code, "0.4.1" in outcome.err) == (5, True)
    esaa.assert_sound()


def test_reject_costs_an_attempt(claimed: Workbench) -> None:
    claimed.ok("reject", "T-3", "--actor", "agent-impl", "--message", "another question")
    assert "attempts used 1" in claimed.ok("status", "T-3").out
    outcome = claimed("reject", "T-9", "--actor", "agent-impl", "--message", "x")
    assert (outcome.code, "TASK_NOT_FOUND" in outcome.err) == (5, True)
    claimed.assert_sound()


def test_status_of_project_and_task(claimed: Workbench) -> None:
    lines = claimed.ok("status").out.splitlines()
    assert lines[0] == "tide: 1 in_progress, 3 todo"
    assert "next  T-3  complete by agent-impl" in lines
    answer = claimed.ok("status", "--json").answer
    assert answer["tasks"] == {
        "total": 4,
        "by_status": {"in_progress": 1, "todo": 3},
        "by_kind": {"impl": 2, "qa": 1, "spec": 1},
    }
    assert {order["task_id"] for order in answer["next"]} == {"T-1", "T-3"}
    assert answer["last_event_seq"] == len(claimed.events())
    task = claimed.ok("status", "T-2").out
    assert "depends on T-1 (todo)" in task
    assert "outputs src/page.html" in task
    outcome = claimed("status", "T-22")
    assert outcome.code == 7
    assert "Did you mean T-2?" in outcome.err


def test_dispatch_context_is_json_without_history(claimed: Workbench) -> None:
    outcome = claimed.ok("dispatch-context", "T-3")
    assert outcome.answer["task"]["task_id"] == "T-3"
    assert "prev_hash" not in outcome.out
    assert claimed("dispatch-context", "T-9").code == 7


def test_dispatch_context_of_a_done_task_is_refused(landing: Workbench) -> None:
    outcome = landing("dispatch-context", "T-1000")
    assert (outcome.code, "nobody is asked" in outcome.err) == (2, True)


def test_log_filters(landing: Workbench) -> None:
    events = landing.events()
    assert len(landing.ok("log").out.splitlines()) == len(events)
    rejected = landing.ok("log", "--action", "output.rejected").out
    assert rejected.count("\n") == 1
    assert "BOUNDARY_VIOLATION" in rejected
    claims = [json.loads(line) for line in landing.ok("log", "--json", "--action", "claim").out.splitlines()]
    assert claims == [event for event in events if event["action"] == "claim"]
    of_task = landing.ok("log", "--task", "T-2010", "--actor", "agent-impl").out.splitlines()
    assert len(of_task) == 2
    assert landing.ok("log", "-n", "3").out.splitlines() == landing.ok("log").out.splitlines()[-3:]
    nothing = landing.ok("log", "--actor", "nobody")
    assert (nothing.out, "no event matches" in nothing.err) == ("", True)


def test_log_json_gives_the_stored_bytes(landing: Workbench) -> None:
    assert landing.process("log", "--json").out.encode() == landing.log.read_bytes()


def test_show_gives_the_event_and_its_leaf_hash(landing: Workbench) -> None:
    answer = landing.ok("show", "13", "--json").answer
    assert answer["event"] == landing.events()[12]
    assert answer["leaf_hash"] == landing.events()[13]["prev_hash"]
    assert landing.ok("show", "13").out.endswith(f"leaf hash {answer['leaf_hash']}\n")


def test_project_writes_the_read_models_again(finished: Workbench) -> None:
    right = (finished.roadmap / "roadmap.json").read_bytes()
    assert "all were right already" in finished.ok("project").out
    (finished.roadmap / "roadmap.json").write_bytes(right + b"\n")
    dry = finished.ok("project", "--dry-run", "--json").answer
    assert (dry["changed"], dry["dry_run"]) == (["roadmap.json"], True)
    assert (finished.roadmap / "roadmap.json").read_bytes() == right + b"\n"
    assert finished.ok("project", "--json").answer["changed"][0] == "roadmap.json"
    finished.assert_sound()


def test_verify_of_workspace_folder_and_bare_log(finished: Workbench) -> None:
    outcome = finished.ok("verify", "--strict", "--files", "--explain")
    assert outcome.out.splitlines()[-1] == "verify_status=ok"
    assert "2 files" in outcome.out
    for path in (".", ".roadmap", str(finished.root)):
        assert finished.ok("verify", path).out.splitlines()[-1] == "verify_status=ok"
    bare = finished.ok("verify", ".roadmap/activity.jsonl", "--json").answer
    assert (bare["verify_status"], bare["boundaries_judged"]) == ("ok", False)
    assert bare["trust"] == {
        "answer": "VALID-UNANCHORED",
        "anchored_through": None,
        "anchored_by": [],
        "unanchored_tail": len(finished.events()),
        "invalid_from_line": None,
        "signed_through": None,
        "checkpoint_signed_by": [],
    }


def test_verify_of_nothing_is_not_found(finished: Workbench) -> None:
    for path in ("nowhere", "docs"):
        outcome = finished("verify", path)
        assert outcome.code == 7
        assert path in outcome.err


def test_run_with_scripted_agents_and_steps(planned: Workbench) -> None:
    esaa = planned
    outcome = esaa.ok("run", "--agent", "scripted", "--steps", "2", "--json")
    assert (outcome.answer["outcome"], outcome.answer["results"]) == ("paused", 2)
    assert "ask agent-spec: claim T-1" in outcome.err
    outcome = esaa.ok("run", "--agent", "scripted", "--parallel", "3", "--quiet")
    assert outcome.err == ""
    assert outcome.out.startswith("run RUN-0001: success")
    esaa.assert_sound()


def test_run_records_cassettes_that_play(planned: Workbench, tmp_path: Path) -> None:
    esaa = planned
    esaa.ok("run", "--agent", "scripted", "--steps", "3", "--record", str(tmp_path / "tape"))
    names = sorted(path.name for path in (tmp_path / "tape").iterdir())
    assert names == ["T-1.claim.1.json", "T-1.complete.1.json", "T-1.review.1.json"]
    other = Workbench(tmp_path / "other", esaa._monkeypatch, esaa._capsys)
    other.ok("init")
    other.ok("task", "create", "T-1", "--kind", "spec", "--title", "Define the page", "--output", "docs/spec/page.md")
    (tmp_path / "tape").rename(other.root / "tape")
    other.ok("run", "--agent", "cassette:tape")
    other.assert_sound()


def test_run_dry_says_who_would_be_asked(planned: Workbench) -> None:
    before = planned.tree()
    assert planned.ok("run", "--dry-run").out.splitlines()[0].split()[:4] == ["ask", "agent-spec", "claim", "T-1"]
    assert planned.ok("run", "--dry-run", "--json").answer["orders"][0]["task_id"] == "T-1"
    assert planned.tree() == before


def test_run_waits_for_a_person_and_ends_with_1(planned: Workbench) -> None:
    outcome = planned("run")
    assert outcome.code == 1
    assert "waiting (agent-impl, agent-spec must act on T-1, T-3 (adapter: manual))" in outcome.out


def test_run_of_another_id_is_refused_while_one_is_open(planned: Workbench) -> None:
    outcome = planned("run", "--run-id", "RUN-0009")
    assert outcome.code == 2
    assert "esaa run --run-id RUN-0001" in outcome.err


def test_a_critical_issue_halts_and_the_next_run_refuses(planned: Workbench) -> None:
    esaa = planned
    report = [word if word != "medium" else "critical" for word in REPORT]
    esaa.ok(*report)
    outcome = esaa("run", "--agent", "scripted")
    assert outcome.code == 1
    assert "esaa issue resolve ISS-1" in outcome.err
    assert esaa("run", "--agent", "scripted", "--json").error["code"] == "PIPELINE_HALTED"
    esaa.ok("issue", "resolve", "ISS-1")
    esaa.ok("run", "--agent", "scripted")
    esaa.assert_sound()


@pytest.mark.parametrize(
    ("adapter", "code"),
    [
        ("command:/no/such/program", 9),
        ("cassette:empty", 9),
        ("cassette:nowhere", 8),
        ("telepathy", 8),
        ("command:'", 9),
    ],
)
def test_an_agent_that_cannot_be_asked(planned: Workbench, adapter: str, code: int) -> None:
    (planned.root / "empty").mkdir()
    outcome = planned("run", "--agent", adapter)
    assert outcome.code == code
    assert outcome.err.splitlines()[-1].startswith("esaa: ")
    planned.assert_sound()


def test_contracts_that_are_wrong_end_with_8(planned: Workbench) -> None:
    planned.edit("RUNTIME_POLICY.yaml", "max: 3", "max: many")
    for line in (["status"], ["claim", "T-1", "--actor", "agent-spec"], ["run"], ["task", "list"], ["project"]):
        outcome = planned(*line)
        assert outcome.code == 8
        assert "RUNTIME_POLICY.yaml" in outcome.err
        assert outcome.err.count("\n") == 1


def test_settings_that_are_wrong_end_with_8(planned: Workbench, monkeypatch: pytest.MonkeyPatch, user: Path) -> None:
    monkeypatch.setenv("ESAA_LOCK_TIMEOUT_S", "soon")
    outcome = planned("status")
    assert (outcome.code, "ESAA_LOCK_TIMEOUT_S" in outcome.err) == (8, True)
    monkeypatch.delenv("ESAA_LOCK_TIMEOUT_S")
    (user / "esaa").mkdir(exist_ok=True)
    (user / "esaa" / "config.toml").write_text("lock_timeout_s = \n")
    outcome = planned("status")
    assert (outcome.code, "config.toml" in outcome.err) == (8, True)


@pytest.mark.parametrize(
    "line",
    [
        ["status"],
        ["log"],
        ["run"],
        ["verify"],
        ["project"],
        ["doctor"],
        ["inbox", "--once"],
        ["task", "list"],
        ["claim", "T-1", "--actor", "agent-spec"],
        ["issue", "resolve", "ISS-1"],
    ],
)
def test_outside_of_a_workspace_everything_is_not_found(esaa: Workbench, line: list[str]) -> None:
    outcome = esaa(*line)
    assert outcome.code == 7
    assert "esaa init" in outcome.err
    assert outcome.err.count("\n") == 1
    assert esaa("--json", *line).error["code"] == "WORKSPACE_NOT_FOUND"
    assert list(esaa.root.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        ["claim", "T-1", "--actor", "agent-spec"],
        ["claim", "T-2", "--actor", "agent-impl"],
        ["complete", "T-3", "--actor", "agent-impl", "--check", "read", "--file", "src/x.js=source.js"],
        ["review", "T-3", "--actor", "agent-qa", "--approve"],
        [*REPORT],
        ["hotfix", "create", "ISS-1"],
        ["issue", "resolve", "ISS-1"],
        ["task", "create", "T-9", "--kind", "spec", "--title", "x"],
        ["task", "amend", "T-1", "--title", "x"],
        ["reject", "T-3", "--actor", "agent-impl", "--message", "x"],
        ["run"],
        ["project"],
        ["inbox", "--once"],
        ["submit", "claim.json", "--actor", "agent-spec"],
        ["submit", "claim.json", "--actor", "stranger"],
    ],
    ids=lambda line: " ".join(line[:2]),
)
def test_dry_run_writes_nothing(claimed: Workbench, line: list[str]) -> None:
    (claimed.root / "source.js").write_text("1\n")
    (claimed.root / "claim.json").write_bytes(result("claim", "T-1"))
    (claimed.roadmap / "inbox").mkdir()
    (claimed.roadmap / "inbox" / "agent-spec__1.json").write_bytes(result("claim", "T-1"))
    before = claimed.tree()
    outcome = claimed(*line, "--dry-run")
    assert outcome.code in (0, 5)
    assert outcome.out + outcome.err != ""
    answer = claimed(*line, "--dry-run", "--json")
    assert answer.code == outcome.code
    assert claimed.tree() == before


def test_init_dry_run_writes_nothing(esaa: Workbench) -> None:
    assert "would write" in esaa.ok("init", "--demo", "calc", "--dry-run").out
    assert esaa.ok("init", "--demo", "calc", "--dry-run", "--json").answer["tasks"] > 5
    assert list(esaa.root.iterdir()) == []


def test_dry_run_says_what_it_would_do(planned: Workbench) -> None:
    assert planned.ok("claim", "T-1", "--actor", "agent-spec", "--dry-run").out == (
        "would be: T-1 is in_progress, owned by agent-spec\n"
    )
    answer = planned.ok("claim", "T-1", "--actor", "agent-spec", "--dry-run", "--json").answer
    assert answer["dry_run"] is True
    assert answer["events"][0] == {
        "actor": "agent-spec",
        "action": "claim",
        "payload": answer["events"][0]["payload"],
    }


def test_global_options_stand_before_or_after(
    planned: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = str(planned.root)
    expected = planned.ok("--root", root, "--json", "task", "list").out
    assert json.loads(expected)[0]["task_id"] == "T-1"
    assert planned.ok("task", "--json", "--root", root, "list").out == expected
    assert planned.ok("task", "list", "--json", "--root", root).out == expected
    assert planned.ok("verify", "--quiet", "--root", root).out.endswith("verify_status=ok\n")


def test_from_a_subfolder_the_workspace_is_found(planned: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = planned.root / "src" / "deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert planned.ok("status").out.startswith("tide: ")
    planned.ok("claim", "T-3", "--actor", "agent-impl")
    (deep / "page.html").write_text("<p>\n")
    planned.ok("complete", "T-3", "--actor", "agent-impl", "--check", "it was read", "--file", "src/x.html=page.html")
    assert (planned.root / "src" / "x.html").read_text() == "<p>\n"
    planned.assert_sound()


def test_quiet_keeps_remarks_but_not_answers_or_warnings(planned: Workbench) -> None:
    planned.ok("claim", "T-1", "--actor", "agent-spec")
    outcome = planned.ok("complete", "T-1", "--actor", "agent-spec", "--check", "looks good", "--quiet")
    assert "warning: " in outcome.err
    assert outcome.out.startswith("T-1 is in review")
    planned.ok("task", "list", "--status", "done", "--quiet")
