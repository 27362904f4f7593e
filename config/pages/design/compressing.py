"""Pages go over the wire compressed: a phone in a queue waits for the bytes."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressedPages(GZipMiddleware):
    """
    Middleware for HTML alone: the API's bodies are small, and its callers next door.

    What an attacker could make a page repeat beside a secret leaks nothing by its length: Django masks the CSRF
    token anew in every answer and pads what it compresses by a random length (BREACH).
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not response.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)
