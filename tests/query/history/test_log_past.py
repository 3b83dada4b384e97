"""Asking the past of a log: moments, events by filter and text, causes, pages."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from esaa.errors import NotFound, UsageError
from esaa.history.board import STATUSES
from esaa.history.entries import EntryFilter
from esaa.history.indexed import Facets, HasBoard, HasFacets
from esaa.history.members import HasMembers
from esaa.history.past import Past
from esaa.kernel.chain import leaf_hash
from esaa.protocol.facts import Fact, IssueReported, IssueResolved, TaskClaimed, TaskCreated
from esaa.query.history.bits import above, between, bits_of, numbers_of, packed, set_of, unpacked
from esaa.query.history.log_past import LogPast
from esaa.query.history.opening import open_log_past
from tests.query.history.log_of import WIRE, lines_of, past_of, small_blocks, write_log


@pytest.fixture
def past(tmp_path: Path, log_of_work: Callable[[Path], Path]) -> Generator[LogPast, None, None]:
    with small_blocks(), closing(past_of(log_of_work(tmp_path))) as opened:
        yield opened


def found(past: LogPast, **wanted: object) -> list[int]:
    page = past.find(EntryFilter(**wanted))  # type: ignore[arg-type]  # the fields of a filter, by name
    assert page.total == len(page.entries)
    return [one.seq for one in page.entries]


def test_it_is_a_past_that_answers_more_than_it_must(past: LogPast) -> None:
    port: Past = past
    assert isinstance(port, HasBoard)
    assert isinstance(port, HasFacets)
    assert isinstance(port, HasMembers)
    assert (past.name, past.kind, past.note, past.damage) == ("log", "log", "", None)


def test_entry_says_what_its_line_says(past: LogPast, story: Sequence[bytes]) -> None:
    entry = past.entry(6)
    assert (entry.seq, entry.name, entry.actor, entry.subject) == (6, "output.rejected", "orchestrator", "T-1")
    assert entry.summary == "T-1 complete rejected, BOUNDARY_VIOLATION: outside"
    assert (entry.leaf_hash, entry.causation_id) == (leaf_hash(story[5]), "EV-00000005")
    assert entry.is_rejection
    assert past.line(6) == story[5]
    assert past.head_hash() == leaf_hash(story[-1])
    assert [one.seq for one in past.entries(-3, 99)] == list(range(1, 11))
    assert list(past.entries(5, 4)) == []


@pytest.mark.parametrize(
    ("ref", "seq"),
    [
        ("#3", 3),
        ("0", 0),
        ("EV-00000007", 7),
        ("HEAD", 10),
        ("HEAD~3", 7),
        ("HEAD~10", 0),
        ("HEAD~11", 0),
        ("2026-03-01T12:04:30Z", 5),
        ("2026-03-01T13:04:30+01:00", 5),
        ("2026-03-01T11:59:59Z", 0),
        ("@{2h}", 1),
        ("@{1m}", 10),
    ],
)
def test_moment_is_the_last_event_by_then(past: LogPast, ref: str, seq: int) -> None:
    assert past.seq_of(ref) == seq


@pytest.mark.parametrize("ref", ["#11", "EV-00000011"])
def test_moment_beyond_the_log_is_not_found(past: LogPast, ref: str) -> None:
    with pytest.raises(NotFound) as refused:
        past.seq_of(ref)
    assert refused.value.code == "EVENT_NOT_FOUND"


def test_text_that_is_no_moment_is_a_usage_error(past: LogPast) -> None:
    with pytest.raises(UsageError):
        past.seq_of("at noon")


@pytest.mark.parametrize("seq", [-1, 0, 11])
def test_event_that_is_not_there_is_not_found(past: LogPast, seq: int) -> None:
    with pytest.raises(NotFound):
        past.entry(seq)
    if seq:
        with pytest.raises(NotFound):
            past.document(seq)


def test_clock_that_went_back_does_not_hide_the_last_event_of_a_time(tmp_path: Path) -> None:
    hours = [9, 10, 15, 11, 12, 16, 10, 17, 18, 18, 18, 9, 19]
    claims: list[tuple[Fact, str, str]] = [
        (TaskClaimed(task_id="T-1"), "agent-impl", f"2026-03-01T{hour:02d}:00:00Z") for hour in hours
    ]
    claims[4] = (claims[4][0], "agent-impl", "at noon")
    with small_blocks(), closing(past_of(write_log(tmp_path, lines_of(claims)))) as past:
        assert [past.seq_of(f"2026-03-01T{hour:02d}:30:00Z") for hour in (8, 9, 10, 17, 18, 19)] == [
            5,
            12,
            12,
            12,
            12,
            13,
        ]


def test_events_are_found_by_what_is_known_of_them(past: LogPast) -> None:
    assert found(past) == list(range(1, 11))
    assert found(past, names=("claim", "complete")) == [4, 7]
    assert found(past, actors=("agent-impl",)) == [4, 7]
    assert found(past, subjects=("T-1",)) == [2, 4, 6, 7, 8]
    assert found(past, subjects=("T-1", "T-2"), actors=("orchestrator",)) == [2, 3, 6, 8]
    assert found(past, rejections_only=True) == [6]
    assert found(past, names=("claim",), actors=("agent-qa",)) == []
    assert found(past, names=("orchestrator.view.mutate",), first=6) == [9]
    assert found(past, first=4, last=6) == [4, 5, 6]
    assert found(past, first=0, last=99) == list(range(1, 11))
    assert found(past, first=7, last=6) == []


@pytest.mark.parametrize(
    ("text", "seqs"),
    [
        ("sign", [2, 3, 8]),
        ("SIGN cafe", [2]),
        ('"hangs straight"', [7]),
        ('"straight hangs"', []),
        ("42", [7]),
        ("pleas*", [4]),
        ("T-1 -rejected", [2, 4, 7, 8]),
        ("pleasure OR outside", [4, 6]),
        ("claim", [4]),
        ("agent-impl", [4, 7]),
        ("view mutate", [5, 9]),
        ("projected", [5, 9]),
        ("roadmap orchestrator", [5, 9]),
        ("verification begins", [10]),
        ("  ", list(range(1, 11))),
    ],
)
def test_events_are_found_by_their_words(past: LogPast, text: str, seqs: list[int]) -> None:
    assert found(past, text=text) == seqs
    assert found(past, text=text) == seqs  # as it is kept


def test_text_and_filter_hold_together(past: LogPast) -> None:
    assert found(past, text="sign", subjects=("T-1",)) == [2, 8]
    assert found(past, text="projected", first=6) == [9]


@pytest.mark.parametrize("text", ['"open', "AND", "-alone", "*"])
def test_text_that_can_not_be_searched_is_a_usage_error(past: LogPast, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        past.find(EntryFilter(text=text))
    assert refused.value.code == "QUERY_INVALID"


def test_page_is_a_part_of_what_was_found(past: LogPast) -> None:
    page = past.find(EntryFilter(actors=("orchestrator",)), offset=2, count=3)
    assert (page.total, page.offset, [one.seq for one in page.entries]) == (8, 2, [3, 5, 6])
    assert past.find(EntryFilter(), offset=8, count=5).total == 10
    assert [one.seq for one in past.find(EntryFilter(), offset=8, count=5).entries] == [9, 10]
    assert past.find(EntryFilter(), offset=20, count=5).entries == ()


def test_what_is_kept_of_a_text_grows_with_the_log(tmp_path: Path, story: list[bytes]) -> None:
    log = write_log(tmp_path, story[:7])
    with small_blocks(), closing(past_of(log)) as past:
        assert found(past, text="projected") == [5]
        assert found(past, text="sign") == [2, 3]
        write_log(tmp_path, story)
        assert found(past, text="projected") == [5, 9]
        assert found(past, text="sign") == [2, 3, 8]


def test_cause_and_effects_are_found_by_id(past: LogPast) -> None:
    assert list(past.caused_by("EV-00000005")) == [6]
    assert list(past.caused_by("EV-00000001")) == []
    assert past.seq_of_id("EV-00000009") == 9
    assert past.seq_of_id("EV-00000011") is None
    assert past.seq_of_id("EV-9") is None


def test_ids_of_another_writer_are_found_too(tmp_path: Path) -> None:
    lines = [
        line.replace(b'"EV-00000002"', b'"made-up"').replace(b'"EV-00000004"', b'"EV-00000002"')
        for line in lines_of(
            [(TaskClaimed(task_id="T-1"), "agent-impl", "2026-03-01T12:00:00Z")] * 5, are_chained=False
        )
    ]
    with closing(past_of(write_log(tmp_path, lines))) as past:
        assert past.seq_of("made-up") == past.seq_of_id("made-up") == 2
        assert list(past.caused_by("made-up")) == [3]
        assert past.seq_of_id("EV-00000002") == 4
        assert past.seq_of("EV-00000002") == 4
        assert past.seq_of_id("EV-00000004") is None


def test_facets_name_what_occurs(past: LogPast) -> None:
    facets = past.facets()
    assert isinstance(facets, Facets)
    assert facets.actors == ("agent-impl", "orchestrator")
    assert facets.names[:2] == ("claim", "complete")
    assert facets.subjects_count == 2


def test_board_shows_attempts_open_issues_and_what_changed(tmp_path: Path, story: list[bytes]) -> None:
    told = [(event.fact, event.actor, event.ts) for event in map(WIRE.decode, story)]
    at = "2026-03-01T13:00:00Z"
    told += [
        (IssueReported(task_id="T-1", issue_id="ISS-1", severity="low", title="odd"), "agent-qa", at),
        (IssueReported(task_id="T-1", issue_id="ISS-2", severity="low", title="odder"), "agent-qa", at),
        # The same issue, and now it is about another task.
        (IssueReported(task_id="T-1", issue_id="ISS-2", severity="low", title="odder", fixes="T-2"), "agent-qa", at),
        (IssueResolved(issue_id="ISS-1"), "orchestrator", at),
    ]
    with small_blocks(), closing(past_of(write_log(tmp_path, lines_of(told)))) as past:
        board = past.board(12, 6)
        assert board.counts == {"todo": 1, "review": 1}
        assert [column.status for column in board.columns] == list(STATUSES)
        (card,) = board.columns[2].cards
        assert (card.task_id, card.owner, card.attempts, card.open_issues) == ("T-1", "agent-impl", 1, 2)
        assert card.changed
        (waiting,) = board.columns[0].cards
        assert (waiting.task_id, waiting.changed, waiting.open_issues) == ("T-2", False, 0)
        now = past.board(past.head())
        assert (now.columns[2].cards[0].open_issues, now.columns[0].cards[0].open_issues) == (0, 1)


def test_column_of_many_cards_is_paged(tmp_path: Path) -> None:
    told: list[tuple[Fact, str, str]] = [
        (TaskCreated(task_id=f"T-{n}", task_kind="impl", title="x"), "orchestrator", "2026-03-01T12:00:00Z")
        for n in range(1, 8)
    ]
    with small_blocks(), closing(past_of(write_log(tmp_path, lines_of(told)))) as past:
        seen: list[str] = []
        after: str | None = None
        while True:
            (column,) = past.board(7, None, "todo", after, 3).columns
            assert column.total == 7
            seen += [card.task_id for card in column.cards]
            after = column.next
            if after is None:
                break
        assert seen == [f"T-{n}" for n in range(1, 8)]


def test_open_log_past_takes_a_workspace_or_a_log(tmp_path: Path, log_of_work: Callable[[Path], Path]) -> None:
    log = log_of_work(tmp_path)
    for place in (tmp_path, log):
        with closing(open_log_past(place)) as past:
            assert past.head() == past.seq_of("@{0s}") == 10
    with pytest.raises(NotFound):
        open_log_past(tmp_path / "elsewhere")


def test_bits_are_sets() -> None:
    numbers = [0, 1, 7, 8, 63, 64, 4096, 40_000]
    bits = bits_of(numbers, 40_001)
    assert list(numbers_of(bits)) == numbers
    assert [list(numbers_of(bits, offset=rank)) for rank in range(9)] == [numbers[rank:] for rank in range(9)]
    assert unpacked(packed(bits)) == bits
    assert set_of(numbers) == bits
    assert set_of({9, 12}) == bits_of([9, 12], 13)
    assert unpacked(packed(bits_of([4096], 4097))) == bits_of([4096], 4097)
    assert list(numbers_of(above(bits, 8))) == [63, 64, 4096, 40_000]
    assert list(numbers_of(between(3, 5))) == [3, 4, 5]
    assert between(5, 3) == bits_of([], 0) == set_of([]) == unpacked(packed(0)) == 0
