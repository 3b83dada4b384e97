"""Bad input through every entrance: one line that says what, where and what to do, and a log that stays whole."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.workbench import Outcome, Workbench, result

GOOD = result("complete", "T-3", {"src/script.js": "1\n"}, prior_status="in_progress")


def changed(**fields: Any) -> bytes:
    """The good result with other fields in `activity_event`."""
    value = json.loads(GOOD)
    value["activity_event"] |= fields
    return json.dumps(value).encode()


def without(name: str) -> bytes:
    value = json.loads(GOOD)
    del value["activity_event"][name]
    return json.dumps(value).encode()


def event(value: object) -> bytes:
    return json.dumps({"activity_event": value}).encode()


def updates(*items: object) -> bytes:
    value = json.loads(GOOD)
    value["file_updates"] = list(items)
    return json.dumps(value).encode()


NOT_JSON = {
    "nothing": b"",
    "blanks": b" \n\t ",
    "prose": b"Here is the result you asked for.",
    "a fence": b"```json\n" + GOOD + b"\n```",
    "half": GOOD[:-20],
    "two values": GOOD + b"\n" + GOOD,
    "text after": GOOD + b" done",
    "duplicate keys": GOOD.replace(b'"task_id"', b'"task_id": "T-1", "task_id"', 1),
    "duplicate keys in depth": GOOD.replace(b'"path"', b'"path": "src/a", "path"', 1),
    "duplicate keys by escape": GOOD.replace(b'"task_id"', b'"task\\u005fid": "T-1", "task_id"', 1),
    "NaN": changed(notes=float("nan")),
    "infinity": changed(notes=float("-inf")),
    "a number beyond all": GOOD.replace(b'"T-3"', b"1e999", 1),
    "an endless integer": GOOD.replace(b'"T-3"', b"9" * 5000, 1),
    "a lone surrogate": GOOD.replace(b'"T-3"', b'"T-\\ud800"', 1),
    "a lone surrogate as key": GOOD.replace(b'"task_id"', b'"\\udc00": 1, "task_id"', 1),
    "a BOM": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "invalid UTF-8": GOOD.replace(b"T-3", b"T-\xff", 1),
    "overlong UTF-8": GOOD.replace(b"T-3", b"T-\xc0\xaf", 1),
    "a raw control character": GOOD.replace(b"T-3", b"T-\x00", 1),
    "single quotes": GOOD.replace(b'"', b"'"),
    "a comment": b"// result\n" + GOOD,
    "a trailing comma": GOOD[:-1] + b",}",
    "a depth bomb": b'{"activity_event":' + b"[" * 100_000,
    "a closed depth bomb": b"[" * 100_000 + b"]" * 100_000,
    "depth beyond the contract": event({"notes": json.loads("[" * 80 + "]" * 80)}),
}

NOT_A_RESULT = {
    "null": b"null",
    "a number": b"7",
    "a string": b'"claim"',
    "a list": b"[" + GOOD + b"]",
    "an empty object": b"{}",
    "an empty list as event": event([]),
    "a list of one": event([json.loads(GOOD)["activity_event"]]),
    "a string as event": event("claim"),
    "null as event": event(None),
    "an empty event": event({}),
    "an unknown key at the top": GOOD[:-1] + b', "extra": 1}',
    "an unknown field": changed(mood="good"),
    "an unknown field in depth": changed(verification={"checks": ["read"], "mood": 1}),
    "an unknown field in a file": updates({"path": "src/a.js", "content": "1", "mode": "0777"}),
    "a field of the orchestrator's": changed(event_seq=3),
    "an actor inside": changed(actor="agent-impl"),
    "a time inside": changed(ts="2026-01-05T09:00:00Z"),
    "an action that is no text": changed(action=3),
    "no action": without("action"),
    "no task": without("task_id"),
    "an empty task": changed(task_id=""),
    "a task with an escape": changed(task_id="\x1b[2J"),
    "a task that is a path": changed(task_id="../T-3"),
    "a status that is none": changed(prior_status="sleeping"),
    "checks that are none": changed(verification={"checks": []}),
    "an empty check": changed(verification={"checks": [""]}),
    "checks that are numbers": changed(verification={"checks": [1]}),
    "files that are no list": GOOD.replace(b"[{", b"{", 1).replace(b"}]}", b"}}", 1),
    "a file without content": updates({"path": "src/a.js"}),
    "content and edits": updates({"path": "src/a.js", "content": "", "edits": []}),
    "content that is a number": updates({"path": "src/a.js", "content": 1}),
    "a review without tasks": result("review", "T-3", tasks=[]),
    "a severity that is none": result("issue.report", "T-3", severity="fatal"),
}

CODED = {
    "too many bytes": (changed(notes="x" * (5 << 20)), "RESOURCE_LIMIT_EXCEEDED"),
    "too many files": (
        updates(*({"path": f"src/{n}.js", "content": ""} for n in range(201))),
        "RESOURCE_LIMIT_EXCEEDED",
    ),
    "a large file": (updates({"path": "src/a.js", "content": "x" * ((1 << 20) + 1)}), "RESOURCE_LIMIT_EXCEEDED"),
    "an unknown action": (result("celebrate", "T-3"), "UNKNOWN_ACTION"),
    "an action of the orchestrator's": (result("task.create", "T-3"), "UNKNOWN_ACTION"),
    "run.end": (result("run.end", "T-3"), "UNKNOWN_ACTION"),
    "two acts": (event([json.loads(GOOD)["activity_event"]] * 2), "ACTION_COLLAPSE"),
    "files with a claim": (result("claim", "T-1", {"docs/a.md": ""}), "ACTION_COLLAPSE"),
    "no verification": (without("verification"), "MISSING_VERIFICATION"),
    "an unknown task": (changed(task_id="T-99"), "TASK_NOT_FOUND"),
    "another status": (changed(prior_status="todo"), "PRIOR_STATUS_MISMATCH"),
    "a task of another": (result("complete", "T-1", {}), "MISSING_CLAIM"),
    "a second claim": (result("claim", "T-3"), "INVALID_TRANSITION"),
    "a review of one's own": (result("review", "T-3"), "MISSING_COMPLETE"),
    "no role": (result("claim", "T-1"), "ROLE_VIOLATION"),
    "a dependency that is not done": (result("claim", "T-2"), "DEPENDENCY_NOT_DONE"),
    "edits of what is not there": (
        updates({"path": "src/no.js", "base_sha256": "0" * 64, "edits": [{"old_string": "a", "new_string": "b"}]}),
        "EDIT_BASE_MISMATCH",
    ),
}


@pytest.fixture
def patient(claimed: Workbench) -> Workbench:
    """T-3 belongs to agent-impl; there is a file beside."""
    (claimed.root / "src").mkdir()
    (claimed.root / "src" / "kept.js").write_text("kept\n")
    return claimed


def project_files(esaa: Workbench) -> dict[str, bytes]:
    """Everything that is the project's own."""
    return {
        str(path.relative_to(esaa.root)): path.read_bytes()
        for path in esaa.root.rglob("*")
        if path.is_file() and not path.is_symlink() and ".roadmap" not in path.relative_to(esaa.root).parts[:1]
    }


def one_refusal(esaa: Workbench, lines: list[bytes], error_code: str | None) -> dict[str, Any]:
    """The log has exactly one more line, and that is a refusal; the rest is untouched."""
    now = esaa.lines()
    assert now[: len(lines)] == lines, "nothing that stood in the log has changed"
    new = [json.loads(line) for line in now[len(lines) :]]
    refusal = new[0]
    # The third one that counts makes the monitor report it; nothing else ever comes with a refusal.
    tail = ["issue.report", "orchestrator.view.mutate"] if len(new) > 1 else []
    assert [one["action"] for one in new] == ["output.rejected", *tail]
    assert refusal["actor"] == "orchestrator"
    payload: dict[str, Any] = refusal["payload"]
    if error_code is not None:
        assert payload["error_code"] == error_code, payload
    assert len(now[len(lines)]) < 8000, "a refusal stays small, whatever was refused"
    return payload


def assert_one_line(outcome: Outcome, code: int) -> None:
    assert (outcome.code, outcome.out) == (code, ""), outcome
    assert outcome.err.count("\n") == 1, outcome.err
    assert outcome.err.isprintable() or outcome.err.rstrip("\n").isprintable(), outcome.err
    assert "Traceback" not in outcome.err


def refused_everywhere(esaa: Workbench, data: bytes, error_code: str | None) -> None:
    """Through submit (text and JSON) and the inbox: refused with 5, recorded once each, nothing written."""
    files = project_files(esaa)
    lines = esaa.lines()
    outcome = esaa("submit", "-", "--actor", "agent-impl", stdin=data)
    assert_one_line(outcome, 5)
    assert outcome.err.startswith("rejected [")
    payload = one_refusal(esaa, lines, error_code)
    assert payload["rejected_actor"] == "agent-impl"
    assert payload["hint"]

    lines = esaa.lines()
    outcome = esaa("submit", "-", "--actor", "agent-impl", "--json", stdin=data)
    assert (outcome.code, outcome.err) == (5, "")
    assert outcome.answer["rejected"]["error_code"] == payload["error_code"]
    one_refusal(esaa, lines, error_code)

    lines = esaa.lines()
    inbox = esaa.roadmap / "inbox"
    inbox.mkdir()
    (inbox / "agent-impl__1.json").write_bytes(data)
    outcome = esaa("inbox", "--once")
    assert (outcome.code, outcome.err) == (5, "")
    assert outcome.out.startswith(f"agent-impl__1.json: rejected, {payload['error_code']}: ")
    assert outcome.out.count("\n") == 1
    one_refusal(esaa, lines, error_code)
    assert (inbox / "rejected" / "agent-impl__1.json").read_bytes() == data
    assert [path.name for path in inbox.iterdir()] == ["rejected"]

    assert project_files(esaa) == files
    esaa.assert_sound()


def test_the_good_result_is_good(patient: Workbench) -> None:
    patient.ok("submit", "-", "--actor", "agent-impl", stdin=GOOD)
    assert (patient.root / "src/script.js").read_text() == "1\n"
    patient.assert_sound()


@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_not_strict_json(patient: Workbench, name: str) -> None:
    refused_everywhere(patient, NOT_JSON[name], "JSON_INVALID")


@pytest.mark.parametrize("name", NOT_A_RESULT)
def test_what_is_no_agent_result(patient: Workbench, name: str) -> None:
    refused_everywhere(patient, NOT_A_RESULT[name], "SCHEMA_INVALID")


@pytest.mark.parametrize("name", CODED)
def test_what_the_rules_refuse(patient: Workbench, name: str) -> None:
    data, error_code = CODED[name]
    refused_everywhere(patient, data, error_code)


ILLEGAL_PATHS = [
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "../outside.txt",
    "src/../../outside.txt",
    "src/../src/a.js",
    "./src/a.js",
    "src/./a.js",
    "src//a.js",
    "src/",
    "src/a.js/",
    "src/a\x00.js",
    "src/a\n.js",
    "src/a\x1b[31m.js",
    "src/a\x7f.js",
    "src/a\x85.js",
    "src\\a.js",
    "..\\outside.txt",
    "C:/a.js",
    "c:a.js",
    "C:\\a.js",
    "\\\\host\\share\\a",
    "src/CON",
    "src/con.js",
    "src/nul.tar.gz",
    "src/COM1.txt",
    "src/lpt9",
    "src/aux",
    "src/a.js.",
    "src/a.js ",
    "src./a.js",
    "src /a.js",
    " src/a.js",
    "src/a.js:stream",
    "src/a*.js",
    "src/a?.js",
    'src/a".js',
    "src/a|b",
    "src/a<b",
    "src/a\u202e.js",
    "src/a\u200b.js",
    "src/a\u2028.js",
    "src/e\u0301.js",
    "~/a.js",
    "-rf",
    "src/-rf",
    "src/" + "a" * 256,
    "/".join(["src"] + ["d"] * 70),
    "a" * 2000,
    "PROGRA~1/a.js",
]
"""Paths that are none on some system that a log may travel to."""

PROTECTED_PATHS = [
    ".roadmap/activity.jsonl",
    ".roadmap/roadmap.json",
    ".roadmap/new.txt",
    ".ROADMAP/activity.jsonl",
    ".Roadmap/x",
    ".roadmap/.esaa/lock",
    ".git/config",
    ".git/hooks/pre-commit",
    ".GIT/config",
    ".Git/hooks/post-checkout",
    ".git",
    ".roadmap",
    ".\uff52oadmap/x",
    ".ro\u0430dmap\u200b/x",
    ".g\u200cit/config",
    ".\uff47it/config",
    ".roadmap./x",
    ".roadmap /x",
    ".git./config",
    "GIT~1/config",
    ".roadmap::$DATA",
    ".git\\config",
    ".claude/settings.json",
    ".CODEX/config.toml",
    ".gemini/x",
    ".husky/pre-commit",
    ".githooks/pre-commit",
]
"""T-3 may write `**`, and these all the same not."""


def free(esaa: Workbench) -> list[bytes]:
    """The lines of the log, after T-3 was given attempts again where it had none."""
    if esaa.ok("status", "T-3", "--json").answer["open_issues"]:
        esaa.ok("issue", "resolve", "ISS-ATTEMPTS-T-3")
    return esaa.lines()


def assert_path_refused(esaa: Workbench, path: str, files: dict[str, bytes], *, source: Path) -> None:
    lines = free(esaa)
    data = updates({"path": path, "content": "x"})
    outcome = esaa("submit", "-", "--actor", "agent-impl", stdin=data)
    assert_one_line(outcome, 5)
    payload = one_refusal(esaa, lines, None)
    assert payload["error_code"] in ("PATH_INVALID", "BOUNDARY_VIOLATION", "SCHEMA_INVALID"), payload
    assert payload["error_code"] != "SCHEMA_INVALID" or path == "" or len(path) > 1000
    lines = free(esaa)
    (esaa.roadmap / "inbox").mkdir(exist_ok=True)
    (esaa.roadmap / "inbox" / "agent-impl__1.json").write_bytes(data)
    assert esaa("inbox", "--once").code == 5
    assert one_refusal(esaa, lines, None)["error_code"] == payload["error_code"]
    if "=" not in path and "\x00" not in path:
        lines = free(esaa)
        outcome = esaa("complete", "T-3", "--actor", "agent-impl", "--check", "read", "--file", f"{path}={source}")
        assert_one_line(outcome, 5)
        assert one_refusal(esaa, lines, None)["error_code"] == payload["error_code"]
    assert project_files(esaa) == files
    esaa.assert_sound()


def test_illegal_and_protected_paths_are_refused_at_every_entrance(patient: Workbench, tmp_path: Path) -> None:
    source = tmp_path / "source.js"
    source.write_text("x")
    files = project_files(patient)
    (patient.root.parent / "outside.txt").write_text("untouched")
    for path in ILLEGAL_PATHS + PROTECTED_PATHS:
        assert_path_refused(patient, path, files, source=source)
    assert (patient.root.parent / "outside.txt").read_text() == "untouched"
    assert not (patient.root / ".git").exists()


def test_paths_that_are_fine_are_written(patient: Workbench) -> None:
    files = {"src/añb/ç 1.js": "1", "docs/.hidden/x..y": "2", "src/con1.js": "3", "Makefile": "4", ".gitignore": "5"}
    patient.ok("submit", "-", "--actor", "agent-impl", stdin=result("complete", "T-3", files))
    for name, content in files.items():
        assert (patient.root / name).read_text() == content
    patient.assert_sound()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("src/a.js", "src/a.js"),
        ("src/a.js", "src/A.js"),
        ("src/é.js", "src/É.js"),
        ("src/ß.js", "src/ss.js"),
        ("src/ﬁle.js", "src/file.js"),
        ("src/a", "src/a/b.js"),
        ("src/A/b/c", "src/a"),
    ],
)
def test_the_same_effective_path_twice(patient: Workbench, first: str, second: str) -> None:
    data = updates({"path": first, "content": "1"}, {"path": second, "content": "2"})
    refused_everywhere(patient, data, "FILE_UPDATE_DUPLICATE_PATH")


def a_symlink_to_a_file(root: Path) -> None:
    (root / "src" / "x.js").symlink_to(root / "src" / "kept.js")


def a_dangling_symlink(root: Path) -> None:
    (root / "src" / "x.js").symlink_to("nowhere.js")


def a_symlink_out(root: Path) -> None:
    (root / "src" / "x.js").symlink_to("/etc/hostname")


def a_hardlink(root: Path) -> None:
    os.link(root / "src" / "kept.js", root / "src" / "x.js")


def a_directory(root: Path) -> None:
    (root / "src" / "x.js").mkdir()


def a_fifo(root: Path) -> None:
    os.mkfifo(root / "src" / "x.js")


def a_socket(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(root / "src")  # a socket's path may not be long
        listener.bind("x.js")
        os.chdir(here)


@pytest.mark.parametrize(
    "obstacle", [a_symlink_to_a_file, a_dangling_symlink, a_symlink_out, a_hardlink, a_directory, a_fifo, a_socket]
)
def test_what_lies_where_a_file_goes(patient: Workbench, obstacle: Callable[[Path], None]) -> None:
    obstacle(patient.root)
    refused_everywhere(patient, updates({"path": "src/x.js", "content": "1"}), "PATH_INVALID")
    if obstacle is a_dangling_symlink:
        assert not (patient.root / "src" / "nowhere.js").exists()


@pytest.mark.parametrize("target", ["elsewhere", "src", ".", ".roadmap", "/tmp"])
def test_a_symlinked_directory_on_the_way(patient: Workbench, target: str) -> None:
    (patient.root / "elsewhere").mkdir()
    (patient.root / "lib").symlink_to(target)
    refused_everywhere(patient, updates({"path": "lib/x.js", "content": "1"}), "PATH_INVALID")


def test_a_file_where_a_directory_goes(patient: Workbench) -> None:
    refused_everywhere(patient, updates({"path": "src/kept.js/x.js", "content": "1"}), "PATH_INVALID")


def test_a_root_that_is_reached_by_a_link_is_no_obstacle(patient: Workbench, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(patient.root)
    patient.ok("--root", str(tmp_path / "link"), "submit", "-", "--actor", "agent-impl", stdin=GOOD)
    assert (patient.root / "src/script.js").read_text() == "1\n"


def test_complete_refuses_files_that_cannot_be_delivered(patient: Workbench) -> None:
    before = patient.log.read_bytes()
    (patient.root / "src" / "picture.js").write_bytes(b"\xff\xd8\xff")
    line = ["complete", "T-3", "--actor", "agent-impl", "--check", "read", "--file"]
    for item, code in (("src/picture.js", 2), ("src/nothing.js", 7), ("src", 7), ("src/a.js=nothing", 7)):
        outcome = patient(*line, item)
        assert_one_line(outcome, code)
        assert item.partition("=")[2] or item in outcome.err
    assert patient.log.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        ["status", "T\udcff"],
        ["claim", "T\udcff", "--actor", "agent-impl"],
        ["claim", "T-1", "--actor", "\udcff"],
        ["task", "create", "T\udcff", "--kind", "spec", "--title", "x"],
        ["task", "create", "T-7", "--kind", "spec", "--title", "\udcff"],
        ["log", "\udcff"],
        ["--root", "\udcff", "status"],
        ["issue", "resolve", "ISS-1", "--note", "\udcff"],
        ["submit", "\udcff", "--actor", "agent-impl"],
        ["\udcff"],
    ],
)
def test_arguments_that_are_no_text(patient: Workbench, line: list[str]) -> None:
    before = patient.tree()
    outcome = patient(*line)
    assert_one_line(outcome, 2)
    assert "is not UTF-8 text" in outcome.err
    assert patient("--json", *line).error["code"] == "TEXT_INVALID"
    assert patient.tree() == before


def test_arguments_that_are_no_text_in_a_real_process(patient: Workbench) -> None:
    import subprocess
    import sys

    line: list[str | bytes] = [
        sys.executable,
        "-m",
        "esaa",
        "task",
        "create",
        b"T-\xff",
        "--kind",
        "spec",
        "--title",
        "x",
    ]
    done = subprocess.run(line, cwd=patient.root, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("text", ["", " ", "a\x1b[2Jb", "a\nb", "x" * 10_000, "\u202e", "-", "../x", "T 1", "T/1"])
def test_odd_words_in_commands_never_break_anything(patient: Workbench, text: str) -> None:
    """Whatever the words are: an answer or a refusal, one line of complaint at the most, and a sound log."""
    for line in (
        ["claim", text, "--actor", "agent-spec"],
        ["claim", "T-1", "--actor", text],
        ["complete", "T-3", "--actor", "agent-impl", "--check", text],
        ["review", "T-3", "--actor", "agent-qa", "--request-changes", text],
        ["task", "create", text, "--kind", "spec", "--title", "x"],
        ["task", "create", "T-8", "--kind", "spec", "--title", text],
        ["task", "create", "T-9", "--kind", "spec", "--title", "x", "--output", text],
        ["task", "create", "T-10", "--kind", "spec", "--title", "x", "--grant", text],
        [
            "issue",
            "report",
            "T-1",
            "--actor",
            "agent-qa",
            "--id",
            text,
            "--severity",
            "low",
            "--title",
            "x",
            "--symptom",
            "x",
            "--step",
            "x",
        ],
        ["issue", "resolve", text],
        ["hotfix", "create", text],
        ["reject", text, "--actor", "agent-impl", "--message", "x"],
        ["reject", "T-3", "--actor", "agent-impl", "--message", text],
        ["status", text],
        ["show", text],
        ["log", text],
        ["dispatch-context", text],
        ["submit", text, "--actor", "agent-impl"],
        ["verify", text],
    ):
        outcome = patient(*line)
        assert outcome.code in (0, 2, 5, 7, 10), (line, outcome)
        assert "bug in esaa" not in outcome.err
        assert "\x1b" not in outcome.out + outcome.err
        assert "\u202e" not in outcome.out + outcome.err
        if outcome.code:
            assert outcome.err.count("\n") <= 1 or outcome.err.count("warning: ") == outcome.err.count("\n") - 1, (
                outcome
            )
    patient.ok("status")
    patient.ok("task", "list")
    patient.assert_sound()
