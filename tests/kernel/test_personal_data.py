"""What identifies a person, at rest."""

from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidTag
from pytest_django import Settings

from config.kernel import secrets
from config.kernel.personal_data import keyed_hash, seal, unseal

PHONE = "+8613812345678"


def test_what_is_sealed_is_read_back_and_not_seen() -> None:
    sealed = seal(PHONE, purpose="phone", bound_to=b"row 1")

    assert unseal(memoryview(sealed), purpose="phone", bound_to=b"row 1") == PHONE
    assert PHONE.encode() not in sealed
    assert sealed != seal(PHONE, purpose="phone", bound_to=b"row 1"), "equal phones do not look equal"


@pytest.mark.parametrize(("purpose", "row"), [("phone", b"row 2"), ("webhook", b"row 1")])
def test_it_is_read_in_its_own_row_for_its_own_purpose_only(purpose: str, row: bytes) -> None:
    sealed = seal(PHONE, purpose="phone", bound_to=b"row 1")

    with pytest.raises(InvalidTag):
        unseal(sealed, purpose=purpose, bound_to=row)


@pytest.mark.parametrize("place", [1, 12, 13, -1])
def test_a_changed_byte_is_noticed(place: int) -> None:
    sealed = bytearray(seal(PHONE, purpose="phone", bound_to=b""))
    sealed[place] ^= 1

    with pytest.raises(InvalidTag):
        unseal(bytes(sealed), purpose="phone", bound_to=b"")


def test_a_hash_finds_its_text_under_its_key_and_purpose_only(settings: Settings) -> None:
    found = keyed_hash(PHONE, purpose="phone")

    assert len(found) == 32
    assert keyed_hash(PHONE, purpose="phone") == found
    assert keyed_hash(PHONE[:-1] + "9", purpose="phone") != found
    assert keyed_hash(PHONE, purpose="name") != found
    settings.SECRETS = replace(settings.SECRETS, personal_data_key=secrets.make().personal_data_key)
    assert keyed_hash(PHONE, purpose="phone") != found
