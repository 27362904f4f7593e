"""What a customer's device needs to pay what is due of a store order."""

from typing import Any

from orders.models import Payment, StoreOrder
from orders.providers import registry
from orders.providers.interface import PaymentTerms


def order_payment_parameters(order: StoreOrder, payment: Payment) -> dict[str, Any]:
    """Signed here; no network, no query. The provider takes the payment until the lease is over, so few come late."""
    terms = PaymentTerms(payment.public_id, payment.amount_fen, order.pay_until)
    return registry.by_name(payment.provider).parameters(terms)
