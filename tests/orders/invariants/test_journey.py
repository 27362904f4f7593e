"""The whole way through the services, from sale to refund and drain: afterwards every book agrees."""

from datetime import timedelta
from uuid import uuid4

import pytest

from orders.invariants import auditing, journal, slices
from orders.models import Payment, Purchase, Refund
from orders.providers.interface import EventKind
from orders.services.draining import drain_closed
from orders.services.folding import fold_transfers
from orders.services.issuing import issue_paid
from orders.services.refunds import refund_expired, request_refund
from tests import factories
from tests.factories import NOW
from tests.orders import buying
from tests.orders.invariants.test_journal import line
from tests.vouchers import counters
from vouchers.models import Offer, Redemption, Voucher
from vouchers.services.expiry import expire_due
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db
SOON, MUCH_LATER = NOW + timedelta(minutes=2), NOW + timedelta(days=60)


def pay_refunds() -> None:
    for refund in Refund.objects.exclude(status="succeeded").select_related("payment"):
        event = buying.captured(
            refund.payment,
            kind=EventKind.REFUND_SUCCEEDED,
            reference=refund.public_id,
            amount_fen=refund.amount_fen,
        )
        buying.tell(event, at=MUCH_LATER)


def test_a_sale_with_everything_that_can_happen_to_it_leaves_books_that_agree() -> None:
    counter = counters.counter()
    brand = counter.brand
    offer = factories.offer(factories.terms(factories.deal(brand), refund_returns_stock=True), per_customer_limit=5)
    customer = factories.customer(brand).pk

    bought = [buying.buy(offer, quantity=2, customer_id=customer) for _ in range(2)]
    paid_twice, late, unpaid = buying.buy(offer), buying.buy(offer), buying.buy(offer)
    buying.close(late)
    buying.close(unpaid)
    buying.tell(*(buying.captured(payment) for payment in [*bought, paid_twice, late]))
    buying.tell(buying.captured(paid_twice))
    while issue_paid(limit=2, at=NOW):
        pass

    first, second, third, _ = Voucher.objects.filter(customer_id=customer).order_by("source_id", "ordinal")
    counter.redeem(first.code, second.code)
    redemption = Redemption.objects.get(voucher=second)
    reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=SOON)
    request_refund(voucher_id=third.pk, customer_id=customer, request_id=uuid4(), at=SOON)
    assert auditing.violations(auditing.look(slices.whole())) == 0, "before the refund is paid out"

    pay_refunds()
    expire_due(limit=100, at=MUCH_LATER)
    refund_expired(limit=2, at=MUCH_LATER)
    pay_refunds()
    Offer.objects.update(state="closed", closed_at=MUCH_LATER)
    drain_closed(limit=10, at=MUCH_LATER)
    refund_expired(limit=100, at=MUCH_LATER)
    fold_transfers(limit=7, at=MUCH_LATER)

    results = [*auditing.look(slices.whole()), journal.compare([line(p) for p in Purchase.objects.all()])]
    assert {rule: result.first[rule] for result in results for rule in result.broken} == {}
    statuses = set(Purchase.objects.values_list("status", flat=True))
    assert {"closed", "issued", "partly_refunded", "refunded"} >= statuses >= {"closed", "partly_refunded"}
    assert Payment.objects.filter(status="captured").count() == 4
    assert Refund.objects.filter(source_kind="unwanted_capture", status="succeeded").exists()
