"""
A store order between its customer, its store, its provider and the sweeper: one wins, the other hears it.

Each guard is removed once, and then the race is lost: `without_locks` reads the order without locking it.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, OperationalError, transaction

from orders.errors import OrderMovedOn
from orders.models import LedgerTransfer, Payment, Refund, StoreOrder
from orders.services import notices, order_captures, order_locks, order_moves, order_sweeps
from orders.services.placing import Placed
from stores.models import StockLevel
from stores.services import stock
from tests import factories
from tests.factories import NOW
from tests.orders import ordering
from tests.orders.ordering import CUP_FEN, confirmed, move, pay, place, priced
from tests.races.at_once import at_once
from tests.races.squeezed import Squeezed, squeeze
from tests.stores import stocked
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers.models import Redemption, Voucher

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

LATER = NOW + timedelta(minutes=5)
OVER = NOW + timedelta(minutes=15)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(order_id: UUID, **whose: UUID) -> StoreOrder:
        return StoreOrder.objects.get(id=order_id, **whose)

    monkeypatch.setattr(order_moves, "_lock", read)
    monkeypatch.setattr(order_locks, "lock", lambda ids: list(StoreOrder.objects.filter(id__in=ids)))


def cancel(order: StoreOrder) -> StoreOrder:
    return order_moves.cancel(order_id=order.id, customer_id=order.customer_id, at=LATER)


def half_paid(counter: Counter) -> StoreOrder:
    product = factories.product(counter.brand)
    return pay(place(counter, priced((product, 2), uses=[(counter.voucher(), 1, CUP_FEN)])))


def gave_back(order: StoreOrder) -> tuple[int, int]:
    """How many refunds were asked for, and how many uses are free again."""
    vouchers = Voucher.objects.filter(id__in=order.applied.values("voucher"))
    return Refund.objects.filter(store_order=order).count(), sum(voucher.uses_left for voucher in vouchers)


# --- the customer × the store -----------------------------------------------------------------------


def test_cancelling_and_accepting_at_once_end_cancelled(counter: Counter) -> None:
    for _ in range(8):
        order = half_paid(counter)

        cancelling, accepting = at_once(lambda o=order: cancel(o), lambda o=order: move(counter, o, "accept", at=LATER))

        assert isinstance(cancelling, StoreOrder)
        assert isinstance(accepting, StoreOrder | OrderMovedOn)
        order.refresh_from_db()
        assert (order.status, gave_back(order)) == ("cancelled", (1, 1))


def test_cancelling_and_making_at_once_have_one_winner(counter: Counter) -> None:
    for _ in range(8):
        order = move(counter, half_paid(counter), "accept", at=NOW)

        cancelling, making = at_once(
            lambda o=order: cancel(o), lambda o=order: move(counter, o, "begin_making", at=LATER)
        )

        order.refresh_from_db()
        if isinstance(cancelling, StoreOrder):
            assert isinstance(making, OrderMovedOn)
            assert (order.status, gave_back(order)) == ("cancelled", (1, 1))
        else:
            assert isinstance(cancelling, OrderMovedOn)
            assert (order.status, gave_back(order)) == ("making", (0, 0))


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_only_a_constraint_keeps_a_cancelled_order_from_being_made(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = move(counter, half_paid(counter), "accept", at=NOW)
    cancelling = squeeze(monkeypatch, order_moves, "_lock", lambda: cancel(order))

    with pytest.raises(IntegrityError, match="store_order_ends_when"):
        move(counter, order, "begin_making", at=LATER)

    assert isinstance(cancelling.answer(), StoreOrder)


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_only_a_constraint_keeps_a_cancelled_order_from_being_accepted(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = half_paid(counter)
    cancelling = squeeze(monkeypatch, order_moves, "_lock", lambda: cancel(order))

    with pytest.raises(IntegrityError, match="store_order_ends_when"):
        move(counter, order, "accept", at=LATER)

    assert isinstance(cancelling.answer(), StoreOrder)


def test_two_devices_cancel_once(counter: Counter) -> None:
    for _ in range(6):
        order = half_paid(counter)

        answers = at_once(*[lambda o=order: cancel(o)] * 3)

        assert {answer.status for answer in answers} == {"cancelled"}
        assert gave_back(order) == (1, 1)


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_two_devices_do_not_both_hear_that_it_is_cancelled(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = half_paid(counter)
    second = squeeze(monkeypatch, order_moves, "_lock", lambda: cancel(order))

    with pytest.raises(Exception, match="slot_makes_what_it_promised"):
        cancel(order)

    assert isinstance(second.answer(), StoreOrder)


# --- the lease is over × the payment arrives --------------------------------------------------------


def waiting(counter: Counter) -> Placed:
    product = stocked.keep(counter.store, "counted", units=2)
    return place(counter, priced((product, 2), uses=[(counter.voucher(), 1, CUP_FEN)]))


def lapse(placed: Placed) -> int:
    assert placed.payment is not None
    return order_sweeps._lapse([placed.order.id], {placed.payment.id}, at=OVER)


def test_money_that_comes_while_the_lease_ends_has_everything_or_goes_back(counter: Counter) -> None:
    for _ in range(8):
        placed = waiting(counter)
        notices.store_notices([ordering.capture(placed.payment)], at=OVER)

        at_once(lambda: notices.apply_notices(limit=9, at=OVER), lambda p=placed: lapse(p))

        order = StoreOrder.objects.get(pk=placed.order.pk)
        assert order.status == "confirmed"
        assert Redemption.objects.filter(request_id=order.redemption_request_id, reversed_at=None).count() == 1
        assert StockLevel.objects.get(product=order.lines.get().product).reserved == 2
        assert LedgerTransfer.objects.filter(kind="order_capture", source_id=placed.payment.id).count() == 1  # type: ignore[union-attr]


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_a_lapsed_order_is_confirmed_without_its_cups(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = stocked.keep(counter.store, "counted", units=2)
    placed = place(counter, priced((product, 2)))
    notices.store_notices([ordering.capture(placed.payment)], at=OVER)
    lapsing = squeeze(monkeypatch, order_captures, "stores_now", lambda: lapse(placed))

    notices.apply_notices(limit=9, at=OVER)

    assert lapsing.answer() == 1
    assert StoreOrder.objects.get(pk=placed.order.pk).status == "confirmed"
    assert StockLevel.objects.get(product=product).reserved == 0, "sold to her, and free for the next"


def test_two_workers_with_one_capture_each_confirm_an_order_once(counter: Counter) -> None:
    for _ in range(6):
        placed = waiting(counter)
        events = [ordering.capture(placed.payment, provider_reference=f"sbx_{number}") for number in range(2)]
        for event in events:
            notices.store_notices([event], at=NOW)

        at_once(*[lambda: notices.apply_notices(limit=1, at=NOW)] * 2)

        order = StoreOrder.objects.get(pk=placed.order.pk)
        assert order.status == "confirmed"
        assert [refund.source_kind for refund in Refund.objects.filter(store_order=order)] == ["unwanted_capture"]
        assert Payment.objects.get(store_order=order).status == "captured"


# --- numbers and sweepers ---------------------------------------------------------------------------


def test_orders_at_once_get_different_numbers(counter: Counter) -> None:
    vouchers = counter.vouchers(count=8)

    answers: list[Any] = at_once(*[lambda v=voucher: confirmed(counter, voucher=v) for voucher in vouchers])

    assert sorted(order.pickup_number for order in answers) == list(range(100, 108))


def test_sweepers_at_once_share_what_nobody_accepted(counter: Counter) -> None:
    for _ in range(9):
        confirmed(counter)

    answers = at_once(*[lambda: order_sweeps.look_after_unaccepted(limit=3, at=NOW + timedelta(hours=1))] * 3)

    assert sum(answers) + order_sweeps.look_after_unaccepted(limit=9, at=NOW + timedelta(hours=1)) == 9
    assert StoreOrder.objects.filter(status="rejected").count() == 9


def swept_at_a_locked_level(counter: Counter) -> None:
    """Two orders are rejected, that of the later product first, while somebody has the earlier product locked."""
    first, second = sorted((stocked.keep(counter.store, "counted") for _ in range(2)), key=lambda one: one.id)
    for product in (second, first):
        confirmed(counter, product=product)
    levels = StockLevel.objects.select_for_update(no_key=True, nowait=True)
    sweeping = Squeezed(lambda: order_sweeps.look_after_unaccepted(limit=9, at=NOW + timedelta(hours=1)))
    with transaction.atomic():
        levels.get(product=first)
        sweeping.begin()
        levels.get(product=second)
    assert sweeping.answer() == 2


def test_a_sweeper_locks_the_stock_of_all_its_orders_in_key_order(counter: Counter) -> None:
    swept_at_a_locked_level(counter)


def test_one_by_one_a_sweeper_and_a_checkout_would_wait_in_a_circle(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock, "lock", lambda places: None)

    with pytest.raises(OperationalError, match="could not obtain lock"):
        swept_at_a_locked_level(counter)


def test_a_store_that_rejects_while_the_sweeper_does_gives_back_once(counter: Counter) -> None:
    for _ in range(6):
        order = half_paid(counter)

        at_once(
            lambda o=order: order_moves.reject(order_id=o.id, reason="停电", at=LATER, **ordering.by_clerk(counter)),
            lambda: order_sweeps.look_after_unaccepted(limit=9, at=NOW + timedelta(hours=1)),
        )

        assert gave_back(order) == (1, 1)
