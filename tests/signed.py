"""Signed workspaces for tests: a name, a key beside the project, and histories rewritten by whoever may or may not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from esaa.config import Config
from esaa.kernel.canonical import compact
from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import Checkpoint, Note, Signature, VerifierKey, body, format_note
from esaa.kernel.merkle import root
from esaa.open import open_checkpoints
from esaa.protocol.commands import CreateTask
from esaa.runtime.verification.checkpoint_audit import Given, Knowledge
from esaa.runtime.verification.verify import Verdict, find_target, verify
from esaa.runtime.workspace import Workspace
from esaa.stores.keys import KeyStore, SigningKey
from tests.workspaces import Edits, make_workspace, reopen


def config_dir(root: Path) -> Path:
    """Where the user of these tests keeps keys and memories."""
    return root.parent / "config"


def signed_workspace(root: Path, tasks: Sequence[CreateTask] = (), *, edits: Edits | None = None) -> Workspace:
    """A workspace whose log has a name, and a key on this machine."""
    workspace = make_workspace(root, tasks, edits=edits)
    with workspace.writing():
        open_checkpoints(workspace, Config(config_dir=str(config_dir(root)))).begin()
    return reopen(root)


def judged(
    root: Path,
    *,
    here: bool = True,
    keys: Sequence[VerifierKey] = (),
    given: Sequence[bytes] = (),
    config: Path | None = None,
) -> Verdict:
    """The verdict of this machine, or (`here` False) of one that knows nothing."""
    knowledge = Knowledge(config or config_dir(root)) if here else None
    anchors = [Given(where=f"anchor {number}", data=data) for number, data in enumerate(given, 1)]
    return verify(find_target(root), knowledge=knowledge, keys=keys, given=anchors)


def codes(verdict: Verdict) -> list[str]:
    """The codes of what is wrong with a log, read models and old hashes left out: a rewrite leaves them behind."""
    return [one.code for one in verdict.findings if not one.code.startswith(("READ_MODEL", "VERIFY_NOT_OK"))]


def latest(root: Path) -> Path:
    """The newest checkpoint."""
    return root / ".roadmap" / "checkpoints" / "latest"


def key_of(root: Path) -> SigningKey:
    """The key that signs this log here."""
    found = KeyStore(config_dir(root)).load((root / ".roadmap" / "origin").read_text().strip())
    assert found is not None
    return found


def rewritten(root: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None], first: int = 1) -> None:
    """Changes events (None drops one) and makes all numbers, ids and links fit again, as an attacker would."""
    path = root / ".roadmap" / "activity.jsonl"
    lines: list[bytes] = []
    leaf: str | None = None
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        event: dict[str, Any] | None = json.loads(line)
        if event is not None and number >= first:
            event = change(event)
        if event is None:
            continue
        seq = len(lines) + 1
        event |= {"event_seq": seq, "event_id": f"EV-{seq:08d}"}
        if leaf is not None and "prev_hash" in event:
            event["prev_hash"] = leaf
        lines.append(compact(event))
        leaf = leaf_hash(lines[-1])
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def note_over(root: Path, keys: Sequence[SigningKey], size: int | None = None) -> bytes:
    """A checkpoint of the log as it lies there now, signed by these keys: what their holder can always make."""
    lines = (root / ".roadmap" / "activity.jsonl").read_bytes().splitlines()[:size]
    origin = (root / ".roadmap" / "origin").read_text().strip()
    return signed_note(Checkpoint(origin=origin, size=len(lines), root=root_of_lines(lines)), keys)


def signed_note(checkpoint: Checkpoint, keys: Sequence[SigningKey]) -> bytes:
    """A checkpoint with the signatures of these keys."""
    text = body(checkpoint)
    signatures = tuple(
        Signature(name=one.verifier.name, key_id=one.verifier.key_id, blob=one.sign(text)) for one in keys
    )
    return format_note(Note(text=text, signatures=signatures))


def root_of_lines(lines: Sequence[bytes]) -> str:
    """The Merkle root over stored lines, computed the slow way."""
    return root([leaf_hash(line) for line in lines])
