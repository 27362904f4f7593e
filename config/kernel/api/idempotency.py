"""The ``Idempotency-Key`` header: the only carrier of a request_id."""

from uuid import UUID

from rest_framework.request import Request

from config.kernel.errors import IdempotencyKeyRequired


def idempotency_key(request: Request) -> UUID:
    """
    The request_id of a POST that writes a fact.

    Raises:
        IdempotencyKeyRequired: no header, or not a UUID.
    """
    try:
        return UUID(request.headers.get("Idempotency-Key", ""))
    except ValueError:
        raise IdempotencyKeyRequired(param="Idempotency-Key") from None
