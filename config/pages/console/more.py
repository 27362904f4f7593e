"""The menu behind the three lines: who, where, which device; practising; the tour."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from config.pages.console.counters import is_practice
from config.pages.console.desk import Desk, at_desk
from config.pages.console.signing_in import device_of
from stores.permissions import Permission

TOUR_STEPS = 6


@never_cache
@require_GET
@at_desk
def more(request: HttpRequest, desk: Desk) -> HttpResponse:
    context = {
        "desk": desk,
        "device": device_of(request),
        "may_bind": desk.may(Permission.BIND_DEVICES),
        "is_practice": is_practice(request),
    }
    return render(request, "console/more.html", context)


@require_GET
@at_desk
def tour(request: HttpRequest, desk: Desk, step: int) -> HttpResponse:
    """Three minutes, one thing a page."""
    if not 1 <= step <= TOUR_STEPS:
        raise Http404
    context = {
        "desk": desk,
        "step": step,
        "steps": TOUR_STEPS,
        "title": f"tour.step{step}.title",
        "text": f"tour.step{step}.text",
        "before": step - 1,
        "after": step + 1 if step < TOUR_STEPS else 0,
    }
    return render(request, "console/tour.html", context)
