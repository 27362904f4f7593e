"""
Four calls from a voucher to a pick-up number, over HTTP: use it, look at the plan, order, see the number.

Then the store makes the drinks, a second customer pays the rest at a time of her own, and the books are audited.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from orders.invariants import auditing, slices
from orders.models import Payment, StoreOrder
from orders.services.order_moves import MAY_CANCEL
from stores.models import Store
from tests import factories
from tests.orders.buying import tell
from tests.orders.ordering import capture
from tests.orders.test_checkout import Shop, today
from tests.vouchers.http import as_customer, as_staff, get, post

pytestmark = pytest.mark.django_db(transaction=True)

HERE = {"latitude": 30.2086, "longitude": 120.2169}


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    Store.objects.filter(pk=made.store.pk).update(latitude="30.208600", longitude="120.212000")
    return made


def as_quoted(quote: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The order that repeats a quote."""
    uses = [{"voucher": use["voucher"], "serial": use["serial"]} for use in quote["uses"]]
    return {"uses": uses, "due_fen": quote["due_fen"], **fields}


def broken() -> set[str]:
    """The rules of store orders, and of stock and slots: these vouchers were given and not sold."""
    with auditing.one_snapshot():
        results = auditing.look(slices.whole())
    return {rule for result in results if result.invariant in ("SO", "I8") for rule in result.broken}


def test_four_calls_from_a_voucher_to_a_pick_up_number(shop: Shop) -> None:
    voucher, her = today(shop), as_customer(shop.customer)

    begun = post(f"vouchers/{voucher.public_id}/use", her, HERE).json()
    cart = {"lines": begun["lines"]}
    quoted = post(f"stores/{begun['store']}/quotes", her, {**cart, "use": [voucher.public_id]}).json()
    placed = post(f"stores/{begun['store']}/orders", her, as_quoted(quoted, **cart)).json()
    order = get(f"orders/{placed['id']}", her).json()

    assert (begun["store"], begun["distance_metres"] // 10) == (shop.store.public_id, 47)
    assert 180 <= begun["ready_in_seconds"] <= 240
    assert (quoted["due_fen"], order["status"], order["pickup_number"]) == (0, "confirmed", 100)
    assert order["expected_at"] >= quoted["ready_at"][:17]


def test_from_the_order_to_the_cup_in_her_hand_with_a_slot_and_something_on_top(shop: Shop) -> None:
    voucher, her, clerk = today(shop), as_customer(shop.customer), as_staff(shop.counter.clerk)
    address = f"stores/{shop.store.public_id}"
    slot = get(f"{address}/slots", her, cups=2).json()["items"][1]["starts_at"]
    cart = {"lines": [{"product": shop.drink.public_id, "quantity": 2}], "pick_up_at": slot}

    quoted = post(f"{address}/quotes", her, cart).json()
    placed = post(f"{address}/orders", her, as_quoted(quoted, **cart)).json()
    again = post(f"orders/{placed['id']}/payment", her, {}).json()
    tell(capture(Payment.objects.get(pk=again["id"].split("_")[1])), at=datetime.now(UTC))
    order = f"{address}/orders/{placed['id']}"
    # Her minute is over.
    StoreOrder.objects.update(placed_at=F("placed_at") - MAY_CANCEL, confirmed_at=F("confirmed_at") - MAY_CANCEL)
    for act, status in (("accept", "accepted"), ("making", "making"), ("ready", "ready"), ("collected", "collected")):
        assert post(f"{order}/{act}", clerk).json()["status"] == status

    seen = get(f"orders/{placed['id']}", her).json()
    assert (seen["status"], seen["pick_up_at"], seen["expected_at"]) == ("collected", slot, slot)
    assert get(f"vouchers/{voucher.public_id}", her).json()["status"] == "used"
    shown = get("orders", as_customer(factories.customer(shop.counter.brand))).json()["items"]
    assert shown == [], "another customer sees nothing of it"
    assert broken() == set()


def test_an_order_that_is_cancelled_leaves_no_trace_in_time_or_money(shop: Shop) -> None:
    voucher, her = today(shop), as_customer(shop.customer)
    address, cart = f"stores/{shop.store.public_id}", {"lines": [{"product": shop.drink.public_id, "quantity": 1}]}
    quoted = post(f"{address}/quotes", her, cart).json()

    placed = post(f"{address}/orders", her, as_quoted(quoted, **cart)).json()
    cancelled = post(f"orders/{placed['id']}/cancel", her).json()

    assert cancelled["status"] == "cancelled"
    assert get(f"vouchers/{voucher.public_id}", her).json()["status"] == "issued"
    again = post(f"{address}/quotes", her, cart).json()
    assert datetime.fromisoformat(again["ready_at"]) <= datetime.now(UTC) + timedelta(minutes=4)
    assert broken() == set()
