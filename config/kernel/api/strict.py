"""Requests as strict as answers: an unknown field is refused, so no typing error is silently ignored."""

from typing import Any, TypeVar

from rest_framework import serializers
from rest_framework.request import Request

from config.kernel.errors import MalformedRequest, UnknownParameter


class StrictSerializer(serializers.Serializer[Any]):
    """A plain serializer that refuses fields it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise UnknownParameter(names=", ".join(unknown), param=unknown[0])
        return super().to_internal_value(data)


S = TypeVar("S", bound=StrictSerializer)


def body_of(request: Request, serializer: type[S]) -> S:
    """The validated body; ``.validated_data`` holds it."""
    if not isinstance(request.data, dict):
        raise MalformedRequest(fields={"": ["a JSON object is expected"]})
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    return body


def query_of(request: Request, serializer: type[S]) -> S:
    """The validated query string; unknown parameters are refused."""
    query = serializer(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    return query
