"""What became of a rehearsal, read from the books alone."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

# Every voucher counts once, in the first of these that holds.
VOUCHERS = """
    SELECT count(*) FILTER (WHERE is_refunded),
           count(*) FILTER (WHERE NOT is_refunded AND is_expired),
           count(*) FILTER (WHERE NOT is_refunded AND NOT is_expired AND redeemed = uses_total),
           count(*) FILTER (WHERE NOT is_refunded AND NOT is_expired AND redeemed > 0 AND redeemed < uses_total),
           count(*) FILTER (WHERE NOT is_refunded AND NOT is_expired AND redeemed = 0),
           count(*)
    FROM (
        SELECT v.uses_total, coalesce(e.is_refunded, false) AS is_refunded, coalesce(e.is_expired, false) AS is_expired,
               coalesce(r.redeemed, 0) AS redeemed
        FROM vouchers_voucher v
        LEFT JOIN (
            SELECT voucher_id, bool_or(refunded_at IS NOT NULL) AS is_refunded,
                   bool_or(expired_at IS NOT NULL) AS is_expired
            FROM vouchers_useending GROUP BY voucher_id
        ) e ON e.voucher_id = v.id
        LEFT JOIN (
            SELECT voucher_id, count(*) AS redeemed
            FROM vouchers_redemption WHERE reversed_at IS NULL GROUP BY voucher_id
        ) r ON r.voucher_id = v.id
        WHERE v.brand_id = %(brand)s AND v.source_kind = 'purchase'
    ) each_voucher
"""
# In vouchers: a bundle's unit is as many as it has children.
PURCHASES = """
    SELECT coalesce(sum(quantity * vouchers), 0)::bigint,
           coalesce(sum(quantity * vouchers) FILTER (WHERE status = 'closed'), 0)::bigint,
           coalesce(sum(quantity * vouchers) FILTER (WHERE paid_at IS NOT NULL), 0)::bigint,
           coalesce(count(*) / nullif(extract(epoch FROM max(accepted_at) - min(accepted_at)), 0), 0)
    FROM orders_purchase p JOIN (
        SELECT id, coalesce((SELECT sum((child ->> 'count')::int)
                             FROM jsonb_array_elements(bundle_children) AS child), 1) AS vouchers
        FROM vouchers_dealterms
    ) terms ON terms.id = p.terms_id
    WHERE brand_id = %(brand)s
"""
UNDONE = """
    SELECT count(*) FROM vouchers_redemption r JOIN vouchers_voucher v ON v.id = r.voucher_id
    WHERE v.brand_id = %(brand)s AND r.reversed_at IS NOT NULL
"""
MONEY = """
    SELECT kind, sum(fen)::bigint FROM (
        SELECT a.kind, a.folded_fen
               + coalesce(sum(CASE WHEN t.credit_id = a.id THEN t.amount_fen ELSE -t.amount_fen END), 0) AS fen
        FROM orders_account a
        LEFT JOIN orders_ledgertransfer t ON t.folded_at IS NULL AND (t.credit_id = a.id OR t.debit_id = a.id)
        WHERE a.brand_id = %(brand)s GROUP BY a.id
    ) each_account GROUP BY kind ORDER BY kind
"""

FLYING = ("unpaid", "unissued", "refunds", "ungranted", "unconfirmed", "orders", "unsettled")
IN_FLIGHT = """
    SELECT (SELECT count(*) FROM orders_purchase WHERE brand_id = %(brand)s AND status = 'accepted'),
           (SELECT count(*) FROM orders_purchase WHERE brand_id = %(brand)s AND status = 'paid'),
           (SELECT count(*) FROM orders_refund r
            LEFT JOIN orders_purchase bought ON bought.id = r.purchase_id
            LEFT JOIN orders_storeorder ordered ON ordered.id = r.store_order_id
            WHERE coalesce(bought.brand_id, ordered.brand_id) = %(brand)s AND r.status <> 'succeeded'),
           (SELECT count(*) FROM vouchers_grantbatch WHERE brand_id = %(brand)s AND state = 'pending'),
           (SELECT count(*) FROM orders_storeorder WHERE brand_id = %(brand)s AND status = 'placed'),
           (SELECT count(*) FROM orders_storeorder WHERE brand_id = %(brand)s
            AND status IN ('placed', 'confirmed', 'accepted', 'making', 'ready')),
           (SELECT count(*) FROM vouchers_redemption r JOIN vouchers_voucher v ON v.id = r.voucher_id
            WHERE v.brand_id = %(brand)s AND r.reversed_at IS NULL AND r.settled_at IS NULL)
           + (SELECT count(*) FROM orders_storeorder WHERE brand_id = %(brand)s AND settled_at IS NULL AND due_fen > 0
              AND status IN ('ready', 'collected', 'uncollected'))
"""


@dataclass(frozen=True)
class Books:
    """Vouchers by what became of them: ``accepted = sold + closed_unpaid``, ``sold = issued`` = its five parts."""

    accepted: int
    closed_unpaid: int
    sold: int
    accept_per_s: float
    refunded: int
    expired: int
    redeemed: int
    partly_used: int
    open: int
    issued: int
    undone: int
    balances_fen: dict[str, int]

    @property
    def add_up(self) -> bool:
        parts = self.refunded + self.expired + self.redeemed + self.partly_used + self.open
        return self.accepted == self.sold + self.closed_unpaid and self.sold == self.issued == parts


def books(brand_id: UUID) -> Books:
    """One brand's books; taken when nothing is in flight any more."""
    with connection.cursor() as cursor:
        brand = {"brand": brand_id}
        cursor.execute(PURCHASES, brand)
        accepted, closed_unpaid, sold, accept_per_s = cursor.fetchone()
        cursor.execute(VOUCHERS, brand)
        refunded, expired, redeemed, partly_used, still_open, issued = cursor.fetchone()
        cursor.execute(UNDONE, brand)
        (undone,) = cursor.fetchone()
        cursor.execute(MONEY, brand)
        balances_fen = {kind: int(fen) for kind, fen in cursor.fetchall()}
    return Books(
        accepted=accepted,
        closed_unpaid=closed_unpaid,
        sold=sold,
        accept_per_s=round(float(accept_per_s), 1),
        refunded=refunded,
        expired=expired,
        redeemed=redeemed,
        partly_used=partly_used,
        open=still_open,
        issued=issued,
        undone=undone,
        balances_fen=balances_fen,
    )


def in_flight(brand_id: UUID) -> dict[str, int]:
    """What is still to happen, to the workers or to the customers, by what it is."""
    with connection.cursor() as cursor:
        cursor.execute(IN_FLIGHT, {"brand": brand_id})
        found = cursor.fetchone()
    return dict(zip(FLYING, found, strict=True))
