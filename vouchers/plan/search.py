"""
The search: branch and bound (Land & Doig 1960) over how many of each, then which units.

One run for every stacking group. In it, in this order: how many of each discount; which cards are opened and whether
each cash voucher that touches part of the cart is used at all; which units packages and cards cover (covering.py); how
many cash vouchers (spending.py), because only then are thresholds and room known. ``lower`` is the bound's value at the
run's root plus what the decisions so far fall short of the dual's prices (bounds.py); a branch ends where that
proves that nothing in it is better than the best plan so far. What is left then is priced to the fen.
"""

import math

from vouchers.plan.bounds import Frame, beyond
from vouchers.plan.covering import Covering
from vouchers.plan.model import Kind


class Search(Covering):
    """One search over one wallet; ``best`` is the plan that applies nothing until something better is found."""

    def run(self) -> None:
        groups = sorted({offer.terms.stacking_group for offer in self.wallet.offers} - {""}) or [""]
        frame: Frame | None = None
        runs: list[tuple[float, str]] = []
        for group in groups:
            self._enter(group)
            frame = self._frame(0, frame)
            runs.append((self._lower(0, frame), group))
        for lower, group in sorted(runs):
            if self._is_hopeless(lower):
                break
            self._enter(group)
            frame = self._frame(0, None)
            self.root, self.budget = self._lower(0, frame), self.node_budget
            self._decide_discounts(0, frame)
            if self._is_over():
                self.lowest = min(self.lowest, self.root)

    def bound_fen(self) -> int:
        """No plan with as many forced vouchers costs less, explored or not."""
        lowest = self.lowest
        if not self.n_forced:
            return max(0, math.ceil(lowest / self.scale - 1e-6))
        key = self.best.due_fen * self.scale + self.best.refund_fen * self.big
        return max(0, math.ceil((lowest + key - self.best.key - self.wallet.total_fen) / self.big - 1e-6))

    def _enter(self, group: str) -> None:
        allowed = [offer for offer in self.wallet.offers if offer.terms.stacking_group in ("", group)]
        self.discounts = [offer for offer in allowed if offer.terms.kind == Kind.DISCOUNT]
        self.discounts.sort(key=lambda offer: (offer.pools[0].refund_fen[1], -offer.terms.rate_bps))
        self.others = [offer for offer in allowed if offer.terms.kind != Kind.DISCOUNT]
        self.counts = {}

    def _frame(self, place: int, above: Frame | None) -> Frame:
        """The relaxation with the discounts decided so far, and all free ones of those still to be decided."""
        assumed = []
        for at, offer in enumerate(self.discounts):
            free = sum(not use.refund_fen for _, use in offer.pools[0].uses)
            most = free if offer.limit is None else min(free, offer.limit)
            n = self.counts[id(offer)][2] if id(offer) in self.counts else 0 if at < place else most
            assumed.append((offer, n))
        if above is not None and assumed == above.assumed:
            return above
        return Frame(self.wallet, self.big, assumed, self.others, above)

    def _lower(self, place: int, frame: Frame) -> float:
        """No plan with these discounts has a key below this."""
        lower = frame.due - frame.upper - self.forced_key * self.n_forced
        for at, offer in enumerate(self.discounts):
            _, pool, n = self.counts.get(id(offer), (offer, offer.pools[0], 0))
            lower += pool.refund_fen[n] * self.big
            if at < place:
                lower += self.forced_key * max(0, pool.forced - n)
                continue
            paid = [run for run in pool.runs if run[0]]
            lower -= beyond(frame.another(offer) * self.scale, paid, self.big, offer.limit)
        return lower

    def _decide_discounts(self, place: int, frame: Frame) -> None:
        if place == len(self.discounts):
            self.frame = frame
            if place and not frame.is_improved and (frame.cards or frame.cash):
                frame.improve()
            self.look = None
            self._open(0, self._lower(place, frame))
            return
        offer = self.discounts[place]
        branches: list[tuple[float, int, Frame]] = []
        pool = offer.pools[0]
        for n in range(len(pool.uses), -1, -1):
            if n and not self._fits(offer, n):
                continue
            self._take(offer, pool, n)
            below = self._frame(place + 1, frame)
            branches.append((self._lower(place + 1, below), -n, below))
            self._put_back(offer, n)
        branches.sort(key=lambda branch: branch[:2])
        for lower, negative, below in branches:
            if self._is_hopeless(lower) or self._is_over():
                return
            self.nodes += 1
            self._take(offer, pool, -negative)
            self._decide_discounts(place + 1, below)
            self._put_back(offer, -negative)

    def _open(self, place: int, lower: float) -> None:
        """Which cards are opened, where not all may be; whether each cash voucher on part of the cart is used."""
        while place < len(self.others):
            offer = self.others[place]
            if len(offer.pools) > 1 or offer.is_partial or (offer.shares_its_deal and offer.pools[0].charge):
                break
            self.pools[id(offer)], self.own[id(offer)] = offer.pools[0], self.frame.most[id(offer)]
            place += 1
        else:
            self._cover(lower)
            return
        most, best = self.frame.most[id(offer)], self.frame.best[id(offer)]
        is_hinted = not self.frame.used or (
            any(used is offer and amount > 0.01 for used, _, amount in self.frame.used)
            and sum(self.frame.hint_left[i] for i in offer.lines) >= offer.terms.min_spend_fen
        )
        for pool in (*offer.pools, None) if is_hinted else (None, *offer.pools):
            if pool is None:
                short = most
            elif offer.is_partial:
                short = max(0.0, pool.runs[0][0] * self.big - best)
            else:
                short = most - beyond(best, pool.runs, self.big, None)
            charge = pool.charge if pool else 0
            if self._is_hopeless(lower + short) or self._is_over() or not self._fits(offer, charge):
                continue
            self.nodes += 1
            self.pools[id(offer)], self.own[id(offer)] = pool, 0.0 if pool is None else most - short
            deal = self.in_deal.setdefault(offer.terms.deal, [])
            deal.append((charge, offer.terms.max_per_order if charge else None))
            self._open(place + 1, lower + short)
            deal.pop()
