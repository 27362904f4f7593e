"""The one exception handler: every refusal leaves in the same shape."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions as rest
from rest_framework.response import Response

from config.kernel import errors

log = logging.getLogger(__name__)


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
            "message": error.message(language),
            "param": error.param,
            "details": error.details,
            "request_id": request_id,
        }
    }


def answer(exception: Exception, context: dict[str, Any]) -> Response:
    """Django REST Framework's ``EXCEPTION_HANDLER``."""
    request = context["request"]
    error = as_domain_error(exception)
    if isinstance(error, errors.InternalError):
        log.error("unhandled in %s", type(context["view"]).__name__, exc_info=exception)
    body = envelope(
        error,
        language=language_of(request.headers.get("Accept-Language", "")),
        request_id=request.META.get("hexiao.request_id", ""),
    )
    headers = {}
    if "retry_after_seconds" in error.details:
        headers["Retry-After"] = str(error.details["retry_after_seconds"])
    elif error.status == 503:
        headers["Retry-After"] = "1"
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(body, status=error.status, headers=headers)


def as_domain_error(exception: Exception) -> errors.DomainError:
    """What any exception means to a caller; the unforeseen becomes ``internal_error`` and says nothing more."""
    match exception:
        case errors.DomainError():
            return exception
        case OperationalError() | InterfaceError():
            return errors.DatabaseUnavailable()
        case Http404():
            return errors.NoSuchPage()
        case PermissionDenied() | rest.PermissionDenied():
            return errors.NotAllowed()
        case rest.NotAuthenticated() | rest.AuthenticationFailed():
            return errors.NotSignedIn()
        case rest.ParseError():
            return errors.MalformedJson()
        case rest.ValidationError():
            return errors.MalformedRequest(fields=exception.detail)
        case rest.UnsupportedMediaType():
            return errors.UnsupportedMediaType()
        case rest.MethodNotAllowed():
            return errors.MethodNotAllowed()
        case rest.NotFound():
            return errors.NoSuchPage()
        case rest.NotAcceptable():
            return errors.UnsupportedMediaType()
        case _:
            return errors.InternalError()
