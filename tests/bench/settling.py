"""How fast uses that can no longer be undone are paid for."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

from django.db import connection

from orders.services.settling import settle_uses
from tests import factories
from tests.bench.report import Figure
from tests.bench.rows import UUID7
from tests.bench.stand import own_database, vacuum

USES = 60_000
SETTLED = 300_000
STORES = 200
WARM_UP = 4_000
PROMOTERS = 3

# Uses of an hour and more ago with all that stands behind them; the first of them settled long since.
BOUGHT = """
INSERT INTO orders_purchase (id, brand_id, offer_id, terms_id, customer_id, request_id, quantity, unit_price_fen,
    total_fen, channel, content_id, promoter_id, promoter_rate_bps, provider_rate_bps, status, returned_quantity,
    accepted_at, paid_at, issued_at)
SELECT bench_uuid7(n), %(brand)s, %(offer)s, %(terms)s, gen_random_uuid(), gen_random_uuid(), 1, 990, 990, 'live', '',
    (%(promoters)s::uuid[])[1 + n %% array_length(%(promoters)s::uuid[], 1)], 600, 200, 'issued', 0,
    %(at)s, %(at)s, %(at)s
FROM generate_series(1, %(count)s::bigint) AS n
"""
ISSUED = """
INSERT INTO vouchers_voucher (id, brand_id, customer_id, terms_id, issuer, external_id, source_kind, source_id, ordinal,
    code, uses_total, uses_left, uses_held, use_amounts_fen, paid_fen, valid_from, valid_until, status, issued_at)
SELECT bench_uuid7(row_number() OVER ()), brand_id, customer_id, terms_id, 'own', '', 'purchase', id, 1,
    (10 ^ 11 + row_number() OVER ())::bigint::text, 1, 0, 0, ARRAY[990], 990, %(at)s,
    %(at)s::timestamptz + interval '30 days', 'used', %(at)s
FROM orders_purchase
"""
DRUNK = """
INSERT INTO vouchers_redemption (id, request_id, voucher_id, customer_id, store_id, entity_id, serial, amount_fen,
    business_date, redeemed_at, reversible_until, settled_at)
SELECT bench_uuid7(n), gen_random_uuid(), id, customer_id,
    (%(stores)s::uuid[])[1 + n %% array_length(%(stores)s::uuid[], 1)],
    (%(entities)s::uuid[])[1 + n %% array_length(%(entities)s::uuid[], 1)], 1, 990, %(at)s::date,
    %(at)s::timestamptz + n * interval '1 millisecond',
    %(at)s::timestamptz + interval '1 hour' + n * interval '1 millisecond',
    CASE WHEN n <= %(settled)s THEN %(at)s::timestamptz + interval '2 hours' END
FROM (SELECT id, customer_id, row_number() OVER () AS n FROM vouchers_voucher) AS voucher
"""


def settle() -> Iterator[Figure]:
    """``settle`` and ``settle_2_workers``: line, statement and four transfers a use, beside what settled before."""
    with own_database():
        _uses()
        vacuum("orders_purchase", "vouchers_voucher", "vouchers_redemption")
        warm = 0
        while warm < WARM_UP:
            warm += settle_uses(at=datetime.now(UTC))
        began, cpu_began = time.perf_counter(), time.process_time()
        settled = 0
        while settled < USES:
            settled += settle_uses(at=datetime.now(UTC))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        yield Figure(
            "settle",
            round(settled / seconds),
            "redemptions/s",
            f"1 worker, {settled:,} uses at {STORES} stores beside {SETTLED:,} settled before, 1,000 a transaction, "
            f"four transfers a use, Python's share {cpu / seconds:.0%}, {cpu / settled * 1e6:.0f} µs a use",
        )
        connection.close()  # a forked worker opens its own
        with ProcessPoolExecutor(2, mp_context=get_context("fork")) as workers:
            list(workers.map(_ready, range(2)))
            began = time.perf_counter()
            done = [each.result() for each in [workers.submit(_settle_all) for _ in range(2)]]
            seconds = time.perf_counter() - began
        yield Figure(
            "settle_2_workers",
            round(sum(done) / seconds),
            "redemptions/s",
            f"2 worker processes, {sum(done):,} uses ({done[0]:,} and {done[1]:,}) of the same {STORES} stores, after "
            f"those of one worker",
        )


def _ready(_: int) -> None:
    connection.ensure_connection()
    time.sleep(0.5)  # so that the other one starts, too


def _settle_all() -> int:
    settled = 0
    while count := settle_uses(at=datetime.now(UTC)):
        settled += count
    return settled


def _uses() -> None:
    brand = factories.brand()
    entities = [factories.entity(brand, kind="franchisee") for _ in range(STORES)]
    stores = [factories.store(brand, entity=entity) for entity in entities]
    terms = factories.terms(factories.deal(brand), settlement_rules=[{"share_bps": 9_000, "fee_bps": 200}])
    offer = factories.offer(terms)
    asked = {
        "brand": brand.pk,
        "offer": offer.pk,
        "terms": terms.pk,
        "at": datetime.now(UTC) - timedelta(hours=5),
        "count": 2 * USES + SETTLED + WARM_UP,
        "settled": SETTLED,
        "promoters": [factories.promoter(brand).pk for _ in range(PROMOTERS)],
        "stores": [store.pk for store in stores],
        "entities": [entity.pk for entity in entities],
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(UUID7)
        for statement in (BOUGHT, ISSUED, DRUNK):
            cursor.execute(statement, asked)
