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

    def __init__(
        self,
        frame: "Frame",
        quantity: Sequence[int],
        program: Program,
        money: Sequence[tuple[Offer, int | None]],
        fixed: float,
        is_hopeless: Callable[[float], bool],
    ):
        wallet, scale = frame.wallet, frame.scale
        self.frame, self.quantity, self.program = frame, quantity, program
        size = len(quantity)
        # Of a fen left: what cash vouchers pay for it, what it is worth to discounts, what to thresholds.
        self.room_price, self.rate_price, self.bonus = [0.0] * size, [0.0] * size, [0.0] * size
        self.bonus_due, self.fixed = 0.0, fixed
        whole = [fen * n for fen, n in zip(wallet.unit_fen, quantity, strict=True)]
        demands: dict[tuple[int, ...], int] = {}
        self.safe: Cards | None = None
        self.cash: list[tuple[Offer, list[int], int, int | None]] = []  # lines with room, that room, how many
        for offer, n in money:
            if n and offer.terms.min_spend_fen:
                demands[offer.lines] = max(demands.get(offer.lines, 0), offer.terms.min_spend_fen)
            if offer.terms.kind == Kind.CASH:
                lines = [i for i in offer.lines if whole[i]]
                self.cash.append((offer, lines, sum([whole[i] for i in lines]), n))
        self._solve()
        wanted = [(lines, fen, float(scale), self.bonus) for lines, fen in demands.items()]
        wanted += [
            (scope, 0, scale * min([frame.weight[i] for i in scope]), self.room_price)
            for scope in {offer.lines for offer, _, _, _ in self.cash}
        ]
        for offer, n in frame.assumed:
            if n and id(offer) in frame.capped:
                rate = offer.terms.rate_bps / 10_000
                wanted.append(
                    (offer.lines, math.ceil((offer.terms.cap_fen or 0) / rate), n * rate * scale, self.rate_price)
                )
        for scope, fen, most, prices in sorted(wanted, key=lambda want: (-len(want[0]), want[0], want[1])):
            if is_hopeless(self.lower):
                return
            if self._short(scope, fen, prices) > 0:
                self._price_room(scope, fen, most, prices)

    def _short(self, lines: Sequence[int], fen: int, prices: list[float]) -> float:
        """How much too little is left on the lines for what is wanted of it."""
        unit_fen, inside = self.frame.wallet.unit_fen, set(lines)
        left = sum([unit_fen[i] * self.quantity[i] for i in lines])
        left -= sum([unit_fen[i] * n for held in self.solved.held for i, n in held.items() if i in inside])
        if prices is not self.bonus:
            left -= sum(
                [fen for (_, of, _, _), fen in zip(self.cash, self.amounts, strict=True) if inside.issuperset(of)]
            )
        return float(fen - left)

    def _solve(self) -> None:
        frame, unit_fen = self.frame, self.frame.wallet.unit_fen
        options, room, _ = self.program
        leave = [
            (m + r + b) * fen
            for m, r, b, fen in zip(self.room_price, self.rate_price, self.bonus, unit_fen, strict=True)
        ]
        self.solved = Cards(options, room, leave, self.quantity)
        self.price = price = self.solved.price
        total = sum([rent * n for rent, n in zip(self.solved.rent, room, strict=True)])
        total += sum([each * n for each, n in zip(price, self.quantity, strict=True)])
        worth = [
            w * frame.scale - (each / fen if fen else 0.0) + b
            for w, each, fen, b in zip(frame.weight, price, unit_fen, self.bonus, strict=True)
        ]
        self.densities, self.amounts = [], []
        for offer, lines, fen, n in self.cash:
            density = max([0.0, *[worth[i] for i in lines]])
            self.densities.append(density)
            face, costs = offer.terms.face_fen, offer.pools[0].cost_fen
            if n is None:
                gain, n = max(
                    [(density * min(m * face, fen) - costs[m] * frame.big, m) for m in range(offer.reach + 1)]
                )
                total += gain
            else:
                total += density * min(n * face, fen)
            self.amounts.append(min(n * face, fen))
        self.lower = self.fixed - total + self.bonus_due

    def floors(self) -> list[float]:
        """The price of each line's unit that is paid for when it is left."""
        frame, unit_fen = self.frame, self.frame.wallet.unit_fen
        floors = [(r + b) * fen for r, b, fen in zip(self.rate_price, self.bonus, unit_fen, strict=True)]
        for density, (_, lines, _, _) in zip(self.densities, self.cash, strict=True):
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
            return self.lower, price, short

        low, high = (self.lower, 0.0, self._short(lines, fen, prices)), at(most)
        best = max(low, high)
        for _ in range(5):
            if not low[2] > 0 > high[2]:
                break
            meet = (high[0] - low[0] + low[2] * low[1] - high[2] * high[1]) / (low[2] - high[2])
            if not low[1] < meet < high[1]:
                break
            middle = at(meet)
            best = max(best, middle)
            if middle[0] > low[0] + low[2] * (meet - low[1]) - 1:
                break
            low, high = (middle, high) if middle[2] > 0 else (low, middle)
        if self.lower != best[0]:
            at(best[1])
