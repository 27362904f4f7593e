"""What every stage of the search shares: what is decided so far, the budget, and the price of a plan to the fen."""

import math

from vouchers.plan.bounds import Frame
from vouchers.plan.found import Found, Units
from vouchers.plan.model import Kind
from vouchers.plan.pricing import take_all
from vouchers.plan.wallet import Count, Offer, Pool, Wallet, is_entitlement

HEAVY = 10  # nodes that a relaxation or a price to the fen counts for


class Choices:
    """``counts`` is what is decided, by offer; ``best`` the best plan so far, at first the one that applies nothing."""

    frame: Frame

    def __init__(self, wallet: Wallet, node_budget: int):
        self.wallet, self.budget, self.nodes = wallet, node_budget, 0
        self.node_budget = node_budget
        self.big = wallet.total_fen + 1
        self.scale = self.big + 1
        self.n_forced = sum(v.id in wallet.forced for offer in wallet.offers for v in offer.vouchers)
        total = wallet.total_fen
        self.best = Found(total * self.scale, [], list(wallet.quantity), 0, [], [], total, [])
        self.cut = self.lowest = math.inf  # the least bound of what was left unexplored; of that on the first levels
        self.is_settled = False
        self.counts: dict[int, Count] = {}
        self.pools: dict[int, Pool | None] = {}
        self.fills: list[tuple[Offer, Units]] = []
        self.classes: list[list[int]] = []
        self.free: list[int] = []
        self.on_top = 0
        self.in_deal: dict[str, list[tuple[int, int | None]]] = {}  # of each deal: vouchers counted, their limit
        self.frames: dict[tuple[object, ...], Frame] = {}
        self.is_proving = True
        self.grain = 1  # what every cost is a multiple of

    def _grain(self) -> int:
        """What every amount is a multiple of where no discount is used."""
        wallet = self.wallet
        if any(offer.terms.kind == Kind.DISCOUNT for offer, _, _ in self.counts.values()):
            return 1
        return math.gcd(
            *wallet.unit_fen,
            *[fen or 0 for offer in wallet.offers for _, covers in offer.items for fen in covers],
            *[offer.terms.face_fen for offer in wallet.offers],
            *[use.refund_fen for offer in wallet.offers for voucher in offer.vouchers for use in voucher.uses],
        )

    def bound_fen(self) -> int:
        """No plan with as many forced vouchers costs less, explored or not."""
        cost = self.best.due_fen + self.best.refund_fen()
        if self.lowest == math.inf:
            return cost
        return max(0, cost + min(0, self._cost(self.lowest) - (self.best.key - self.best.due_fen) // self.big))

    def _cost(self, lower: float) -> int:
        """The least cost that a plan with at least this key can have."""
        if self.n_forced:
            return math.ceil((lower - self.wallet.total_fen) / self.big - 1e-6)
        return math.ceil(lower / self.scale / self.grain - 1e-6) * self.grain

    def _is_hopeless(self, lower: float) -> bool:
        """Whether a branch with this bound holds nothing that is looked for."""
        cost = (self.best.key - self.best.due_fen) // self.big
        if self.is_proving:
            return self._cost(lower) >= cost
        return lower >= self.best.key + 0.5 or self._cost(lower) > cost

    def _is_over(self, lower: float) -> bool:
        """Whether the budget is spent; what is left unexplored then has this bound."""
        if self.nodes < self.budget:
            return False
        self.cut = min(self.cut, lower)
        return True

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

    def _uncovered(self) -> list[int]:
        uncovered = list(self.wallet.quantity)
        for lines, free in zip(self.classes, self.free, strict=True):
            covered = sum([self.wallet.quantity[i] for i in lines]) - free
            for i in lines:
                uncovered[i] -= (n := min(covered, self.wallet.quantity[i]))
                covered -= n
        return uncovered

    def _price(self) -> None:
        """To the fen, where every threshold is reached."""
        wallet, uncovered = self.wallet, self._uncovered()
        left = [fen * n for fen, n in zip(wallet.unit_fen, uncovered, strict=True)]
        for offer, _, _ in self.counts.values():
            if (spend := offer.terms.min_spend_fen) and sum([left[i] for i in offer.lines]) < spend:
                return
        self.nodes += HEAVY
        counts = sorted(self.counts.values(), key=lambda used: (used[0].terms.kind == Kind.DISCOUNT, used[0].terms.id))
        taken = take_all([(offer, n) for offer, _, n in counts if not is_entitlement(offer)], left)
        if taken is None:
            return
        due = sum(left) + self.on_top
        key = due * self.scale + sum([pool.cost_fen[n] for _, pool, n in counts]) * self.big
        if key <= self.best.key:
            found = Found(key, counts, uncovered, self.on_top, list(self.fills), self.classes, due, taken)
            if found.is_before(self.best):
                self.best = found
