"""A sealed state: opens with its secret and unchanged bytes, and with nothing else."""

from __future__ import annotations

import pytest

from esaa.kernel.snapshot import SnapshotKey, seal, unseal

KEY = SnapshotKey(
    vocabulary="esaa", projection_version=1, seq=7, leaf_hash="ab", offset=700, line_bytes=99, is_chained=True
)
SECTIONS = [b"one", b"", b"\x00\xff" * 50]
SEALED = seal(b"secret", KEY, SECTIONS)


def test_sealed_state_opens_with_its_secret() -> None:
    opened = unseal(b"secret", SEALED)

    assert opened is not None
    key, sections = opened
    assert key == KEY
    assert [bytes(section) for section in sections] == SECTIONS


def test_state_without_sections_opens() -> None:
    opened = unseal(b"secret", seal(b"secret", KEY, []))

    assert opened == (KEY, [])


@pytest.mark.parametrize("secret", [b"", b"Secret", b"secret ", b"other"])
def test_other_secret_opens_nothing(secret: bytes) -> None:
    assert unseal(secret, SEALED) is None


def test_no_changed_byte_opens() -> None:
    for place in range(len(SEALED)):
        changed = bytearray(SEALED)
        changed[place] ^= 1
        assert unseal(b"secret", bytes(changed)) is None


@pytest.mark.parametrize("data", [b"", b"esaa-state-1\n", SEALED[:40], SEALED[:-1], SEALED + b"x", b"x" + SEALED])
def test_cut_or_longer_bytes_open_nothing(data: bytes) -> None:
    assert unseal(b"secret", data) is None
