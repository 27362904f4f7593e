"""money.split_fen loses no fen and favours nobody by more than one."""

from hypothesis import given
from hypothesis import strategies as st

from config.kernel.money import rate_of_fen, split_fen, yuan

fen = st.integers(0, 10**12)
weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=40)


@given(fen, weights)
def test_parts_sum_to_the_total_and_are_never_negative(total_fen: int, shares: list[int]) -> None:
    parts = split_fen(total_fen, shares)

    assert sum(parts) == total_fen
    assert min(parts) >= 0


@given(fen, weights)
def test_each_part_is_within_one_fen_of_its_exact_share(total_fen: int, shares: list[int]) -> None:
    even = shares if any(shares) else [1] * len(shares)

    for part, share in zip(split_fen(total_fen, shares), even, strict=True):
        assert abs(part * sum(even) - total_fen * share) < sum(even)


def test_the_fen_left_over_goes_to_the_largest_remainder() -> None:
    assert split_fen(100, [1, 1, 1]) == [34, 33, 33]
    assert split_fen(990, [1600, 1600, 1600]) == [330, 330, 330]
    assert split_fen(10, [2, 3, 4]) == [2, 3, 5]


def test_all_weights_zero_means_equal_weights() -> None:
    assert split_fen(7, [0, 0]) == [4, 3]


def test_rates_round_down() -> None:
    assert rate_of_fen(999, 3_333) == 332


def test_yuan_shows_two_decimals_and_a_true_minus() -> None:
    assert yuan(123_456) == "¥1,234.56"
    assert yuan(-5) == "\N{MINUS SIGN}¥0.05"
