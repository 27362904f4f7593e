"""Refunds asked for and finished at the same moment."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from config.kernel.errors import IdempotencyConflict
from orders.models import Purchase, Refund, RefundRequest
from orders.services import refund_finishing
from orders.services.issuing import issue_paid
from orders.services.refunds import RefundAnswer, request_refund
from tests.factories import NOW
from tests.orders import paid
from tests.races.at_once import Meeting, at_once, meet_after, meet_before
from vouchers.errors import VoucherRefunded
from vouchers.models import Voucher
from vouchers.services import returns

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def vouchers() -> list[Voucher]:
    """Both vouchers of one purchase."""
    paid.purchase(quantity=2)
    issue_paid(limit=10, at=NOW)
    return list(Voucher.objects.order_by("ordinal"))


def asking(voucher: Voucher, request_id: UUID) -> Callable[[], RefundAnswer]:
    return lambda: request_refund(voucher_id=voucher.pk, customer_id=voucher.customer_id, request_id=request_id, at=NOW)


def finishing(voucher: Voucher) -> Callable[[], None]:
    def finish() -> None:
        with transaction.atomic():
            refund_finishing.finish(voucher_ids=[voucher.pk], at=NOW)

    return finish


def test_copies_of_one_request_get_one_answer(vouchers: list[Voucher]) -> None:
    request_id = uuid4()

    answers = at_once(*[asking(vouchers[0], request_id)] * 8)

    assert len({answer.request.pk for answer in answers}) == 1
    assert [answer.is_repeat for answer in answers].count(False) == 1
    assert Refund.objects.count() == 1


def test_control_a_look_before_the_lock_misses_the_first_answer(
    vouchers: list[Voucher], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, both_looked, looked = returns.lock_of_customer, Meeting(), set[int]()

    def look_first(**named: Any) -> Voucher:
        if threading.get_ident() in looked:
            both_looked.come()
            return lock(**named)
        looked.add(threading.get_ident())
        return Voucher.objects.get(pk=named["voucher_id"])

    monkeypatch.setattr(returns, "lock_of_customer", look_first)

    answers = at_once(*[asking(vouchers[0], uuid4())] * 2)

    assert sorted(type(answer).__name__ for answer in answers) == [RefundAnswer.__name__, VoucherRefunded.__name__]


def test_one_key_for_two_vouchers_at_once_is_a_conflict_for_one(vouchers: list[Voucher]) -> None:
    request_id = uuid4()

    answers = at_once(*(asking(voucher, request_id) for voucher in vouchers))

    assert sorted(type(answer).__name__ for answer in answers) == [IdempotencyConflict.__name__, RefundAnswer.__name__]
    assert RefundRequest.objects.count() == Refund.objects.count() == 1
    assert Voucher.objects.filter(status="issued").count() == 1, "the loser's voucher is untouched"


def both_mark_before_either_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    meet_after(monkeypatch, returns, "finish_refund")


def test_of_the_last_two_refunds_the_later_one_sees_the_earlier(
    vouchers: list[Voucher], monkeypatch: pytest.MonkeyPatch
) -> None:
    for voucher in vouchers:
        asking(voucher, uuid4())()
    both_mark_before_either_counts(monkeypatch)

    assert at_once(*(finishing(voucher) for voucher in vouchers)) == [None, None]

    assert Purchase.objects.get().status == "refunded"


def test_control_without_the_purchases_lock_neither_sees_the_other(
    vouchers: list[Voucher], monkeypatch: pytest.MonkeyPatch
) -> None:
    for voucher in vouchers:
        asking(voucher, uuid4())()
    both_mark_before_either_counts(monkeypatch)
    unlocked = refund_finishing.LOCK_PURCHASES.replace("FOR NO KEY UPDATE OF purchase", "")
    monkeypatch.setattr(refund_finishing, "LOCK_PURCHASES", unlocked)
    meet_before(monkeypatch, refund_finishing, "as_jsonb")  # both have counted

    assert at_once(*(finishing(voucher) for voucher in vouchers)) == [None, None]

    assert Purchase.objects.get().status == "partly_refunded"
