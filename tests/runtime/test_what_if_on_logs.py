"""What-if over real workspaces: runs, simulations, the logs of another writer; and what was refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from esaa.config import Config
from esaa.errors import ContractError, NotFound, UsageError
from esaa.history.asked import FOREIGN, NOT_KEPT
from esaa.history.what_if import OUTSIDE
from esaa.open import open_machine
from esaa.runtime.history.machine import TimeMachine
from esaa.runtime.history.what_if import EDITS_MAX, InsertedFile, Wishes, parse_edit, parse_insert
from tests.simulation.projects import simulate
from tests.workspaces import NO_COOLDOWN, make_workspace, new_task, result, run, submit

PAGE = new_task("T-1", outputs=["src/page.html"])
FILES = {"src/page.html": "<p>page</p>"}


def machine_of(root: Path) -> TimeMachine:
    """The time machine of the log in `root`."""
    return open_machine(root, config=Config(config_dir=str(root.parent / "config")))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in which an output was refused, and a task is done."""
    workspace = make_workspace(tmp_path / "project", [PAGE], edits=NO_COOLDOWN)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    submit(workspace, "agent-impl", result("complete", "T-1", files={"lib/x.js": "1"}))
    submit(workspace, "agent-impl", result("complete", "T-1", files=FILES))
    submit(workspace, "agent-qa", result("review", "T-1"))
    return workspace.root


def seq_of(root: Path, action: str) -> int:
    """The first event of an action."""
    lines = (root / ".roadmap" / "activity.jsonl").read_bytes().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if json.loads(line)["action"] == action)


def everything(root: Path) -> dict[str, bytes]:
    """The project and its log; not what is disposable."""
    kept = (path for path in root.rglob("*") if path.is_file() and ".esaa" not in path.parts)
    return {str(path): path.read_bytes() for path in kept}


def test_no_change_changes_nothing_and_nothing_is_written(root: Path) -> None:
    before = everything(root)
    found = machine_of(root).what_if(Wishes())
    assert found.is_hypothetical
    assert (found.total, found.changes_total, found.first_divergence, found.not_judged) == (0, 0, None, {})
    assert found.counts["rejected"] == 1
    assert found.cli == "esaa what-if"
    assert everything(root) == before


def test_no_change_changes_nothing_in_a_run_of_agents(tmp_path: Path) -> None:
    tasks = [new_task(f"T-{number}", outputs=[f"src/{number}"]) for number in range(6)]
    workspace = make_workspace(tmp_path / "project", tasks, edits=NO_COOLDOWN)
    assert asyncio.run(run(workspace, parallel=2)).outcome == "success"
    found = machine_of(workspace.root).what_if(Wishes())
    assert (found.total, found.changes_total, found.not_judged) == (0, 0, {})
    assert found.counts["accepted"] >= 6 * 4


@pytest.mark.parametrize("seed", range(12))
def test_no_change_changes_nothing_in_a_simulated_project(seed: int, tmp_path: Path) -> None:
    simulate(seed, tmp_path)
    found = machine_of(tmp_path / "project").what_if(Wishes())
    assert (found.outcomes, found.changes, found.first_divergence) == ((), (), None)
    assert set(found.not_judged) <= {NOT_KEPT, OUTSIDE}, "what is not judged is so for what the log cannot have"
    assert sum(found.not_judged.values()) <= found.counts["decisions"] / 3


@pytest.mark.parametrize("name", ["esaa-0.4.0-initial", "esaa-0.4.1-147-events", "esaa-0.4.1-1821-events"])
def test_logs_of_another_writer_are_folded_and_not_judged(name: str, real_logs: Path, root: Path) -> None:
    log = root / ".roadmap" / "activity.jsonl"
    log.write_bytes((real_logs / name / "activity.jsonl").read_bytes())
    machine = machine_of(root)
    found = machine.what_if(Wishes())
    assert (found.total, found.changes_total) == (0, 0)
    assert set(found.not_judged) <= {FOREIGN}
    if found.not_judged:
        gone = machine.what_if(Wishes(drop=("HEAD~3",)))
        assert gone.counts["rejected"] == 0, "nothing is guessed"


def test_without_its_claim_the_delivery_would_be_refused(root: Path) -> None:
    claim = seq_of(root, "claim")
    found = machine_of(root).what_if(Wishes(drop=(f"#{claim}",)))
    assert [(one.name, one.was, one.is_, one.error_code) for one in found.outcomes] == [
        ("claim", "accepted", "dropped", None),
        ("complete", "rejected", "rejected", "MISSING_CLAIM"),
        ("complete", "accepted", "rejected", "MISSING_CLAIM"),
        ("review", "accepted", "rejected", "MISSING_CLAIM"),
    ]
    assert found.first_divergence == claim
    assert found.cli == f"esaa what-if --drop '#{claim}'"
    assert {"/tasks/T-1/status", "/files/src~1page.html"} <= {one.pointer for one in found.changes}


def test_pages_of_outcomes_and_changes_carry_their_totals(root: Path) -> None:
    wishes = Wishes(drop=(str(seq_of(root, "claim")),))
    found = machine_of(root).what_if(wishes, offset=1, count=2)
    assert (found.total, found.offset, len(found.outcomes)) == (4, 1, 2)
    assert len(found.changes) == 2 < found.changes_total


def test_other_contracts_are_asked(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    text = (root / ".roadmap" / "AGENT_CONTRACT.yaml").read_text()
    wide = text.replace('write: ["src/**", "tests/**"]', 'write: ["src/**", "lib/**"]')
    (other / "AGENT_CONTRACT.yaml").write_text(wide)
    found = machine_of(root).what_if(Wishes(contracts=other))
    assert found.outcomes[0].was_error_code == "BOUNDARY_VIOLATION"
    assert found.outcomes[0].is_ == "accepted"
    assert found.counts["newly_accepted"] == 1
    inner = tmp_path / "project2" / ".roadmap"
    inner.mkdir(parents=True)
    (inner / "AGENT_CONTRACT.yaml").write_text(wide)
    assert machine_of(root).what_if(Wishes(contracts=inner.parent)).counts == found.counts
    (other / "AGENT_CONTRACT.yaml").write_text("nonsense: [")
    with pytest.raises(ContractError):
        machine_of(root).what_if(Wishes(contracts=other))
    with pytest.raises(NotFound, match="no contract file"):
        machine_of(root).what_if(Wishes(contracts=tmp_path / "nowhere"))


def test_edit_and_insert_as_a_person_writes_them(root: Path) -> None:
    refused, review = seq_of(root, "output.rejected"), seq_of(root, "review")
    late = json.dumps({"actor": "agent-impl", **json.loads(result("claim", "T-1"))}).encode()
    wishes = Wishes(
        edit=(
            f'#{refused}:/output/file_updates/0/path="src/x.js"',
            f'{review}:/payload/decision="request_changes"',
            f'{review}:/payload/tasks=["mend it"]',
        ),
        insert=(InsertedFile(data=late, name="late.json", ref="HEAD"),),
    )
    found = machine_of(root).what_if(wishes)
    assert [(one.name, one.was, one.is_) for one in found.outcomes] == [
        ("complete", "rejected", "accepted"),
        ("complete", "accepted", "rejected"),
        ("review", "accepted", "accepted"),
        ("claim", "absent", "rejected"),
    ]
    assert "late.json@HEAD" in found.cli


def test_moments_before_and_after_the_log_are_no_events(root: Path) -> None:
    machine = machine_of(root)
    for ref in ("0", "99999"):
        with pytest.raises(NotFound):
            machine.what_if(Wishes(drop=(ref,)))
    with pytest.raises(NotFound):
        machine.what_if(Wishes(drop=("HEAD",)), at="3")


def test_story_up_to_a_moment(root: Path) -> None:
    claim = seq_of(root, "claim")
    found = machine_of(root).what_if(Wishes(drop=(str(claim),)), at=str(claim + 1))
    assert found.at == claim + 1
    assert [one.is_ for one in found.outcomes] == ["dropped"]


def test_log_without_contracts_cannot_be_decided_again(root: Path) -> None:
    machine = machine_of(root)
    from msgspec.structs import replace

    with pytest.raises(ContractError, match="contracts of this log"):
        TimeMachine(machine.past, replace(machine.sources, rules=None)).what_if(Wishes())


def test_damaged_content_is_as_good_as_none(root: Path) -> None:
    for path in (root / ".roadmap" / "blobs").rglob("*"):
        if path.is_file():
            path.write_bytes(b"other")
    found = machine_of(root).what_if(Wishes())
    assert found.changes_total == 0
    assert sum(found.not_judged.values()) == 2


def test_too_many_edits_are_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="More than"):
        machine_of(root).what_if(Wishes(drop=("1",) * (EDITS_MAX + 1)))


@pytest.mark.parametrize(
    ("text", "ref", "pointer", "value"),
    [
        ('#12:/payload/decision="approve"', "#12", "/payload/decision", "approve"),
        ('2026-02-27T01:25:22Z:/a=["x=1"]', "2026-02-27T01:25:22Z", "/a", ["x=1"]),
        ("@{2h}:/a/b=null", "@{2h}", "/a/b", None),
    ],
)
def test_edits_are_read(text: str, ref: str, pointer: str, value: Any) -> None:
    found, edit = parse_edit(text)
    assert (found, edit.pointer, edit.value) == (ref, pointer, value)


@pytest.mark.parametrize("text", ["", "12", "12:/a", ":/a=1", "12:a=1", "12:/a=yes", "12:/a=" + "[" * 5000], ids=len)
def test_edits_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_edit(text)
    assert caught.value.code == "WHAT_IF_EDIT_INVALID"


@pytest.mark.parametrize(
    ("text", "name", "ref"),
    [
        ("late.json@#12", "late.json", "#12"),
        ("a@b.json@HEAD~2", "a@b.json", "HEAD~2"),
        ("late.json@@{2h}", "late.json", "@{2h}"),
        ('{"actor": "a@b"}@12', '{"actor": "a@b"}', "12"),
    ],
)
def test_inserts_are_read(text: str, name: str, ref: str) -> None:
    assert parse_insert(text) == (name, ref)


@pytest.mark.parametrize("text", ["", "late.json", "@12", "late.json@"])
def test_inserts_without_a_place_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="FILE@REF"):
        parse_insert(text)


# What was refused.


def test_rejection_tells_what_was_asked_which_rule_and_what_came_next(root: Path) -> None:
    found = machine_of(root).rejections()
    assert (found.total, found.offset, found.cli) == (1, 0, "esaa rejections")
    (one,) = found.rejections
    assert one.asked.actor == "agent-impl"
    assert (one.asked.action, one.asked.task_id, one.asked.note) == ("complete", "T-1", "")
    assert one.asked.output["file_updates"] == [{"path": "lib/x.js", "content": "1"}]
    assert (one.rule.layer, one.rule.reason, one.rule.error_code) == (
        "boundary",
        "boundary_violation",
        "BOUNDARY_VIOLATION",
    )
    assert one.rule.message
    assert one.rule.hint
    assert one.next is not None
    assert (one.next.name, one.next.subject) == ("complete", "T-1")


def test_rejections_of_a_range(root: Path) -> None:
    machine, seq = machine_of(root), seq_of(root, "output.rejected")
    assert machine.rejections(str(seq)).rejections[0].next is None, "at that moment nothing had come next"
    assert machine.rejections(str(seq - 1)).total == 0
    assert machine.rejections(first=str(seq)).total == 1
    late = machine.rejections(first=str(seq + 1))
    assert late.total == 0
    assert late.cli == f"esaa rejections {seq + 1}..{machine.past.head()}"


@pytest.mark.parametrize(
    ("sent", "output", "note"),
    [
        (b"no JSON", "no JSON", ""),
        (b"x" * 70_000, None, "has 70000 bytes"),
        (b"x" * 300_000, None, "not kept"),
        (json.dumps({"notes": "ghp_" + "a1B2" * 9}).encode(), {"notes": "[redacted:github_token]"}, "secrets"),
    ],
    ids=["text", "large", "too large", "secret"],
)
def test_output_is_shown_as_far_as_it_can_be(tmp_path: Path, sent: bytes, output: Any, note: str) -> None:
    workspace = make_workspace(tmp_path / "project", [PAGE], edits=NO_COOLDOWN)
    submit(workspace, "agent-impl", sent)
    asked = machine_of(workspace.root).rejections().rejections[0].asked
    assert asked.output == output
    assert note in asked.note
    assert bool(note) is bool(asked.note)


def test_output_that_was_deleted_or_damaged_is_named(root: Path) -> None:
    digest = machine_of(root).rejections().rejections[0]
    assert digest.asked.output_bytes
    blobs = [path for path in (root / ".roadmap" / "blobs").rglob("*") if path.is_file()]
    for path in blobs:
        path.write_bytes(b"other")
    assert "is not what its name says" in machine_of(root).rejections().rejections[0].asked.note
    for path in blobs:
        path.unlink()
    assert machine_of(root).rejections().rejections[0].asked.note == "the output is not kept any more"


def test_agent_that_gave_no_answer_asked_for_nothing(tmp_path: Path) -> None:
    from esaa.errors import AgentCrashed

    def crash(*_: Any) -> bytes:
        raise AgentCrashed("AGENT_CRASHED", "it crashed", "look at it")

    workspace = make_workspace(tmp_path / "project", [PAGE], edits=NO_COOLDOWN)
    asyncio.run(run(workspace, crash, steps=1))
    one = machine_of(workspace.root).rejections().rejections[0]
    assert (one.asked.output, one.asked.note) == (None, "no output came")
    assert one.rule.error_code == "AGENT_FAILED"
