"""What an act that may be repeated gives back, and how a copy of its request finds what the first one made."""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Model, QuerySet

from config.kernel.errors import IdempotencyConflict

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Made(Generic[M]):
    """``is_new`` says whether this call made ``row``; a repeat finds it as it is now."""

    row: M
    is_new: bool


class Key(NamedTuple):
    """A brand's request that makes a row with these three columns; ``content_hash`` is what it must carry again."""

    brand_id: UUID
    request_id: UUID
    content_hash: bytes


def made_before(rows: QuerySet[M], key: Key) -> Made[M] | None:
    """
    What this request made before; None where it is the first.

    Raises:
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    answered = rows.filter(brand_id=key.brand_id, request_id=key.request_id)
    row = answered.first()
    if row is None:
        return None
    if not answered.filter(content_hash=key.content_hash).exists():
        raise IdempotencyConflict(param="Idempotency-Key")
    return Made(row, is_new=False)


def insert_once(row: M, key: Key) -> Made[M]:
    """
    Insert the row that a request makes, or find the one of another copy that came at the same moment.

    Runs inside the caller's transaction; the constraint on the key lets one copy in.

    Raises:
        IdempotencyConflict: the other copy carried other content.
        IntegrityError: another constraint than the key's.
    """
    assert connection.in_atomic_block, "a row is inserted with its trail"
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        if first := made_before(type(row)._default_manager.all(), key):
            return first
        raise
    return Made(row, is_new=True)
