"""PLACED → CONFIRMED: nothing is left to pay, so the uses are consumed and the order gets its number."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from config.kernel.ids import new_id
from config.kernel.pipeline import pipelined
from orders.models import StoreOrder
from orders.services import substituting
from stores.business_days import closing_time
from stores.pick_up import AHEAD
from stores.queries import StoreNow
from vouchers.models import Hold
from vouchers.services import holds, order_uses
from vouchers.services.holds import Lease, Occasion

GIVE_UP_AFTER_CLOSING = timedelta(hours=1)

# From 100 on, so that a number has three digits, and four on a very good day.
NEXT_NUMBER = """
    INSERT INTO orders_pickupcounter AS counter (store_id, business_date, last)
    VALUES (%(store_id)s, %(business_date)s, 100)
    ON CONFLICT (store_id, business_date) DO UPDATE SET last = counter.last + 1
    RETURNING last
"""


def confirm_held(order: StoreOrder, store: StoreNow, *, at: datetime) -> None:
    """
    Confirm an order whose uses are held: they become redemptions, which only the order undoes.

    Runs inside the caller's transaction, under the order's lock. The number's counter is locked until that ends.

    Raises:
        HoldOver: the lease has ended, and nothing was done; hold again under a new fence.
    """
    assert connection.in_atomic_block, "an order is confirmed with what paid it"
    if order.fence is not None:
        occasion = occasion_of(order, store, at=at)
        holds.confirm(lease_of(order), occasion, at=at)
        order_uses.request(
            id=occasion.request_id,
            order_id=order.id,
            store_id=order.store_id,
            content_hash=bytes(order.content_hash),
            at=at,
        )
        order.redemption_request_id = occasion.request_id
        substituting.note_redeemed(order, at=at)
    number(order, store, at=at)
    order.save(
        update_fields=[
            "status",
            "confirmed_at",
            "business_date",
            "pickup_number",
            "give_up_at",
            "redemption_request_id",
        ]
    )


def number(order: StoreOrder, store: StoreNow, *, at: datetime) -> None:
    """Make the order a confirmed one of the store's business day, with the next number; not saved yet."""
    order.status, order.confirmed_at, order.business_date = StoreOrder.Status.CONFIRMED, at, store.business_date
    order.give_up_at = give_up_at(order, store, at=at)
    with pipelined() as send:
        taking = send(NEXT_NUMBER, {"store_id": order.store_id, "business_date": store.business_date})
    [(order.pickup_number,)] = taking.fetchall()


def give_up_at(order: StoreOrder, store: StoreNow, *, at: datetime) -> datetime:
    """An hour after the doors shut behind the slot it is to be picked up in; half a day after it where they do not."""
    slot_at = max(at, order.slot_at)
    closes_at = closing_time(hours=store.hours, zone=store.zone, at=slot_at)
    return slot_at + AHEAD if closes_at is None else closes_at + GIVE_UP_AFTER_CLOSING


def occasion_of(order: StoreOrder, store: StoreNow, *, at: datetime) -> Occasion:
    """When and where the order's uses are consumed; their window begins when the drinks are ready."""
    return Occasion(new_id(), order.store_id, store.entity_id, store.business_date, at, None)


def lease_of(order: StoreOrder) -> Lease:
    assert order.fence is not None, "this order uses no voucher"
    return Lease(Hold.Source.STORE_ORDER.value, order.id, order.fence)


def hold_again(order: StoreOrder, *, expires_at: datetime, at: datetime) -> None:
    """
    Hold the very same uses once more, under a new fence.

    Runs inside the caller's transaction, which is rolled back to before it where it refuses.

    Raises:
        DomainError: whatever ``holds.hold`` raises: one of them has gone meanwhile.
    """
    serials: dict[UUID, list[int]] = {}
    for applied in order.applied.all():
        serials.setdefault(applied.voucher_id, []).append(applied.serial)
    held = holds.hold(
        uses={voucher_id: len(of_voucher) for voucher_id, of_voucher in serials.items()},
        serials=serials,
        source_kind=Hold.Source.STORE_ORDER.value,
        source_id=order.id,
        expires_at=expires_at,
        at=at,
    )
    order.fence = held[0].fence
    order.save(update_fields=["fence"])
