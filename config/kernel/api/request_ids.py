"""One id per request, in the answer's header, in errors and in the log."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.kernel.ids import new_id

ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Takes a well-formed ``X-Request-Id`` of the caller's or makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if ACCEPTED.fullmatch(given) else f"req_{new_id().hex}"
        request.META["hexiao.request_id"] = request_id
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response
