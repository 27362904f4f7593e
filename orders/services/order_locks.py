"""The locks of store orders: the orders, their vouchers, the stock they name, their slots; each in key order."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection
from django.db.models import Q

from orders.models import AppliedVoucher, StoreOrder, StoreOrderLine
from stores.services import slots, stock
from vouchers.services import voucher_locks


def lock(order_ids: Collection[UUID]) -> list[StoreOrder]:
    """
    Lock many orders, so that what is done with one after the other meets nobody in a circle.

    Runs inside the caller's transaction.
    """
    assert connection.in_atomic_block, "a lock ends with its transaction"
    orders = list(StoreOrder.objects.filter(id__in=order_ids).order_by("id").select_for_update(no_key=True))
    _lock_parts(orders)
    return orders


def claim(due: Q, *, oldest: str, limit: int) -> list[StoreOrder]:
    """
    Lock up to ``limit`` orders in a state, those first that are due longest; what somebody has locked is hers.

    Runs inside the caller's transaction.
    """
    assert connection.in_atomic_block, "work is claimed for as long as it takes"
    found = StoreOrder.objects.filter(due).order_by(oldest, "id")[:limit]
    orders = list(found.select_for_update(no_key=True, skip_locked=True))
    _lock_parts(orders)
    return orders


def _lock_parts(orders: Collection[StoreOrder]) -> None:
    applied = AppliedVoucher.objects.filter(order_id__in=[order.id for order in orders])
    if ids := set(applied.values_list("voucher_id", flat=True)):
        voucher_locks.lock(ids)
    if len(orders) > 1:  # one alone takes its stock in one statement
        store_of = {order.id: order.store_id for order in orders}
        lines = StoreOrderLine.objects.filter(order_id__in=store_of).values_list("order_id", "product_id")
        stock.lock({(store_of[order_id], product_id) for order_id, product_id in lines})
        slots.lock({(order.store_id, order.slot_at) for order in orders})
