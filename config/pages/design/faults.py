"""Pages for what went wrong: one sentence and one way on. The API's own addresses keep its own answers."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from config.kernel.api import exceptions
from config.kernel.errors import DomainError
from config.pages.design.language import language_for
from config.pages.design.words import say

BACK = (("/console/", "/console/"), ("/shop/", ""))
"""Where the start is, by the beginning of the address; the shop's is the address's own first part."""


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A page that cannot be shown because something below said no."""
    return _page(request, error.message(language_for(request)), status=error.status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """``handler400``"""
    if _is_api(request):
        return exceptions.bad_request(request, exception)
    return _page(request, _said(request, "fault.bad_request"), status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """``handler403``"""
    if _is_api(request):
        return exceptions.permission_denied(request, exception)
    return _page(request, _said(request, "fault.not_allowed"), status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """``handler404``"""
    if _is_api(request):
        return exceptions.page_not_found(request, exception)
    return _page(request, _said(request, "fault.not_found"), status=404)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """``handler500``; Django has logged the exception."""
    if _is_api(request):
        return exceptions.server_error(request)
    return _page(request, _said(request, "fault.server"), status=500)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """``CSRF_FAILURE_VIEW``: cookies are off, or the form is another browser's."""
    return _page(request, _said(request, "fault.stale_form"), status=403)


def _page(request: HttpRequest, sentence: str, *, status: int) -> HttpResponse:
    path = request.path_info
    back = next((start or "/".join(path.split("/")[:3]) + "/" for prefix, start in BACK if path.startswith(prefix)), "")
    context = {
        "title": _said(request, "fault.title"),
        "sentence": sentence,
        "back": back,
        "request_id": request.META.get("hexiao.request_id", ""),
    }
    return render(request, "design/fault.html", context, status=status)


def _said(request: HttpRequest, key: str) -> str:
    return say(key, language_for(request))


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")
