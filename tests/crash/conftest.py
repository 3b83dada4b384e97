"""The crash tests open hundreds of workspaces with the same contracts: each text is parsed once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from esaa.contracts import load


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "loads_yaml", cache(load.loads_yaml))
        yield
