"""
What people do with a confirmed order: accept, make, hand over, cancel, reject.

Each act takes the order's row lock, looks, and moves it; of two at once one wins and the other hears where the
order is now. An act that is repeated finds what it did.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from config.kernel import audit, outbox
from config.kernel.caller import Caller, CallerKind
from config.kernel.ids import new_id, parse, public
from config.kernel.pipeline import pipelined
from orders.errors import OrderMayStillBeCancelled, OrderMovedOn, RejectionTooLate, StoreOrderNotFound
from orders.models import StoreOrder, StoreOrderLine
from orders.services import order_slots, order_undoing
from stores.models import Customer, MaterialUse, Option, StockReservation, Store
from stores.services import consuming, stock
from stores.services.consuming import Cups
from vouchers.services import order_uses

Status = StoreOrder.Status
MAY_CANCEL = timedelta(seconds=60)
"""Nobody makes what she may still cancel."""
CANCELLABLE = frozenset({Status.CONFIRMED, Status.ACCEPTED})
REJECTABLE = frozenset({Status.CONFIRMED, Status.ACCEPTED, Status.MAKING, Status.READY, Status.COLLECTED})


@dataclass(frozen=True, slots=True)
class Move:
    """From one state to the next, and the column that says when."""

    source: Status
    target: Status
    column: str


ACCEPT = Move(Status.CONFIRMED, Status.ACCEPTED, "accepted_at")
MAKE = Move(Status.ACCEPTED, Status.MAKING, "making_at")
READY = Move(Status.MAKING, Status.READY, "ready_at")
COLLECT = Move(Status.READY, Status.COLLECTED, "collected_at")


def accept(*, order_id: UUID, store_id: UUID, by: Caller, at: datetime) -> StoreOrder:
    """
    CONFIRMED → ACCEPTED: the store will make it.

    Raises:
        StoreOrderNotFound: not at this store.
        OrderMovedOn: it is somewhere else by now; says where.
    """
    return _move(ACCEPT, order_id, store_id, by=by, at=at)


def begin_making(*, order_id: UUID, store_id: UUID, by: Caller, at: datetime) -> StoreOrder:
    """
    ACCEPTED → MAKING; from now on the customer cannot cancel.

    Raises:
        StoreOrderNotFound, OrderMovedOn: as ``accept``.
        OrderMayStillBeCancelled: its first minute is not over.
    """
    return _move(MAKE, order_id, store_id, by=by, at=at)


def ready(*, order_id: UUID, store_id: UUID, by: Caller, at: datetime) -> StoreOrder:
    """
    MAKING → READY: the drinks stand there, and the clock of settlement starts.

    Raises:
        StoreOrderNotFound, OrderMovedOn: as ``accept``.
    """
    return _move(READY, order_id, store_id, by=by, at=at)


def collect(*, order_id: UUID, store_id: UUID, by: Caller, at: datetime) -> StoreOrder:
    """
    READY → COLLECTED: she has them.

    Raises:
        StoreOrderNotFound, OrderMovedOn: as ``accept``.
    """
    return _move(COLLECT, order_id, store_id, by=by, at=at)


def collect_herself(*, order_id: UUID, customer_id: UUID, at: datetime) -> StoreOrder:
    """
    READY → COLLECTED, as the customer says; nobody has to tap for her behind a counter.

    Raises:
        StoreOrderNotFound: not hers.
        OrderMovedOn: it is not ready, or its end was another one.
    """
    with transaction.atomic(durable=True):
        order = _lock(order_id, customer_id=customer_id)
        by = Caller(kind=CallerKind.CUSTOMER, id=customer_id, brand_id=order.brand_id)
        return _moved(COLLECT, order, by=by, at=at)


def cancel(*, order_id: UUID, customer_id: UUID, at: datetime) -> StoreOrder:
    """
    CONFIRMED or ACCEPTED → CANCELLED by the customer: vouchers, cups and money back.

    Raises:
        StoreOrderNotFound: not hers.
        OrderMovedOn: it is being made, or further; or it is not paid.
    """
    with transaction.atomic(durable=True):
        order = _lock(order_id, customer_id=customer_id)
        if order.status == Status.CANCELLED:
            return order
        if order.status not in CANCELLABLE:
            raise OrderMovedOn(status=order.status)
        by = Caller(kind=CallerKind.CUSTOMER, id=customer_id, brand_id=order.brand_id)
        order_undoing.undo(order, Status.CANCELLED, reason="", by_id=customer_id, request_id=new_id(), at=at)
        leave("store_order.cancelled", order, by=by, at=at)
        return order


def reject(*, order_id: UUID, store_id: UUID, reason: str, by: Caller, at: datetime) -> StoreOrder:
    """
    → REJECTED by the store, until an hour after the drinks were ready: vouchers, cups and money back.

    Raises:
        StoreOrderNotFound: not at this store.
        OrderMovedOn: it has ended already, or it is not paid.
        RejectionTooLate: an hour has passed since it was ready.
    """
    assert reason, "a rejection says why"
    with transaction.atomic(durable=True):
        order = _lock(order_id, store_id=store_id)
        if order.status == Status.REJECTED:
            return order
        if order.status not in REJECTABLE:
            raise OrderMovedOn(status=order.status)
        if order.ready_at is not None and at >= window_end(order.ready_at):
            raise RejectionTooLate
        order_undoing.undo(order, Status.REJECTED, reason=reason, by_id=by.id, request_id=new_id(), at=at)
        leave("store_order.rejected", order, by=by, at=at, reason=reason)
        return order


def window_end(ready_at: datetime) -> datetime:
    """Until when what was ready then may be undone; later it settles."""
    return ready_at + timedelta(seconds=settings.REVERSIBLE_FOR_SECONDS)


def leave(act: str, order: StoreOrder, *, by: Caller, at: datetime, **details: Any) -> None:
    """The trail of one act on an order, and what subscribers hear of it. Runs inside the caller's transaction."""
    audit.record(
        act=act,
        actor_kind=by.actor_kind,
        actor_id=by.id,
        subject_kind="store_order",
        subject_id=order.id,
        brand_id=order.brand_id,
        details={"store": public(Store.PREFIX, order.store_id), **details},
        at=at,
    )
    topic = "orders.undone" if order.status in (Status.CANCELLED, Status.REJECTED) else "orders.moved"
    outbox.announce(brand_id=order.brand_id, topic=topic, items=[told(order)], at=at)


def told(order: StoreOrder) -> dict[str, Any]:
    """What subscribers hear of an order."""
    return {
        "order": order.public_id,
        "store": public(Store.PREFIX, order.store_id),
        "customer": public(Customer.PREFIX, order.customer_id),
        "status": str(order.status),
        "pickup_number": order.pickup_number,
        "due_fen": order.due_fen,
        "reason": order.reason,
    }


def _move(move: Move, order_id: UUID, store_id: UUID, *, by: Caller, at: datetime) -> StoreOrder:
    with transaction.atomic(durable=True):
        return _moved(move, _lock(order_id, store_id=store_id), by=by, at=at)


def _moved(move: Move, order: StoreOrder, *, by: Caller, at: datetime) -> StoreOrder:
    """Runs inside the caller's transaction, under the order's lock."""
    if order.status == move.target:
        return order
    if order.status != move.source:
        raise OrderMovedOn(status=order.status)
    if move is MAKE:
        _check_nobody_may_cancel(order, at=at)
    order.status = move.target
    setattr(order, move.column, at)
    order.save(update_fields=["status", move.column])
    if move is READY:
        _made(order, at=at)
        if order.redemption_request_id is not None:
            order_uses.begin_window(request_id=order.redemption_request_id, until=window_end(at))
        order_slots.make(order)
    leave(f"store_order.{move.target}", order, by=by, at=at)
    return order


def _made(order: StoreOrder, *, at: datetime) -> None:
    """Its cups leave the shelf, and the materials that they were made of."""
    stock.make(source_kind=StockReservation.Source.STORE_ORDER, source_id=order.id, at=at)
    lines = StoreOrderLine.objects.filter(order=order).values_list("product_id", "quantity", "options")
    cups = [
        Cups(product_id, quantity, [parse(Option.PREFIX, one["option"]) for one in options])
        for product_id, quantity, options in lines
    ]
    with pipelined() as send:
        consuming.send_made(
            send,
            store_id=order.store_id,
            business_date=order.business_date,
            cups=cups,
            source_kind=MaterialUse.Source.STORE_ORDER,
            source_id=order.id,
            at=at,
        )


def _check_nobody_may_cancel(order: StoreOrder, *, at: datetime) -> None:
    assert order.confirmed_at is not None, "an accepted order was confirmed"
    if at < (from_ := order.confirmed_at + MAY_CANCEL):
        raise OrderMayStillBeCancelled(seconds=ceil((from_ - at).total_seconds()), from_=from_.isoformat())


def _lock(order_id: UUID, **whose: UUID) -> StoreOrder:
    order = StoreOrder.objects.select_for_update(no_key=True).filter(id=order_id, **whose).first()
    if order is None:
        raise StoreOrderNotFound
    return order
