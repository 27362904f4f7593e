"""An order at a store gives everything back: its uses, its cups, its time and its cash."""

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.db import connection

from orders.models import StoreOrder
from orders.services import order_cash, order_slots
from orders.services.confirming import lease_of
from stores.models import StockReservation
from stores.services import stock
from vouchers.errors import HoldOver, RedemptionSettled
from vouchers.services import holds, order_uses


def lapse(order: StoreOrder, *, at: datetime) -> None:
    """
    PLACED → LAPSED: nobody paid in time.

    Runs inside the caller's transaction, under the order's lock.
    """
    assert connection.in_atomic_block, "an order ends with what it gives back"
    _release_uses(order, at=at)
    stock.give_back(source_kind=StockReservation.Source.STORE_ORDER, source_ids=[order.id], at=at)
    order_slots.give_back(order)
    order.status, order.lapsed_at = StoreOrder.Status.LAPSED, at
    order.save(update_fields=["status", "lapsed_at"])


def undo(
    order: StoreOrder, to: StoreOrder.Status, *, reason: str, by_id: UUID | None, request_id: UUID, at: datetime
) -> None:
    """
    End a confirmed order as CANCELLED or REJECTED: redemptions undone, cups free, cash asked back.

    Runs inside the caller's transaction, under the order's lock; the caller leaves the trail.

    Raises:
        RedemptionSettled: the store has been credited.
    """
    assert connection.in_atomic_block, "an order ends with what it gives back"
    if order.settled_at is not None:
        raise RedemptionSettled
    if order.redemption_request_id is not None:
        order_uses.reverse_all(request_id=order.redemption_request_id, by_id=by_id, reversal_id=request_id, at=at)
    stock.give_back(source_kind=StockReservation.Source.STORE_ORDER, source_ids=[order.id], at=at)
    order_slots.give_back(order)
    order.status, order.reason, order.ended_at = to, reason, at
    order.save(update_fields=["status", "reason", "ended_at"])
    order_cash.refund(order, at=at)


def _release_uses(order: StoreOrder, *, at: datetime) -> None:
    if order.fence is None:
        return
    # The holds' own sweeper may have been first: then what is to be free is free.
    with suppress(HoldOver):
        holds.release(lease_of(order), at=at)
