"""order_payment: another try to pay a store order that still waits for its money."""

from datetime import timedelta
from uuid import uuid4

import pytest

from config.kernel.errors import DomainError, IdempotencyConflict
from orders.errors import TooManyPaymentAttempts
from orders.models import Payment
from orders.services import order_payment, order_sweeps
from orders.services.payments import Attempt
from orders.services.placing import Placed
from tests import factories
from tests.factories import NOW
from tests.orders.buying import tell
from tests.orders.ordering import CUP_FEN, capture, confirmed, pay, place, priced, refunds_of
from tests.orders.test_checkout import Shop
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_customer, error_of, get, post

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def attempt(placed: Placed, *, provider: str = "sandbox", key: object = None, at: object = NOW) -> Attempt:
    return order_payment.new_attempt(
        order_id=placed.order.id,
        customer_id=placed.order.customer_id,
        provider=provider,
        request_id=key or uuid4(),  # type: ignore[arg-type]
        at=at,  # type: ignore[arg-type]
    )


def test_another_attempt_pays_the_order_and_the_first_goes_back(counter: Counter) -> None:
    placed = place(counter, priced((factories.product(counter.brand), 2), uses=[(counter.voucher(), 1, CUP_FEN)]))

    second = attempt(placed).payment

    assert (second.amount_fen, second.status) == (CUP_FEN, "created")
    tell(capture(second), at=NOW)
    order = pay(placed, provider_reference="late")
    assert order.status == "confirmed"
    assert refunds_of(order) == [("unwanted_capture", CUP_FEN)]


def test_after_a_wrong_amount_she_pays_the_right_one(counter: Counter) -> None:
    placed = place(counter)
    pay(placed, amount_fen=1)

    tell(capture(attempt(placed).payment, provider_reference="right"), at=NOW)

    placed.order.refresh_from_db()
    assert placed.order.status == "confirmed"
    assert refunds_of(placed.order) == [("unwanted_capture", 1)]


def test_a_repeat_finds_the_same_attempt(counter: Counter) -> None:
    placed, key = place(counter), uuid4()

    first, again = attempt(placed, key=key), attempt(placed, key=key)

    assert (first.is_repeat, again.is_repeat, again.payment.id) == (False, True, first.payment.id)
    assert Payment.objects.filter(store_order=placed.order).count() == 2
    Payment.objects.filter(id=first.payment.id).update(provider="other")
    with pytest.raises(IdempotencyConflict):
        attempt(placed, key=key)


def test_an_order_has_its_share_of_attempts(counter: Counter) -> None:
    placed = place(counter)
    for _ in range(4):
        attempt(placed)

    with pytest.raises(TooManyPaymentAttempts):
        attempt(placed)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("paid", "store_order_already_paid"),
        ("free", "store_order_already_paid"),
        ("over", "store_order_no_longer_payable"),
        ("lapsed", "store_order_no_longer_payable"),
        ("elsewhere", "provider_not_found"),
    ],
)
def test_only_what_waits_for_money_is_paid(counter: Counter, state: str, code: str) -> None:
    placed = Placed(confirmed(counter), None) if state == "free" else place(counter)
    if state == "paid":
        pay(placed)
    if state == "lapsed":
        assert placed.payment is not None
        order_sweeps._lapse([placed.order.id], {placed.payment.id}, at=NOW + 15 * MINUTE)

    with pytest.raises(DomainError) as refusal:
        attempt(
            placed,
            provider="nobody" if state == "elsewhere" else "sandbox",
            at=NOW + 15 * MINUTE if state == "over" else NOW,
        )

    assert refusal.value.code == code


def test_an_attempt_after_the_provider_was_asked_keeps_the_order(counter: Counter) -> None:
    placed = place(counter)
    assert placed.payment is not None
    asked = {placed.payment.id}
    attempt(placed, at=NOW + 14 * MINUTE)

    assert order_sweeps._lapse([placed.order.id], asked, at=NOW + 15 * MINUTE) == 0


def test_she_tries_again_over_http() -> None:
    shop = Shop()
    her, key = as_customer(shop.customer), uuid4()
    cart = {"lines": [{"product": shop.drink.public_id, "quantity": 1}], "due_fen": 1_900}
    placed = post(f"stores/{shop.store.public_id}/orders", her, cart).json()
    address = f"orders/{placed['id']}/payment"

    first, again = post(address, her, {"provider": "sandbox"}, key=key), post(address, her, {}, key=key)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["id"] != placed["payment"]["id"]
    assert first.json()["parameters"]
    assert get(f"orders/{placed['id']}", her).json()["status"] == "placed"
    stranger = as_customer(factories.customer(shop.counter.brand))
    assert error_of(post(address, stranger, {})) == (404, "store_order_not_found")
