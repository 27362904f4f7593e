"""Whether a store takes orders now, in which quarters of an hour, and when they will be ready."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from orders.errors import OrderingPaused, PastCutOff, SlotNotOffered, StoreAbsent, StoreShut
from stores import pick_up
from stores.business_days import is_open
from stores.errors import SlotFull, StoreNotFound
from stores.models import Store
from stores.pick_up import SlotNow
from stores.queries import StoreNow, slots_of, store_now
from vouchers.errors import StoreClosedForGood, StorePaused


@dataclass(frozen=True, slots=True)
class PickUp:
    """The slot that an order would count in, what she asked for (None: as soon as possible), and when it is ready."""

    slot_at: datetime
    wanted_at: datetime | None
    ready_at: datetime


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A slot with room; ``cups_left`` None where there is no limit."""

    starts_at: datetime
    cups_left: int | None

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + pick_up.SLOT


@dataclass(frozen=True, slots=True)
class FreeSlots:
    """What can be had as soon as possible, and by name."""

    soonest: PickUp
    slots: tuple[FreeSlot, ...]


def free_slots(*, store_id: UUID, brand_id: UUID, cups: int, at: datetime) -> FreeSlots:
    """
    When so many cups ordered now could be picked up. Two statements.

    Raises:
        StoreNotFound: not of this brand.
        DomainError: whatever ``check`` raises: not now.
        SlotFull: no room until closing.
    """
    store = store_of_brand(store_id, brand_id, at=at)
    check(store, at=at)
    slots, ordering = slots_of(store_id, at=at), store.ordering
    taken, most = {slot.starts_at: slot.cups for slot in slots}, ordering.cups_per_slot
    free = [
        FreeSlot(start, None if most is None else most - taken.get(start, 0))
        for start in pick_up.bookable(at, hours=store.hours, zone=store.zone)
        if pick_up.first_with_room([start], slots, cups=cups, ordering=ordering)
    ]
    return FreeSlots(planned(store, slots, cups=cups, wanted_at=None, at=at), tuple(free))


def store_of_brand(store_id: UUID, brand_id: UUID, *, at: datetime) -> StoreNow:
    """
    A store as it is now; another brand's is none.

    Raises:
        StoreNotFound: as it says.
    """
    store = store_now(store_id, at)
    if store is None or store.brand_id != brand_id:
        raise StoreNotFound(param="store")
    return store


def check(store: StoreNow, *, at: datetime) -> None:
    """
    See that the store takes orders now.

    Raises:
        StoreClosedForGood, StorePaused: by its status.
        StoreShut, PastCutOff: by its hours.
        OrderingPaused: by hand, until then.
        StoreAbsent: nobody has been heard of there for too long.
    """
    if store.status == Store.Status.CLOSED:
        raise StoreClosedForGood
    if store.status == Store.Status.PAUSED:
        raise StorePaused
    if not is_open(hours=store.hours, zone=store.zone, at=at):
        raise StoreShut
    ordering = store.ordering
    end = pick_up.last_orders_end(hours=store.hours, zone=store.zone, at=at, ordering=ordering)
    if end is not None and at >= end:
        raise PastCutOff(since=end.astimezone(ZoneInfo(store.zone)).isoformat())
    if ordering.paused_until is not None and ordering.is_paused(at):
        raise OrderingPaused(until=ordering.paused_until.astimezone(ZoneInfo(store.zone)).isoformat())
    if ordering.is_absent(at):
        raise StoreAbsent


def starts(store: StoreNow, wanted_at: datetime | None, *, at: datetime) -> Sequence[datetime]:
    """
    The slots that an order may count in: the one she wants, or all until closing.

    Raises:
        SlotNotOffered: no slot begins then, or none that she can still have.
    """
    if wanted_at is None:
        return pick_up.slots_from(at, hours=store.hours, zone=store.zone)
    if wanted_at not in pick_up.bookable(at, hours=store.hours, zone=store.zone):
        raise SlotNotOffered(param="pick_up_at")
    return [wanted_at]


def planned(
    store: StoreNow, slots: Sequence[SlotNow], *, cups: int, wanted_at: datetime | None, at: datetime
) -> PickUp:
    """
    When so many cups would be ready; takes nothing.

    Raises:
        SlotNotOffered: as ``starts``.
        SlotFull: no room in the slot, or in any until closing.
    """
    possible, ordering = starts(store, wanted_at, at=at), store.ordering
    slot = pick_up.first_with_room(possible, slots, cups=cups, ordering=ordering)
    if slot is None:
        raise SlotFull(param="pick_up_at")
    ahead = pick_up.cups_ahead(slot, slots)
    return PickUp(slot, wanted_at, pick_up.ready_at(slot, ahead=ahead, cups=cups, ordering=ordering, at=at))
