"""codes: unique by construction, unguessable without the key, and typing errors do not pass."""

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vouchers import codes

KEY = codes.key_of(secret="5e" * 32, brand_id=UUID(int=1), issuer="own")
numbers = st.integers(0, 10**codes.NUMBER_DIGITS - 1)


@pytest.mark.parametrize(
    ("plain", "encrypted"),
    [
        # NIST SP 800-38G, FF1 samples 1 (radix 10, empty tweak) for the three AES key lengths.
        ("2B7E151628AED2A6ABF7158809CF4F3C", 2433477484),
        ("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F", 2830668132),
        ("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94", 6657667009),
    ],
)
def test_the_permutation_is_the_standards(plain: str, encrypted: int) -> None:
    assert codes.ff1([123456789], bytes.fromhex(plain), digits=10) == [encrypted]
    assert codes.ff1_inverse([encrypted], bytes.fromhex(plain), digits=10) == [123456789]


def test_a_million_codes_hold_no_repeat_and_need_no_retry() -> None:
    issued = codes.codes_for(range(1_000_000), KEY)

    assert len(set(issued)) == 1_000_000
    assert {len(code) for code in issued} == {12}


def test_the_permutation_takes_in_every_number_of_a_small_domain() -> None:
    # The construction does not depend on the digits, so the whole of a domain that can be walked stands for it.
    assert sorted(codes.ff1(range(10**5), KEY.aes, digits=5)) == list(range(10**5))


@given(numbers)
def test_the_number_comes_back_out_of_its_code(number: int) -> None:
    [code] = codes.codes_for(range(number, number + 1), KEY)

    assert codes.is_well_formed(code)
    assert codes.number_of(code, KEY) == number


def test_a_run_and_its_parts_give_the_same_codes() -> None:
    assert codes.codes_for(range(40, 60), KEY) == codes.codes_for(range(60), KEY)[40:]


def test_the_ends_of_the_sequence_have_codes_and_nothing_lies_beyond() -> None:
    last = 10**codes.NUMBER_DIGITS - 1

    assert codes.number_of(codes.codes_for(range(last, last + 1), KEY)[0], KEY) == last
    with pytest.raises(AssertionError):
        codes.codes_for(range(last, last + 2), KEY)


def test_brands_and_issuers_have_keys_of_their_own() -> None:
    other_brand = codes.key_of(secret="5e" * 32, brand_id=UUID(int=2), issuer="own")
    other_issuer = codes.key_of(secret="5e" * 32, brand_id=UUID(int=1), issuer="douyin")

    assert len({codes.codes_for(range(1), key)[0] for key in (KEY, other_brand, other_issuer)}) == 3


def test_neighbours_of_the_sequence_share_nothing() -> None:
    issued = codes.codes_for(range(5_000), KEY)
    same_place = sum(a == b for one, two in pairwise(issued) for a, b in zip(one, two, strict=True))

    # Chance alone gives one place in ten.
    assert same_place / (12 * 4_999) == pytest.approx(0.1, abs=0.005)


@given(numbers, st.integers(0, 11), st.integers(1, 9))
def test_every_wrong_digit_is_noticed(number: int, place: int, shift: int) -> None:
    [code] = codes.codes_for(range(number, number + 1), KEY)
    wrong = code[:place] + str((int(code[place]) + shift) % 10) + code[place + 1 :]

    assert not codes.is_well_formed(wrong)


@given(numbers, st.integers(0, 10))
def test_every_swap_of_neighbours_is_noticed(number: int, place: int) -> None:
    [code] = codes.codes_for(range(number, number + 1), KEY)
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]

    assert codes.is_well_formed(swapped) == (swapped == code)


@pytest.mark.parametrize(
    "typed", ["9707 0491 3269", "9707-0491-3269", " 970704913269\n", "９７０７０４９１３２６９", "9707–0491　3269"]
)
def test_what_people_type_is_read_as_the_code(typed: str) -> None:
    assert codes.normalise(typed) == "970704913269"


@pytest.mark.parametrize("text", ["", "97070491326", "9707049132690", "97070491326x", "٩٧٠٧٠٤٩١٣٢٦٩"])
def test_what_cannot_be_a_code_is_not_well_formed(text: str) -> None:
    assert not codes.is_well_formed(codes.normalise(text))


def test_a_masked_code_shows_its_last_four_digits() -> None:
    assert codes.masked("970704913269") == "••••••••3269"
