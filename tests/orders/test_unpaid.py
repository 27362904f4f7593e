"""The unpaid sweep: asks, closes, gives the stock back; never against what the provider says."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from config.kernel.models import AuditEntry
from orders.models import LedgerTransfer, Payment, PaymentNotice, Refund
from orders.providers.sandbox_book import Refused
from orders.services import asking
from orders.services.notices import apply_notices
from orders.services.payments import new_attempt
from orders.services.unpaid import Swept, close_unpaid
from tests.factories import NOW
from tests.orders.buying import an_offer, buy, captured, tell
from tests.orders.fake_provider import FakeProvider
from vouchers.models import CustomerAllowance, Offer

# Committed for real: the sweep refuses to use the network inside a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOW + timedelta(minutes=15)


@pytest.fixture(autouse=True)
def _a_quarter_of_an_hour(settings: Any) -> None:
    settings.UNPAID_AFTER_SECONDS = 15 * 60


def sweep(*, at: datetime = LATER, limit: int = 100) -> Swept:
    return close_unpaid(limit=limit, at=at)


def states(payment: Payment) -> tuple[str, str]:
    payment.refresh_from_db()
    return payment.purchase.status, payment.status


def another(payment: Payment) -> Payment:
    attempt = new_attempt(
        purchase_id=payment.purchase_id,
        customer_id=payment.customer_id,
        provider="sandbox",
        request_id=uuid4(),
        at=NOW,
    )
    return attempt.payment


def test_an_unpaid_purchase_is_closed_and_its_stock_and_allowance_come_back(provider: FakeProvider) -> None:
    offer = an_offer()
    payment = buy(offer, quantity=3)
    kept = buy(offer, customer_id=payment.customer_id, at=NOW + timedelta(minutes=1))

    assert sweep() == Swept(closed=1, captured=0, left=0)

    assert states(payment) == ("closed", "closed")
    assert payment.purchase.closed_at == LATER
    assert states(kept) == ("accepted", "created")
    assert (Offer.objects.get().sold, CustomerAllowance.objects.get().bought) == (1, 1)
    assert AuditEntry.objects.get(act="purchases.closed_unpaid").subject_count == 1


def test_the_provider_is_asked_first_and_takes_no_payment_afterwards(provider: FakeProvider) -> None:
    payment = buy(an_offer())

    sweep()

    assert provider.calls == ["ask", "close"]
    with pytest.raises(Refused, match="closed"):
        provider.pay(payment)


def test_a_purchase_is_left_alone_before_its_time(provider: FakeProvider) -> None:
    buy(an_offer())

    assert sweep(at=LATER - timedelta(seconds=1)) == Swept(0, 0, 0)
    assert provider.calls == []


def test_one_the_provider_knows_as_paid_becomes_paid_though_its_notice_was_lost(provider: FakeProvider) -> None:
    payment = buy(an_offer())
    provider.pay(payment)

    assert sweep() == Swept(closed=0, captured=1, left=0)
    apply_notices(limit=10, at=LATER)

    assert states(payment) == ("paid", "captured")
    assert LedgerTransfer.objects.get().kind == "capture"


def test_the_notice_that_comes_after_asking_is_a_repetition(provider: FakeProvider) -> None:
    payment = buy(an_offer())
    report = provider.pay(payment)
    sweep()

    tell(captured(payment, provider_reference=report.captures[0].transaction), at=LATER)

    assert states(payment) == ("paid", "captured")
    assert sorted(PaymentNotice.objects.values_list("outcome", flat=True)) == ["applied", "repeated"]
    assert not Refund.objects.exists()


def test_one_paid_between_question_and_closing_becomes_paid(provider: FakeProvider) -> None:
    payment = buy(an_offer())
    provider.before_closing = lambda: provider.pay(payment)

    assert sweep() == Swept(closed=0, captured=1, left=0)
    apply_notices(limit=10, at=LATER)

    assert states(payment) == ("paid", "captured")
    assert Offer.objects.get().sold == 1


def test_while_the_provider_is_silent_a_purchase_stays_accepted_and_is_asked_again_later(
    provider: FakeProvider,
) -> None:
    payment = buy(an_offer())
    provider.is_silent = True

    assert sweep() == Swept(closed=0, captured=0, left=1)
    assert states(payment) == ("accepted", "created")

    provider.is_silent = False
    assert sweep(at=LATER + timedelta(seconds=59)) == Swept(0, 0, 0)
    assert sweep(at=LATER + timedelta(seconds=60)) == Swept(closed=1, captured=0, left=0)


def test_a_provider_that_answers_and_then_does_not_close_leaves_the_purchase_accepted(
    provider: FakeProvider,
) -> None:
    payment = buy(an_offer())

    def fall_silent() -> None:
        provider.is_silent = True
        provider.ask([])

    provider.before_closing = fall_silent

    assert sweep() == Swept(closed=0, captured=0, left=1)
    assert states(payment) == ("accepted", "created")
    assert Offer.objects.get().sold == 1


def test_every_attempt_of_a_purchase_is_asked_about(provider: FakeProvider) -> None:
    first = buy(an_offer())
    second = another(first)
    provider.pay(second)

    assert sweep() == Swept(closed=0, captured=1, left=0)
    apply_notices(limit=10, at=LATER)

    assert states(second) == ("paid", "captured")


def test_an_attempt_started_after_the_question_keeps_the_purchase_open(provider: FakeProvider) -> None:
    payment = buy(an_offer())
    provider.before_closing = lambda: another(payment)

    assert sweep() == Swept(closed=0, captured=0, left=1)

    assert states(payment) == ("accepted", "created")
    assert Offer.objects.get().sold == 1


def test_one_paid_by_a_wrong_amount_only_is_closed(provider: FakeProvider) -> None:
    payment = buy(an_offer())
    tell(captured(payment, amount_fen=1))

    assert sweep() == Swept(closed=1, captured=0, left=0)

    assert states(payment) == ("closed", "captured")
    assert Offer.objects.get().sold == 0


def test_a_round_is_bounded_and_takes_the_oldest(provider: FakeProvider) -> None:
    offer = an_offer()
    older, newer = buy(offer), buy(offer, at=NOW + timedelta(seconds=1))

    assert sweep(limit=1, at=LATER + timedelta(seconds=1)).closed == 1

    assert (states(older)[0], states(newer)[0]) == ("closed", "accepted")


def test_many_are_asked_in_questions_of_bounded_size(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_AT_ONCE", 2)
    offer = an_offer()
    for _ in range(5):
        buy(offer)

    assert sweep().closed == 5

    assert provider.calls == ["ask"] * 3 + ["close"] * 3
    assert Offer.objects.get().sold == 0


def test_a_purchase_paid_meanwhile_is_not_closed(provider: FakeProvider) -> None:
    payment = buy(an_offer())
    provider.before_closing = lambda: tell(captured(payment))

    assert sweep() == Swept(closed=0, captured=0, left=1)

    assert states(payment) == ("paid", "captured")
    assert Offer.objects.get().sold == 1


def test_the_network_is_never_used_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(AssertionError, match="no network"):
        asking.answers(lambda references: [], ["pay_1"])
