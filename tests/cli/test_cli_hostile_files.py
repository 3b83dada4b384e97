"""Something else where a file belongs: a pipe, a link, a folder, an endless device, bytes that are no text.

No command hangs, none ends with a bug, and what can be made again is made again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench

pytestmark = pytest.mark.timeout(60)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


def _no_text(path: Path) -> None:
    path.write_bytes(b'{"a": "\xff\xfe"}\n')


def _deep(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)


def _wrong(path: Path) -> None:
    path.write_bytes(b'{"event_seq": [], "published": {"version": "x"}, "event_sourcing": 1}\n')


STRANGERS: tuple[Callable[[Path], None], ...] = (_pipe, _endless, _folder, _no_text, _deep, _wrong)

OWN = (
    ".roadmap/.esaa/cursors.json",
    ".roadmap/.esaa/state.snapshot",
    ".roadmap/.esaa/contracts.cache",
    ".roadmap/.esaa/unknown-actors.jsonl",
    ".roadmap/.esaa/trail-feed.json",
    ".roadmap/roadmap.json",
    ".roadmap/issues.json",
    ".roadmap/lessons.json",
)
"""What the program wrote, and can write again."""

GIVEN = (
    ".roadmap/activity.jsonl",
    ".roadmap/event-sourcing.yaml",
    ".roadmap/RUNTIME_POLICY.yaml",
    ".roadmap/agents_swarm.yaml",
    ".roadmap/anchors.yaml",
    ".roadmap/origin",
    ".git/HEAD",
    ".git/packed-refs",
    "config.toml",
)
"""What people write, or other programs."""


def put(esaa: Workbench, name: str, stranger: Callable[[Path], None]) -> None:
    path = Path(os.environ["ESAA_CONFIG_DIR"]) / name if name == "config.toml" else esaa.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    stranger(path)


@pytest.mark.parametrize("name", [*OWN, *GIVEN])
@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda one: one.__name__)
def test_nothing_hangs_and_nothing_is_a_bug(
    planned: Workbench, name: str, stranger: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "ESAA_CONFIG_DIR" not in os.environ:
        monkeypatch.setenv("ESAA_CONFIG_DIR", str(tmp_path / "config"))
    if name.startswith(".git/"):
        (planned.root / ".git").mkdir(exist_ok=True)
        (planned.root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    put(planned, name, stranger)

    outcomes = [
        planned(*line)
        for line in (
            ["status"],
            ["claim", "T-1", "--actor", "agent-spec"],
            ["submit", "-", "--actor", "stranger"],
            ["verify"],
            ["doctor"],
            ["record", "PhaseStarted", "--issue", "PROJ-1", "phase=PLAN", "expected_agents=1"],
            ["trail", "check"],
        )
    ]

    for outcome in outcomes:
        assert outcome.code not in (70,), outcome
        assert "bug in esaa" not in outcome.err
        assert "Traceback" not in outcome.err
        assert len(outcome.err) < 5000
    if name in OWN and stranger not in (_folder,):
        assert outcomes[0].code == 0, outcomes[0]
        assert outcomes[1].code == 0, outcomes[1]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda one: one.__name__)
@pytest.mark.parametrize(
    "name", ["metadata.json", "index.json", "snapshot-1.json", "snapshot-1.json.zst", "proof-1.json"]
)
def test_strangers_in_the_trail_are_passed_over(
    planned: Workbench, name: str, stranger: Callable[[Path], None]
) -> None:
    line = ["record", "PhaseStarted", "--issue", "PROJ-1", "phase=PLAN", "expected_agents=1"]
    planned.ok(*line)
    (events,) = planned.roadmap.glob("events/*/PROJ-1/events.jsonl")
    folder = events.parent.parent if name == "index.json" else events.parent
    put(planned, str((folder / name).relative_to(planned.root)), stranger)

    # A summary that cannot be written is said; the event is recorded all the same.
    assert planned(*line).code == (10 if stranger is _folder and name in ("metadata.json", "index.json") else 0)
    assert len(events.read_bytes().splitlines()) == 2
    for reader in (
        ["query"],
        ["state", "--issue", "PROJ-1"],
        ["trail", "check"],
        ["snapshot", "list", "--issue", "PROJ-1"],
        ["snapshot", "create", "--issue", "PROJ-1"],
        ["trail", "archive"],
    ):
        outcome = planned(*reader)
        assert outcome.code in (0, 1, 10), outcome
        assert "bug in esaa" not in outcome.err


def test_environment_that_is_no_text_is_an_error_of_the_settings(planned: Workbench) -> None:
    outcome = planned.process("query", env={"ESAA_SNAPSHOTS_FREQUENCY": "\udcff"})
    assert outcome.code not in (0, 70)
    assert "ESAA_SNAPSHOTS_FREQUENCY" in outcome.err


def test_closed_standard_input_is_an_error_that_says_so(planned: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    for line in (["submit", "-", "--actor", "agent-spec"], ["record", "PhaseStarted", "--data", "-"],
                 ["record", "--batch", "-"], ["audit", "check", "-"]):  # fmt: skip
        outcome = planned(*line)
        assert outcome.code not in (0, 70)
        assert "standard input is closed" in outcome.err


@pytest.mark.parametrize(
    "line",
    [
        ["submit", "/dev/zero", "--actor", "agent-spec"],
        ["record", "PhaseStarted", "--data", "@/dev/zero"],
        ["record", "--batch", "/dev/zero"],
        ["complete", "T-1", "--actor", "agent-spec", "--file", "docs/spec/a.md=/dev/zero"],
        ["replay", "PROJ-1", "--handlers", "/dev/zero"],
    ],
    ids=lambda line: " ".join(line[:2]),
)
def test_endless_file_is_read_to_the_limit(planned: Workbench, line: list[str]) -> None:
    outcome = planned(*line)
    assert outcome.code not in (0, 70), outcome
    assert "bug in esaa" not in outcome.err


def test_refusal_of_a_hostile_key_of_any_length_is_recorded(planned: Workbench) -> None:
    # Its message once repeated the key: a line too long to be recorded, and so an output that left no trace.
    key = '"' + "\x7f" * 1_900_000 + '":1'
    outcome = planned("submit", "-", "--actor", "agent-spec", stdin=("{" + key + "," + key + "}").encode())
    assert outcome.code == 5
    (last,) = [event for event in planned.events() if event["action"] == "output.rejected"]
    assert last["payload"]["error_code"] == "JSON_INVALID"
    assert len(json.dumps(last)) < 3000


def test_result_in_the_inbox_that_turns_into_a_link_is_left(
    planned: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = planned.roadmap / "inbox"
    inbox.mkdir()
    path = inbox / "agent-spec__1.json"
    path.write_bytes(b"{}")
    real = Path.stat

    def swapping(self: Path, **options: bool) -> os.stat_result:
        status = real(self, **options)
        if self == path and not os.path.islink(path):
            path.unlink()
            path.symlink_to("/etc/passwd")
        return status

    monkeypatch.setattr(Path, "stat", swapping)
    outcome = planned("inbox", "--once")
    monkeypatch.undo()
    assert outcome.code == 5
    assert "was left" in outcome.err
    assert not (inbox / "rejected").exists()
