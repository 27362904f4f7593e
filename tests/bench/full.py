"""Whether selling stays fast when millions have been sold."""

from collections.abc import Iterator
from statistics import median

from django.db import connection

from tests.bench import rows
from tests.bench.intake import ORDERS, WARM_UP, rate
from tests.bench.report import Figure
from tests.bench.stand import execute, own_database, serve, stage, vacuum

SOLD = 4_000_000
CUSTOMERS = 1_500_000
ROUNDS = 3


def full() -> Iterator[Figure]:
    """
    ``intake_4m_ratio``: the rate beside 4,000,000 purchases over the rate beside none, same server, same minutes.

    Two databases, one full and one empty, sell in turns, so that a machine which is slower now than a
    minute ago is slower for both; the ratio is the median of the rounds. What a checkpoint costs comes last.
    """
    with own_database(), serve("config.asgi:intake") as beside_none:
        empty = stage()
        with own_database("hexiao_bench_full"), serve("config.asgi:intake") as beside_millions:
            staged = stage()
            rows.purchases(staged.offer, SOLD, customers=CUSTOMERS, status="accepted")
            vacuum("orders_purchase", "orders_payment", "vouchers_customerallowance", "vouchers_offer")
            known = rows.customer_ids(100_000)

            def turn(clients: int) -> tuple[float, float, float]:
                """Orders a second beside none and beside millions, and full-page images an order of the latter."""
                at_none = rate(beside_none.port, empty, clients=clients).per_second
                before = _full_page_images()
                at_millions = rate(beside_millions.port, staged, clients=clients, known=known).per_second
                return at_none, at_millions, (_full_page_images() - before) / (ORDERS + WARM_UP)

            wide = [turn(256) for _ in range(ROUNDS)]
            narrow = [turn(64) for _ in range(ROUNDS)]
            execute("CHECKPOINT")
            fresh = turn(256)
    yield Figure(
        "intake_4m_ratio",
        _ratio(wide),
        "ratio",
        f"256 clients, 1 process, {ROUNDS} rounds in turns, {SOLD:,} purchases of {CUSTOMERS:,} customers: "
        f"{_told(wide)}; 64 clients: {_ratio(narrow)} ({_told(narrow)}); right after a checkpoint, 256 clients: "
        f"{_ratio([fresh])} ({_told([fresh])})",
    )


def _ratio(turns: list[tuple[float, float, float]]) -> float:
    return round(median(at_millions / at_none for at_none, at_millions, _ in turns), 3)


def _told(turns: list[tuple[float, float, float]]) -> str:
    rates = ", ".join(f"{at_millions:.0f} over {at_none:.0f}/s" for at_none, at_millions, _ in turns)
    return f"{rates}; {median(images for _, _, images in turns):.2f} full-page images an order"


def _full_page_images() -> int:
    """Of the whole server since it began: pages that went to the log whole, first touched after a checkpoint."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot(), wal_fpi FROM pg_stat_wal")
        return int(cursor.fetchone()[1])
