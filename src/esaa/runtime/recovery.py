"""What is mended when a workspace is opened for writing: a torn tail, a cut batch, unpublished files, old read models.

Each repair of the log is recorded as an `orchestrator.view.mutate` with the target `log`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from esaa.effects.from_facts import file_effects
from esaa.errors import CorruptLog
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.commands import RecordRepair, RecordVerification
from esaa.protocol.facts import Fact, FileWritten, ViewMutated
from esaa.protocol.roadmap import projection_hash
from esaa.protocol.settle import unclosed_act
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.clock import log_time
from esaa.stores.jsonl import JsonlStore, TornTail
from esaa.stores.locate import lines_backwards
from esaa.stores.recovery import TailRepair, cut_tail

if TYPE_CHECKING:
    from esaa.runtime.workspace import Workspace


def recover(workspace: Workspace, *, accept_shorter: bool = False) -> list[str]:
    """Mends what can be mended and returns what was done, one line each. The writer's lock is held.

    Raises `CorruptLog` for damage that is not a crash's: that is never cut away. A log that ends before an event that
    this machine has seen acknowledged is such damage too, unless `accept_shorter` says that it was restored on purpose.
    """
    notices = _mend_tail(workspace, accept_shorter)
    if workspace.state().seq:
        notices += _publish_late(workspace)
        notices += _refresh_views(workspace)
    return notices


def _mend_tail(workspace: Workspace, accept_shorter: bool) -> list[str]:
    repairs: list[tuple[str, TailRepair]] = []
    while True:
        try:
            state = workspace.state()
        except TornTail as torn:
            if not accept_shorter:
                _refuse_seen(workspace, torn)
            repairs.append(("torn tail moved to quarantine", _cut(workspace, torn.keep)))
            continue
        offset = _unclosed_offset(workspace.log.store) if state.seq else None
        if offset is None:
            break
        repairs.append(("unacknowledged batch moved to quarantine", _cut(workspace, offset)))
    notices = _check_rolled_back(workspace, accept_shorter)
    for change, repair in repairs:
        workspace.record_command(RecordRepair(target="log", change=change, detail=msgspec.to_builtins(repair)))
        notices.append(f"repaired the log: {change} ({repair.quarantine})")
    return notices


def _refuse_seen(workspace: Workspace, torn: TornTail) -> None:
    """What this machine has seen acknowledged no crash has torn: that is damage, and is never cut away."""
    seen = workspace.views.cursors.published
    if seen is not None and seen.offset > torn.keep and not workspace.log.store.holds(seen):
        raise CorruptLog(
            "LOG_ROLLED_BACK",
            f"{workspace.log.store.path} breaks off at line {torn.line}, but this machine has seen event "
            f"{seen.version} of it.",
            "Restore the missing events; if the log was restored on purpose: `esaa doctor --accept-log`.",
            torn.line,
        )


def _cut(workspace: Workspace, keep: int) -> TailRepair:
    repair = cut_tail(workspace.log.store, keep, workspace.quarantine, log_time(workspace.clock.now(), ""))
    workspace.log.forget()
    return repair


def _unclosed_offset(store: JsonlStore[Fact]) -> int | None:
    """Where the act begins whose batch was cut before it was closed, or None. Another writer's log has no batches."""
    if not store.head().is_chained:
        return None
    offsets: dict[int, int] = {}

    def newest_first() -> Iterator[Recorded[Fact]]:
        vocabulary = ProtocolVocabulary()
        for line, start in lines_backwards(store.path):
            try:
                recorded = vocabulary.decode(line)
            except MalformedLine:
                return
            offsets[recorded.version] = start
            yield recorded

    version = unclosed_act(newest_first())
    return None if version is None else offsets[version]


def _check_rolled_back(workspace: Workspace, accept_shorter: bool) -> list[str]:
    """The log must hold the last event that this machine has followed: whole lines may have been dropped."""
    store = workspace.log.store
    seen, head = workspace.views.cursors.published, store.head()
    if seen is None or store.holds(seen):
        return _check_signed(workspace, accept_shorter)
    what = f"{store.path} ends at event {head.version}, but this machine has seen event {seen.version} of it"
    if seen.version <= head.version:
        what = f"{store.path} is not the log that this machine has seen: event {seen.version} is another one"
    if not accept_shorter:
        raise CorruptLog(
            "LOG_ROLLED_BACK",
            f"{what}.",
            "Restore the missing events; if the log was restored on purpose: `esaa doctor --accept-log`.",
            head.version + 1,
        )
    detail: dict[str, object] = {"seen_seq": seen.version, "seen_leaf_hash": seen.leaf_hash, "found_seq": head.version}
    return _accept(workspace, what, detail)


def _check_signed(workspace: Workspace, accept_shorter: bool) -> list[str]:
    """The same by what this machine remembers outside of the workspace, where no agent reaches."""
    checkpoints = workspace.checkpoints()
    rolled_back = None if checkpoints is None else checkpoints.rolled_back()
    if rolled_back is None:
        return []
    if not accept_shorter:
        raise rolled_back
    return _accept(workspace, rolled_back.message, {"found_seq": workspace.log.store.head().version})


def _accept(workspace: Workspace, what: str, detail: dict[str, object]) -> list[str]:
    checkpoints = workspace.checkpoints()
    if checkpoints is not None:
        detail |= checkpoints.begin_anew()
    workspace.record_command(RecordRepair(target="log", change="another log was accepted", detail=detail))
    workspace.views.advance(workspace.log.store.head())
    return [f"accepted, and recorded: {what}"]


def _publish_late(workspace: Workspace) -> list[str]:
    place = workspace.views.cursors.published
    store = workspace.log.store
    head = store.head()
    if place is not None and place.version >= head.version:
        return []
    # What is followed here may have been appended by a process that was killed before it was durable.
    store.sync()
    if place is not None and store.is_at(place):
        reader: JsonlStore[Fact] = JsonlStore(store.path, ProtocolVocabulary(), workspace.disk)
        late: Iterable[Recorded[Fact]] = reader.read(place)
    else:
        late = _last_writes(store) if head.is_chained else ()
    findings = workspace.publisher.publish(file_effects(late))
    workspace.views.advance(head)
    return findings


def _last_writes(store: JsonlStore[Fact]) -> list[Recorded[Fact]]:
    """The file writes of the last act: where the cursor is lost, no others can be unpublished, for they came before."""
    vocabulary = ProtocolVocabulary()
    events: list[Recorded[Fact]] = []
    for line, _ in lines_backwards(store.path):
        recorded = vocabulary.decode(line)
        if not isinstance(recorded.fact, FileWritten | ViewMutated):
            break
        events.insert(0, recorded)
    return events


def _refresh_views(workspace: Workspace) -> list[str]:
    state = workspace.state()
    condition = workspace.views.condition(state.seq)
    if condition == "current":
        return []
    if condition == "edited":
        different = [name for name, data in workspace.read_models().items() if workspace.views.on_disk(name) != data]
        if different:
            return [_record_edit(workspace, different)]
    workspace.project()
    return []


def _record_edit(workspace: Workspace, different: list[str]) -> str:
    """A read model was changed by hand: `verify.fail` is recorded, and it is projected again (`on_mismatch`)."""
    state = workspace.state()
    names = ", ".join(different)
    found = workspace.views.on_disk(different[0])
    workspace.record_command(
        RecordVerification(
            expected_sha256=projection_hash(state),
            message=f"{names} differed from the projection at event {state.seq}; projected again",
            found_sha256=None if found is None else sha256_hex(found),
        )
    )
    workspace.project()
    return f"{names} had been changed by hand; projected again from the log"
