"""expiry.expire_due ends what is due, in bounded batches, once."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.kernel.models import AuditEntry, OutboxMessage
from tests.factories import NOW
from tests.vouchers.counters import Counter
from tests.vouchers.counters import counter as another_counter
from vouchers import errors, tasks
from vouchers.models import UseEnding, Voucher
from vouchers.services import expiry
from vouchers.signals import uses_expired


def test_a_voucher_expires_at_valid_until_and_not_before(counter: Counter) -> None:
    voucher = counter.voucher(paid_fen=990)

    assert expiry.expire_due(limit=10, at=voucher.valid_until - timedelta(microseconds=1)) == 0
    assert expiry.expire_due(limit=10, at=voucher.valid_until) == 1
    assert expiry.expire_due(limit=10, at=voucher.valid_until) == 0

    until = voucher.valid_until
    voucher.refresh_from_db()
    assert (voucher.status, voucher.uses_left) == ("expired", 0)
    ending = UseEnding.objects.get()
    assert (ending.serial, ending.amount_fen, ending.expired_at, ending.refunding_at) == (1, 990, until, None)
    with pytest.raises(errors.VoucherExpired):
        counter.redeem(voucher.code, at=until)


def test_of_a_card_only_the_free_uses_expire(counter: Counter) -> None:
    card = counter.voucher(counter.terms(kind="times_card", list_price_fen=600, use_list_fen=[300, 200, 100]))
    counter.redeem(card.code)

    expiry.expire_due(limit=10, at=card.valid_until)

    assert sorted(UseEnding.objects.values_list("serial", flat=True)) == [2, 3]
    card.refresh_from_db()
    assert card.status == "expired"


def test_used_held_and_refunding_vouchers_do_not_expire(counter: Counter) -> None:
    used, held = counter.voucher(), counter.voucher()
    counter.redeem(used.code)
    Voucher.objects.filter(pk=held.pk).update(status="held", uses_held=1)

    assert expiry.expire_due(limit=10, at=NOW + timedelta(days=400)) == 0


def test_a_refund_follows_where_the_terms_say_so_and_something_was_paid(counter: Counter) -> None:
    refunding, breaking = counter.terms(), counter.terms(refunds_on_expiry=False)
    paid, granted, broken = (
        counter.voucher(refunding),
        counter.voucher(refunding, paid_fen=0),
        counter.voucher(breaking),
    )

    expiry.expire_due(limit=10, at=NOW + timedelta(days=400))

    follows = dict(UseEnding.objects.values_list("voucher_id", "refund_follows"))
    assert follows == {paid.id: True, granted.id: False, broken.id: False}


def test_batches_are_bounded_and_oldest_first(counter: Counter) -> None:
    terms = counter.terms()
    newer = counter.voucher(terms, bought_at=NOW + timedelta(days=1))
    older = counter.vouchers(terms, count=3)

    assert expiry.expire_due(limit=3, at=newer.valid_until) == 3

    assert set(UseEnding.objects.values_list("voucher_id", flat=True)) == {voucher.id for voucher in older}


def test_statements_do_not_grow_with_the_batch(counter: Counter) -> None:
    terms = counter.terms()
    counter.vouchers(terms, count=51)
    at = NOW + timedelta(days=400)
    expiry.expire_due(limit=1, at=at)  # this process has met the terms

    with CaptureQueriesContext(connection) as one:
        expiry.expire_due(limit=1, at=at)
    with CaptureQueriesContext(connection) as many:
        assert expiry.expire_due(limit=100, at=at) == 49

    assert len(many) == len(one)


def test_one_batch_has_one_audit_row_and_one_announcement_a_brand(counter: Counter) -> None:
    counter.vouchers(count=2)
    other = another_counter()
    other.voucher()
    at = NOW + timedelta(days=400)

    expiry.expire_due(limit=10, at=at)

    act = AuditEntry.objects.get(act="voucher.expire")
    assert (act.subject_count, act.actor_kind, act.at) == (3, "machine", at)
    told = OutboxMessage.objects.filter(topic="vouchers.expired")
    assert {message.brand_id: message.item_count for message in told} == {counter.brand.id: 2, other.brand.id: 1}


def test_the_apps_above_hear_of_the_endings_with_their_vouchers(counter: Counter) -> None:
    heard: list[UseEnding] = []

    def listen(sender: object, endings: list[UseEnding], at: datetime, **_: object) -> None:
        heard.extend(endings)

    voucher = counter.voucher()
    uses_expired.connect(listen)
    try:
        expiry.expire_due(limit=10, at=voucher.valid_until)
    finally:
        uses_expired.disconnect(listen)

    [ending] = heard
    assert ending.pk == UseEnding.objects.get().pk
    assert (ending.voucher.brand_id, ending.voucher.status) == (counter.brand.id, "expired")


def test_the_task_drains_all_that_is_due(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = NOW - timedelta(days=3_650)
    counter.vouchers(count=3, bought_at=long_ago)
    batches: list[int] = []
    real = expiry.expire_due

    def small(*, limit: int, at: datetime) -> int:
        batches.append(limit)
        return real(limit=2, at=at)

    monkeypatch.setattr(expiry, "expire_due", small)

    tasks.expire_due()

    assert len(batches) == 3
    assert Voucher.objects.filter(status="expired").count() == 3
