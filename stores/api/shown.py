"""What bodies and answers of several resources are made of."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.kernel import ids
from config.kernel.api.strict import StrictSerializer


@extend_schema_field(OpenApiTypes.STR)
class PublicId(serializers.Field[UUID, str, str, Any]):
    """``sto_…`` outside, a UUID inside."""

    def __init__(self, prefix: str, **options: Any) -> None:
        self.prefix = prefix
        super().__init__(**{"help_text": f"{prefix}_…", **options})

    def to_internal_value(self, data: str) -> UUID:
        """
        The UUID.

        Raises:
            MalformedId: not a public id of this prefix.
        """
        return ids.parse(self.prefix, data if isinstance(data, str) else "")

    def to_representation(self, value: UUID) -> str:
        return ids.public(self.prefix, value)


class Nothing(StrictSerializer):
    """A body that says nothing: none at all, or ``{}``."""
