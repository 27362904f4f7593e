"""Good plans to begin with: the relaxation's own choice made to hold, and money tuned to what it leaves uncovered."""

import math
from collections.abc import Mapping, Sequence

from vouchers.plan.choices import HEAVY
from vouchers.plan.covering import Covering
from vouchers.plan.model import Kind
from vouchers.plan.wallet import Offer, is_entitlement

MOST_TRIES = 80
NO_LIMIT = 2**53
Counted = Mapping[str, tuple[int, int]]  # of each deal: vouchers and their limit


class Guessing(Covering):
    """Runs once for every choice of discounts."""

    cash: list[tuple[Offer, list[float]]]
    discounts: list[Offer]

    def _guess(self) -> None:
        """What the relaxation's own choice is worth when it is made to hold; money is then tuned to the cover."""
        wish = {id(offer): shortfalls.index(min(shortfalls)) for offer, shortfalls in self.cash}
        wish |= {id(offer): self.counts[id(offer)][2] for offer in self.discounts if id(offer) in self.counts}
        kept, deals = self.counts, self.in_deal
        self.card_range = [(0, offer.reach) for offer in self.frame.cards]
        self.left_bounds = [(0, False) for _ in self.wallet.lines]
        for _ in range(3):
            self.counts, self.in_deal = {}, {}
            for key in sorted(wish, key=lambda key: self.wallet.by_key[key].terms.id):
                offer, n = self.wallet.by_key[key], wish[key]
                while n and not self._fits(offer, n):
                    n -= 1
                self._take(offer, offer.pools[0], n)
            self.cash_bounds = {
                id(offer): 2 * (self.counts[id(offer)][2] if id(offer) in self.counts else 0,)
                for offer in self.frame.cash
            }
            tuned = self._tuned(self._guess_cover())
            if tuned == {key: n for key, n in wish.items() if n}:
                break
            wish = tuned
        self.counts, self.in_deal = kept, deals
        self.fills, self.on_top = [], 0

    def _guess_cover(self) -> list[int]:
        """Packages greedily, cards as the relaxation has it; what is left uncovered of each line in fen."""
        frame = self.frame
        for offer in (*frame.packages, *frame.cards):
            pool = next((pool for pool in offer.cheap[::-1] if self._fits(offer, pool.charge)), None)
            self.pools[id(offer)] = pool
            charge = pool.charge if pool else 0
            self.in_deal[offer.terms.deal].append((charge, offer.terms.max_per_order if charge else None))
        self.fills, self.on_top = [], 0
        self._start_cover()
        for offer in sorted(
            frame.packages, key=lambda o: (o.pools[0].cost_fen[1] * self.big - frame.best[id(o)], o.terms.id)
        ):
            if (pool := self.pools[id(offer)]) is None:
                continue
            n = 0
            for value, units, on_top in self._priced(offer, frame.price):
                while (
                    n < min(offer.reach, len(pool.uses))
                    and value >= (pool.cost_fen[n + 1] - pool.cost_fen[n]) * self.big - self.scale
                    and (pool.charge or self._fits(offer, n + 1))
                ):
                    for c, _ in units:
                        self.free[c] -= 1
                    if min(self.free) < 0:
                        for c, _ in units:
                            self.free[c] += 1
                        break
                    n += 1
                    self.fills.append((offer, units))
                    self.on_top += on_top
            self._take(offer, pool, n)
        leaf = self._leaf(len(frame.packages))
        self._adopt(leaf)
        left = list(leaf.quantity)
        for held in leaf.solved.held:
            for i, n in held.items():
                left[i] -= n
        return [fen * n for fen, n in zip(self.wallet.unit_fen, left, strict=True)]

    def _tuned(self, left: list[int]) -> dict[int, int]:
        """The cash vouchers and discounts for this cover, changed one or two at a time while that costs less."""
        offers = [
            offer
            for offer in (*(offer for offer, _ in self.cash), *self.discounts)
            if sum([left[i] for i in offer.lines]) >= max(1, offer.terms.min_spend_fen)
        ]
        offers.sort(key=lambda offer: (offer.terms.kind == Kind.DISCOUNT, offer.terms.id))
        taken = {key: self.counts[key][2] for key in map(id, offers) if key in self.counts}
        counted: dict[str, tuple[int, int]] = {}
        for offer, _, n in self.counts.values():
            if is_entitlement(offer):
                before = counted.get(offer.terms.deal, (0, NO_LIMIT))
                limit = NO_LIMIT if offer.terms.max_per_order is None else offer.terms.max_per_order
                counted[offer.terms.deal] = (before[0] + n, min(before[1], limit))

        (best, taken), tries, changed = _unrounded(offers, left, counted, taken), 0, True
        while changed and tries < MOST_TRIES:
            changed = False
            for offer in offers:
                for step in (1, -1):
                    then = {**taken, id(offer): taken.get(id(offer), 0) + step}
                    if then[id(offer)] < 0:
                        continue
                    tries += 1
                    costs, kept = _unrounded(offers, left, counted, then)
                    if costs < best - 0.5:
                        best, taken, changed = costs, kept, True
        self.nodes += tries * len(offers) // HEAVY
        return taken


def _unrounded(
    offers: Sequence[Offer], left: Sequence[int], counted: Counted, taken: Mapping[int, int]
) -> tuple[float, dict[int, int]]:
    """What it comes to unrounded, without those that would take nothing."""
    rest, total, deals = [float(fen) for fen in left], 0, dict(counted)
    kept: dict[int, int] = {}
    for offer in offers:
        n = taken.get(id(offer), 0)
        if not n:
            continue
        lines, terms, copies = offer.lines, offer.terms, 0
        if n > offer.reach:
            return math.inf, {}
        if terms.kind == Kind.CASH:
            room = sum([rest[i] for i in lines])
            copies = min(n, math.ceil((room - 0.5) / terms.face_fen))
            if copies <= 0:
                continue
            keep = 1 - min(1.0, copies * terms.face_fen / room)
            for i in lines:
                rest[i] *= keep
        else:
            for _ in range(n):
                room = sum([rest[i] for i in lines])
                off = min(room * terms.rate_bps / 10_000, NO_LIMIT if terms.cap_fen is None else terms.cap_fen)
                if off < len(lines):
                    break
                copies, keep = copies + 1, 1 - off / room
                for i in lines:
                    rest[i] *= keep
            if not copies:
                continue
        limit = NO_LIMIT if terms.max_per_order is None else terms.max_per_order
        before = deals.get(terms.deal, (0, NO_LIMIT))
        deals[terms.deal] = (before[0] + copies, min(before[1], limit))
        if deals[terms.deal][0] > deals[terms.deal][1]:
            return math.inf, {}
        total, kept[id(offer)] = total + offer.pools[0].cost_fen[copies], copies
    return sum(rest) + total, kept
