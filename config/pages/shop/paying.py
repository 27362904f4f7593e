"""Paying: the sandbox's page, where the money is not real; a real provider's own page or sheet stands in its place."""

from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_http_methods

from config.kernel.ids import parse
from config.pages.design import sandbox_till
from config.pages.design.words import say
from config.pages.shop.frame import Visit, for_customers
from orders.models import Payment, Purchase, StoreOrder
from orders.providers.sandbox import Sandbox
from orders.services.order_payment import order_payment_parameters
from orders.services.payments import payable_until, payment_parameters


@require_http_methods(["GET", "HEAD", "POST"])
@for_customers
def pay(visit: Visit, payment: str) -> HttpResponse:
    """What is due, and one button. Whoever comes back to a payment that is settled is led on."""
    found = _payment(visit, payment)
    if found.status != Payment.Status.CREATED:
        return _on(visit, found, paid=True)
    until = payable_until(found.purchase.accepted_at) if found.purchase else _order(found).pay_until
    if visit.at >= until:
        return _on(visit, found, paid=False)
    if visit.request.method == "POST":
        if sandbox_till.pay(_parameters(found)):
            return _on(visit, found, paid=True)
        visit.tell(say("pay.unknown", visit.language), "wait")
        return visit.go("pay", found.public_id)
    return visit.page("pay.html", {"payment": found, "until": until, "back": _place(visit, found)})


def _payment(visit: Visit, public_id: str) -> Payment:
    mine = Payment.objects.filter(customer_id=visit.customer_id).select_related("purchase", "store_order")
    found = mine.filter(pk=parse(Payment.PREFIX, public_id), provider=Sandbox.name).first()
    if found is None:
        raise Http404
    return found


def _order(payment: Payment) -> StoreOrder:
    assert payment.store_order is not None, "payment_is_for_one_thing"
    return payment.store_order


def _place(visit: Visit, payment: Payment) -> str:
    if payment.purchase is not None:
        return visit.url("purchase", payment.purchase.public_id)
    return visit.url("order", _order(payment).public_id)


def _on(visit: Visit, payment: Payment, *, paid: bool) -> HttpResponse:
    address = _place(visit, payment) + ("?paid" if paid else "")
    return HttpResponse(status=303, headers={"Location": address})


def _parameters(payment: Payment) -> dict[str, Any]:
    purchase: Purchase | None = payment.purchase
    if purchase is None:
        return order_payment_parameters(_order(payment), payment)
    return payment_parameters(
        payment.id, payment.amount_fen, accepted_at=purchase.accepted_at, provider=payment.provider
    )
