"""
Checkout against everybody else who wants the voucher: one wins, the other is shown what there is now.

Removed once, in `without_locks`: the vouchers' row locks.
"""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from orders.errors import PlanChanged
from orders.models import Payment, StoreOrder
from orders.services import checkout, order_payment
from orders.services.placing import Placed
from tests.factories import NOW
from tests.orders.test_checkout import Shop
from tests.races.at_once import at_once
from tests.races.squeezed import squeeze
from tests.stores import stocked
from vouchers import errors
from vouchers.models import Hold, Redemption, UseEnding, Voucher
from vouchers.services import expiry, returns, voucher_locks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCK_OF_CUSTOMER", "LOCK_BY_CODE"):
        statement = getattr(voucher_locks, name)
        plain = statement.replace("FOR NO KEY UPDATE OF v", "").replace("FOR NO KEY UPDATE", "")
        monkeypatch.setattr(voucher_locks, name, plain)
    monkeypatch.setattr(voucher_locks, "lock", lambda ids: list(Voucher.objects.filter(id__in=ids)))


def refund(voucher: Voucher) -> tuple[UseEnding, ...]:
    with transaction.atomic():
        return returns.begin_refund(voucher_id=voucher.id, customer_id=voucher.customer_id, at=NOW)


def taken(voucher: Voucher) -> int:
    """How often its one use is promised or gone."""
    live = Redemption.objects.filter(voucher=voucher, reversed_at=None).count()
    held = Hold.objects.filter(voucher=voucher, ended_at=None).count()
    return live + held + UseEnding.objects.filter(voucher=voucher).count()


@pytest.mark.parametrize("cups", [1, 2], ids=["paid by the voucher", "half in cash"])
def test_of_two_orders_with_one_voucher_one_gets_it(shop: Shop, cups: int) -> None:
    """Two devices of one customer, each with its own key."""
    for _ in range(6):
        voucher = shop.voucher()
        quoted = shop.quote(shop.line(cups))

        answers = at_once(*[lambda q=quoted: shop.order(q, shop.line(cups))] * 3)

        assert [type(answer) for answer in answers].count(Placed) == 1
        assert all(isinstance(answer, Placed | PlanChanged) for answer in answers)
        assert taken(voucher) == 1


def test_one_request_on_two_connections_is_one_order(shop: Shop) -> None:
    for _ in range(6):
        shop.voucher()
        quoted, key = shop.quote(), Shop().customer.id

        answers: list[Any] = at_once(*[lambda q=quoted, k=key: shop.order(q, request_id=k)] * 2)

        assert {answer.order.id for answer in answers} == {StoreOrder.objects.get(request_id=key).id}
        assert sorted(answer.is_repeat for answer in answers) == [False, True]


def test_one_request_without_a_voucher_on_two_connections_is_one_order(shop: Shop) -> None:
    """Nothing of hers to lock, and one cup left: the copy hears of its order, and not that it is sold out."""
    for _ in range(4):
        stocked.keep(shop.store, "counted", product=shop.drink, units=1)
        quoted, key = shop.quote(), uuid4()

        answers: list[Any] = at_once(*[lambda q=quoted, k=key: shop.order(q, request_id=k)] * 3)

        assert {answer.order.id for answer in answers} == {StoreOrder.objects.get(request_id=key).id}
        assert sorted(answer.is_repeat for answer in answers) == [False, True, True]
        stocked.give_back(answers[0].order.id)


def test_without_its_lock_a_request_is_refused_because_of_its_own_copy(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "LOCK_REQUEST", "SELECT %(key)s::bigint")
    quoted, key = shop.quote(), uuid4()
    copy = squeeze(monkeypatch, checkout, "_lock", lambda: shop.order(quoted, request_id=key))

    with pytest.raises(IntegrityError, match="store_order_is_placed_once"):
        shop.order(quoted, request_id=key)

    assert isinstance(copy.answer(), Placed)


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_the_second_order_breaks_instead_of_seeing_a_plan(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.voucher()
    quoted = shop.quote()
    second = squeeze(monkeypatch, checkout, "wallet_of", lambda: shop.order(quoted))

    with pytest.raises(IntegrityError, match="use_is_redeemed_once"):
        shop.order(quoted)

    assert isinstance(second.answer(), Placed)


def test_an_order_and_a_counter_at_once_have_one_winner(shop: Shop) -> None:
    for _ in range(8):
        voucher = shop.voucher()
        quoted = shop.quote(shop.line(2))

        ordering, redeeming = at_once(
            lambda q=quoted: shop.order(q, shop.line(2)), lambda v=voucher: shop.counter.redeem(v.code)
        )

        if isinstance(ordering, Placed):
            assert isinstance(redeeming, errors.VoucherHeld)
        else:
            assert isinstance(ordering, PlanChanged)
            assert not isinstance(redeeming, Exception)
        assert taken(voucher) == 1


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_a_use_is_drunk_and_promised(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    card = shop.voucher("times_card", paid_fen=3_000)
    quoted = shop.quote(excluded=[])
    redeeming = squeeze(monkeypatch, checkout, "wallet_of", lambda: shop.counter.redeem(card.code))

    with pytest.raises(IntegrityError, match="use_is_redeemed_once"):
        shop.order(quoted)

    assert not isinstance(redeeming.answer(), Exception)


def test_an_order_and_a_refund_at_once_have_one_winner(shop: Shop) -> None:
    for _ in range(8):
        voucher = shop.voucher()
        quoted = shop.quote(shop.line(2))

        ordering, refunding = at_once(lambda q=quoted: shop.order(q, shop.line(2)), lambda v=voucher: refund(v))

        if isinstance(ordering, Placed):
            assert isinstance(refunding, errors.VoucherHeld)
        else:
            assert isinstance(ordering, PlanChanged)
        assert taken(voucher) == 1


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_a_use_is_paid_back_and_drunk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher = shop.voucher()
    quoted = shop.quote()
    refunding = squeeze(monkeypatch, checkout, "wallet_of", lambda: refund(voucher))

    shop.order(quoted)

    assert len(refunding.answer()) == 1
    assert taken(voucher) == 2, "the money goes back, and the drink is made"


def test_an_order_and_expiry_at_once_have_one_winner(shop: Shop) -> None:
    for _ in range(6):
        voucher = shop.voucher()
        quoted = shop.quote(shop.line(2))

        ordering, swept = at_once(
            lambda q=quoted: shop.order(q, shop.line(2)),
            lambda v=voucher: expiry.expire_due(limit=1, at=v.valid_until),
        )

        assert (isinstance(ordering, Placed), swept) in [(True, 0), (False, 1)]
        assert taken(voucher) == 1


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_a_use_expires_and_is_drunk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher = shop.voucher()
    quoted = shop.quote()
    expiring = squeeze(monkeypatch, checkout, "wallet_of", lambda: expiry.expire_due(limit=1, at=voucher.valid_until))

    shop.order(quoted)

    assert expiring.answer() == 1
    assert taken(voucher) == 2, "gone by itself, and the drink is made"


def test_two_devices_that_try_to_pay_again_with_one_key_have_one_attempt(shop: Shop) -> None:
    for _ in range(4):
        placed, key = shop.order(shop.quote()), uuid4()
        asked = {"order_id": placed.order.id, "customer_id": shop.customer.id, "provider": "sandbox"}

        answers: list[Any] = at_once(*[lambda a=asked, k=key: order_payment.new_attempt(**a, request_id=k, at=NOW)] * 2)

        assert sorted(answer.is_repeat for answer in answers) == [False, True]
        assert Payment.objects.filter(store_order=placed.order).count() == 2


def test_the_last_cup_has_one_order(shop: Shop) -> None:
    for _ in range(4):
        stocked.keep(shop.store, "counted", product=shop.drink, units=1)
        quoted = shop.quote()

        answers = at_once(*[lambda q=quoted: shop.order(q)] * 3)

        assert [type(answer) for answer in answers].count(Placed) == 1
        assert {answer.code for answer in answers if not isinstance(answer, Placed)} == {"product_sold_out"}
        order = next(answer.order for answer in answers if isinstance(answer, Placed))
        stocked.give_back(order.id)
