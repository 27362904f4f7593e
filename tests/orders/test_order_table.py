"""
The table of store orders: every state × every event from outside. The six acts on an order are in test_store_orders.py.

A cell is what the order becomes, and what came of the event.
"""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from config.kernel.errors import DomainError
from orders.models import Payment, StoreOrder
from orders.services import order_payment, order_sweeps
from stores.models import Store
from tests.factories import NOW
from tests.orders import ordering
from tests.orders.buying import tell
from tests.orders.ordering import refunds_of
from tests.orders.test_store_orders import STATES, order_in
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers.models import Redemption, Voucher
from vouchers.services import expiry, returns
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
LATER = NOW + 16 * MINUTE
WEEKS = NOW + timedelta(days=400)
UNUSED = ("lapsed", "cancelled", "rejected")
OPEN = ("confirmed", "accepted", "making")

Event = Callable[[Counter, StoreOrder], str]


def refused_or(act: Callable[[], object], done: str) -> str:
    try:
        act()
    except DomainError as refusal:
        return refusal.code
    return done


def voucher_of(order: StoreOrder) -> Voucher:
    return Voucher.objects.get(id=order.applied.get().voucher_id)


def capture(counter: Counter, order: StoreOrder) -> str:
    before = len(refunds_of(order))
    payment = Payment.objects.get(store_order=order)
    tell(ordering.capture(payment, provider_reference="another"), at=LATER)
    return "refunded" if len(refunds_of(order)) > before else "kept"


def another_attempt(counter: Counter, order: StoreOrder) -> str:
    asked = {"order_id": order.id, "customer_id": order.customer_id, "provider": "sandbox", "request_id": uuid4()}
    return refused_or(lambda: order_payment.new_attempt(**asked, at=NOW + 2 * MINUTE), "made")  # type: ignore[arg-type]


def lease_over(counter: Counter, order: StoreOrder) -> str:
    payment = Payment.objects.get(store_order=order)
    return str(order_sweeps._lapse([order.id], {payment.id}, at=LATER))


def nobody_accepts(counter: Counter, order: StoreOrder) -> str:
    return str(order_sweeps.look_after_unaccepted(limit=9, at=NOW + timedelta(hours=2)))


def day_ends(counter: Counter, order: StoreOrder) -> str:
    return str(order_sweeps.end_day(limit=9, at=NOW + timedelta(days=2)))


def store_closes(counter: Counter, order: StoreOrder) -> str:
    Store.objects.filter(pk=counter.store.pk).update(status="closed", closed_at=LATER)
    return str(order_sweeps.clear_closed_stores(limit=9, at=LATER))


def refund(counter: Counter, order: StoreOrder) -> str:
    voucher = voucher_of(order)
    asked = {"voucher_id": voucher.id, "customer_id": voucher.customer_id}
    with transaction.atomic():
        return refused_or(lambda: returns.begin_refund(**asked, at=LATER), "refunding")


def expiry_comes(counter: Counter, order: StoreOrder) -> str:
    expiry.expire_due(limit=9, at=WEEKS)
    return voucher_of(order).status


def counter_redeems(counter: Counter, order: StoreOrder) -> str:
    return refused_or(lambda: counter.redeem(voucher_of(order).code, at=LATER), "redeemed")


def counter_undoes(counter: Counter, order: StoreOrder) -> str:
    redemption = Redemption.objects.filter(request_id=order.redemption_request_id).first()
    if redemption is None:
        return "nothing to undo"
    asked = {"redemption_id": redemption.id, "operator": counter.clerk, "request_id": uuid4()}
    return refused_or(lambda: reverse(**asked, at=LATER), "undone")  # type: ignore[arg-type]


def cells(came: str, becomes: str | None = None, *, at: tuple[str, ...], otherwise: str) -> dict[str, tuple[str, str]]:
    """At these states the event does something; at all others it leaves the order and hears ``otherwise``."""
    return {state: (becomes or state, came) if state in at else (state, otherwise) for state in STATES}


TABLE: dict[Event, dict[str, tuple[str, str]]] = {
    capture: cells("kept", "confirmed", at=("placed", "lapsed"), otherwise="refunded"),
    another_attempt: cells("made", at=("placed",), otherwise="store_order_already_paid")
    | {"lapsed": ("lapsed", "store_order_no_longer_payable")},
    lease_over: cells("1", "lapsed", at=("placed",), otherwise="0"),
    nobody_accepts: cells("1", "rejected", at=("confirmed",), otherwise="0"),
    day_ends: cells("1", "rejected", at=OPEN, otherwise="0") | {"ready": ("uncollected", "1")},
    store_closes: cells("1", "rejected", at=OPEN, otherwise="0"),
    refund: cells("refunding", at=UNUSED, otherwise="voucher_already_redeemed")
    | {"placed": ("placed", "voucher_held")},
    expiry_comes: cells("expired", at=UNUSED, otherwise="used") | {"placed": ("placed", "held")},
    counter_redeems: cells("redeemed", at=UNUSED, otherwise="voucher_already_redeemed")
    | {"placed": ("placed", "voucher_held")},
    counter_undoes: cells("nothing to undo", at=("placed", "lapsed"), otherwise="redemption_belongs_to_order"),
}


@pytest.mark.parametrize("event", TABLE, ids=lambda event: event.__name__)
@pytest.mark.parametrize("state", STATES)
def test_state_and_event_from_outside(state: str, event: Event) -> None:
    counter = counters.counter()
    order = order_in(state, counter)

    came = event(counter, order)

    order.refresh_from_db()
    assert (order.status, came) == TABLE[event][state]
