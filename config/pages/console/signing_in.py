"""Signing in: with a name and a password, or by PIN on a device of the store; and choosing the store."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from config.accounts import sign_in as accounts
from config.accounts.models import User
from config.kernel.caller import CallerKind
from config.kernel.errors import DomainError, NotSignedIn, TokenExpired
from config.kernel.ids import parse
from config.pages.console.desk import (
    STORE,
    Desk,
    address_of,
    ask_to_sign_in,
    at_desk,
    caller_of,
    in_the_sheet,
    is_htmx,
    signed_in,
)
from config.pages.design.views import safe_next
from stores.models import Device
from stores.permissions import Permission
from stores.queries import clerks_of_device, stores_of_staff
from stores.services import devices

DEVICE_COOKIE = "hexiao_device"
DEVICE_SECONDS = 400 * 24 * 60 * 60
"""As long as browsers keep a cookie; ending the device ends it at once."""
STORES_SHOWN = 50


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """A name and a password. Posted from the sheet over a page, it answers with nothing but "go on"."""
    came_for = safe_next(
        request.GET.get("next", "") or request.POST.get("next", ""),
        request,
        otherwise=reverse("console:scan"),
        under=reverse("console:scan"),
    )
    if request.method == "GET":
        return _form(request, {"next": came_for})
    username, password = request.POST.get("username", "")[:64], request.POST.get("password", "")[:128]
    at = timezone.now()
    try:
        session = accounts.sign_in(username=username, password=password, address=address_of(request), at=at)
    except DomainError as error:
        return _form(request, {"next": came_for, "username": username, "error": error}, status=error.status)
    signed_in(request, session.token.text, session.user.id)
    _choose_the_only_store(request, session.user.id)
    return _go_on(came_for, request)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """The session ends; the device stays the store's."""
    request.session.flush()
    device = device_of(request)
    return HttpResponseRedirect(reverse("console:clerk" if device else "console:sign_in"))


@never_cache
@require_http_methods(["GET", "POST"])
def stores(request: HttpRequest) -> HttpResponse:
    """Which of her stores she stands in."""
    at = timezone.now()
    try:
        caller = caller_of(request, at)
    except (NotSignedIn, TokenExpired):
        return ask_to_sign_in(request)
    if caller.kind is not CallerKind.STAFF or caller.id is None:
        return HttpResponseRedirect(reverse("console:scan"))
    reached = stores_of_staff(caller.id, at=at, permission=Permission.REDEEM).exclude(status="closed")
    if request.method == "POST":
        request.session[STORE] = request.POST.get("store", "")[:64]
        return HttpResponseRedirect(
            safe_next(request.POST.get("next", ""), request, otherwise=reverse("console:scan"), under="/console/")
        )
    wanted = request.GET.get("q", "").strip()[:64]
    found = reached.filter(name__icontains=wanted) if wanted else reached
    shown = list(found.order_by("city", "name")[: STORES_SHOWN + 1])
    context = {
        "stores": shown[:STORES_SHOWN],
        "there_are_more": len(shown) > STORES_SHOWN,
        "wanted": wanted,
        "next": request.GET.get("next", ""),
    }
    return render(request, "console/stores.html", context)


@never_cache
@sensitive_post_parameters("pin")
@require_http_methods(["GET", "POST"])
def clerk(request: HttpRequest) -> HttpResponse:
    """Another clerk takes over on this device, by PIN."""
    device = device_of(request)
    if device is None:
        return HttpResponseRedirect(reverse("console:sign_in"))
    at = timezone.now()
    context: dict[str, Any] = {"device": device, "clerks": clerks_of_device(device, at=at)[:60]}
    if request.method == "POST":
        context["chosen"] = request.POST.get("user", "")
        try:
            user_id: UUID = parse(User.PREFIX, context["chosen"])
            session = devices.switch(device_id=device.id, user_id=user_id, pin=request.POST.get("pin", "")[:16], at=at)
        except DomainError as error:
            return render(request, "console/clerk.html", {**context, "error": error}, status=error.status)
        signed_in(request, session.token.text, user_id, store=device.store.public_id)
        return _go_on(reverse("console:scan"), request)
    return render(request, "console/clerk.html", context)


@require_POST
@at_desk
def bind_device(request: HttpRequest, desk: Desk) -> HttpResponse:
    """This phone becomes a device of the store: its clerks switch on it by PIN from now on."""
    name = request.POST.get("name", "").strip()[:64] or "手机"
    bound = devices.bind(store=desk.store.public_id, name=name, by=desk.caller, at=desk.at)
    response = HttpResponseRedirect(reverse("console:more"))
    response.set_cookie(
        DEVICE_COOKIE, bound.key, max_age=DEVICE_SECONDS, httponly=True, samesite="Strict",
        secure=request.is_secure(), path="/console/",
    )  # fmt: skip
    return response


def device_of(request: HttpRequest) -> Device | None:
    """The device that this browser is, if it still is one."""
    key = request.COOKIES.get(DEVICE_COOKIE)
    return devices.by_key(key) if key else None


def _form(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    template = "console/signed_out.html" if is_htmx(request) else "console/sign_in.html"
    response = render(request, template, {**context, "device": device_of(request)}, status=status)
    return in_the_sheet(response) if is_htmx(request) else response


def _go_on(came_for: str, request: HttpRequest) -> HttpResponse:
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Trigger": "signed-in"})
    return HttpResponseRedirect(came_for)


def _choose_the_only_store(request: HttpRequest, user_id: UUID) -> None:
    reached = stores_of_staff(user_id, at=timezone.now(), permission=Permission.REDEEM).exclude(status="closed")
    found = list(reached[:2])
    if len(found) == 1:
        request.session[STORE] = found[0].public_id
