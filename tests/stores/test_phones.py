"""Phone numbers in one spelling."""

import pytest

from stores.phones import masked, normalised


@pytest.mark.parametrize(
    "text", ["13812345678", "138 1234 5678", "+86 138-1234-5678", "8613812345678", "008613812345678", "(138)12345678"]
)
def test_one_mainland_mobile_has_one_spelling(text: str) -> None:
    assert normalised(text) == "+8613812345678"


@pytest.mark.parametrize(("text", "same"), [("+65 9123 4567", "+6591234567"), ("00852 9123 4567", "+85291234567")])
def test_other_countries_come_with_their_code(text: str, same: str) -> None:
    assert normalised(text) == same


@pytest.mark.parametrize(
    "text", ["", "1381234567", "138123456789", "12812345678", "91234567", "+0123456789", "+1234567890123456", "abc"]
)
def test_what_is_no_phone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="phone"):
        normalised(text)


def test_digits_of_other_scripts_are_refused() -> None:
    with pytest.raises(ValueError, match="phone"):
        normalised("１３８１２３４５６７８")


def test_a_screen_shows_the_tail_only() -> None:
    assert masked("5678") == "****5678"
    assert masked("") == ""
