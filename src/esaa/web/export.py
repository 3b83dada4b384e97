"""One run in one file: the page, read-only, with its data inside. It opens without a server and asks nobody anything.

The file holds the events and every value that each part of the state had; from these the page works out each moment
by itself (`web/src/lib/inlined.ts`). It is bounded, and what is left out is said.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.errors import NotFound, StoreError
from esaa.history.entries import Entry
from esaa.history.pointers import pointer_of
from esaa.history.premises import premises_of
from esaa.history.tree import is_binary
from esaa.runtime.history.files import digest_of, stored_content
from esaa.runtime.history.lines import payload_of
from esaa.runtime.history.machine import TimeMachine
from esaa.runtime.history.summary import past_summary
from esaa.runtime.history.views import Meta, Overview, RunSummary, VerifyView
from esaa.stores.notes import Note

FORMAT = 1
EVENTS_MAX = 5_000
CONTENTS_BYTES_MAX = 8 * 1024 * 1024
CONTENT_BYTES_MAX = 512 * 1024
_REJECTIONS_MAX = 1_000
_SCRIPT = re.compile(r'\s*<script\b[^>]*\bsrc="/assets/([^"]+)"[^>]*></script>')
_STYLE = re.compile(r'\s*<link\b(?=[^>]*\brel="stylesheet")[^>]*\bhref="/assets/([^"]+)"[^>]*>')
_ICON = re.compile(r'(<link\b(?=[^>]*\brel="icon")[^>]*\bhref=")/assets/([^"]+)("[^>]*>)')


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """The file, how many events it tells, and what is not in it."""

    html: bytes
    run_id: str
    events: int
    left_out: tuple[str, ...]


def export_run(machine: TimeMachine, run_id: str, page: Mapping[str, bytes], notes: Iterable[Note] = ()) -> Exported:
    """The page of a run in one file. Raises `NotFound` for a run that is not there, `StoreError` without a page."""
    meta = machine.meta()
    run = next((one for one in meta.runs if one.run_id == run_id), None)
    if run is None:
        known = ", ".join(one.run_id for one in meta.runs[-5:]) or "none"
        raise NotFound("RUN_NOT_FOUND", f"There is no run {run_id[:80]!r}.", f"The newest ones: {known}.")
    collected = _Collected(machine, meta, run)
    data = collected.data([one for one in notes if one.past == machine.past.name and one.seq <= run.last_seq])
    return Exported(
        html=in_one_file(page, data),
        run_id=run_id,
        events=run.last_seq - collected.first + 1,
        left_out=tuple(data["left_out"]),
    )


def in_one_file(page: Mapping[str, bytes], data: Mapping[str, Any]) -> bytes:
    """The shell of the page with its script, its style and the data in it. Raises `StoreError` where it has none."""
    shell = page.get("index.html", b"").decode()
    script, style = _SCRIPT.search(shell), _STYLE.search(shell)
    if script is None or style is None or script[1] not in page or style[1] not in page:
        raise StoreError("PAGE_NOT_BUILT", "The page is not built, so it cannot be exported.", "`esaa serve` says why.")
    # Neither text may end the element that it stands in.
    code = re.sub(r"<(?=/script|!--)", r"\\x3C", page[script[1]].decode(), flags=re.IGNORECASE)
    rules = page[style[1]].decode().replace("</", "<\\/")
    values = msgspec.json.encode(data).decode().replace("<", "\\u003c")
    policy = (
        f"default-src 'none'; script-src '{_source(code)}'; style-src '{_source(rules)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = f'<meta http-equiv="content-security-policy" content="{policy}" />\n<style>{rules}</style>\n'
    body = f'<script type="application/json" id="esaa-data">{values}</script>\n<script type="module">{code}</script>\n'
    shell = _STYLE.sub("", _SCRIPT.sub("", shell))
    shell = _ICON.sub(lambda found: found[1] + _as_data(page.get(found[2], b"")) + found[3], shell)
    return shell.replace("</head>", head + "</head>", 1).replace("</body>", body + "</body>", 1).encode()


def _source(text: str) -> str:
    return "sha256-" + base64.b64encode(sha256(text.encode()).digest()).decode()


def _as_data(icon: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(icon).decode()


class _Collected:
    """The events of a run, every value that a part had in it, and what was in the files."""

    def __init__(self, machine: TimeMachine, meta: Meta, run: RunSummary) -> None:
        self._machine = machine
        self._past = machine.past
        self._meta = meta
        self._last = run.last_seq
        self._left_out: list[str] = []
        first = 1 if run.last_seq <= EVENTS_MAX else run.first_seq
        self.first = max(first, run.last_seq - EVENTS_MAX + 1)
        if self.first > 1:
            self._left_out.append(f"Events #1 to #{self.first - 1}; the state that they led to is here.")

    def data(self, notes: list[Note]) -> dict[str, Any]:
        """All of it, as `web/README.md` describes it."""
        machine, last = self._machine, str(self._last)
        entries = list(self._past.entries(self.first, self._last))
        parts = {pointer: list(self._versions(pointer)) for pointer in self._pointers()}
        meta = self._meta_of(entries)
        one = msgspec.structs.replace(past_summary(self._past), head=self._last, last_ts=meta.last_ts)
        shown = tuple(msgspec.structs.asdict(note) | {"is_stale": False} for note in notes)
        rejections = machine.rejections(last, count=_REJECTIONS_MAX)
        if rejections.total > _REJECTIONS_MAX:
            self._left_out.append(f"What was asked in {rejections.total - _REJECTIONS_MAX} of the rejections.")
        return {
            "format": FORMAT,
            "index": Overview(past="", at=0, cli="esaa trail list", pasts=(one,), runs=meta.runs),
            "meta": meta,
            "entries": entries,
            "payloads": [payload_of(self._past, entry.seq) for entry in entries],
            "premises": [premises_of(self._past, entry) for entry in entries],
            "line_bytes": [len(self._past.line(entry.seq)) for entry in entries],
            "parts": parts,
            "contents": self._contents(parts),
            "answers": {
                "metrics": machine.metrics(last),
                "proof": machine.proof(last),
                "rejections": rejections,
                "notes": {"total": len(shown), "notes": shown},
            },
            "left_out": self._left_out,
        }

    def _meta_of(self, entries: list[Entry]) -> Meta:
        """What the past was when the run ended."""
        last = entries[-1]
        verify = self._meta.verify
        if self._meta.head != self._last:
            marks = [one for one in entries if one.name in ("verify.ok", "verify.fail")]
            verify = VerifyView(status="", detail="")
            if marks:
                verify = VerifyView(
                    status=marks[-1].name.removeprefix("verify."), detail=f"#{marks[-1].seq}, {marks[-1].ts}"
                )
        return msgspec.structs.replace(
            self._meta,
            at=self._last,
            head=self._last,
            head_hash=last.leaf_hash,
            last_ts=last.ts,
            names=tuple(sorted({one.name for one in entries})),
            actors=tuple(sorted({one.actor for one in entries})),
            runs=tuple(one for one in self._meta.runs if one.last_seq <= self._last),
            verify=verify,
        )

    def _pointers(self) -> list[str]:
        # What stood there before the first event and never changed is a part too.
        before = (pointer_of((name,)) for name in self._past.document(self.first - 1))
        standing = [pointer for pointer in before if self._past.part(self.first - 1, pointer) is not UNSET]
        return list(dict.fromkeys([*standing, *self._past.changed_parts(0, self._last)]))

    def _versions(self, pointer: str) -> Iterable[list[Any]]:
        """The values of a part: that before the first event, and each that an event gave it."""
        before = self._past.part(self.first - 1, pointer)
        if before is not UNSET:
            yield [self.first - 1, before]
        for seq in self._past.part_changes(pointer, self._last):
            if seq >= self.first:
                value = self._past.part(seq, pointer)
                yield [seq] if value is UNSET else [seq, value]

    def _contents(self, parts: Mapping[str, list[list[Any]]]) -> dict[str, str]:
        """What was in the files, as far as it is text and there is room."""
        found: dict[str, str] = {}
        left, skipped = CONTENTS_BYTES_MAX, 0
        versions = [one for pointer, all_of_it in parts.items() if pointer.startswith("/files/") for one in all_of_it]
        for digest in dict.fromkeys(digest_of(version[1]) for version in versions if len(version) > 1):
            content = stored_content(self._machine.sources, digest).data if digest is not None else None
            if digest is None or content is None or is_binary(content):
                continue
            if len(content) > min(left, CONTENT_BYTES_MAX):
                skipped += 1
                continue
            left -= len(content)
            found[digest] = content.decode("utf-8", "replace")
        if skipped:
            self._left_out.append(f"The contents of {skipped} versions of files, for the page would become too large.")
        return found
