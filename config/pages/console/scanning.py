"""Scanning and typing codes: from a camera's frame to the basket of what can be redeemed."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from config.kernel.errors import DomainError, TooManyRequests
from config.pages.console import baskets, frames
from config.pages.console.counters import counter_at, is_practice, use_practice
from config.pages.console.desk import Desk, at_desk
from config.pages.console.practice import samples
from config.pages.console.shown import Basket, Group
from vouchers.codes import normalise

CODE_AT_MOST_DIGITS = 20
TEXT_AT_MOST_CHARACTERS = 512
LAST = "console.last"


@never_cache
@require_GET
@at_desk
def scan(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Point at the code, or type it; ``basket`` is the one that another customer joins."""
    return _scan_page(request, desk, basket=request.GET.get("basket", ""))


@require_POST
@at_desk
def decode(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The text of the code in one frame of the camera; 204 where there is none yet."""
    size = int(request.headers.get("Content-Length") or 0)
    if not 0 < size <= frames.FRAME_AT_MOST_BYTES:
        return HttpResponse(status=413)
    text = frames.text_of(request.body)
    return JsonResponse({"text": text}) if text else HttpResponse(status=204)


@require_POST
@at_desk
def prepare(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What was scanned or typed, put into the basket; alone and unusable it is refused at once."""
    text = request.POST.get("text", "").strip()[:TEXT_AT_MOST_CHARACTERS]
    counter = counter_at(request, desk)
    typed = normalise(text)
    if not typed:
        return _scan_page(request, desk, basket=request.POST.get("basket", ""))
    try:
        is_code = typed.isascii() and typed.isdigit() and len(typed) <= CODE_AT_MOST_DIGITS
        rows = counter.typed([typed], None) if is_code else counter.scanned(text, None)
    except TooManyRequests as error:
        return _scan_page(request, desk, basket=request.POST.get("basket", ""), typed=text, locked=error)
    except DomainError as error:
        return refused(request, desk, error, basket=request.POST.get("basket", ""))
    given = request.POST.get("basket", "")
    if not any(row.is_usable for row in rows) and (only := rows[0].refusal) is not None:
        return refused(request, desk, only, basket=given)
    basket = baskets.add(request, given, [row.code for row in rows])
    response = basket_page(request, desk, basket_of(request, desk, basket))
    response["HX-Push-Url"] = reverse("console:basket", args=[basket])
    return response


@never_cache
@require_GET
@at_desk
def basket(request: HttpRequest, desk: Desk, basket: str) -> HttpResponse:
    """What was scanned, as it is now."""
    if not baskets.scans_of(request, basket):
        return redirect("console:scan")
    return basket_page(request, desk, basket_of(request, desk, basket))


@require_POST
@at_desk
def remove(request: HttpRequest, desk: Desk, basket: str) -> HttpResponse:
    """One customer's vouchers out of the basket."""
    baskets.remove(request, basket, request.POST.get("group", ""))
    if not baskets.scans_of(request, basket):
        response = _scan_page(request, desk)
        response["HX-Push-Url"] = reverse("console:scan")
        return response
    return basket_page(request, desk, basket_of(request, desk, basket))


@require_POST
@at_desk
def practise(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Begin practising with vouchers that are nobody's, or end it."""
    use_practice(request, on=request.POST.get("on") == "1")
    return redirect("console:scan")


def basket_of(request: HttpRequest, desk: Desk, basket: str, *, bill_text: str = "") -> Basket:
    """The basket with every voucher judged anew: a QR lives for seconds, its codes for longer."""
    counter = counter_at(request, desk)
    groups = []
    for scan in baskets.scans_of(request, basket) or []:
        rows = counter.typed(scan["codes"], None)
        groups.append(Group(key=scan["key"], customer=rows[0].customer, rows=rows))
    return Basket(id=basket, groups=groups, bill_text=bill_text)


def basket_page(
    request: HttpRequest,
    desk: Desk,
    basket: Basket,
    *,
    error: DomainError | None = None,
    chosen: frozenset[str] | None = None,
) -> HttpResponse:
    context = {
        "desk": desk,
        "basket": basket,
        "chosen": basket.chosen_codes if chosen is None else chosen,
        "error": error,
        "is_practice": is_practice(request),
    }
    return render(request, "console/basket.html", context, status=error.status if error else 200)


def refused(request: HttpRequest, desk: Desk, error: DomainError, *, basket: str = "") -> HttpResponse:
    """The red page: why not, who was first, and the way out. Nothing was taken."""
    others = basket_of(request, desk, basket).usable if baskets.scans_of(request, basket) else []
    nearest = error.details.get("nearest") or []
    context = {
        "desk": desk,
        "error": error,
        "first_use": counter_at(request, desk).first_use(error),
        "nearest": nearest[0] if nearest else None,
        "basket": basket if others else "",
        "others": len(others),
        "is_practice": is_practice(request),
    }
    request.session[LAST] = {"at": desk.at.isoformat(), "done": False, "count": 0}
    response = render(request, "console/refused.html", context, status=error.status)
    response["HX-Push-Url"] = "false"
    return response


def _scan_page(
    request: HttpRequest, desk: Desk, *, basket: str = "", typed: str = "", locked: TooManyRequests | None = None
) -> HttpResponse:
    context = {
        "desk": desk,
        "basket": basket if baskets.scans_of(request, basket) else "",
        "typed": typed,
        "locked": locked,
        "last": request.session.get(LAST),
        "is_practice": is_practice(request),
        "fakes": samples(desk) if is_practice(request) else [],
    }
    return render(request, "console/scan.html", context, status=locked.status if locked else 200)
