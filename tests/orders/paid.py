"""Purchases whose money has come in, straight in the tables, with the transfer that says so."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction

from orders.models import LedgerTransfer, Payment, Purchase
from orders.services.ledger import Posting, post
from stores.models import Brand
from tests import factories
from tests.factories import NOW
from vouchers.models import DealTerms, Offer


def purchase(
    *,
    brand: Brand | None = None,
    terms: DealTerms | None = None,
    offer: Offer | None = None,
    quantity: int = 1,
    unit_price_fen: int = 990,
    accepted_at: datetime = NOW,
    **fields: Any,
) -> Purchase:
    """A paid purchase of one voucher at ¥9.90, counted in its offer, captured and posted."""
    brand = brand or (offer.brand if offer else factories.brand())
    terms = terms or (offer.terms if offer else factories.terms(factories.deal(brand)))
    offer = offer or factories.offer(terms, price_fen=unit_price_fen)
    made = Purchase.objects.create(
        **{
            "brand": brand,
            "offer": offer,
            "terms": terms,
            "customer_id": fields.pop("customer_id", None) or factories.customer(brand).pk,
            "request_id": uuid4(),
            "quantity": quantity,
            "unit_price_fen": unit_price_fen,
            "total_fen": quantity * unit_price_fen,
            "channel": "live",
            "status": "paid",
            "accepted_at": accepted_at,
            "paid_at": accepted_at,
            **fields,
        }
    )
    if made.status != "closed":
        offer.sold += quantity
        offer.save(update_fields=["sold"])
        allowance, _ = offer.allowances.get_or_create(customer_id=made.customer_id, defaults={"bought": 0})
        offer.allowances.filter(pk=allowance.pk).update(bought=allowance.bought + quantity)
    payment = Payment.objects.create(
        purchase=made,
        customer_id=made.customer_id,
        provider="sandbox",
        amount_fen=made.total_fen,
        created_at=accepted_at,
        **(
            {"status": "captured", "captured_fen": made.total_fen, "captured_at": accepted_at}
            if made.paid_at
            else {"status": "closed" if made.status == "closed" else "created"}
        ),
    )
    if made.paid_at:
        with transaction.atomic():
            post(
                [
                    Posting(
                        LedgerTransfer.Kind.CAPTURE, brand.pk, made.total_fen, "payment", payment.pk, owner="sandbox"
                    )
                ],
                at=accepted_at,
            )
    return made
