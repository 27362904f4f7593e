"""Whether selling stays fast when millions have been sold."""

from collections.abc import Iterator

from tests.bench import rows
from tests.bench.intake import rate
from tests.bench.report import Figure
from tests.bench.stand import own_database, serve, stage, vacuum

SOLD = 4_000_000
CUSTOMERS = 1_500_000


def full() -> Iterator[Figure]:
    """``intake_4m_ratio``: the rate after 4,000,000 purchases over the rate at none, same run, same server."""
    with own_database(), serve("config.asgi:intake") as server:
        staged = stage()
        empty = {clients: rate(server.port, staged, clients=clients).per_second for clients in (256, 64)}
        rows.purchases(staged.offer, SOLD, customers=CUSTOMERS, status="accepted")
        vacuum("orders_purchase", "orders_payment", "vouchers_customerallowance", "vouchers_offer")
        known = rows.customer_ids(100_000)
        loaded = {clients: rate(server.port, staged, clients=clients, known=known).per_second for clients in (256, 64)}
    yield Figure(
        "intake_4m_ratio",
        round(loaded[256] / empty[256], 3),
        "ratio",
        f"256 clients: {loaded[256]:.0f}/s with {SOLD:,} purchases of {CUSTOMERS:,} customers loaded over "
        f"{empty[256]:.0f}/s at none; 64 clients: "
        f"{loaded[64] / empty[64]:.3f} ({loaded[64]:.0f}/s over {empty[64]:.0f}/s)",
    )
