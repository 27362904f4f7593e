"""Reads of orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from config.kernel.pipeline import as_jsonb, pipelined
from orders.models import Purchase, Refund, Surcharge

PURCHASE_STATUSES = """
    SELECT p.id, p.customer_id, p.offer_id, p.quantity, p.unit_price_fen, p.total_fen, p.status, p.accepted_at,
           p.paid_at, p.issued_at, p.closed_at
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id uuid, c uuid)
    JOIN orders_purchase p ON p.id = k.id AND p.customer_id = k.c
"""

# The capture that was posted is the one that was wanted; a second one is on its way back.
PAID_BY = """
SELECT purchase.id, purchase.brand_id, payment.id
FROM orders_purchase purchase
JOIN orders_payment payment ON payment.purchase_id = purchase.id AND payment.status = 'captured'
JOIN orders_ledgertransfer capture
    ON capture.source_id = payment.id AND capture.kind = 'capture' AND capture.source_kind = 'payment'
WHERE purchase.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class PurchaseStatus:
    """A purchase as its customer follows it."""

    purchase_id: UUID
    customer_id: UUID
    offer_id: UUID
    quantity: int
    unit_price_fen: int
    total_fen: int
    status: str
    accepted_at: datetime
    paid_at: datetime | None
    issued_at: datetime | None
    closed_at: datetime | None


def purchase_statuses(keys: Sequence[tuple[UUID, UUID]]) -> list[PurchaseStatus | None]:
    """The purchases of (purchase, customer) pairs, None for what is not there or another customer's."""
    with transaction.atomic(), pipelined() as send:
        asked = send(
            PURCHASE_STATUSES, {"rows": as_jsonb([{"id": purchase, "c": customer} for purchase, customer in keys])}
        )
    found = {(row[0], row[1]): PurchaseStatus(*row) for row in asked.fetchall()}
    return [found.get(key) for key in keys]


@dataclass(frozen=True, slots=True)
class PaidBy:
    """The payment whose money bought a purchase: where a refund of its vouchers goes."""

    purchase_id: UUID
    brand_id: UUID
    payment_id: UUID


def paid_by(purchase_ids: Collection[UUID]) -> dict[UUID, PaidBy]:
    """What paid for each purchase, by purchase; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(PAID_BY, [list(purchase_ids)])
        return {row[0]: PaidBy(*row) for row in cursor.fetchall()}


def refunds_given_up(*, limit: int) -> list[Refund]:
    """The work list: refunds their provider refused as often as they are sent, oldest first."""
    refused = Refund.objects.filter(status=Refund.Status.FAILED, attempts__gte=Refund.MOST_ATTEMPTS)
    return list(refused.select_related("payment").order_by("requested_at", "id")[:limit])


def purchases_of(customer_id: UUID) -> QuerySet[Purchase]:
    """What a customer may see of purchases: her own."""
    return Purchase.objects.filter(customer_id=customer_id)


def refunds_of_brand(brand_id: UUID, *, status: str | None = None) -> QuerySet[Refund]:
    """A brand's refunds; in the status FAILED they wait for people."""
    found = Refund.objects.filter(
        Q(purchase__brand_id=brand_id) | Q(store_order__brand_id=brand_id) | Q(surcharge__brand_id=brand_id)
    )
    return found.filter(status=status) if status else found


def surcharges_of_store(store_id: UUID) -> QuerySet[Surcharge]:
    """What was asked for at a store beyond its vouchers."""
    return Surcharge.objects.filter(store_id=store_id)
