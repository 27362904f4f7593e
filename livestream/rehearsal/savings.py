"""What the best plan saved customers, against other ways to choose among the very same vouchers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orders.services import quoting
from orders.services.quoting import CartLine
from vouchers.plan import best_plan
from vouchers.queries.other_ways import OtherWays, other_ways
from vouchers.queries.plannable import open_wallet, plan_lines, plan_vouchers


@dataclass(frozen=True, slots=True)
class Compared:
    """One cart: what it truly costs by the plan and in other ways, the refund value of what is used included."""

    plan_fen: int
    is_proven: bool
    others: OtherWays


@dataclass
class Saved:
    """Sums over the orders that were placed; money is true cost in fen."""

    orders: int = 0
    proven: int = 0
    none_fen: int = 0
    single_fen: int = 0
    greedy_fen: int = 0
    plan_fen: int = 0
    greed_dearer: int = 0

    def add(self, one: Compared) -> None:
        self.orders += 1
        self.proven += one.is_proven
        self.none_fen += one.others.none_fen
        self.single_fen += one.others.single_fen
        self.greedy_fen += one.others.greedy_fen
        self.plan_fen += one.plan_fen
        self.greed_dearer += one.others.greedy_fen > one.plan_fen


def compare(*, store_id: UUID, brand_id: UUID, customer_id: UUID, lines: Sequence[CartLine], at: datetime) -> Compared:
    """
    A cart that the site has just quoted, with the same reads that the quote makes.

    Raises:
        DomainError: as ``quoting.priced_cart``.
    """
    cart = quoting.priced_cart(store_id=store_id, brand_id=brand_id, lines=lines, at=at)
    vouchers = plan_vouchers(
        open_wallet(customer_id, brand_id, at=at).values(),
        cart=[chosen for chosen, _ in cart.lines],
        list_fen=cart.list_fen,
        store=cart.store,
        at=at,
    )
    planned = plan_lines(cart.lines)
    found = best_plan(lines=planned, vouchers=vouchers)
    return Compared(found.objective.cost_fen, found.optimal, other_ways(lines=planned, vouchers=vouchers))
