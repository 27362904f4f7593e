"""How fast paid purchases become vouchers."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from orders.services.issuing import issue_paid
from tests.bench import rows
from tests.bench.report import Figure
from tests.bench.stand import own_database, stage, vacuum
from vouchers.models import Voucher

PURCHASES = 60_000
WARM_UP = 4_000


def issue() -> Iterator[Figure]:
    """``issue``: vouchers, transfers, trail and state, 500 purchases a transaction."""
    with own_database():
        offer = stage().offer
        rows.purchases(offer, PURCHASES + WARM_UP, customers=30_000, status="paid")
        vacuum("orders_purchase", "orders_payment")
        warm = 0
        while warm < WARM_UP:
            warm += issue_paid(at=datetime.now(UTC))
        began, cpu_began = time.perf_counter(), time.process_time()
        while issue_paid(at=datetime.now(UTC)):
            pass
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        issued = Voucher.objects.count() - warm
    yield Figure(
        "issue",
        round(issued / seconds),
        "vouchers/s",
        f"1 worker, {issued:,} purchases of 1, 500 a transaction, Python's share {cpu / seconds:.0%}, "
        f"{cpu / issued * 1e6:.0f} µs a voucher",
    )
