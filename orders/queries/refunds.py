"""Money on its way back: where it goes, what is on the way, what is stuck."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from config.kernel.caller import Caller
from config.kernel.ids import parse
from orders.errors import RefundNotFound
from orders.models import Refund
from stores.permissions import Permission
from stores.queries import require_permission

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


def brand_of_refund(refund: Refund) -> UUID:
    """Whose customer gets it."""
    paid_for = refund.purchase or refund.store_order or refund.surcharge
    assert paid_for is not None, "a refund goes to what was paid"
    return paid_for.brand_id


def refund_for_caller(caller: Caller, public_id: str, *, permission: Permission, at: datetime) -> Refund:
    """
    One refund, for whoever may do with it what ``permission`` names.

    Raises:
        MalformedId: not a refund's id.
        RefundNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    rows = Refund.objects.select_related("purchase", "store_order", "surcharge")
    found = rows.filter(pk=parse(Refund.PREFIX, public_id)).first()
    if found is None:
        raise RefundNotFound
    require_permission(caller, permission, brand_id=brand_of_refund(found), at=at, missing=RefundNotFound)
    return found
