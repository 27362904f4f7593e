"""What an audit looks at: everything, or what a bounded number of recent purchases touched."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg import sql

from orders.services.ledger import POSTING_TABLE

TABLES = {
    "purchases": "orders_purchase",
    "purchases_of_customers": "orders_purchase",
    "payments": "orders_payment",
    "refunds": "orders_refund",
    "refund_requests": "orders_refundrequest",
    "transfers": "orders_ledgertransfer",
    "allowances": "vouchers_customerallowance",
    "vouchers": "vouchers_voucher",
    "redemptions": "vouchers_redemption",
    "endings": "vouchers_useending",
}

TOUCHED = """
SELECT id FROM (
    (SELECT id FROM orders_purchase WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s)
    UNION (SELECT purchase_id FROM orders_payment WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s)
    UNION (SELECT purchase_id FROM orders_refund WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s)
    UNION (
        SELECT voucher.source_id FROM (
            SELECT voucher_id FROM vouchers_redemption WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s
        ) AS recent JOIN vouchers_voucher voucher ON voucher.id = recent.voucher_id
        WHERE voucher.source_kind = 'purchase')
) AS touched ORDER BY id DESC LIMIT %(limit)s
"""

# Each is found along an index: what belongs to the purchases, never a scan. Reversed redemptions have
# no index by voucher; they are reached by their key, and none is reversed later than it may be.
NARROWED = {
    "purchases": "SELECT * FROM orders_purchase WHERE id = ANY(%(purchases)s)",
    "purchases_of_customers": "SELECT * FROM orders_purchase WHERE customer_id = ANY(%(customers)s)",
    "payments": "SELECT * FROM orders_payment WHERE purchase_id = ANY(%(purchases)s)",
    "refunds": "SELECT * FROM orders_refund WHERE purchase_id = ANY(%(purchases)s)",
    "refund_requests": "SELECT * FROM orders_refundrequest WHERE voucher_id = ANY(%(vouchers)s)",
    "transfers": "SELECT * FROM orders_ledgertransfer WHERE source_id = ANY(%(sources)s)",
    "allowances": "SELECT * FROM vouchers_customerallowance"
    " WHERE offer_id = ANY(%(offers)s) AND customer_id = ANY(%(customers)s)",
    "vouchers": "SELECT * FROM vouchers_voucher WHERE source_id = ANY(%(purchases)s)",
    "redemptions": "SELECT * FROM vouchers_redemption WHERE voucher_id = ANY(%(vouchers)s) AND reversed_at IS NULL"
    " UNION ALL SELECT * FROM vouchers_redemption"
    " WHERE id >= %(reversed_since)s AND voucher_id = ANY(%(vouchers)s) AND reversed_at IS NOT NULL",
    "endings": "SELECT * FROM vouchers_useending WHERE voucher_id = ANY(%(vouchers)s)",
}
assert NARROWED.keys() == TABLES.keys()

# What is still owed for a purchase's vouchers: all that was paid, less uses redeemed, given back or kept.
OWED = """
(
    SELECT voucher.brand_id, voucher.source_id AS purchase_id,
           sum(voucher.paid_fen) - coalesce(sum(redeemed.fen), 0) - coalesce(sum(ended.fen), 0) AS owed_fen
    FROM {vouchers} AS voucher
    LEFT JOIN (
        SELECT voucher_id, sum(amount_fen) AS fen FROM {redemptions} AS redemption
        WHERE reversed_at IS NULL GROUP BY voucher_id
    ) AS redeemed ON redeemed.voucher_id = voucher.id
    LEFT JOIN (
        SELECT voucher_id, sum(amount_fen) AS fen FROM {endings} AS ending
        WHERE refunding_at IS NOT NULL OR NOT refund_follows GROUP BY voucher_id
    ) AS ended ON ended.voucher_id = voucher.id
    WHERE voucher.source_kind = 'purchase'
    GROUP BY voucher.brand_id, voucher.source_id
)
"""

RELATED = {
    "customers": "SELECT DISTINCT customer_id FROM orders_purchase WHERE id = ANY(%(purchases)s)",
    "vouchers": "SELECT id FROM vouchers_voucher WHERE source_id = ANY(%(purchases)s)",
    # All offers of these customers: her allowance counts every purchase of hers.
    "offers": "SELECT DISTINCT offer_id FROM orders_purchase WHERE customer_id = ANY(%(customers)s)",
}
SOURCES = """
SELECT unnest(%(purchases)s::uuid[])
UNION ALL SELECT id FROM orders_payment WHERE purchase_id = ANY(%(purchases)s)
UNION ALL SELECT id FROM orders_refund WHERE purchase_id = ANY(%(purchases)s)
UNION ALL SELECT id FROM vouchers_redemption WHERE voucher_id = ANY(%(vouchers)s) AND reversed_at IS NULL
UNION ALL SELECT id FROM vouchers_redemption
    WHERE id >= %(reversed_since)s AND voucher_id = ANY(%(vouchers)s) AND reversed_at IS NOT NULL
UNION ALL SELECT lpad(to_hex(id), 32, '0')::uuid FROM vouchers_useending WHERE voucher_id = ANY(%(vouchers)s)
"""


@dataclass(frozen=True)
class Slice:
    """The relations that ``{names}`` in a check stand for, and the parameters in them."""

    relations: dict[str, sql.Composable]
    parameters: dict[str, Any] = field(default_factory=dict)
    is_whole: bool = False
    purchases: int | None = None
    is_cut: bool = False
    """More was touched than the bound: the newest are in, the others are not."""


def whole() -> Slice:
    """Every row there is."""
    return Slice(
        relations=_with_derived({name: sql.Identifier(table) for name, table in TABLES.items()}), is_whole=True
    )


def recent(*, minutes: int, limit: int, at: datetime) -> Slice:
    """
    What the ``limit`` newest purchases touched within ``minutes`` before ``at`` are made of.

    Ids are UUIDv7, so "recent" is a range of the primary key. Runs inside the caller's snapshot.
    """
    since = at - timedelta(minutes=minutes)
    found: dict[str, Any] = {"since": _first_id(since), "limit": limit + 1}
    found["reversed_since"] = _first_id(since - timedelta(days=1))
    touched = _ids(TOUCHED, found)
    found["purchases"] = touched[:limit]
    for name, query in RELATED.items():
        found[name] = _ids(query, found)
    found["sources"] = _ids(SOURCES, found)
    return Slice(
        relations=_with_derived({name: sql.SQL(f"({query})") for name, query in NARROWED.items()}),
        parameters=found,
        purchases=len(found["purchases"]),
        is_cut=len(touched) > limit,
    )


def _with_derived(relations: dict[str, sql.Composable]) -> dict[str, sql.Composable]:
    rules = [
        sql.SQL("({})").format(
            sql.SQL(", ").join(map(sql.Literal, [kind.value, rule.debit.value, rule.credit.value, rule.source_kind]))
        )
        for kind, rule in POSTING_TABLE.items()
    ]
    return relations | {
        "owed": sql.SQL(OWED).format(**relations),
        "posting_table": sql.SQL("(VALUES {})").format(sql.SQL(", ").join(rules)),
    }


def _first_id(at: datetime) -> UUID:
    """The smallest UUIDv7 of a millisecond, version bits aside."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def _ids(query: str, parameters: dict[str, Any]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [row[0] for row in cursor.fetchall()]
