"""Ids: UUIDv7 inside (near in time, near on disk), ``prefix_`` and 32 hex digits outside."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import uuid_utils.compat
from django.db import models

from config.kernel.errors import MalformedId


def new_id() -> UUID:
    """
    A UUIDv7 (RFC 9562): milliseconds since 1970, then random bits.

    Made in Python because PostgreSQL makes them only from 18 on.
    """
    return uuid_utils.compat.uuid7()


def first_of(moment: datetime) -> UUID:
    """Below every id made at ``moment`` or later, above every one made a millisecond before: ids are times."""
    return UUID(int=int(moment.timestamp() * 1_000) << 80)


def public(prefix: str, id: UUID) -> str:
    """The id as outsiders see it, such as ``vch_0198c1…``."""
    return f"{prefix}_{id.hex}"


def parse(prefix: str, text: str) -> UUID:
    """
    The UUID behind a public id.

    Raises:
        MalformedId: another prefix, or not 32 lower-case hex digits behind it.
    """
    head, _, digits = text.partition("_")
    if head != prefix or len(digits) != 32 or digits.strip("0123456789abcdef"):
        raise MalformedId(expected=f"{prefix}_…")
    return UUID(hex=digits)


class PublicIdModel(models.Model):
    """A row with a UUIDv7 key that is shown outside under the class's ``PREFIX``."""

    PREFIX: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return public(self.PREFIX, self.id)
