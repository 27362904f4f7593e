"""Paying what is due of a store order: what the customer's device needs, and another try."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from config.kernel.errors import IdempotencyConflict
from orders.errors import (
    StoreOrderAlreadyPaid,
    StoreOrderNoLongerPayable,
    StoreOrderNotFound,
    TooManyPaymentAttempts,
)
from orders.models import Payment, StoreOrder
from orders.providers import registry
from orders.providers.interface import PaymentTerms
from orders.services.payments import MOST_ATTEMPTS, Attempt


def order_payment_parameters(order: StoreOrder, payment: Payment) -> dict[str, Any]:
    """Signed here; no network, no query. The provider takes the payment until the lease is over, so few come late."""
    terms = PaymentTerms(payment.public_id, payment.amount_fen, order.pay_until)
    return registry.by_name(payment.provider).parameters(terms)


def new_attempt(*, order_id: UUID, customer_id: UUID, provider: str, request_id: UUID, at: datetime) -> Attempt:
    """
    Let a customer try again to pay an order that still waits for its money; the lease stays as it is.

    Safe to retry: order and ``request_id`` make the attempt's id, so a repeat finds the same one. Earlier
    attempts stay payable; should two succeed, the second is refunded in full.

    Raises:
        StoreOrderNotFound: no such order of this customer's.
        StoreOrderAlreadyPaid, StoreOrderNoLongerPayable: it does not wait for money any more.
        TooManyPaymentAttempts: it had its share.
        ProviderNotFound: see there.
        IdempotencyConflict: ``request_id`` came before with another provider.
    """
    registry.by_name(provider)
    attempt_id = uuid5(order_id, request_id.hex)
    with transaction.atomic(durable=True):
        # The order's row lock guards its payments, too: whoever ends it sees this attempt or prevents it.
        found = StoreOrder.objects.filter(pk=order_id, customer_id=customer_id).select_for_update(no_key=True)
        if (order := found.first()) is None:
            raise StoreOrderNotFound
        attempts = {attempt.id: attempt for attempt in Payment.objects.filter(store_order=order)}
        for attempt in attempts.values():
            attempt.store_order = order
        if first_answer := attempts.get(attempt_id):
            if first_answer.provider != provider:
                raise IdempotencyConflict(param="Idempotency-Key")
            return Attempt(first_answer, is_repeat=True)
        if order.status == StoreOrder.Status.LAPSED:
            raise StoreOrderNoLongerPayable
        if order.status != StoreOrder.Status.PLACED:
            raise StoreOrderAlreadyPaid
        if at >= order.pay_until:
            raise StoreOrderNoLongerPayable
        if len(attempts) >= MOST_ATTEMPTS:
            raise TooManyPaymentAttempts(most=MOST_ATTEMPTS)
        payment = Payment.objects.create(
            id=attempt_id,
            store_order=order,
            customer_id=customer_id,
            provider=provider,
            amount_fen=order.due_fen,
            created_at=at,
        )
        return Attempt(payment, is_repeat=False)
