"""What is kept of `make assure` is whole: every area, and everything held."""

from __future__ import annotations

import json
from pathlib import Path

from assure.__main__ import AREAS, RESULTS


def test_every_area_was_taken_and_every_figure_holds() -> None:
    kept = json.loads(Path(RESULTS).read_text("utf-8"))

    assert list(kept) == list(AREAS)
    assert sum(area["seconds"] for area in kept.values()) < 60 * 60
    figures = [one for area in kept.values() for one in area["figures"]]
    assert len(figures) >= 2 * len(AREAS) - 2
    assert [one["name"] for one in figures if not one["holds"]] == []
    assert [name for name, area in kept.items() if not area["commit"] or "dirty" in area["commit"]] == []
