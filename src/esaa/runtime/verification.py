"""`esaa verify`: streams the log once, asks every rule, and answers with a status and *all* findings. Only reads."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from esaa.contracts.governance import Governance
from esaa.effects.paths import inspect
from esaa.errors import ContractError, NotFound, StoreError
from esaa.kernel.checkpoint import VerifierKey
from esaa.kernel.findings import Finding
from esaa.kernel.line_audit import LineAudit
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.envelope_audit import LOG, RESTORE
from esaa.protocol.facts import Fact, VerificationPassed
from esaa.protocol.paths import path_fault
from esaa.protocol.read_model_audit import audit_issues, audit_lessons, audit_missing, audit_roadmap
from esaa.protocol.roadmap import projection_hash
from esaa.protocol.settle import unclosed_act
from esaa.protocol.signature_audit import SignatureAudit
from esaa.protocol.verify import LogAudit, is_stateless
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.checkpoint_audit import CheckpointAudit, Given, Judgement, Knowledge, Trust, trust_of
from esaa.runtime.line_check import LineCheck, check_file, stored_lines
from esaa.stores.base import Head
from esaa.stores.checkpoints import CHECKPOINTS, CheckpointStore
from esaa.stores.contracts import has_governance, read_governance
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore, storage_error
from esaa.stores.keys import verify_ed25519
from esaa.stores.locate import events_backwards, lines_backwards
from esaa.stores.origin import read_origin
from esaa.stores.views import Views

Status = Literal["ok", "mismatch", "corrupted"]

_PARALLEL_FROM_BYTES = 8 * 1024 * 1024
_REPAIR = "`esaa doctor --repair` moves it to quarantine; so does the next command that writes."


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is verified: the log, the folder of read models and contracts (or None), the project's root (or None)."""

    log: Path
    roadmap: Path | None
    root: Path | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. `hashes` says how many historical `verify.ok` were recomputed, of how many."""

    verify_status: Status
    events: int
    projection_hash_sha256: str
    hashes_recomputed: int
    hashes: int
    boundaries_judged: bool
    files_checked: int | None
    files_not_judged: int
    trust: Trust
    findings: tuple[Finding, ...]


def find_target(path: Path) -> Target:
    """What a path means: a workspace, a `.roadmap` folder (or one like it), or a bare log. Raises `NotFound`."""
    if path.is_file():
        return Target(log=path, roadmap=None, root=None)
    if (path / ".roadmap" / "activity.jsonl").is_file():
        return Target(log=path / ".roadmap" / "activity.jsonl", roadmap=path / ".roadmap", root=path)
    if (path / "activity.jsonl").is_file():
        root = path.parent if path.resolve().name == ".roadmap" else None
        return Target(log=path / "activity.jsonl", roadmap=path, root=root)
    raise NotFound("LOG_NOT_FOUND", f"There is no activity.jsonl in {path}.", "Name a workspace, a .roadmap or a log.")


def verify(
    target: Target,
    *,
    strict: bool = False,
    hash_all: bool = False,
    files: bool = False,
    progress: Callable[[int], None] | None = None,
    knowledge: Knowledge | None = None,
    keys: Sequence[VerifierKey] = (),
    given: Sequence[Given] = (),
) -> Verdict:
    """Verifies a log with everything that lies beside it. Raises `StoreError` only where it cannot be read.

    Checkpoints are believed by the keys of `knowledge` (this machine's) and by `keys`; `given` are checkpoints from
    elsewhere. What was found sound, `knowledge` remembers.
    """
    # Nothing here makes cycles; the collector would only walk the growing state again and again.
    collects = gc.isenabled()
    gc.disable()
    try:
        audit = _checkpoint_audit(target, knowledge, keys, given)
        return _verify(target, strict, hash_all or strict, files, progress, audit)
    except OSError as error:
        raise storage_error(target.log, error) from error
    finally:
        if collects:
            gc.enable()


def _verify(
    target: Target,
    strict: bool,
    hash_all: bool,
    files: bool,
    progress: Callable[[int], None] | None,
    checkpoints: CheckpointAudit,
) -> Verdict:
    size = target.log.stat().st_size
    rules, contract_warning = _rules(target)
    lines = _LineCheckRun(target, size, rules, checkpoints.sizes if checkpoints.is_needed else None)
    audit = LogAudit(rules, hash_all=hash_all, last_verified=_last_verified(target.log))
    try:
        # A signature takes longer to check than a thousand lines: only who asks for everything waits for it.
        signatures = SignatureAudit(audit, rules, verify_ed25519) if strict else None
        malformed = _audit_meaning(audit, target.log, size, progress, signatures)
    finally:
        checked_lines = lines.result()
    audit.is_chained = checked_lines.lines.chained_from is not None
    seen = None if target.roadmap is None else Views(target.roadmap, Disk()).cursors.published
    _place_last_link(checked_lines.lines, seen)
    _merge(audit, checked_lines, malformed)
    _audit_tail(audit, target.log, checked_lines.lines.lines)
    if seen is not None:
        _audit_seen(audit, seen, target.log, checked_lines.lines.events)
    events = checked_lines.lines.events
    judgement = checkpoints.judge(checked_lines.heads, events)
    _add_checkpoints(audit, judgement)
    if contract_warning is not None:
        audit.add(
            "CONTRACT_UNREADABLE",
            None,
            contract_warning,
            "Boundaries were not judged.",
            severity="warning",
            effect="mismatch",
            where="contracts",
        )
    if target.roadmap is not None:
        _audit_read_models(audit, target.roadmap)
    checked = _audit_files(audit, target.root) if files and target.root is not None else None
    verdict = _verdict(audit, events, rules is not None, checked, strict, judgement)
    if verdict.verify_status == "ok" and events in checked_lines.heads:
        checkpoints.remember(checked_lines.heads[events], events)
    return verdict


def _checkpoint_audit(
    target: Target, knowledge: Knowledge | None, keys: Sequence[VerifierKey], given: Sequence[Given]
) -> CheckpointAudit:
    if target.roadmap is None:
        return CheckpointAudit(None, None, knowledge, keys, given)
    store = CheckpointStore(target.roadmap / CHECKPOINTS, Disk())
    return CheckpointAudit(store, read_origin(target.roadmap), knowledge, keys, given)


def _add_checkpoints(audit: LogAudit, judgement: Judgement) -> None:
    """The findings of the checkpoints. One that names no line gets the first that nothing vouches for, unless the
    damage was found by its line already."""
    is_placed = any(one.line is not None and one.severity == "error" for one in audit.findings)
    is_told = any(one.code == "LOG_ROLLED_BACK" for one in audit.findings)
    for one in judgement.findings:
        if one.code == "LOG_ROLLED_BACK" and is_told:
            continue
        audit.add(
            one.code,
            None if is_placed else one.first_bad,
            one.message,
            one.hint,
            severity=one.severity,
            effect=one.effect,
            where=one.where or LOG,
        )


def _rules(target: Target) -> tuple[Governance | None, str | None]:
    if target.roadmap is None or not has_governance(target.roadmap):
        return None, None
    try:
        return read_governance(target.roadmap), None
    except ContractError as error:
        return None, error.message


class _LineCheckRun:
    """The check of lines and envelopes: beside the other half for large logs, in place for small ones."""

    def __init__(self, target: Target, size: int, rules: Governance | None, heads_at: Sequence[int] | None) -> None:
        self._path, self._size, self._rules, self._heads_at = target.log, size, rules, heads_at
        self._process: subprocess.Popen[bytes] | None = None
        if size >= _PARALLEL_FROM_BYTES:
            folder = "" if target.roadmap is None else str(target.roadmap)
            arguments = [sys.executable, "-m", "esaa.runtime.line_check", str(target.log), str(size), folder]
            arguments.append("none" if heads_at is None else ",".join(map(str, heads_at)))
            self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE)

    def result(self) -> LineCheck:
        """Waits for the outcome."""
        if self._process is None:
            return check_file(self._path, self._size, self._rules, self._heads_at)
        output, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise StoreError("LINE_CHECK_FAILED", f"The audit of {self._path} ended early.", "Run it again.")
        return msgspec.json.decode(output, type=LineCheck)


def _audit_meaning(
    audit: LogAudit,
    path: Path,
    size: int,
    progress: Callable[[int], None] | None,
    signatures: SignatureAudit | None,
) -> set[int]:
    """Feeds the events; lines that change no state are passed over, but for the last, which dates the read models."""
    decode = ProtocolVocabulary().read
    malformed: set[int] = set()
    number = 0
    passed_over: bytes | None = None
    for line in stored_lines(path, size, progress):
        number += 1
        if number > 1 and is_stateless(line):
            passed_over = line
            continue
        if not line or line.isspace():
            continue
        passed_over = None
        try:
            recorded = decode(line)
        except MalformedLine as error:
            malformed.add(number)
            audit.add(error.code, number, error.message, RESTORE)
            continue
        audit.feed(recorded, number)
        if signatures is not None:
            signatures.feed(recorded, number)
    if passed_over is not None:
        with contextlib.suppress(MalformedLine):  # a finding of the envelope audit already
            audit.feed(decode(passed_over), number)
    return malformed


def _merge(audit: LogAudit, checked: LineCheck, malformed: set[int]) -> None:
    for finding in checked.lines.findings:
        if not (finding.line in malformed and finding.code == "JSONL_INVALID"):
            hint = "The log was edited, cut or reordered here. Restore it from a copy that verifies."
            audit.add(finding.code, finding.line, finding.message, hint)
    audit.findings += checked.envelopes
    audit.findings.sort(key=lambda finding: (finding.line is None, finding.line or 0))


def _audit_tail(audit: LogAudit, path: Path, last_line: int) -> None:
    """A crash's leftovers at the end of our own log: a last line without line feed, a batch that was not closed."""
    if not audit.is_chained:
        return
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 1, 0))
        ends = file.read(1) in (b"\n", b"")
    if not ends:
        audit.findings = [one for one in audit.findings if one.line != last_line]
        audit.add("TORN_TAIL", last_line, "the last line was cut by a crash, never acknowledged", _REPAIR)
        return
    vocabulary = ProtocolVocabulary()
    offset = size

    def newest_first() -> Iterator[Recorded[Fact]]:
        nonlocal offset
        for line, begins in lines_backwards(path):
            offset = begins
            yield vocabulary.decode(line)

    try:
        is_cut = unclosed_act(newest_first()) is not None
    except MalformedLine:
        return
    if is_cut:
        with path.open("rb") as file:
            file.seek(offset)
            line = last_line + 1 - file.read().count(b"\n")  # by its place: its event_seq may be wrong too
        audit.add("UNCLOSED_BATCH", line, "the last batch was cut by a crash, never acknowledged", _REPAIR)


def _place_last_link(lines: LineAudit, seen: Head | None) -> None:
    """No line follows the last one to tell whether its broken link was changed; what this machine saw of it may."""
    if seen is not None and seen.version == lines.events and lines.relinked == seen.leaf_hash:
        lines.blame_link(lines.lines)


def _audit_seen(audit: LogAudit, seen: Head, log: Path, events: int) -> None:
    """Whole lines dropped from the end leave a sound log; but this machine remembers how far it has seen it."""
    store: JsonlStore[Fact] = JsonlStore(log, ProtocolVocabulary(), Disk())
    if not store.holds(seen):
        text = f"event {seen.version}, which this machine has seen, is not in the log any more"
        hint = "Restore the missing events; if the log was restored on purpose: `esaa doctor --accept-log`."
        audit.add("LOG_ROLLED_BACK", min(events, seen.version - 1) + 1, text, hint)


def _last_verified(path: Path) -> int | None:
    """The seq of the last `verify.ok`, read from the end."""
    mentions = events_backwards(path, ProtocolVocabulary(), mention=b'"verify.ok"')
    return next((one.version for one in mentions if isinstance(one.fact, VerificationPassed)), None)


def _audit_read_models(audit: LogAudit, roadmap: Path) -> None:
    path = roadmap / "roadmap.json"
    if path.is_file():
        with path.open("rb") as file:
            audit_roadmap(audit, file)
    else:
        audit_missing(audit, path.name)
    for name, check in (("issues.json", audit_issues), ("lessons.json", audit_lessons)):
        if (roadmap / name).is_file():
            check(audit, (roadmap / name).read_bytes())
        else:
            audit_missing(audit, name)


def _audit_files(audit: LogAudit, root: Path) -> int:
    for path, (digest, line) in audit.file_digests.items():
        if path_fault(path) is not None:
            continue
        found = inspect(root, path, bytes_max=1 << 62, want_content=False)
        if found.sha256 != digest:
            state = found.fault or ("is missing" if found.sha256 is None else "was changed since")
            text = f"`{path}` {state} (written at line {line})"
            hint = f"Take it back from .roadmap/blobs/{digest[:2]}/{digest}, or deliver the change with a task."
            if found.sha256 is None and found.fault is None:
                hint = "`esaa doctor --repair` publishes it again."
            audit.add("FILE_DIFFERS", None, text, hint, effect="mismatch", where=path)
    return len(audit.file_digests)


def _verdict(
    audit: LogAudit, events: int, judged: bool, checked: int | None, strict: bool, judgement: Judgement
) -> Verdict:
    counting = [one for one in audit.findings if one.severity == "error" or (strict and one.severity == "warning")]
    status: Status = "ok"
    if any(one.effect == "corrupted" and one.severity == "error" for one in counting):
        status = "corrupted"
    elif counting:
        status = "mismatch"
    bad_lines = [
        one.line
        for one in audit.findings
        if one.line is not None and one.effect == "corrupted" and one.severity == "error"
    ]
    return Verdict(
        verify_status=status,
        events=events,
        projection_hash_sha256=projection_hash(audit.state),
        hashes_recomputed=audit.hashes_recomputed,
        hashes=audit.hashes,
        boundaries_judged=judged,
        files_checked=checked,
        files_not_judged=audit.writes_without_effects,
        trust=trust_of(events, min(bad_lines, default=None), judgement),
        findings=tuple(audit.findings),
    )
