"""Quoting and ordering at a store over HTTP, and how many statements one checkout takes."""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.accounts.tokens import sign_customer
from orders.services.issuing import issue_paid
from stores.models import Product, Store
from tests import factories
from tests.bench import rows
from tests.bench.load import closed_loop, request_bytes
from tests.bench.report import Figure
from tests.bench.stand import own_database, serve, stage, vacuum
from vouchers.models import Voucher

CUSTOMERS = 200
VOUCHERS_EACH = 20
LINES = 6
QUOTES = 3_000
WARM_UP = 300
ORDERS = 2_000
CLIENTS = 16
STORES = 16

Wallets = dict[UUID, list[Voucher]]


def shops() -> tuple[list[Store], list[Product], Wallets]:
    """Stores with six drinks of two sizes, and customers with twenty cash vouchers each."""
    staged = stage()
    brand = staged.session.brand
    company = factories.entity(brand)
    stores = [factories.store(brand, entity=company) for _ in range(STORES)]
    drinks = [factories.product(brand, price_fen=1_600 + 100 * number) for number in range(LINES)]
    factories.option_group(brand, *drinks)
    rows.purchases(staged.offer, CUSTOMERS * VOUCHERS_EACH, customers=CUSTOMERS, status="paid")
    while issue_paid(at=datetime.now(UTC)):
        pass
    vacuum("vouchers_voucher")
    wallets: Wallets = defaultdict(list)
    for voucher in Voucher.objects.order_by("id"):
        wallets[voucher.customer_id].append(voucher)
    return stores, drinks, wallets


def call(store: Store, customer_id: UUID, act: str, body: dict[str, Any]) -> bytes:
    token = sign_customer(customer_id=customer_id, brand_id=store.brand_id, at=datetime.now(UTC)).text
    return request_bytes(
        "POST",
        f"/api/v1/stores/{store.public_id}/{act}",
        headers=[f"Authorization: Bearer {token}", f"Idempotency-Key: {uuid4()}"],
        body=orjson.dumps(body),
    )


def ordering() -> Iterator[Figure]:
    """``quote_http``, ``checkout_http``, ``statements_quote``, ``statements_checkout``."""
    with own_database():
        stores, drinks, wallets = shops()
        at_each, whose = itertools.cycle(stores), itertools.cycle(wallets)
        cart = {"lines": [{"product": drink.public_id, "quantity": 1} for drink in drinks]}
        quotes = [call(next(at_each), next(whose), "quotes", cart) for _ in range(QUOTES + WARM_UP)]
        vouchers = [voucher for of_one in zip(*wallets.values(), strict=True) for voucher in of_one]
        orders = [
            call(next(at_each), voucher.customer_id, "orders", confirmed(voucher, drinks[0]))
            for voucher in vouchers[: ORDERS + WARM_UP]
        ]
        with serve("config.wsgi:application", interface="wsgi") as server:
            closed_loop(server.port, quotes[:WARM_UP], clients=CLIENTS)
            quoted = closed_loop(server.port, quotes[WARM_UP:], clients=CLIENTS)
            closed_loop(server.port, orders[:WARM_UP], clients=CLIENTS)
            placed = closed_loop(server.port, orders[WARM_UP:], clients=CLIENTS)
        spare = vouchers[ORDERS + WARM_UP :][:3]
        whole = [("quotes", spare[0], cart), *(("orders", voucher, confirmed(voucher, drinks[0])) for voucher in spare)]
        for act, voucher, body in whole[:2]:
            _statements(stores[0], voucher, act, body)  # terms and accounts are in memory from now on
        of_a_quote = _statements(stores[0], spare[0], "quotes", cart)
        of_a_checkout = max(_statements(stores[0], voucher, act, body) for act, voucher, body in whole[2:])
    for name, outcome, wanted, what in (
        ("quote_http", quoted, 200, f"{VOUCHERS_EACH} vouchers × {LINES} lines"),
        ("checkout_http", placed, 201, "one drink, one voucher, nothing due: confirmed with redemption and number"),
    ):
        others = {status: count for status, count in outcome.statuses.items() if status != wanted}
        conditions = f"{what}; {CLIENTS} clients at {STORES} stores, closed loop, 1 web process of 4 threads" + (
            f"; NOT ANSWERED SO, by status: {others}" if others else ""
        )
        yield Figure(name, round(outcome.statuses[wanted] / outcome.seconds), "requests/s", conditions)
    about = "the whole request, sign-in included; terms known; BEGIN and COMMIT not"
    yield Figure("statements_quote", of_a_quote, "statements", about)
    yield Figure("statements_checkout", of_a_checkout, "statements", f"{about}; confirmed at once")


def confirmed(voucher: Voucher, drink: Product) -> dict[str, Any]:
    """An order of a drink that the voucher pays for altogether."""
    return {
        "lines": [{"product": drink.public_id, "quantity": 1}],
        "uses": [{"voucher": voucher.public_id, "serial": 1}],
        "due_fen": 0,
    }


def _statements(store: Store, voucher: Voucher, act: str, body: dict[str, Any]) -> int:
    token = sign_customer(customer_id=voucher.customer_id, brand_id=store.brand_id, at=datetime.now(UTC)).text
    with CaptureQueriesContext(connection) as captured:
        answer = Client(SERVER_NAME="localhost").post(
            f"/api/v1/stores/{store.public_id}/{act}",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())},
        )
    assert answer.status_code in (200, 201), answer.content
    return sum(1 for query in captured if not query["sql"].startswith(("BEGIN", "COMMIT")))
