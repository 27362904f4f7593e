"""Cup labels: who printed them, and whether they had been printed before."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.ids import public
from config.kernel.models import AuditEntry
from orders.errors import OrderMovedOn, StoreOrderNotFound
from orders.models import StoreOrder
from stores.models import Store
from vouchers.services.actors import actor_of

PRINTED, REPRINTED = "store_order.labels_printed", "store_order.labels_reprinted"
PRINTABLE = frozenset(
    {StoreOrder.Status.ACCEPTED, StoreOrder.Status.MAKING, StoreOrder.Status.READY, StoreOrder.Status.COLLECTED}
)


@dataclass(frozen=True, slots=True)
class Printed:
    """The order whose cups get labels; ``times_before`` says how often they were printed already."""

    order: StoreOrder
    times_before: int


def print_labels(*, order_id: UUID, store_id: UUID, by: Caller, at: datetime) -> Printed:
    """
    Write down that an order's labels are printed, or printed again: a second set of labels makes a second set of cups.

    Raises:
        StoreOrderNotFound: not at this store.
        OrderMovedOn: nobody has accepted it, or it has ended.
    """
    actor = actor_of(by)
    with transaction.atomic(durable=True):
        order = StoreOrder.objects.select_for_update(no_key=True).filter(id=order_id, store_id=store_id).first()
        if order is None:
            raise StoreOrderNotFound
        if order.status not in PRINTABLE:
            raise OrderMovedOn(status=order.status)
        before = times_printed(order_id)
        audit.record(
            act=REPRINTED if before else PRINTED,
            actor_kind=actor.kind,
            actor_id=actor.id,
            subject_kind="store_order",
            subject_id=order.id,
            brand_id=order.brand_id,
            details={"store": public(Store.PREFIX, store_id), **actor.told},
            at=at,
        )
        return Printed(order, before)


def times_printed(order_id: UUID) -> int:
    return AuditEntry.objects.filter(subject_id=order_id, act__in=(PRINTED, REPRINTED)).count()
