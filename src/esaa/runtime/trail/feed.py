"""The feed: a subscriber of the governed log that tells the trail of every event, with a cursor of its own.

It catches up after a crash and never doubles: event ids follow from the lines of the log, one feed at a time is at
work, and what was appended after the cursor was last saved is looked for before anything is told again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import chain
from pathlib import Path

import msgspec

from esaa.errors import EsaaError, EventRefused, UsageError
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.facts import Fact, RunStarted, ViewMutated
from esaa.protocol.settle import unclosed_act
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.git_state import GitState, git_state
from esaa.runtime.trail.feed_cursor import CURSOR_NAME, Cursor, CursorFile, Told, marks_of, source_key
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.trail import Trail
from esaa.stores.base import START, Head
from esaa.stores.jsonl import JsonlStore, TornTail
from esaa.stores.locate import lines_backwards
from esaa.stores.lock import writer_lock
from esaa.stores.trail_files import ends_with_feed
from esaa.stores.trail_proofs import proofs_of
from esaa.trail.event import GLOBAL
from esaa.trail.facts.external import ForeignEventObserved
from esaa.trail.from_protocol import TRANSLATOR_VERSION, Translator, trail_time_of
from esaa.trail.intake import Prepared, Proposal, is_issue_key, prepare
from esaa.trail.telling.fitting import fitted
from esaa.trail.telling.narrator import Translated
from esaa.trail.types import EventTypes

_BATCH_EVENTS = 500
_WIRE = ProtocolVocabulary()


class TrailFeed:
    """Tells one trail of one log. `agents` are the names of the swarm's actors that are agents."""

    def __init__(self, recorder: TrailRecorder, log: Path, agents: Collection[str] = ()) -> None:
        self._recorder = recorder
        self._trail = recorder.trail
        self._store = recorder.trail.store
        self._log = log
        self._agents = frozenset(agents)
        folder = log.parent / ".esaa"
        self._file = CursorFile(folder / CURSOR_NAME, self._store.disk)
        self._lock = folder / "trail-feed.lock"
        self._reader: JsonlStore[Fact] = JsonlStore(log, _WIRE, self._store.disk)
        self._complaint: str | None = None
        self._notices: list[str] = []
        self._unsigned: set[str] = set()

    def begin(self) -> None:
        """Makes the feed known to the commands that write to this workspace. Raises `StoreError`."""
        self._file.make()

    def catch_up(self) -> int:
        """Tells what is not told yet, and returns how many events that were.

        What a crash left unfinished at the end of the log is not told: the next command that writes takes it back.
        Raises `CorruptLog` where log or trail are damaged, `StoreLocked`, `StoreError`.
        """
        cursor = self._file.load()
        if cursor is not None and cursor.place.offset == self._reader.size():
            return 0
        count = 0
        with writer_lock(self._lock, timeout_s=self._store.lock_timeout_s, what="another feed of the trail"):
            for cursor, batch in self._batches():
                count += self._record(batch)
                self._file.save(msgspec.structs.replace(cursor, streams=marks_of(self._store, cursor.streams)))
        return count

    def follow(self) -> tuple[str, ...]:
        """As a subscriber: catches up, and says what went wrong instead of raising it. A failure is said once."""
        try:
            self.catch_up()
        except (EsaaError, OSError) as error:
            text = f"the trail could not be told of it, and will be with the next command: {error}"
            if text == self._complaint:
                return ()
            self._complaint = text
            return (text,)
        self._complaint = None
        notices, self._notices = tuple(self._notices), []
        return notices

    def finish(self) -> tuple[str, ...]:
        """Follows, and brings the trail's catalogue up to date: at the end of a command. Raises nothing, too."""
        notices = self.follow()
        try:
            self._recorder.close()
        except (EsaaError, OSError) as error:
            return (*notices, f"the trail's catalogue could not be written: {error}")
        return (*notices, *self._sign())

    def _sign(self) -> tuple[str, ...]:
        """Signs the heads of the streams that were told something."""
        streams, self._unsigned = sorted(self._unsigned), set()
        checkpoints = self._recorder.checkpoints() if streams else None
        return () if checkpoints is None else checkpoints.follow(streams)

    def _batches(self) -> Iterator[tuple[Cursor, list[Translated]]]:
        """What is to be told, each batch with the cursor that is to stand behind it."""
        known, translator = self._where_it_stands()
        place = START if known is None else known.place
        ahead = _Bindings(self._reader, place)
        streams = {GLOBAL, *ahead.issue_keys, translator.story.issue_key or GLOBAL}
        told = Told(self._store)
        for stream in sorted(streams):
            self._notices += self._recorder.mend(stream)
            if known is None or stream in known.streams:
                told.read(stream, None if known is None else known.streams[stream])
        cursor = self._with_streams(known, streams, place, translator)
        batch: list[Translated] = []
        number = 0
        for recorded, head in _settled(self._reader, place):
            leaf = head.leaf_hash or ""
            key = None if told.begun_in_global(leaf) else ahead.of_run.get(recorded.version)
            batch += [one for one in translator.take(recorded, leaf, issue_key_ahead=key) if not told.knows(one)]
            place = head
            number += 1
            if number % _BATCH_EVENTS == 0:
                yield _moved(cursor, place, translator), batch
                batch = []
        if number % _BATCH_EVENTS or known is None:
            yield _moved(cursor, place, translator), batch

    def _where_it_stands(self) -> tuple[Cursor | None, Translator]:
        """The cursor, where it fits the log, and the translator with the story up to there."""
        known = self._file.load()
        # One that does not fit is of another log, or of one that was cut back.
        if known is not None and self._reader.is_at(known.place):
            with suppress(ValueError):
                return known, Translator.load(known.story, self._agents)
        return None, Translator(self._agents)

    def _with_streams(
        self, known: Cursor | None, streams: Collection[str], place: Head, translator: Translator
    ) -> Cursor:
        """A cursor that names every stream that may be fed from here on.

        It lies there durably before the first event goes to a new one: what is found in a stream that no cursor names
        was not told by a feed that died before it could say so.
        """
        marks = {} if known is None else {name: mark for name, mark in known.streams.items() if name in streams}
        marks |= marks_of(self._store, [name for name in sorted(streams) if name not in marks])
        story = msgspec.Raw(translator.dump())
        cursor = Cursor(translator=TRANSLATOR_VERSION, place=place, streams=marks, story=story)
        if known is not None and not marks.keys() <= known.streams.keys():
            self._file.save(cursor, durable=True)
        return cursor

    def _record(self, batch: list[Translated]) -> int:
        if not batch:
            return 0
        now, git = self._trail.clock.now(), git_state(self._trail.root)
        prepared = [_prepared(one, self._trail.types, now, git) for one in batch]
        self._notices += self._recorder.append(prepared).notices
        self._unsigned |= {one.draft.fact.issue_key or GLOBAL for one in prepared}
        return len(prepared)


def _prepared(one: Translated, types: EventTypes, now: datetime, git: GitState) -> Prepared:
    """A draft of what has happened: it is told, whatever the gates say of it."""
    proposal = Proposal(
        event_type=one.event_type,
        metadata=fitted(one.fact),
        actor=one.actor,
        issue_key=one.issue_key,
        session_id=one.session_id,
        event_id=one.event_id,
        timestamp=one.ts,
        correlation_id=one.correlation_id,
        causation_id=one.causation_id,
        git_sha=git.sha,
        branch=git.branch,
        source=one.source,
        stream=one.issue_key or GLOBAL,
    )
    try:
        made = prepare(proposal, types, now, one.event_id)
    except EventRefused as refusal:
        # What cannot be recorded at all must not hold up what comes after it; its source has all of it.
        proposal.event_type = ForeignEventObserved.__name__
        proposal.metadata = {"system": "esaa", "name": one.event_type, "extra": {"refused": refusal.code}}
        made = prepare(proposal, types, now, one.event_id)
    draft = made.draft
    if made.findings:
        draft = msgspec.structs.replace(draft, fact=msgspec.structs.replace(draft.fact, findings=made.findings))
    # The id was looked for already.
    return msgspec.structs.replace(made, draft=draft, is_id_given=False)


def unfed_events(trail: Trail, log: Path) -> tuple[list[str], int]:
    """The ids of the log's events that no trail event names as its source, and how many events the log has.

    What a crash left unfinished at the end of the log does not count; what retention has deleted counts as told.
    """
    told: set[bytes] = set()
    deleted_until = ""
    for name in trail.store.names():
        deleted_until = max([deleted_until, *(proof.last_timestamp for proof in proofs_of(trail.store.base, name))])
        for located in trail.store.stream(name).events():
            source = located.event.fact.source
            if source is not None:
                told.add(source_key(source.event_id, source.leaf_hash))
    missing: list[str] = []
    total = 0
    for recorded, head in _settled(JsonlStore(log, _WIRE, trail.store.disk), START):
        total += 1
        if (
            trail_time_of(recorded.ts) > deleted_until
            and source_key(recorded.event_id, head.leaf_hash or "") not in told
        ):
            missing.append(recorded.event_id)
    return missing, total


def require_issue_key(text: str) -> str:
    """The key of a tracker issue. Raises `UsageError` for a text that is none."""
    if not is_issue_key(text):
        raise UsageError(
            "ISSUE_KEY_INVALID",
            f"{text[:80]!r} is no issue key.",
            "Write it as PROJ-123: capital letters, a hyphen, a number.",
        )
    return text


class _Bindings:
    """Which issue the runs that begin after a place are bound to first, and all issues that are bound there."""

    def __init__(self, reader: JsonlStore[Fact], place: Head) -> None:
        self.of_run: dict[int, str] = {}
        self.issue_keys: set[str] = set()
        run: int | None = None
        for line, _, _ in reader.lines(place.offset):
            if b'"run.' not in line and b'"bound"' not in line:
                continue
            try:
                recorded = _WIRE.decode(line)
            except MalformedLine:
                continue  # the reader finds it, and says what is wrong
            fact = recorded.fact
            if isinstance(fact, RunStarted):
                run = recorded.version
            elif isinstance(fact, ViewMutated):
                issue_key = fact.bound_issue_key()
                if issue_key is not None and is_issue_key(issue_key):
                    self.issue_keys.add(issue_key)
                    if run is not None:
                        self.of_run[run] = issue_key
                    run = None


def _settled(reader: JsonlStore[Fact], place: Head) -> Iterator[tuple[Recorded[Fact], Head]]:
    """The events after a place that stay, each with the place after it. Raises `CorruptLog`."""
    unclosed = _unclosed(reader.path)
    reader.rewind(place)
    with suppress(TornTail):  # that was never acknowledged either
        for recorded in reader.read(place):
            if unclosed is not None and recorded.version >= unclosed:
                return
            yield recorded, reader.head()


def _unclosed(log: Path) -> int | None:
    """The version of an act whose batch was cut before it was closed, or None. Others' logs have no batches."""
    newest = _newest_first(log)
    last = next(newest, None)
    return None if last is None or last.prev_hash is None else unclosed_act(chain([last], newest))


def _newest_first(log: Path) -> Iterator[Recorded[Fact]]:
    """The whole lines from the last one on, up to one that cannot be read."""
    lines = lines_backwards(log)
    if log.exists() and not ends_with_feed(log):
        next(lines, None)
    with suppress(MalformedLine):
        for line, _ in lines:
            yield _WIRE.decode(line)


def _moved(cursor: Cursor, place: Head, translator: Translator) -> Cursor:
    return msgspec.structs.replace(cursor, place=place, story=msgspec.Raw(translator.dump()))
