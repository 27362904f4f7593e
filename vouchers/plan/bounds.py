"""
What a wallet could save at most: a relaxation, solved through its dual.

Fen flow freely in it: each unit of the cart is used up at most once, by the use that covers it or, fen by fen, by cash
vouchers, and nothing is rounded. Discounts are known or assumed, so a fen taken off line ``i`` is worth ``weight[i]``;
the rest would have been the discounts'. That is a linear program. For any prices of units, no choice saves more than

    Σ units · price + Σ uses · (best value − prices of its units − its refund)⁺ + Σ cash vouchers likewise

(weak duality; Kuhn 1955 for the assignment part, Dantzig 1957 for the knapsack of cash vouchers), and a choice falls
short of it by exactly what its parts fall short of theirs: that is what the search adds up. Prices follow from a rent
per card use and one price per fen of room, found by line searches (the dual is convex) and coordinate descent.

Everything is counted in ``unit``s of value: a fen due counts ``big + 1``, a fen of refund ``big``, so that levels 1
and 2 are one number.
"""

from collections.abc import Callable, Sequence

from vouchers.plan.model import Kind
from vouchers.plan.simplex import Column, Entries, solve
from vouchers.plan.wallet import Offer, Wallet

Row = list[tuple[int, float]]  # line and value of covering one unit of it


class Frame:
    """The relaxation once the discounts are decided or assumed, with prices for units."""

    def __init__(
        self,
        wallet: Wallet,
        big: int,
        discounts: Sequence[tuple[Offer, int]],
        others: Sequence[Offer],
        above: "Frame | None",
    ):
        self.takes: dict[int, float] = {}
        self.wallet, self.big, self.scale, self.assumed = wallet, big, big + 1, list(discounts)
        self.cash = [offer for offer in others if offer.terms.kind == Kind.CASH]
        self.cards = [offer for offer in others if offer.terms.kind == Kind.TIMES_CARD and _is_simple(offer)]
        self.packages = [o for o in others if o.terms.kind != Kind.CASH and o not in self.cards]
        self.capped: set[int] = above.capped if above else set()
        for offer, _ in discounts if above is None else ():
            cap, reach = offer.terms.cap_fen, offer.eligible_fen * offer.terms.rate_bps / 10_000
            if cap is not None and cap < 0.6 * reach:
                self.capped.add(id(offer))
        self._weigh()
        self.price: list[float] = list(above.price) if above else []
        self.is_improved = False
        self.used: list[tuple[Offer, Entries, float]] = []  # the linear program's own plan, a hint where to look first
        self.hint: dict[tuple[int, int], float] = {}
        if above:
            self.upper = self._dual()
        else:
            self.improve()

    def _weigh(self) -> None:
        """Weigh the lines by what the discounts leave; a capped one counts its cap, reached or not."""
        wallet, self.weight, constant = self.wallet, [1.0] * len(self.wallet.lines), 0
        for offer, n in self.assumed:
            if id(offer) in self.capped:
                constant += (offer.terms.cap_fen or 0) * n
                continue
            for i in offer.lines:
                self.weight[i] *= (1 - offer.terms.rate_bps / 10_000) ** n
        self.constant = constant
        if not (self.cards or self.packages or self.cash):
            self.due = self._discounted() * self.scale
            self.rows = {}
            return
        due = sum(w * fen * n for w, fen, n in zip(self.weight, wallet.unit_fen, wallet.quantity, strict=True))
        self.due = (due - constant) * self.scale
        self.rows = {id(item): self._row(covers) for o in (*self.cards, *self.packages) for item, covers in o.items}

    def _discounted(self) -> float:
        """
        The cart after the discounts alone, in their order, without rounding, less what rounding the spread of a cap may
        change. More discounts never leave more, and one more takes at most what it would take at its place here.
        """
        wallet, slack = self.wallet, 0.0
        left = [float(fen * n) for fen, n in zip(wallet.unit_fen, wallet.quantity, strict=True)]
        for offer, n in sorted(self.assumed, key=lambda used: used[0].terms.id):
            rate, cap = offer.terms.rate_bps / 10_000, offer.terms.cap_fen
            for copy in range(n + 1):
                base = sum([left[i] for i in offer.lines])
                off = base * rate if cap is None else min(cap, base * rate)
                if copy == n:
                    self.takes[id(offer)] = off
                elif base:
                    if off < base * rate:
                        slack += len(offer.lines) / 2
                    for i in offer.lines:
                        left[i] *= 1 - off / base
        return sum(left) - slack

    def another(self, offer: Offer) -> float:
        """The most that one more of an undecided discount could take."""
        if id(offer) in self.takes:
            return self.takes[id(offer)]
        rows = self.wallet
        off = (
            sum([self.weight[i] * rows.unit_fen[i] * rows.quantity[i] for i in offer.lines])
            * offer.terms.rate_bps
            / 10_000
        )
        return off if offer.terms.cap_fen is None else min(off, offer.terms.cap_fen)

    def _recap(self) -> bool:
        """Count as capped what the hint leaves enough for, and say whether that changes anything."""
        left = list(self.hint_left)
        for offer, entries, amount in self.used:
            for i, units in entries if offer.terms.kind == Kind.CASH else ():
                left[i] = max(0.0, left[i] - amount * units * self.wallet.unit_fen[i])
        capped = set()
        for offer, n in self.assumed:
            if offer.terms.cap_fen is not None and n:
                off = sum(left[i] for i in offer.lines) * offer.terms.rate_bps / 10_000
                if offer.terms.cap_fen < off:
                    capped.add(id(offer))
        changed, self.capped = capped != self.capped, capped
        return changed

    def _row(self, covers: Sequence[int | None]) -> Row:
        return [
            (i, (self.weight[i] * unit - unit + fen) * self.scale)
            for i, (fen, unit) in enumerate(zip(covers, self.wallet.unit_fen, strict=True))
            if fen is not None
        ]

    # --- the dual --------------------------------------------------------------------------------

    def _dual(self) -> float:
        """The dual's value at the prices: what units are worth, and each use and voucher beyond them."""
        total = sum(w * n for w, n in zip(self.price, self.wallet.quantity, strict=True))
        self.best = {id(offer): self._best(offer) for offer in (*self.cards, *self.packages)}
        per_fen = [
            w * self.scale - price / fen if fen else 0.0
            for w, price, fen in zip(self.weight, self.price, self.wallet.unit_fen, strict=True)
        ]
        self.floor = [0.0] * len(self.price)
        for offer in self.cash:
            density = max([per_fen[i] for i in offer.lines if self.wallet.unit_fen[i]])
            self.best[id(offer)] = density * min(offer.terms.face_fen, offer.eligible_fen)
            for i in offer.lines:
                floor = (self.weight[i] * self.scale - density) * self.wallet.unit_fen[i]
                self.floor[i] = max(self.floor[i], floor)
        self.most: dict[int, float] = {}
        for offer in (*self.cards, *self.packages, *self.cash):
            best = self.best[id(offer)]
            most = max(beyond(best, pool.runs, self.big, offer.limit) for pool in offer.pools)
            self.most[id(offer)] = most
            total += most
        return total

    def _best(self, offer: Offer) -> float:
        """What the best use of a package or card is worth beyond the prices of its units, before its refund."""
        best, price = 0.0, self.price
        for choice in offer.terms.choices:
            if len(choice.items) == 1:
                item = choice.items[0]
                best += max([v - price[i] for i, v in self.rows[id(item)]], default=-1e15) * item.count
                continue
            worths = [
                max([v - price[i] for i, v in self.rows[id(item)]], default=-1e15) * item.count for item in choice.items
            ]
            worths.sort(reverse=True)
            best += sum(worths[: choice.choose])
        return best

    def improve(self) -> None:
        """Prices with a small dual: where nothing covers units, one price per fen; else the linear program's."""
        self.is_improved = True
        if self.rows:
            self._solve()
            capped, price, lower = self.capped, self.price, self.due - self.upper
            if self._recap():
                self._weigh()
                self._solve()
                if self.due - self.upper < lower:
                    self.capped, self.price = capped, price
                    self._weigh()
                    self.upper = self._dual()
            return
        densities = {0.0}
        for offer in self.cash:
            worth = max(self.weight[i] for i in offer.lines) * self.scale
            reach = min(offer.terms.face_fen, offer.eligible_fen)
            densities.update(worth - refund * self.big / reach for refund, _ in offer.pools[0].runs)

        def at(per_fen: float) -> float:
            self.price = [per_fen * fen for fen in self.wallet.unit_fen]
            return self._dual()

        self.upper = at(_least(at, sorted(d for d in densities if d >= 0)))

    def _solve(self) -> None:
        """Prices from the linear program itself, and its solution as a hint."""
        wallet, price_rows = self.wallet, len(self.wallet.lines)
        limits: list[float] = [float(n) for n in wallet.quantity]
        runs: list[tuple[Offer, int, int]] = []
        for offer in (*self.cards, *self.packages, *self.cash):
            left = offer.limit
            for refund, n in offer.pools[0].runs:
                n = n if left is None else min(n, left)
                left = None if left is None else left - n
                if n:
                    runs.append((offer, refund * self.big, len(limits)))
                    limits.append(float(n))

        def entering(prices: list[float]) -> Column:
            best: Column = (0.0, (), None)
            seen: dict[int, tuple[float, Entries]] = {}
            per_fen: dict[tuple[int, ...], tuple[float, int]] = {}
            for offer, refund, row in runs:
                if id(offer) not in seen:
                    seen[id(offer)] = self._column(offer, prices, per_fen)
                value, entries = seen[id(offer)]
                gain = value - refund - prices[row]
                if gain > best[0]:
                    best = (gain, (*entries, (row, 1.0)), (offer, entries))
            return best

        prices, used = solve(limits, entering, 0.01 * self.big, 200)
        self.price = [max(0.0, price) for price in prices[:price_rows]]
        self.upper = self._dual()
        self.hint = {}
        self.used = [(*owner, amount) for owner, amount in used]  # type: ignore[misc]
        self.hint_left = [float(fen * n) for fen, n in zip(wallet.unit_fen, wallet.quantity, strict=True)]
        for offer, entries, amount in self.used:
            for i, units in entries:
                if offer.terms.kind != Kind.CASH:
                    self.hint_left[i] -= amount * units * wallet.unit_fen[i]
                self.hint[id(offer), i] = self.hint.get((id(offer), i), 0.0) + amount * units

    def _column(
        self, offer: Offer, prices: Sequence[float], per_fen: dict[tuple[int, ...], tuple[float, int]]
    ) -> tuple[float, Entries]:
        """The best way to use the offer once at these prices, and the units it takes."""
        if offer.terms.kind == Kind.CASH:
            reach, unit_fen = min(offer.terms.face_fen, offer.eligible_fen), self.wallet.unit_fen
            if (found := per_fen.get(offer.lines)) is None:
                ways = [(self.weight[i] * self.scale - prices[i] / unit_fen[i], i) for i in offer.lines if unit_fen[i]]
                found = per_fen[offer.lines] = max(ways)
            # A column of one line holds no more than the line; shares of several lines are several columns.
            density, i = found
            return density * reach, ((i, reach / unit_fen[i]),)
        total, entries = 0.0, []
        for choice in offer.terms.choices:
            fills = []
            for item in choice.items:
                value, i = max([(v - prices[i], i) for i, v in self.rows[id(item)]], default=(-1e15, 0))
                fills.append((value * item.count, i, item.count))
            fills.sort(reverse=True)
            for value, i, count in fills[: choice.choose]:
                total += value
                entries.append((i, float(count)))
        return total, tuple(entries)


def _is_simple(offer: Offer) -> bool:
    """Whether a use covers one unit of one item: cards nearly always, and then their uses are an assignment."""
    return len(offer.items) == 1 and offer.items[0][0].count == 1


def beyond(best: float, runs: Sequence[tuple[int, int]], big: int, limit: int | None) -> float:
    """What uses are worth together beyond prices, given what the best of them is worth without its refund."""
    total = 0.0
    for refund, n in runs:
        if best <= refund * big or limit == 0:
            break
        n = n if limit is None else min(n, limit)
        limit = None if limit is None else limit - n
        total += (best - refund * big) * n
    return total


def _least(function: Callable[[float], float], places: Sequence[float]) -> float:
    """Where a convex function is least among sorted places."""
    low, high = 0, len(places) - 1
    while low < high:
        middle = (low + high) // 2
        if function(places[middle]) <= function(places[middle + 1]):
            high = middle
        else:
            low = middle + 1
    return places[low]
