"""How fast and how surely the best plan is found, family by family."""

import time
from collections.abc import Iterator
from statistics import quantiles

from tests.bench.plan_families import FAMILIES, instances
from tests.bench.report import Figure
from vouchers.plan import NODE_BUDGET, best_plan

COUNT = 1_000
SIZES = {"quote_": (6, 20), "": (30, 100)}
ALL = ("plan_median_ms", "plan_p99_ms", "plan_proven")
FIGURES = (
    *ALL,
    *(f"plan_{size}{family}_{what}" for size in SIZES for family in FAMILIES for what in ("median_ms", "proven")),
)


def plan() -> Iterator[Figure]:
    """CPU time of one ``best_plan`` each, reasons included, and the share whose true cost is proven."""
    everything: list[float] = []
    n_proven = 0
    for size, (lines, vouchers) in SIZES.items():
        for family in FAMILIES:
            times, proven, settled = [], 0, 0
            for cart, wallet in instances(family, COUNT, lines=lines, vouchers=vouchers):
                began = time.process_time()
                found = best_plan(lines=cart, vouchers=wallet)
                times.append((time.process_time() - began) * 1e3)
                proven += found.optimal
                settled += found.settled
            if not size:
                everything += times
                n_proven += proven
            told = quantiles(times, n=100)
            conditions = (
                f"{COUNT:,} carts of {lines} lines, wallets of {vouchers}, {NODE_BUDGET} nodes; CPU ms: "
                f"p95 {told[94]:.1f}, p99 {told[98]:.1f}, max {max(times):.1f}; all levels proven {settled / COUNT:.1%}"
            )
            yield Figure(f"plan_{size}{family}_median_ms", round(told[49], 2), "ms", conditions)
            yield Figure(f"plan_{size}{family}_proven", round(proven / COUNT, 4), "share", conditions)
    told = quantiles(everything, n=100)
    conditions = (
        f"{len(everything):,} of {len(FAMILIES)} families at 30 lines, 100 vouchers, {NODE_BUDGET} nodes; CPU time"
    )
    yield Figure("plan_median_ms", round(told[49], 2), "ms", conditions)
    yield Figure("plan_p99_ms", round(told[98], 2), "ms", conditions)
    yield Figure("plan_proven", round(n_proven / len(everything), 4), "share", conditions)
