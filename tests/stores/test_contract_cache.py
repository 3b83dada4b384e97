"""The cache of parsed contracts: used only for the very files it was made of, and only with the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from esaa.contracts.load import parse_governance
from esaa.errors import ContractError
from esaa.stores.contract_cache import ContractCache
from esaa.stores.disk import Disk
from tests.workspaces import contract_files

KEY = bytes(range(32))


@pytest.fixture
def roadmap(tmp_path: Path) -> Path:
    folder = tmp_path / ".roadmap"
    folder.mkdir()
    for name, data in contract_files().items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def parsings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each time that YAML is parsed."""
    counted: list[int] = []

    def counting(files: dict[str, bytes]) -> object:
        counted.append(len(files))
        return parse_governance(files)

    monkeypatch.setattr("esaa.stores.contract_cache.parse_governance", counting)
    return counted


def cache(roadmap: Path, secret: bytes | None = KEY) -> ContractCache:
    return ContractCache(roadmap / ".esaa" / "contracts.cache", secret, Disk())


def test_contracts_are_parsed_once(roadmap: Path, parsings: list[int]) -> None:
    first = cache(roadmap)
    rules = first.read(roadmap)
    assert not (roadmap / ".esaa").exists(), "reading writes nothing"
    first.keep()
    assert cache(roadmap).read(roadmap) == rules
    assert len(parsings) == 1


def test_changed_contract_is_parsed_anew(roadmap: Path, parsings: list[int]) -> None:
    first = cache(roadmap)
    first.read(roadmap)
    first.keep()
    path = roadmap / "RUNTIME_POLICY.yaml"
    path.write_bytes(path.read_bytes().replace(b"max: 3", b"max: 2"))
    assert cache(roadmap).read(roadmap).runtime.attempts.max == 2
    path.write_bytes(b"contract: nonsense\n")
    with pytest.raises(ContractError):
        cache(roadmap).read(roadmap)
    (roadmap / "PARCER_PROFILE.agent-qa.yaml").unlink()
    assert len(parsings) == 3


@pytest.mark.parametrize("forgery", ["byte", "cut", "empty", "other key"])
def test_cache_that_was_not_made_with_the_key_is_ignored(roadmap: Path, parsings: list[int], forgery: str) -> None:
    first = cache(roadmap, bytes(32) if forgery == "other key" else KEY)
    rules = first.read(roadmap)
    first.keep()
    path = roadmap / ".esaa" / "contracts.cache"
    data = path.read_bytes()
    at = data.index(b'"max":3') + 6
    forged = {"byte": data[:at] + b"1" + data[at + 1 :], "cut": data[:-1], "empty": b"", "other key": data}
    path.write_bytes(forged[forgery])
    assert cache(roadmap).read(roadmap) == rules
    assert len(parsings) == 2


def test_without_a_key_nothing_is_kept_and_nothing_trusted(roadmap: Path, parsings: list[int]) -> None:
    keyless = cache(roadmap, None)
    keyless.read(roadmap)
    keyless.keep()
    assert not (roadmap / ".esaa").exists()
    first = cache(roadmap)
    first.read(roadmap)
    first.keep()
    cache(roadmap, None).read(roadmap)
    assert len(parsings) == 3
