"""What of a product's options is paid beyond a voucher that covers it; at the counter and in a plan alike."""

from collections.abc import Collection

from vouchers.plan.model import Asked


def extra_fen(asked: Asked, included: Collection[str]) -> int:
    """
    What the answers to one question cost beyond those that a voucher includes; no question pays for another.

    Where the voucher names none of the question's answers, those that come with the product are included.
    """
    paid = asked.fen.keys() & included or asked.usual
    dearest = max((asked.fen[option] for option in paid), default=0) if asked.takes_one else 0
    return sum(max(0, asked.fen[option] - dearest) for option in asked.chosen if option not in paid)
