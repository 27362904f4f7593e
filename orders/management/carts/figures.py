"""What planning many carts showed: how many, how proven, how quick, and what other ways would have cost."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from orders.management.carts.sample import MOST_LINES, Cart
from orders.management.carts.wallets import Wallets
from vouchers.plan import best_plan
from vouchers.plan.model import Plan, Voucher
from vouchers.queries.other_ways import other_ways


@dataclass
class Figures:
    """
    Counts are of carts unless they say otherwise, money is true cost in fen.

    A coupon is eligible where something in the cart is of its products. What greed costs more is said of the carts
    with at least two eligible coupons: with fewer it cannot choose wrongly between any.
    """

    carts: int = 0
    too_large: int = 0
    with_coupons: int = 0
    with_one_eligible: int = 0
    with_two_eligible: int = 0
    most_coupons: int = 0
    most_eligible: int = 0
    proven: int = 0
    none_fen: int = 0
    single_fen: int = 0
    greedy_fen: int = 0
    plan_fen: int = 0
    greedy_worse: int = 0
    greedy_worse_fen: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        timed = sorted(self.seconds) or [0.0]
        over = sorted(self.greedy_worse_fen) or [0]
        return {
            "carts": self.carts,
            "too_large": self.too_large,
            "with_coupons": self.with_coupons,
            "with_one_eligible": self.with_one_eligible,
            "with_two_eligible": self.with_two_eligible,
            "most_coupons": self.most_coupons,
            "most_eligible": self.most_eligible,
            "proven_of_planned": round(self.proven / max(1, self.with_coupons), 5),
            "plan_ms_median": _ms(median(timed)),
            "plan_ms_p95": _ms(_at(timed, 0.95)),
            "plan_ms_p99": _ms(_at(timed, 0.99)),
            "plan_ms_max": _ms(timed[-1]),
            "eligible_none_fen": self.none_fen,
            "eligible_single_fen": self.single_fen,
            "eligible_greedy_fen": self.greedy_fen,
            "eligible_plan_fen": self.plan_fen,
            "greedy_worse": self.greedy_worse,
            "greedy_worse_share_of_two": round(self.greedy_worse / max(1, self.with_two_eligible), 5),
            "greedy_worse_fen_median": int(median(over)),
            "greedy_worse_fen_p95": over[int(len(over) * 0.95)],
            "greedy_worse_fen_max": over[-1],
            "greedy_worse_fen_sum": sum(over),
        }


def figures_of(carts: Iterable[Cart], wallets: Wallets, *, after_each: Callable[[], None]) -> Figures:
    """Plan every cart that has coupons at all, one by one and timed, and compare where one is eligible."""
    figures = Figures()
    for cart in carts:
        _add(figures, cart, wallets)
        after_each()
    return figures


def _add(figures: Figures, cart: Cart, wallets: Wallets) -> None:
    figures.carts += 1
    if len(cart.lines) > MOST_LINES:
        figures.too_large += 1
        return
    vouchers = wallets.of(cart)
    if not vouchers:
        return
    figures.with_coupons += 1
    figures.most_coupons = max(figures.most_coupons, len(vouchers))
    began = perf_counter()
    plan = best_plan(lines=cart.lines, vouchers=vouchers)
    figures.seconds.append(perf_counter() - began)
    figures.proven += plan.optimal
    eligible = wallets.eligible(cart, vouchers)
    figures.most_eligible = max(figures.most_eligible, len(eligible))
    if eligible:
        figures.with_one_eligible += 1
        figures.with_two_eligible += len(eligible) > 1
        _compare(figures, cart, plan, eligible)


def _compare(figures: Figures, cart: Cart, plan: Plan, eligible: list[Voucher]) -> None:
    others = other_ways(lines=cart.lines, vouchers=eligible)
    figures.none_fen += others.none_fen
    figures.single_fen += others.single_fen
    figures.greedy_fen += others.greedy_fen
    figures.plan_fen += plan.objective.cost_fen
    if len(eligible) > 1 and others.greedy_fen > plan.objective.cost_fen:
        figures.greedy_worse += 1
        figures.greedy_worse_fen.append(others.greedy_fen - plan.objective.cost_fen)


def _at(timed: list[float], share: float) -> float:
    return timed[min(len(timed) - 1, int(len(timed) * share))]


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 3)
