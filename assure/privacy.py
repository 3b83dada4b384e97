"""What must not be on the disk is not: planted secrets through every entrance, and values that were erased.

Secrets go in as ids, paths, texts, keys and nested values of both vocabularies, in strict and in lenient stores. Erased
values were indexed, folded, snapshotted, reported, archived and merged before they went, sealed and unsealed.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Generator
from pathlib import Path
from typing import Any

from assure.byte_search import places
from assure.entrances import ACTOR, command, govern, make_workspace, witness
from assure.figure import Figure, Scope
from assure.planted import FORMS, MARK, mark, planted
from esaa.kernel.canonical import compact
from esaa.kernel.chain import leaf_hash
from esaa.kernel.merkle import (
    consistency_proof,
    inclusion_proof,
    root_of,
    subtrees,
    verify_consistency,
    verify_inclusion,
)
from esaa.open import open_feed, open_trail, open_workspace
from esaa.protocol.commands import (
    CreateTask,
    Submit,
)
from esaa.protocol.erasable import notes_of
from esaa.protocol.result import parse_result
from esaa.runtime.privacy.erasing import erase_events, erase_subject, reveal
from esaa.runtime.privacy.log_erasables import erase_in_log, reveal_in_log
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.verification.verify import find_target, verify

_REPORTS = ("html", "json", "csv", "md")


def measure(scope: Scope) -> list[Figure]:
    """Plants secrets and erases values; counts what is found of either."""
    draw = random.Random(scope.seed)
    return [secrets_on_disk(scope, draw), *erased_values(scope, draw)]


def secrets_on_disk(scope: Scope, draw: random.Random) -> Figure:
    """Plants secrets through every entrance of both vocabularies, and looks for them."""
    wanted = 200 if scope.is_short else 3000
    supply = planted(draw, scope.seed << 16)
    marks: dict[str, str] = {}

    def secret(place: str) -> str:
        own, form, text = next(supply)
        marks[own] = f"{form} in {place}"
        return draw.choice(("{}", "see {} there", "it said: {}")).format(text)

    rounds = 0
    while len(marks) < wanted:
        home = scope.scratch / f"secrets-{rounds}"
        with _user(home):
            govern(home / "project", secret)
            witness(home / "project", secret, strict=rounds % 2 == 0)
            _derived(home / "project")
        rounds += 1
    found = places([scope.scratch], MARK)
    leaked = {own: sorted(map(str, paths)) for own, paths in found.items() if own in marks}
    detail: dict[str, float | int | str] = {"planted": len(marks), "forms": len(FORMS), "rounds": rounds}
    detail["entrances"] = len({where.partition(" in ")[2] for where in marks.values()})
    for number, (own, paths) in enumerate(list(leaked.items())[:9]):
        detail[f"leak_{number}"] = f"{marks[own]}: {paths[0]}"
    return Figure(
        name="planted secrets that reach the disk",
        value=len(leaked),
        target="0 of >= 1,000" if not scope.is_short else "0",
        holds=not leaked and len(marks) >= wanted,
        detail=detail,
    )


def erased_values(scope: Scope, draw: random.Random) -> list[Figure]:
    """Values are planted, spread as far as they get, and erased; then every byte is looked through."""
    rounds = 1 if scope.is_short else 8
    per_round = 24 if scope.is_short else 150
    recoverable: dict[str, list[str]] = {}
    spread: dict[str, list[str]] = {}
    planted_count = revealed = 0
    proofs = 0
    failed: list[str] = []
    for number in range(rounds):
        home = scope.scratch / f"erased-{number}"
        with _user(home):
            own = [mark((scope.seed << 20) + number * per_round + one) for one in range(per_round)]
            erasing = _Erasing(home / "project", own, is_sealed=number % 2 == 0, draw=draw)
            erasing.plant()
            revealed += erasing.held()
            # Until they are erased they stand in one place only, which nothing else is made from.
            for text, files in places([home], MARK).items():
                others = [str(path) for path in files if "erasable" not in path.parts]
                if others:
                    spread[text] = others
            before = erasing.leaves()
            erasing.erase()
            found = places([home], MARK)
            recoverable |= {text: sorted(map(str, paths)) for text, paths in found.items() if text in own}
            checked, wrong = _proofs(before, erasing.leaves())
            proofs += checked + 1
            failed += wrong + erasing.failures()
            planted_count += len(own)
    detail: dict[str, float | int | str] = {"planted": planted_count, "held_before": revealed, "spread": len(spread)}
    for at, (text, paths) in enumerate(list((recoverable | spread).items())[:5]):
        detail[f"found_{at}"] = f"{text}: {paths[0]}"
    return [
        Figure(
            name="erased values that can be recovered",
            value=len(recoverable) + len(spread),
            target="0",
            holds=not recoverable and not spread and revealed == planted_count,
            detail=detail,
        ),
        Figure(
            name="proofs that verify after an erasure",
            value=100 * (proofs - len(failed)) / proofs,
            target="100 %",
            holds=not failed and proofs > planted_count,
            detail={"proofs": proofs, "logs": rounds} | ({"failed": "; ".join(failed[:3])} if failed else {}),
        ),
    ]


def _proofs(before: dict[str, list[str]], after: dict[str, list[str]]) -> tuple[int, list[str]]:
    """Every receipt of an event from before, and the way from the old head to the new one: how many, and which fail."""
    wrong: list[str] = []
    count = 0
    for name, old in before.items():
        new = after.get(name, [])
        root, now = root_of(subtrees(old)), root_of(subtrees(new))
        count += len(old) + 1
        path = consistency_proof(new, len(old))
        if not verify_consistency(len(old), root, len(new), now, path):
            wrong.append(f"{name}: {len(new)} is no continuation of {len(old)}")
        for index, leaf in enumerate(old):
            # The receipt was made before the erasure; what the line is now has to fit it.
            proof = inclusion_proof(old, index)
            if not verify_inclusion(new[index], index, len(old), proof, root) or new[index] != leaf:
                wrong.append(f"{name} #{index + 1}")
    return count, wrong


class _Erasing:
    """One workspace whose values are planted, spread and erased."""

    def __init__(self, root: Path, own: list[str], *, is_sealed: bool, draw: random.Random) -> None:
        self._root = root
        self._own = own
        self._is_sealed = is_sealed
        self._draw = draw
        self._subject: list[str] = []
        self._events: list[str] = []
        self._log_events: list[str] = []

    def plant(self) -> None:
        """A third each in the log, in the trail by subject, and in the trail by event; then everything is derived."""
        workspace = make_workspace(self._root, "\nerasable: [notes, evidence]\n")
        settings = (
            "event_sourcing:\n  snapshots: {frequency: 5}\n"
            f"  privacy: {{erasable: ['*.comment_body', '*.reason', 'PhaseStarted.extra.caller'],"
            f" encrypt: {str(self._is_sealed).lower()}}}\n"
        )
        (self._root / ".roadmap" / "event-sourcing.yaml").write_text(settings)
        share = len(self._own) // 3
        for number, text in enumerate(self._own[:share]):
            workspace.commit(CreateTask(task_id=f"T-{number}", task_kind="impl", title="x"))
            event = {"action": "claim", "task_id": f"T-{number}", "notes": self._said(text)}
            result = parse_result(compact({"activity_event": event}), workspace.rules)
            workspace.commit(Submit(actor="agent-impl", result=result))
        self._log_events = [event.event_id for event in workspace.events() if notes_of(event)]
        with TrailRecorder(open_trail(self._root), actor=ACTOR, issue_key="PROJ-1") as recorder:
            for text in self._own[share : 2 * share]:
                metadata: dict[str, Any] = {"issue_key": "PROJ-1", "comment_body": self._said(text)}
                self._subject.append(recorder.record("CommentPosted", metadata, subject="customer-1"))
            for text in self._own[2 * share :]:
                metadata = {"phase": "PLAN", "extra": {"caller": {"name": text, "said": [self._said(text)]}}}
                self._events.append(recorder.record("PhaseStarted", metadata))
        open_feed(self._root).catch_up()
        _derived(self._root)

    def held(self) -> int:
        """How many values can be read as they were."""
        trail, workspace = open_trail(self._root), open_workspace(self._root)
        shown = [one for event_id in [*self._subject, *self._events] for one in reveal(trail, event_id)[1]]
        shown += [one for event_id in self._log_events for one in reveal_in_log(workspace, event_id)[1]]
        return sum(any(text in str(one.value) for one in shown if one.status == "HELD") for text in self._own)

    def leaves(self) -> dict[str, list[str]]:
        """The leaf hashes of the log and of every stream."""
        trail = open_trail(self._root)
        streams = {name: [one.line for one in trail.store.stream(name).events()] for name in trail.store.names()}
        streams["log"] = (self._root / ".roadmap" / "activity.jsonl").read_bytes().splitlines()
        return {name: [leaf_hash(line) for line in lines] for name, lines in streams.items()}

    def erase(self) -> None:
        """Everything goes: by subject, by event, in the log."""
        said: dict[str, Any] = {"reason": "the customer asked for it", "authority": "the data protection officer"}
        with TrailRecorder(open_trail(self._root), actor=ACTOR, is_async=False) as recorder:
            erase_subject(recorder, "customer-1", **said)
            erase_events(recorder, self._events, **said)
        erase_in_log(open_workspace(self._root), self._log_events, **said)
        _derived(self._root)

    def failures(self) -> list[str]:
        """What does not hold after the erasure: verification, reconstruction, replay, and what is shown."""
        failed: list[str] = []
        verdict = verify(find_target(self._root), strict=True, hash_all=True, files=True)
        if verdict.verify_status != "ok":
            failed.append(f"verify: {verdict.verify_status} {[one.message for one in verdict.findings[:2]]}")
        trail = open_trail(self._root)
        states = TrailStates(trail)
        failed += [
            f"{name}: the state differs from its full fold"
            for name in trail.store.names()
            if states.reconstruct(name).state != states.reconstruct(name, use_snapshots=False).state
        ]
        shown = [one for event_id in [*self._subject, *self._events] for one in reveal(trail, event_id)[1]]
        failed += [f"{one.path} is {one.status}" for one in shown if one.status != "ERASED"]
        if command(self._root, "replay", "PROJ-1") != 0:
            failed.append("replay")
        return failed

    def _said(self, text: str) -> str:
        return f"{self._draw.choice(('Jane', 'Ines', 'Omar'))} {text} called about the invoice"


def _derived(root: Path) -> None:
    """Everything that is made from the events: index, snapshots, read models, reports, the catalogue."""
    command(root, "index", "rebuild")
    for stream in open_trail(root).store.names():
        command(root, "snapshot", "create", "--issue", stream)
    for form in _REPORTS:
        command(root, "audit", "--format", form)
    command(root, "query", "--text", "called")
    command(root, "verify", "--strict")


@contextlib.contextmanager
def _user(home: Path) -> Generator[None, None, None]:
    """A user with a configuration of their own."""
    home.mkdir(parents=True)
    known = os.environ.get("ESAA_CONFIG_DIR")
    os.environ["ESAA_CONFIG_DIR"] = str(home / "config")
    try:
        yield
    finally:
        if known is None:
            del os.environ["ESAA_CONFIG_DIR"]
        else:
            os.environ["ESAA_CONFIG_DIR"] = known
