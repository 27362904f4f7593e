"""
The last cups of a quarter of an hour: the conditional UPDATE promises them once; without its condition, twice.
"""

from datetime import timedelta

import pytest
from django.db import OperationalError, transaction

from orders.models import StoreOrder
from orders.services import order_sweeps
from orders.services.placing import Placed
from stores.errors import SlotFull
from stores.models import PickupSlot
from stores.pick_up import SLOT
from stores.services import slots
from stores.services.slots import Taken, Wanted
from tests.factories import NOW
from tests.orders.test_checkout import Shop
from tests.orders.test_taking import keep, ordered, promised
from tests.races.at_once import at_once
from tests.races.squeezed import Squeezed, squeeze

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

NOON = NOW + 2 * SLOT


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    keep(made, 3)
    return made


def take(shop: Shop, *starts: int) -> Taken:
    with transaction.atomic():
        return slots.take(Wanted(shop.store.id, [NOW + number * SLOT for number in starts], 2, 3))


def test_the_last_cups_of_a_slot_have_one_order(shop: Shop) -> None:
    line = shop.line(2)
    for number in range(3):
        noon = NOON + number * SLOT
        quoted = shop.quote(line, pick_up_at=noon)

        answers = at_once(*[lambda q=quoted, n=noon: shop.order(q, line, pick_up_at=n)] * 4)

        assert [type(answer) for answer in answers].count(Placed) == 1
        assert {answer.code for answer in answers if not isinstance(answer, Placed)} == {SlotFull.code}
        assert promised(shop)[noon] == (2, 0)


def test_without_the_condition_the_last_cups_are_promised_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    condition = "WHERE %(most)s::int IS NULL OR slot.cups + excluded.cups <= %(most)s::int"
    assert condition in slots.TAKE
    monkeypatch.setattr(slots, "TAKE", slots.TAKE.replace(condition, ""))
    PickupSlot.objects.create(store=shop.store, starts_at=NOON, cups=0)
    second = squeeze(monkeypatch, slots, "taken", lambda: take(shop, 2))

    with transaction.atomic():
        slots.take(Wanted(shop.store.id, [NOON], 2, 3))

    assert isinstance(second.answer(), Taken)
    assert promised(shop)[NOON] == (4, 0), "three cups can be made"


def test_of_two_that_want_them_as_soon_as_possible_the_slower_has_the_next_slot(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = squeeze(monkeypatch, slots, "taken", lambda: take(shop, 0, 1, 2))

    with transaction.atomic():
        first = slots.take(Wanted(shop.store.id, [NOW, NOW + SLOT], 2, 3))

    assert first.starts_at == NOW
    assert second.answer().starts_at == NOW + SLOT


def test_orders_at_once_fill_the_slots_one_after_the_other(shop: Shop) -> None:
    quoted = shop.quote()

    answers = at_once(*[lambda: shop.order(quoted)] * 8)

    assert {type(answer) for answer in answers} == {Placed}
    assert promised(shop) == {NOW: (3, 0), NOW + SLOT: (3, 0), NOW + 2 * SLOT: (2, 0)}


def swept_at_a_locked_slot(shop: Shop) -> None:
    """Two orders are rejected, that of the later slot first, while somebody has the earlier slot locked."""
    for start in (NOON, NOW + SLOT):
        shop.voucher()
        ordered(shop, pick_up_at=start)
    free = PickupSlot.objects.select_for_update(no_key=True, nowait=True)
    sweeping = Squeezed(lambda: order_sweeps.look_after_unaccepted(limit=9, at=NOW + timedelta(hours=1)))
    with transaction.atomic():
        free.get(starts_at=NOW + SLOT)
        sweeping.begin()
        free.get(starts_at=NOON)
    assert sweeping.answer() == 2
    assert StoreOrder.objects.filter(status="rejected").count() == 2


def test_a_sweeper_locks_the_slots_of_all_its_orders_in_key_order(shop: Shop) -> None:
    swept_at_a_locked_slot(shop)


def test_one_by_one_two_sweepers_would_wait_in_a_circle(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "lock", lambda places: None)

    with pytest.raises(OperationalError, match="could not obtain lock"):
        swept_at_a_locked_slot(shop)
