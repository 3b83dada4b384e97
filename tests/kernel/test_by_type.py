"""Looking up by type."""

from __future__ import annotations

import pytest

from esaa.kernel.by_type import ByType


def test_a_type_that_is_not_there_has_what_its_nearest_base_has() -> None:
    class Base:
        """Something."""

    class Nearer(Base):
        """Something more."""

    class Thing(Nearer):
        """It."""

    table = ByType({Base: "base", Nearer: "nearer", str: "text"})

    assert (table[Base], table[Thing], table[str]) == ("base", "nearer", "text")
    assert table[Thing] == "nearer", "looked up once more"
    with pytest.raises(KeyError):
        table[int]
