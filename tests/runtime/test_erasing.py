"""Erasable values of the trail: recorded, revealed, erased; after crashes, merges and retention; sealed and not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from esaa.errors import CommandConflict, EventRefused, NotFound, StoreError, UsageError
from esaa.runtime.clock import ManualClock
from esaa.runtime.privacy import erasing
from esaa.runtime.privacy.erasing import erase_events, erase_subject, reveal, standing
from esaa.runtime.trail.merge import merge_stores
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.retention import retire
from esaa.runtime.trail.trail import Trail
from esaa.stores.disk import Disk
from esaa.stores.erasables import ErasableStore
from esaa.stores.subject_keys import SubjectKeys
from esaa.trail.event import GLOBAL
from esaa.trail.intake import Proposal
from tests.trails import ISSUE, ME, MORNING, SESSION, a_trail, assert_whole, ids, settings

SAID: dict[str, Any] = {"reason": "she asked for it", "authority": "data protection officer"}
TEXT = "Jane Doe called from Lisbon"
DAY = 86400
COMMENT = {"issue_key": ISSUE, "comment_body": TEXT}


def opened(root: Path, *, encrypt: bool = False, **more: Any) -> Trail:
    """A trail that keeps comments erasable, with keys beside it."""
    chosen = settings(privacy={"erasable": ["CommentPosted.comment_body"], "encrypt": encrypt}, **more)
    trail = a_trail(root, chosen, clock=ManualClock(MORNING))
    return msgspec.structs.replace(trail, subject_keys=SubjectKeys(trail.store.base, root / "config", Disk()))


def recording(trail: Trail) -> TrailRecorder:
    """A recorder for Ada."""
    return TrailRecorder(trail, actor=ME, issue_key=ISSUE, session_id=SESSION)


def files_with(root: Path, text: str) -> Iterator[Path]:
    """The files below a folder that hold a text."""
    for path in root.rglob("*"):
        if path.is_file() and text.encode() in path.read_bytes():
            yield path


@pytest.fixture(params=[False, True], ids=["plain", "sealed"])
def recorder(request: pytest.FixtureRequest, tmp_path: Path) -> TrailRecorder:
    """A recorder whose comments are erasable."""
    return recording(opened(tmp_path, encrypt=request.param))


def test_a_value_lies_in_one_place_until_it_is_erased(recorder: TrailRecorder, tmp_path: Path) -> None:
    event_id = recorder.record("CommentPosted", COMMENT, subject="customer-1")
    is_sealed = recorder.trail.settings.privacy.encrypt
    places = list(files_with(tmp_path, "Jane"))
    assert len(places) == (0 if is_sealed else 1)
    assert reveal(recorder.trail, event_id)[1][0].value == TEXT
    lines = [one.line for one in recorder.trail.store.stream(ISSUE).events()]

    done = erase_subject(recorder, "customer-1", **SAID)

    assert done.values == ((event_id, "/comment_body"),)
    assert done.is_key_destroyed is is_sealed
    (value,) = reveal(recorder.trail, event_id)[1]
    assert (value.status, value.value) == ("ERASED", None)
    assert [one.line for one in recorder.trail.store.stream(ISSUE).events()] == lines
    assert list(files_with(tmp_path, "Jane")) == []
    assert list((tmp_path / "config").rglob("*.key")) == []
    assert list(recorder.trail.store.erasables.commitments()) == []
    assert_whole(recorder.trail)


def test_the_record_of_an_erasure_says_who_why_and_what_without_repeating_it(recorder: TrailRecorder) -> None:
    event_id = recorder.record("CommentPosted", COMMENT)
    done = erase_events(recorder, [event_id], legal_basis="GDPR Art. 17", **SAID)
    record = assert_whole(recorder.trail, GLOBAL)[-1]
    (note,) = assert_whole(recorder.trail)[0]["erasable"]
    assert record["event_id"] == done.record_ids[0]
    assert record["event_type"] == "DataErased"
    assert record["metadata"] == {
        "subject": "values that were kept erasable",
        "method": "salt_destroyed",
        "reason": SAID["reason"],
        "digests": [note["commitment"]],
        "event_ids": [event_id],
        "items_count": 1,
        "requested_by": SAID["authority"],
        "legal_basis": "GDPR Art. 17",
    }


@pytest.mark.parametrize("said", ["reason", "authority", "legal_basis"])
def test_a_reason_that_repeats_the_value_is_refused_before_anything_is_done(recorder: TrailRecorder, said: str) -> None:
    event_id = recorder.record("CommentPosted", COMMENT)
    with pytest.raises(UsageError) as caught:
        erase_events(recorder, [event_id], **(SAID | {said: f"because of {TEXT}"}))
    assert caught.value.code == "ERASURE_REPEATS"
    assert TEXT not in str(caught.value)
    assert reveal(recorder.trail, event_id)[1][0].status == "HELD"


def test_erasing_again_changes_nothing(recorder: TrailRecorder) -> None:
    event_id = recorder.record("CommentPosted", COMMENT, subject="customer-1")
    erase_events(recorder, [event_id], **SAID)
    again = erase_events(recorder, [event_id], **(SAID | {"reason": "another one"}))
    assert again.erased_before == 1
    assert again.record_ids == ()
    assert len(assert_whole(recorder.trail, GLOBAL)) == 1


def test_dry_run_only_says_what_would_go(recorder: TrailRecorder) -> None:
    event_id = recorder.record("CommentPosted", COMMENT)
    assert erase_events(recorder, [event_id], dry_run=True, **SAID).values == ((event_id, "/comment_body"),)
    assert reveal(recorder.trail, event_id)[1][0].status == "HELD"
    assert recorder.trail.store.stream(GLOBAL).tip().head.version == 0


def test_some_fields_of_an_event_can_go_alone(recorder: TrailRecorder) -> None:
    metadata = COMMENT | {"extra": {"caller": {"name": "Jane"}, "city": "Lisbon"}}
    event_id = recorder.record("CommentPosted", metadata, erasable=["extra.caller"])
    erase_events(recorder, [event_id], fields=["extra.caller"], **SAID)
    assert {one.path: one.status for one in reveal(recorder.trail, event_id)[1]} == {
        "/comment_body": "HELD",
        "/extra/caller": "ERASED",
    }
    with pytest.raises(UsageError, match=r"no erasable extra\.city"):
        erase_events(recorder, [event_id], fields=["extra.city"], **SAID)


def test_what_was_never_erasable_is_refused_by_name(recorder: TrailRecorder) -> None:
    event_id = recorder.record("PhaseStarted", {"phase": "PLAN"})
    with pytest.raises(UsageError) as caught:
        erase_events(recorder, [event_id], **SAID)
    assert caught.value.code == "NOTHING_ERASABLE"
    for missing in (lambda: erase_events(recorder, ["0" * 8], **SAID), lambda: reveal(recorder.trail, "0" * 8)):
        with pytest.raises(NotFound, match="no event"):
            missing()
    with pytest.raises(NotFound, match="customer-9"):
        erase_subject(recorder, "customer-9", **SAID)


@pytest.mark.parametrize(
    ("field", "subject", "code"),
    [
        ("comment_id", None, "ERASABLE_INVALID"),
        ("nothing", None, "ERASABLE_INVALID"),
        ("comment_body", "jane@example.org", "SUBJECT_INVALID"),
        ("comment_body", "ghp_" + "a1B2" * 9, "SUBJECT_INVALID"),
    ],
)
def test_fields_and_subjects_that_cannot_be_are_refused(
    recorder: TrailRecorder, field: str, subject: str | None, code: str
) -> None:
    with pytest.raises(EventRefused) as caught:
        recorder.record("CommentPosted", COMMENT, erasable=[field], subject=subject)
    assert caught.value.code == code
    assert recorder.trail.store.stream(ISSUE).tip().head.version == 0


def test_the_same_event_again_is_the_same_and_leaves_nothing_behind(recorder: TrailRecorder) -> None:
    given = "5e551000-0000-4000-8000-00000000000a"
    recorder.record("CommentPosted", COMMENT, event_id=given)
    recorder.record("CommentPosted", COMMENT, event_id=given)
    assert len(list(recorder.trail.store.erasables.commitments())) == 1
    with pytest.raises(CommandConflict):
        recorder.record("CommentPosted", COMMENT | {"comment_body": "something else"}, event_id=given)
    assert len(list(recorder.trail.store.erasables.commitments())) == 1
    erase_events(recorder, [given], **SAID)
    recorder.record("CommentPosted", COMMENT, event_id=given)
    assert list(recorder.trail.store.erasables.commitments()) == []
    assert len(assert_whole(recorder.trail)) == 1


def test_state_and_snapshots_never_see_the_value(recorder: TrailRecorder) -> None:
    recorder.record("CommentPosted", COMMENT)
    live = recorder.states.snapshot(ISSUE)[1]
    assert b"Jane" not in bytes(live.state)
    assert b"[erasable]" in bytes(live.state)
    fold = recorder.states.reconstruct(ISSUE, use_snapshots=False).state
    assert fold == recorder.states.reconstruct(ISSUE).state


def test_findings_of_a_lenient_store_do_not_repeat_the_value(tmp_path: Path) -> None:
    trail = opened(tmp_path, validation={"strict_mode": False})
    recorder = recording(trail)
    recorder.record("CommentPosted", {"issue_key": ISSUE, "comment_body": {"who": TEXT}, "comment_type": TEXT})
    (event,) = assert_whole(trail)
    assert event["findings"]
    assert event["metadata"]["comment_body"] == "[erasable]"
    assert "Jane" not in json.dumps(event["metadata"]["comment_body"])


class Crashed(Exception):
    """The process ends here."""


def test_a_crash_between_record_and_destruction_is_told_and_finished(
    recorder: TrailRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = recorder.record("CommentPosted", COMMENT)

    def crash(store: ErasableStore, commitment: str) -> bool:
        raise Crashed

    with monkeypatch.context() as patched:
        patched.setattr(ErasableStore, "destroy", crash)
        with pytest.raises(Crashed):
            erase_events(recorder, [event_id], **SAID)
    (value,) = reveal(recorder.trail, event_id)[1]
    assert (value.status, value.value) == ("ERASED", None), "it is not shown any more"
    assert standing(recorder.trail) == {"UNFINISHED": [f"{event_id} /comment_body"]}
    erase_events(recorder, [event_id], **SAID)
    assert standing(recorder.trail) == {"ERASED": [f"{event_id} /comment_body"]}
    assert list(recorder.trail.store.erasables.commitments()) == []


def test_a_crash_before_the_event_leaves_an_orphan_that_the_next_erasure_takes(
    recorder: TrailRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise Crashed

    with monkeypatch.context() as patched:
        patched.setattr(type(recorder.trail.store.stream(ISSUE)), "append", crash)
        with pytest.raises(Crashed):
            recorder.record("CommentPosted", COMMENT)
    (orphan,) = recorder.trail.store.erasables.commitments()
    at = recorder.trail.clock.now().timestamp()
    os.utime(recorder.trail.store.erasables.folder / orphan[:2] / orphan, (at, at))
    kept = recorder.record("CommentPosted", COMMENT)
    erase_events(recorder, [kept], **SAID)
    assert list(recorder.trail.store.erasables.commitments()) == [orphan], "it may be about to be recorded"
    assert isinstance(recorder.trail.clock, ManualClock)
    recorder.trail.clock.advance(2 * 3600)
    assert standing(recorder.trail)["ORPHAN"] == [orphan]
    assert erase_events(recorder, [kept], **SAID).orphans == 1
    assert list(recorder.trail.store.erasables.commitments()) == []


def test_missing_and_changed_values_are_told_apart_from_erased_ones(tmp_path: Path) -> None:
    trail = opened(tmp_path)
    recorder = recording(trail)
    gone, changed = (recorder.record("CommentPosted", COMMENT) for _ in range(2))
    folder = trail.store.erasables.folder
    names = {one["event_id"]: one["erasable"][0]["commitment"] for one in assert_whole(trail)}
    (folder / names[gone][:2] / names[gone]).unlink()
    (folder / names[changed][:2] / names[changed]).write_bytes(b"s" * 32 + b'"Joan Doe called from Lisbon"')
    assert reveal(trail, gone)[1][0].status == "MISSING"
    (value,) = reveal(trail, changed)[1]
    assert (value.status, value.value) == ("MISMATCH", None)
    assert standing(trail).keys() == {"MISSING", "MISMATCH"}


def test_a_sealed_value_without_its_key_says_nothing(tmp_path: Path) -> None:
    trail = opened(tmp_path, encrypt=True)
    recorder = recording(trail)
    event_id = recorder.record("CommentPosted", COMMENT, subject="customer-1")
    other = recorder.record("CommentPosted", COMMENT)
    (commitment, _) = (one["erasable"][0]["commitment"] for one in assert_whole(trail))
    backup = trail.store.erasables.get(commitment)
    assert backup is not None
    erase_subject(recorder, "customer-1", **SAID)
    # A copy that nobody could reach, put back: without the key it is noise.
    trail.store.erasables.put(commitment, backup)
    keys = trail.subject_keys
    assert keys is not None
    assert keys.unseal("customer-1", commitment, backup) is None
    assert reveal(trail, event_id)[1][0].status == "ERASED"
    # A new key for the same subject does not open it either.
    recorder.record("CommentPosted", COMMENT, subject="customer-1")
    assert keys.unseal("customer-1", commitment, backup) is None
    assert reveal(trail, other)[1][0].status == "HELD", "the values of others stay"


def test_keys_are_private_and_those_that_are_not_are_refused(tmp_path: Path) -> None:
    trail = opened(tmp_path, encrypt=True)
    recorder = recording(trail)
    event_id = recorder.record("CommentPosted", COMMENT, subject="customer-1")
    (key,) = (tmp_path / "config").rglob("*.key")
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert "customer" not in str(key)
    key.chmod(0o644)
    with pytest.raises(StoreError) as caught:
        reveal(trail, event_id)
    assert caught.value.code == "KEY_NOT_PRIVATE"


def test_an_erasure_reaches_what_another_machine_brings(tmp_path: Path) -> None:
    here, there = opened(tmp_path / "here"), opened(tmp_path / "there")
    there = msgspec.structs.replace(there, new_id=ids(7))
    gone, kept = (recording(there).record("CommentPosted", COMMENT) for _ in range(2))
    merge_stores(here, there.store)
    assert reveal(here, kept)[1][0].value == TEXT
    erase_events(recording(here), [gone], **SAID)
    merge_stores(here, there.store)
    assert reveal(here, gone)[1][0].status == "ERASED"
    assert len(list(here.store.erasables.commitments())) == 1, "what was erased here is not taken over again"
    merge_stores(there, here.store)
    assert reveal(there, gone)[1][0].status == "ERASED"
    assert len(list(there.store.erasables.commitments())) == 1, "what was erased there goes here too"


def test_values_go_with_the_events_that_retention_deletes(tmp_path: Path) -> None:
    trail = opened(tmp_path, cleanup={"archive_after_days": 1, "delete_after_days": 2})
    recorder = recording(trail)
    recorder.record("CommentPosted", COMMENT)
    assert isinstance(trail.clock, ManualClock)
    trail.clock.advance(10 * DAY)
    assert [one.act for one in retire(recorder)] == ["archive", "delete"]
    assert list(trail.store.erasables.commitments()) == []
    assert list(files_with(tmp_path, "Jane")) == []


def test_an_erased_event_can_be_archived_and_read(recorder: TrailRecorder) -> None:
    event_id = recorder.record("CommentPosted", COMMENT)
    erase_events(recorder, [event_id], **SAID)
    assert isinstance(recorder.trail.clock, ManualClock)
    recorder.trail.clock.advance(100 * DAY)
    retire(recorder)
    assert reveal(recorder.trail, event_id)[1][0].status == "ERASED"
    assert_whole(recorder.trail)


def test_what_is_recorded_later_is_durable_before_its_event(tmp_path: Path) -> None:
    trail = opened(tmp_path)
    with TrailRecorder(trail, actor=ME, issue_key=ISSUE, session_id=SESSION, is_async=True) as recorder:
        event_id = recorder.record("CommentPosted", COMMENT)
    assert reveal(trail, event_id)[1][0].value == TEXT


def test_many_values_are_recorded_as_erased_in_several_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "_PER_RECORD", 10)
    trail = opened(tmp_path)
    recorder = recording(trail)
    recorder.record_many(
        [Proposal(event_type="CommentPosted", metadata=COMMENT, actor=None, subject="customer-1")] * 21
    )
    done = erase_subject(recorder, "customer-1", **SAID)
    assert (len(done.values), len(done.record_ids)) == (21, 3)
    assert standing(trail).keys() == {"ERASED"}


def test_writers_that_begin_at_once_share_one_key(tmp_path: Path) -> None:
    disk = Disk()
    stores = [SubjectKeys(tmp_path / "events", tmp_path / "config", disk) for _ in range(8)]
    contents = [b"s" * 32 + bytes([number]) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda store, content: store.seal("customer-1", "0" * 64, content), stores, contents))
    assert [stores[0].unseal("customer-1", "0" * 64, one) for one in sealed] == contents
    assert stores[0].unseal("customer-1", "1" * 64, sealed[0]) is None, "it is sealed for one commitment"
    assert stores[0].unseal("customer-2", "0" * 64, sealed[0]) is None
    assert len(list((tmp_path / "config").rglob("*"))) == 3, "a folder, the ring's folder, one key"
