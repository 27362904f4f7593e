"""
Which units packages and cards cover, once money is decided: packages use by use, then cards class by class.

Lines that are alike are one class. Each package that is decided changes the prices of the rest, so the relaxation is
solved afresh then; its own choice of cards is priced, too, and mostly ends the matter. The same uses and units reached
another way are not followed again.
"""

import math
from collections.abc import Sequence
from itertools import combinations

from vouchers.plan.cards import Cards
from vouchers.plan.choices import HEAVY, Choices
from vouchers.plan.found import Units
from vouchers.plan.leaf import Leaf
from vouchers.plan.wallet import Offer, Pool, is_entitlement

Fill = tuple[float, Units, int]  # value beyond prices, units, fen on top


class Covering(Choices):
    """The stage before the last."""

    def _sort_lines(self) -> None:
        """Sort the lines into classes of alike ones, by what is used."""
        frame, wallet = self.frame, self.wallet
        used = [offer for offer, _, _ in self.counts.values() if not is_entitlement(offer)]
        look = tuple(sorted(offer.terms.id for offer in used))
        if look == self.look:
            return
        self.look = look
        scopes = [set(offer.lines) for offer in used]
        by_look: dict[tuple[object, ...], list[int]] = {}
        for i, base in enumerate(wallet.looks):
            by_look.setdefault((base, *(i in scope for scope in scopes)), []).append(i)
        self.classes = sorted(by_look.values(), key=lambda lines: -frame.price[lines[0]])
        self.demanding = [offer for offer in used if offer.terms.min_spend_fen]
        self.demands_on = [
            [(at, wallet.unit_fen[lines[0]]) for at, offer in enumerate(self.demanding) if lines[0] in offer.lines]
            for lines in self.classes
        ]
        self.fills_of: dict[int, list[Fill]] = {}

    def _start_cover(self) -> None:
        self._sort_lines()
        wallet = self.wallet
        self.free = [sum([wallet.quantity[i] for i in lines]) for lines in self.classes]
        self.card_uses = [0] * len(self.frame.cards)
        self.card_limits = [
            0 if (p := self.pools[id(o)]) is None else min(o.reach, len(p.uses)) for o in self.frame.cards
        ]

    def _fills(self, offer: Offer) -> list[Fill]:
        """Every way one use can cover units, by class, with what that is worth."""
        ways: dict[tuple[int, ...], Fill] = {(): (0.0, (), 0)}
        for choice in offer.terms.choices:
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
        self, ways: dict[tuple[int, ...], Fill], row: dict[int, float], covers: tuple[int | None, ...]
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
            self.nodes += HEAVY
        if self._is_hopeless(leaf.lower) or self._is_over(leaf.lower):
            return
        if place == len(packages):
            self._cover_cards(leaf)
            return
        offer = packages[place]
        pool = self.pools[id(offer)]
        assert pool
        n_nodes = sum([len(o.terms.choices) for o in packages[place:] if self.pools[id(o)]])
        own = range(len(leaf.solved.rent) - n_nodes, len(leaf.solved.rent) - n_nodes + len(offer.terms.choices))
        is_idle = not pool.forced and not any(leaf.solved.held[at] or leaf.solved.rent[at] for at in own)
        lower = leaf.lower + sum([leaf.solved.rent[at] * leaf.program[1][at] for at in own])
        lower += pool.forced * self.wallet.forced_fen * self.big
        hint = min(
            [
                sum(leaf.solved.held[at].values()) / (c.choose * c.items[0].count)
                for at, c in zip(own, offer.terms.choices, strict=True)
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
        pools = [self.pools[id(offer)] for offer in frame.cards]
        undecided = [offer for offer in frame.packages[place:] if self.pools[id(offer)]]
        key = (*map(id, pools), -1, *map(id, undecided))
        if key not in frame.programs:
            options, room, nodes = frame.nodes(pools)
            frame.programs[key] = (*frame.with_packages(options, room, undecided)[:2], nodes)
        fixed = frame.due + self.on_top * self.scale
        quantity = self._uncovered()
        for w, fen, n, of in zip(frame.weight, wallet.unit_fen, quantity, wallet.quantity, strict=True):
            fixed -= w * fen * (of - n) * self.scale
        fixed += sum([pool.cost_fen[n] for _, pool, n in self.counts.values()]) * big
        # Packages cost their least refund there; the forced ones of them count as used.
        fixed -= sum([pool.forced for offer in undecided if (pool := self.pools[id(offer)])]) * wallet.forced_fen * big
        money: list[tuple[Offer, int | None]] = [
            (offer, n) for offer, _, n in self.counts.values() if not is_entitlement(offer)
        ]
        return Leaf(frame, quantity, frame.programs[key], money, fixed, self._is_hopeless)

    def _cover_cards(self, leaf: Leaf) -> None:
        self._adopt(leaf)
        if self._is_hopeless(leaf.lower):
            return
        price, floors = leaf.price, leaf.floors()
        rows = {id(offer): dict(self.frame.rows[id(offer)]) for offer in self.frame.cards}
        self.best_card = [
            max(
                [rows[id(o)][i] - price[i] for i, fen in enumerate(o.card_row or ()) if fen and leaf.quantity[i]],
                default=0.0,
            )
            for o in self.frame.cards
        ]
        self.card_most = [
            max([best * m - cost * self.big for m, cost in enumerate(pool.cost_fen[: limit + 1])])
            if (pool := self.pools[id(o)])
            else 0.0
            for o, best, limit in zip(self.frame.cards, self.best_card, self.card_limits, strict=True)
        ]
        self.options = []
        # The bound afresh from the prices, so that it is the sum that choices fall short of.
        lower = (
            leaf.lower
            + sum([rent * n for rent, n in zip(leaf.solved.rent, leaf.program[1], strict=True)])
            - sum(self.card_most)
        )
        for lines in self.classes:
            line = lines[0]
            options = [
                (max(0.0, best + price[line] - rows[id(offer)][line]), at, (offer.card_row or ())[line] or 0)
                for at, (offer, best) in enumerate(zip(self.frame.cards, self.best_card, strict=True))
                if (offer.card_row or ())[line] and self.card_limits[at]
            ]
            options.append((max(0.0, price[line] - floors[line]), -1, 0))
            options.sort()
            self.options.append(options)
        # What packages left beyond the thresholds.
        self.spare = [-offer.terms.min_spend_fen for offer in self.demanding]
        for demands, free in zip(self.demands_on, self.free, strict=True):
            for which, fen in demands:
                self.spare[which] += fen * free
        self.seen: dict[tuple[object, ...], float] = {}
        if all(spare >= 0 for spare in self.spare):
            self._cover_class(0, lower)

    def _adopt(self, leaf: Leaf) -> None:
        """Price the relaxation's own choice, and the last one that left enough uncovered."""
        self._adopt_cards(leaf, leaf.solved)
        if leaf.safe is not None and leaf.safe is not leaf.solved:
            self._adopt_cards(leaf, leaf.safe)

    def _adopt_cards(self, leaf: Leaf, solved: Cards) -> None:
        frame, class_of = self.frame, {i: at for at, lines in enumerate(self.classes) for i in lines}
        place = {id(offer): at for at, offer in enumerate(frame.cards)}
        free, on_top, n_fills, uses = list(self.free), self.on_top, len(self.fills), [0] * len(frame.cards)
        for offer, units in frame.cover_of(solved, leaf.program[2]):
            uses[place[id(offer)]] += 1
            for i, fen in units:
                self.free[class_of[i]] -= 1
                self.on_top += self.wallet.unit_fen[i] - fen
                self.fills.append((offer, ((class_of[i], fen),)))
        self._count_cards(uses)
        self.free, self.on_top = free, on_top
        del self.fills[n_fills:]

    def _count_cards(self, uses: list[int]) -> None:
        """Price what was chosen with so many uses of each card."""
        taken, is_within = [], True
        for n, offer in zip(uses, self.frame.cards, strict=True):
            if n and (pool := self.pools[id(offer)]):
                is_within = is_within and (bool(pool.charge) or self._fits(offer, n))
                self._take(offer, pool, n)
                taken.append((offer, n))
        if is_within:
            self._price()
        for offer, n in reversed(taken):
            self._put_back(offer, n)

    def _cover_class(self, at: int, lower: float) -> None:
        """Which cards cover units of the class, or none."""
        if at == len(self.classes):
            self._finish(lower)
            return
        state = (at, tuple(self.card_uses), tuple(self.free[:at]))
        if self.seen.get(state, math.inf) <= lower + 1e-6:
            return
        self.seen[state] = lower
        self._cover_units(at, 0, self.free[at], lower)

    def _cover_units(self, at: int, option: int, wanted: int, lower: float) -> None:
        if not wanted:
            self._cover_class(at + 1, lower)
            return
        options = self.options[at]
        if option == len(options) or self._is_over(lower):
            return
        self.nodes += 1
        short, card, covers = options[option]
        on_top = self.wallet.unit_fen[self.classes[at][0]] - covers if covers else 0
        most = wanted if card < 0 else min(wanted, self.card_limits[card] - self.card_uses[card])
        for n in range(most, -1, -1):
            if self._is_hopeless(lower + short * n):
                continue
            if card < 0:
                self._cover_units(at, option + 1, wanted - n, lower + short * n)
                continue
            demands = self.demands_on[at] if n else ()
            if any(self.spare[which] < fen * n for which, fen in demands):
                continue
            for which, fen in demands:
                self.spare[which] -= fen * n
            self.card_uses[card] += n
            self.free[at] -= n
            self.on_top += on_top * n
            self.fills += [(self.frame.cards[card], ((at, covers),))] * n
            self._cover_units(at, option + 1, wanted - n, lower + short * n)
            if n:
                del self.fills[-n:]
            for which, fen in demands:
                self.spare[which] += fen * n
            self.on_top -= on_top * n
            self.free[at] += n
            self.card_uses[card] -= n

    def _finish(self, lower: float) -> None:
        """Count the cards' uses and price what was chosen."""
        for at, (n, offer) in enumerate(zip(self.card_uses, self.frame.cards, strict=True)):
            if pool := self.pools[id(offer)]:
                lower += self.card_most[at] - n * self.best_card[at] + pool.cost_fen[n] * self.big
        if not self._is_hopeless(lower):
            self._count_cards(self.card_uses)
