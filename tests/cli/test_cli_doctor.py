"""The doctor: every symptom is named with what to do, and what is safe is mended and recorded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.cli.workbench import Workbench

WELL = "the workspace is well"


def symptoms(esaa: Workbench) -> dict[str, tuple[str, str]]:
    """By code: severity and message. Each one says what to do."""
    outcome = esaa("doctor", "--json")
    found = outcome.answer["symptoms"]
    assert all(one["message"] and one["hint"] for one in found), found
    assert all("\n" not in one["message"] + one["hint"] for one in found), found
    assert outcome.code == (1 if any(one["severity"] == "error" for one in found) else 0)
    assert outcome.answer["repaired"] == []
    return {one["code"]: (one["severity"], one["message"]) for one in found}


def repaired(esaa: Workbench) -> list[str]:
    """What the repair says it did; afterwards the workspace is well, and the log verifies."""
    outcome = esaa("doctor", "--repair", "--json")
    assert outcome.code == 0, outcome
    esaa.assert_sound()
    again = esaa("doctor", "--repair")
    assert again.out == f"{WELL}\n", "a second repair has nothing to do"
    texts: list[str] = outcome.answer["repaired"]
    return texts


def repairs_recorded(esaa: Workbench) -> list[tuple[str, str]]:
    return [
        (event["payload"]["target"], event["payload"]["change"])
        for event in esaa.events()
        if event["action"] == "orchestrator.view.mutate" and event["payload"]["change"] != "projected"
    ]


def test_a_well_workspace_is_well(finished: Workbench) -> None:
    before = finished.tree()
    assert finished.ok("doctor").out == f"{WELL}\n"
    assert finished.ok("doctor", "--json").answer == {"repaired": [], "symptoms": []}
    assert finished.tree() == before
    log = finished.log.read_bytes()
    assert finished.ok("doctor", "--repair").out == f"{WELL}\n"
    assert finished.log.read_bytes() == log


def test_looking_changes_nothing_however_ill(finished: Workbench) -> None:
    finished.log.write_bytes(finished.log.read_bytes()[:-7])
    (finished.roadmap / "roadmap.json").write_text("{}")
    (finished.root / "src/a.txt").unlink()
    before = finished.tree()
    assert {"TORN_TAIL", "FILE_DIFFERS"} <= set(symptoms(finished))
    assert finished("doctor").code == 1
    assert finished.tree() == before


def test_a_folder_that_is_no_workspace(esaa: Workbench) -> None:
    outcome = esaa("doctor", "--root", str(esaa.root))
    assert outcome.code == 1
    assert "WORKSPACE_NOT_FOUND" in outcome.out
    esaa.roadmap.mkdir()
    assert "LOG_NOT_FOUND" in esaa("doctor").out
    esaa.log.symlink_to("/dev/null")
    assert "LOG_IS_LINK" in esaa("doctor").out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AGENT_CONTRACT.yaml", None),
        ("RUNTIME_POLICY.yaml", "attempts: ["),
        ("agents_swarm.yaml", "contract: no\n"),
        ("ORCHESTRATOR_CONTRACT.yaml", "\x00"),
        ("STORAGE_POLICY.yaml", "a: &a [*a]"),
    ],
)
def test_a_wrong_contract_is_a_symptom(finished: Workbench, name: str, text: str | None) -> None:
    if text is None:
        (finished.roadmap / name).unlink()
    else:
        (finished.roadmap / name).write_text(text)
    found = symptoms(finished)
    assert any(severity == "error" and name in message for severity, message in found.values()), found
    assert finished("doctor", "--repair").code == 8


def test_a_key_that_others_can_read_is_not_used(finished: Workbench, user: object) -> None:
    from pathlib import Path

    assert isinstance(user, Path)
    key = user / "esaa" / "state.key"
    finished.ok("status")
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    assert symptoms(finished)["NO_STATE_KEY"][0] == "warning"
    finished.ok("status")
    key.chmod(0o600)
    assert symptoms(finished) == {}


def test_a_torn_tail_is_mended(finished: Workbench) -> None:
    torn = b'{"schema_version":"0.4.0","ev'
    sound = finished.log.read_bytes()
    finished.log.write_bytes(sound + torn)
    severity, message = symptoms(finished)["TORN_TAIL"]
    assert severity == "error"
    assert f"activity.jsonl:{len(finished.lines())} " in message
    (text,) = repaired(finished)
    (copy,) = (finished.roadmap / "snapshots").iterdir()
    assert copy.name in text
    assert copy.read_bytes() == torn
    assert ("log", "torn tail moved to quarantine") in repairs_recorded(finished)
    assert finished.log.read_bytes().startswith(sound)


def test_an_unclosed_batch_is_mended(claimed: Workbench) -> None:
    (claimed.root / "a.js").write_text("1\n")
    claimed.ok("complete", "T-3", "--actor", "agent-impl", "--check", "read", "--file", "src/script.js=a.js")
    lines = claimed.lines()
    start = max(number for number, line in enumerate(lines) if b'"action":"complete"' in line)
    claimed.write_log(lines[: start + 2])
    (claimed.roadmap / ".esaa" / "cursors.json").unlink()  # a crash in the middle of an append saves no cursor
    claimed.unsign()
    assert symptoms(claimed)["UNCLOSED_BATCH"][0] == "error"
    outcome = claimed("doctor", "--repair")
    assert "unacknowledged batch moved to quarantine" in outcome.out
    assert ("log", "unacknowledged batch moved to quarantine") in repairs_recorded(claimed)
    assert claimed.ok("status", "T-3", "--json").answer["task"]["status"] == "in_progress"
    claimed.assert_sound()


def test_unpublished_files_are_published(finished: Workbench) -> None:
    right = (finished.root / "src/a.txt").read_bytes()
    shutil.rmtree(finished.root / "src")
    (finished.root / "docs/spec/a.md").unlink()
    assert symptoms(finished)["FILE_DIFFERS"][0] == "error"
    assert repaired(finished) == ["published again: docs/spec/a.md, src/a.txt"]
    assert (finished.root / "src/a.txt").read_bytes() == right
    assert ("files", "published again") in repairs_recorded(finished)


def test_a_file_that_somebody_changed_is_left_alone(finished: Workbench) -> None:
    (finished.root / "src/a.txt").write_text("mine\n")
    (finished.root / "docs/spec/a.md").unlink()
    outcome = finished("doctor", "--repair")
    assert outcome.code == 1
    assert (finished.root / "src/a.txt").read_text() == "mine\n"
    assert (finished.root / "docs/spec/a.md").is_file()
    first, second = outcome.out.splitlines()
    assert first == "repaired: published again: docs/spec/a.md"
    assert second.startswith("error FILE_DIFFERS: src/a.txt `src/a.txt` was changed since")
    log = finished.log.read_bytes()
    assert finished("doctor", "--repair").code == 1
    assert finished.log.read_bytes() == log, "what cannot be mended is not recorded again and again"


def a_lost_blob(esaa: Workbench) -> None:
    shutil.rmtree(esaa.roadmap / "blobs")
    (esaa.root / "src/a.txt").unlink()


def a_directory_in_the_way(esaa: Workbench) -> None:
    (esaa.root / "src/a.txt").unlink()
    (esaa.root / "src/a.txt").mkdir()


def a_link_in_the_way(esaa: Workbench) -> None:
    (esaa.root / "src/a.txt").unlink()
    (esaa.root / "src/a.txt").symlink_to("/etc/hostname")


@pytest.mark.parametrize("harm", [a_lost_blob, a_directory_in_the_way, a_link_in_the_way])
def test_what_cannot_be_published_stays_a_symptom(finished: Workbench, harm: Callable[[Workbench], None]) -> None:
    harm(finished)
    log = finished.log.read_bytes()
    outcome = finished("doctor", "--repair")
    assert outcome.code == 1
    assert "FILE_DIFFERS" in outcome.out
    assert WELL not in outcome.out
    assert finished.log.read_bytes() == log


@pytest.mark.parametrize("names", [["roadmap.json"], ["issues.json", "lessons.json"], ["roadmap.json", "issues.json"]])
def test_edited_read_models_are_projected_again(finished: Workbench, names: list[str]) -> None:
    for name in names:
        (finished.roadmap / name).write_text("{}")
    assert finished("doctor").code == 1
    (text,) = repaired(finished)
    assert text == f"{', '.join(names)} had been changed by hand; projected again from the log"
    assert "verify.fail" in finished.actions()


def test_lost_disposables_are_made_again(finished: Workbench) -> None:
    """Without cursors nobody can know who changed a read model; it is projected again, and that is said."""
    shutil.rmtree(finished.roadmap / ".esaa")
    (finished.roadmap / "issues.json").write_text("{}")
    assert finished("doctor").code == 1
    assert repaired(finished) == ["projected again: issues.json"]
    shutil.rmtree(finished.roadmap / ".esaa")
    assert finished.ok("doctor", "--repair").out == f"{WELL}\n"


def test_everything_at_once_is_mended_at_once(finished: Workbench) -> None:
    finished.log.write_bytes(finished.log.read_bytes() + b"{")
    (finished.roadmap / "roadmap.json").write_text("{}")
    (finished.root / "src/a.txt").unlink()
    texts = repaired(finished)
    assert any("torn tail" in text for text in texts)
    assert any("published again: src/a.txt" in text for text in texts)


def test_damage_is_named_and_never_mended(finished: Workbench) -> None:
    lines = finished.lines()
    finished.write_log([*lines[:4], *lines[5:]])
    damaged = finished.log.read_bytes()
    severity, message = symptoms(finished)["EVENT_SEQ_INVALID"]
    assert severity == "error"
    assert "activity.jsonl:5 " in message
    shutil.rmtree(finished.roadmap / ".esaa")
    outcome = finished("doctor", "--repair")
    assert outcome.code == 4
    assert "line 5" in outcome.err
    assert finished.log.read_bytes() == damaged


def test_versions_that_differ_are_a_warning(finished: Workbench) -> None:
    for path in finished.roadmap.glob("*.yaml"):
        path.write_text(path.read_text().replace("version: 0.4.0", "version: 0.4.1"))
    assert symptoms(finished)["VERSIONS_DIFFER"][0] == "warning"
    assert WELL in finished.ok("doctor").out


def test_staged_leftovers_are_a_note(finished: Workbench) -> None:
    staging = finished.roadmap / ".esaa" / "staging"
    staging.mkdir(exist_ok=True)
    (staging / "EV-00000009-0123").write_text("half")
    assert symptoms(finished)["STAGING_LEFT"][0] == "note"
    assert "swept up: 1 file(s)" in finished.ok("doctor", "--repair").out
    assert not list(staging.iterdir())


def test_litter_of_a_killed_command_is_a_note_and_is_swept_up(finished: Workbench) -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    litter = finished.roadmap / "blobs" / f".abcd.{process.pid}.140.tmp"
    litter.write_text("half")
    assert symptoms(finished)["LITTER_LEFT"][0] == "note"
    assert WELL in finished.ok("doctor").out
    assert "swept up: 1 file(s)" in finished.ok("doctor", "--repair").out
    assert not litter.exists()


def test_a_lesson_that_cannot_be_enforced_is_a_warning(planned: Workbench) -> None:
    """Another writer's lesson; our own entrance refuses such a one."""
    event = {
        "schema_version": "0.4.0",
        "event_id": "EV-00000001",
        "event_seq": 1,
        "ts": "2026-01-05T09:00:00Z",
        "actor": "orchestrator",
        "action": "orchestrator.view.mutate",
        "payload": {
            "target": "lessons",
            "change": "replaced",
            "lessons": [
                {
                    "lesson_id": "LES-0001",
                    "status": "active",
                    "title": "x",
                    "mistake": "x",
                    "rule": "be careful",
                    "scope": {"task_kinds": ["spec"]},
                    "enforcement": {"mode": "reject", "applies_to": "boundaries"},
                }
            ],
        },
    }
    planned.write_log([json.dumps(event).encode() + b"\n"])
    (planned.roadmap / ".esaa" / "cursors.json").unlink()
    planned.unsign()
    planned.ok("project")
    assert symptoms(planned)["LESSON_NOT_ENFORCEABLE"][0] == "warning"
