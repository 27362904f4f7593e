"""A CSV list as the body of a request: bounded, on disk where it is long, with its columns named in the query."""

import tempfile
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from config.kernel.api.strict import StrictSerializer
from config.kernel.errors import RequestTooLarge
from stores.errors import ListEmpty

BYTES_AT_MOST = 16 * 1024 * 1024  # some 100,000 stores; longer lists go through the command
IN_MEMORY_AT_MOST = 256 * 1024


class CsvParser(BaseParser):
    """The body as a file that can be sought; beyond 256 KB it lies on disk, beyond 16 MB it is refused."""

    media_type = "text/csv"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """
        The spooled body.

        Raises:
            RequestTooLarge: more than 16 MB.
        """
        spooled = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_AT_MOST)  # noqa: SIM115 - the view closes it
        left = BYTES_AT_MOST
        while chunk := stream.read(min(1 << 16, left + 1)):
            left -= len(chunk)
            if left < 0:
                spooled.close()
                raise RequestTooLarge
            spooled.write(chunk)
        return spooled


class ListQuery(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    map = serializers.CharField(
        required=False,
        max_length=1024,
        help_text="Which column holds what, where its heading does not say: `name=店名,city=城市`.",
    )
    dry_run = serializers.BooleanField(default=False, help_text="Report everything, change nothing.")

    def validate_map(self, value: str) -> dict[str, str]:
        pairs = [pair.partition("=") for pair in value.split(",")]
        if not all(field and heading for field, _, heading in pairs):
            raise serializers.ValidationError("field=heading, separated by commas")
        return {field.strip(): heading.strip() for field, _, heading in pairs}


def uploaded(request: Request) -> IO[bytes]:
    """
    The list that came, for the caller to close.

    Raises:
        ListEmpty: no body at all.
    """
    body: Any = request.data
    if not isinstance(body, tempfile.SpooledTemporaryFile):  # without a body no parser is asked
        raise ListEmpty
    return body
