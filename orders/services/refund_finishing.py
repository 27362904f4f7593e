"""The end of a refund: the vouchers are refunded, their purchases say so, and units go back on sale where promised."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from config.kernel.pipeline import as_jsonb, pipelined
from orders.models import Purchase
from vouchers.services import offer_counters, returns

LOCK_PURCHASES = """
SELECT purchase.id, purchase.offer_id, purchase.customer_id, purchase.returned_quantity,
       terms.refund_returns_stock
FROM orders_purchase purchase JOIN vouchers_dealterms terms ON terms.id = purchase.terms_id
WHERE purchase.id IN (SELECT source_id FROM vouchers_voucher WHERE id = ANY(%(vouchers)s) AND source_kind = 'purchase')
ORDER BY purchase.id FOR NO KEY UPDATE OF purchase
"""
# A voucher is given back when its last use is; a card with one use drunk never is.
GIVEN_BACK = """
SELECT voucher.source_id, count(*), count(*) FILTER (WHERE voucher.uses_total = (
    SELECT count(*) FROM vouchers_useending ending
    WHERE ending.voucher_id = voucher.id AND ending.refunded_at IS NOT NULL))
FROM vouchers_voucher voucher
WHERE voucher.source_id IN (
    SELECT source_id FROM vouchers_voucher WHERE id = ANY(%(vouchers)s) AND source_kind = 'purchase')
GROUP BY voucher.source_id
"""
UPDATE_PURCHASES = """
UPDATE orders_purchase purchase SET status = fresh.status, returned_quantity = fresh.returned
FROM jsonb_to_recordset(%(rows)s::jsonb) AS fresh(id uuid, status text, returned smallint)
WHERE purchase.id = fresh.id
"""


@dataclass(frozen=True, slots=True)
class _Purchase:
    """A purchase this transaction holds the lock of."""

    id: UUID
    offer_id: UUID
    customer_id: UUID
    returned_quantity: int
    refund_returns_stock: bool


def finish(*, voucher_ids: Sequence[UUID], at: datetime) -> None:
    """
    The money for the given-back uses of these vouchers has left, or there was none to send.

    Runs inside the caller's transaction: locks the vouchers, then their purchases, then the offers
    whose units come back, each in key order. Recounts, so a repeat changes nothing.
    """
    assert connection.in_atomic_block, "a refund ends with what paid it"
    returns.finish_refund(voucher_ids=voucher_ids, at=at)
    with pipelined() as send:
        # Counted after the lock: of two last vouchers of a purchase, the later one sees the earlier.
        locking = send(LOCK_PURCHASES, {"vouchers": list(voucher_ids)})
        counting = send(GIVEN_BACK, {"vouchers": list(voucher_ids)})
    purchases = [_Purchase(*row) for row in locking.fetchall()]
    if not purchases:
        return
    counted = {purchase_id: (vouchers, given_back) for purchase_id, vouchers, given_back in counting.fetchall()}
    rows, coming_back = [], dict[tuple[UUID, UUID], int]()
    for purchase in purchases:
        vouchers, given_back = counted[purchase.id]
        # A unit is a voucher where stock comes back: a bundle, which is given back child by child, promises none.
        returned = given_back if purchase.refund_returns_stock else 0
        status = Purchase.Status.REFUNDED if given_back == vouchers else Purchase.Status.PARTLY_REFUNDED
        rows.append({"id": purchase.id, "status": status, "returned": returned})
        if fresh := returned - purchase.returned_quantity:
            key = (purchase.offer_id, purchase.customer_id)
            coming_back[key] = coming_back.get(key, 0) + fresh
    with pipelined() as send:
        send(UPDATE_PURCHASES, {"rows": as_jsonb(rows)})
    # Last, so that a hot offer is held no longer than the commit takes.
    offer_counters.release(quantities=coming_back)
