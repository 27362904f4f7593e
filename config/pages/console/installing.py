"""The console as an app on a phone's home screen: its manifest and its service worker."""

import hashlib
import json
from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from config.pages.design.language import language_for
from config.pages.design.words import say

KEPT = (
    "design/tokens.css",
    "design/ui.css",
    "design/page.js",
    "console/console.css",
    "console/console.js",
    "console/icon.svg",
    "django_htmx/htmx-2.min.js",
)
"""Static files, whose content never changes under a name; no page and no fact is ever kept."""


@cache_control(max_age=3600)
@require_GET
def manifest(request: HttpRequest) -> HttpResponse:
    name = say("console.name", language_for(request))
    start = reverse("console:scan")
    told = {
        "id": start,
        "name": f"{name} · Hexiao",
        "short_name": name,
        "start_url": start,
        "scope": start,
        "display": "standalone",
        "background_color": "#F3F5F4",
        "theme_color": "#14201C",
        "icons": [
            {"src": static("console/icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
            {"src": static("console/icon-192.png"), "sizes": "192x192", "type": "image/png", "purpose": "any maskable"},
            {"src": static("console/icon-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "any maskable"},
        ],
    }
    return JsonResponse(told, content_type="application/manifest+json")


@cache_control(no_cache=True)
@require_GET
def service_worker(request: HttpRequest) -> HttpResponse:
    """
    The worker under the console's own address, which is what it may serve.

    It names the static files of this very version, so an upgrade is another worker that throws the old names away.
    """
    files = [static(name) for name in KEPT]
    offline_page = reverse("console:offline")
    response = render(
        request,
        "console/sw.js",
        {"files": json.dumps([offline_page, *files]), "offline": offline_page, "version": _version(files)},
        content_type="text/javascript",
    )
    response["Service-Worker-Allowed"] = reverse("console:scan")
    return response


@require_GET
def offline(request: HttpRequest) -> HttpResponse:
    """What stands there when a page is opened without a network; nothing that could be out of date."""
    return render(request, "console/offline.html")


def _version(files: list[str]) -> str:
    digest = hashlib.sha256("".join(files).encode())
    for name in KEPT:
        found = finders.find(name)
        if isinstance(found, str):
            digest.update(Path(found).read_bytes())
    return digest.hexdigest()[:16]
