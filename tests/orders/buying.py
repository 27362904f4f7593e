"""Purchases as customers make them, through the real sale; and what a provider would tell about them."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from orders.models import Payment, Purchase
from orders.providers.interface import EventKind, NoticeEvent
from orders.services import notices
from orders.services.selling import SellRequest, Sold, sell_batch
from tests import factories
from tests.factories import NOW
from vouchers.models import Offer


def an_offer(**fields: Any) -> Offer:
    return factories.offer(factories.terms(factories.deal(factories.brand())), **fields)


def buy(offer: Offer, *, quantity: int = 1, customer_id: UUID | None = None, at: datetime = NOW) -> Payment:
    """The payment of a fresh purchase; ``.purchase`` is the purchase."""
    request = SellRequest(
        offer_id=offer.id,
        brand_id=offer.brand_id,
        customer_id=customer_id or factories.customer(offer.brand).pk,
        request_id=uuid4(),
        quantity=quantity,
        unit_price_fen=offer.price_fen,
        terms_number=offer.terms.number,
        channel="live",
    )
    (sold,) = sell_batch([request], provider="sandbox", at=at)
    assert isinstance(sold, Sold), sold
    return Payment.objects.select_related("purchase").get(pk=sold.payment_id)


def captured(payment: Payment, **fields: Any) -> NoticeEvent:
    return NoticeEvent(
        **{
            "provider": payment.provider,
            "event_id": f"evt_{uuid4().hex}",
            "kind": EventKind.PAYMENT_CAPTURED,
            "reference": payment.public_id,
            "provider_reference": f"sbx_{uuid4().hex}",
            "amount_fen": payment.amount_fen,
            "currency": "CNY",
            "occurred_at": NOW,
            **fields,
        }
    )


def tell(*events: NoticeEvent, at: datetime = NOW) -> None:
    """Store and apply, as lane and worker do."""
    notices.store_notices(events, at=at)
    notices.apply_notices(limit=500, at=at)


def close(payment: Payment, *, at: datetime = NOW) -> None:
    """A purchase that was given up, its unit back in stock."""
    from django.db import transaction

    from vouchers.services import offer_counters

    purchase = payment.purchase
    with transaction.atomic():
        Purchase.objects.filter(pk=purchase.pk).update(status="closed", closed_at=at)
        Payment.objects.filter(purchase=purchase).update(status="closed")
        offer_counters.release(quantities={(purchase.offer_id, purchase.customer_id): purchase.quantity})
