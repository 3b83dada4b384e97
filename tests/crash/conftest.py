"""The crash tests open hundreds of workspaces with the same contracts: each text is parsed once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from esaa.kernel.strict_yaml import loads_yaml


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("esaa.contracts.load.loads_yaml", cache(loads_yaml))
        yield
