"""
What a wallet could save at most: a relaxation, and prices that bound it.

Fen flow freely in it and nothing is rounded; each unit of the cart is covered by one use or left; a fen taken off
line ``i`` is worth ``weight[i]``, the rest would have been the discounts'. A capped discount counts its cap, or less
where too little is left for it. For any prices of units no choice saves more than

    Σ units · price + Σ uses · (best value − prices of its units − its refund)⁺ + Σ cash vouchers likewise

(weak duality; Kuhn 1955 for the assignment part, Dantzig 1957 for the knapsack of cash vouchers), and a choice falls
short of it by exactly what its parts fall short of theirs: that is what the search adds up. A package counts as so many
cards, one for each of its choices, which share its cost (Lagrangian; Held & Karp 1971).

Everything is counted so that levels 1 and 2 are one number: a fen due counts ``big + 1``, a fen of refund ``big``.
"""

import math
from collections.abc import Callable, Sequence

from vouchers.plan.cards import Cards, Option
from vouchers.plan.leaf import Leaf
from vouchers.plan.model import Choice, Kind
from vouchers.plan.wallet import Offer, Pool, Wallet

Row = list[tuple[int, float]]  # line and value of covering one unit of it
Cover = list[tuple[Offer, tuple[tuple[int, int], ...]]]  # uses with line and fen covered of each of their units
Fill = tuple[float, tuple[tuple[int, int], ...], int]  # value beyond prices, units, fen on top
NEVER = -1e18


class Frame:
    """The relaxation once the discounts are decided or assumed, with prices for units."""

    def __init__(self, wallet: Wallet, big: int, discounts: Sequence[tuple[Offer, int]], others: Sequence[Offer]):
        self.wallet, self.big, self.scale, self.assumed = wallet, big, big + 1, list(discounts)
        # Worth more than any unit. Nothing here is larger by orders, so that floats add up to within the tolerance.
        self.must = 8.0 * self.scale * (1 + max(wallet.unit_fen, default=0))
        self.tolerance = self.scale * 3e-9
        self.cash = [offer for offer in others if offer.terms.kind == Kind.CASH and offer.reach]
        self.cards = [offer for offer in others if offer.card_row is not None]
        self.packages = [o for o in others if o.terms.kind != Kind.CASH and o.card_row is None]
        size = len(wallet.lines)
        self.capped = {
            id(offer)
            for offer, _ in discounts
            if offer.terms.cap_fen is not None
            and offer.terms.cap_fen < offer.eligible_fen * offer.terms.rate_bps / 10_000
        }
        self.weight, self.constant = [1.0] * size, 0
        for offer, n in discounts:
            if id(offer) in self.capped:
                self.constant += (offer.terms.cap_fen or 0) * n
                continue
            for i in offer.lines:
                self.weight[i] *= (1 - offer.terms.rate_bps / 10_000) ** n
        whole = sum([w * fen * n for w, fen, n in zip(self.weight, wallet.unit_fen, wallet.quantity, strict=True)])
        self.programs: dict[tuple[object, ...], tuple[list[list[Option]], list[int], list[Offer]]] = {}
        self.due = (whole - self.constant) * self.scale
        self.solved: dict[tuple[float, ...], Cards] = {}
        self.rows: dict[int, Row] = {}
        # By the scopes of the money in use: lines by what is said of them, and the ways that packages cover them.
        self.classes: dict[frozenset[tuple[int, ...]], tuple[list[list[int]], dict[int, list[Fill]]]] = {}
        for offer in self.cards:
            self.rows[id(offer)] = self._row(offer.card_row or ())
        for offer in self.packages:
            for item, covers in offer.items:
                self.rows[id(item)] = self._row(covers)
        self.shares: dict[int, list[float]] = {}  # of a package's cost: what each choice bears
        self.steps: dict[int, float] = {}
        for offer in self.packages:
            worths = []
            for choice in offer.choices:
                rows = [max((v * item.count for _, v in self.rows[id(item)]), default=0.0) for item in choice.items]
                worths.append(1 + sum(sorted(rows)[-choice.choose :]))
            cost = offer.least_refund * big
            self.shares[id(offer)] = [cost * worth / sum(worths) for worth in worths]
            self.steps[id(offer)] = sum(worths) / 6

    def solve(self, is_hopeless: Callable[[float], bool]) -> None:
        """Prices for everything still open; once a bound is hopeless it is not made better."""
        pools = [offer.pools[0] for offer in self.cards]
        options, room, owners = self.nodes(pools)
        best = math.inf
        for _ in range(6 if any(len(offer.choices) > 1 for offer in self.packages) else 0):
            mixed, caps, parts = self.with_packages(options, room, self.packages)
            solved = Cards(mixed, caps, [0.0] * len(options), self.wallet.quantity, self.tolerance)
            upper = sum([price * n for price, n in zip(solved.price, self.wallet.quantity, strict=True)])
            upper += sum([rent * n for rent, n in zip(solved.rent, caps, strict=True)])
            if upper < best:
                best, shares = upper, dict(self.shares)
            if not self._share(solved, parts):
                break
        if best < math.inf:
            self.shares = shares
        program = (*self.with_packages(options, room, self.packages)[:2], owners)
        money = [(offer, 0, offer.reach) for offer in self.cash]
        self.root = Leaf(self, self.wallet.quantity, program, money, self.due, is_hopeless)
        self.price = self.root.price
        held = dict.fromkeys(map(id, self.packages), 0)
        for offer, _, at in self.with_packages(options, room, self.packages)[2]:
            held[id(offer)] += sum(self.root.solved.held[at].values())
        self.packages.sort(key=lambda offer: (-held[id(offer)], offer.terms.id))
        self._dual()

    def _row(self, covers: Sequence[int | None]) -> Row:
        unit_fen, scale = self.wallet.unit_fen, self.scale
        return [
            (i, (w * unit - unit + fen) * scale)
            for i, (fen, unit, w) in enumerate(zip(covers, unit_fen, self.weight, strict=True))
            if fen is not None
        ]

    def with_packages(
        self, options: list[list[Option]], room: list[int], packages: Sequence[Offer]
    ) -> tuple[list[list[Option]], list[int], list[tuple[Offer, Choice, int]]]:
        """Packages as so many cards, one for each choice, as if their choices were used apart."""
        if not packages:
            return options, room, []
        mixed, caps, parts = [list(of_line) for of_line in options], list(room), []
        for offer in packages:
            for choice, share in zip(offer.choices, self.shares[id(offer)], strict=True):
                parts.append((offer, choice, len(caps)))
                seen: dict[int, float] = {}
                for item in choice.items:
                    cost = share / (choice.choose * item.count)
                    for i, value in self.rows[id(item)]:
                        seen[i] = max(seen.get(i, NEVER), value - cost)
                for i, value in seen.items():
                    mixed[i].append((value, len(caps)))
                caps.append(offer.reach * choice.choose * max(item.count for item in choice.items))
        for of_line in mixed:
            of_line.sort(reverse=True)
        return mixed, caps, parts

    def _share(self, solved: Cards, parts: list[tuple[Offer, Choice, int]]) -> bool:
        """Move a package's cost to the choice that takes more units than the others do; false when all agree."""
        moved = False
        for offer in self.packages:
            if len(offer.choices) < 2:
                continue
            used = [
                sum(solved.held[at].values()) / (choice.choose * choice.items[0].count)
                for of, choice, at in parts
                if of is offer
            ]
            if max(used) - min(used) < 0.5:
                continue
            step = self.steps[id(offer)]
            self.steps[id(offer)] = step / 2
            shares = list(self.shares[id(offer)])
            shares[used.index(max(used))] += step
            shares[used.index(min(used))] -= step
            self.shares = {**self.shares, id(offer): shares}
            moved = True
        return moved

    def nodes(
        self, pools: Sequence[Pool | None], bounds: Sequence[tuple[int, int]] | None = None
    ) -> tuple[list[list[Option]], list[int], list[Offer]]:
        """
        For each line the cards that take it with what they save, the best first; their uses; whose they are.

        ``bounds``: the fewest and most uses of each. Each of the fewest is worth ``must`` more.
        """
        options: list[list[Option]] = [[] for _ in self.wallet.lines]
        nodes: list[Offer] = []
        room: list[int] = []
        for offer, pool, (least, left) in zip(
            self.cards, pools, bounds or [(0, offer.reach) for offer in self.cards], strict=True
        ):
            for cost, n in pool.runs if pool else ():
                for part, more in ((min(n, least), self.must), (n - min(n, least), 0.0)):
                    if left <= 0 or not part:
                        continue
                    for i, value in self.rows[id(offer)]:
                        if (offer.card_row or ())[i]:
                            options[i].append((value - cost * self.big + more, len(nodes)))
                    nodes.append(offer)
                    room.append(min(part, left))
                    left -= part
                least -= min(n, least)
        for of_line in options:
            of_line.sort(reverse=True)
        return options, room, nodes

    def cover_of(self, solved: Cards, nodes: Sequence[Offer]) -> Cover:
        return [
            (offer, ((i, (offer.card_row or ())[i] or 0),))
            for offer, held in zip(nodes, solved.held, strict=False)
            for i, n in held.items()
            for _ in range(n)
        ]

    def _fill(self, offer: Offer) -> tuple[float, list[tuple[int, int]]]:
        """What the best use of a package is worth beyond the prices of its units, before its refund, and those."""
        best, price, units = 0.0, self.price, []
        for choice in offer.choices:
            worths = []
            for item in choice.items:
                value, i = max([(v - price[i], i) for i, v in self.rows[id(item)]], default=(NEVER, 0))
                worths.append((value * item.count, i, item.count))
            if len(worths) > 1:
                worths.sort(reverse=True)
            for value, i, count in worths[: choice.choose]:
                best += value
                units.append((i, count))
        return best, units

    def _dual(self) -> None:
        """The bound at the root's prices; ``most`` says what each adds to it, ``best`` what the best use is worth."""
        total = sum([price * n for price, n in zip(self.price, self.wallet.quantity, strict=True)])
        price, big = self.price, self.big
        self.best: dict[int, float] = {}
        self.most: dict[int, float] = {}
        for offer in self.cards:
            self.best[id(offer)] = max([value - price[i] for i, value in self.rows[id(offer)]], default=NEVER)
        for offer in self.packages:
            self.best[id(offer)] = self._fill(offer)[0]
        for offer in (*self.cards, *self.packages):
            best = self.best[id(offer)]
            most = 0.0
            if best > offer.least_cost * big:
                most = max(
                    best * n - cost * big
                    for pool in offer.cheap
                    for n, cost in enumerate(pool.cost_fen[: offer.reach + 1])
                )
            self.most[id(offer)] = most
            total += most
        for offer, density in zip(self.cash, self.root.densities, strict=True):
            self.best[id(offer)], self.most[id(offer)] = density, max(0.0, -min(self._lacks(offer, density)))
            total += self.most[id(offer)]
        self.lower = self.due - total + self.root.bonus_due

    def _lacks(self, offer: Offer, density: float) -> list[float]:
        face, room, cost = offer.terms.face_fen, offer.eligible_fen, offer.pools[0].cost_fen
        return [cost[n] * self.big - density * min(n * face, room) for n in range(offer.reach + 1)]

    def beyond(self, offer: Offer, pool: Pool) -> float:
        """What the pool's uses are worth together beyond prices."""
        best, n = self.best[id(offer)], min(offer.reach, len(pool.uses))
        return max([best * m - cost * self.big for m, cost in enumerate(pool.cost_fen[: n + 1])])

    def shortfalls(self, offer: Offer) -> list[float]:
        """How far each number of a cash voucher falls short of the best."""
        most = self.most[id(offer)]
        return [most + lacks for lacks in self._lacks(offer, self.best[id(offer)])]

    def another(self, offer: Offer) -> float:
        """The most that one more of an undecided discount could take."""
        unit_fen, quantity = self.wallet.unit_fen, self.wallet.quantity
        off = sum([self.weight[i] * unit_fen[i] * quantity[i] for i in offer.lines]) * offer.terms.rate_bps / 10_000
        return off if offer.terms.cap_fen is None else min(off, offer.terms.cap_fen)
