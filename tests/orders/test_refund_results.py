"""What became of refunds: the voucher is refunded when the money has left, once, and at our amount."""

import logging
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.models import AuditEntry
from orders.models import LedgerTransfer, PaymentNotice, Purchase, Refund
from orders.providers.interface import EventKind, NoticeEvent
from orders.services.issuing import issue_paid
from orders.services.notices import apply_notices
from orders.services.refunds import request_refund
from tests.factories import NOW
from tests.orders import paid
from tests.orders.buying import an_offer, buy, captured, tell
from vouchers.models import Voucher

pytestmark = pytest.mark.django_db


@pytest.fixture
def vouchers() -> list[Voucher]:
    """Both vouchers of one purchase at ¥9.90 each."""
    paid.purchase(quantity=2)
    issue_paid(limit=10, at=NOW)
    return list(Voucher.objects.order_by("ordinal"))


def sent(voucher: Voucher) -> Refund:
    """A refund whose order is with the provider."""
    answer = request_refund(voucher_id=voucher.pk, customer_id=voucher.customer_id, request_id=uuid4(), at=NOW)
    assert answer.request.refund is not None
    Refund.objects.filter(pk=answer.request.refund.pk).update(status="sent", sent_at=NOW, attempts=1)
    return Refund.objects.get(pk=answer.request.refund.pk)


def result(refund: Refund, kind: EventKind = EventKind.REFUND_SUCCEEDED, **fields: Any) -> NoticeEvent:
    return NoticeEvent(
        **{
            "provider": "sandbox",
            "event_id": f"evt_{uuid4().hex}",
            "kind": kind,
            "reference": refund.public_id,
            "provider_reference": f"sbr_{uuid4().hex}",
            "amount_fen": refund.amount_fen,
            "currency": "CNY",
            "occurred_at": NOW + timedelta(seconds=2),
            **fields,
        }
    )


def states(refund: Refund) -> tuple[str, str, str]:
    refund.refresh_from_db()
    voucher = Voucher.objects.get(pk=refund.source_id)
    return refund.status, voucher.status, Purchase.objects.get().status


def test_until_the_provider_says_so_the_voucher_is_refunding(vouchers: list[Voucher]) -> None:
    assert states(sent(vouchers[0])) == ("sent", "refunding", "issued")


def test_success_refunds_the_voucher_and_posts_the_money(vouchers: list[Voucher]) -> None:
    refund = sent(vouchers[0])

    tell(result(refund))

    assert states(refund) == ("succeeded", "refunded", "partly_refunded")
    assert refund.succeeded_at == NOW + timedelta(seconds=2)
    transfer = LedgerTransfer.objects.get(kind="refund_paid")
    assert (transfer.source_id, transfer.amount_fen, transfer.credit.owner) == (refund.id, 990, "sandbox")
    assert AuditEntry.objects.get(act="refunds.succeeded").subject_count == 1


def test_when_all_has_gone_back_the_purchase_is_refunded(vouchers: list[Voucher]) -> None:
    both = [sent(voucher) for voucher in vouchers]

    tell(*(result(refund) for refund in both))

    assert states(both[0]) == states(both[1]) == ("succeeded", "refunded", "refunded")


def test_a_second_telling_changes_nothing(vouchers: list[Voucher]) -> None:
    refund = sent(vouchers[0])
    tell(result(refund), result(refund))

    tell(result(refund))
    tell(result(refund, EventKind.REFUND_FAILED))

    assert states(refund)[0] == "succeeded"
    assert sorted(PaymentNotice.objects.values_list("outcome", flat=True)) == ["applied", *["repeated"] * 3]
    assert LedgerTransfer.objects.filter(kind="refund_paid").count() == 1


def test_a_failure_leaves_the_voucher_refunding_and_the_refund_to_be_sent_again(vouchers: list[Voucher]) -> None:
    refund = sent(vouchers[0])

    tell(result(refund, EventKind.REFUND_FAILED))

    assert states(refund) == ("failed", "refunding", "issued")
    assert refund.last_error == "the provider reported that it failed"


def test_success_after_a_failure_counts(vouchers: list[Voucher]) -> None:
    refund = sent(vouchers[0])

    tell(result(refund, EventKind.REFUND_FAILED))
    tell(result(refund))

    assert states(refund) == ("succeeded", "refunded", "partly_refunded")


def test_the_last_failure_calls_people(vouchers: list[Voucher], caplog: pytest.LogCaptureFixture) -> None:
    refund = sent(vouchers[0])
    Refund.objects.update(attempts=Refund.MOST_ATTEMPTS)

    with caplog.at_level(logging.ERROR, logger="orders"):
        tell(result(refund, EventKind.REFUND_FAILED))

    assert AuditEntry.objects.get(act="alarm.refund_given_up").details == {"references": [refund.public_id]}
    assert len(caplog.records) == 1


@pytest.mark.parametrize("told", [{"amount_fen": 989}, {"reference": f"rfd_{uuid4().hex}"}, {"provider": "wechat"}])
def test_one_that_is_not_ours_stays_in_the_inbox_and_is_alarmed_once(
    vouchers: list[Voucher], told: dict[str, Any]
) -> None:
    refund = sent(vouchers[0])

    tell(result(refund, **told))
    apply_notices(limit=10, at=NOW + timedelta(hours=1))

    assert states(refund) == ("sent", "refunding", "issued")
    assert PaymentNotice.objects.get().outcome is None
    assert AuditEntry.objects.filter(act="alarm.unknown_refund").count() == 1


def test_an_unwanted_capture_that_went_back_leaves_nothing_owed_and_its_purchase_as_it_was() -> None:
    payment = buy(an_offer())
    tell(captured(payment, amount_fen=5))
    Refund.objects.update(status="sent", sent_at=NOW, attempts=1)
    refund = Refund.objects.get()

    tell(result(refund))

    refund.refresh_from_db()
    payment.purchase.refresh_from_db()
    assert (refund.status, payment.purchase.status) == ("succeeded", "accepted")
    sides = LedgerTransfer.objects.values_list("kind", "debit__kind", "credit__kind")
    assert set(sides) == {
        ("unwanted_capture", "provider_clearing", "refunds_payable"),
        ("refund_paid", "refunds_payable", "provider_clearing"),
    }
