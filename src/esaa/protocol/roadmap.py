"""The roadmap read model and the projection hash (PROJECTION_SPEC.md, INV-006)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice

from esaa.kernel.canonical import canonical, pretty
from esaa.protocol.state import State

ESAA_VERSION = "0.4.x"
DEFAULT_SCHEMA_VERSION = "0.4.0"
_CHUNK_TASKS = 1024


def projection_hash(state: State) -> str:
    """SHA-256 over the canonical `{schema_version, project, tasks, indexes}` and a line feed."""
    digest = hashlib.sha256()
    digest.update(b'{"indexes":' + canonical(_indexes(state)))
    digest.update(b',"project":' + canonical(_project(state)))
    digest.update(b',"schema_version":' + canonical(schema_version(state)))
    digest.update(b',"tasks":[')
    for chunk in _chunks(state.tasks.canonical_texts(), b","):
        digest.update(chunk)
    digest.update(b"]}\n")
    return digest.hexdigest()


def roadmap_json(state: State) -> bytes:
    """`roadmap.json`, byte for byte: indent 2, keys of every index sorted, a final line feed."""
    return b"".join(roadmap_pieces(state))


def roadmap_pieces(state: State, *, keep_texts: bool = True) -> Iterator[bytes]:
    """`roadmap.json` in pieces, so that a large one is compared without being held in memory."""
    header = state.header
    document = {
        "meta": {
            "schema_version": schema_version(state),
            "esaa_version": ESAA_VERSION,
            "immutable_done": True,
            "master_correlation_id": header.run.master_correlation_id,
            "run": {
                "run_id": header.run.run_id,
                "status": header.run.status,
                "last_event_seq": header.last_seq,
                "projection_hash_sha256": projection_hash(state),
                "verify_status": header.verify_status,
            },
            "updated_at": header.last_ts,
        },
        "project": _project(state),
        "tasks": [],
        "indexes": _indexes(state),
    }
    text = pretty(document) + b"\n"
    if not len(state.tasks):
        yield text
        return
    # A JSON string holds no raw line feed, so this text can only be the top-level key.
    before, _, after = text.partition(b'\n  "tasks": []')
    yield before + b'\n  "tasks": [\n    '
    texts = state.tasks.pretty_texts(keep=keep_texts)
    yield from _chunks(texts, b",\n    ", _CHUNK_TASKS if keep_texts else 1)
    yield b"\n  ]" + after


def _chunks(texts: Iterable[bytes], separator: bytes, size: int = _CHUNK_TASKS) -> Iterator[bytes]:
    """The joined texts in pieces of `size` texts, each but the first beginning with the separator."""
    iterator = iter(texts)
    lead = b""
    while chunk := list(islice(iterator, size)):
        yield lead + separator.join(chunk)
        lead = separator


def schema_version(state: State) -> str:
    """The version of the log's first event."""
    return state.header.schema_version or DEFAULT_SCHEMA_VERSION


def _project(state: State) -> dict[str, str]:
    return {"name": state.header.project_name, "audit_scope": state.header.audit_scope}


def _indexes(state: State) -> dict[str, dict[str, int]]:
    return {
        "by_status": dict(sorted(state.tasks.by_status.items())),
        "by_kind": dict(sorted(state.tasks.by_kind.items())),
    }
