"""Payment attempts: what a customer's device needs to pay, and another try for an unpaid purchase."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction

from config.kernel import ids
from config.kernel.errors import IdempotencyConflict
from orders.errors import (
    PurchaseAlreadyPaid,
    PurchaseNoLongerPayable,
    PurchaseNotFound,
    TooManyPaymentAttempts,
)
from orders.models import Payment, Purchase
from orders.providers import registry
from orders.providers.interface import PaymentTerms

MOST_ATTEMPTS = 5


@dataclass(frozen=True)
class Attempt:
    """A payment the customer may make; ``is_repeat`` where the same request had made it before."""

    payment: Payment
    is_repeat: bool


def payable_until(accepted_at: datetime) -> datetime:
    """When a purchase accepted then stops waiting for its money."""
    return accepted_at + timedelta(seconds=settings.UNPAID_AFTER_SECONDS)


def payment_parameters(
    payment_id: UUID, amount_fen: int, *, accepted_at: datetime, provider: str = registry.DEFAULT
) -> dict[str, Any]:
    """
    What the customer's device carries to the provider, signed here; no network, no query.

    The provider takes the payment until the purchase stops waiting for it, so few come late.
    """
    terms = PaymentTerms(ids.public(Payment.PREFIX, payment_id), amount_fen, payable_until(accepted_at))
    return registry.by_name(provider).parameters(terms)


def new_attempt(*, purchase_id: UUID, customer_id: UUID, provider: str, request_id: UUID, at: datetime) -> Attempt:
    """
    Let a customer try again to pay a purchase that still waits for its money.

    Safe to retry: purchase and ``request_id`` make the attempt's id, so a repeat finds the same one.
    Earlier attempts stay payable; should two succeed, the second is refunded in full.

    Raises:
        PurchaseNotFound: no such purchase of this customer's.
        PurchaseAlreadyPaid, PurchaseNoLongerPayable: it does not wait for money any more.
        TooManyPaymentAttempts: it had its share.
        ProviderNotFound: see there.
        IdempotencyConflict: ``request_id`` came before with another provider.
    """
    registry.by_name(provider)
    attempt_id = uuid5(purchase_id, request_id.hex)
    with transaction.atomic(durable=True):
        # The purchase's row lock guards its payments, too: whoever closes it sees this attempt or prevents it.
        found = Purchase.objects.filter(pk=purchase_id, customer_id=customer_id).select_for_update(no_key=True)
        if (purchase := found.first()) is None:
            raise PurchaseNotFound
        attempts = {
            attempt.id: attempt for attempt in Payment.objects.filter(purchase=purchase).select_related("purchase")
        }
        if first_answer := attempts.get(attempt_id):
            if first_answer.provider != provider:
                raise IdempotencyConflict(param="Idempotency-Key")
            return Attempt(first_answer, is_repeat=True)
        if purchase.status == Purchase.Status.CLOSED:
            raise PurchaseNoLongerPayable
        if purchase.status != Purchase.Status.ACCEPTED:
            raise PurchaseAlreadyPaid
        if at >= payable_until(purchase.accepted_at):
            raise PurchaseNoLongerPayable
        if len(attempts) >= MOST_ATTEMPTS:
            raise TooManyPaymentAttempts(most=MOST_ATTEMPTS)
        payment = Payment.objects.create(
            id=attempt_id,
            purchase=purchase,
            customer_id=customer_id,
            provider=provider,
            amount_fen=purchase.total_fen,
            created_at=at,
        )
        return Attempt(payment, is_repeat=False)
