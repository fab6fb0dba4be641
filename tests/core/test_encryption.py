"""Records at rest: what was sealed comes back only unharmed, only where it belongs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core import encryption
from apps.core.encryption import SealBrokenError

KEY = encryption.derive(b"a master key", "tests")


@given(plain=st.binary(max_size=500), bound_to=st.binary(max_size=40))
def test_what_was_sealed_comes_back(plain: bytes, bound_to: bytes) -> None:
    record = encryption.seal(KEY, plain, number=7, bound_to=bound_to)

    assert encryption.unseal(KEY, record, bound_to=bound_to) == plain
    assert encryption.key_number(record) == 7
    assert len(record) == len(plain) + 31


def test_it_never_seals_the_same_way_twice() -> None:
    assert encryption.seal(KEY, b"same") != encryption.seal(KEY, b"same")


@given(position=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(position: int, bit: int) -> None:
    record = bytearray(encryption.seal(KEY, b"the original text of a message"))
    position %= len(record)
    if position in (1, 2):
        return  # the key's number: another key is asked, which cannot open it (test_keys)
    record[position] ^= 1 << bit

    with pytest.raises(SealBrokenError):
        encryption.unseal(KEY, bytes(record))


@given(kept=st.integers(0, 60))
def test_a_cut_record_is_noticed(kept: int) -> None:
    record = encryption.seal(KEY, b"the original text of a message")

    with pytest.raises(SealBrokenError):
        encryption.unseal(KEY, record[:kept])


def test_it_opens_only_where_it_belongs() -> None:
    record = encryption.seal(KEY, b"text", bound_to=b"row 1")

    with pytest.raises(SealBrokenError):
        encryption.unseal(KEY, record, bound_to=b"row 2")
    with pytest.raises(SealBrokenError):
        encryption.unseal(encryption.new_key(), record, bound_to=b"row 1")


def test_each_purpose_has_its_own_key() -> None:
    assert encryption.derive(b"secret", "one") != encryption.derive(b"secret", "another")
    assert encryption.derive(b"secret", "one") == encryption.derive(b"secret", "one")


def test_a_digest_shows_equality_only_to_holders_of_the_key() -> None:
    other = encryption.new_key()

    assert encryption.keyed_digest(KEY, b"text") == encryption.keyed_digest(KEY, b"text")
    assert encryption.keyed_digest(KEY, b"text") != encryption.keyed_digest(other, b"text")
