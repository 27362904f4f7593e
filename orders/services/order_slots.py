"""An order and the quarter of an hour in which it counts: taken when it is placed, given back where it is undone."""

from datetime import datetime

from orders.models import StoreOrder
from orders.services import taking
from stores import pick_up
from stores.queries import StoreNow
from stores.services import slots
from stores.services.slots import Taken, Wanted


def wanted(order: StoreOrder, store: StoreNow, *, cups: int, at: datetime) -> Wanted:
    """
    What the order asks of its store.

    Raises:
        SlotNotOffered: she cannot pick it up then.
    """
    ordering = store.ordering
    starts = taking.starts(store, order.pick_up_at, at=at)
    return Wanted(store.store_id, starts, ordering.takes(cups), ordering.cups_per_slot)


def count(order: StoreOrder, taken: Taken, store: StoreNow, *, cups: int, at: datetime) -> None:
    """It counts there from now on; the caller saves it."""
    ordering = store.ordering
    order.slot_at, order.slot_cups = taken.starts_at, ordering.takes(cups)
    order.expected_at = pick_up.ready_at(taken.starts_at, ahead=taken.ahead, cups=cups, ordering=ordering, at=at)


def take_again(order: StoreOrder, store: StoreNow, *, cups: int, at: datetime) -> None:
    """
    A revived order counts again: in the slot she wanted, or the first with room from now on.

    Runs inside the caller's transaction.

    Raises:
        SlotNotOffered, SlotFull: there is no such slot any more; roll back.
    """
    asked = wanted(order, store, cups=cups, at=at)
    count(order, slots.take(asked), store, cups=cups, at=at)
    order.save(update_fields=["slot_at", "slot_cups", "expected_at"])


def give_back(order: StoreOrder) -> None:
    """Nobody waits for it any more. Runs inside the caller's transaction, under the order's lock."""
    end = slots.give_back if order.ready_at is None else slots.give_back_made
    end(store_id=order.store_id, starts_at=order.slot_at, cups=order.slot_cups)


def make(order: StoreOrder) -> None:
    """Its cups stand ready. Runs inside the caller's transaction, under the order's lock."""
    slots.make(store_id=order.store_id, starts_at=order.slot_at, cups=order.slot_cups)
