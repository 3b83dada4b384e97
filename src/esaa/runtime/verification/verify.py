"""`esaa verify`: streams the log once, asks every rule, and answers with a status and *all* findings. Only reads."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from esaa.contracts.governance import Governance
from esaa.effects.paths import inspect
from esaa.errors import ContractError, NotFound, StoreError
from esaa.kernel.checkpoint import VerifierKey
from esaa.kernel.findings import Finding
from esaa.protocol.envelope_audit import LOG
from esaa.protocol.paths import path_fault
from esaa.protocol.read_model_audit import audit_issues, audit_lessons, audit_missing, audit_roadmap
from esaa.protocol.roadmap import projection_hash
from esaa.protocol.signature_audit import SignatureAudit
from esaa.protocol.state import State
from esaa.protocol.verify import LogAudit
from esaa.runtime.verification import line_check
from esaa.runtime.verification.checkpoint_audit import CheckpointAudit, Given, Judgement, Knowledge, Trust, trust_of
from esaa.runtime.verification.line_check import LineCheck, check_file, stored_runs
from esaa.runtime.verification.log_end import audit_seen, audit_tail, last_verified, place_last_link
from esaa.runtime.verification.meaning import audit_meaning
from esaa.runtime.verification.reverification import Prefix, keep, known_prefix
from esaa.stores.checkpoints import CHECKPOINTS, CheckpointStore
from esaa.stores.contracts import has_governance, read_governance
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.keys import verify_ed25519
from esaa.stores.origin import read_origin
from esaa.stores.verified import PieceDigests
from esaa.stores.views import Views

Status = Literal["ok", "mismatch", "corrupted"]

_PARALLEL_FROM_BYTES = 8 * 1024 * 1024


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is verified: the log, the folder of read models and contracts (or None), the project's root (or None)."""

    log: Path
    roadmap: Path | None
    root: Path | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. `hashes` says how many historical `verify.ok` were recomputed, of how many; `compared_by_bytes` how
    many events are byte for byte those that this machine had verified before, and were not judged again."""

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
    compared_by_bytes: int = 0


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
        prefix = None
        if target.roadmap is not None and not (strict or hash_all):
            prefix = known_prefix(audit, target.roadmap, target.log)
        verdict = _verify(target, strict, hash_all or strict, files, progress, audit, prefix)
        if prefix is None or all(one.code == "FILE_DIFFERS" for one in verdict.findings):
            return verdict
        # Something is wrong: all of it is judged again, so that it is found where it is.
        audit = _checkpoint_audit(target, knowledge, keys, given)
        return _verify(target, strict, hash_all or strict, files, progress, audit, None)
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
    prefix: Prefix | None,
) -> Verdict:
    if prefix is not None and prefix.is_all_there_is(target.log, target.roadmap):
        return _again(target, prefix, files, checkpoints)
    size = target.log.stat().st_size
    rules, contract_warning = _rules(target)
    lines = _LineCheckRun(target, size, rules, checkpoints.sizes if checkpoints.is_needed else None, prefix)
    audit = LogAudit(rules, hash_all=hash_all, last_verified=last_verified(target.log))
    digests = PieceDigests() if prefix is None else prefix.digests(target.log)
    if prefix is not None:
        prefix.resume(audit)
    try:
        # A signature takes longer to check than a thousand lines: only who asks for everything waits for it.
        signatures = SignatureAudit(audit, rules, verify_ed25519) if strict else None
        runs_to_judge = stored_runs(
            target.log,
            size,
            progress,
            start=0 if prefix is None else prefix.place.offset,
            tap=digests.update if checkpoints.is_needed else None,
        )
        malformed = audit_meaning(audit, runs_to_judge, 0 if prefix is None else prefix.place.events, signatures)
    finally:
        checked_lines = lines.result()
    audit.is_chained = checked_lines.lines.chained_from is not None
    seen = None if target.roadmap is None else Views(target.roadmap, Disk()).cursors.published
    place_last_link(checked_lines.lines, seen)
    _merge(audit, checked_lines, malformed)
    audit_tail(audit, target.log, checked_lines.lines.lines)
    if seen is not None:
        audit_seen(audit, seen, target.log, checked_lines.lines.events)
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
    verdict = _verdict(audit, events, rules is not None, checked, strict, judgement, projection_hash(audit.state))
    if verdict.verify_status == "ok" and events in checked_lines.heads:
        checkpoints.remember(checked_lines.heads[events], events)
        if digests.digests() == checked_lines.digests:  # both halves have judged the very same bytes
            keep(verdict.findings, verdict.trust, target.roadmap, checkpoints, checked_lines, audit, size, prefix)
    return msgspec.structs.replace(verdict, compared_by_bytes=0 if prefix is None else prefix.place.events)


def _again(target: Target, prefix: Prefix, files: bool, checkpoints: CheckpointAudit) -> Verdict:
    """The verdict on a log in which nothing has changed, but perhaps the checkpoints and the project's files."""
    audit = LogAudit(None, hash_all=False, last_verified=None)
    remembered, place = prefix.remembered, prefix.place
    audit.resume(State(), remembered.gathered)
    assert target.roadmap is not None, "what is remembered is of a workspace"
    seen = Views(target.roadmap, Disk()).cursors.published
    if seen is not None:
        audit_seen(audit, seen, target.log, place.events)
    judgement = checkpoints.judge(place.heads, place.events)
    _add_checkpoints(audit, judgement)
    checked = _audit_files(audit, target.root) if files and target.root is not None else None
    judged, digest = remembered.boundaries_judged, remembered.projection_hash_sha256
    verdict = _verdict(audit, place.events, judged, checked, False, judgement, digest)
    return msgspec.structs.replace(verdict, compared_by_bytes=place.events)


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

    def __init__(
        self,
        target: Target,
        size: int,
        rules: Governance | None,
        heads_at: Sequence[int] | None,
        prefix: Prefix | None,
    ) -> None:
        self._path, self._size, self._rules, self._heads_at, self._prefix = target.log, size, rules, heads_at, prefix
        self._process: subprocess.Popen[bytes] | None = None
        if size >= _PARALLEL_FROM_BYTES and prefix is None:
            folder = "" if target.roadmap is None else str(target.roadmap)
            sizes = "none" if heads_at is None else ",".join(map(str, heads_at))
            arguments = [sys.executable, "-m", line_check.__name__, str(target.log), str(size), folder, sizes]
            self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE)

    def result(self) -> LineCheck:
        """Waits for the outcome."""
        if self._process is None:
            return check_file(self._path, self._size, self._rules, self._heads_at, self._prefix)
        output, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise StoreError("LINE_CHECK_FAILED", f"The audit of {self._path} ended early.", "Run it again.")
        return msgspec.json.decode(output, type=LineCheck)


def _merge(audit: LogAudit, checked: LineCheck, malformed: set[int]) -> None:
    for finding in checked.lines.findings:
        if not (finding.line in malformed and finding.code == "JSONL_INVALID"):
            hint = "The log was edited, cut or reordered here. Restore it from a copy that verifies."
            audit.add(finding.code, finding.line, finding.message, hint)
    audit.findings += checked.envelopes
    audit.findings.sort(key=lambda finding: (finding.line is None, finding.line or 0))


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
    audit: LogAudit,
    events: int,
    judged: bool,
    checked: int | None,
    strict: bool,
    judgement: Judgement,
    digest: str,
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
        projection_hash_sha256=digest,
        hashes_recomputed=audit.hashes_recomputed,
        hashes=audit.hashes,
        boundaries_judged=judged,
        files_checked=checked,
        files_not_judged=audit.writes_without_effects,
        trust=trust_of(events, min(bad_lines, default=None), judgement),
        findings=tuple(audit.findings),
    )
