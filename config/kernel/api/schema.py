"""How operations are described in the OpenAPI document."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from config.kernel.errors import (
    DatabaseUnavailable,
    DomainError,
    IdempotencyConflict,
    InternalError,
    MalformedJson,
    MalformedRequest,
    NotAllowed,
    NotSignedIn,
    RequestTooLarge,
    TooManyRequests,
    UnsupportedMediaType,
)

CREDENTIALS = {
    "customerToken": "A customer's token: what `POST /api/v1/customers/token` gave the brand's server for her.",
    "staffToken": "A staff member's token: what `POST /api/v1/staff/sign-in` gave her.",
    "apiKey": "The key of a brand's program.",
    "deviceKey": "The key of a device at a store: what `POST /api/v1/stores/{store}/devices` gave once.",
    "counterToken": "A clerk at a device: what `POST /api/v1/devices/me/sessions` gave for her PIN.",
}
IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    type=UUID,
    location=OpenApiParameter.HEADER,
    required=True,
    description="A new UUID for a new request; the same one to repeat it safely. A repeat answers 200 instead of 201.",
)

ANY_MAY_ANSWER: tuple[type[DomainError], ...] = (
    NotSignedIn,
    NotAllowed,
    MalformedRequest,
    TooManyRequests,
    InternalError,
    DatabaseUnavailable,
)
ANY_WITH_A_BODY_MAY_ANSWER: tuple[type[DomainError], ...] = (MalformedJson, RequestTooLarge, UnsupportedMediaType)

_lane_operations: dict[tuple[str, str], dict[str, Any]] = {}
_lane_components: dict[str, Any] = {}


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

    def get_override_parameters(self) -> list[Any]:
        """An operation that may answer ``idempotency_conflict`` takes the key that the conflict is about."""
        named = [*super().get_override_parameters()]
        if IdempotencyConflict.code in _codes_of(self.get_response_serializers()):
            named.append(IDEMPOTENCY_KEY)
        return named


class CredentialsScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """
    Five kinds of credentials in one header: people's and programs' unless an operation says ``auth=only("…")``.
    """

    target_class = "stores.api.authentication.CallerAuthentication"
    name = list(CREDENTIALS)

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        return [{"type": "http", "scheme": "bearer", "description": text} for text in CREDENTIALS.values()]

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:
        """One of them, not all together."""
        return only("staffToken", "apiKey")


def only(*credentials: str) -> Any:
    """The ``auth`` of an operation that takes these of ``CREDENTIALS`` alone."""
    assert CREDENTIALS.keys() >= set(credentials), "known credentials"
    return [{name: []} for name in credentials]


def register_lane_operation(
    path: str, method: str, operation: dict[str, Any], components: dict[str, Any] | None = None
) -> None:
    """
    Describe an operation that the lane answers outside Django.

    ``operation`` is an OpenAPI operation object and ``components`` the schemas it refers to, as
    ``msgspec.json.schema_components(…, ref_template="#/components/schemas/{name}")`` gives them.
    """
    _lane_operations[path, method.lower()] = operation
    _lane_components.update(components or {})


def add_lane_operations(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Put the operations that the lane answers outside Django into the document."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for (path, method), operation in sorted(_lane_operations.items()):
        of_path = result["paths"].setdefault(path, {})
        assert method not in of_path, f"both Django and the lane describe {method.upper()} {path}"
        of_path[method] = operation
    for name, schema in sorted(_lane_components.items()):
        assert schemas.get(name, schema) == schema, f"two different schemas are called {name}"
        schemas[name] = schema
    result["paths"] = dict(sorted(result["paths"].items()))
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    return result


def add_common_answers(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Give every operation the refusals that any of them may answer, each written once."""
    answers, of_bodies = _by_status(ANY_MAY_ANSWER), _by_status(ANY_WITH_A_BODY_MAY_ANSWER)
    result["components"]["responses"] = result["components"].get("responses", {}) | {
        refusal.__name__: _told(refusal) for refusal in (*ANY_MAY_ANSWER, *ANY_WITH_A_BODY_MAY_ANSWER)
    }
    for operation in (each for of_path in result["paths"].values() for each in of_path.values()):
        for status, refusal in (answers | of_bodies if "requestBody" in operation else answers).items():
            if status in ("401", "403") and {} in operation.get("security", [{}]):
                continue  # nobody need sign in
            operation["responses"].setdefault(status, {"$ref": f"#/components/responses/{refusal.__name__}"})
        operation["responses"] = dict(sorted(operation["responses"].items()))
    return result


def _by_status(refusals: Iterable[type[DomainError]]) -> dict[str, type[DomainError]]:
    return {str(refusal.status): refusal for refusal in refusals}


def _told(refusal: type[DomainError]) -> dict[str, Any]:
    return {
        "description": f"- `{refusal.code}`: {refusal.en}",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
    }


def _codes_of(responses: Any) -> set[str]:
    if not isinstance(responses, dict):
        return set()
    return {example.name for each in responses.values() for example in getattr(each, "examples", None) or []}
