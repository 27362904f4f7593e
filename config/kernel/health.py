"""Whether a process is alive, and whether it does its work: for a proxy, an orchestrator and a person with curl."""

from collections.abc import Callable

from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

ALIVE = "/health/live"
READY = "/health/ready"
WORKS = {"status": "ok"}
FAILS = {"status": "database_unreachable"}
"""Ready fails for one cause: everything else that can be away (Redis, a provider) stops no sale."""


class Health:
    """
    Middleware that answers before any other: a probe knows neither host names nor TLS, and has no key.

    ``GET /health/live`` is 200 while the process answers; ``GET /health/ready`` is 200 where PostgreSQL answers
    it, else 503.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path not in (ALIVE, READY) or request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        works = request.path == ALIVE or _database_answers()
        answer = JsonResponse(WORKS if works else FAILS, status=200 if works else 503)
        answer["Cache-Control"] = "no-store"
        return answer


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        connection.close()
        return False
    return True
