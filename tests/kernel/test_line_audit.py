"""The audit of stored lines: strict JSON, our chain over the stored bytes, and the chain fields of other writers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.kernel import line_audit
from esaa.kernel.chain import leaf_hash
from esaa.kernel.line_audit import LineAudit, LineAuditor, LineReader, audit_lines

MAX = 1 << 20


class _Reader:
    """Notes what it is shown."""

    def __init__(self) -> None:
        self.seen: list[int | None] = []

    def feed(self, event: dict[str, Any], line: int) -> None:
        """A line that is a JSON object."""
        assert isinstance(event, dict)
        self.seen.append(line)

    def knows(self, run: bytes, links: Sequence[str]) -> bool:
        """Knows nothing."""
        return False

    def skip(self) -> None:
        """A line that is none."""
        self.seen.append(None)


class _Knower(_Reader):
    """Knows every run that is linked as it should be, but for lines that say `odd`; notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.known = 0

    def knows(self, run: bytes, links: Sequence[str]) -> bool:
        """Knows a run as it stands."""
        lines = run.splitlines()
        self.asked.append(len(lines))
        try:
            values = [json.loads(line) for line in lines]
        except ValueError:
            return False
        is_plain = lines == [json.dumps(value, separators=(",", ":")).encode() for value in values]
        is_linked = is_plain and [value.get("prev_hash") for value in values] == links
        is_known = is_linked and not any("odd" in value for value in values)
        self.known += len(values) * is_known
        return is_known


def _in_runs(
    lines: list[bytes],
    sizes: Sequence[int],
    reader: LineReader,
    line_bytes_max: int = MAX,
    take_leaf: Callable[[str], None] | None = None,
) -> LineAudit:
    """The audit of lines in runs of these sizes, over and over."""
    auditor = LineAuditor(line_bytes_max, reader, take_leaf=take_leaf)
    rest, turn = list(lines), 0
    while rest:
        size = sizes[turn % len(sizes)]
        run, rest, turn = rest[:size], rest[size:], turn + 1
        auditor.run(b"".join(line + b"\n" for line in run))
    return auditor.outcome()


def _audit(lines: list[bytes], line_bytes_max: int = MAX) -> LineAudit:
    return audit_lines(lines, line_bytes_max, _Reader())


def _found(lines: list[bytes]) -> list[tuple[int, str]]:
    return [(one.line, one.code) for one in _audit(lines).findings]


def _chain(*bodies: dict[str, Any], separators: tuple[str, str] = (",", ":")) -> list[bytes]:
    lines: list[bytes] = []
    for body in bodies:
        linked = {**body, "prev_hash": leaf_hash(lines[-1])} if lines else body
        lines.append(json.dumps(linked, separators=separators).encode())
    return lines


BODIES = [{"n": number, "x": 1.5} for number in range(6)]
DAMAGES = ("edit", "link", "drop", "swap", "double", "blank", "broken", "space", "odd")
LONG = [{"n": number, "x": 1.5} for number in range(200)]


def test_chained_lines_have_no_finding_and_the_end_is_known() -> None:
    lines = _chain(*BODIES)

    audit = _audit(lines)

    assert audit.findings == []
    assert (audit.lines, audit.events, audit.leaf_hash, audit.chained_from) == (6, 6, leaf_hash(lines[-1]), 2)


def test_reader_sees_every_line_but_the_blank_ones_and_is_told_of_those_that_are_no_objects() -> None:
    reader = _Reader()

    audit = audit_lines([b"{}", b"", b"[1]", b'{"a": 1}', b"{", b" "], MAX, reader)

    assert reader.seen == [1, None, 4, None]
    assert (audit.lines, audit.events) == (6, 4)


def test_what_the_reader_knows_is_not_fed_and_stays_a_link_of_the_chain() -> None:
    lines = _chain(*LONG)
    reader = _Knower()

    audit = _in_runs(lines, [40], reader)

    # The first run begins before the chain does.
    assert (reader.seen, reader.known) == (list(range(1, 41)), len(lines) - 40)
    assert audit.findings == []
    assert (audit.lines, audit.events, audit.leaf_hash) == (len(lines), len(lines), leaf_hash(lines[-1]))


def test_run_that_is_not_known_is_halved_until_the_odd_line_is_alone_with_a_few() -> None:
    lines = _chain(*LONG[:150], {"n": 150, "odd": 1}, *LONG[151:])
    reader = _Knower()

    audit = _in_runs(lines, [64], reader)

    assert audit.findings == []
    assert len(reader.seen) - 64 <= 16 + 8, "but for a first and a last run, only the neighbours of the odd line"
    assert 151 in reader.seen
    assert reader.asked[:4] == [64, 64, 32, 16]


def test_break_in_a_known_run_is_placed_as_it_is_line_by_line() -> None:
    for place in (40, 41, 99, 150, len(LONG) - 1):
        lines = _chain(*LONG)
        lines[place] = lines[place].replace(b'"x":1.5', b'"x":1.6')

        found = _in_runs(lines, [40], _Knower()).findings

        assert found == _audit(lines).findings
        assert [(one.line, one.code) for one in found] == [(place + 1, "CHAIN_BROKEN")] * (place + 1 < len(LONG))


@given(st.lists(st.integers(1, 70), min_size=1, max_size=4), st.data())
@settings(max_examples=150, deadline=None)
def test_in_runs_the_same_is_found_as_line_by_line(sizes: list[int], data: st.DataObject) -> None:
    lines = _chain(*LONG)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        damage = data.draw(
            st.sampled_from(["edit", "link", "drop", "swap", "double", "blank", "broken", "space", "odd"])
        )
        lines = _damaged(lines, place, damage)
    taken: list[str] = []

    found = _in_runs(lines, sizes, _Knower(), take_leaf=taken.append)
    auditor = LineAuditor(MAX, _Knower())
    auditor.run(b"\n".join(lines))  # the last line lacks its line feed

    assert found == auditor.outcome() == _audit(lines)
    assert taken == [leaf_hash(line) for line in lines if line.strip()]


def _damaged(lines: list[bytes], place: int, damage: str) -> list[bytes]:
    line = lines[place]
    match damage:
        case "edit":
            return [*lines[:place], line.replace(b'"x":1.5', b'"x":2.5'), *lines[place + 1 :]]
        case "link":
            return [*lines[:place], line.replace(b'"prev_hash":"', b'"prev_hash":"0'), *lines[place + 1 :]]
        case "drop":
            return lines[:place] + lines[place + 1 :] or lines
        case "swap":
            return [*lines[:place], *reversed(lines[place : place + 2]), *lines[place + 2 :]]
        case "double":
            return [*lines[: place + 1], line, *lines[place + 1 :]]
        case "blank":
            return [*lines[:place], b" ", *lines[place:]]
        case "broken":
            return [*lines[:place], line[:-1], *lines[place + 1 :]]
        case "space":
            return [*lines[:place], line.replace(b",", b", ", 1), *lines[place + 1 :]]
        case _:
            return [*lines[:place], line.replace(b"{", b'{"odd":1,', 1), *lines[place + 1 :]]


def test_line_that_is_too_long_is_found_in_a_known_run() -> None:
    lines = _chain(*LONG[:100], {"n": 100, "x": "y" * 500}, *LONG[101:])

    audit = _in_runs(lines, [40], _Knower(), line_bytes_max=400)

    assert [(one.line, one.code) for one in audit.findings] == [(101, "JSONL_INVALID")]


def test_changed_link_is_blamed_on_the_line_that_holds_it_as_the_next_line_tells() -> None:
    lines = _chain(*BODIES)
    lines[4] = lines[4].replace(leaf_hash(lines[3]).encode(), b"0" * 64)

    audit = audit_lines(lines, MAX, _Reader())

    assert [(one.line, one.code) for one in audit.findings] == [(5, "CHAIN_BROKEN")]
    assert "the prev_hash of this line was changed" in audit.findings[0].message
    assert audit.relinked is None


def test_changed_link_of_the_last_line_is_told_by_who_knows_its_leaf() -> None:
    lines = _chain(*BODIES)
    last = leaf_hash(lines[-1])
    lines[-1] = lines[-1].replace(leaf_hash(lines[-2]).encode(), b"0" * 64)

    audit = audit_lines(lines, MAX, _Reader())

    assert [(one.line, one.code) for one in audit.findings] == [(5, "CHAIN_BROKEN")]
    assert audit.relinked == last
    audit.blame_link(6)
    assert [(one.line, one.code) for one in audit.findings] == [(6, "CHAIN_BROKEN")]


def test_changed_link_is_blamed_among_other_findings() -> None:
    lines = _chain(*BODIES)
    lines[1] = lines[1].replace(b"1.5", b"2.5")
    lines[4] = lines[4].replace(leaf_hash(lines[3]).encode(), b"0" * 64)

    assert [(one.line, one.message[:13]) for one in _audit(lines).findings] == [
        (2, "this is not t"),
        (5, "the prev_hash"),
    ]


@pytest.mark.parametrize("link", [b"5", b'"x","copy":"x"'], ids=["no text", "written twice"])
def test_link_that_cannot_be_mended_leaves_the_blame_with_the_line_before(link: bytes) -> None:
    lines = _chain(*BODIES)
    lines[4] = lines[4].replace(b'"' + leaf_hash(lines[3]).encode() + b'"', link)

    audit = audit_lines(lines, MAX, _Reader())

    assert [(one.line, one.code) for one in audit.findings] == [(4, "CHAIN_BROKEN"), (5, "CHAIN_BROKEN")]


def test_link_of_a_first_line_names_nothing() -> None:
    audit = audit_lines([b'{"prev_hash":"x"}'], MAX, _Reader())

    assert [one.code for one in audit.findings] == ["CHAIN_BROKEN"]
    assert audit.relinked is None


def test_empty_log_has_no_end() -> None:
    audit = _audit([])

    assert (audit.lines, audit.leaf_hash, audit.chained_from, audit.findings) == (0, None, None, [])


def test_chain_may_begin_after_another_writers_lines_and_must_go_on_from_there() -> None:
    own = _chain(*BODIES)
    foreign = [b'{"a": 1}', b'{"b": 2}\r']
    joined = [*foreign, json.dumps({"n": 0, "prev_hash": leaf_hash(foreign[-1])}).encode()]

    assert _found(joined) == []
    assert _audit(joined).chained_from == 3
    assert _found([*joined, b'{"n":1}']) == [(4, "CHAIN_BROKEN")]
    assert _found([*own, b'{"n":1,"prev_hash":null}']) == [(7, "CHAIN_BROKEN")]


def test_blank_lines_are_no_leaves_and_a_carriage_return_belongs_to_its_line() -> None:
    lines = _chain(*BODIES)
    ending = [b'{"n": 1}\r', json.dumps({"prev_hash": leaf_hash(b'{"n": 1}\r')}).encode()]

    assert _found([lines[0], b"", *lines[1:3], b"  \t", b"\r", *lines[3:]]) == []
    assert _found(ending) == []
    assert _found([b'{"n": 1}', ending[1]]) == [(1, "CHAIN_BROKEN")]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_spacing_belongs_to_the_stored_bytes(separators: tuple[str, str]) -> None:
    lines = _chain(*BODIES, separators=separators)

    assert _found(lines) == []
    assert _found([lines[0].replace(b"1.5", b"1.50"), *lines[1:]]) == [(1, "CHAIN_BROKEN")]


def test_chain_is_broken_at_the_line_before_the_one_that_does_not_follow() -> None:
    lines = _chain(*BODIES)

    assert _found(lines[:2] + lines[3:]) == [(2, "CHAIN_BROKEN")]
    assert _found([*lines[:2], lines[1], *lines[2:]]) == [(2, "CHAIN_BROKEN")]
    assert _found([lines[0], lines[2], lines[1], *lines[3:]]) == [
        (1, "CHAIN_BROKEN"),
        (2, "CHAIN_BROKEN"),
        (3, "CHAIN_BROKEN"),
    ]
    assert _found(lines[1:]) == [(1, "CHAIN_BROKEN")]
    assert _found(lines[:-1]) == []


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"hello",
        b"\xff",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b"[1]",
        b"null",
        b"1",
        b'"x"',
        b'{"a": 1} {"b": 2}',
        b"\xef\xbb\xbf{}",
        b"[" * 5000,
    ],
)
def test_line_that_is_no_strict_json_object_is_invalid(line: bytes) -> None:
    assert _found([b"{}", line, b"{}"]) == [(2, "JSONL_INVALID")]


def test_line_beyond_the_limit_is_invalid_where_it_is_read_strictly() -> None:
    long = b'{"a": "' + b"x" * 100 + b'"}'

    assert [one.code for one in _audit([long], 50).findings] == ["JSONL_INVALID"]


def test_number_of_findings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_audit, "FINDINGS_MAX", 3)

    assert len(_found([b"{"] * 9)) == 3


# The chain fields of other writers.


def _sorted(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _foreign(*, plain: int = 3, hashed: int = 4, anchor_is_hashed: bool = False) -> list[bytes]:
    """A log of another writer: plain lines, an anchor over them, then events with their hashes."""
    lines = [json.dumps({"event_seq": n, "é": 0.5}).encode() for n in range(1, plain + 1)]
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    anchor: dict[str, Any] = {
        "event_seq": plain + 1,
        "action": "chain.anchor",
        "payload": {"anchored_through_seq": plain, "anchor_sha256": digest},
    }
    previous = digest
    if anchor_is_hashed:
        anchor["prev_event_hash"] = digest
        anchor["event_hash"] = previous = hashlib.sha256(_sorted(anchor)).hexdigest()
    lines.append(json.dumps(anchor).encode())
    for number in range(plain + 2, plain + 2 + hashed):
        event = {"event_seq": number, "title": "é", "x": 1e-05, "prev_event_hash": previous}
        event["event_hash"] = previous = hashlib.sha256(_sorted(event)).hexdigest()
        lines.append(json.dumps(event, ensure_ascii=False).encode())
    return lines


@pytest.mark.parametrize("anchor_is_hashed", [True, False])
def test_foreign_chain_that_holds_has_no_finding(anchor_is_hashed: bool) -> None:
    lines = _foreign(anchor_is_hashed=anchor_is_hashed)

    assert _found(lines) == []
    assert _found([lines[0], b"", *lines[1:]]) == []


def _edit(line: bytes, **fields: Any) -> bytes:
    value = json.loads(line)
    for key, item in fields.items():
        if item is ...:
            value.pop(key, None)
        else:
            value[key] = item
    return json.dumps(value, ensure_ascii=False).encode()


BREAKS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], list[int]]] = {
    "a plain line was changed": (lambda lines: [_edit(lines[0], event_seq=9), *lines[1:]], [4]),
    "a plain line was removed": (lambda lines: lines[1:], [3]),
    "a hashed line was changed": (lambda lines: [*lines[:5], _edit(lines[5], title="e"), *lines[6:]], [6]),
    "a hashed line was removed": (lambda lines: lines[:5] + lines[6:], [6]),
    "hashed lines were swapped": (lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], [5, 6, 7]),
    "the first hashed line was removed": (lambda lines: lines[:4] + lines[5:], [5]),
    "a line without a hash was put in": (lambda lines: [*lines[:6], b'{"event_seq": 7}', *lines[6:]], [7]),
    "the hash of the last line was taken away": (
        lambda lines: [*lines[:-1], _edit(lines[-1], event_hash=..., prev_event_hash=...)],
        [8],
    ),
    "the hash is null": (lambda lines: [*lines[:-1], _edit(lines[-1], event_hash=None)], [8]),
    "the link was taken away": (lambda lines: [*lines[:-1], _edit(lines[-1], prev_event_hash=...)], [8, 8]),
    "the anchor names lines that are not there": (
        lambda lines: [
            *lines[:3],
            _edit(lines[3], payload={**json.loads(lines[3])["payload"], "anchored_through_seq": 99}),
            *lines[4:],
        ],
        [4],
    ),
    "the anchor names no seq": (
        lambda lines: [
            *lines[:3],
            _edit(lines[3], payload={"anchor_sha256": json.loads(lines[3])["payload"]["anchor_sha256"]}),
            *lines[4:],
        ],
        [4],
    ),
    "the anchor has no payload": (lambda lines: [*lines[:3], _edit(lines[3], payload=[])], [4]),
}


@pytest.mark.parametrize("name", BREAKS)
def test_foreign_chain_that_was_broken_is_found_at_its_line(name: str) -> None:
    change, lines = BREAKS[name]

    found = _found(change(_foreign()))

    assert found == [(line, "CHAIN_BROKEN") for line in lines]


def test_anchor_over_fewer_lines_than_stand_before_it_is_not_judged() -> None:
    lines = _foreign()
    late = [*lines[:3], b'{"event_seq": 99}', *lines[3:]]

    assert _found(late) == []


def test_hashes_without_an_anchor_are_judged_from_the_first_on() -> None:
    lines = _foreign()[4:]

    assert _found(lines) == []
    assert _found([lines[0], lines[2]]) == [(2, "CHAIN_BROKEN")]


def test_our_own_chain_goes_on_where_the_foreign_one_ends() -> None:
    lines = _foreign()
    own = json.dumps({"n": 1, "prev_hash": leaf_hash(lines[-1])}).encode()

    assert _found([*lines, own]) == []
    assert _found([*lines, own, lines[-1]]) == [(10, "CHAIN_BROKEN")]


@pytest.mark.parametrize("inner", [b"1", b"1.5"])
def test_event_that_is_nested_too_deeply_to_be_hashed_is_broken_and_never_a_crash(inner: bytes) -> None:
    codes = set()
    for depth in [*range(850, 1010), 20_000]:
        line = b'{"event_hash":"x","a":' + b"[" * depth + inner + b"]" * depth + b"}"
        codes |= {one.code for one in _audit([line]).findings}

    assert codes <= {"CHAIN_BROKEN", "JSONL_INVALID"}
    assert codes
