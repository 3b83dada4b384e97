"""The audit of a log's meaning, and of the read models as they lie on disk: every finding, at its line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from esaa.contracts.governance import Governance
from esaa.kernel.findings import Finding
from esaa.kernel.recorded import Recorded
from esaa.protocol import envelope_audit as envelope_module
from esaa.protocol import verify as verify_module
from esaa.protocol.envelope_audit import EnvelopeAudit
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    ForeignRecorded,
    RunEnded,
    TaskAmended,
    TaskClaimed,
    TaskCreated,
    VerificationPassed,
    VerificationStarted,
    ViewMutated,
)
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.read_model_audit import audit_issues, audit_lessons, audit_missing, audit_roadmap
from esaa.protocol.roadmap import projection_hash, roadmap_json
from esaa.protocol.stateless import is_stateless
from esaa.protocol.verify import LogAudit
from esaa.protocol.wire import ProtocolVocabulary
from tests.scenarios import (
    IMPL,
    MONITOR,
    NOON,
    ORCHESTRATOR,
    QA,
    Story,
    approved,
    claimed,
    completed,
    created,
    done,
    fold,
    folded,
    governance,
    hotfix,
    in_progress,
    in_review,
    record,
    reported,
    run_start,
    story,
    todo,
)

WIRE = ProtocolVocabulary()


def _own(events: Iterable[Recorded[Fact]]) -> list[Recorded[Fact]]:
    """The events as esaa writes them: every line but the first is linked."""
    return [msgspec.structs.replace(one, prev_hash="x" if one.version > 1 else None) for one in events]


def _audit(events: Iterable[Recorded[Fact]], rules: Governance | None = None, *, hash_all: bool = True) -> LogAudit:
    """Envelopes and meaning, as `esaa verify` puts them together."""
    events = list(events)
    audit = LogAudit(rules, hash_all=hash_all, last_verified=None)
    envelopes = EnvelopeAudit(rules)
    for line, event in enumerate(events, start=1):
        envelopes.feed(json.loads(WIRE.encode(event)), line)
        audit.feed(event, line)
    audit.is_chained = any(event.prev_hash is not None for event in events)
    audit.findings += envelopes.findings
    audit.findings.sort(key=lambda one: one.line or 0)
    return audit


def _found(audit: LogAudit) -> list[tuple[str, str, int | None]]:
    return [(one.code, one.severity, one.line) for one in audit.findings]


def _one(audit: LogAudit) -> Finding:
    (finding,) = audit.findings
    return finding


LIFE: tuple[Story, ...] = (
    run_start(),
    *done(outputs=["src/a.py"]),
    *in_progress("T-2", "spec"),
    ViewMutated(target="roadmap", change="projected"),
    RunEnded(status="failed"),
)


def test_log_that_keeps_the_rules_has_no_findings() -> None:
    for events in (story(*LIFE), _own(story(*LIFE))):
        audit = _audit(events, governance())

        assert audit.findings == []
        assert projection_hash(audit.state) == projection_hash(folded(*LIFE))


# Seq, ids, times.


def test_gap_and_repetition_of_a_seq_are_found_where_they_stand() -> None:
    events = story(created("T-1"), created("T-2"), created("T-3"), created("T-4"))
    gap = _audit([events[0], events[2], events[3]])
    twice = _audit([events[0], events[1], events[1], events[2]])

    assert _found(gap) == [("EVENT_SEQ_INVALID", "error", 2)]
    assert ("EVENT_SEQ_INVALID", "error", 3) in _found(twice)
    assert {one.effect for one in gap.findings} == {"corrupted"}


def test_line_that_could_not_be_read_takes_one_seq() -> None:
    first, _, third = (
        json.loads(WIRE.encode(event)) for event in story(created("T-1"), created("T-2"), created("T-3"))
    )
    audit = EnvelopeAudit(None)
    audit.feed(first, 1)
    audit.skip()
    audit.feed(third, 3)

    assert audit.findings == []


def _with_ids(*ids: str, own: bool = False) -> LogAudit:
    events = [
        msgspec.structs.replace(event, event_id=event_id)
        for event, event_id in zip(story(*[created(f"T-{number}") for number in range(len(ids))]), ids, strict=True)
    ]
    return _audit(_own(events) if own else events)


@pytest.mark.parametrize(
    ("ids", "lines"),
    [
        (["EV-00000001", "EV-00000002"], []),
        (["EV-00000001", "EV-00000001"], [2]),
        (["a", "b", "a"], [3]),
        (["EV-00000003", "EV-00000002", "EV-00000003"], [3]),
        (["EV-00000002", "EV-00000002"], [2]),
        (["EV-00000000", "EV-00000001", "EV-00000002"], []),
        (["EV-00000001", "EV-00000003", "EV-00000002"], []),
        (["EV-1", "EV-00000001"], []),
        (["EV-00000001", "EV-000000001"], []),
        (["EV-00000001", "EV-" + "9" * 5000], []),
    ],
)
def test_id_that_was_used_before_is_found_and_an_unusual_one_is_not(ids: list[str], lines: list[int]) -> None:
    assert _found(_with_ids(*ids)) == [("EVENT_ID_DUPLICATE", "error", line) for line in lines]


def test_unusual_id_in_our_own_log_is_an_error() -> None:
    assert _found(_with_ids("EV-00000001", "b", own=True)) == [("EVENT_ID_INVALID", "error", 2)]


@pytest.mark.parametrize(
    ("first", "second", "goes_back"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", False),
        ("2026-03-01T12:00:00Z", "2026-03-01T11:59:59Z", True),
        ("2026-03-01T12:00:00Z", "2026-03-01T09:00:00-03:00", False),
        ("2026-03-01T12:00:00-03:00", "2026-03-01T11:00:00-03:00", True),
    ],
)
def test_time_that_goes_back_is_an_error_in_our_log_and_a_warning_in_anothers(
    first: str, second: str, goes_back: bool
) -> None:
    events = story((created("T-1"), ORCHESTRATOR, first), (created("T-2"), ORCHESTRATOR, second))

    assert _found(_audit(events)) == ([("TIME_GOES_BACK", "warning", 2)] if goes_back else [])
    assert _found(_audit(_own(events))) == ([("TIME_GOES_BACK", "error", 2)] if goes_back else [])


# Done is done; transitions; locks.


@pytest.mark.parametrize("fact", [claimed(), completed(), approved(), created(), hotfix("T-1")])
@pytest.mark.parametrize("own", [True, False])
def test_act_on_a_done_task_is_an_error_in_every_log(fact: Fact, own: bool) -> None:
    events = story(*done(), fact)

    finding = _one(_audit(_own(events) if own else events))

    assert (finding.code, finding.severity, finding.effect, finding.line) == (
        "IMMUTABLE_DONE_VIOLATION",
        "error",
        "corrupted",
        5,
    )


@pytest.mark.parametrize(
    ("given", "fact", "code"),
    [
        (todo(), completed(), "INVALID_TRANSITION"),
        (todo(), approved(), "INVALID_TRANSITION"),
        (in_progress(), claimed(), "INVALID_TRANSITION"),
        (in_progress(), approved(), "INVALID_TRANSITION"),
        (in_review(), claimed(), "INVALID_TRANSITION"),
        (in_review(), completed(), "INVALID_TRANSITION"),
        (todo(), claimed("T-9"), "TASK_NOT_FOUND"),
        (todo(), completed("T-9"), "TASK_NOT_FOUND"),
        (todo(), created(), "DUPLICATE_TASK"),
        (todo(), hotfix("T-1"), "DUPLICATE_TASK"),
    ],
)
def test_impossible_act_is_an_error_in_our_log_and_a_warning_in_anothers(
    given: tuple[Story, ...], fact: Fact, code: str
) -> None:
    events = story(*given, fact)

    assert _found(_audit(events)) == [(code, "warning", len(events))]
    assert _found(_audit(_own(events))) == [(code, "error", len(events))]


def test_delivery_by_somebody_else_breaks_the_lock_in_our_log() -> None:
    events = story(*in_progress(), (completed(), "agent-other"))

    assert _found(_audit(_own(events))) == [("LOCK_VIOLATION", "error", 3)]
    assert _found(_audit(events)) == []


# Vocabulary.


@pytest.mark.parametrize(
    ("version", "name", "is_known"),
    [
        ("0.4.1", "runner.metrics", True),
        ("0.4.1", "actor.bootstrap", True),
        ("0.4.1", "plugin.anything", True),
        ("0.4.1", "roadmap.import", True),
        ("0.4.1", "chain.anchor", True),
        ("0.4.1", "attempt.create", False),
        ("0.4.1", "fly", False),
        ("0.4.0", "runner.metrics", False),
        ("0.3.0", "attempt.create", True),
        ("0.3.0", "orchestrator.dispatch", True),
        ("0.3.0", "runner.metrics", False),
    ],
)
@pytest.mark.parametrize("position", ["first", "later"])
def test_action_of_another_vocabulary_is_a_warning_where_the_version_does_not_know_it(
    version: str, name: str, is_known: bool, position: str
) -> None:
    facts = [ForeignRecorded(name=name)] if position == "first" else [run_start(), ForeignRecorded(name=name)]

    found = _found(_audit(story(*facts, schema_version=version)))

    assert found == ([] if is_known else [("UNKNOWN_ACTION", "warning", len(facts))])


def test_version_of_the_first_event_decides_which_actions_are_known() -> None:
    events = [record(run_start(), 1), record(ForeignRecorded(name="runner.metrics"), 2, schema_version="0.4.1")]

    assert _found(_audit(events)) == [("UNKNOWN_ACTION", "warning", 2)]


def test_amendment_is_judged_by_the_task_and_the_version() -> None:
    amended = TaskAmended(task_id="T-1", title="x")

    assert _found(_audit(story(*todo(), amended, schema_version="0.4.1"))) == []
    assert _found(_audit(story(*todo(), amended))) == [("UNKNOWN_ACTION", "warning", 2)]
    for given in ((), in_progress(), done()):
        events = story(*given, amended, schema_version="0.4.1")
        assert _found(_audit(events))[-1:] == [("INVALID_TRANSITION", "warning", len(events))]
        if given:
            assert _found(_audit(_own(events))) == [("INVALID_TRANSITION", "error", len(events))]


# Authority.


@pytest.mark.parametrize(
    ("fact", "actor", "is_usurped"),
    [
        (claimed(), IMPL, False),
        (claimed(), ORCHESTRATOR, True),
        (claimed(), "stranger", True),
        (claimed(), MONITOR, True),
        (reported(), MONITOR, False),
        (reported(), QA, False),
        (reported(), ORCHESTRATOR, True),
        (RunEnded(status="failed"), IMPL, True),
        (TaskCreated(task_id="T-2", task_kind="impl", title="t"), QA, True),
        (VerificationPassed(), MONITOR, True),
        (ForeignRecorded(name="plugin.x"), IMPL, False),
        (TaskAmended(task_id="T-1", title="x"), IMPL, True),
        (TaskAmended(task_id="T-1", title="x"), ORCHESTRATOR, False),
    ],
)
def test_who_may_write_what_is_judged_by_the_contract(fact: Fact, actor: str, is_usurped: bool) -> None:
    events = story(*todo(), (fact, actor), schema_version="0.4.1")

    found = [one for one in _audit(events, governance()).findings if one.code == "AUTHORITY_VIOLATION"]

    assert [(one.severity, one.effect, one.line) for one in found] == (
        [("error", "corrupted", 2)] if is_usurped else []
    )
    assert "AUTHORITY_VIOLATION" not in [one.code for one in _audit(events).findings]


# Boundaries of writes.


def _written(*paths: str, task_id: str = "T-1", effects: Any = ...) -> FileWritten:
    made = [{"path": path, "after_sha256": "0" * 64} for path in paths] if effects is ... else effects
    return FileWritten(task_id=task_id, files=paths, effects=made)


@pytest.mark.parametrize(
    ("fact", "count"),
    [
        (_written("src/a.py", "tests/a.py"), 0),
        (_written("docs/a.md"), 1),
        (_written(".roadmap/activity.jsonl"), 1),
        (_written("src/../x"), 1),
        (_written("src/a.py", "docs/a", "/etc/passwd"), 2),
        (_written("src/a.py", task_id="T-9"), 1),
        (_written("src/a.py", effects=[{"path": "docs/hidden.md", "after_sha256": "0" * 64}]), 1),
        (_written("src/a.py", effects=[{"path": "src/a.py"}, "strange", {"after_sha256": 1}]), 1),
        (_written("src/a.py", effects=None), 0),
    ],
)
def test_every_written_path_is_judged_by_the_boundary_of_its_task(fact: FileWritten, count: int) -> None:
    events = story(*in_progress(), fact)

    assert _found(_audit(events, governance())) == [("BOUNDARY_VIOLATION", "error", 3)] * count
    assert _audit(events).findings == []


def test_grants_and_scopes_of_a_task_are_judged_with_its_writes() -> None:
    granted = story(*in_progress(boundary_grant=("web/**",)), _written("web/a.js", "docs/a.md"))
    plain = story(*in_progress("T-1"), *in_progress("T-2"), _written("web/a.js"), _written("web/a.js", task_id="T-2"))
    scoped = story(
        *done(), reported(fixes="T-1"), hotfix(), claimed("HF-1"), _written("src/a.py", "src/b.py", task_id="HF-1")
    )

    assert [one.line for one in _audit(granted, governance()).findings] == [3]
    assert [one.line for one in _audit(plain, governance()).findings] == [5, 6]
    assert [one.message for one in _audit(scoped, governance()).findings] == [
        "HF-1 wrote `src/b.py`, which is outside the hotfix's scope_patch (src/a.py)"
    ]


def test_last_digest_of_each_file_is_kept_and_writes_without_effects_are_counted() -> None:
    audit = _audit(
        story(
            *in_progress(),
            FileWritten(task_id="T-1", files=("src/a",), effects=[{"path": "src/a", "after_sha256": "1"}]),
            FileWritten(task_id="T-1", files=("src/b",)),
            FileWritten(task_id="T-1", files=("src/a",), effects=[{"path": "src/a", "after_sha256": "2"}]),
            FileWritten(task_id="T-1", files=("src/c",), effects=[]),
        )
    )

    assert audit.file_digests == {"src/a": ("2", 5)}
    assert audit.writes_without_effects == 2


# Historical hashes.


def _passed(*given: Story) -> VerificationPassed:
    return VerificationPassed(projection_hash_sha256=projection_hash(folded(*given)))


def test_false_verification_is_a_warning_at_its_line_and_true_ones_are_not() -> None:
    events = story(*todo(), _passed(*todo()), claimed(), _passed(*todo()), completed())

    audit = _audit(events)

    assert (audit.hashes, audit.hashes_recomputed) == (2, 2)
    finding = _one(audit)
    assert (finding.code, finding.severity, finding.effect, finding.line) == ("VERIFY_NOT_OK", "warning", "mismatch", 4)


def test_plain_audit_recomputes_what_it_can_afford_and_always_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_module, "FREE_TASK_HASHES", 0)
    tasks = [created(f"T-{number}") for number in range(50)]
    false = VerificationPassed(projection_hash_sha256="0" * 64)
    events = story(*tasks, *[false] * 40)

    plain = LogAudit(None, hash_all=False, last_verified=90)
    for line, event in enumerate(events, start=1):
        plain.feed(event, line)
    everything = _audit(events)

    assert plain.hashes == everything.hashes == everything.hashes_recomputed == 40
    assert 0 < plain.hashes_recomputed < 40
    assert plain.findings[-1].line == 90


# Room for findings.


def test_flood_of_warnings_does_not_hide_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_module, "FINDINGS_MAX", 3)
    events = story(run_start(), *[ForeignRecorded(name="fly")] * 9, *done(), claimed())

    assert [one.severity for one in _audit(events).findings] == ["warning"] * 3 + ["error"]


def test_flood_of_warnings_in_envelopes_does_not_hide_an_error_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope_module, "FINDINGS_MAX", 3)
    going_back = [(created(f"T-{number}"), ORCHESTRATOR, f"2026-03-01T12:00:{59 - number:02d}Z") for number in range(9)]
    events = story(*going_back)
    events[8] = msgspec.structs.replace(events[8], event_id="EV-00000001")

    assert [one.code for one in _audit(events).findings] == ["TIME_GOES_BACK"] * 3 + ["EVENT_ID_DUPLICATE"]


# Lines that the audit of meaning passes over.


@pytest.mark.parametrize(
    ("fact", "version", "passes"),
    [
        (ViewMutated(target="roadmap", change="projected"), 2, True),
        (ViewMutated(target="log", change={"x": 1}), 2, True),
        (VerificationStarted(strict=True), 2, True),
        (ViewMutated(target="lessons", lessons=[]), 2, False),
        (VerificationPassed(), 2, False),
        (claimed(), 2, False),
    ],
)
def test_line_is_passed_over_where_its_fact_changes_no_state(fact: Fact, version: int, passes: bool) -> None:
    assert is_stateless(WIRE.encode(record(fact, version))) == passes


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"action": "verify.start", "payload": {}}',
        b'{"event_seq":2,"action":"orchestrator.view.mutate","payload":{"less\\u006fns":[]}}',
        b'{"event_seq":2,"action":"claim","payload":{"a":",\\"action\\":\\"verify.start\\",\\"payload\\":{"}}',
        b'{"event_seq":2,"runner":{"id":1},"action":"verify.start","payload":{"strict":true}}',
    ],
)
def test_line_of_any_other_shape_is_not_passed_over(line: bytes) -> None:
    assert not is_stateless(line)


def _stateless(**fields: Any) -> dict[str, Any]:
    event = json.loads(WIRE.encode(record(ViewMutated(target="roadmap", change="projected"), 1)))
    event |= fields
    return {key: value for key, value in event.items() if value is not ...}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, None),
        ({"schema_version": ...}, None),
        ({"prev_hash": None}, None),
        ({"event_id": ...}, "EVENT_MISSING_FIELDS"),
        ({"ts": ...}, "EVENT_MISSING_FIELDS"),
        ({"actor": ...}, "EVENT_MISSING_FIELDS"),
        ({"event_id": 1}, "SCHEMA_INVALID"),
        ({"ts": None}, "SCHEMA_INVALID"),
        ({"actor": []}, "SCHEMA_INVALID"),
        ({"schema_version": None}, "SCHEMA_INVALID"),
        ({"command_id": 7}, "SCHEMA_INVALID"),
        ({"prev_hash": 7}, "SCHEMA_INVALID"),
        ({"payload": []}, "SCHEMA_INVALID"),
        ({"payload": {"target": 1}}, "SCHEMA_INVALID"),
        ({"payload": {"warnings": "w"}}, "SCHEMA_INVALID"),
        ({"event_seq": "1"}, "EVENT_SEQ_INVALID"),
        ({"event_seq": True}, None),
    ],
)
def test_envelope_and_payload_of_a_line_that_is_passed_over_are_looked_at(
    fields: dict[str, Any], code: str | None
) -> None:
    audit = EnvelopeAudit(governance())

    audit.feed(_stateless(**fields), 1)

    assert [one.code for one in audit.findings] == ([] if code is None else [code])


def _run_of(*events: Recorded[Fact]) -> bytes:
    return b"".join(WIRE.encode(event) + b"\n" for event in events)


def test_run_of_lines_in_their_places_is_known_and_any_other_is_not() -> None:
    first = record(TaskClaimed(task_id="T-1", prior_status="todo"), 1, actor=IMPL)
    closing = record(ViewMutated(target="roadmap", change="projected"), 2)
    right = [
        msgspec.structs.replace(closing, ts="2026-03-01T12:00:01Z", causation_id="EV-00000001", prev_hash="a" * 64),
        msgspec.structs.replace(
            first, version=3, event_id="EV-00000003", ts="2026-03-01T12:00:02Z", prev_hash="b" * 64
        ),
    ]

    def second(**fields: Any) -> list[Recorded[Fact]]:
        return [right[0], msgspec.structs.replace(right[1], **fields)]

    runs: dict[str, tuple[bytes, bool]] = {
        "right": (_run_of(*right), True),
        "the same time": (_run_of(*second(ts=right[0].ts)), True),
        "seq": (_run_of(*second(version=4)), False),
        "id": (_run_of(*second(event_id="EV-00000009")), False),
        "link": (_run_of(*second(prev_hash="a" * 64)), False),
        "no link": (_run_of(*second(prev_hash=None)), False),
        "earlier": (_run_of(*second(ts="2026-03-01T12:00:00Z")), False),
        "earlier than before": (_run_of(msgspec.structs.replace(right[0], ts="2026-01-01T00:00:00Z"), right[1]), False),
        "another actor": (_run_of(*second(actor=MONITOR)), False),
        "another action": (_run_of(*second(fact=created("T-2"))), False),
        "another version": (_run_of(*second(schema_version="0.4.1")), False),
        "space": (_run_of(*right).replace(b'"ts":', b'"ts": '), False),
        "line feed": (_run_of(*right).replace(b"\n", b"\r\n"), False),
    }
    for name, (run, is_known) in runs.items():
        audit = EnvelopeAudit(governance())
        audit.feed(json.loads(WIRE.encode(first)), 1)
        assert audit.knows(run, ["a" * 64, "b" * 64]) is is_known, name
        following = msgspec.structs.replace(first, version=4, event_id="EV-00000004", ts="2026-03-01T12:00:01Z")
        audit.feed(json.loads(WIRE.encode(following)), 4)
        # What was known was counted, and its time too; what was not known left no trace.
        is_later = is_known and name != "the same time"
        expected = (["TIME_GOES_BACK"] if is_later else []) if is_known else ["EVENT_SEQ_INVALID"]
        assert [one.code for one in audit.findings] == expected, name


def test_no_line_is_known_after_ids_that_were_not_the_usual_ones() -> None:
    claims = [record(TaskClaimed(task_id="T-1", prior_status="todo"), version, actor=IMPL) for version in (1, 2)]
    second = msgspec.structs.replace(claims[1], prev_hash="a" * 64)
    audit = EnvelopeAudit(governance())

    audit.feed(json.loads(WIRE.encode(msgspec.structs.replace(claims[0], event_id="EV-00000002"))), 1)

    assert not audit.knows(_run_of(second), ["a" * 64])
    audit.feed(json.loads(WIRE.encode(second)), 2)
    assert "EVENT_ID_DUPLICATE" in [one.code for one in audit.findings]


def test_payload_that_was_sound_once_is_not_looked_at_again_and_another_one_is() -> None:
    audit = EnvelopeAudit(None)
    for line, payload in enumerate([{"target": "a"}, {"target": "a"}, {"target": 1}, {"target": 1}], start=1):
        audit.feed(_stateless(payload=payload, event_seq=line, event_id=f"EV-{line:08d}"), line)

    assert [(one.code, one.line) for one in audit.findings] == [("SCHEMA_INVALID", 3), ("SCHEMA_INVALID", 4)]


@pytest.mark.parametrize("seq", [10**4299, -(10**4299), -5, 2**63, None, "x" * 9000, 1.5, [1], {"a": 1}])
def test_seq_of_any_shape_is_named_and_never_crashes(seq: Any) -> None:
    audit = EnvelopeAudit(None)

    audit.feed(_stateless(event_seq=seq), 1)
    audit.feed(_stateless(event_seq=2, event_id="EV-00000002"), 2)

    assert [(one.code, one.line) for one in audit.findings] == [("EVENT_SEQ_INVALID", 1)]
    assert len(audit.findings[0].message) < 200


def test_event_without_an_action_or_with_a_strange_one_is_left_to_the_decoder() -> None:
    audit = EnvelopeAudit(governance())

    audit.feed(_stateless(action=...), 1)
    audit.feed(_stateless(action="claim", actor=None, event_seq=2, event_id="EV-00000002", ts=None), 2)
    audit.feed(_stateless(action=["claim"], actor={}, event_seq=3, event_id="EV-00000003"), 3)

    assert audit.findings == []


# Read models on disk.


def _after(*given: Story, own: bool = True) -> LogAudit:
    events = story(*given)
    return _audit(_own(events) if own else events)


def _roadmap_found(data: bytes, *, own: bool = True) -> list[tuple[str, str, str]]:
    audit = _after(*LIFE, own=own)
    audit_roadmap(audit, io.BytesIO(data))
    return [(one.code, one.severity, one.message) for one in audit.findings]


def _changed(data: bytes, *path: str | int, to: Any) -> bytes:
    document = json.loads(data)
    here = document
    for step in path[:-1]:
        here = here[step]
    if to is ...:
        del here[path[-1]]
    else:
        here[path[-1]] = to
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


ROADMAP = roadmap_json(folded(*LIFE))


@pytest.mark.parametrize("own", [True, False])
def test_roadmap_that_is_the_projection_has_no_finding(own: bool) -> None:
    assert _roadmap_found(ROADMAP, own=own) == []


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (_changed(ROADMAP, "tasks", 0, "status", to="todo"), "/tasks/0/status"),
        (_changed(ROADMAP, "tasks", 0, "verification", "checks", 0, to="no"), "/tasks/0/verification/checks/0"),
        (_changed(ROADMAP, "tasks", 1, to=...), "/tasks (1 items where 2 belong)"),
        (_changed(ROADMAP, "tasks", 0, "extra", to=None), "/tasks/0/extra"),
        (_changed(ROADMAP, "tasks", 0, "title", to=...), "/tasks/0/title"),
        (_changed(ROADMAP, "indexes", "by_status", "done", to=1.0), "/indexes/by_status/done"),
        (
            _changed(ROADMAP, "tasks", 0, "immutability", "done_is_immutable", to=1),
            "/tasks/0/immutability/done_is_immutable",
        ),
        (_changed(ROADMAP, "project", "name", to="x" * 100), "/project/name"),
        (_changed(ROADMAP, "meta", "schema_version", to="0.4.1"), "/meta/schema_version"),
        (_changed(ROADMAP, "meta", to=[]), "/meta"),
        (b"[]", "/"),
        (b"null", "/"),
        (b"7", "/"),
        (b'"roadmap"', "/"),
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_roadmap_whose_hashed_part_differs_is_a_mismatch_in_every_log(data: bytes, where: str, own: bool) -> None:
    ((code, severity, message),) = _roadmap_found(data, own=own)

    assert (code, severity) == ("READ_MODEL_DIFFERS", "error")
    assert where in message


@pytest.mark.parametrize("own", [True, False])
def test_roadmap_that_differs_outside_the_hashed_part_is_an_error_in_our_log_only(own: bool) -> None:
    ((_, severity, message),) = _roadmap_found(_changed(ROADMAP, "meta", "updated_at", to="never"), own=own)

    assert severity == ("error" if own else "warning")
    assert "/meta/updated_at" in message


@pytest.mark.parametrize(
    "data", [ROADMAP + b" ", ROADMAP[:-1], ROADMAP.replace(b"\n  ", b"\n"), json.dumps(json.loads(ROADMAP)).encode()]
)
def test_right_values_in_other_bytes_are_an_error_in_our_log_and_nothing_in_anothers(data: bytes) -> None:
    assert [one[1:] for one in _roadmap_found(data)] == [
        ("error", "roadmap.json holds the right values in other bytes")
    ]
    assert _roadmap_found(data, own=False) == []


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":1,"a":2}', b"\xff", ROADMAP + b"{}"])
def test_roadmap_that_is_not_strict_json_is_an_error_in_every_log(data: bytes) -> None:
    for own in (True, False):
        ((_, severity, message),) = _roadmap_found(data, own=own)

        assert severity == "error"
        assert "is not strict JSON" in message


@pytest.mark.parametrize(("check", "render"), [(audit_issues, issues_json), (audit_lessons, lessons_json)])
@pytest.mark.parametrize("own", [True, False])
def test_issues_and_lessons_are_compared_whole(check: Any, render: Any, own: bool) -> None:
    right = render(fold(story(*LIFE)))

    def found(data: bytes) -> list[tuple[str, str]]:
        audit = _after(*LIFE, own=own)
        check(audit, data)
        return [(one.severity, one.message) for one in audit.findings]

    difference = "error" if own else "warning"
    assert found(right) == []
    assert [one[0] for one in found(_changed(right, "meta", "updated_at", to="x"))] == [difference]
    assert [one[0] for one in found(right + b"\n")] == (["error"] if own else [])
    assert [one[0] for one in found(b"null")] == [difference]
    assert [one[0] for one in found(b"[]")] == [difference]
    assert [one[0] for one in found(b"{")] == ["error"]


@pytest.mark.parametrize("own", [True, False])
def test_missing_read_model_is_named(own: bool) -> None:
    audit = _after(*LIFE, own=own)

    audit_missing(audit, "issues.json")

    finding = _one(audit)
    assert (finding.code, finding.severity, finding.where, finding.line) == (
        "READ_MODEL_DIFFERS",
        "error" if own else "warning",
        "issues.json",
        None,
    )


def test_long_values_are_shortened_in_a_message() -> None:
    ((_, _, message),) = _roadmap_found(_changed(ROADMAP, "project", "name", to="x" * 1000))

    assert len(message) < 300


def test_everything_happens_at_noon() -> None:
    assert {event.ts for event in story(*LIFE)} == {NOON}
