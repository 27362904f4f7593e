"""What providers tell: stored once, applied once, and what is not wanted goes back."""

import logging
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from config.kernel.models import AuditEntry
from orders.models import LedgerTransfer, Payment, PaymentNotice, Purchase, Refund
from orders.services import notices
from orders.services.notices import apply_notices, store_notices
from orders.services.payments import new_attempt
from tests.factories import NOW
from tests.orders import buying
from tests.orders.buying import an_offer, buy, captured, tell
from vouchers.models import CustomerAllowance, Offer, SellingSwitch

pytestmark = pytest.mark.django_db


def outcomes() -> list[str | None]:
    return list(PaymentNotice.objects.order_by("id").values_list("outcome", flat=True))


def alarms() -> list[str]:
    return list(AuditEntry.objects.filter(act__startswith="alarm.").order_by("id").values_list("act", flat=True))


def status_of(payment: Payment) -> tuple[str, str]:
    payment.refresh_from_db()
    return payment.purchase.status, payment.status


def another(payment: Payment) -> Payment:
    return new_attempt(
        purchase_id=payment.purchase_id,
        customer_id=payment.customer_id,
        provider="sandbox",
        request_id=uuid4(),
        at=NOW,
    ).payment


def test_an_event_is_stored_once_however_often_it_is_told() -> None:
    event = captured(buy(an_offer()))

    assert store_notices([event, event], at=NOW) == 1
    assert store_notices([event], at=NOW) == 0
    assert PaymentNotice.objects.get().amount_fen == 990


def test_what_was_told_is_a_fact_but_for_when_to_look_again() -> None:
    store_notices([captured(buy(an_offer()))], at=NOW)

    PaymentNotice.objects.update(looks=3, look_at=NOW)
    for change in ({"amount_fen": 1}, {"reference": "pay_other"}, {"received_at": NOW + timedelta(1)}):
        with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
            PaymentNotice.objects.update(**change)
    with pytest.raises(IntegrityError, match="no row is deleted"), transaction.atomic():
        PaymentNotice.objects.all().delete()


def test_a_capture_pays_its_purchase_and_posts_it() -> None:
    payment = buy(an_offer(), quantity=2)

    tell(captured(payment, provider_reference="sbx_1"), at=NOW + timedelta(seconds=3))

    assert status_of(payment) == ("paid", "captured")
    assert payment.purchase.paid_at == NOW + timedelta(seconds=3)
    assert (payment.captured_fen, payment.provider_reference, payment.captured_at) == (1_980, "sbx_1", NOW)
    transfer = LedgerTransfer.objects.get()
    assert (transfer.kind, transfer.source_id, transfer.amount_fen) == ("capture", payment.id, 1_980)
    assert outcomes() == ["applied"]
    assert alarms() == []


def test_a_batch_has_one_line_in_the_trail() -> None:
    offer = an_offer()

    tell(*(captured(buy(offer)) for _ in range(3)))

    entry = AuditEntry.objects.get()
    assert (entry.act, entry.actor_kind, entry.subject_count) == ("payments.captured", "machine", 3)


def test_the_same_capture_under_another_event_is_repeated_and_changes_nothing() -> None:
    payment = buy(an_offer())
    tell(captured(payment, provider_reference="sbx_1"))

    tell(captured(payment, provider_reference="sbx_1"))

    assert outcomes() == ["applied", "repeated"]
    assert LedgerTransfer.objects.count() == 1
    assert not Refund.objects.exists()


def test_both_tellings_in_one_batch_count_once() -> None:
    payment = buy(an_offer())

    tell(captured(payment, provider_reference="sbx_1"), captured(payment, provider_reference="sbx_1"))

    assert sorted(outcomes()) == ["applied", "repeated"]


@pytest.mark.parametrize("together", [True, False])
def test_a_second_payment_of_a_purchase_is_refunded_in_full_and_alarmed(together: bool) -> None:
    first = buy(an_offer())
    second = another(first)
    events = captured(first, event_id="1"), captured(second, event_id="2")

    if together:
        tell(*events)
    else:
        for event in events:
            tell(event)

    assert status_of(first) == status_of(second) == ("paid", "captured")
    refund = Refund.objects.get()
    assert (refund.payment, refund.amount_fen, refund.status) == (second, 990, "requested")
    assert outcomes() == ["applied", "refunded"]
    assert alarms() == ["alarm.second_capture"]
    assert set(LedgerTransfer.objects.values_list("kind", "source_id")) == {
        ("capture", first.id),
        ("unwanted_capture", refund.id),
    }


def test_a_second_capture_of_the_same_payment_is_refunded_once_however_often_told() -> None:
    payment = buy(an_offer())
    tell(captured(payment, provider_reference="sbx_1"))

    tell(captured(payment, provider_reference="sbx_2"))
    tell(captured(payment, provider_reference="sbx_2"))

    payment.refresh_from_db()
    assert payment.provider_reference == "sbx_1", "the wanted capture stays the payment's own"
    assert Refund.objects.get().amount_fen == 990
    assert outcomes() == ["applied", "refunded", "repeated"]


@pytest.mark.parametrize(
    ("told", "alarm"),
    [
        ({"amount_fen": 989}, "alarm.wrong_amount"),
        ({"amount_fen": 991}, "alarm.wrong_amount"),
        ({"currency": "USD"}, "alarm.wrong_currency"),
    ],
)
def test_a_wrong_amount_or_currency_is_refunded_in_full_and_alarmed(told: dict[str, Any], alarm: str) -> None:
    payment = buy(an_offer())

    tell(captured(payment, **told))

    assert status_of(payment) == ("accepted", "captured")
    refund = Refund.objects.get()
    assert refund.amount_fen == payment.captured_fen == told.get("amount_fen", 990)
    assert (outcomes(), alarms()) == (["refunded"], [alarm])


def test_after_a_wrong_amount_another_attempt_pays_the_purchase() -> None:
    payment = buy(an_offer())
    tell(captured(payment, amount_fen=1))

    tell(captured(another(payment)))

    payment.purchase.refresh_from_db()
    assert payment.purchase.status == "paid"


@pytest.mark.parametrize(
    "told",
    [
        {"reference": f"pay_{uuid4().hex}"},
        {"reference": "somebody-elses"},
        {"provider": "wechat"},
    ],
)
def test_an_unknown_payment_stays_in_the_inbox_and_is_alarmed_once(
    told: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    payment = buy(an_offer())

    with caplog.at_level(logging.ERROR, logger="orders"):
        tell(captured(payment, **told))
        apply_notices(limit=10, at=NOW + timedelta(hours=1))

    assert status_of(payment) == ("accepted", "created")
    notice = PaymentNotice.objects.get()
    assert (notice.outcome, notice.applied_at, notice.looks) == (None, None, 2)
    assert alarms() == ["alarm.unknown_payment"]
    assert len(caplog.records) == 1


def test_an_unknown_payment_is_looked_at_ever_later() -> None:
    tell(captured(buy(an_offer()), reference="pay_unknown"))
    pauses = []
    for _ in range(12):
        looked_at = PaymentNotice.objects.get().look_at
        assert apply_notices(limit=10, at=looked_at - timedelta(seconds=1)) == 0
        assert apply_notices(limit=10, at=looked_at) == 1
        pauses.append((PaymentNotice.objects.get().look_at - looked_at).total_seconds())

    assert pauses[:3] == [120, 240, 480]
    assert pauses[-1] == 6 * 60 * 60


def test_unknown_payments_do_not_hold_up_the_others() -> None:
    payment = buy(an_offer())
    store_notices([captured(payment, reference=f"pay_{uuid4().hex}") for _ in range(5)], at=NOW)
    store_notices([captured(payment)], at=NOW + timedelta(seconds=1))

    for _ in range(4):
        apply_notices(limit=2, at=NOW + timedelta(seconds=2))

    assert status_of(payment) == ("paid", "captured")
    assert PaymentNotice.objects.filter(outcome=None).count() == 5


def test_a_payment_that_becomes_known_is_applied_after_all() -> None:
    payment = buy(an_offer())
    Payment.objects.filter(pk=payment.pk).update(provider="other")
    tell(captured(payment))
    Payment.objects.filter(pk=payment.pk).update(provider="sandbox")

    apply_notices(limit=10, at=NOW + timedelta(hours=1))

    assert status_of(payment) == ("paid", "captured")


def test_a_late_payment_takes_stock_and_allowance_again() -> None:
    offer = an_offer(allotment=1)
    payment = buy(offer)
    buying.close(payment)
    assert Offer.objects.get().sold == 0

    tell(captured(payment))

    assert status_of(payment) == ("paid", "captured")
    assert (Offer.objects.get().sold, CustomerAllowance.objects.get().bought) == (1, 1)
    assert not Refund.objects.exists()


def refused_late(payment: Payment) -> None:
    assert status_of(payment) == ("closed", "captured")
    assert Refund.objects.get().amount_fen == 990
    assert outcomes()[-1] == "refunded"


def test_a_late_payment_after_the_sell_out_is_refunded() -> None:
    offer = an_offer(allotment=1)
    late = buy(offer)
    buying.close(late)
    buy(offer)

    tell(captured(late))

    refused_late(late)
    assert Offer.objects.get().sold == 1


def test_a_late_payment_under_a_kill_is_refunded() -> None:
    late = buy(an_offer())
    buying.close(late)
    SellingSwitch.objects.create(scope="offer", scope_id=late.purchase.offer_id, stopped_at=NOW, changed_at=NOW)

    tell(captured(late))

    refused_late(late)


def test_of_two_late_payments_for_the_last_unit_one_is_kept() -> None:
    offer = an_offer(allotment=1)
    first = buy(offer)
    buying.close(first)
    second = buy(offer)
    buying.close(second)

    tell(captured(first, event_id="1"), captured(second, event_id="2"))

    assert sorted([status_of(first)[0], status_of(second)[0]]) == ["closed", "paid"]
    assert Offer.objects.get().sold == 1
    assert Refund.objects.count() == 1


def test_two_captures_of_a_closed_purchase_retake_once() -> None:
    late = buy(an_offer())
    second = another(late)
    buying.close(late)

    tell(captured(late, event_id="1"), captured(second, event_id="2"))

    late.purchase.refresh_from_db()
    assert late.purchase.status == "paid"
    assert Offer.objects.get().sold == 1
    assert Refund.objects.get().payment == second


def test_a_batch_is_bounded_and_the_oldest_go_first() -> None:
    offer = an_offer()
    first, second = buy(offer), buy(offer)
    store_notices([captured(first)], at=NOW)
    store_notices([captured(second)], at=NOW + timedelta(seconds=1))

    assert apply_notices(limit=1, at=NOW + timedelta(seconds=2)) == 1

    assert status_of(first)[0] == "paid"
    assert status_of(second)[0] == "accepted"
    assert Purchase.objects.filter(status="paid").count() == 1


def test_a_failed_batch_leaves_the_notices_unapplied(monkeypatch: pytest.MonkeyPatch) -> None:
    payment = buy(an_offer())
    store_notices([captured(payment)], at=NOW)
    monkeypatch.setattr(notices.inbox, "settle", lambda *args, **kwargs: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        apply_notices(limit=10, at=NOW)

    assert status_of(payment) == ("accepted", "created")
    assert outcomes() == [None]
