"""How fast lines that were made become movements, and cups the materials they took."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from config.kernel.caller import MACHINE
from stores.models import Product, StockLevel, Store
from stores.services import consuming, recipes, stock_settling
from stores.services.recipes import RecipeSaid
from tests import factories
from tests.bench.report import Figure
from tests.bench.stand import own_database, vacuum

LINES = 200_000
WARM_UP = 10_000
STORES = 200
PRODUCTS = 20
CUPS = 20_000
MATERIALS = 30
A_CUP = 6

FILL = """
    INSERT INTO stores_stockreservation (store_id, product_id, quantity, mode, business_date, source_kind, source_id,
        state, reserved_at, made_at)
    SELECT level.store_id, level.product_id, 1 + n %% 2, 'counted', %(at)s::date, 'store_order', gen_random_uuid(),
           'open', %(at)s, %(at)s
    FROM generate_series(1, %(lines)s) AS n
    JOIN (SELECT store_id, product_id, row_number() OVER () - 1 AS place FROM stores_stocklevel) level
        ON level.place = n %% %(levels)s
"""
MAKE = """
    INSERT INTO stores_materialuse
        (store_id, source_kind, source_id, business_date, cups, state, recipes, taken, made_at)
    SELECT store.id, 'store_order', gen_random_uuid(), %(at)s::date,
           jsonb_build_array(jsonb_build_object('p', product.id, 'n', 1, 'o', '[]'::jsonb)), 'open', '{}', '{}', %(at)s
    FROM generate_series(1, %(cups)s) AS n
    JOIN (SELECT id, row_number() OVER () - 1 AS place, count(*) OVER () AS all FROM stores_store) store
        ON store.place = n %% store.all
    JOIN (SELECT id, row_number() OVER () - 1 AS place, count(*) OVER () AS all FROM stores_product
          WHERE unit = '') product ON product.place = (n / 7) %% product.all
"""
COUNT = """
    UPDATE stores_stocklevel level SET reserved = (
        SELECT coalesce(sum(quantity), 0) FROM stores_stockreservation open
        WHERE open.store_id = level.store_id AND open.product_id = level.product_id AND open.state = 'open')
"""


def settling() -> Iterator[Figure]:
    """``stock_settle`` and ``stock_settle_later``: what is settled already makes the next lines no slower."""
    with own_database():
        brand = factories.brand()
        products = [factories.product(brand) for _ in range(PRODUCTS)]
        _count(products, [factories.store(brand) for _ in range(STORES)])
        _fill(WARM_UP)
        _drain()
        figures = [_measured(name) for name in ("stock_settle", "stock_settle_later")]
    yield from figures


def _measured(name: str) -> Figure:
    _fill(LINES)
    began, cpu_began = time.perf_counter(), time.process_time()
    lines = _drain()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    assert lines == LINES
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM stores_stockmovement")
        [behind] = cursor.fetchone()
    return Figure(
        name,
        round(lines / seconds),
        "lines/s",
        f"1 worker, {LINES:,} lines of {STORES} stores with {PRODUCTS} products each, "
        f"{stock_settling.LINES_AT_ONCE:,} a transaction, {behind - LINES:,} movements before, "
        f"Python's share {cpu / seconds:.0%}",
    )


def consuming_cups() -> Iterator[Figure]:
    """``material_use`` and ``material_use_later``: cups of orders of one, with six materials each."""
    with own_database():
        brand = factories.brand()
        stores = [factories.store(brand) for _ in range(STORES)]
        products = [factories.product(brand) for _ in range(PRODUCTS)]
        materials = [factories.material(brand) for _ in range(MATERIALS)]
        _count(materials, stores)
        for place, product in enumerate(products):
            taken = [materials[(place + n) % MATERIALS] for n in range(A_CUP)]
            lines = [RecipeSaid(material.id, 20 + n) for n, material in enumerate(taken)]
            at = datetime.now(UTC) - timedelta(days=1)
            recipes.replace(product_id=product.id, lines=lines, by=MACHINE, at=at)
        _make(WARM_UP // 10)
        while consuming.consume(at=datetime.now(UTC)).lines:
            pass
        figures = [_consumed(name) for name in ("material_use", "material_use_later")]
    yield from figures


def _consumed(name: str) -> Figure:
    _make(CUPS)
    began, cups = time.perf_counter(), 0
    while settled := consuming.consume(at=datetime.now(UTC)).lines:
        cups += settled
    seconds = time.perf_counter() - began
    assert cups == CUPS
    return Figure(
        name,
        round(cups / seconds),
        "cups/s",
        f"1 worker, {CUPS:,} cups of {STORES} stores, {A_CUP} of {MATERIALS} materials each, "
        f"{consuming.CUPS_AT_ONCE:,} a transaction",
    )


def _make(cups: int) -> None:
    at = datetime.now(UTC) - timedelta(minutes=1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(MAKE, {"cups": cups, "at": at})
    vacuum("stores_materialuse", "stores_stocklevel")


def _drain() -> int:
    lines = 0
    while settled := stock_settling.settle(at=datetime.now(UTC)).lines:
        lines += settled
    return lines


def _count(products: list[Product], stores: list[Store]) -> None:
    StockLevel.objects.bulk_create(
        StockLevel(store=store, product=product, mode="counted", on_hand=1_000_000)
        for store in stores
        for product in products
    )


def _fill(lines: int) -> None:
    at = datetime.now(UTC) - timedelta(minutes=1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(FILL, {"lines": lines, "levels": STORES * PRODUCTS, "at": at})
        cursor.execute(COUNT)
    vacuum("stores_stockreservation", "stores_stocklevel")
