"""What a web process weighs once it has answered a while."""

from collections.abc import Iterator
from datetime import UTC, datetime

from config.accounts.tokens import sign_customer
from orders.services.issuing import issue_paid
from tests.bench import rows
from tests.bench.load import closed_loop, request_bytes
from tests.bench.report import Figure
from tests.bench.stand import own_database, serve, stage

REQUESTS = 4_000


def memory() -> Iterator[Figure]:
    """``web_mb``: PSS of one WSGI process after customers have looked at their wallets and the document was made."""
    with own_database():
        staged = stage()
        rows.purchases(staged.offer, 500, customers=100, status="paid")
        while issue_paid(at=datetime.now(UTC)):
            pass
        wallets = [
            request_bytes(
                "GET",
                "/api/v1/vouchers",
                headers=[
                    "Authorization: Bearer "
                    + sign_customer(customer_id=customer, brand_id=staged.session.brand_id, at=datetime.now(UTC)).text
                ],
            )
            for customer in rows.customer_ids(100)
        ]
        with serve("config.wsgi:application", interface="wsgi") as server:
            closed_loop(server.port, [request_bytes("GET", "/api/v1/openapi.json")], clients=1)
            outcome = closed_loop(server.port, wallets * (REQUESTS // len(wallets)), clients=8)
            (used,) = server.pss_mb()
    yield Figure(
        "web_mb",
        round(used),
        "MB",
        f"PSS of one WSGI process with 4 threads after {REQUESTS:,} wallets ({outcome.per_second:.0f}/s, statuses "
        f"{dict(outcome.statuses)}) and the OpenAPI document",
    )
