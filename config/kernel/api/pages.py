"""
Lists, a page at a time, newest first.

A cursor names the last row seen by (time, id), so a page is one index range however deep it lies, and
rows that arrive meanwhile neither repeat nor hide any. It is readable and unsigned: what it may reach
is decided by the query it continues.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet, UUIDField
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from config.kernel.api.strict import StrictSerializer
from config.kernel.errors import MalformedRequest

M = TypeVar("M", bound=Model)
LAST_ID = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PageQuery(StrictSerializer):
    """The query string of a list; lists with filters subclass it."""

    limit = serializers.IntegerField(default=20, min_value=1, max_value=100)
    cursor = serializers.CharField(required=False, max_length=128, help_text="`next` of the page before.")


@dataclass(frozen=True)
class Page(Generic[M]):
    items: list[M]
    next: str | None

    def body(self, shown: Callable[[M], Any]) -> dict[str, Any]:
        """The JSON of the page; ``shown`` turns a row into its own."""
        return {"items": [shown(item) for item in self.items], "next": self.next}


def page_of(rows: QuerySet[M], *, by: str, limit: int, cursor: str | None = None) -> Page[M]:
    """
    At most ``limit`` rows, newest by the time column ``by`` first, after the row that ``cursor`` names.

    Raises:
        MalformedRequest: the cursor did not come from here.
    """
    if cursor:
        time, key = _read(cursor, rows.model)
        # The first condition alone is what the index can walk; the second only drops its head.
        rows = rows.filter(Q(**{f"{by}__lte": time}) & (Q(**{f"{by}__lt": time}) | Q(pk__lt=key)))
    found = list(rows.order_by(f"-{by}", "-pk")[: limit + 1])
    items = found[:limit]
    return Page(items=items, next=_cursor(items[-1], by) if len(found) > limit else None)


@cache
def page_schema(item: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """How a page of ``item`` looks, for ``@extend_schema``; the same for every list of it."""
    name = item.__name__.removesuffix("Serializer")
    return inline_serializer(
        name=f"{name}Page",
        fields={
            "items": item(many=True),
            "next": serializers.CharField(allow_null=True, help_text="`cursor` of the next page; null on the last."),
        },
    )


def _cursor(row: Model, by: str) -> str:
    microseconds = (getattr(row, by) - EPOCH) // timedelta(microseconds=1)
    key = row.pk.hex if isinstance(row.pk, UUID) else row.pk
    return base64.urlsafe_b64encode(f"{microseconds}.{key}".encode()).rstrip(b"=").decode()


def _read(cursor: str, model: type[Model]) -> tuple[datetime, UUID | int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        microseconds, _, key = text.partition(".")
        time = EPOCH + timedelta(microseconds=int(microseconds))
        return time, UUID(hex=key) if isinstance(model._meta.pk, UUIDField) else min(int(key), LAST_ID)
    except (binascii.Error, ValueError, OverflowError):
        raise MalformedRequest(param="cursor", fields={"cursor": ["not a cursor of this list"]}) from None
