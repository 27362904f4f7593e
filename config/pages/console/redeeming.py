"""The one tap: redeem, what became of it, and taking it back."""

import re
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from config.kernel.errors import DomainError, IdempotencyKeyRequired
from config.pages.console import baskets
from config.pages.console.counters import counter_at, is_practice
from config.pages.console.desk import Desk, at_desk, is_htmx
from config.pages.console.scanning import LAST, basket_of, basket_page, refused
from config.pages.console.shown import MOST_CHOSEN, Result, collect_fen
from vouchers import errors

BILL = re.compile(r"^\s*[¥￥]?\s*(\d{1,7})(?:[.。](\d{1,2}))?\s*$")
MENDABLE = (
    errors.BillAmountRequired,
    errors.MinSpendNotReached,
    errors.TooManyOfOneDeal,
    errors.VouchersDoNotCombine,
    errors.CodesOutOfRange,
    errors.IssuerAlone,
)
"""What the clerk can put right in the basket itself."""


@require_POST
@at_desk
def redeem(request: HttpRequest, desk: Desk, basket: str) -> HttpResponse:
    """
    Redeem what is ticked, all or nothing.

    Reads the form alone, so that it works when the session is a new one; ``key`` makes it safe to repeat.
    """
    codes = _codes(request)
    bill_text = request.POST.get("bill", "")
    bill_fen = fen_of(bill_text)
    try:
        if not 1 <= len(codes) <= MOST_CHOSEN:
            raise errors.CodesOutOfRange(most=MOST_CHOSEN, param="codes")
        done = counter_at(request, desk).redeem(codes, bill_fen, key_of(request))
    except MENDABLE as error:
        if not baskets.scans_of(request, basket):
            basket = baskets.add(request, None, codes)
        again = basket_of(request, desk, basket, bill_text=bill_text)
        return basket_page(request, desk, again, error=error, chosen=frozenset(codes))
    except DomainError as error:
        return refused(request, desk, error, basket=basket)
    request.session[LAST] = {"at": desk.at.isoformat(), "done": True, "count": len(codes)}
    return _go_to(request, desk, done)


@never_cache
@require_GET
@at_desk
def result(request: HttpRequest, desk: Desk, result: str) -> HttpResponse:
    """What became of it; a reload shows the same, as it is now."""
    return _page(request, desk, counter_at(request, desk).result(result))


@require_POST
@at_desk
def total(request: HttpRequest, desk: Desk, basket: str) -> HttpResponse:
    """What the customer pays after redeeming, as the bill is typed."""
    bill_fen, codes = fen_of(request.POST.get("bill", "")), set(_codes(request))
    rows = counter_at(request, desk).typed(sorted(codes), bill_fen)[:MOST_CHOSEN] if bill_fen is not None else []
    off = [row.off_fen for row in rows if row.is_usable and row.off_fen]
    context = {
        "bill_fen": bill_fen,
        "off": off,
        "collect_fen": collect_fen(bill_fen, sum(off)),
        "refusals": [row.refusal for row in rows if row.refusal is not None],
    }
    return render(request, "console/total.html", context)


@never_cache
@require_GET
@at_desk
def ask_undo(request: HttpRequest, desk: Desk, result: str) -> HttpResponse:
    """Asks once, and names what is taken back."""
    context = {"result": counter_at(request, desk).result(result), "key": uuid4(), "desk": desk}
    return render(request, "console/undo.html", context)


@require_POST
@at_desk
def undo(request: HttpRequest, desk: Desk, result: str) -> HttpResponse:
    """Take it back; safe to repeat."""
    counter = counter_at(request, desk)
    try:
        counter.undo(counter.result(result), key_of(request))
    except DomainError as error:
        return _page(request, desk, counter.result(result), error=error)
    return _go_to(request, desk, result)


def key_of(request: HttpRequest) -> UUID:
    """
    The key that the page made.

    Raises:
        IdempotencyKeyRequired: none came, or it is no UUID.
    """
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        raise IdempotencyKeyRequired from None


def fen_of(text: str) -> int | None:
    """``46``, ``46.5``, ``¥46.00`` in fen; None where it is no amount."""
    found = BILL.match(text)
    if found is None:
        return None
    yuan, cents = found.groups()
    return int(yuan) * 100 + int((cents or "0").ljust(2, "0"))


def _codes(request: HttpRequest) -> list[str]:
    """Each ticked code, a card's as often as it is to be used."""
    codes: list[str] = []
    for code in request.POST.getlist("code")[:100]:
        times = request.POST.get(f"uses-{code}", "1")
        codes += [code[:64]] * (int(times) if times.isascii() and times.isdigit() and len(times) < 4 else 1)
    return codes


def _go_to(request: HttpRequest, desk: Desk, result: str) -> HttpResponse:
    address = reverse("console:result", args=[result])
    if not is_htmx(request):
        return redirect(address)
    response = _page(request, desk, counter_at(request, desk).result(result), is_fresh=True)
    response["HX-Push-Url"] = address
    return response


def _page(
    request: HttpRequest, desk: Desk, result: Result, *, error: DomainError | None = None, is_fresh: bool = False
) -> HttpResponse:
    context = {
        "desk": desk,
        "result": result,
        "error": error,
        "is_fresh": is_fresh,
        "may_undo": result.live and result.reversible_until and result.reversible_until > desk.at,
        "is_practice": is_practice(request),
    }
    return render(request, "console/result.html", context, status=error.status if error else 200)
