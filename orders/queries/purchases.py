"""Reads of purchases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from config.kernel.pipeline import as_jsonb, pipelined
from orders.models import Purchase

PURCHASE_STATUSES = """
    SELECT p.id, p.customer_id, p.offer_id, p.quantity, p.unit_price_fen, p.total_fen, p.status, p.accepted_at,
           p.paid_at, p.issued_at, p.closed_at
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id uuid, c uuid)
    JOIN orders_purchase p ON p.id = k.id AND p.customer_id = k.c
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


def purchases_of(customer_id: UUID) -> QuerySet[Purchase]:
    """What a customer may see of purchases: her own."""
    return Purchase.objects.filter(customer_id=customer_id)
