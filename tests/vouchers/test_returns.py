"""returns ends unused uses for the refunds of the app above, each once and at its own amount."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from tests.factories import NOW
from tests.vouchers.counters import Counter
from vouchers import errors
from vouchers.models import UseEnding, Voucher
from vouchers.services import expiry, returns

CARD: dict[str, Any] = {"kind": "times_card", "list_price_fen": 600, "use_list_fen": [300, 200, 100]}


def begin(voucher: Voucher, *, at: datetime = NOW) -> tuple[UseEnding, ...]:
    with transaction.atomic():
        return returns.begin_refund(voucher_id=voucher.id, customer_id=voucher.customer_id, at=at)


def finish(*vouchers: Voucher, at: datetime = NOW) -> None:
    with transaction.atomic():
        returns.finish_refund(voucher_ids=[voucher.id for voucher in vouchers], at=at)


def test_an_unused_voucher_is_refunding_and_then_refunded(counter: Counter) -> None:
    voucher = counter.voucher(paid_fen=990)

    [ending] = begin(voucher)

    assert (ending.serial, ending.amount_fen, ending.refunding_at, ending.expired_at) == (1, 990, NOW, None)
    assert ending.voucher.source_id == voucher.source_id
    voucher.refresh_from_db()
    assert (voucher.status, voucher.uses_left) == ("refunding", 0)
    with pytest.raises(errors.VoucherRefunded):
        counter.redeem(voucher.code)

    finish(voucher, at=NOW + timedelta(minutes=1))

    voucher.refresh_from_db()
    ending.refresh_from_db()
    assert (voucher.status, ending.refunded_at) == ("refunded", NOW + timedelta(minutes=1))


def test_of_a_partly_used_card_the_unused_uses_go_back_at_their_own_amounts(counter: Counter) -> None:
    card = counter.voucher(counter.terms(**CARD), paid_fen=600)
    counter.redeem(card.code)

    ended = begin(card)

    assert [(ending.serial, ending.amount_fen) for ending in ended] == [(2, 200), (3, 100)]


def test_finishing_again_changes_nothing(counter: Counter) -> None:
    voucher = counter.voucher()
    begin(voucher)
    finish(voucher, at=NOW)

    finish(voucher, at=NOW + timedelta(days=1))

    assert UseEnding.objects.get().refunded_at == NOW


def test_what_is_not_hers_is_not_there(counter: Counter) -> None:
    voucher = counter.voucher()

    for voucher_id, customer_id in ((voucher.id, uuid4()), (uuid4(), voucher.customer_id)):
        with pytest.raises(errors.VoucherNotFound), transaction.atomic():
            returns.begin_refund(voucher_id=voucher_id, customer_id=customer_id, at=NOW)


def test_used_refunded_and_expired_vouchers_are_refused(counter: Counter) -> None:
    used, refunded, over = counter.voucher(), counter.voucher(), counter.voucher()
    counter.redeem(used.code)
    begin(refunded)

    with pytest.raises(errors.VoucherAlreadyRedeemed):
        begin(used)
    with pytest.raises(errors.VoucherRefunded):
        begin(refunded)
    with pytest.raises(errors.VoucherExpired):
        begin(over, at=over.valid_until)


def test_a_voucher_that_is_not_valid_yet_may_be_given_back(counter: Counter) -> None:
    fixed = {"usable_from": NOW + timedelta(days=1), "usable_until": NOW + timedelta(days=2)}
    voucher = counter.voucher(counter.terms(validity="fixed", usable_days=None, **fixed))

    assert len(begin(voucher)) == 1


def test_terms_may_give_nothing_back(counter: Counter) -> None:
    with pytest.raises(errors.VoucherNotRefundable):
        begin(counter.voucher(counter.terms(refundable_unused=False)))

    assert not UseEnding.objects.exists()


def test_expired_uses_whose_terms_refund_them_begin_oldest_first_and_once(counter: Counter) -> None:
    refunding, breaking = counter.terms(**CARD), counter.terms(refunds_on_expiry=False)
    older, newer = (
        counter.voucher(refunding, paid_fen=600),
        counter.voucher(refunding, bought_at=NOW + timedelta(days=1)),
    )
    counter.voucher(breaking)
    counter.redeem(older.code)
    expiry.expire_due(limit=1, at=older.valid_until)
    expiry.expire_due(limit=10, at=newer.valid_until)
    at = newer.valid_until + timedelta(hours=1)

    with transaction.atomic():
        first = returns.begin_refunds_of_expired(limit=2, at=at)
    with transaction.atomic():
        second = returns.begin_refunds_of_expired(limit=100, at=at)
    with transaction.atomic():
        third = returns.begin_refunds_of_expired(limit=100, at=at)

    assert {(ending.voucher, ending.serial, ending.amount_fen) for ending in first} == {
        (older, 2, 200),
        (older, 3, 100),
    }
    assert {ending.voucher for ending in second} == {newer}
    assert third == []
    older.refresh_from_db()
    assert older.status == "refunding"
    finish(older, at=at)
    older.refresh_from_db()
    assert older.status == "refunded"
