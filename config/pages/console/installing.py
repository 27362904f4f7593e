"""The console as an app on a phone's home screen: its manifest and its service worker."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from config.pages.design.language import language_for
from config.pages.design.words import say


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
