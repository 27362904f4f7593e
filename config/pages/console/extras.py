"""What a drink costs beyond the voucher that was just redeemed: chosen from the menu, collected at the till."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from config.pages.console.counter import StoreCounter
from config.pages.console.desk import Desk, at_desk
from config.pages.console.redeeming import fen_of, key_of
from orders.services import surcharges
from orders.services.surcharges import Extra
from stores.models import Option, Product, Store
from stores.queries import menu_of
from vouchers.errors import RedemptionNotFound


@never_cache
@require_http_methods(["GET", "POST"])
@at_desk
def extra(request: HttpRequest, desk: Desk, result: str) -> HttpResponse:
    """
    Pick the drink and what it has on top, and the amount follows; or type an amount with its reason.

    Safe to repeat: the page's key names the surcharge.
    """
    shown = StoreCounter(desk).result(result)
    error = None
    if request.method == "POST":
        try:
            surcharges.record_at_till(
                redemption_id=_of(request, [use.redemption_id for use in shown.live]),
                extra=_asked(request),
                operator_id=desk.caller_id,
                request_id=key_of(request),
                at=desk.at,
            )
        except DomainError as refusal:
            error = refusal
        else:
            return redirect("console:result", result=result)
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
    }
    return render(request, "console/extra.html", context, status=error.status if error else 200)


def _of(request: HttpRequest, live: list[UUID]) -> UUID:
    given = request.POST.get("redemption", "")
    found = next((one for one in live if one.hex == given), None)
    if found is None:
        raise RedemptionNotFound
    return found


def _asked(request: HttpRequest) -> Extra:
    if product := request.POST.get("product"):
        options = [
            value for name, values in request.POST.lists() if name.startswith("option") for value in values if value
        ]
        return Extra(
            product_id=parse(Product.PREFIX, product),
            option_ids=tuple(parse(Option.PREFIX, option) for option in options if isinstance(option, str)),
        )
    return Extra(
        reason=request.POST.get("reason", "").strip()[:128] or "-",
        amount_fen=fen_of(request.POST.get("amount", "")) or 0,
    )
