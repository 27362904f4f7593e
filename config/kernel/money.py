"""Money is whole fen in plain integers; dividing it never loses one."""

from collections.abc import Sequence


def split_fen(total_fen: int, weights: Sequence[int]) -> list[int]:
    """
    Split ``total_fen`` over ``weights`` so that the parts sum to it exactly.

    Largest remainder (Hamilton 1792): every part gets its whole share, the fen left over go to the
    largest remainders, the earlier part first. All weights zero means equal weights. O(n log n).

    ``total_fen`` and every weight are 0 or more and there is at least one weight; anything else is
    a programmer's error and asserts.
    """
    assert total_fen >= 0, "split a refund by its own positive amount"
    assert weights, "nothing to split over"
    assert min(weights) >= 0, "weights are 0 or more"
    shares = list(weights) if any(weights) else [1] * len(weights)
    whole = sum(shares)
    parts = [total_fen * share // whole for share in shares]
    if left := total_fen - sum(parts):
        remainders = [
            (part * whole - total_fen * share, i) for i, (part, share) in enumerate(zip(parts, shares, strict=True))
        ]
        for _, i in sorted(remainders)[:left]:
            parts[i] += 1
    assert sum(parts) == total_fen
    return parts


def rate_of_fen(amount_fen: int, rate_bps: int) -> int:
    """``rate_bps`` ten-thousandths of ``amount_fen``, rounded down to the fen."""
    return amount_fen * rate_bps // 10_000


def yuan(amount_fen: int) -> str:
    """``1234`` as ``¥12.34``, for people; a minus is U+2212 before the sign."""
    sign = "\N{MINUS SIGN}" if amount_fen < 0 else ""
    return f"{sign}¥{abs(amount_fen) // 100:,}.{abs(amount_fen) % 100:02d}"
