"""The language switch, and the living page of every component in every state."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from config.pages.design import language
from config.pages.design.icons import ICONS
from config.pages.design.tokens import LIGHT


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keep the chosen language in a cookie, and come back."""
    response = HttpResponseRedirect(safe_next(request.POST.get("next", ""), request, otherwise="/"))
    chosen = request.POST.get("language")
    language.remember(response, "en" if chosen == "en" else "zh", secure=request.is_secure())
    return response


def safe_next(asked: str, request: HttpRequest, *, otherwise: str, under: str = "/") -> str:
    """``asked`` where it is an address of this site below ``under``: signing in must not lead elsewhere."""
    is_ours = url_has_allowed_host_and_scheme(
        asked, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return asked if is_ours and asked.startswith(under) else otherwise


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every component in all its states, with words as long as they get; in debug only."""
    if not settings.DEBUG:
        raise Http404
    now = timezone.now()
    shown: dict[str, Any] = {
        "now": now,
        "soon": now + timedelta(minutes=59, seconds=52),
        "earlier": now - timedelta(minutes=21),
        "roles": list(LIGHT),
        "icons": list(ICONS),
        "themes": ["light", "dark"],
        "long_store": "浙江省杭州市滨江区江南大道天街购物中心负一层店",
    }
    return render(request, "design/styleguide.html", shown)
