"""What the short forms of `make assure` share."""

from __future__ import annotations

from pathlib import Path

import pytest

from assure.figure import Scope


@pytest.fixture
def short_scope(tmp_path: Path) -> Scope:
    """The short form of an area, always with the same cases."""
    return Scope(scratch=tmp_path, is_short=True, seed=1)
