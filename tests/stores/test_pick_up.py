"""pick_up: which quarters of an hour there are, and when what is ordered now will be ready."""

from datetime import UTC, datetime, timedelta

import pytest

from stores import pick_up
from stores.pick_up import SLOT, Ordering, SlotNow
from tests.factories import NOW

MINUTE = timedelta(minutes=1)
TEN = Ordering(10, timedelta(minutes=15))
NO_LIMIT = Ordering(None, timedelta())
SHANGHAI = {"zone": "Asia/Shanghai"}


def test_a_slot_is_fifteen_minutes_on_the_clock() -> None:
    assert pick_up.slot_at(NOW + 14 * MINUTE + timedelta(seconds=59)) == NOW
    assert pick_up.slot_at(NOW + 15 * MINUTE) == NOW + SLOT


def test_slots_run_until_the_store_closes_also_past_midnight() -> None:
    late = datetime(2026, 6, 1, 17, 20, tzinfo=UTC)  # 1:20 on Tuesday in Shanghai, still Monday's business
    hours = {"1": [["10:00", "26:00"]]}

    starts = pick_up.slots_from(late, hours=hours, **SHANGHAI)

    assert starts == [late - 5 * MINUTE, late + 10 * MINUTE, late + 25 * MINUTE], "1:15, 1:30 and 1:45"
    assert pick_up.bookable(late, hours=hours, **SHANGHAI) == starts[1:]
    assert pick_up.bookable(late + 8 * MINUTE, hours=hours, **SHANGHAI) == starts[2:], "1:30 is too soon at 1:28"


def test_a_store_that_closes_within_a_slot_offers_it() -> None:
    assert pick_up.slots_from(NOW, hours={"1": [["10:00", "12:20"]]}, **SHANGHAI) == [NOW, NOW + SLOT]


def test_a_store_that_never_closes_is_booked_twelve_hours_ahead() -> None:
    starts = pick_up.slots_from(NOW, hours={}, **SHANGHAI)

    assert (len(starts), starts[-1]) == (48, NOW + 12 * 60 * MINUTE - SLOT)


@pytest.mark.parametrize(("cups", "number"), [(4, 0), (5, 1), (10, 2), (99, 2)])
def test_an_order_takes_the_first_slot_with_room_and_a_large_one_a_whole_slot(cups: int, number: int) -> None:
    starts = [NOW + turn * SLOT for turn in range(4)]
    slots = [SlotNow(NOW, 6, 0), SlotNow(NOW + SLOT, 1, 0)]

    assert pick_up.first_with_room(starts, slots, cups=cups, ordering=TEN) == starts[number]


def test_where_every_slot_is_full_there_is_none() -> None:
    assert pick_up.first_with_room([NOW], [SlotNow(NOW, 10, 10)], cups=1, ordering=TEN) is None
    assert pick_up.first_with_room([NOW], [SlotNow(NOW, 999, 0)], cups=9, ordering=NO_LIMIT) == NOW


@pytest.mark.parametrize(
    ("ahead", "cups", "slot", "ready"),
    [
        (0, 1, NOW, NOW + 3 * MINUTE),
        (6, 2, NOW, NOW + 12 * MINUTE),
        (7, 2, NOW, NOW + 14 * MINUTE),
        (0, 1, NOW + 2 * SLOT, NOW + 30 * MINUTE),
        (30, 1, NOW + 2 * SLOT, NOW + 47 * MINUTE),
        (0, 40, NOW, NOW + 60 * MINUTE),
    ],
)
def test_the_wait_is_what_is_to_be_made_first_at_the_pace_of_the_store(
    ahead: int, cups: int, slot: datetime, ready: datetime
) -> None:
    assert pick_up.ready_at(slot, ahead=ahead, cups=cups, ordering=TEN, at=NOW) == ready


def test_only_what_is_not_ready_and_not_later_is_ahead() -> None:
    slots = [SlotNow(NOW - SLOT, 9, 8), SlotNow(NOW, 5, 1), SlotNow(NOW + SLOT, 7, 0)]

    assert pick_up.cups_ahead(NOW, slots) == 5


def test_a_pause_ends_by_itself_and_absence_is_three_minutes_of_silence() -> None:
    paused = Ordering(10, timedelta(), paused_until=NOW)
    watched = Ordering(10, timedelta(), needs_presence=True, seen_at=NOW)

    assert [paused.is_paused(NOW - MINUTE), paused.is_paused(NOW)] == [True, False]
    assert [watched.is_absent(NOW + 179 * timedelta(seconds=1)), watched.is_absent(NOW + 3 * MINUTE)] == [False, True]
