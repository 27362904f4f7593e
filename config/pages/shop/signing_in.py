"""Signing in by a code sent to the phone, and out."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from config.kernel.errors import DomainError
from config.pages.design.views import safe_next
from config.pages.shop.frame import COOKIE, Visit, key_of, open_to_all
from stores.errors import CodeSentJustNow
from stores.messengers import registry
from stores.messengers.sandbox import Sandbox
from stores.services import customer_sessions, customers, phone_codes

PHONE = "shop.phone"
"""Her number between the two pages: in the session, because addresses end up in histories and logs."""


@require_http_methods(["GET", "HEAD", "POST"])
@open_to_all
def sign_in(visit: Visit) -> HttpResponse:
    """First her number, which sends the code; then the code, on a page that can be reloaded."""
    goes_on = _next(visit)
    if visit.customer is not None:
        return HttpResponse(status=303, headers={"Location": goes_on})
    if visit.request.method != "POST":
        return visit.page("sign_in.html", {"next": goes_on, "phone": ""})
    phone = visit.request.POST.get("phone", "")[:64]
    try:
        sent = phone_codes.send(brand=visit.brand, phone=phone, address=visit.address, at=visit.at)
    except CodeSentJustNow as soon:
        # A second tap, or back and on again: the code is on its way, and this is where it is typed.
        visit.tell_refusal(soon)
        visit.request.session[PHONE] = phone
        return visit.go("code", next=goes_on)
    except DomainError as error:
        return visit.page("sign_in.html", {"next": goes_on, "phone": phone, "error": error}, status=error.status)
    visit.request.session[PHONE] = sent.number
    return visit.go("code", next=goes_on)


@require_http_methods(["GET", "HEAD", "POST"])
@open_to_all
def code(visit: Visit) -> HttpResponse:
    """The code from the message; a right one opens a session in this browser."""
    goes_on = _next(visit)
    if visit.customer is not None:
        return HttpResponse(status=303, headers={"Location": goes_on})
    request = visit.request
    phone = str(request.session.get(PHONE, ""))
    if not phone:
        return visit.go("sign_in", next=goes_on)
    if request.method != "POST":
        return visit.page("code.html", {"next": goes_on, "phone": phone, "sandbox": _shown_here(phone)})
    typed = _digits(request.POST.get("code", "")[:64])
    try:
        begun = phone_codes.sign_in(
            brand_id=visit.brand.id,
            phone=phone,
            code=typed,
            request_id=key_of(request),
            address=visit.address,
            at=visit.at,
        )
    except DomainError as error:
        shown = {"next": goes_on, "phone": phone, "error": error, "typed": typed, "sandbox": _shown_here(phone)}
        # The key stays with the form: an answer that was lost is asked for again with it.
        return visit.page("code.html", {**shown, "key": request.POST["key"]}, status=error.status)
    request.session.pop(PHONE, None)
    response = HttpResponse(status=303, headers={"Location": goes_on})
    response.set_cookie(
        COOKIE,
        begun.key,
        max_age=settings.CUSTOMER_SESSION_SECONDS,
        path=visit.url("live"),
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
    return response


@require_POST
@open_to_all
def sign_out(visit: Visit) -> HttpResponse:
    customer_sessions.end(key=visit.request.COOKIES.get(COOKIE, ""), at=visit.at)
    visit.request.session.flush()
    response = visit.go("live")
    response.delete_cookie(COOKIE, path=visit.url("live"))
    return response


@open_to_all
def me(visit: Visit) -> HttpResponse:
    """Who she is here, and where the rest of what is hers lies."""
    context: dict[str, Any] = {"tab": "me"}
    return visit.page("me.html", context)


def _next(visit: Visit) -> str:
    start = visit.url("live")
    asked = visit.request.POST.get("next") or visit.request.GET.get("next") or ""
    return safe_next(asked, visit.request, otherwise=start, under=start)


def _digits(typed: str) -> str:
    """Digits as a keyboard or a paste brings them: full-width ones and blanks, too."""
    return "".join(str(int(one)) for one in typed if one.isdecimal())


def _shown_here(phone: str) -> str:
    """The code itself, where the sandbox carries messages: there is no phone to look at."""
    if Sandbox.name != settings.MESSENGER:
        return ""
    message = registry.sandbox().last_to(customers.normalised(phone))
    return message.code if message else ""
