"""Findings stand at the line where the damage is, not where the event says that it stands."""

from __future__ import annotations

import random
from pathlib import Path

from tests.trust.answers import answer_of_package, answer_of_standalone
from tests.trust.clean_logs import draw_log


def _written(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "activity.jsonl").write_bytes(data)
    return tmp_path / "activity.jsonl"


def test_act_that_was_doubled_at_the_end_is_an_open_batch_at_the_line_where_it_stands(tmp_path: Path) -> None:
    lines = list(draw_log(random.Random(7), 30, 40).lines)
    act = next(line for line in lines if b'"action":"claim"' in line)
    log = _written(tmp_path, b"".join(line + b"\n" for line in [*lines, act]))

    for answer in (answer_of_package(log), answer_of_standalone(log)):
        assert ("UNCLOSED_BATCH", len(lines) + 1, "activity.jsonl") in answer.errors


def test_blank_lines_are_counted_where_a_batch_was_cut(tmp_path: Path) -> None:
    lines = list(draw_log(random.Random(7), 30, 40).lines)
    at = max(number for number, line in enumerate(lines) if b'"action":"complete"' in line) + 1
    log = _written(tmp_path, b"\n\n" + b"".join(line + b"\n\n" for line in lines[: at + 1]))

    for answer in (answer_of_package(log), answer_of_standalone(log)):
        assert ("UNCLOSED_BATCH", 2 * at + 1, "activity.jsonl") in answer.errors
