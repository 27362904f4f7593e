"""Requests as strict as answers: an unknown field is refused, so no typing error is silently ignored."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from config.kernel.errors import MalformedRequest, UnknownParameter

OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)$", re.IGNORECASE)
MOMENT = "YYYY-MM-DDThh:mm:ss±hh:mm"


class StrictSerializer(serializers.Serializer[Any]):
    """A plain serializer that refuses fields it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if self.context.get("is_json") and isinstance(data, dict):
            fields = {name: field for name, field in self.fields.items() if name in data}
            if wrong := {
                name: [_no_such_type(field)] for name, field in fields.items() if not _fits(field, data[name])
            }:
                raise serializers.ValidationError(wrong)
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise UnknownParameter(names=", ".join(unknown), param=unknown[0])
        return super().to_internal_value(data)


def _fits(field: Any, value: Any) -> bool:
    """Whether a JSON value has the described type: Django REST Framework also takes 1 for "1", "yes" for true."""
    match field:
        case _ if value is None:
            return True  # whether it may be null is the field's own question
        case serializers.CharField() | serializers.UUIDField():
            return isinstance(value, str)
        case serializers.BooleanField():
            return isinstance(value, bool)
        case serializers.IntegerField():
            return isinstance(value, int) and not isinstance(value, bool)
        case serializers.DateTimeField():
            # RFC 3339, as described: without its offset it would be taken for UTC, eight hours off in China.
            return isinstance(value, str) and OFFSET.search(value) is not None
        case serializers.ListField():
            return not isinstance(value, list) or all(_fits(field.child, each) for each in value)
        case _:
            return True


def _no_such_type(field: Any) -> str:
    """The field's own sentence, in the caller's language."""
    of_one = getattr(field, "child", field)
    return str(of_one.error_messages["invalid"]).format(value="", input="", format=MOMENT)


@dataclass(frozen=True, slots=True)
class Validated:
    """What a request said, as its serializer understood it."""

    validated_data: Any


def body_of(request: Request, serializer: type[StrictSerializer]) -> Validated:
    """The validated body; ``.validated_data`` holds it."""
    if not isinstance(request.data, dict):
        raise MalformedRequest(fields={"": ["a JSON object is expected"]})
    return Validated(_kept(serializer, is_json=True).run_validation(request.data))


def query_of(request: Request, serializer: type[StrictSerializer]) -> Validated:
    """The validated query string; unknown parameters are refused."""
    return Validated(_kept(serializer, is_json=False).run_validation(request.query_params.dict()))


@cache
def _kept(serializer: type[StrictSerializer], *, is_json: bool) -> StrictSerializer:
    """
    One for all requests: validating keeps nothing on it, and a new one copies every field of it and of what it nests
    (0.35 ms of CPU for an order's).
    """
    return serializer(context={"is_json": is_json})
