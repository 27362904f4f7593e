"""Who stands at which counter, from the browser's session; every page of the console but signing in needs it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import update_wrapper
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from config.accounts import tokens
from config.accounts.models import User
from config.kernel.api.caller import caller_id
from config.kernel.api.throttling import address_behind
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import DomainError, NotSignedIn, TokenExpired
from config.kernel.ids import public
from config.pages.design import faults
from config.pages.design.language import language_for
from config.pages.design.words import Language
from stores.errors import StoreNotFound
from stores.models import Device, Store
from stores.permissions import Permission
from stores.queries import ClerkStore, is_live, store_at_counter

TOKEN, STORE, USER = "console.token", "console.store", "console.user"
Given = ParamSpec("Given")


@dataclass(frozen=True)
class Desk:
    """A clerk at a store's counter, at the moment of the request."""

    caller: Caller
    store: ClerkStore
    clerk: User
    at: datetime
    address: str
    language: Language

    @property
    def caller_id(self) -> UUID:
        return caller_id(self.caller)

    @property
    def person(self) -> Caller:
        """The clerk herself, for acts whose trail names a person and not the device she stands at."""
        return Caller(kind=CallerKind.STAFF, id=self.caller_id)

    def here(self, permission: Permission) -> ClerkStore:
        """
        The store, for an act that asks more than redeeming does.

        Raises:
            NotAllowed: her role may not.
        """
        return store_at_counter(self.store.public_id, self.caller, at=self.at, permission=permission)

    def may(self, permission: Permission) -> bool:
        try:
            self.here(permission)
        except DomainError:
            return False
        return True


Page = Callable[Concatenate[HttpRequest, Desk, Given], HttpResponse]


def at_desk(page: Page[Given]) -> Callable[Concatenate[HttpRequest, Given], HttpResponse]:
    """
    A page for whoever stands at a counter: ``page(request, desk, …)``.

    Who does not is asked to sign in: on a page of its own, or, where a script asked (htmx), in a sheet over the
    page that she has before her, which keeps what was typed. A refusal of the look-up is a page that says so.
    """

    def shown(request: HttpRequest, /, *args: Given.args, **kwargs: Given.kwargs) -> HttpResponse:
        at = timezone.now()
        try:
            caller = caller_of(request, at)
        except (NotSignedIn, TokenExpired):
            return ask_to_sign_in(request)
        try:
            store = _store_of(request, caller, at)
        except StoreNotFound:
            return HttpResponseRedirect(f"{reverse('console:stores')}?{urlencode({'next': request.get_full_path()})}")
        clerk = User.objects.get(id=caller_id(caller))
        desk = Desk(caller, store, clerk, at, address_of(request), language_for(request))
        try:
            return page(request, desk, *args, **kwargs)
        except (NotSignedIn, TokenExpired):
            return ask_to_sign_in(request)
        except DomainError as error:
            return faults.refused(request, error)

    update_wrapper(shown, page)
    return shown


def caller_of(request: HttpRequest, at: datetime) -> Caller:
    """
    Raises:
        NotSignedIn, TokenExpired: nobody, or nobody any more.
    """
    caller = tokens.read_token(request.session.get(TOKEN, ""), at)
    if caller.kind not in (CallerKind.STAFF, CallerKind.COUNTER) or not is_live(caller):
        raise NotSignedIn
    return caller


def address_of(request: HttpRequest) -> str:
    peer = str(request.META.get("REMOTE_ADDR", ""))
    return address_behind(str(request.META.get("HTTP_X_FORWARDED_FOR", "")), peer=peer)


def ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page, or its sheet over the page that asked."""
    if is_htmx(request):
        response = render(request, "console/signed_out.html", status=401)
        return in_the_sheet(response)
    came_for = request.get_full_path() if request.method == "GET" else reverse("console:scan")
    return HttpResponseRedirect(f"{reverse('console:sign_in')}?{urlencode({'next': came_for})}")


def in_the_sheet(response: HttpResponse) -> HttpResponse:
    """Whatever asked, this answer comes as a sheet over its page."""
    response["HX-Retarget"], response["HX-Reswap"], response["HX-Reselect"] = "#sheet-place", "innerHTML", "unset"
    response["HX-Push-Url"] = "false"
    return response


def is_htmx(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))


def signed_in(request: HttpRequest, token: str, user_id: UUID, *, store: str | None = None) -> None:
    """
    Begin a session for the token's owner. What she had open in this browser stays open; what another
    person had is gone.
    """
    if request.session.get(USER) == user_id.hex:
        request.session.cycle_key()
    else:
        kept = request.session.get(STORE)
        request.session.flush()
        if kept:
            request.session[STORE] = kept
    request.session[TOKEN], request.session[USER] = token, user_id.hex
    if store:
        request.session[STORE] = store
    rotate_token(request)


def _store_of(request: HttpRequest, caller: Caller, at: datetime) -> ClerkStore:
    if caller.kind is CallerKind.COUNTER:
        assert caller.device_id is not None, "she stands at a device"
        device = Device.objects.only("store_id").get(id=caller.device_id)
        return store_at_counter(public(Store.PREFIX, device.store_id), caller, at=at)
    chosen = request.session.get(STORE)
    if not chosen:
        raise StoreNotFound
    return store_at_counter(chosen, caller, at=at)
