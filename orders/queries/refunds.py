"""Money on its way back: where it goes, what is on the way, what is stuck."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from orders.models import Refund

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


def refunds_of_brand(brand_id: UUID, *, status: str | None = None) -> QuerySet[Refund]:
    """A brand's refunds; in the status FAILED they wait for people."""
    found = Refund.objects.filter(
        Q(purchase__brand_id=brand_id) | Q(store_order__brand_id=brand_id) | Q(surcharge__brand_id=brand_id)
    )
    return found.filter(status=status) if status else found
