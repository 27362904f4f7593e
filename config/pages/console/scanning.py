"""The scan page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from config.pages.console.desk import Desk, at_desk


@never_cache
@require_GET
@at_desk
def scan(request: HttpRequest, desk: Desk) -> HttpResponse:
    return render(request, "console/scan.html", {"desk": desk})
