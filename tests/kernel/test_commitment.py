"""Salted commitments."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.commitment import commit, opens

SALT = bytes(range(32))


def test_commitment_is_the_hash_of_mark_salt_and_payload() -> None:
    assert commit(SALT, b"a name") == hashlib.sha256(b"\x02" + SALT + b"a name").hexdigest()


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=99), st.binary(min_size=32, max_size=32), st.binary())
def test_commitment_opens_for_what_it_was_made_of_and_nothing_else(
    salt: bytes, payload: bytes, other_salt: bytes, other: bytes
) -> None:
    made = commit(salt, payload)
    assert opens(made, salt, payload)
    assert opens(made, other_salt, other) == ((salt, payload) == (other_salt, other))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_salt_of_another_length_is_refused(size: int) -> None:
    # A byte moved from the payload to the salt would otherwise open the same commitment.
    with pytest.raises(ValueError, match=f"32 bytes, not {size}"):
        commit(bytes(size), b"")
    assert not opens(commit(SALT, b"x"), SALT + b"x", b"")
    assert not opens("é", SALT, b"x")
