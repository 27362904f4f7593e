"""What an audit looks at: everything, or what a bounded number of recent purchases touched."""

from collections.abc import Sequence
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
    "store_orders": "orders_storeorder",
    "payments": "orders_payment",
    "refunds": "orders_refund",
    "refund_requests": "orders_refundrequest",
    "transfers": "orders_ledgertransfer",
    "payouts": "orders_payout",
    "invoices": "orders_invoice",
    "allowances": "vouchers_customerallowance",
    "vouchers": "vouchers_voucher",
    "redemptions": "vouchers_redemption",
    "endings": "vouchers_useending",
    "holds": "vouchers_hold",
    "surcharges": "orders_surcharge",
    "settlements": "orders_settlement",
    "reservations": "stores_stockreservation",
    "movements": "stores_stockmovement",
    "stock_acts": "stores_stockact",
    "material_uses": "stores_materialuse",
    "cases": "orders_aftersalecase",
}

TOUCHED = """
SELECT id FROM (
    (SELECT id FROM orders_purchase WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s)
    UNION (
        SELECT purchase_id FROM orders_payment WHERE id >= %(since)s AND purchase_id IS NOT NULL
        ORDER BY id DESC LIMIT %(limit)s)
    UNION (
        SELECT purchase_id FROM orders_refund WHERE id >= %(since)s AND purchase_id IS NOT NULL
        ORDER BY id DESC LIMIT %(limit)s)
    UNION (
        SELECT voucher.source_id FROM (
            SELECT redemption_id FROM orders_surcharge WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s
        ) AS recent
        JOIN vouchers_redemption redemption ON redemption.id = recent.redemption_id
        JOIN vouchers_voucher voucher ON voucher.id = redemption.voucher_id
        WHERE voucher.source_kind = 'purchase')
    UNION (
        SELECT voucher.source_id FROM (
            SELECT voucher_id FROM vouchers_redemption WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s
        ) AS recent JOIN vouchers_voucher voucher ON voucher.id = recent.voucher_id
        WHERE voucher.source_kind = 'purchase')
) AS touched ORDER BY id DESC LIMIT %(limit)s
"""

# What is used now settles when its window is over, and its purchase may be of last month: looked at when it settles.
SETTLED = """
SELECT DISTINCT purchase_id FROM (
    SELECT purchase_id FROM orders_settlement WHERE settled_at >= %(settled_since)s AND purchase_id IS NOT NULL
    UNION ALL
    SELECT voucher.source_id FROM orders_settlement line
    JOIN vouchers_redemption redemption ON redemption.id = line.redemption_id
    JOIN vouchers_voucher voucher ON voucher.id = redemption.voucher_id AND voucher.source_kind = 'purchase'
    WHERE line.settled_at >= %(settled_since)s AND line.source_kind = 'surcharge'
) AS settled ORDER BY purchase_id DESC LIMIT %(limit)s
"""

# Each row is found along an index from the ids of the slice, which a query has in materialised CTEs:
# long arrays repeated in conditions cost the planner more than the rows cost the executor.
NARROWED = {
    "purchases": "SELECT whole.* FROM slice_purchases JOIN orders_purchase whole USING (id)",
    "purchases_of_customers": "SELECT whole.* FROM slice_customers JOIN orders_purchase whole"
    " ON whole.customer_id = slice_customers.id",
    "store_orders": "SELECT whole.* FROM slice_store_orders JOIN orders_storeorder whole USING (id)",
    "payments": "SELECT whole.* FROM slice_purchases JOIN orders_payment whole"
    " ON whole.purchase_id = slice_purchases.id"
    " UNION ALL SELECT whole.* FROM slice_store_orders JOIN orders_payment whole"
    " ON whole.store_order_id = slice_store_orders.id",
    "refunds": "SELECT whole.* FROM slice_purchases JOIN orders_refund whole ON whole.purchase_id = slice_purchases.id"
    " UNION ALL SELECT whole.* FROM slice_store_orders JOIN orders_refund whole"
    " ON whole.store_order_id = slice_store_orders.id"
    " UNION ALL SELECT whole.* FROM slice_surcharges JOIN orders_refund whole"
    " ON whole.surcharge_id = slice_surcharges.id",
    "refund_requests": "SELECT whole.* FROM slice_vouchers JOIN orders_refundrequest whole"
    " ON whole.voucher_id = slice_vouchers.id",
    "payouts": "SELECT whole.* FROM slice_payouts JOIN orders_payout whole USING (id)",
    # A customer asks for one whenever she likes; their lines are looked at with what settled.
    "invoices": "SELECT whole.* FROM orders_invoice whole WHERE false",
    "transfers": "SELECT whole.* FROM slice_sources JOIN orders_ledgertransfer whole"
    " ON whole.source_id = slice_sources.id",
    "allowances": "SELECT whole.* FROM slice_allowances JOIN vouchers_customerallowance whole"
    " USING (offer_id, customer_id)",
    "vouchers": "SELECT whole.* FROM slice_vouchers JOIN vouchers_voucher whole USING (id)",
    "redemptions": "SELECT whole.* FROM slice_redemptions JOIN vouchers_redemption whole USING (id)",
    "endings": "SELECT whole.* FROM slice_vouchers JOIN vouchers_useending whole"
    " ON whole.voucher_id = slice_vouchers.id",
    "holds": "SELECT whole.* FROM slice_vouchers JOIN vouchers_hold whole ON whole.voucher_id = slice_vouchers.id",
    "surcharges": "SELECT whole.* FROM slice_surcharges JOIN orders_surcharge whole USING (id)",
    "settlements": "SELECT whole.* FROM slice_sources JOIN orders_settlement whole USING (id)",
    "reservations": "SELECT whole.* FROM slice_takers JOIN stores_stockreservation whole"
    " ON whole.source_id = slice_takers.id",
    "movements": "SELECT whole.* FROM slice_takers JOIN stores_stockmovement whole"
    " ON whole.source_id = slice_takers.id",
    "stock_acts": "SELECT whole.* FROM slice_stock_acts JOIN stores_stockact whole USING (id)",
    "material_uses": "SELECT whole.* FROM slice_takers JOIN stores_materialuse whole"
    " ON whole.source_id = slice_takers.id",
    "cases": "SELECT whole.* FROM slice_cases JOIN orders_aftersalecase whole USING (id)",
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

# What a unit of each terms becomes: one voucher of theirs, or so many of each of a bundle's children.
UNITS = """
(
    SELECT id AS terms_id, id AS issued_terms_id, 1 AS count FROM vouchers_dealterms
    WHERE jsonb_array_length(bundle_children) = 0
    UNION ALL
    SELECT terms.id, substr(child ->> 'terms', 5)::uuid, (child ->> 'count')::int
    FROM vouchers_dealterms terms, jsonb_array_elements(terms.bundle_children) AS child
)
"""

# In this order: later ones read earlier ones. Redemptions have an index by voucher while they are live;
# of the reversed ones those are in that are recent themselves.
RELATED = {
    "store_orders": """
        (SELECT id FROM orders_storeorder WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s)
        UNION (SELECT id FROM orders_settlement
               WHERE settled_at >= %(settled_since)s AND source_kind = 'store_order' ORDER BY id DESC LIMIT %(limit)s)
    """,
    "payouts": """
        (SELECT id FROM orders_payout WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s)
        UNION (SELECT id FROM orders_payout WHERE ended_at >= %(settled_since)s ORDER BY ended_at DESC LIMIT %(limit)s)
    """,
    "customers": "SELECT DISTINCT purchase.customer_id FROM slice_purchases JOIN orders_purchase purchase USING (id)",
    # With those of the newest grants and those that platforms sold lately, and those of either redeemed or settled
    # lately.
    "vouchers": """
        SELECT voucher.id FROM slice_purchases JOIN vouchers_voucher voucher ON voucher.source_id = slice_purchases.id
        UNION (
            SELECT voucher.id FROM vouchers_grantbatch batch JOIN vouchers_voucher voucher
                ON voucher.source_id = batch.id AND voucher.source_kind = 'grant'
            WHERE batch.id >= %(since)s ORDER BY batch.id DESC, voucher.ordinal LIMIT %(limit)s)
        UNION (
            SELECT voucher.id FROM (
                SELECT voucher_id FROM vouchers_redemption WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s
            ) AS recent JOIN vouchers_voucher voucher ON voucher.id = recent.voucher_id
            WHERE voucher.source_kind = 'grant')
        UNION (
            SELECT redemption.voucher_id FROM (
                SELECT redemption_id FROM orders_settlement
                WHERE settled_at >= %(settled_since)s AND source_kind = 'redemption' AND purchase_id IS NULL
                ORDER BY id DESC LIMIT %(limit)s
            ) AS recent JOIN vouchers_redemption redemption ON redemption.id = recent.redemption_id)
        UNION (SELECT voucher_id FROM vouchers_issuervoucher WHERE voucher_id >= %(since)s
               ORDER BY voucher_id DESC LIMIT %(limit)s)
        UNION (
            SELECT sale.voucher_id FROM (
                SELECT redemption_id FROM vouchers_issuerredemption WHERE redemption_id >= %(since)s
                ORDER BY redemption_id DESC LIMIT %(limit)s
            ) AS recent JOIN vouchers_redemption redemption ON redemption.id = recent.redemption_id
            JOIN vouchers_issuervoucher sale USING (voucher_id))
    """,
    "redemptions": """
        SELECT redemption.id FROM slice_vouchers JOIN vouchers_redemption redemption
            ON redemption.voucher_id = slice_vouchers.id AND redemption.reversed_at IS NULL
        UNION ALL SELECT redemption.id FROM vouchers_redemption redemption
            JOIN slice_vouchers ON slice_vouchers.id = redemption.voucher_id
            WHERE redemption.id >= %(since)s AND redemption.reversed_at IS NOT NULL
    """,
    "surcharges": """
        SELECT surcharge.id FROM slice_redemptions JOIN orders_surcharge surcharge
            ON surcharge.redemption_id = slice_redemptions.id
    """,
    "cases": """
        SELECT of_use.id FROM slice_redemptions JOIN orders_aftersalecase of_use
            ON of_use.redemption_id = slice_redemptions.id
    """,
    "stock_acts": "SELECT id FROM stores_stockact WHERE id >= %(since)s ORDER BY id DESC LIMIT %(limit)s",
    "sources": """
        SELECT id FROM slice_purchases
        UNION ALL SELECT id FROM slice_surcharges
        UNION ALL SELECT id FROM slice_store_orders
        UNION ALL SELECT refund.id FROM slice_surcharges JOIN orders_refund refund
            ON refund.surcharge_id = slice_surcharges.id
        UNION ALL SELECT id FROM slice_redemptions
        UNION ALL SELECT id FROM slice_cases
        UNION ALL SELECT id FROM slice_payouts
        UNION ALL SELECT payment.id FROM slice_purchases JOIN orders_payment payment
            ON payment.purchase_id = slice_purchases.id
        UNION ALL SELECT refund.id FROM slice_purchases JOIN orders_refund refund
            ON refund.purchase_id = slice_purchases.id
        UNION ALL SELECT payment.id FROM slice_store_orders JOIN orders_payment payment
            ON payment.store_order_id = slice_store_orders.id
        UNION ALL SELECT refund.id FROM slice_store_orders JOIN orders_refund refund
            ON refund.store_order_id = slice_store_orders.id
        UNION ALL SELECT lpad(to_hex(ending.id), 32, '0')::uuid FROM slice_vouchers JOIN vouchers_useending ending
            ON ending.voucher_id = slice_vouchers.id
    """,
}
CTES = {
    "slice_purchases": "slice_purchases(id) AS MATERIALIZED (SELECT unnest(%(purchases)s::uuid[]))",
    "slice_store_orders": "slice_store_orders(id) AS MATERIALIZED (SELECT unnest(%(store_orders)s::uuid[]))",
    "slice_customers": "slice_customers(id) AS MATERIALIZED (SELECT unnest(%(customers)s::uuid[]))",
    "slice_vouchers": "slice_vouchers(id) AS MATERIALIZED (SELECT unnest(%(vouchers)s::uuid[]))",
    "slice_redemptions": "slice_redemptions(id) AS MATERIALIZED (SELECT unnest(%(redemptions)s::uuid[]))",
    "slice_surcharges": "slice_surcharges(id) AS MATERIALIZED (SELECT unnest(%(surcharges)s::uuid[]))",
    "slice_payouts": "slice_payouts(id) AS MATERIALIZED (SELECT unnest(%(payouts)s::uuid[]))",
    "slice_cases": "slice_cases(id) AS MATERIALIZED (SELECT unnest(%(cases)s::uuid[]))",
    "slice_sources": "slice_sources(id) AS MATERIALIZED (SELECT unnest(%(sources)s::uuid[]))",
    "slice_stock_acts": "slice_stock_acts(id) AS MATERIALIZED (SELECT unnest(%(stock_acts)s::uuid[]))",
    # What takes from a store's stock.
    "slice_takers": "slice_takers(id) AS MATERIALIZED (SELECT unnest(%(redemptions)s::uuid[])"
    " UNION ALL SELECT unnest(%(store_orders)s::uuid[])"
    " UNION ALL SELECT unnest(%(cases)s::uuid[])"
    " UNION ALL SELECT unnest(%(stock_acts)s::uuid[]))",
    # Every offer these customers ever bought of: her allowance counts all her purchases.
    "slice_allowances": "slice_allowances AS MATERIALIZED (SELECT DISTINCT offer_id, customer_id"
    " FROM orders_purchase WHERE customer_id = ANY(%(customers)s::uuid[]))",
}


@dataclass(frozen=True)
class Slice:
    """The relations that ``{names}`` in a check stand for, and the ids in them."""

    relations: dict[str, sql.Composable]
    parameters: dict[str, Any] = field(default_factory=dict)
    is_whole: bool = False
    purchase_ids: tuple[UUID, ...] = ()
    is_cut: bool = False
    """More was touched than the bound: the newest are in, the others are not."""

    def ask(self, query: sql.Composable) -> list[tuple[Any, ...]]:
        """The rows of a query over the slice, with the ids that it names in front of it."""
        with connection.cursor() as cursor:
            text = query.as_string(cursor.cursor)
            cursor.execute(_with_ids(text), self.parameters or None)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def whole() -> Slice:
    """Every row there is."""
    return Slice(
        relations=_with_derived({name: sql.Identifier(table) for name, table in TABLES.items()}), is_whole=True
    )


def recent(*, minutes: int, limit: int, at: datetime) -> Slice:
    """
    What the ``limit`` newest purchases touched within ``minutes`` before ``at`` are made of, and as many that settled
    then, with orders and payouts of that time.

    Ids are UUIDv7, so "recent" is a range of the primary key; lines lie in the order in which they settled.
    Runs inside the caller's snapshot.
    """
    with connection.cursor() as cursor:
        # Indexes, also where a table is still small enough to be read faster as a whole.
        cursor.execute("SET LOCAL random_page_cost = 1.1")
    since = at - timedelta(minutes=minutes)
    found: dict[str, Any] = {"since": _first_id(since), "settled_since": since, "limit": limit + 1}
    touched, settled = _ids(TOUCHED, found), _ids(SETTLED, found)
    purchase_ids = tuple(dict.fromkeys([*touched[:limit], *settled[:limit]]))
    found["purchases"] = _array(purchase_ids)
    for name, query in RELATED.items():
        found[name] = _array(_ids(query, found))
    return Slice(
        relations=_with_derived({name: sql.SQL(f"({query})") for name, query in NARROWED.items()}),
        parameters=found,
        purchase_ids=purchase_ids,
        is_cut=len(touched) > limit or len(settled) > limit,
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
        "units": sql.SQL(UNITS),
        "posting_table": sql.SQL("(VALUES {})").format(sql.SQL(", ").join(rules)),
    }


def _first_id(at: datetime) -> UUID:
    """The smallest UUIDv7 of a millisecond, version bits aside."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def _ids(query: str, parameters: dict[str, Any]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_with_ids(query), parameters)
        return [row[0] for row in cursor.fetchall()]


def _array(ids: Sequence[UUID]) -> str:
    """An array as PostgreSQL reads it: adapting each id again for each query took most of a slice's time."""
    return f"{{{','.join(map(str, ids))}}}"


def _with_ids(query: str) -> str:
    named = [cte for name, cte in CTES.items() if name in query]
    return f"WITH {', '.join(named)} {query}" if named else query
