"""
The last stage: which cards cover which units, class by class of alike lines, once all numbers are bounded.

The same uses and units reached another way are not followed again.
"""

import math

from vouchers.plan.cards import Cards
from vouchers.plan.choices import Choices
from vouchers.plan.leaf import Leaf
from vouchers.plan.wallet import is_entitlement

Bounds = list[tuple[int, int]]


class ByClass(Choices):
    """The last stage."""

    cash_bounds: dict[int, tuple[int, int]]  # of each cash voucher: the fewest and most
    card_range: Bounds  # the same of each card, whichever are opened
    card_bounds: Bounds
    left_bounds: Bounds  # of each line: the fewest units left, and whether no more may be

    def _sort_lines(self) -> None:
        """Sort the lines into classes of alike ones, by what is used."""
        frame, wallet = self.frame, self.wallet
        used = [offer for offer, _, _ in self.counts.values() if not is_entitlement(offer)]
        look = frozenset(offer.lines for offer in used)
        if look not in frame.classes:
            scopes = [set(lines) for lines in look]
            by_look: dict[tuple[object, ...], list[int]] = {}
            for i, base in enumerate(wallet.looks):
                by_look.setdefault((base, *[i in scope for scope in scopes]), []).append(i)
            frame.classes[look] = (sorted(by_look.values(), key=lambda lines: -frame.price[lines[0]]), {})
        if self.classes is not frame.classes[look][0]:
            self.classes, self.fills_of = frame.classes[look]

    def _start_cover(self) -> None:
        self._sort_lines()
        wallet = self.wallet
        self.free = [sum([wallet.quantity[i] for i in lines]) for lines in self.classes]
        self.card_uses = [0] * len(self.frame.cards)
        self.card_bounds = [
            (least, min(most, len(pool.uses)) if (pool := self.pools[id(offer)]) else 0)
            for offer, (least, most) in zip(self.frame.cards, self.card_range, strict=True)
        ]

    def _cover_by_class(self, leaf: Leaf) -> None:
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
            max([best * m - pool.cost_fen[m] * self.big for m in range(least, limit + 1)])
            if (pool := self.pools[id(o)])
            else 0.0
            for o, best, (least, limit) in zip(self.frame.cards, self.best_card, self.card_bounds, strict=True)
        ]
        self.options = []
        # The bound afresh from the prices, so that it is the sum that choices fall short of.
        lower = (
            leaf.lower
            + sum([rent * n for rent, n in zip(leaf.solved.rent, leaf.program[1], strict=True)])
            - sum(self.card_most)
            - self.frame.must * sum([least for least, _ in self.card_bounds])
        )
        for lines in self.classes:
            line = lines[0]
            options = [
                (max(0.0, best + price[line] - rows[id(offer)][line]), at, (offer.card_row or ())[line] or 0)
                for at, (offer, best) in enumerate(zip(self.frame.cards, self.best_card, strict=True))
                if (offer.card_row or ())[line] and self.card_bounds[at][1]
            ]
            options.append((max(0.0, price[line] - floors[line]), -1, 0))
            options.sort()
            self.options.append(options)
        # What packages left beyond the thresholds.
        used = [offer for offer, _, _ in self.counts.values() if not is_entitlement(offer)]
        self.demanding = [offer for offer in used if offer.terms.min_spend_fen]
        self.demands_on = [
            [(at, self.wallet.unit_fen[lines[0]]) for at, o in enumerate(self.demanding) if lines[0] in o.lines]
            for lines in self.classes
        ]
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
        self._cover_units(at, 0, self.free[at] - self.left_bounds[self.classes[at][0]][0], lower)

    def _cover_units(self, at: int, option: int, wanted: int, lower: float) -> None:
        if wanted <= 0:
            if not wanted:
                self._cover_class(at + 1, lower)
            return
        options = self.options[at]
        if option == len(options) or self._is_over(lower):
            return
        self.nodes += 1
        short, card, covers = options[option]
        on_top = self.wallet.unit_fen[self.classes[at][0]] - covers if covers else 0
        most = wanted if card < 0 else min(wanted, self.card_bounds[card][1] - self.card_uses[card])
        for n in range(most, -1, -1):
            if self._is_hopeless(lower + short * n):
                continue
            if card < 0:
                if n and self.left_bounds[self.classes[at][0]][1]:
                    continue
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
        if any(n < least for n, (least, _) in zip(self.card_uses, self.card_bounds, strict=True)):
            return
        for at, (n, offer) in enumerate(zip(self.card_uses, self.frame.cards, strict=True)):
            if pool := self.pools[id(offer)]:
                lower += self.card_most[at] - n * self.best_card[at] + pool.cost_fen[n] * self.big
        if not self._is_hopeless(lower):
            self._count_cards(self.card_uses)
