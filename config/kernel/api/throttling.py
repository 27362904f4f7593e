"""Limits at the JSON edge: by caller, or by address where nobody has signed in."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from config.kernel import limits
from config.kernel.caller import Caller, CallerKind
from config.kernel.limits import Count, Limit

if TYPE_CHECKING:  # rest_framework.views imports this module while it is being made
    from rest_framework.views import APIView

# A customer's phone, a busy counter, the server of a chain with thousands of stores. Many phones share
# one carrier's address, so addresses get more than customers. None of these guards a secret.
CALLS_A_MINUTE = {
    CallerKind.CUSTOMER: Limit("customer_calls", times=600, seconds=60, times_alone=600),
    CallerKind.STAFF: Limit("staff_calls", times=6_000, seconds=60, times_alone=6_000),
    CallerKind.COUNTER: Limit("counter_calls", times=6_000, seconds=60, times_alone=6_000),
    CallerKind.DEVICE: Limit("device_calls", times=600, seconds=60, times_alone=600),
    CallerKind.API_CLIENT: Limit("program_calls", times=60_000, seconds=60, times_alone=60_000),
}
CALLS_OF_AN_ADDRESS = Limit("address_calls", times=6_000, seconds=60, times_alone=6_000)


class CallerThrottle(BaseThrottle):
    """Every call counts against its caller's limit."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        caller = request.user
        if isinstance(caller, Caller) and caller.kind in CALLS_A_MINUTE:
            spend(request, (CALLS_A_MINUTE[caller.kind], str(caller.id)))
        else:
            spend(request, (CALLS_OF_AN_ADDRESS, address_of(request)))
        return True


def spend(request: Request, *keys: tuple[Limit, str]) -> None:
    """
    Count this request against each limit; the answer's ``RateLimit-*`` headers tell the tightest.

    Raises:
        TooManyRequests: one of them has no room.
    """
    _tell(request, limits.spend(*keys))


def check(request: Request, *keys: tuple[Limit, str]) -> None:
    """
    Refuse where a limit on failures is used up; the view spends it when it fails.

    Raises:
        TooManyRequests: one of them has no room.
    """
    _tell(request, limits.check(*keys))


def address_of(request: Request) -> str:
    """The caller's network address, read from X-Forwarded-For only as far as our own proxies wrote it."""
    return address_behind(request.META.get("HTTP_X_FORWARDED_FOR", ""), peer=str(request.META.get("REMOTE_ADDR", "")))


def address_behind(forwarded_for: str, *, peer: str) -> str:
    """``address_of`` for an edge that is not Django's: the header's value and the socket's own peer."""
    forwarded = [part.strip() for part in forwarded_for.split(",") if part.strip()]
    if 0 < settings.TRUSTED_PROXIES <= len(forwarded):
        return forwarded[-settings.TRUSTED_PROXIES]
    return peer


class RateLimitHeaders:
    """Middleware: writes what the view has counted into the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        count: Count | None = request.META.get("hexiao.count")
        if count is not None:
            for name, value in count.headers().items():
                response[name] = value
        return response


def _tell(request: Request, count: Count) -> None:
    request.META["hexiao.count"] = count
    count.require_room()
