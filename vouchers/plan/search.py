"""
The search: branch and bound (Land & Doig 1960) over how many of each, then which units.

One run for every stacking group. In it, in this order: how many of each discount, of each cash voucher, which cards are
opened, which units packages and cards cover. ``lower`` is the bound's value at the run's root plus what the decisions
so far fall short of the dual's prices (bounds.py). First only what costs less is looked for; then, with that proven,
what costs the same and is better on a later level.
"""

import math

from vouchers.plan.bounds import Frame
from vouchers.plan.choices import HEAVY
from vouchers.plan.guessing import Guessing
from vouchers.plan.leaf import Leaf
from vouchers.plan.model import Kind
from vouchers.plan.percents import Chain
from vouchers.plan.wallet import Offer

TIE_SHARE = 4  # a quarter of the nodes goes to later levels once nothing can cost less


class Search(Guessing):
    """One search over one wallet."""

    def run(self) -> None:
        groups = sorted({offer.terms.stacking_group for offer in self.wallet.offers} - {""}) or [""]
        runs: list[tuple[float, str]] = []
        for group in groups:
            self._enter(group)
            runs.append((self._lower(0, self._frame(0)) if self.others else self._alone({})[0], group))
        runs.sort()
        for self.is_proving in (True, False):
            if not self.is_proving:
                self.budget = self.nodes + self.node_budget // TIE_SHARE
            for lower, group in runs:
                if self._is_hopeless(lower):
                    break
                self._enter(group)
                if self.others:
                    self._decide_discounts(0, self._frame(0))
                else:
                    self._decide_alone({})
            if self.cut < math.inf and not self._is_hopeless(self.cut):
                self.lowest = self.cut if self.is_proving else math.inf
                return
            self.cut = math.inf
        self.is_settled = True

    def _enter(self, group: str) -> None:
        allowed = [offer for offer in self.wallet.offers if offer.terms.stacking_group in ("", group)]
        self.discounts = [offer for offer in allowed if offer.terms.kind == Kind.DISCOUNT]
        self.discounts.sort(key=lambda offer: (offer.pools[0].cost_fen[1], -offer.terms.rate_bps))
        self.by_id = sorted(self.discounts, key=lambda offer: offer.terms.id)
        self.others = [offer for offer in allowed if offer.terms.kind != Kind.DISCOUNT]
        self.group = group

    def _frame(self, place: int) -> Frame:
        """The relaxation with the discounts decided so far, and all free ones of those still to be decided."""
        assumed = []
        for at, offer in enumerate(self.discounts):
            n = self.counts[id(offer)][2] if id(offer) in self.counts else 0
            if at >= place:
                n = min(offer.reach, sum(not use.refund_fen for _, use in offer.pools[0].uses))
            assumed.append((offer, n))
        key = (self.group, *(n for _, n in assumed))
        if key not in self.frames:
            self.frames[key] = frame = Frame(self.wallet, self.big, assumed, self.others)
            beside = self._beside(place, frame)
            frame.solve(lambda lower: self._is_hopeless(lower + beside))
            self.nodes += HEAVY + frame.root.effort
        return self.frames[key]

    def _lower(self, place: int, frame: Frame) -> float:
        """No plan with these discounts has a key below this."""
        return frame.lower + self._beside(place, frame)

    def _beside(self, place: int, frame: Frame) -> float:
        """What the discounts cost, less what those that are not assumed could take."""
        lower = 0.0
        for at, (offer, n) in enumerate(frame.assumed):
            pool = offer.pools[0]
            lower += pool.cost_fen[n] * self.big
            if at >= place and n < offer.reach:
                another = frame.another(offer) * self.scale
                lower += min(
                    [
                        (pool.cost_fen[m] - pool.cost_fen[n]) * self.big - another * (m - n)
                        for m in range(n, offer.reach + 1)
                    ]
                )
        return lower

    def _decide_discounts(self, place: int, frame: Frame) -> None:
        if place == len(self.discounts):
            self._decide_cash_after(frame)
            return
        offer = self.discounts[place]
        branches: list[tuple[float, int, Frame]] = []
        pool = offer.pools[0]
        for n in range(offer.reach, -1, -1):
            if n and not self._fits(offer, n):
                continue
            self._take(offer, pool, n)
            below = self._frame(place + 1)
            branches.append((self._lower(place + 1, below), -n, below))
            self._put_back(offer, n)
        branches.sort(key=lambda branch: branch[:2])
        for lower, negative, below in branches:
            if self._is_hopeless(lower) or self._is_over(lower):
                return
            self.nodes += 1
            self._take(offer, pool, -negative)
            self._decide_discounts(place + 1, below)
            self._put_back(offer, -negative)

    # --- discounts alone -------------------------------------------------------------------------

    def _alone(self, decided: dict[int, int]) -> tuple[float, dict[int, list[tuple[float, int]]]]:
        """No plan with these discounts has a key below this; and of each other discount the numbers worth a look."""
        unit_fen, quantity = self.wallet.unit_fen, self.wallet.quantity
        whole = [float(fen * n) for fen, n in zip(unit_fen, quantity, strict=True)]
        above = Chain(list(whole), [(offer, decided.get(id(offer), offer.reach)) for offer in self.by_id])
        few = [(offer, decided.get(id(offer), offer.gratis)) for offer in self.by_id]
        below = Chain(whole, few)
        cost = sum([offer.pools[0].cost_fen[n] for offer, n in few])
        # From all of them down: each is paid for or missed; from the free ones up: each takes no more than here.
        missed: dict[int, list[float]] = {}
        for place, (offer, _, _, _) in enumerate(above.takes):
            if id(offer) not in decided:
                missed.setdefault(id(offer), []).append(above.missed(place))
        down, up = above.left_fen - above.slack + cost, below.left_fen - below.slack + cost
        open_: list[tuple[Offer, list[float], list[float]]] = []
        for (offer, gratis), off in zip(few, below.next_takes, strict=True):
            if id(offer) in decided:
                continue
            costs, without = offer.pools[0].cost_fen, missed.get(id(offer), [])
            downs = [costs[n] - costs[gratis] + sum(without[n:]) for n in range(offer.reach + 1)]
            ups = [
                costs[n] - costs[gratis] - off * (n - gratis) if n >= gratis else 0.0 for n in range(offer.reach + 1)
            ]
            down, up = down + min(downs), up + min(ups)
            open_.append((offer, downs, ups))
        due = max(0.0, above.left_fen - above.slack)
        worth: dict[int, list[tuple[float, int]]] = {}
        for offer, downs, ups in open_:
            lows = [
                (max(down + d - min(downs), up + u - min(ups)) * self.big + due, -n)
                for n, (d, u) in enumerate(zip(downs, ups, strict=True))
            ]
            worth[id(offer)] = sorted(low for low in lows if not self._is_hopeless(low[0]))
        return max(down, up) * self.big + due, worth

    def _decide_alone(self, decided: dict[int, int]) -> None:
        lower, worth = self._alone(decided)
        self.nodes += HEAVY
        if self._is_hopeless(lower) or not all(worth.values()) or self._is_over(lower):
            return
        self._take_alone({**decided, **{key: -lows[0][1] for key, lows in worth.items()}})
        worth = {
            key: lows
            for key, lows in (
                (key, [low for low in lows if not self._is_hopeless(low[0])]) for key, lows in worth.items()
            )
            if len(lows) > 1 or (lows and lows[0][1] and self.wallet.by_key[key].shares_its_deal)
        }
        if not worth:
            return
        key = max(
            worth,
            key=lambda key: (
                worth[key][0][0] if len(worth[key]) < 2 else worth[key][1][0],
                self.wallet.by_key[key].terms.id,
            ),
        )
        for low, negative in worth[key]:
            if not self._is_hopeless(low):
                self._decide_alone({**decided, key: -negative})

    def _take_alone(self, counts: dict[int, int]) -> None:
        """Price the cart with so many of each discount, where they fit."""
        taken = []
        for key, n in counts.items():
            offer = self.wallet.by_key[key]
            if not self._fits(offer, n):
                break
            self._take(offer, offer.pools[0], n)
            taken.append((offer, n))
        else:
            self.classes, self.free = [], []
            self._price()
        for offer, n in reversed(taken):
            self._put_back(offer, n)

    # --- cash vouchers, cards --------------------------------------------------------------------

    def _decide_cash_after(self, frame: Frame) -> None:
        self.frame = frame
        lower = self._lower(len(self.discounts), frame)
        self.cash = [(offer, frame.shortfalls(offer)) for offer in frame.cash]
        self.cash_shortfalls = {id(offer): shortfalls for offer, shortfalls in self.cash}
        if self.is_proving:
            self._guess()
        self.cash_bounds = {id(offer): (0, offer.reach) for offer in frame.cash}
        self.card_range = [(0, min(offer.reach, len(offer.widest.uses))) for offer in frame.cards]
        self.left_bounds = [(0, False) for _ in self.wallet.lines]
        self.grain = self._grain() or 1
        if not self._is_hopeless(lower):
            self._decide(self._relaxed(), lower)
        self.grain = 1

    def _relaxed(self) -> Leaf:
        """The relaxation with numbers within their bounds, whichever cards are opened."""
        for offer in (*self.frame.packages, *self.frame.cards):
            self.pools[id(offer)] = offer.widest
        self.fills, self.on_top = [], 0
        self._start_cover()
        return self._leaf(0)

    def _decide(self, leaf: Leaf, lower: float) -> None:
        """Branch where the relaxation cheats: a threshold missed, cards used in part; then on the rest."""
        if self._is_hopeless(max(leaf.lower, lower)) or self._is_over(max(leaf.lower, lower)):
            return
        at, is_missed = self._open_cash(leaf)
        bounds, place, values = self._disputed(leaf, self.card_range)
        if values and not is_missed and (at < 0 or bounds is self.card_range):
            kept = bounds[place]
            parts = []
            for value in values:
                bounds[place] = value
                parts.append((self._relaxed(), value))
            parts.sort(key=lambda part: part[0].lower)
            for again, bounds[place] in parts:
                self._decide(again, lower)
            bounds[place] = kept
        elif at >= 0:
            self._decide_cash(leaf, lower, at, is_missed=is_missed)
        elif any(least < most for _, _, _, least, most in leaf.cash):
            self._decide(self._relaxed(), lower)
        else:
            self._open(0, lower, leaf)

    def _decide_cash(self, leaf: Leaf, lower: float, at: int, *, is_missed: bool) -> None:
        offer = leaf.cash[at][0]
        least, most = kept = self.cash_bounds[id(offer)]
        wish, shortfalls = leaf.wish[at], self.cash_shortfalls[id(offer)]
        parts = [(0, 0), (1, most)] if is_missed else [(least, wish - 1), (wish, wish), (wish + 1, most)]
        below: list[tuple[float, int, int, Leaf, float]] = []
        for first, last in parts:
            if first > last:
                continue
            then = lower + min(shortfalls[first : last + 1]) - min(shortfalls[least : most + 1])
            if self._is_hopeless(max(then, leaf.lower + min([leaf.shortfall(at, n) for n in range(first, last + 1)]))):
                continue
            self.cash_bounds[id(offer)] = (first, last)
            again = leaf if first == last == wish and not is_missed else self._relaxed()
            below.append((again.lower, first, last, again, then))
        below.sort(key=lambda part: part[:2])
        for _, first, last, again, then in below:
            self.cash_bounds[id(offer)] = (first, last)
            if first < last:
                self._decide(again, then)
            elif not first or self._fits(offer, first):
                self._take(offer, offer.pools[0], first)
                self._decide(again, then)
                self._put_back(offer, first)
        self.cash_bounds[id(offer)] = kept

    def _open_cash(self, leaf: Leaf) -> tuple[int, bool]:
        """Which to decide next: where a threshold is missed most; then where another number costs most."""
        chosen, most, is_missed = -1, -1.0, False
        for at, (offer, _, _, least, _) in enumerate(leaf.cash):
            first, last = self.cash_bounds[id(offer)]
            if first == last:
                continue
            wish = leaf.wish[at]
            if not least and wish and (missing := leaf.missing(offer)) > 0:
                score, is_missed = 1e18 + missing, True
            else:
                score = min([leaf.shortfall(at, n) for n in range(first, last + 1) if n != wish])
            if score > most:
                chosen, most = at, score
        return chosen, is_missed

    def _open(self, place: int, lower: float, leaf: Leaf) -> None:
        """Which cards are opened, where not all may be."""
        others = (*self.frame.packages, *self.frame.cards)
        while place < len(others):
            offer = others[place]
            pools = offer.cheap if self.is_proving else offer.pools
            if len(pools) > 1 or (offer.shares_its_deal and offer.pools[0].charge):
                break
            # What is no use to any plan looked for is not in the relaxations below either.
            one = max(0.0, offer.least_cost * self.big - self.frame.best[id(offer)])
            self.pools[id(offer)] = None if self._is_hopeless(lower + one) else pools[0]
            place += 1
        else:
            if not self._is_hopeless(lower):
                self._start_cover()
                if all(least <= most for least, most in self.card_bounds):
                    self._cover_packages(0, leaf if leaf.key == self._program_key(0) else None)
            return
        for pool in (*pools, None):
            short = self.frame.most[id(offer)] - (0 if pool is None else self.frame.beyond(offer, pool))
            charge = pool.charge if pool else 0
            if self._is_hopeless(lower + short) or not self._fits(offer, charge) or self._is_over(lower + short):
                continue
            self.nodes += 1
            self.pools[id(offer)] = pool
            deal = self.in_deal.setdefault(offer.terms.deal, [])
            deal.append((charge, offer.terms.max_per_order if charge else None))
            self._open(place + 1, lower + short, leaf)
            deal.pop()
