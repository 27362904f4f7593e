"""A little world with every kind of fact in it, whose books agree: what the audit is tried on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, transaction

from config.kernel import audit
from orders.models import LedgerTransfer, Payment, Purchase, Refund, RefundRequest
from orders.services.issuing import issue_paid
from orders.services.ledger import Posting, post
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from tests.vouchers import counters
from vouchers import signals
from vouchers.models import Redemption, UseEnding, Voucher

LATER = NOW + timedelta(minutes=10)


@dataclass
class World:
    """One brand; ``redeemed`` is the purchase with one voucher redeemed and one left."""

    redeemed: Purchase


def build() -> World:
    """Purchases unpaid, closed, paid, issued; uses redeemed, undone, refunded, expired with and without refund."""
    brand = factories.brand()
    terms = factories.terms(factories.deal(brand))
    offer = factories.offer(terms)

    redeemed = paid.purchase(offer=offer, quantity=2)
    undone = paid.purchase(offer=offer)
    refunded = paid.purchase(offer=offer)
    kept = paid.purchase(offer=offer)
    expired = paid.purchase(offer=offer)
    issue_paid(limit=10, at=NOW)
    paid.purchase(offer=offer)
    paid.purchase(offer=offer, status="accepted", paid_at=None)
    paid.purchase(offer=offer, status="closed", paid_at=None, closed_at=NOW)

    counter = counters.counter(brand=brand)
    counter.redeem(Voucher.objects.get(source_id=redeemed.pk, ordinal=1).code)
    counter.redeem(Voucher.objects.get(source_id=undone.pk).code)
    with transaction.atomic():
        _undo(undone)
        _refund(refunded)
        _expire(kept, refund_follows=False)
        _expire(expired, refund_follows=True)
        _pay_again(redeemed)
        audit.record(
            act="payments.captured",
            actor_kind="machine",
            actor_id=None,
            subject_kind="payment",
            subject_count=Payment.objects.filter(status="captured").count(),
            at=NOW,
        )
    return World(redeemed=redeemed)


def corrupt(statements: str) -> None:
    """
    Change rows behind the back of every guard but the one that is to notice.

    Triggers sleep for the session's role "replica"; a constraint in the way is dropped by the
    statements themselves. All of it ends with the test's transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL session_replication_role = replica")
        cursor.execute(statements)
        cursor.execute("SET LOCAL session_replication_role = origin")


def _undo(purchase: Purchase) -> None:
    redemption = Redemption.objects.select_related("voucher").get(voucher__source_id=purchase.pk)
    Redemption.objects.filter(pk=redemption.pk).update(reversed_at=LATER, reversal_request_id=uuid4())
    Voucher.objects.filter(pk=redemption.voucher_id).update(uses_left=1, status="issued")
    signals.reversed_.send(sender=Redemption, redemptions=[redemption], at=LATER)


def _end(purchase: Purchase, status: str, **times: Any) -> UseEnding:
    voucher = Voucher.objects.get(source_id=purchase.pk)
    Voucher.objects.filter(pk=voucher.pk).update(uses_left=0, status=status)
    return UseEnding.objects.create(
        voucher=voucher, customer_id=voucher.customer_id, serial=1, amount_fen=voucher.paid_fen, **times
    )


def _refund(purchase: Purchase) -> None:
    ending = _end(purchase, "refunded", refunding_at=NOW, refunded_at=LATER)
    refund = _give_back(
        purchase,
        purchase.payments.get(),
        kind=LedgerTransfer.Kind.REFUND_UNUSED,
        source_kind="voucher",
        source_id=ending.voucher_id,
        status="succeeded",
        succeeded_at=LATER,
    )
    post([_posting(LedgerTransfer.Kind.REFUND_PAID, refund)], at=LATER)
    Purchase.objects.filter(pk=purchase.pk).update(status="refunded")
    request = RefundRequest.objects.create(
        customer_id=purchase.customer_id,
        request_id=uuid4(),
        voucher_id=ending.voucher_id,
        refund=refund,
        amount_fen=refund.amount_fen,
        requested_at=NOW,
    )
    audit.record(
        act="voucher.refund",
        actor_kind="customer",
        actor_id=purchase.customer_id,
        subject_kind="refund_request",
        subject_id=request.pk,
        at=NOW,
    )


def _expire(purchase: Purchase, *, refund_follows: bool) -> None:
    ending = _end(purchase, "expired", expired_at=LATER, refund_follows=refund_follows)
    signals.uses_expired.send(sender=UseEnding, endings=[ending], at=LATER)


def _pay_again(purchase: Purchase) -> None:
    payment = Payment.objects.create(
        purchase=purchase,
        customer_id=purchase.customer_id,
        provider="sandbox",
        amount_fen=purchase.total_fen,
        status="captured",
        captured_fen=purchase.total_fen,
        captured_at=NOW,
        created_at=NOW,
    )
    _give_back(
        purchase,
        payment,
        kind=LedgerTransfer.Kind.UNWANTED_CAPTURE,
        source_kind="unwanted_capture",
        source_id=uuid4(),
    )


def _give_back(
    purchase: Purchase, payment: Payment, *, kind: LedgerTransfer.Kind, at: datetime = NOW, **fields: Any
) -> Refund:
    refund = Refund.objects.create(
        payment=payment,
        purchase=purchase,
        customer_id=purchase.customer_id,
        amount_fen=purchase.total_fen,
        due_at=at,
        requested_at=at,
        **fields,
    )
    post([_posting(kind, refund)], at=at)
    return refund


def _posting(kind: LedgerTransfer.Kind, refund: Refund) -> Posting:
    owner = "" if kind == LedgerTransfer.Kind.REFUND_UNUSED else "sandbox"
    return Posting(kind, refund.purchase.brand_id, refund.amount_fen, "refund", refund.pk, owner)
