"""Rows by the hundred thousand, written set-based: what a benchmark starts from and does not measure."""

from datetime import UTC, datetime
from uuid import UUID

from django.db import connection

from vouchers.models import Offer

# The upper half of a UUIDv7 is its time, so ids made here lie where the sale would have put them.
UUID7 = """
    CREATE OR REPLACE FUNCTION bench_uuid7(n bigint) RETURNS uuid LANGUAGE sql VOLATILE AS $$
        SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 86400000 + n / 100), 12, '0')
                || '7' || lpad(to_hex((random() * 4095)::int), 3, '0')
                || substr(replace(gen_random_uuid()::text, '-', ''), 17, 16))::uuid
    $$
"""


def purchases(offer: Offer, count: int, *, customers: int, status: str) -> None:
    """
    ``count`` purchases of one unit with their payments, allowances and the counter; ``status`` is
    ``accepted`` or ``paid``. Customers come round in a scattered order, request ids are random.
    """
    is_paid = status == "paid"
    at = datetime.now(UTC)
    given = {"offer": offer.id, "terms": offer.terms_id, "brand": offer.brand_id, "price": offer.price_fen, "at": at}
    paid_at = at if is_paid else None
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # millions of rows take minutes
        cursor.execute(UUID7)
        cursor.execute(
            "INSERT INTO orders_purchase (id, brand_id, offer_id, terms_id, customer_id, request_id, quantity, "
            "unit_price_fen, total_fen, channel, content_id, promoter_rate_bps, provider_rate_bps, status, "
            "returned_quantity, accepted_at, paid_at) "
            "SELECT bench_uuid7(n), %(brand)s, %(offer)s, %(terms)s, "
            "md5('customer ' || (1 + (n * 7919) %% %(customers)s)::text)::uuid, "
            "gen_random_uuid(), 1, %(price)s, %(price)s, 'live', '', 0, 0, %(status)s, 0, "
            "%(at)s::timestamptz + n * interval '1 microsecond', %(paid_at)s::timestamptz "
            "FROM generate_series(1, %(count)s::bigint) AS n",
            {**given, "status": status, "count": count, "paid_at": paid_at, "customers": customers},
        )
        cursor.execute(
            "INSERT INTO orders_payment (id, purchase_id, customer_id, provider, amount_fen, status, captured_fen, "
            "provider_reference, created_at, captured_at) SELECT bench_uuid7(row_number() OVER ()), id, customer_id, "
            "'sandbox', total_fen, %(state)s, %(captured)s, '', %(at)s, %(paid_at)s::timestamptz "
            "FROM orders_purchase p WHERE offer_id = %(offer)s "
            "AND NOT EXISTS (SELECT FROM orders_payment y WHERE y.purchase_id = p.id)",
            {
                **given,
                "state": "captured" if is_paid else "created",
                "captured": offer.price_fen if is_paid else None,
                "paid_at": paid_at,
            },
        )
        cursor.execute(
            "INSERT INTO vouchers_customerallowance (offer_id, customer_id, bought) "
            "SELECT offer_id, customer_id, sum(quantity) FROM orders_purchase WHERE offer_id = %(offer)s "
            "GROUP BY offer_id, customer_id "
            "ON CONFLICT (offer_id, customer_id) DO UPDATE SET bought = excluded.bought",
            given,
        )
        cursor.execute("UPDATE vouchers_offer SET sold = sold + %s WHERE id = %s", [count, offer.id])


def customer_ids(count: int) -> list[UUID]:
    """The ids that ``purchases`` gives to its first ``count`` customers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT md5('customer ' || n::text)::uuid FROM generate_series(1, %s) AS n", [count])
        return [row[0] for row in cursor.fetchall()]
