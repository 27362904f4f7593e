"""
Cash vouchers, last: thresholds and room are known now, and what is left is a knapsack (Dantzig 1957 bounds it).

Where all of them touch the same lines and no discount follows, what matters of the choices so far is the sum of their
faces; a dearer way to the same sum is not followed again.
"""

import math

from vouchers.plan.bounds import Frame
from vouchers.plan.found import Found, Units
from vouchers.plan.model import Kind
from vouchers.plan.pricing import take_all
from vouchers.plan.wallet import Count, Offer, Pool, Wallet, is_entitlement

TIE_SHARE = 5  # a fifth of the nodes goes to later levels once nothing can cost less


class Spending:
    """What every stage shares, and the last one. ``counts`` is what is decided, by offer."""

    frame: Frame
    root: float  # of the run: no plan of it has a key below

    def __init__(self, wallet: Wallet, node_budget: int):
        self.wallet, self.node_budget, self.budget, self.nodes = wallet, node_budget, node_budget, 0
        self.big = wallet.total_fen + 1
        self.scale = self.big + 1
        refunds = sum(use.refund_fen for offer in wallet.offers for v in offer.vouchers for use in v.uses)
        self.n_forced = sum(v.id in wallet.forced for offer in wallet.offers for v in offer.vouchers)
        # One forced voucher left out costs more than any plan without it.
        self.forced_key = (wallet.total_fen + refunds + 1) * self.big
        total = wallet.total_fen
        self.best = Found(total * self.scale, [], list(wallet.quantity), 0, [], [], total, 0, [])
        self.lowest = math.inf  # the least bound of what was left unexplored
        self.counts: dict[int, Count] = {}
        self.pools: dict[int, Pool | None] = {}
        self.own: dict[int, float] = {}  # of what an offer is worth beyond prices, what its pool could reach
        self.fills: list[tuple[Offer, Units]] = []
        self.classes: list[list[int]] = []
        self.free: list[int] = []
        self.card_uses: list[int] = []
        self.on_top = 0
        self.in_deal: dict[str, list[tuple[int, int | None]]] = {}  # of each deal: vouchers counted, their limit

    def _is_hopeless(self, lower: float) -> bool:
        """Whether a branch with this bound holds nothing better on levels 1 and 2, nor equal there."""
        if lower >= self.best.key + 0.5:
            return True
        return not self.n_forced and math.ceil(lower / self.scale - 1e-6) * self.big > self.best.key

    def _is_over(self) -> bool:
        return self.nodes >= self.budget

    def _fits(self, offer: Offer, charged: int) -> bool:
        """Whether the order may hold so many more vouchers of the deal."""
        deal = self.in_deal.setdefault(offer.terms.deal, [])
        limits = [limit for limit in (offer.terms.max_per_order, *(limit for _, limit in deal)) if limit is not None]
        return not charged or not limits or charged + sum(n for n, _ in deal) <= min(limits)

    def _take(self, offer: Offer, pool: Pool, n: int) -> None:
        if n:
            self.counts[id(offer)] = (offer, pool, n)
            charged = 0 if pool.charge else n  # an opened card has been counted
            self.in_deal.setdefault(offer.terms.deal, []).append((charged, offer.terms.max_per_order))

    def _put_back(self, offer: Offer, n: int) -> None:
        if n:
            del self.counts[id(offer)]
            self.in_deal[offer.terms.deal].pop()

    def _spend(self) -> None:
        """Work out what is uncovered, and go on where every threshold so far is reached."""
        wallet, cards = self.wallet, self.frame.cards
        self.uncovered = list(wallet.quantity)
        for lines, free in zip(self.classes, self.free, strict=True):
            covered = sum(wallet.quantity[i] for i in lines) - free
            for i in lines:
                self.uncovered[i] -= (n := min(covered, wallet.quantity[i]))
                covered -= n
        self.left = [fen * n for fen, n in zip(wallet.unit_fen, self.uncovered, strict=True)]
        for offer, n in zip(cards, self.card_uses, strict=True):
            if n and (pool := self.pools[id(offer)]):
                self.counts[id(offer)] = (offer, pool, n)
        if all(self._reaches(offer) for offer, _, _ in self.counts.values()) and self._gather():
            weights = zip(self.frame.weight, self.left, strict=True)
            due = max(0.0, sum(weight * fen for weight, fen in weights) - self.frame.constant) + self.on_top
            lower = due * self.scale + sum(pool.refund_fen[n] for _, pool, n in self.counts.values()) * self.big
            if self.n_forced:
                forced = sum(min(pool.forced, n) for _, pool, n in self.counts.values())
                lower -= self.forced_key * (forced + sum(pool.forced for *_, pool, _ in self.cash))
            self.sums: dict[tuple[int, int], int] = {}
            self._spend_on(0, lower, 0, 0)
        for offer in cards:
            self.counts.pop(id(offer), None)

    def _gather(self) -> bool:
        """The cash vouchers that could take something now, the best per fen first; false if one to be used cannot."""
        self.cash: list[tuple[float, int, float, Offer, Pool, int]] = []  # density, place, worth, offer, pool, room
        for offer in self.frame.cash:
            if (pool := self.pools[id(offer)]) is None:
                continue
            room = sum(self.left[i] for i in offer.lines)
            if room and self._reaches(offer):
                worth = max(self.frame.weight[i] for i in offer.lines) * self.scale
                density = worth - pool.refund_fen[1] * self.big / min(offer.terms.face_fen, room)
                self.cash.append((density, len(self.cash), worth, offer, pool, room))
            elif offer.is_partial:
                return False
        self.cash.sort(key=lambda cash: (-cash[0], cash[1]))
        one_scope = len({offer.lines for _, _, _, offer, _, _ in self.cash}) == 1
        self.is_sum = one_scope and not any(o.terms.kind == Kind.DISCOUNT for o, _, _ in self.counts.values())
        return True

    def _reaches(self, offer: Offer) -> bool:
        spend = offer.terms.min_spend_fen
        return not spend or sum(self.left[i] for i in offer.lines) >= spend

    def _spend_on(self, place: int, lower: float, faces: int, refund: int) -> None:
        """How many of the cash voucher at ``place``; what they take off is not in ``lower`` but in ``_room``."""
        if place == len(self.cash):
            self._price()
            return
        if self.is_sum:
            state = (place, faces)
            if self.sums.get(state, refund) < refund:
                return
            self.sums[state] = refund
        _, _, _, offer, pool, room = self.cash[place]
        face = offer.terms.face_fen
        branches = []
        for n in range(min(len(pool.uses), -(-room // face)), -1, -1):
            if not (self._fits(offer, n) if n else not offer.is_partial):
                continue
            self._take(offer, pool, n)
            below = lower + pool.refund_fen[n] * self.big + self.forced_key * max(0, pool.forced - n)
            branches.append((below - self._room(place + 1), n, below))
            self._put_back(offer, n)
        branches.sort(key=lambda branch: (branch[0], -branch[1]))
        for least, n, below in branches:
            if self._is_hopeless(least) or self._is_over():
                return
            self.nodes += 1
            self._take(offer, pool, n)
            self._spend_on(place + 1, below, faces + n * face, refund + pool.refund_fen[n])
            self._put_back(offer, n)

    def _room(self, place: int) -> float:
        """The most that the decided cash vouchers take and the others could save: greedy by worth per fen."""
        runs: list[tuple[float, int, int]] = []
        for at, (_, _, worth, offer, pool, room) in enumerate(self.cash):
            face = offer.terms.face_fen
            if at < place:
                if id(offer) in self.counts:
                    runs.append((worth, face * self.counts[id(offer)][2], at))
                continue
            limit = offer.limit
            for refund, n in pool.runs:
                n = n if limit is None else min(n, limit)
                limit = None if limit is None else limit - n
                density = worth - refund * self.big / min(face, room)
                if density <= 0 or not n:
                    break
                runs.append((density, face * n, at))
        runs.sort(reverse=True)
        value, everywhere = 0.0, sum(self.left)
        of_scope: dict[tuple[int, ...], int] = {}
        for density, fen, at in runs:
            lines = self.cash[at][3].lines
            amount = min(fen, everywhere, of_scope.setdefault(lines, self.cash[at][5]))
            value += density * amount
            everywhere -= amount
            of_scope[lines] -= amount
        return value

    def _price(self) -> None:
        self.nodes += 1
        counts = sorted(self.counts.values(), key=lambda used: (used[0].terms.kind == Kind.DISCOUNT, used[0].terms.id))
        left = list(self.left)
        taken = take_all([(offer, n) for offer, _, n in counts if not is_entitlement(offer)], left)
        if taken is None:
            return
        refund = sum(pool.refund_fen[n] for _, pool, n in counts)
        due = sum(left) + self.on_top
        key = due * self.scale + refund * self.big
        if self.n_forced:
            key -= self.forced_key * sum(min(pool.forced, n) for _, pool, n in counts)
        if key <= self.best.key:
            found = Found(key, counts, self.uncovered, self.on_top, list(self.fills), self.classes, due, refund, taken)
            if found.is_before(self.best):
                least = -self.forced_key if self.n_forced else math.ceil(self.root / self.scale - 1e-6)
                if found.key < self.best.key and least * self.big + due >= key:
                    # Nothing in this run costs less; for what may be better on a later level less is spent.
                    self.budget = min(self.budget, self.nodes + self.node_budget // TIE_SHARE)
                self.best = found
