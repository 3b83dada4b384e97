"""Six real logs of another writer: every recorded hash, every read model, every verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from esaa.kernel.recorded import Recorded
from esaa.kernel.strict_json import NotStrict, loads_strict
from esaa.protocol.evolve import evolve
from esaa.protocol.facts import Fact, FileWritten, ForeignRecorded, VerificationPassed
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.roadmap import projection_hash, roadmap_json
from esaa.protocol.state import State
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.verification.verify import Verdict, find_target, verify
from tests.scenarios import fold

WIRE = ProtocolVocabulary()


class Known(NamedTuple):
    """What is known of a log: its events, its verifications, its final hash, and what verify says of it."""

    events: int
    passed: int
    final_hash: str
    plain: str
    strict: str
    version: str


LOGS: dict[str, Known] = {
    "esaa-0.3.0-legacy": Known(3, 0, "904ff24a", "mismatch", "mismatch", "0.3.0"),
    "esaa-0.4.0-initial": Known(
        6, 1, "7f32d838c797f55429b11483f163a1cdcf12cb75e335ebb96f0202b07dc26014", "ok", "ok", "0.4.0"
    ),
    "esaa-mixed-0.4.0-0.4.1": Known(
        9, 2, "7f32d838c797f55429b11483f163a1cdcf12cb75e335ebb96f0202b07dc26014", "ok", "mismatch", "0.4.0"
    ),
    "esaa-0.4.1-147-events": Known(147, 45, "60e24e22", "ok", "ok", "0.4.1"),
    "esaa-0.4.1-1821-events": Known(1821, 548, "7be109df", "ok", "ok", "0.4.1"),
    "esaa-core-290-false-checkpoint": Known(290, 89, "868dc93b", "ok", "mismatch", "0.4.1"),
}
FALSE_CHECKPOINT = ("esaa-core-290-false-checkpoint", 290)

each_log = pytest.mark.parametrize("name", LOGS)
each_with_read_models = pytest.mark.parametrize("name", [name for name in LOGS if name != "esaa-0.3.0-legacy"])


def _lines(folder: Path) -> list[bytes]:
    return [line for line in (folder / "activity.jsonl").read_bytes().split(b"\n") if line.strip()]


def _events(folder: Path) -> list[Recorded[Fact]]:
    return [WIRE.decode(line) for line in _lines(folder)]


def _verdict(folder: Path, *, strict: bool = False) -> Verdict:
    return verify(find_target(folder), strict=strict)


def test_every_known_log_is_here_and_no_other(real_logs: Path) -> None:
    assert {folder.name for folder in real_logs.iterdir()} == set(LOGS)


@each_log
def test_every_recorded_hash_reproduces_but_the_one_that_is_false(real_logs: Path, name: str) -> None:
    state = State()
    passed = 0
    false: list[tuple[str, int]] = []
    for event in _events(real_logs / name):
        if isinstance(event.fact, VerificationPassed):
            passed += 1
            if projection_hash(state) != event.fact.projection_hash_sha256:
                false.append((name, event.version))
        evolve(state, event)

    assert passed == LOGS[name].passed
    assert false == ([FALSE_CHECKPOINT] if name == FALSE_CHECKPOINT[0] else [])


@each_log
def test_final_projection_has_its_hash_and_version(real_logs: Path, name: str) -> None:
    events = _events(real_logs / name)
    state = fold(events)

    assert len(events) == LOGS[name].events
    assert projection_hash(state).startswith(LOGS[name].final_hash)
    assert state.header.schema_version == LOGS[name].version


def _on_disk(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


_RENDER = {"roadmap.json": roadmap_json, "issues.json": issues_json, "lessons.json": lessons_json}


OTHER_KEY_ORDER = {"esaa-0.4.1-147-events", "esaa-core-290-false-checkpoint"}
"""Their writer puts `issue_id` and `fixes` of a task that is no hotfix behind `verification`; the values are equal."""


@pytest.mark.parametrize("view", _RENDER)
@pytest.mark.parametrize(
    "name",
    ["esaa-0.4.0-initial", "esaa-0.4.1-147-events", "esaa-0.4.1-1821-events", "esaa-core-290-false-checkpoint"],
)
def test_read_model_equals_the_one_on_disk(real_logs: Path, name: str, view: str) -> None:
    folder = real_logs / name
    made, found = _RENDER[view](fold(_events(folder))), _on_disk(folder, view)

    assert json.loads(made) == json.loads(found)
    if view != "roadmap.json" or name not in OTHER_KEY_ORDER:
        assert made == found


def test_read_models_of_the_mixed_log_are_three_events_behind_and_hold_lessons_that_no_event_carries(
    real_logs: Path,
) -> None:
    folder = real_logs / "esaa-mixed-0.4.0-0.4.1"
    behind = fold(_events(folder)[:6])

    assert roadmap_json(behind) == _on_disk(folder, "roadmap.json")
    assert issues_json(behind) == _on_disk(folder, "issues.json")
    assert len(json.loads(_on_disk(folder, "lessons.json"))["lessons"]) == 3
    assert behind.header.lessons == []


def test_roadmap_of_the_legacy_log_is_no_projection_of_its_events(real_logs: Path) -> None:
    folder = real_logs / "esaa-0.3.0-legacy"
    with pytest.raises(NotStrict, match="'todo' stands twice"):
        loads_strict(_on_disk(folder, "roadmap.json"))

    (event,) = [event for event in _events(folder) if not isinstance(event.fact, ForeignRecorded)]

    assert type(event.fact).action_name == "run.start"
    assert len(fold(_events(folder)).tasks) == 0


@each_log
@pytest.mark.parametrize("strict", [False, True])
def test_verify_says_what_is_known(real_logs: Path, name: str, strict: bool) -> None:
    verdict = _verdict(real_logs / name, strict=strict)
    known = LOGS[name]

    assert verdict.verify_status == (known.strict if strict else known.plain)
    assert verdict.events == known.events
    assert verdict.projection_hash_sha256.startswith(known.final_hash)
    assert verdict.hashes == verdict.hashes_recomputed == known.passed
    assert not verdict.boundaries_judged
    assert verdict.trust.invalid_from_line is None
    assert verdict.trust.unanchored_tail == known.events


def test_false_checkpoint_is_the_only_finding_and_stands_at_its_line(real_logs: Path) -> None:
    (finding,) = _verdict(real_logs / FALSE_CHECKPOINT[0]).findings

    assert (finding.code, finding.severity, finding.effect, finding.line) == (
        "VERIFY_NOT_OK",
        "warning",
        "mismatch",
        290,
    )
    assert "868dc93b" in finding.message


@pytest.mark.parametrize("name", ["esaa-0.4.0-initial", "esaa-0.4.1-147-events", "esaa-0.4.1-1821-events"])
def test_sound_log_has_no_finding_at_all(real_logs: Path, name: str) -> None:
    assert _verdict(real_logs / name).findings == ()


def test_read_models_that_lag_behind_are_warnings_in_another_writers_log(real_logs: Path) -> None:
    findings = _verdict(real_logs / "esaa-mixed-0.4.0-0.4.1").findings

    assert [(one.code, one.severity, one.where) for one in findings] == [
        ("READ_MODEL_DIFFERS", "warning", name) for name in ("roadmap.json", "issues.json", "lessons.json")
    ]


def test_writes_without_effects_are_counted(real_logs: Path) -> None:
    events = _events(real_logs / "esaa-0.4.1-1821-events")
    writes = [event.fact for event in events if isinstance(event.fact, FileWritten)]

    assert (len(writes), sum(not write.effects for write in writes)) == (144, 34)
    assert _verdict(real_logs / "esaa-0.4.1-1821-events").files_not_judged == 34


# The wire.


def _without_runner(line: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(line)
    value.pop("runner", None)
    return value


@each_log
def test_every_line_survives_a_round_trip(real_logs: Path, name: str) -> None:
    lines = _lines(real_logs / name)
    for line in lines:
        event = WIRE.decode(line)
        again = WIRE.decode(WIRE.encode(event))
        assert again == event


@pytest.mark.parametrize(
    ("name", "equal"),
    [("esaa-0.4.0-initial", 6), ("esaa-0.4.1-147-events", 147), ("esaa-core-290-false-checkpoint", 290)],
)
def test_lines_are_written_with_the_values_that_were_read(real_logs: Path, name: str, equal: int) -> None:
    lines = _lines(real_logs / name)
    kept = 0
    for line in lines:
        before, after = _without_runner(line), json.loads(WIRE.encode(WIRE.decode(line)))
        assert after["event_seq"] == before["event_seq"]
        for key in ("schema_version", "event_id", "ts", "actor", "action"):
            assert after[key] == before[key]
        for key, value in after["payload"].items():
            if key in before["payload"]:
                assert value == before["payload"][key], (line, key)
        kept += 1

    assert kept == equal


# Copies that another program may have written otherwise: spacing, line ends, blank lines, no last line feed.


def _respaced(lines: list[bytes]) -> bytes:
    return b"".join(json.dumps(json.loads(line), ensure_ascii=False, indent=None).encode() + b"\n" for line in lines)


def _escaped(lines: list[bytes]) -> bytes:
    return b"".join(
        json.dumps(json.loads(line), ensure_ascii=True, separators=(" , ", " : ")).encode() + b"\n" for line in lines
    )


def _backwards(lines: list[bytes]) -> bytes:
    return b"".join(json.dumps(dict(reversed(json.loads(line).items()))).encode() + b"\n" for line in lines)


def _joined(separator: bytes, end: bytes) -> Callable[[list[bytes]], bytes]:
    return lambda lines: separator.join(lines) + end


MUTATIONS: dict[str, Callable[[list[bytes]], bytes]] = {
    "spaces after separators": _respaced,
    "escapes and odd spacing": _escaped,
    "keys in another order": _backwards,
    "CRLF": _joined(b"\r\n", b"\r\n"),
    "blank lines": _joined(b"\n \n\n\r\n", b"\n\n"),
    "no last line feed": _joined(b"\n", b""),
    "CRLF without a last line feed": _joined(b"\r\n", b""),
    "line feeds too many": _joined(b"\n", b"\n\n\n"),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
@each_with_read_models
def test_same_events_in_other_bytes_give_the_same_verdict(
    real_logs: Path, tmp_path: Path, name: str, mutation: str
) -> None:
    folder = real_logs / name
    for view in _RENDER:
        (tmp_path / view).write_bytes(_on_disk(folder, view))
    (tmp_path / "activity.jsonl").write_bytes(MUTATIONS[mutation](_lines(folder)))

    verdict = _verdict(tmp_path)

    assert (verdict.verify_status, verdict.events) == (LOGS[name].plain, LOGS[name].events)
    assert verdict.projection_hash_sha256.startswith(LOGS[name].final_hash)
    assert verdict.hashes == LOGS[name].passed
    assert [one.severity for one in verdict.findings if one.severity == "error"] == []


# Damage.


def _damaged(tmp_path: Path, lines: list[bytes]) -> Verdict:
    (tmp_path / "activity.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return _verdict(tmp_path / "activity.jsonl")


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("cut in the middle", "JSONL_INVALID"),
        ("no JSON", "JSONL_INVALID"),
        ("removed", "EVENT_SEQ_INVALID"),
        ("twice", "EVENT_SEQ_INVALID"),
        ("swapped", "EVENT_SEQ_INVALID"),
        ("without an actor", "EVENT_MISSING_FIELDS"),
        ("with a key twice", "JSONL_INVALID"),
        ("with the id of another", "EVENT_ID_DUPLICATE"),
    ],
)
@pytest.mark.parametrize("place", [1, 40, 100])
def test_damage_anywhere_is_corrupted_and_named_at_its_line(
    real_logs: Path, tmp_path: Path, damage: str, code: str, place: int
) -> None:
    lines = _lines(real_logs / "esaa-0.4.1-147-events")
    line = lines[place]
    value = json.loads(line)
    match damage:
        case "cut in the middle":
            lines[place] = line[: len(line) // 2]
        case "no JSON":
            lines[place] = b"<<<<<<< HEAD"
        case "removed":
            del lines[place]
        case "twice":
            lines.insert(place + 1, line)
        case "swapped":
            lines[place], lines[place + 1] = lines[place + 1], line
        case "without an actor":
            del value["actor"]
            lines[place] = json.dumps(value).encode()
        case "with a key twice":
            lines[place] = line[:-1] + b',"actor":"orchestrator"}'
        case _:
            lines[place] = json.dumps({**value, "event_id": "EV-00000001"}).encode()

    verdict = _damaged(tmp_path, lines)

    assert verdict.verify_status == "corrupted"
    assert code in [one.code for one in verdict.findings if one.line in (place + 1, place + 2)]
    assert verdict.trust.invalid_from_line in (place + 1, place + 2)


@each_with_read_models
def test_edited_title_is_found_by_the_recorded_hashes(real_logs: Path, tmp_path: Path, name: str) -> None:
    folder = real_logs / name
    lines = _lines(folder)
    place = next(number for number, line in enumerate(lines) if b'"task.create"' in line)
    value = json.loads(lines[place])
    value["payload"]["title"] += " "
    lines[place] = json.dumps(value).encode()

    for view in _RENDER:
        (tmp_path / view).write_bytes(_on_disk(folder, view))
    (tmp_path / "activity.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    verdict = _verdict(tmp_path)

    assert verdict.verify_status == "mismatch"
    assert {one.code for one in verdict.findings} >= {"VERIFY_NOT_OK", "READ_MODEL_DIFFERS"}
