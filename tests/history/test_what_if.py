"""What would have happened: nothing without a change, and with one just what the rules say."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.errors import UsageError
from esaa.history.asked import FOREIGN, NO_CONTENT, NOT_KEPT
from esaa.history.edits import Edit, Edits, Inserted, inserted_from
from esaa.history.trial import NO_CHECKS, NO_FILE, NO_MERGE
from esaa.history.what_if import AS_EDITED, OTHER_RULES, OUTSIDE
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.recorded import Draft
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.checks import CheckRun, staged_digest
from esaa.protocol.commands import (
    AmendTask,
    CreateHotfix,
    CreateTask,
    EndRun,
    RecordTimeout,
    RecordVerification,
    RejectOutput,
    ReportDeadlock,
    ResolveIssue,
    StartRun,
    Submit,
)
from esaa.protocol.conflicts import Meeting
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    HotfixCreated,
    IssueReported,
    OutputRejected,
    TaskAmended,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
    VerificationStarted,
)
from esaa.protocol.identity import turn_of
from esaa.protocol.rejections import reject
from esaa.protocol.result import Refused
from esaa.protocol.wire import ProtocolVocabulary
from tests.history.road import Road, changes, lying, told
from tests.protocol.test_identity import signed_rules
from tests.scenarios import IMPL, QA, SPEC, claim, complete, governed, lesson, report, review

PAGE = {"src/page.html": "<p>page</p>"}
PROVENANCE = {"model": "m-1", "tokens_in": 7}


def begun(*tasks: CreateTask) -> Road:
    """A run with some tasks; T-1 where none is named."""
    road = Road()
    road.put(StartRun())
    for task in tasks or (CreateTask(task_id="T-1", task_kind="impl", title="Make T-1", outputs=("src/page.html",)),):
        road.put(task)
    return road


def delivered() -> Road:
    """T-1 is claimed, delivered and approved."""
    road = begun()
    road.send(IMPL, claim())
    road.send(IMPL, complete(files=PAGE))
    road.send(QA, review())
    return road


def eventful() -> Road:
    """A run in which nearly everything happened."""
    road = begun(
        CreateTask(task_id="T-0", task_kind="spec", title="Say it"),
        CreateTask(task_id="T-1", task_kind="impl", title="Make it", depends_on=("T-0",), boundary_grant=("conf/**",)),
        CreateTask(task_id="T-2", task_kind="impl", title="Wait", depends_on=("T-1",)),
    )
    road.send(IMPL, claim("T-1"))  # before its time
    road.send("stranger", claim("T-0"))
    road.send(SPEC, b"no JSON at all")
    road.send(SPEC, claim("T-0", notes="mine"), asked="T-0", provenance=PROVENANCE)
    road.put(RecordTimeout(actor=SPEC, task_id="T-0", source_action="complete", message="no answer"))
    road.put(RejectOutput(task_id="T-0", actor=SPEC, error_code="BOUNDARY_VIOLATION", message="by hand"))
    road.send(SPEC, claim("T-1"), asked="T-0", provenance=PROVENANCE)  # about another task than it was asked
    failed = reject("AGENT_FAILED", "it crashed", "look")
    refused = Refused(rejected=failed, task_id="T-0", source_action="complete", result_sha256="")
    road.put(Submit(actor=SPEC, result=refused, asked_task_id="T-0"))
    road.put(ResolveIssue(issue_id="ISS-ATTEMPTS-T-0", note="go on"))
    road.send(SPEC, complete("T-0", {"docs/spec/T-0.md": "# T-0\n"}))  # without its headings
    road.send(SPEC, complete("T-0"), asked="T-0", provenance=PROVENANCE)
    road.send(QA, review("T-0", "request_changes"))
    road.send(SPEC, complete("T-0"))
    road.send(QA, review("T-0"))
    road.put(RecordVerification(expected_sha256="0" * 64))
    road.send(IMPL, claim("T-1"))
    road.send(IMPL, complete("T-1", {"docs/x.md": "outside"}))
    road.send(QA, report("T-1", "ISS-L", category="process", subtype="lesson", lesson=lesson("forbid text DRAFT")))
    road.send(IMPL, complete("T-1", {"src/a.py": "DRAFT"}))
    road.put(ResolveIssue(issue_id="ISS-ATTEMPTS-T-1"))
    road.send(IMPL, complete("T-1", {"src/a.py": "a = 1\n", "conf/a": "1"}))
    road.send(QA, review("T-1"))
    road.send(QA, claim("T-1"))
    road.put(EndRun(status="halted", message="enough"))
    road.put(StartRun())
    road.send(QA, report("T-1", "ISS-1", "medium", fixes="T-1", affected={"paths": ["src/a.py"]}))
    road.put(ReportDeadlock(task_ids=("T-2",), reasons=("it waits",)))
    road.send(IMPL, claim("HF-ISS-1"))
    edits = [{"old_string": "1", "new_string": "2"}]
    update = {"path": "src/a.py", "base_sha256": sha256_hex(b"a = 1\n"), "edits": edits}
    road.send(IMPL, complete("HF-ISS-1", [update], checks=2, issue_id="ISS-1", fixes="T-1"))
    road.send(QA, review("HF-ISS-1"))
    road.send(QA, report("T-1", "ISS-2"))
    road.put(CreateHotfix(issue_id="ISS-2", scope_patch=("src/a.py",), task_id="HF-2"))
    road.send(QA, report("T-1", "ISS-3", "critical"))
    return road


def dropped(*seqs: int) -> Edits:
    """Events are left out."""
    return Edits(dropped=frozenset(seqs))


def edited(seq: int, pointer: str, value: Any) -> Edits:
    """An event has another value."""
    return Edits(edited={seq: (Edit(pointer=pointer, value=value),)})


def inserted(after: int, value: Any, ts: str = "2026-03-01T00:30:00Z") -> Edits:
    """Something comes after an event."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Edits(inserted={after: (inserted_from(data, after, ts, "0.4.0"),)})


HOSTILE_GROUND = eventful()

# Nothing changes where nothing is changed.


def test_no_change_changes_nothing() -> None:
    road = eventful()
    found = road.what_if()
    assert changes(found) == []
    assert found.outcomes == []
    assert found.first_divergence is None
    assert dict(found.not_judged) == {NOT_KEPT: 1}, "only the stranger's output was not kept"
    assert found.counts["rejected"] == 10
    assert found.counts["accepted"] == 24
    assert found.counts["decisions"] == found.counts["accepted"] + found.counts["rejected"] + 1


ACTS = st.sampled_from(
    [
        *(claim(task_id) for task_id in ("T-1", "T-2", "T-9")),
        *(complete(task_id, {path: "x"}) for task_id in ("T-1", "T-2") for path in ("src/a", "docs/b")),
        complete("T-1", checks=0),
        *(review(task_id, decision) for task_id in ("T-1", "T-2") for decision in ("approve", "request_changes")),
        *(report(task_id, f"ISS-{severity}", severity) for task_id in ("T-1", "T-2") for severity in ("low", "high")),
        report("T-1", "ISS-F", fixes="T-2"),
        {"activity_event": {"action": "fly", "task_id": "T-1"}},
    ]
)
STEPS = st.lists(st.tuples(st.sampled_from([IMPL, QA, SPEC]), ACTS, st.booleans()), max_size=25)


def walked(steps: list[tuple[str, dict[str, Any], bool]]) -> Road:
    """A road with these outputs on it."""
    road = begun(
        CreateTask(task_id="T-1", task_kind="impl", title="One", outputs=("src/a",)),
        CreateTask(task_id="T-2", task_kind="impl", title="Two", depends_on=("T-1",)),
    )
    for actor, output, is_asked in steps:
        task_id = output["activity_event"]["task_id"]
        road.send(actor, output, **({"asked": task_id, "provenance": PROVENANCE} if is_asked else {}))
    return road


@given(STEPS)
@settings(max_examples=40)
def test_no_change_changes_nothing_on_any_road(steps: list[tuple[str, dict[str, Any], bool]]) -> None:
    found = walked(steps).what_if()
    assert changes(found) == []
    assert found.outcomes == []
    assert not found.not_judged


@given(STEPS, st.data())
@settings(max_examples=25)
def test_prefix_that_is_shared_says_the_same_as_one_that_is_decided_again(
    steps: list[tuple[str, dict[str, Any], bool]], data: st.DataObject
) -> None:
    road = walked(steps)
    edits = dropped(data.draw(st.integers(1, road.state.seq)))
    shared, whole = road.what_if(edits), road.what_if(edits, road.rules)
    assert changes(shared) == changes(whole)
    assert shared.outcomes == whole.outcomes
    assert shared.first_divergence == whole.first_divergence


# Dropped events.


def test_without_its_claim_a_delivery_is_refused_and_all_that_follows() -> None:
    road = delivered()
    seq = road.last(TaskClaimed)
    found = road.what_if(dropped(seq))
    assert told(found) == {
        seq: ("accepted", "dropped", None),
        road.last(TaskCompleted): ("accepted", "rejected", "MISSING_CLAIM"),
        road.last(TaskReviewed): ("accepted", "rejected", "MISSING_CLAIM"),
    }
    assert found.first_divergence == seq
    assert found.counts["newly_rejected"] == 2
    task = found.other.state.task("T-1")
    assert task is not None
    assert task.status == "todo"
    assert found.other.files == {}
    pointers = {one.pointer for one in changes(found)}
    assert {"/tasks/T-1/status", "/files/src~1page.html"} <= pointers


def test_without_its_task_everything_about_it_is_refused() -> None:
    road = delivered()
    found = road.what_if(dropped(road.last(TaskCreated)))
    assert {one.error_code for one in found.outcomes} == {None, "TASK_NOT_FOUND"}
    assert [one.op for one in changes(found) if one.pointer == "/tasks/T-1"] == ["remove"]


def test_without_a_refusal_an_attempt_is_left() -> None:
    road = begun()
    road.send(IMPL, claim())
    road.send(IMPL, complete(checks=0))
    found = road.what_if(dropped(road.last(OutputRejected)))
    assert found.other.state.work("T-1").attempts == 0
    assert {one.pointer for one in changes(found)} >= {"/work/T-1/attempts"}


def test_without_the_end_of_a_run_no_other_one_begins() -> None:
    road = delivered()
    road.put(EndRun(status="halted", message="enough"))
    end = road.state.seq
    road.put(StartRun())
    found = road.what_if(dropped(end))
    assert told(found) == {end: ("accepted", "dropped", None), end + 1: ("accepted", "rejected", "RUN_CONFLICT")}
    assert found.first_divergence == end
    assert found.other.state.header.run.run_id == "RUN-0001"


def test_file_that_is_dropped_was_not_delivered() -> None:
    road = begun()
    road.send(IMPL, claim())
    road.send(IMPL, complete(files=PAGE | {"src/b.css": "p {}"}))
    written = [one.version for one in road.events if isinstance(one.fact, FileWritten)]
    found = road.what_if(dropped(written[1]))
    assert told(found) == {road.last(TaskCompleted): ("accepted", "accepted", None)}
    assert [(one.op, one.pointer) for one in changes(found)] == [("remove", "/files/src~1b.css")]


def test_reaction_that_is_dropped_does_not_come_by_itself() -> None:
    road = delivered()
    road.send(QA, report("T-1", "ISS-1", fixes="T-1", affected={"paths": ["src/page.html"]}))
    found = road.what_if(dropped(road.last(HotfixCreated)))
    assert found.other.state.task("HF-ISS-1") is None
    assert "ISS-1" in found.other.state.header.issues


def test_verification_that_is_dropped_was_not_made() -> None:
    road = delivered()
    road.put(RecordVerification(expected_sha256="0" * 64))
    found = road.what_if(dropped(road.last(VerificationStarted)))
    assert told(found) == {road.last(VerificationStarted): ("accepted", "dropped", None)}
    assert [one.pointer for one in changes(found)] == ["/verification/status"]


# Other rules.


def test_narrower_contract_refuses_what_was_taken() -> None:
    narrow = governed({"AGENT_CONTRACT.yaml": [('write: ["src/**", "tests/**"]', 'write: ["src/app/**"]')]})
    road = delivered()
    found = road.what_if(other_rules=narrow)
    assert told(found) == {
        road.last(TaskCompleted): ("accepted", "rejected", "BOUNDARY_VIOLATION"),
        road.last(TaskReviewed): ("accepted", "rejected", "MISSING_COMPLETE"),
    }


def test_wider_contract_takes_what_was_refused() -> None:
    wide = governed({"AGENT_CONTRACT.yaml": [('write: ["src/**", "tests/**"]', 'write: ["src/**", "lib/**"]')]})
    road = begun()
    road.send(IMPL, claim())
    road.send(IMPL, complete(files={"lib/a.js": "1"}))
    seq = road.last(OutputRejected)
    found = road.what_if(other_rules=wide)
    assert told(found) == {seq: ("rejected", "accepted", None)}
    assert found.outcomes[0].was_error_code == "BOUNDARY_VIOLATION"
    assert found.counts["newly_accepted"] == 1
    assert found.other.sha256("lib/a.js") == sha256_hex(b"1")


def test_contract_without_the_actor_refuses_its_outputs() -> None:
    swarm = {
        "agents_swarm.yaml": [("  agent-impl:\n", "  agent-else:\n"), ("agent: agent-impl,", "agent: agent-else,")]
    }
    found = delivered().what_if(other_rules=governed(swarm))
    assert {one.error_code for one in found.outcomes} >= {"ACTOR_UNKNOWN"}


def test_stricter_schema_is_asked_as_well() -> None:
    strict = governed({"AGENT_CONTRACT.yaml": [("files_max: 200", "files_max: 1")]})
    road = begun()
    road.send(IMPL, claim())
    road.send(IMPL, complete(files=PAGE | {"src/b.css": "p {}"}))
    assert told(road.what_if(other_rules=strict)) == {
        road.last(TaskCompleted): ("accepted", "rejected", "RESOURCE_LIMIT_EXCEEDED")
    }


def test_rules_that_changed_since_are_named_and_nothing_is_guessed() -> None:
    road = delivered()
    narrow = governed({"AGENT_CONTRACT.yaml": [('write: ["src/**", "tests/**"]', 'write: ["src/app/**"]')]})
    road.rules = narrow  # the contract was changed after the run
    found = road.what_if()
    assert dict(found.not_judged) == {OTHER_RULES: 1}
    assert changes(found) == []


# Edited events.


def test_review_that_asks_for_changes_leaves_the_task_open() -> None:
    road = delivered()
    seq = road.last(TaskReviewed)
    edit = Edits(
        edited={seq: (Edit(pointer="/payload/decision", value="request_changes"), Edit(pointer="/actor", value=QA))}
    )
    found = road.what_if(edit)
    assert told(found) == {seq: ("accepted", "accepted", None)}
    assert found.outcomes[0].is_edited
    task = found.other.state.task("T-1")
    assert task is not None
    assert task.status == "in_progress"


def test_edited_actor_has_to_have_the_role() -> None:
    road = delivered()
    found = road.what_if(edited(road.last(TaskReviewed), "/actor", IMPL))
    assert found.outcomes[0].error_code == "REVIEW_ROLE_VIOLATION"


def test_edited_time_is_the_time_at_which_it_is_decided() -> None:
    road = delivered()
    found = road.what_if(edited(road.last(TaskCompleted), "/ts", "2026-03-09T00:00:00Z"))
    assert found.outcomes[0].error_code == "ATTEMPT_TIMEOUT"


def test_edited_path_is_judged_by_the_boundary() -> None:
    road = delivered()
    seq = road.last(FileWritten)
    fact = road.events[seq - 1].fact
    assert isinstance(fact, FileWritten)
    found = road.what_if(edited(seq, "/payload/effects/0/path", ".git/config"))
    assert found.outcomes[0].error_code == "BOUNDARY_VIOLATION"
    assert found.outcomes[0].seq == road.last(TaskCompleted)


def test_edited_reaction_stands_as_it_is_edited() -> None:
    road = delivered()
    road.send(QA, report("T-1", "ISS-1", fixes="T-1", affected={"paths": ["src/page.html"]}))
    found = road.what_if(edited(road.last(HotfixCreated), "/payload/title", "Another one"))
    task = found.other.state.task("HF-ISS-1")
    assert task is not None
    assert task.title == "Another one"


def test_refused_output_is_edited_and_taken() -> None:
    road = begun()
    road.send(IMPL, claim())
    road.send(IMPL, complete(files={"lib/a.js": "1"}))
    seq = road.last(OutputRejected)
    found = road.what_if(edited(seq, "/output/file_updates/0/path", "src/a.js"))
    assert told(found) == {seq: ("rejected", "accepted", None)}
    assert found.other.sha256("src/a.js") == sha256_hex(b"1")


def test_refusal_that_is_edited_itself_is_not_decided_again() -> None:
    road = begun()
    road.send(IMPL, claim())
    road.send(IMPL, complete(checks=0))
    found = road.what_if(edited(road.last(OutputRejected), "/payload/counts", False))
    assert dict(found.not_judged) == {AS_EDITED: 1}
    assert found.other.state.work("T-1").attempts == 0


def test_verification_that_is_edited_stands_as_it_is_edited() -> None:
    road = delivered()
    road.put(RecordVerification(expected_sha256="0" * 64, message="it differs", found_sha256="1" * 64))
    found = road.what_if(edited(road.state.seq, "/payload/verify_status", "odd"))
    assert found.other.state.header.verify_status == "odd"
    assert dict(found.not_judged) == {AS_EDITED: 1}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/event_seq", 7),
        ("/event_id", "EV-1"),
        ("", {}),
        ("/payload/none/such", 1),
        ("/payload/decison", "approve"),
        ("/task_id", "T-2"),
        ("/payload", []),
        ("/payload/task_id", 5),
        ("/ts", "soon"),
        ("/ts", "2026-03-01"),
        ("/output/activity_event", {}),
    ],
)
def test_edit_that_does_not_fit_is_refused(pointer: str, value: Any) -> None:
    road = delivered()
    with pytest.raises(UsageError) as caught:
        road.what_if(edited(road.last(TaskClaimed), pointer, value))
    assert caught.value.code == "WHAT_IF_EDIT_INVALID"
    assert f"#{road.last(TaskClaimed)}" in caught.value.message


def test_output_that_was_not_kept_or_is_no_json_is_not_edited() -> None:
    road = begun()
    road.send(IMPL, b"nothing")
    seq = road.last(OutputRejected)
    with pytest.raises(UsageError, match="no JSON"):
        road.what_if(edited(seq, "/output/a", 1))
    with pytest.raises(UsageError, match="not kept"):
        road.what_if(edited(seq, "/output/a", 1), contents={})


# Inserted events.


def test_late_result_is_decided_where_it_is_put() -> None:
    road = begun()
    last = road.state.seq
    road.send(IMPL, claim())
    found = road.what_if(inserted(last, {"actor": IMPL, **claim()}))
    assert [(one.was, one.is_, one.error_code) for one in found.outcomes] == [
        ("absent", "accepted", None),
        ("accepted", "rejected", "INVALID_TRANSITION"),
    ]
    assert found.counts["inserted"] == 1
    assert found.outcomes[0].name == "claim"
    assert found.outcomes[0].subject == "T-1"


def test_inserted_result_may_be_refused() -> None:
    road = delivered()
    found = road.what_if(inserted(road.state.seq, {"actor": IMPL, **complete(files=PAGE)}))
    assert [(one.is_, one.error_code) for one in found.outcomes] == [("rejected", "IMMUTABLE_DONE_VIOLATION")]
    odd = road.what_if(inserted(road.state.seq, {"actor": IMPL, "activity_event": []}))
    assert [(one.name, one.error_code) for one in odd.outcomes] == [("output", "SCHEMA_INVALID")]


def test_inserted_event_is_decided_or_seen() -> None:
    road = delivered()
    task = {"task_id": "T-5", "task_kind": "impl", "title": "Five"}
    new = {"actor": "orchestrator", "action": "task.create", "payload": task}
    found = road.what_if(inserted(road.state.seq, new))
    assert [(one.name, one.is_) for one in found.outcomes] == [("task.create", "accepted")]
    assert found.other.state.task("T-5") is not None
    end = {"actor": "orchestrator", "action": "run.end", "payload": {"status": "halted"}}
    ended = road.what_if(inserted(road.state.seq, end))
    assert not ended.other.state.header.run.is_open
    assert ended.actual.state.header.run.is_open


def test_inserted_edits_of_an_unknown_file_are_no_guess() -> None:
    road = begun()
    road.send(IMPL, claim())
    update = {"path": "src/x", "base_sha256": "0" * 64, "edits": [{"old_string": "a", "new_string": "b"}]}
    found = road.what_if(inserted(road.state.seq, {"actor": IMPL, **complete(files=[update])}))
    assert [(one.is_, one.note, one.error_code) for one in found.outcomes] == [("not_judged", NO_FILE, None)]
    assert changes(found) == []


def test_what_was_refused_can_be_inserted_as_an_event_too() -> None:
    road = begun()
    refusal = {"task_id": "T-1", "error_code": "SCHEMA_INVALID", "message": "by hand", "rejected_actor": IMPL}
    event = {"actor": "orchestrator", "action": "output.rejected", "payload": refusal}
    found = road.what_if(inserted(road.state.seq, event))
    assert found.other.state.work("T-1").attempts == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "no JSON"),
        (b"[1]", "no actor"),
        (b'{"activity_event": {}}', "no actor"),
        (b'{"actor": ""}', "no actor"),
        (b'{"actor": "a", "action": "claim", "payload": {}}', "no event"),
        (b'{"actor": "a"}', "no event"),
        (b"\xff", "no JSON"),
    ],
)
def test_what_cannot_be_inserted_is_named(data: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        inserted_from(data, 3, "2026-03-01T00:00:00Z", "0.4.0")
    assert caught.value.code == "WHAT_IF_INSERT_INVALID"


# What cannot be decided again.


def test_events_of_another_writer_are_not_judged() -> None:
    events = [msgspec.structs.replace(one, prev_hash=None) for one in delivered().events]
    found = delivered().what_if(dropped(3), events=events)
    assert set(found.not_judged) == {FOREIGN}
    assert found.counts["rejected"] == 0


def test_delivery_whose_content_is_gone_is_not_judged_but_for_what_is_sure() -> None:
    road = delivered()
    found = road.what_if(contents={})
    assert dict(found.not_judged) == {NO_CONTENT: 1}
    assert changes(found) == []
    sure = road.what_if(dropped(road.last(TaskClaimed)), contents={})
    assert told(sure)[road.last(TaskCompleted)] == ("accepted", "rejected", "MISSING_CLAIM")


def test_content_that_is_no_text_was_no_agents() -> None:
    road = delivered()
    contents = dict.fromkeys(road.contents, b"\xff")
    assert dict(road.what_if(contents=contents).not_judged) == {NO_CONTENT: 1}


def test_refusal_that_hung_on_the_disk_stays() -> None:
    road = begun()
    road.send(IMPL, claim())
    road.tree["src/page.html"] = b"from outside"
    update = {"path": "src/page.html", "base_sha256": "0" * 64, "edits": [{"old_string": "a", "new_string": "b"}]}
    road.send(IMPL, complete(files=[update]))
    assert road.what_if().outcomes == []
    update["base_sha256"] = sha256_hex(b"from outside")
    road.send(IMPL, complete(files=[update]))
    found = road.what_if()
    assert dict(found.not_judged) == {OUTSIDE: 1}
    assert changes(found) == []


def test_edits_of_a_file_that_is_not_kept_are_no_guess() -> None:
    narrow = governed({"AGENT_CONTRACT.yaml": [('write: ["src/**", "tests/**"]', 'write: ["tests/**"]')]})
    road = begun()
    road.rules = narrow
    road.send(IMPL, claim())
    update = {"path": "src/x", "base_sha256": "0" * 64, "edits": [{"old_string": "a", "new_string": "b"}]}
    road.send(IMPL, complete(files=[update]))
    found = road.what_if(other_rules=governed({}))
    assert dict(found.not_judged) == {NO_FILE: 1}


MERGING = governed({"RUNTIME_POLICY.yaml": [("conflicts: serialise", "conflicts: merge")]})


def merged() -> Road:
    """T-1 and T-2 wrote the same file; what they wrote was merged."""
    road = begun(
        CreateTask(task_id="T-1", task_kind="impl", title="One"),
        CreateTask(task_id="T-2", task_kind="impl", title="Two"),
    )
    road.rules = MERGING
    road.send(IMPL, claim("T-1"))
    road.send(IMPL, claim("T-2"))
    road.send(IMPL, complete("T-1", {"src/a": "1\n"}), based_on=1)
    meeting = Meeting(writer="T-1", base_sha256=None, proposed=b"2\n", merged=b"1\n2\n")
    found = {"src/a": msgspec.structs.replace(lying(b"1\n"), meeting=meeting)}
    road.send(IMPL, complete("T-2", {"src/a": "2\n"}), based_on=1, files=found)
    return road


def test_merge_is_taken_as_it_was_where_both_worlds_have_the_file() -> None:
    found = merged().what_if()
    assert changes(found) == []
    assert not found.not_judged
    assert found.other.sha256("src/a") == sha256_hex(b"1\n2\n")


def test_merge_with_another_file_is_no_guess() -> None:
    road = merged()
    first = next(one.version for one in road.events if isinstance(one.fact, TaskCompleted))
    assert dict(road.what_if(dropped(first)).not_judged) == {NO_MERGE: 1}


def test_file_that_lies_otherwise_is_written_over_all_the_same() -> None:
    road = begun(
        CreateTask(task_id="T-1", task_kind="impl", title="One"),
        CreateTask(task_id="T-2", task_kind="impl", title="Two"),
    )
    for task_id in ("T-1", "T-2"):
        road.send(IMPL, claim(task_id))
        road.send(IMPL, complete(task_id, {"src/a": task_id}))
        road.send(QA, review(task_id))
    first = next(one.version for one in road.events if isinstance(one.fact, TaskCompleted))
    found = road.what_if(dropped(first))
    assert found.other.files == {"src/a": found.actual.files["src/a"]}
    assert road.last(TaskCompleted) not in told(found)


COMMANDS = 'executable_checks:\n  commands: {test: ["make", "test"], lint: ["make", "lint"]}\n\nvague_checks:\n'
CHECKED = governed({"AGENT_CONTRACT.yaml": [("vague_checks:\n", COMMANDS)]})


def checked(*, has_passed: bool = True) -> Road:
    """T-1 is delivered with a check that was run."""
    road = begun()
    road.rules = CHECKED
    road.send(IMPL, claim())
    ran = CheckRun(
        name="test",
        arguments=("make", "test"),
        exit_code=0 if has_passed else 1,
        ending="exited",
        duration_ms=5,
        output_sha256="0" * 64,
        output_bytes=0,
        output_end="",
        sandbox="none",
        staged_seq=1,
        staged_sha256=staged_digest({path: text.encode() for path, text in PAGE.items()}),
    )
    output = complete(files=PAGE, verification={"checks": ["run:test", "read it line by line"]}, checks=0)
    road.send(IMPL, output, check_runs=(ran,))
    return road


def test_check_that_was_run_is_believed() -> None:
    found = checked().what_if()
    assert changes(found) == []
    assert not found.not_judged


def test_check_that_failed_would_have_to_be_run_again() -> None:
    assert dict(checked(has_passed=False).what_if().not_judged) == {OUTSIDE: 1}


def test_other_check_would_have_to_be_run() -> None:
    road = checked()
    found = road.what_if(edited(road.last(TaskCompleted), "/payload/verification/checks", ["run:lint"]))
    assert dict(found.not_judged) == {NO_CHECKS: 1}


@pytest.mark.parametrize("runs", ["nonsense", [{"kind": "run", "check": "run:test"}]], ids=str)
def test_record_of_checks_that_is_none_is_no_proof(runs: Any) -> None:
    road = checked()
    events = road.events
    place = road.last(TaskCompleted) - 1
    fact = events[place].fact
    assert isinstance(fact, TaskCompleted)
    events[place] = msgspec.structs.replace(events[place], fact=msgspec.structs.replace(fact, check_runs=runs))
    assert dict(road.what_if(events=events).not_judged) == {OTHER_RULES: 1}


def signed() -> Road:
    """T-1 is claimed and delivered under signatures; a replay of one is refused."""
    road = begun()
    road.rules = signed_rules()
    for output in (claim(), complete(files=PAGE)):
        sign_and_send(road, output)
    return road


def sign_and_send(road: Road, output: dict[str, Any]) -> None:
    """As its agent would, at its turn."""
    task = road.state.task("T-1")
    assert task is not None
    turn = turn_of(task, road.state)
    signature = {
        "workspace": "esaa.local/a1",
        "ask": turn.ask,
        "attempt": turn.attempt,
        "value": base64.b64encode(bytes(64)).decode(),
    }
    road.send(IMPL, output | {"signature": signature}, workspace="esaa.local/a1", is_genuine=True)


def test_signatures_are_those_that_the_actors_would_have_made() -> None:
    road = signed()
    sign_and_send(road, complete(files={"docs/x": "1"}))  # refused, and signed
    road.send(IMPL, claim("T-9"))  # refused: it is not signed
    found = road.what_if()
    assert changes(found) == []
    assert not found.not_judged
    dropping = road.what_if(dropped(road.last(TaskClaimed)))
    assert told(dropping)[road.last(TaskCompleted)] == ("accepted", "rejected", "MISSING_CLAIM")


def test_contract_that_wants_signatures_refuses_what_has_none() -> None:
    found = delivered().what_if(other_rules=signed_rules())
    assert {one.error_code for one in found.outcomes} == {"IDENTITY_MISSING"}


def test_answer_that_waited_for_the_run_came_in_time() -> None:
    road = begun()
    road.send(IMPL, claim())
    came = road.now
    road.minutes += 3000
    road.send(IMPL, complete(files=PAGE), received_at=came, asked="T-1", provenance=PROVENANCE)
    found = road.what_if()
    assert changes(found) == []
    assert not found.not_judged


def test_old_refusal_says_less_and_is_understood() -> None:
    road = begun()
    old: list[Fact] = [
        OutputRejected(task_id="T-1", error_code="OLD_CODE", message="of an older writer"),
        OutputRejected(error_code="SCHEMA_INVALID", message="about nothing"),
    ]
    for fact in old:
        road.record((Draft(actor="orchestrator", fact=fact),))
    found = road.what_if()
    assert changes(found) == []
    assert set(found.not_judged) <= {NOT_KEPT, OTHER_RULES}


def test_task_that_was_written_by_hand_keeps_what_no_command_says() -> None:
    road = begun()
    fact = TaskCreated(task_id="T-7", task_kind="impl", title="Seven", plugin={"a": 1}, outputs={"files": "odd"})
    road.record((Draft(actor="orchestrator", fact=fact),))
    assert changes(road.what_if()) == []


def test_amended_task_is_amended_again() -> None:
    road = Road("0.4.1")
    road.put(StartRun())
    road.put(CreateTask(task_id="T-1", task_kind="impl", title="Make it", boundary_grant=("conf/**",)))
    road.put(AmendTask(task_id="T-1", title="Make it well", outputs=("src/a",), boundary_grant=()))
    found = road.what_if()
    assert changes(found) == []
    assert not found.not_judged
    gone = road.what_if(dropped(road.last(TaskCreated)))
    assert told(gone)[road.last(TaskAmended)] == ("accepted", "rejected", "TASK_NOT_FOUND")


def test_empty_log_has_no_other_story() -> None:
    found = Road().what_if()
    assert changes(found) == []
    assert found.first_divergence is None


def test_act_that_is_made_something_else_is_seen_and_not_decided() -> None:
    road = delivered()
    found = road.what_if(edited(road.last(TaskClaimed), "/action", "verify.start"))
    assert dict(found.not_judged) == {AS_EDITED: 1}
    assert told(found)[road.last(TaskCompleted)] == ("accepted", "rejected", "MISSING_CLAIM")


def test_report_that_followed_from_a_refusal_is_edited() -> None:
    road = begun()
    road.send(IMPL, claim())
    for _ in range(3):
        road.send(IMPL, complete(checks=0))
    found = road.what_if(edited(road.last(IssueReported), "/payload/severity", "low"))
    assert found.other.state.header.issues["ISS-ATTEMPTS-T-1"].severity == "low"
    assert found.actual.state.header.issues["ISS-ATTEMPTS-T-1"].severity == "high"


ODD = st.sampled_from(
    [None, True, -1, 1 << 70, 1.5, "", "x", "../../x", "T-1", [], {}, [1], ["T-1"], {"files": [1]}, {"checks": 5}]
) | st.just([{"path": 1, "after_sha256": 7}])


@given(st.data())
@settings(max_examples=60)
def test_hostile_values_are_judged_or_named_and_never_raise(data: st.DataObject) -> None:
    vocabulary = ProtocolVocabulary()
    events = HOSTILE_GROUND.events
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(events) - 1))
        line = json.loads(vocabulary.encode(events[place]))
        name = data.draw(st.sampled_from(["actor", "ts", *(f"payload.{one}" for one in line["payload"])]))
        holder = line["payload"] if name.startswith("payload.") else line
        holder[name.removeprefix("payload.")] = data.draw(ODD)
        try:
            events[place] = vocabulary.decode(json.dumps(line).encode())
        except MalformedLine:
            continue
    found = HOSTILE_GROUND.what_if(dropped(data.draw(st.integers(1, len(events)))), events=events)
    told_of = found.counts["accepted"] + found.counts["rejected"] + found.counts["not_judged"] + found.counts["dropped"]
    assert found.counts["decisions"] == told_of
    assert isinstance(changes(found), list)


def test_progress_is_told_for_each_decision() -> None:
    seen: list[int] = []
    road = delivered()
    road.what_if(progress=seen.append)
    assert seen[-1] == road.state.seq
    assert seen == sorted(seen)


def test_monitor_is_no_agent() -> None:
    road = begun()
    road.put(ReportDeadlock(task_ids=("T-1",), reasons=("it waits",)))
    found = road.what_if(dropped(road.last(TaskCreated)))
    assert road.last(IssueReported)
    assert "ISS-DEADLOCK-T-1" not in found.other.state.header.issues


def test_nothing_is_decided_at_no_time() -> None:
    with pytest.raises(UsageError, match="another writer"):
        inserted_from(json.dumps({"actor": IMPL, **claim()}).encode(), 2, "yesterday", "0.4.0")
    events = [msgspec.structs.replace(one, ts="yesterday") for one in delivered().events]
    assert set(delivered().what_if(events=events).not_judged) == {FOREIGN}


def test_inserted_has_its_parts() -> None:
    one = inserted_from(json.dumps({"actor": IMPL, **claim()}).encode(), 2, "2026-03-01T00:00:00Z", "0.4.0")
    assert isinstance(one, Inserted)
    assert (one.actor, one.name, one.subject, one.event) == (IMPL, "claim", "T-1", None)
