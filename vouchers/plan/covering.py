"""
Which units packages and cards cover, once money is decided: packages use by use, then cards.

Each package that is decided changes the prices of the rest, so the relaxation is solved afresh then; its own choice of
cards is priced, too, and mostly ends the matter. Where it cheats on a threshold by mixing two choices, the uses of a
card or the units left of a line in which they differ are bounded, and it is solved again.
"""

from collections.abc import Sequence
from itertools import combinations

from vouchers.plan.bounds import Fill
from vouchers.plan.by_class import Bounds, ByClass
from vouchers.plan.leaf import Leaf
from vouchers.plan.model import Kind
from vouchers.plan.wallet import Offer, Pool


class Covering(ByClass):
    """The stage before the last."""

    def _fills(self, offer: Offer) -> list[Fill]:
        """Every way one use can cover units, by class, with what that is worth."""
        ways: dict[tuple[int, ...], Fill] = {(): (0.0, (), 0)}
        for choice in offer.choices:
            then: dict[tuple[int, ...], Fill] = {}
            for items in combinations(choice.items, choice.choose):
                now = ways
                for item in items:
                    covers = next(covers for of, covers in offer.items if of is item)
                    for _ in range(item.count):
                        now = self._one_more(now, dict(self.frame.rows[id(item)]), covers)
                for units, fill in now.items():
                    if units not in then or then[units][0] < fill[0]:
                        then[units] = fill
            ways = then
        return [fill for fill in ways.values() if any(fen for _, fen in fill[1])]

    def _priced(self, offer: Offer, price: Sequence[float]) -> list[Fill]:
        """Its fills with what they are worth beyond the prices, the best first."""
        if id(offer) not in self.fills_of:
            self.fills_of[id(offer)] = self._fills(offer)
        of_class = [price[lines[0]] for lines in self.classes]
        fills = [
            (value - sum([of_class[c] for c, _ in units]), units, on_top)
            for value, units, on_top in self.fills_of[id(offer)]
        ]
        fills.sort(key=lambda fill: (-fill[0], fill[1]))
        return fills

    def _one_more(
        self, ways: dict[tuple[int, ...], Fill], row: dict[int, float], covers: Sequence[int | None]
    ) -> dict[tuple[int, ...], Fill]:
        more: dict[tuple[int, ...], Fill] = {}
        for at, lines in enumerate(self.classes):
            fen = covers[lines[0]]
            if fen is None:
                continue
            size = sum([self.wallet.quantity[i] for i in lines])
            beyond = row[lines[0]]
            on_top = self.wallet.unit_fen[lines[0]] - fen
            for units, (value, taken, top) in ways.items():
                if units.count(at) == size:
                    continue
                key = tuple(sorted((*units, at)))
                if key not in more or more[key][0] < value + beyond:
                    more[key] = (value + beyond, tuple(sorted((*taken, (at, fen)))), top + on_top)
        return more

    def _cover_packages(self, place: int, leaf: Leaf | None = None) -> None:
        """Go on with the package at ``place``, bounded afresh where what was decided changes the prices."""
        packages = self.frame.packages
        while place < len(packages) and self.pools[id(packages[place])] is None:
            place += 1
        if leaf is None:
            leaf = self._leaf(place)
        if self._is_hopeless(leaf.lower) or self._is_over(leaf.lower):
            return
        if place == len(packages):
            self._cover_cards(leaf)
            return
        offer = packages[place]
        pool = self.pools[id(offer)]
        assert pool
        n_nodes = sum([len(o.choices) for o in packages[place:] if self.pools[id(o)]])
        own = range(len(leaf.solved.rent) - n_nodes, len(leaf.solved.rent) - n_nodes + len(offer.choices))
        is_idle = not pool.forced and not any(leaf.solved.held[at] or leaf.solved.rent[at] for at in own)
        lower = leaf.lower + sum([leaf.solved.rent[at] * leaf.program[1][at] for at in own])
        lower += pool.forced * self.wallet.forced_fen * self.big
        hint = min(
            [
                sum(leaf.solved.held[at].values()) / (c.choose * c.items[0].count)
                for at, c in zip(own, offer.choices, strict=True)
            ]
        )
        self._fill(place, 0, 0, offer, pool, lower, self._priced(offer, leaf.price), hint, leaf if is_idle else None)

    def _fill(
        self,
        place: int,
        start: int,
        n: int,
        offer: Offer,
        pool: Pool,
        lower: float,
        options: list[Fill],
        hint: float,
        idle: Leaf | None,
    ) -> None:
        """Give one more use of the package its units, or go on with ``n``; ``lower`` is for no more of them."""
        big, cost = self.big, pool.cost_fen
        branches = [(n + 0.4 < hint, lower, -1, lower)]
        if n < min(offer.reach, len(pool.uses)) and (pool.charge or self._fits(offer, n + 1)):
            last = min(offer.reach, len(pool.uses))
            for at in range(start, len(options)):
                value = options[at][0]
                then = lower - value + (cost[n + 1] - cost[n]) * big
                rest = max([value * (m - n - 1) - (cost[m] - cost[n + 1]) * big for m in range(n + 1, last + 1)])
                if self._is_hopeless(then - rest):
                    break
                branches.append((n + 0.4 >= hint, then, at, then - rest))
        branches.sort()
        for _, then, at, least in branches:
            if self._is_hopeless(least) or self._is_over(least):
                continue
            self.nodes += 1
            if at < 0:
                if self._is_hopeless(then):
                    continue
                self._take(offer, pool, n)
                self._cover_packages(place + 1, None if n else idle)
                self._put_back(offer, n)
                continue
            _, units, on_top = options[at]
            for c, _ in units:
                self.free[c] -= 1
            if all(self.free[c] >= 0 for c, _ in units):
                self.fills.append((offer, units))
                self.on_top += on_top
                self._fill(place, at, n + 1, offer, pool, then, options, hint, None)
                self.on_top -= on_top
                self.fills.pop()
            for c, _ in units:
                self.free[c] += 1

    def _leaf(self, place: int) -> Leaf:
        """The relaxation of what is left once the packages before ``place`` are decided, with prices of its own."""
        frame, wallet, big = self.frame, self.wallet, self.big
        undecided = [offer for offer in frame.packages[place:] if self.pools[id(offer)]]
        key = self._program_key(place)
        if key not in frame.programs:
            options, room, nodes = frame.nodes([self.pools[id(offer)] for offer in frame.cards], self.card_bounds)
            frame.programs[key] = (*frame.with_packages(options, room, undecided)[:2], nodes)
        fixed = frame.due + self.on_top * self.scale + frame.must * sum([least for least, _ in self.card_bounds])
        quantity = self._uncovered()
        for w, fen, n, of in zip(frame.weight, wallet.unit_fen, quantity, wallet.quantity, strict=True):
            fixed -= w * fen * (of - n) * self.scale
        # Of a cash voucher the cost is counted where its number is chosen.
        fixed += sum([p.cost_fen[n] for o, p, n in self.counts.values() if o.terms.kind != Kind.CASH]) * big
        # Packages cost their least refund there; the forced ones of them count as used.
        fixed -= sum([pool.forced for offer in undecided if (pool := self.pools[id(offer)])]) * wallet.forced_fen * big
        money = [(offer, *self.cash_bounds[id(offer)]) for offer in frame.cash]
        money += [(offer, 1, 1) for offer, _, _ in self.counts.values() if offer.terms.kind == Kind.DISCOUNT]
        leaf = Leaf(frame, quantity, frame.programs[key], money, fixed, self._is_hopeless, self.left_bounds)
        leaf.key = key
        self.nodes += 4 + leaf.effort
        return leaf

    def _program_key(self, place: int) -> tuple[object, ...]:
        offers = (*self.frame.cards, *self.frame.packages[place:])
        return (*[id(self.pools[id(offer)]) for offer in offers], *self.card_bounds)

    def _cover_cards(self, leaf: Leaf) -> None:
        """Halve the uses of the card on which the two choices of the relaxation differ most; without any, by units."""
        self._adopt(leaf)
        if self._is_hopeless(leaf.lower):
            return
        bounds, at, values = self._disputed(leaf, self.card_bounds)
        if not values:
            self._cover_by_class(leaf)
            return
        kept = bounds[at]
        parts = []
        for value in values:
            bounds[at] = value
            parts.append((self._leaf(len(self.frame.packages)), value))
        parts.sort(key=lambda part: part[0].lower)
        for part, value in parts:
            if self._is_hopeless(part.lower) or self._is_over(part.lower):
                continue
            bounds[at] = value
            self._cover_cards(part)
        bounds[at] = kept

    def _disputed(self, leaf: Leaf, bounds: Bounds) -> tuple[Bounds, int, list[tuple[int, int]]]:
        """
        On what the relaxation's two choices, the one that leaves enough and the one that does not, differ most.

        Uses of a card if they do, else units of a line left; with the parts into which it falls.
        """
        if leaf.safe is None or leaf.short is None:
            return bounds, -1, []
        uses: list[dict[int, int]] = [{}, {}]
        for of, solved in zip(uses, (leaf.safe, leaf.short), strict=True):
            for offer, held in zip(leaf.program[2], solved.held, strict=False):
                of[id(offer)] = of.get(id(offer), 0) + sum(held.values())
        most, where, values = 0, -1, []
        for at, (offer, (least, limit)) in enumerate(zip(self.frame.cards, bounds, strict=True)):
            few, many = sorted(of.get(id(offer), 0) for of in uses)
            if least <= few < many <= limit and many - few > most:
                half = (few + many - 1) // 2
                most, where, values = many - few, at, [(least, half), (half + 1, limit)]
        if values:
            return bounds, where, values
        few_left, many_left = ([*leaf.open], [*leaf.open])
        for left, solved in ((few_left, leaf.safe), (many_left, leaf.short)):
            for held in solved.held:
                for i, n in held.items():
                    left[i] -= n
        for lines in self.classes:
            i, differ = lines[0], abs(few_left[lines[0]] - many_left[lines[0]]) * self.wallet.unit_fen[lines[0]]
            if len(lines) == 1 and differ > most and not self.left_bounds[i][1]:
                most, where, least = differ, i, self.left_bounds[i][0]
                first = least + min(few_left[i], many_left[i])
                values = [*((n, True) for n in range(least, first + 1)), (first + 1, False)]
        return self.left_bounds, where, values
