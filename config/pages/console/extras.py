"""What a drink costs beyond the voucher that was just redeemed: chosen from the menu, paid by QR or at the till."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from config.pages.console.counter import StoreCounter
from config.pages.console.desk import Desk, at_desk
from config.pages.console.redeeming import fen_of, key_of
from config.pages.console.shown import Use
from config.pages.design import sandbox_till
from orders.errors import SurchargeNotFound
from orders.models import Surcharge
from orders.providers import registry
from orders.providers.sandbox import Sandbox
from orders.queries import surcharges_of_store
from orders.services import surcharges
from orders.services.surcharges import Extra
from stores.models import Option, Product, Store
from stores.queries import menu_of
from vouchers import qr
from vouchers.errors import RedemptionNotFound

MOST_FEN = 1_000_000
RESULT = "console:result"


@never_cache
@require_http_methods(["GET", "POST"])
@at_desk
def extra(request: HttpRequest, desk: Desk, result: str) -> HttpResponse:
    """
    Pick the drink and what it has on top, and the amount follows; or type an amount with its reason. Then the
    customer pays by scanning, on a page of its own, or has paid at the till.

    Safe to repeat: the page's key names the surcharge.
    """
    shown = StoreCounter(desk).result(result)
    error, wrong_amount = None, False
    if request.method == "POST":
        beyond = _asked(request)
        wrong_amount = beyond is None
        try:
            if beyond is not None:
                return redirect(_ask(request, desk, _of(request, shown.live), beyond) or reverse(RESULT, args=[result]))
        except DomainError as refusal:
            error = refusal
    menu = menu_of(Store.objects.get(id=desk.store.store_id), at=desk.at)
    wanted = request.POST.get("product") or request.GET.get("product", "")
    product = next((one for one in menu.products if one.public_id == wanted), None)
    context = {
        "desk": desk,
        "result": shown,
        "products": menu.products,
        "product": product,
        "given": request.POST,
        "chosen": request.POST.getlist("option"),
        "error": error,
        "wrong_amount": wrong_amount,
    }
    return render(
        request, "console/extra.html", context, status=error.status if error else 400 if wrong_amount else 200
    )


@never_cache
@require_GET
@at_desk
def charge(request: HttpRequest, desk: Desk, surcharge: str) -> HttpResponse:
    """The QR that the customer scans, and what became of it; asks by itself until it is paid or over."""
    found = _surcharge(desk, surcharge)
    parameters = surcharges.payment_parameters(found)
    # Only the provider knows until when it takes the money; here the picture goes a little before that.
    is_open = parameters is not None and desk.at < surcharges.payable_until(found)
    context = {
        "desk": desk,
        "surcharge": found,
        "is_open": is_open,
        "until": surcharges.payable_until(found),
        "qr": mark_safe(qr.as_svg(json.dumps(parameters))) if is_open else "",  # noqa: S308 - drawn here, of signed text
        "is_sandbox": is_open and found.provider == Sandbox.name,
        "result": found.redemption.request.public_id,
    }
    return render(request, "console/charge.html", context)


@require_POST
@at_desk
def pay_at_sandbox(request: HttpRequest, desk: Desk, surcharge: str) -> HttpResponse:
    """Where no money is real there is no phone to scan with: this is her tap."""
    found = _surcharge(desk, surcharge)
    parameters = surcharges.payment_parameters(found)
    if parameters is not None and found.provider == Sandbox.name:
        sandbox_till.pay(parameters)
    return redirect("console:charge", surcharge=surcharge)


def _surcharge(desk: Desk, public_id: str) -> Surcharge:
    """
    Raises:
        SurchargeNotFound: not there, or another store's.
    """
    here = surcharges_of_store(desk.store.store_id).select_related("redemption__request")
    found = here.filter(pk=parse(Surcharge.PREFIX, public_id)).first()
    if found is None:
        raise SurchargeNotFound
    return found


def _ask(request: HttpRequest, desk: Desk, redemption_id: UUID, extra: Extra) -> str:
    """By QR: the address of its page. At the till, it is done."""
    asked: dict[str, Any] = {
        "redemption_id": redemption_id,
        "extra": extra,
        "operator_id": desk.caller_id,
        "request_id": key_of(request),
        "at": desk.at,
    }
    if request.POST.get("way") == Surcharge.Way.PROVIDER:
        by_qr = surcharges.ask_by_qr(provider=registry.DEFAULT, **asked)
        return reverse("console:charge", args=[by_qr.surcharge.public_id])
    surcharges.record_at_till(**asked)
    return ""


def _of(request: HttpRequest, live: Sequence[Use]) -> UUID:
    given = request.POST.get("redemption", "")
    found = next((use.redemption_id for use in live if use.redemption_id.hex == given), None)
    if found is None:
        raise RedemptionNotFound
    return found


def _asked(request: HttpRequest) -> Extra | None:
    """None where what was typed is no amount that can be asked for."""
    if product := request.POST.get("product"):
        options = [
            value for name, values in request.POST.lists() if name.startswith("option") for value in values if value
        ]
        return Extra(
            product_id=parse(Product.PREFIX, product),
            option_ids=tuple(parse(Option.PREFIX, option) for option in options if isinstance(option, str)),
        )
    fen = fen_of(request.POST.get("amount", ""))
    if fen is None or not 0 < fen <= MOST_FEN:
        return None
    return Extra(reason=request.POST.get("reason", "").strip()[:128] or "-", amount_fen=fen)
