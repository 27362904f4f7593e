"""Preparing and redeeming at the counter over HTTP, and how many statements one redemption takes."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import orjson
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.accounts.models import User
from config.accounts.tokens import sign_staff
from orders.services.issuing import issue_paid
from stores.models import Store
from tests import factories
from tests.bench import rows
from tests.bench.load import closed_loop, request_bytes
from tests.bench.report import Figure
from tests.bench.stand import own_database, serve, stage, vacuum
from vouchers.models import Voucher
from vouchers.services.redemption import redeem

PREPARATIONS = 4_000
REDEMPTIONS = 12_000
WARM_UP = 1_000
CLIENTS = 16


def counters(count: int) -> tuple[list[tuple[Store, User]], list[str]]:
    """Sixteen stores with a clerk each, and the codes of ``count`` vouchers of their brand."""
    staged = stage()
    brand = staged.session.brand
    company = factories.entity(brand)
    manned = []
    for _ in range(CLIENTS):
        store = factories.store(brand, entity=company)
        manned.append((store, factories.staff(brand, store=store).user))
    rows.purchases(staged.offer, count, customers=count, status="paid")
    vacuum("orders_purchase")
    while issue_paid(at=datetime.now(UTC)):
        pass
    vacuum("vouchers_voucher")
    return manned, list(Voucher.objects.order_by("?").values_list("code", flat=True))


def request(store: Store, clerk: User, code: str, *, act: str = "redemptions") -> bytes:
    token = sign_staff(user_id=clerk.id, at=datetime.now(UTC)).text
    return request_bytes(
        "POST",
        f"/api/v1/stores/{store.public_id}/{act}",
        headers=[f"Authorization: Bearer {token}", f"Idempotency-Key: {uuid4()}"],
        body=orjson.dumps({"codes": [code]}),
    )


def redeeming() -> Iterator[Figure]:
    """``prepare_http``, ``redeem_http``, ``redeem_p99_ms``, ``statements_redeem``."""
    with own_database():
        manned, codes = counters(REDEMPTIONS + WARM_UP + 2)
        at_each = itertools.cycle(manned)
        requests = [request(*next(at_each), code) for code in codes[2:]]
        looks = [request(*next(at_each), code, act="redemptions/prepare") for code in codes[2 : PREPARATIONS + 2]]
        with serve("config.wsgi:application", interface="wsgi") as server:
            closed_loop(server.port, looks[: WARM_UP // 4], clients=CLIENTS)
            looked = closed_loop(server.port, looks, clients=CLIENTS)
        yield Figure(
            "prepare_http",
            round(looked.statuses[200] / looked.seconds),
            "looks/s",
            f"{CLIENTS} clients, closed loop, 1 web process with 4 threads, 1 code a look, "
            f"p50 {looked.percentile_ms(50):.0f} ms, p99 {looked.percentile_ms(99):.0f} ms, "
            f"statuses {dict(looked.statuses)}",
        )
        with serve("config.asgi:intake") as server:
            closed_loop(server.port, requests[:WARM_UP], clients=CLIENTS)
            outcome = closed_loop(server.port, requests[WARM_UP:], clients=CLIENTS)
        _statements(*manned[0], codes[0])  # terms and accounts are in memory from now on
        statements = _statements(*manned[0], codes[1])
    others = {status: count for status, count in outcome.statuses.items() if status != 201}
    conditions = f"{CLIENTS} clients at as many stores, closed loop, 1 intake process, {REDEMPTIONS:,} vouchers" + (
        f"; NOT REDEEMED, by status: {others}" if others else ""
    )
    yield Figure("redeem_http", round(outcome.statuses[201] / outcome.seconds), "redemptions/s", conditions)
    yield Figure("redeem_p99_ms", round(outcome.percentile_ms(99), 1), "ms", conditions)
    yield Figure("statements_redeem", statements, "statements", "one redemption, access included, BEGIN and COMMIT not")


def _statements(store: Store, clerk: User, code: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        redeem(codes=[code], bill_fen=None, store=store, operator=clerk, request_id=uuid4(), at=datetime.now(UTC))
    return sum(1 for query in captured if not query["sql"].startswith(("BEGIN", "COMMIT")))
