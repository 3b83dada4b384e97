"""The path corpus through every door, in its short form."""

from __future__ import annotations

from pathlib import Path

import pytest

from assure import paths
from assure.figure import Scope
from esaa.effects import files
from esaa.protocol.boundaries import WriteBoundary
from esaa.protocol.commands import FileOnDisk
from tests.corpora.paths.cases import cases


def test_no_path_escapes_and_no_valid_path_is_refused(tmp_path: Path) -> None:
    for figure in paths.measure(Scope(scratch=tmp_path, is_short=True, seed=1)):
        assert figure.holds, figure


def test_doors_that_stand_open_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = Scope(scratch=tmp_path, is_short=True, seed=1)
    some = [
        case
        for case in cases()
        if case.path in (".git/hooks/post-checkout", "src/link-out/a.py", "../a", "src/link-up.py")
    ]
    monkeypatch.setattr(files, "write_refusal", lambda path: None)
    monkeypatch.setattr(WriteBoundary, "refusal", lambda self, path: None)

    def careless(root: Path, path: str, **_: object) -> FileOnDisk:
        place = root / path
        return FileOnDisk(content=place.read_bytes() if place.is_file() else None)

    monkeypatch.setattr(paths, "inspect", careless)
    tally = paths.tried(some, scope)

    assert any("changed what was not the task's" in one for one in tally.escapes), tally.escapes
    assert any("read what lies outside" in one for one in tally.escapes), tally.escapes
    assert tally.taken_bad


def test_corpus_has_its_size_and_its_classes() -> None:
    every = list(cases())
    assert len(every) >= paths.CASES_MIN
    assert len({case.kind for case in every if case.kind != paths.VALID}) >= paths.KINDS_MIN
