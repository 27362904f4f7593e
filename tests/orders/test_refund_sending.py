"""Refunds on their way: sent once, asked about when silent, given up to people at last."""

from datetime import datetime, timedelta

import pytest

from config.kernel.models import AuditEntry
from orders import queries
from orders.models import PaymentNotice, Refund
from orders.services import refund_sending
from tests.factories import NOW
from tests.orders.buying import an_offer, buy, captured, tell
from tests.orders.fake_provider import FakeProvider

# Committed for real: refunds are sent outside any transaction.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def refund(provider: FakeProvider) -> Refund:
    """A capture of a wrong amount that has to go back."""
    payment = buy(an_offer())
    report = provider.pay(payment, amount_fen=5)
    tell(captured(payment, amount_fen=5, provider_reference=report.captures[0].transaction))
    return Refund.objects.get()


def send(*, at: datetime = NOW) -> int:
    return refund_sending.send_refunds(limit=100, at=at)


def when_due(refund: Refund) -> datetime:
    refund.refresh_from_db()
    return refund.due_at


def test_a_requested_refund_is_sent_once_and_waits_for_its_result(provider: FakeProvider, refund: Refund) -> None:
    assert send() == 1
    assert send() == 0

    refund.refresh_from_db()
    assert (refund.status, refund.attempts, refund.sent_at) == ("sent", 1, NOW)
    assert provider.calls == ["refund"]
    assert provider.book.refunds[refund.public_id].amount_fen == 5
    assert AuditEntry.objects.get(act="refunds.sent").subject_count == 1


def test_a_silent_refund_is_asked_about_and_its_success_goes_into_the_inbox(
    provider: FakeProvider, refund: Refund
) -> None:
    send()
    provider.settle_refunds()

    assert send(at=when_due(refund)) == 1

    notice = PaymentNotice.objects.get(kind="refund_succeeded")
    assert (notice.reference, notice.amount_fen, notice.occurred_at) == (refund.public_id, 5, NOW)
    assert provider.calls == ["refund", "ask_refunds"]


def test_one_that_never_arrived_is_sent_again(provider: FakeProvider, refund: Refund) -> None:
    provider.is_silent = True
    assert send() == 0
    assert provider.book.refunds == {}
    provider.is_silent = False

    assert send(at=when_due(refund)) == 1

    assert provider.calls == ["refund", "ask_refunds", "refund"]
    assert provider.book.refunds[refund.public_id].amount_fen == 5


def test_silence_is_unknown_and_never_failed_however_long_it_lasts(provider: FakeProvider, refund: Refund) -> None:
    provider.is_silent = True
    pauses = []
    at = NOW
    for _ in range(Refund.MOST_ATTEMPTS + 3):
        send(at=at)
        pauses.append((when_due(refund) - at).total_seconds())
        at = when_due(refund)

    assert (refund.status, refund.last_error) == ("sent", "as told")
    assert pauses[:3] == [30, 60, 120]
    assert pauses[-1] == 60 * 60


def test_after_a_first_silence_the_rest_of_the_batch_waits(provider: FakeProvider, refund: Refund) -> None:
    offer = an_offer()
    for _ in range(30):
        tell(captured(buy(offer), amount_fen=1))
    provider.is_silent = True

    assert send() == 0

    assert len(provider.calls) <= refund_sending.ORDERS_AT_ONCE
    assert Refund.objects.filter(status="sent").count() == 31


def test_a_refusal_is_failed_and_sent_again_ever_later_then_people_look_at_it(
    provider: FakeProvider, refund: Refund
) -> None:
    provider.book.payments.clear()  # it knows of no such payment
    at = NOW
    for attempt in range(1, Refund.MOST_ATTEMPTS + 1):
        assert send(at=at - timedelta(seconds=1)) == 0
        assert send(at=at) == 1
        at = when_due(refund)
        assert (refund.status, refund.attempts, refund.last_error) == ("failed", attempt, "unknown payment")

    assert send(at=at + timedelta(days=1)) == 0
    assert [given_up.id for given_up in queries.refunds_given_up(limit=10)] == [refund.id]
    assert AuditEntry.objects.get(act="alarm.refund_given_up").details == {"references": [refund.public_id]}


def test_one_that_can_still_be_sent_is_nobodys_work_yet(provider: FakeProvider, refund: Refund) -> None:
    provider.book.payments.clear()
    send()

    assert queries.refunds_given_up(limit=10) == []


def test_a_failure_we_ask_for_is_a_refusal_and_the_next_attempt_may_succeed(
    provider: FakeProvider, refund: Refund
) -> None:
    send()
    provider.settle_refunds(fail=True)
    send(at=when_due(refund))
    refund.refresh_from_db()
    assert (refund.status, refund.last_error) == ("failed", "the bank said no")

    send(at=when_due(refund))
    provider.settle_refunds()
    send(at=when_due(refund))

    assert PaymentNotice.objects.get(kind="refund_succeeded").reference == refund.public_id


def test_asking_twice_stores_one_notice(provider: FakeProvider, refund: Refund) -> None:
    send()
    provider.settle_refunds()
    send(at=when_due(refund))
    send(at=when_due(refund))

    assert PaymentNotice.objects.filter(kind="refund_succeeded").count() == 1
