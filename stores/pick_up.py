"""
Quarters of an hour at a store: which there are, and when what is ordered now will be ready.

A slot is fifteen minutes on the clock; it has room for so many cups. Every order counts in one slot from placing on
until it is undone: the one in which she wants to pick it up, or the first with room. An order of more cups than a
slot holds takes a whole one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stores.business_days import Hours, closing_time

SLOT = timedelta(minutes=15)
SOONEST = timedelta(minutes=3)
"""A minute in which she may cancel, and two to make a drink; a guess until a store's own orders say more."""
AHEAD = timedelta(hours=12)
"""How far a store that does not close within a day lets itself be booked."""
ABSENT_AFTER = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Ordering:
    """How a store takes orders at one moment."""

    cups_per_slot: int | None
    cut_off: timedelta
    needs_presence: bool = False
    paused_until: datetime | None = None
    seen_at: datetime | None = None

    def is_paused(self, at: datetime) -> bool:
        return self.paused_until is not None and at < self.paused_until

    def is_absent(self, at: datetime) -> bool:
        return self.needs_presence and (self.seen_at is None or at >= self.seen_at + ABSENT_AFTER)

    def takes(self, cups: int) -> int:
        """How much of a slot an order of so many cups takes."""
        return cups if self.cups_per_slot is None else min(cups, self.cups_per_slot)


@dataclass(frozen=True, slots=True)
class SlotNow:
    """``cups`` promised in the slot that begins then, ``made`` of them ready."""

    starts_at: datetime
    cups: int
    made: int


def slot_at(at: datetime) -> datetime:
    """When the slot around a moment begins; zones differ by whole quarters of an hour, so UTC will do."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + (at - day) // SLOT * SLOT


def last_orders_end(*, hours: Hours, zone: str, at: datetime, ordering: Ordering) -> datetime | None:
    """From when on the opening period around ``at`` takes no more orders; None where no closing is near."""
    end = closing_time(hours=hours, zone=zone, at=at)
    return None if end is None else end - ordering.cut_off


def slots_from(at: datetime, *, hours: Hours, zone: str) -> list[datetime]:
    """The slot around ``at`` and those after it, until the store closes."""
    end = closing_time(hours=hours, zone=zone, at=at) or at + AHEAD
    first = slot_at(at)
    return [first + number * SLOT for number in range(-((first - end) // SLOT))]


def bookable(at: datetime, *, hours: Hours, zone: str) -> list[datetime]:
    """The slots that can be asked for by name: those that begin when a drink ordered now can be ready."""
    return [start for start in slots_from(at, hours=hours, zone=zone) if start >= at + SOONEST]


def first_with_room(
    starts: Collection[datetime], slots: Collection[SlotNow], *, cups: int, ordering: Ordering
) -> datetime | None:
    """The first of these slots that so many cups fit into; None where none has room."""
    if ordering.cups_per_slot is None:
        return next(iter(starts), None)
    taken = {slot.starts_at: slot.cups for slot in slots}
    room = ordering.cups_per_slot - ordering.takes(cups)
    return next((start for start in starts if taken.get(start, 0) <= room), None)


def cups_ahead(slot: datetime, slots: Collection[SlotNow]) -> int:
    """The cups of this slot and of those before it that are not ready yet."""
    return sum(one.cups - one.made for one in slots if one.starts_at <= slot)


def ready_at(slot: datetime, *, ahead: int, cups: int, ordering: Ordering, at: datetime) -> datetime:
    """
    When an order of so many cups, placed now in that slot, is expected to be ready: the wait that is shown.

    Cups are made in the order of their slots, at the pace that fills a slot: ``cups_per_slot`` in 15 minutes. So
    those of this slot and of all before it that are not ready yet (``ahead``) come first, then its own. A store
    without a limit has no pace, and no queue. Never sooner than a drink can be made or than the slot begins. In
    whole minutes, rounded up.
    """
    takes = (ahead + cups) * SLOT / ordering.cups_per_slot if ordering.cups_per_slot else SOONEST
    expected = max(at + SOONEST, at + takes, slot)
    return expected + (-expected.timestamp() % 60) * timedelta(seconds=1)
