"""The kept run of `make assure` is a whole one, in which everything held."""

from __future__ import annotations

import json
from pathlib import Path

from assure.__main__ import AREAS, RESULTS


def test_every_area_was_taken_and_every_figure_holds() -> None:
    kept = json.loads(Path(RESULTS).read_text("utf-8"))

    assert set(kept["seconds"]) == set(AREAS)
    assert sum(kept["seconds"].values()) < 60 * 60
    assert len(kept["figures"]) >= 2 * len(AREAS) - 2
    assert [one["name"] for one in kept["figures"] if not one["holds"]] == []
