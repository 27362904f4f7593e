"""The relaxation of what is still open, with prices for room and thresholds where its own choice fails them."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vouchers.plan.cards import Cards, Option
from vouchers.plan.model import Kind
from vouchers.plan.wallet import Offer

if TYPE_CHECKING:
    from vouchers.plan.bounds import Frame

Program = tuple[list[list[Option]], list[int], list[Offer]]  # options of each line, uses of each card, whose they are


class Leaf:
    """
    The relaxation once all but cards is decided: ``lower`` bounds the key, ``cover`` is its own choice.

    Thresholds and the room that cash vouchers need get a price per fen left uncovered where that choice fails them.
    """

    key: tuple[object, ...] = ()
    effort = 0  # what it counts for, in nodes

    def __init__(
        self,
        frame: "Frame",
        quantity: Sequence[int],
        program: Program,
        money: Sequence[tuple[Offer, int, int]],
        fixed: float,
        is_hopeless: Callable[[float], bool],
        left: Sequence[tuple[int, int]] | None = None,
    ):
        """``left``: units of each line that stay uncovered at least, and whether no others may."""
        wallet, scale = frame.wallet, frame.scale
        self.frame, self.quantity, self.program = frame, quantity, program
        size = len(quantity)
        # Of a fen left: what cash vouchers pay for it, what it is worth to discounts, what to thresholds.
        self.room_price, self.rate_price, self.bonus = [0.0] * size, [0.0] * size, [0.0] * size
        self.lower, self.bonus_due, self.fixed = fixed, 0.0, fixed
        self.kept = [n for n, _ in left] if left else [0] * size
        self.open = [n - kept for n, kept in zip(quantity, self.kept, strict=True)]
        self.closed = [i for i, (_, is_closed) in enumerate(left) if is_closed] if left else []
        whole = [fen * n for fen, n in zip(wallet.unit_fen, quantity, strict=True)]
        for i in self.closed:
            whole[i] = wallet.unit_fen[i] * self.kept[i]
        if min(self.open, default=0) < 0:
            self.lower = 1e18
            return
        demands: dict[tuple[int, ...], int] = {}
        self.safe: Cards | None = None  # the last choice that leaves enough, and the last that does not
        self.short: Cards | None = None
        self.rooms: dict[
            tuple[int, ...], tuple[list[int], int]
        ] = {}  # of each scope of cash: lines with room, that room
        self.cash: list[tuple[Offer, list[int], int, int, int]] = []  # lines with room, that room, how many
        for offer, least, most in money:
            if least and offer.terms.min_spend_fen:
                demands[offer.lines] = max(demands.get(offer.lines, 0), offer.terms.min_spend_fen)
            if offer.terms.kind == Kind.CASH and most:
                if offer.lines not in self.rooms:
                    lines = [i for i in offer.lines if whole[i]]
                    self.rooms[offer.lines] = (lines, sum([whole[i] for i in lines]))
                self.cash.append((offer, *self.rooms[offer.lines], least, most))
        self._solve()
        # Scope, what is wanted of it, the most a fen of that may be worth, whose prices those are.
        wanted = [(lines, fen, float(scale), self.bonus) for lines, fen in demands.items()]
        wanted += [(scope, 0, scale * min([frame.weight[i] for i in scope]), self.room_price) for scope in self.rooms]
        for offer, n in frame.assumed:
            if n and id(offer) in frame.capped:
                rate = offer.terms.rate_bps / 10_000
                wanted.append(
                    (offer.lines, math.ceil((offer.terms.cap_fen or 0) / rate), n * rate * scale, self.rate_price)
                )
        for scope, fen, dearest, prices in sorted(wanted, key=lambda want: (-len(want[0]), want[0], want[1])):
            if is_hopeless(self.lower):
                return
            if self._short(scope, fen, prices) > 0:
                self._price_room(scope, fen, dearest, prices)

    def _short(self, lines: Sequence[int], fen: int, prices: list[float]) -> float:
        """How much too little is left on the lines for what is wanted of it."""
        left = sum([self.left_fen[i] for i in lines])
        if prices is not self.bonus:
            inside = set(lines)
            within = {scope for scope in self.rooms if inside.issuperset(self.rooms[scope][0])}
            left -= sum(
                [fen for (offer, *_), fen in zip(self.cash, self.amounts, strict=True) if offer.lines in within]
            )
        return float(fen - left)

    def _solve(self) -> None:
        frame, unit_fen = self.frame, self.frame.wallet.unit_fen
        options, room, _ = self.program
        leave = [
            (m + r + b) * fen
            for m, r, b, fen in zip(self.room_price, self.rate_price, self.bonus, unit_fen, strict=True)
        ]
        kept_worth = sum([each * n for each, n in zip(leave, self.kept, strict=True)])
        floor = leave if not any(self.kept) else list(leave)
        for i in self.closed:
            leave[i] = -frame.must
        known = (id(options), *self.open, *leave)
        if known not in frame.solved:
            frame.solved[known] = Cards(options, room, leave, self.open, frame.tolerance)
            self.effort += frame.solved[known].effort // 40
        self.solved = frame.solved[known]
        self.effort += len(unit_fen) // 3
        self.price = price = self.solved.price
        total = sum([rent * n for rent, n in zip(self.solved.rent, room, strict=True)]) + kept_worth
        total += sum([each * n for each, n in zip(price, self.open, strict=True)])
        worth = [
            w * frame.scale - ((least if kept else each) / fen if fen else 0.0) + b
            for w, each, fen, b, kept, least in zip(
                frame.weight, price, unit_fen, self.bonus, self.kept, floor, strict=True
            )
        ]
        self.densities: list[float] = []
        self.amounts: list[int] = []
        self.wish: list[int] = []
        big = frame.big
        left = [n + kept for n, kept in zip(self.open, self.kept, strict=True)]
        for held in self.solved.held:
            for i, n in held.items():
                left[i] -= n
        self.left_fen = [n * fen for n, fen in zip(left, unit_fen, strict=True)]
        dense = {scope: max([0.0, *[worth[i] for i in lines]]) for scope, (lines, _) in self.rooms.items()}
        for offer, _, fen, least, most in self.cash:
            density = dense[offer.lines]
            self.densities.append(density)
            face, costs = offer.terms.face_fen, offer.pools[0].cost_fen
            if least == most:
                gain, n = density * min(most * face, fen) - costs[most] * big, most
            else:
                gain, n = max([(density * min(m * face, fen) - costs[m] * big, m) for m in range(least, most + 1)])
            total += gain
            self.wish.append(n)
            self.amounts.append(min(n * face, fen))
        self.lower = self.fixed - total + self.bonus_due

    def missing(self, offer: Offer) -> float:
        """How much too little the relaxation's own choice leaves for the threshold."""
        return self._short(offer.lines, offer.terms.min_spend_fen, self.bonus) if offer.terms.min_spend_fen else 0.0

    def shortfall(self, at: int, n: int) -> float:
        """How far so many of a cash voucher fall short of the best number."""
        offer, _, fen, _, _ = self.cash[at]
        density, face, costs = self.densities[at], offer.terms.face_fen, offer.pools[0].cost_fen
        best = self.wish[at]
        less_fen = min(best * face, fen) - min(n * face, fen)
        return float(density * less_fen + (costs[n] - costs[best]) * self.frame.big)

    def floors(self) -> list[float]:
        """The price of each line's unit that is paid for when it is left."""
        frame, unit_fen = self.frame, self.frame.wallet.unit_fen
        floors = [(r + b) * fen for r, b, fen in zip(self.rate_price, self.bonus, unit_fen, strict=True)]
        for density, (lines, _) in {
            offer.lines: (density, (lines, 0))
            for density, (offer, lines, _, _, _) in zip(self.densities, self.cash, strict=True)
        }.values():
            for i in lines:
                floor = (frame.weight[i] * frame.scale + self.bonus[i] - density) * unit_fen[i]
                floors[i] = max(floors[i], floor)
        return floors

    def _price_room(self, lines: Sequence[int], fen: int, most: float, prices: list[float]) -> None:
        """The price of a fen left on the lines that bounds best: where two tangents meet, again and again (Kelley)."""
        base, due = [prices[i] for i in lines], self.bonus_due

        def at(price: float) -> tuple[float, float, float]:
            for i, before in zip(lines, base, strict=True):
                prices[i] = before + price
            self.bonus_due = due + price * fen
            self._solve()
            short = self._short(lines, fen, prices)
            if short <= 0:
                self.safe = self.solved
            else:
                self.short = self.solved
            return self.lower, price, short

        self.short = self.solved
        low, high = (self.lower, 0.0, self._short(lines, fen, prices)), at(most)
        for _ in range(2):  # where numbers are bounded, a fen left may be worth more than a fen
            if high[2] <= 0 or high[0] <= low[0] or prices is not self.bonus:
                break
            low, high = high, at(4 * high[1])
        best = max(low, high)
        for _ in range(5):
            if not low[2] > 0 > high[2]:
                break
            meet = (high[0] - low[0] + low[2] * low[1] - high[2] * high[1]) / (low[2] - high[2])
            if not low[1] < meet < high[1]:
                break
            middle = at(meet)
            best = max(best, middle)
            if middle[0] > low[0] + low[2] * (meet - low[1]) - 0.3 * self.frame.scale:
                break
            low, high = (middle, high) if middle[2] > 0 else (low, middle)
        if self.lower != best[0]:
            at(best[1])
