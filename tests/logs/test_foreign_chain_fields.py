"""A 0.4.1 log with another writer's chain fields: verified whole, then broken in every way."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from esaa.protocol.facts import Fact, ForeignRecorded, RunEnded
from esaa.runtime.verification.verify import Verdict, find_target, verify
from tests.scenarios import approved, claimed, completed, created, log_lines, run_start, story

PLAIN: list[Fact] = [run_start(), created("T-1"), created("T-2", "spec")]
HASHED: list[Fact] = [
    claimed(),
    completed(),
    approved(),
    ForeignRecorded(name="runner.metrics"),
    RunEnded(status="failed"),
]


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _chained() -> list[bytes]:
    anchor = ForeignRecorded(name="chain.anchor", payload={})
    lines = log_lines(story(*PLAIN, anchor, *HASHED, schema_version="0.4.1"), chained=False)
    count = len(PLAIN)
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines[:count])).hexdigest()
    events = [json.loads(line) for line in lines]
    events[count]["payload"] = {"anchored_through_seq": count, "anchor_sha256": digest}
    previous = digest
    for event in events[count + 1 :]:
        event["prev_event_hash"] = previous
        event["event_hash"] = previous = hashlib.sha256(_canonical(event)).hexdigest()
    return lines[:count] + [json.dumps(event, ensure_ascii=False).encode() for event in events[count:]]


def _verdict(tmp_path: Path, lines: list[bytes]) -> Verdict:
    log = tmp_path / "activity.jsonl"
    log.write_bytes(b"".join(line + b"\n" for line in lines))
    return verify(find_target(log))


def test_log_whose_chain_holds_verifies(tmp_path: Path) -> None:
    verdict = _verdict(tmp_path, _chained())

    assert (verdict.verify_status, verdict.events, verdict.findings) == ("ok", 9, ())


@pytest.mark.parametrize("place", range(9))
def test_changed_text_of_any_event_is_found(tmp_path: Path, place: int) -> None:
    lines = _chained()
    value = json.loads(lines[place])
    value["ts"] = "2026-03-01T12:00:00.0Z"
    lines[place] = json.dumps(value, ensure_ascii=False).encode()

    verdict = _verdict(tmp_path, lines)

    # The anchor itself carries no hash here; what it says about the lines before it is what counts.
    assert verdict.verify_status == ("ok" if place == 3 else "corrupted")
    assert {one.code for one in verdict.findings} <= {"CHAIN_BROKEN", "TIME_GOES_BACK"}


@pytest.mark.parametrize("place", [4, 5, 6, 7, 8])
def test_event_whose_hash_was_made_again_breaks_the_link_of_the_next(tmp_path: Path, place: int) -> None:
    lines = _chained()
    value = json.loads(lines[place])
    value["actor"] = "somebody"
    del value["event_hash"]
    value["event_hash"] = hashlib.sha256(_canonical(value)).hexdigest()
    lines[place] = json.dumps(value).encode()

    verdict = _verdict(tmp_path, lines)

    is_last = place == len(lines) - 1
    assert verdict.verify_status == ("ok" if is_last else "corrupted")
    assert [one.line for one in verdict.findings if one.code == "CHAIN_BROKEN"] == ([] if is_last else [place + 2])


def test_anchor_that_was_moved_is_found(tmp_path: Path) -> None:
    lines = _chained()
    value = json.loads(lines[3])
    value["payload"]["anchor_sha256"] = "0" * 64
    lines[3] = json.dumps(value).encode()

    verdict = _verdict(tmp_path, lines)

    assert verdict.verify_status == "corrupted"
    assert [(one.code, one.line) for one in verdict.findings] == [("CHAIN_BROKEN", 4), ("CHAIN_BROKEN", 5)]
