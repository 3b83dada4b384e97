"""A log that is verified in runs of lines has the verdict that it has line by line, whatever was done to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.workspaces import make_workspace
from esaa.kernel.chain import leaf_hash
from esaa.protocol.envelope_audit import EnvelopeAudit
from esaa.runtime.verification import line_check, meaning
from esaa.runtime.verification.verify import Verdict, find_target, verify

Lines = list[bytes]


def _edit(line: bytes) -> bytes:
    return line.replace(b'"ts":"2026', b'"ts":"2027')


def _relinked(lines: Lines) -> Lines:
    """The log with a chain that holds, as a forger would write it who knows the rules."""
    linked: Lines = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            linked.append(line)
            continue
        if linked:
            event["prev_hash"] = leaf_hash(linked[-1])
        linked.append(json.dumps(event, separators=(",", ":")).encode())
    return linked


DAMAGES: dict[str, Callable[[Lines, int], Lines]] = {
    "edited": lambda lines, at: [*lines[:at], _edit(lines[at]), *lines[at + 1 :]],
    "another actor": lambda lines, at: [
        *lines[:at],
        lines[at].replace(b'"actor":"orchestrator"', b'"actor":"agent-qa"'),
        *lines[at + 1 :],
    ],
    "another task": lambda lines, at: [
        *lines[:at],
        lines[at].replace(b'"task_id":"T-0000', b'"task_id":"T-9000'),
        *lines[at + 1 :],
    ],
    "another path": lambda lines, at: [*lines[:at], lines[at].replace(b"src/T", b"/etc/T"), *lines[at + 1 :]],
    "a key twice": lambda lines, at: [
        *lines[:at],
        lines[at].replace(b'"payload":{', b'"payload":{"x":1,"x":1,'),
        *lines[at + 1 :],
    ],
    "a key more": lambda lines, at: [
        *lines[:at],
        lines[at].replace(b'"payload":{', b'"payload":{"x":1,'),
        *lines[at + 1 :],
    ],
    "no text": lambda lines, at: [*lines[:at], lines[at].replace(b'"ts":"', b'"ts":\xff"'), *lines[at + 1 :]],
    "dropped": lambda lines, at: lines[:at] + lines[at + 1 :],
    "twice": lambda lines, at: [*lines[: at + 1], lines[at], *lines[at + 1 :]],
    "swapped": lambda lines, at: [*lines[:at], *reversed(lines[at : at + 2]), *lines[at + 2 :]],
    "blank": lambda lines, at: [*lines[:at], b"", *lines[at:]],
    "cut": lambda lines, at: [*lines[:at], lines[at][: len(lines[at]) // 2], *lines[at + 1 :]],
    "ended": lambda lines, at: lines[: at + 1],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    make_workspace(folder, 700, open_tasks=3)
    return folder


def _both(root: Path) -> tuple[Verdict, Verdict]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_check, "_RUN_BYTES", 16 * 1024)
        in_runs = verify(find_target(root))
        patch.setattr(meaning, "events_of", lambda run, count: None)
        patch.setattr(EnvelopeAudit, "knows", lambda self, run, links: False)
        return in_runs, verify(find_target(root))


def test_sound_log_is_read_in_runs(root: Path) -> None:
    known: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_check, "_RUN_BYTES", 16 * 1024)
        real = EnvelopeAudit.knows
        patch.setattr(
            EnvelopeAudit,
            "knows",
            lambda self, run, links: real(self, run, links) and not known.append(len(links)),  # type: ignore[func-returns-value]
        )
        verdict = verify(find_target(root))

    assert verdict.verify_status == "ok"
    assert verdict.events > 600
    assert sum(known) > verdict.events - 100, "all but the first run"
    in_runs, line_by_line = _both(root)
    assert in_runs == line_by_line == verdict


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_damaged_log_has_the_same_findings_both_ways(root: Path, data: st.DataObject) -> None:
    log = root / ".roadmap" / "activity.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        damage = data.draw(st.sampled_from(sorted(DAMAGES)))
        lines = DAMAGES[damage](lines, data.draw(st.integers(0, len(lines) - 1)))
    if data.draw(st.booleans()):
        lines = _relinked(lines)
    try:
        log.write_bytes(b"\n".join(lines) + data.draw(st.sampled_from([b"\n", b""])))
        in_runs, line_by_line = _both(root)
    finally:
        log.write_bytes(whole)

    assert in_runs == line_by_line
