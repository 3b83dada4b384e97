"""Adds a line to the golden corpus of the trail for each version of an event type that has none yet.

`tests/corpora/trail/events.jsonl` is one stream of one issue. It only grows: a line that stands there is what some
esaa wrote, and every later one has to read it. `state.json` beside it is what its events fold to. After a type got a
new version (and its example with it), or the rules of the fold got one, run `python -m tests.trail.extend_corpus`
and commit what it wrote. It refuses to write another state under the same `PROJECTION_VERSION`.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from esaa.kernel.canonical import compact, pretty
from esaa.kernel.chain import leaf_hash
from esaa.kernel.commitment import commit
from esaa.kernel.erasable import PLACEHOLDER, Erasable
from esaa.kernel.recorded import Recorded
from esaa.redaction.note import Redaction
from esaa.trail.event import Actor, GateFinding, Origin, Source, TrailEvent, Witnessed
from esaa.trail.evolve import PROJECTION_VERSION, evolve
from esaa.trail.intake import trail_time
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.state import OrchestrationState, encode_state
from esaa.trail.types import EventTypes
from esaa.trail.wire import TrailVocabulary, raw_metadata
from tests.trail.metadata_examples import EXAMPLES

FOLDER = Path(__file__).resolve().parents[1] / "corpora" / "trail"
CORPUS = FOLDER / "events.jsonl"
STATE = FOLDER / "state.json"
STREAM = "PROJ-123"
BEGIN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

ACTORS = (
    Actor(type="user", id="ada"),
    Actor(type="system", id="event-sourcing-orchestrator"),
    Actor(type="agent", id="react-component-architect", model="sonnet"),
)
RARE: tuple[dict[str, Any], ...] = (
    {},
    {"vector_clock": {"laptop": 3, "server": 12}},
    {"redaction": (Redaction(kind="password", path="metadata.extra.login", count=2),)},
    {"codebase_state": "sha256:" + "5" * 64, "occurred_at": "2026-01-05T08:59:58.125Z"},
    {"source": Source(event_id="EV-00000012", leaf_hash="d" * 64)},
    {"origin": Origin(event_sequence=7, prev_hash="e" * 64)},
    {"findings": (GateFinding(gate=8, code="METADATA_INCOMPLETE", path="metadata.phase", message="it is empty"),)},
)
"""The keys of the envelope that few lines have, each on some lines of the corpus."""


class GoldenState(msgspec.Struct, kw_only=True):
    """What the first lines of the corpus fold to, by which rules."""

    projection_version: int
    lines: int
    state: dict[str, Any]


def corpus_lines() -> list[bytes]:
    """The lines of the corpus, the oldest first."""
    return CORPUS.read_bytes().splitlines() if CORPUS.is_file() else []


def folded(lines: list[bytes]) -> GoldenState:
    """What lines fold to today."""
    vocabulary, types, state = TrailVocabulary(), EventTypes(), OrchestrationState()
    for event in map(vocabulary.decode, lines):
        evolve(state, event, types.fact_of(event))
    value: dict[str, Any] = msgspec.json.decode(encode_state(state))
    return GoldenState(projection_version=PROJECTION_VERSION, lines=len(lines), state=value)


def golden_state() -> GoldenState | None:
    """The state that is kept, where there is one."""
    return msgspec.json.decode(STATE.read_bytes(), type=GoldenState) if STATE.is_file() else None


def main() -> int:
    """Appends the lines that are missing, and writes the state."""
    lines = corpus_lines()
    kept = golden_state()
    if kept is not None and kept.projection_version == PROJECTION_VERSION and kept != folded(lines[: kept.lines]):
        print("refused: the corpus folds to another state than before, under the same PROJECTION_VERSION")
        return 1
    there = {(event.fact.event_type, event.schema_version) for event in map(TrailVocabulary().decode, lines)}
    missing = [name for name, kind in TRAIL_TYPES.items() if (name, kind.version) not in there]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with CORPUS.open("ab") as file:
        for name in missing:
            event = example(name, len(lines) + 1, leaf_hash(lines[-1]) if lines else None)
            lines.append(TrailVocabulary().encode(event))
            file.write(lines[-1] + b"\n")
        if not any(b'"erasable":[' in line for line in lines):
            lines.append(TrailVocabulary().encode(withheld(len(lines) + 1, leaf_hash(lines[-1]))))
            file.write(lines[-1] + b"\n")
            missing.append("CommentPosted")
    STATE.write_bytes(pretty(folded(lines)) + b"\n")
    print(f"{len(missing)} lines added, {len(lines)} in all")
    return 0


def example(name: str, number: int, prev_hash: str | None) -> TrailEvent:
    """The example of a type as the event with this number of the stream."""
    actor = ACTORS[(number - 1) % len(ACTORS)]
    seen = Witnessed(
        event_type=name,
        metadata=raw_metadata(EXAMPLES[name]),
        issue_key=STREAM,
        session_id=identifier(0),
        actor=actor,
        git_sha="9fceb02d0ae598e95dc970b74767f19372d61af8",
        branch="feature/login",
    )
    return Recorded(
        version=number,
        event_id=identifier(number),
        ts=trail_time(BEGIN + timedelta(seconds=7.25 * number)),
        actor=actor.id,
        schema_version=TRAIL_TYPES[name].version,
        correlation_id=f"work-{(number - 1) // 10}",
        causation_id=identifier(number - 1) if number > 1 else None,
        prev_hash=prev_hash,
        fact=msgspec.structs.replace(seen, **RARE[(number - 1) % len(RARE)]),
    )


def withheld(number: int, prev_hash: str) -> TrailEvent:
    """A comment of which the text lies beside the trail."""
    event = example("CommentPosted", number, prev_hash)
    note = Erasable(
        path="/comment_body",
        commitment=commit(b"\x05" * 32, compact(EXAMPLES["CommentPosted"]["comment_body"])),
        bytes=len(compact(EXAMPLES["CommentPosted"]["comment_body"])),
        subject="customer-4711",
    )
    metadata = raw_metadata(EXAMPLES["CommentPosted"] | {"comment_body": PLACEHOLDER})
    return msgspec.structs.replace(event, fact=msgspec.structs.replace(event.fact, metadata=metadata, erasable=(note,)))


def identifier(number: int) -> str:
    """A UUID that says its number."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


if __name__ == "__main__":
    sys.exit(main())
