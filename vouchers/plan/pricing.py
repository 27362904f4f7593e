"""What applied vouchers take off: the rules of docs/plan.md to the fen, with nothing left to choose."""

from collections.abc import Sequence

from config.kernel.money import split_fen
from vouchers.plan.model import Kind, Terms
from vouchers.plan.wallet import Offer

Taken = list[tuple[int, int]]  # line, fen


def take_cash(terms: Terms, lines: Sequence[int], left: list[int]) -> Taken:
    """One cash voucher off ``left``, spread in proportion to what is left of its lines; at most their sum."""
    open_lines = [i for i in lines if left[i]]
    weights = [left[i] for i in open_lines]
    if sum(weights) <= terms.face_fen:
        return list(zip(open_lines, weights, strict=True))
    return list(zip(open_lines, split_fen(terms.face_fen, weights), strict=True))


def take_discount(terms: Terms, lines: Sequence[int], left: list[int]) -> Taken:
    """One discount off ``left``: rounded down on each line; above the cap the cap is spread over those discounts."""
    off = [left[i] * terms.rate_bps // 10_000 for i in lines]
    if terms.cap_fen is not None and sum(off) > terms.cap_fen:
        off = split_fen(terms.cap_fen, off)
    return list(zip(lines, off, strict=True))


def take_all(applied: Sequence[tuple[Offer, int]], left: list[int]) -> list[list[Taken]] | None:
    """
    Take cash vouchers, then discounts, off ``left`` in the order given, so many of each.

    None where one of them would take nothing: such a plan is none.
    """
    everything: list[list[Taken]] = []
    for offer, n in applied:
        act = take_cash if offer.terms.kind == Kind.CASH else take_discount
        everything.append([])
        for _ in range(n):
            taken = act(offer.terms, offer.lines, left)
            if not any(fen for _, fen in taken):
                return None
            for i, fen in taken:
                left[i] -= fen
            everything[-1].append(taken)
    return everything
