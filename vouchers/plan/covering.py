"""
Which units packages and cards cover: an assignment, searched in the order that the linear program's solution hints at.

Lines that are alike are one class. A package's use takes one of its fills; then, class by class, so many units are
given to each card or left. The same uses and units reached another way are not followed again.
"""

import math
from itertools import combinations

from vouchers.plan.found import Units
from vouchers.plan.spending import Spending
from vouchers.plan.wallet import Offer, Pool

Fill = tuple[float, Units, int]  # value beyond prices, units, fen on top


class Covering(Spending):
    """The stage before the last."""

    look: tuple[str, ...] | None = None

    def _cover(self, lower: float) -> None:
        """Sort the lines into classes of alike ones, by what is used; then choose units, packages first."""
        frame, wallet = self.frame, self.wallet
        used = [offer for offer, _, _ in self.counts.values()]
        used += [o for o in frame.cash if o.is_partial and self.pools[id(o)] is not None]
        look = tuple(sorted(offer.terms.id for offer in used))
        if look != self.look:
            self.look = look
            scopes = [set(offer.lines) for offer in used]
            by_look: dict[tuple[object, ...], list[int]] = {}
            for i, base in enumerate(wallet.looks):
                by_look.setdefault((base, *(i in scope for scope in scopes)), []).append(i)
            self.classes = sorted(by_look.values(), key=lambda lines: -frame.price[lines[0]])
            units = [(at, wallet.unit_fen[lines[0]], lines[0]) for at, lines in enumerate(self.classes)]
            self.demanding = [
                (offer, [(at, fen) for at, fen, line in units if line in offer.lines])
                for offer in used
                if offer.terms.min_spend_fen
            ]
            self.fills_of = {id(offer): self._fills(offer) for offer in frame.packages}
            self.options = [self._options(lines) for lines in self.classes]
            at_line = {i: at for at, lines in enumerate(self.classes) for i in lines}
            self.hinted: dict[tuple[int, tuple[int, ...]], float] = {}
            for offer, entries, amount in frame.used:
                key = (id(offer), tuple(sorted(at_line[i] for i, n in entries for _ in range(int(n)))))
                self.hinted[key] = self.hinted.get(key, 0.0) + amount
        self.free = [sum(wallet.quantity[i] for i in lines) for lines in self.classes]
        self.card_uses = [0] * len(frame.cards)
        self.card_limits = [0 if (p := self.pools[id(o)]) is None else len(p.uses) for o in frame.cards]
        self._cover_packages(0, lower)

    def _fills(self, offer: Offer) -> list[Fill]:
        """Every way one use can cover units, by class; the best value beyond prices first."""
        ways: dict[tuple[int, ...], Fill] = {(): (0.0, (), 0)}
        for choice in offer.terms.choices:
            then: dict[tuple[int, ...], Fill] = {}
            for items in combinations(choice.items, choice.choose):
                now = ways
                for item in items:
                    row = dict(self.frame.rows[id(item)])
                    for _ in range(item.count):
                        now = self._one_more(now, row)
                for units, fill in now.items():
                    if units not in then or then[units][0] < fill[0]:
                        then[units] = fill
            ways = then
        return sorted((fill for fill in ways.values() if any(fen for _, fen in fill[1])), key=lambda f: (-f[0], f[1]))

    def _one_more(self, ways: dict[tuple[int, ...], Fill], row: dict[int, float]) -> dict[tuple[int, ...], Fill]:
        more: dict[tuple[int, ...], Fill] = {}
        for at, lines in enumerate(self.classes):
            if (worth := row.get(lines[0])) is None:
                continue
            unit, weight = self.wallet.unit_fen[lines[0]], self.frame.weight[lines[0]]
            covers = round(worth / self.scale + unit - weight * unit)
            size = sum(self.wallet.quantity[i] for i in lines)
            for units, (value, taken, on_top) in ways.items():
                if units.count(at) == size:
                    continue
                key = tuple(sorted((*units, at)))
                value_then = value + worth - self.frame.price[lines[0]]
                if key not in more or more[key][0] < value_then:
                    more[key] = (value_then, tuple(sorted((*taken, (at, covers)))), on_top + unit - covers)
        return more

    def _options(self, lines: list[int]) -> list[tuple[float, int, int, int]]:
        """For units of the class: how far each card falls short of the prices, or none (-1), and the hint how many."""
        frame, line = self.frame, lines[0]
        price, unit = frame.price[line], self.wallet.unit_fen[line]
        options = []
        free = sum(self.wallet.quantity[i] for i in lines)
        for at, offer in enumerate(frame.cards):
            covers = offer.items[0][1][line]
            if covers:
                value = (frame.weight[line] * unit - unit + covers) * self.scale
                hint = round(sum(frame.hint.get((id(offer), i), 0.0) for i in lines))
                free -= hint
                options.append((max(0.0, frame.best[id(offer)] + price - value), at, covers, hint))
        options.append((max(0.0, price - frame.floor[line]), -1, 0, free))
        options.sort(key=lambda option: (option[0] > self.big, -option[3], option[0]))
        return options

    def _cover_packages(self, place: int, lower: float) -> None:
        if place == len(self.frame.packages):
            self.seen: dict[tuple[object, ...], float] = {}
            self._cover_class(0, lower)
            return
        offer = self.frame.packages[place]
        pool = self.pools[id(offer)]
        if pool is None:
            self._cover_packages(place + 1, lower)
        else:
            self._fill(place, 0, 0, offer, pool, lower + self.own[id(offer)])

    def _fill(self, place: int, start: int, n: int, offer: Offer, pool: Pool, lower: float) -> None:
        """Give one more use of the package its units, or go on with ``n``; ``lower`` is for no more of them."""
        options, big = self.fills_of[id(offer)], self.big
        branches = [(0.25, lower, -1)]
        if n < len(pool.uses) and (pool.charge or self._fits(offer, n + 1)):
            now = [units for given, units in self.fills if given is offer]
            refunds = [pool.refund_fen[m + 1] - pool.refund_fen[m] for m in range(n, len(pool.uses))]
            for at in range(start, len(options)):
                value, units, _ = options[at]
                rest = sum([max(0.0, value - refund * big) for refund in refunds[1:]])
                then = lower - value + refunds[0] * big
                if self._is_hopeless(then - rest):
                    break
                hint = self.hinted.get((id(offer), tuple(c for c, _ in units)), 0.0) - now.count(units)
                branches.append((min(hint, 0.5) if hint > 0.1 else 0.25 if then < lower else 0.0, then, at))
        branches.sort(key=lambda branch: (-branch[0], branch[1]))
        for _, then, at in branches:
            if self._is_over():
                return
            self.nodes += 1
            if at < 0:
                if self._is_hopeless(then):
                    continue
                self._take(offer, pool, n)
                self._cover_packages(place + 1, then)
                self._put_back(offer, n)
                continue
            _, units, on_top = options[at]
            for c, _ in units:
                self.free[c] -= 1
            if all(self.free[c] >= 0 for c, _ in units):
                self.fills.append((offer, units))
                self.on_top += on_top
                self._fill(place, at, n + 1, offer, pool, then)
                self.on_top -= on_top
                self.fills.pop()
            for c, _ in units:
                self.free[c] += 1

    def _cover_class(self, at: int, lower: float) -> None:
        """Which cards cover units of the class, or none."""
        for offer, classes in self.demanding:
            if sum([self.free[c] * fen for c, fen in classes]) < offer.terms.min_spend_fen:
                return
        if at == len(self.classes):
            for n, offer in zip(self.card_uses, self.frame.cards, strict=True):
                lower += self.own[id(offer)]
                if n and (pool := self.pools[id(offer)]):
                    lower -= n * self.frame.best[id(offer)] - pool.refund_fen[n] * self.big
            if not self._is_hopeless(lower):
                self._spend()
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
        if option == len(options):
            return
        if self._is_over():
            return
        self.nodes += 1
        short, card, covers, hint = options[option]
        on_top = self.wallet.unit_fen[self.classes[at][0]] - covers if covers else 0
        most = wanted if card < 0 else min(wanted, self.card_limits[card] - self.card_uses[card])
        for n in sorted(range(most + 1), key=lambda n: (abs(n - hint), -n)):
            if self._is_hopeless(lower + short * n):
                continue
            if card < 0:
                self._cover_units(at, option + 1, wanted - n, lower + short * n)
                continue
            self.card_uses[card] += n
            self.free[at] -= n
            self.on_top += on_top * n
            self.fills += [(self.frame.cards[card], ((at, covers),))] * n
            self._cover_units(at, option + 1, wanted - n, lower + short * n)
            if n:
                del self.fills[-n:]
            self.on_top -= on_top * n
            self.free[at] += n
            self.card_uses[card] -= n
