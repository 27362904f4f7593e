"""
Discounts alone on a cart: what is left after them, and what any choice among those still open leaves at least.

Nothing is rounded here, which leaves less, but for what rounding the spread of a cap may change. More discounts never
leave more. One more takes at most what it would take where only the sure ones stand before it; without one of them
at least what it takes where all others stand is left, times what later ones let through. Both follow because what a
discount leaves grows with what it finds, by at most a fen a fen and at least by the fen it does not take of it.
"""

from collections.abc import Sequence

from vouchers.plan.wallet import Offer


class Chain:
    """``chosen`` in their order: what each copy takes, what is left, and how sure that is."""

    def __init__(self, left: list[float], chosen: Sequence[tuple[Offer, int]]):
        self.takes: list[tuple[Offer, int, float, float]] = []  # offer, copy, fen, what it passes of a fen more
        self.next_takes: list[float] = []  # what one more copy of each would take
        self.slack = 0.0
        for offer, n in chosen:
            lines, rate, cap = offer.lines, offer.terms.rate_bps / 10_000, offer.terms.cap_fen
            for copy in range(n + 1):
                base = sum([left[i] for i in lines])
                off, passes = base * rate, 1 - rate
                if cap is not None and cap < off:
                    off, passes = float(cap), 1.0
                if copy == n:
                    self.next_takes.append(off)
                    break
                if passes == 1.0:
                    self.slack += len(lines) / 2
                self.takes.append((offer, copy, off, passes))
                if base:
                    keep = 1 - off / base
                    for i in lines:
                        left[i] *= keep
        self.left_fen = sum(left)

    def missed(self, place: int) -> float:
        """What more would be left without the copy there, whichever others are left out as well: at least this."""
        offer, _, fen, _ = self.takes[place]
        touched = offer.mask
        for later, _, _, passes in self.takes[place + 1 :]:
            if later.mask & touched:
                fen *= passes
                if passes == 1.0:
                    touched |= later.mask  # a cap is spread: what it takes here it leaves there
        return fen
