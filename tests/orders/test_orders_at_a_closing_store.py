"""A store closes for good: what becomes of its orders, whatever their state, and what its staff may still do."""

from datetime import timedelta

import pytest

from orders.models import StoreOrder
from orders.services import order_sweeps
from stores.models import PickupSlot, StockLevel
from stores.services import opening
from tests.factories import NOW
from tests.orders.ordering import CUP_FEN, confirmed, move, pay, place, priced, refunds_of
from tests.orders.test_checkout import Shop
from tests.stores import stocked
from tests.stores.stocked import MANAGER
from tests.vouchers import counters
from tests.vouchers.http import as_customer, as_staff, error_of, post
from vouchers.models import Hold, Voucher

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOW + timedelta(minutes=5)


def test_a_store_that_closes_ends_what_it_has_not_made_and_hands_over_the_rest() -> None:
    counter = counters.counter()
    product = stocked.keep(counter.store, "counted", units=20)
    waiting = place(counter, priced((product, 2), uses=[(counter.voucher(), 1, CUP_FEN)]))
    half = pay(place(counter, priced((product, 2), uses=[(counter.voucher(), 1, CUP_FEN)])))
    accepted = move(counter, confirmed(counter, product=product), "accept", at=NOW)
    making = move(counter, confirmed(counter, product=product), "accept", "begin_making", at=LATER)
    ready = move(counter, confirmed(counter, product=product), "accept", "begin_making", "ready", at=LATER)

    opening.close(store_id=counter.store.id, reason="租约到期", by=MANAGER, at=LATER)
    assert order_sweeps.clear_closed_stores(limit=9, at=LATER) == 3
    assert order_sweeps.clear_closed_stores(limit=9, at=LATER) == 0

    ended = StoreOrder.objects.filter(id__in=[half.id, accepted.id, making.id])
    assert {(order.status, order.reason) for order in ended} == {("rejected", "store_closed")}
    assert refunds_of(half) == [("store_order", CUP_FEN)]
    late = pay(waiting, at=LATER)
    assert (late.status, refunds_of(late)) == ("lapsed", [("unwanted_capture", CUP_FEN)])
    assert StoreOrder.objects.get(id=ready.id).status == "ready"
    assert move(counter, ready, "collect", at=LATER).status == "collected"
    assert StockLevel.objects.get().reserved == 1, "the cup that was handed over"
    assert not Hold.objects.filter(ended_at=None).exists()
    assert sorted(Voucher.objects.values_list("status", flat=True)) == ["issued"] * 4 + ["used"]
    assert list(PickupSlot.objects.values_list("cups", "made")) == [(1, 1)]


def test_a_closed_store_takes_nothing_new_and_its_staff_still_hand_over() -> None:
    shop = Shop()
    order = move(shop.counter, confirmed(shop.counter), "accept", "begin_making", "ready", at=LATER)
    opening.close(store_id=shop.store.id, reason="租约到期", by=MANAGER, at=LATER)
    her, clerk, address = as_customer(shop.customer), as_staff(shop.counter.clerk), f"stores/{shop.store.public_id}"
    cart = {"lines": [{"product": shop.drink.public_id, "quantity": 1}]}

    assert error_of(post(f"{address}/quotes", her, cart)) == (409, "store_closed_for_good")
    assert error_of(post(f"{address}/orders", her, {**cart, "due_fen": 1_900})) == (409, "store_closed_for_good")
    assert post(f"{address}/orders/{order.public_id}/collected", clerk).json()["status"] == "collected"
