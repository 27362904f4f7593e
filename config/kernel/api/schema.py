"""How operations are described in the OpenAPI document."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from config.kernel.errors import DomainError


class ErrorBody(serializers.Serializer[Any]):
    """What went wrong: programs branch on ``code``, people read ``message``."""

    type = serializers.CharField(help_text="The kind of refusal: not_found, conflict, invalid, …")
    code = serializers.CharField(help_text="Stable; docs/errors.md lists every one.")
    message = serializers.CharField(help_text="For people, in Chinese or English by Accept-Language.")
    param = serializers.CharField(allow_null=True, help_text="The parameter at fault, where it is one.")
    details = serializers.DictField(help_text="What the sentence was made from, for programs.")
    request_id = serializers.CharField(help_text="Also in the X-Request-Id header and in our log.")


class ErrorAnswer(serializers.Serializer[Any]):
    """Every refusal has this shape."""

    error = ErrorBody()


def errors_of(*refusals: type[DomainError]) -> dict[int | str, Any]:
    """
    The refusals an operation names, as ``responses`` of ``@extend_schema``: ``{201: Made, **errors_of(A, B)}``.

    Those that any operation may answer (not signed in, malformed, too many, …) need no mention.
    """
    by_status: dict[int, list[type[DomainError]]] = {}
    for refusal in refusals:
        by_status.setdefault(refusal.status, []).append(refusal)
    return {
        status: OpenApiResponse(
            response=ErrorAnswer,
            description="\n".join(f"- `{refusal.code}`: {refusal.en}" for refusal in named),
            examples=[_example(refusal) for refusal in named],
        )
        for status, named in sorted(by_status.items())
    }


def _example(refusal: type[DomainError]) -> OpenApiExample:
    return OpenApiExample(
        name=refusal.code,
        value={
            "error": {
                "type": refusal.kind,
                "code": refusal.code,
                "message": refusal.zh,
                "param": None,
                "details": {},
                "request_id": "req_0198c1d2e3f47a5b8c6d7e8f90a1b2c3",
            }
        },
        response_only=True,
        status_codes=[str(refusal.status)],
    )


class HexiaoSchema(AutoSchema):
    """drf-spectacular's schema with the project's own conventions."""


def add_lane_operations(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Put the operations that the lane answers outside Django into the document."""
    return result
