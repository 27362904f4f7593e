"""The one exception handler: every refusal leaves in the same shape, and no input is answered with a 500."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.request import UnreadablePostError
from django.views import defaults
from rest_framework import exceptions as rest
from rest_framework.response import Response

from config.kernel import errors

log = logging.getLogger(__name__)

ECHO_AT_MOST_CHARACTERS = 300


def language_of(accept_language: str) -> str:
    """``en`` where English is named before Chinese, else ``zh``: the trade's own language."""
    for part in accept_language.lower().split(","):
        tag = part.strip()
        if tag.startswith("zh"):
            return "zh"
        if tag.startswith("en"):
            return "en"
    return "zh"


def envelope(error: errors.DomainError, *, language: str, request_id: str) -> dict[str, Any]:
    """The error body that docs/errors.md promises."""
    return {
        "error": {
            "type": error.kind,
            "code": error.code,
            "message": _echoed(error.message(language)),
            "param": _echoed(error.param),
            "details": _echoed(error.details),
            "request_id": request_id,
        }
    }


def headers_of(error: errors.DomainError) -> dict[str, str]:
    """What HTTP says in headers about a refusal, beside the body."""
    headers = {}
    if "retry_after_seconds" in error.details:
        headers["Retry-After"] = str(error.details["retry_after_seconds"])
    elif error.status == 503:
        headers["Retry-After"] = "1"
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def answer(exception: Exception, context: dict[str, Any]) -> Response:
    """Django REST Framework's ``EXCEPTION_HANDLER``."""
    request = context["request"]
    error = as_domain_error(exception)
    _log(error, exception, where=type(context["view"]).__name__)
    return Response(_body(error, request), status=error.status, headers=headers_of(error))


def as_domain_error(exception: Exception) -> errors.DomainError:
    """What any exception means to a caller; the unforeseen becomes ``internal_error`` and says nothing more."""
    match exception:
        case errors.DomainError():
            return exception
        case rest.APIException():
            return _of_framework(exception)
        case OperationalError() | InterfaceError():
            return errors.DatabaseUnavailable()
        case DataError() | UnicodeEncodeError():
            # Numbers past bigint, NUL in text, half a surrogate pair: what no field check has caught.
            return errors.ValueNotStorable()
        case IntegrityError():
            return errors.ConflictingFacts()
        case Http404():
            return errors.NoSuchPage()
        case PermissionDenied():
            return errors.NotAllowed()
        case RequestDataTooBig():
            return errors.RequestTooLarge()
        case SuspiciousOperation() | UnreadablePostError():
            return errors.BadRequest()
        case _:
            return errors.InternalError()


def _of_framework(exception: rest.APIException) -> errors.DomainError:
    match exception:
        case rest.ValidationError():
            return errors.MalformedRequest(fields=exception.detail)
        case rest.NotAuthenticated() | rest.AuthenticationFailed():
            return errors.NotSignedIn()
        case rest.PermissionDenied():
            return errors.NotAllowed()
        case rest.ParseError():
            return errors.MalformedJson()
        case rest.UnsupportedMediaType():
            return errors.UnsupportedMediaType()
        case rest.MethodNotAllowed():
            return errors.MethodNotAllowed()
        case rest.NotFound():
            return errors.NoSuchPage()
        case rest.NotAcceptable():
            return errors.NotAcceptable()
        case _:
            return errors.InternalError()


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """``handler400``: a host name not ours, too many fields, …"""
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    return _plain_answer(as_domain_error(exception), request)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """``handler403``"""
    if not _is_api(request):
        return defaults.permission_denied(request, exception)
    return _plain_answer(errors.NotAllowed(), request)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """``handler404``"""
    if not _is_api(request):
        return defaults.page_not_found(request, exception)
    return _plain_answer(errors.NoSuchPage(), request)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """``handler500``; Django has logged the exception."""
    if not _is_api(request):
        return defaults.server_error(request)
    return _plain_answer(errors.InternalError(), request)


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def _plain_answer(error: errors.DomainError, request: HttpRequest) -> HttpResponse:
    return JsonResponse(
        _body(error, request),
        status=error.status,
        headers=headers_of(error),
        json_dumps_params={"ensure_ascii": False},
    )


def _body(error: errors.DomainError, request: HttpRequest) -> dict[str, Any]:
    return envelope(
        error,
        language=language_of(request.headers.get("Accept-Language", "")),
        request_id=request.META.get("hexiao.request_id", ""),
    )


def _log(error: errors.DomainError, exception: Exception, *, where: str) -> None:
    """A refusal by a service is not news; what the database or Python had to refuse instead is."""
    if exception is error:
        return
    match error:
        case errors.InternalError() | errors.ConflictingFacts():
            log.error("unhandled in %s", where, exc_info=exception)
        case errors.DatabaseUnavailable() | errors.ValueNotStorable():
            log.warning("%s in %s: %s", error.code, where, exception)


def _echoed(value: Any) -> Any:
    """What came from the caller, fit to go back: short, and valid Unicode (JSON can smuggle half a character in)."""
    match value:
        case str():
            return value[:ECHO_AT_MOST_CHARACTERS].encode("utf-8", "replace").decode()
        case dict():
            return {_echoed(name): _echoed(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_echoed(inner) for inner in value]
        case _:
            return value
