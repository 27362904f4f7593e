"""Bodies: JSON, bounded before it is read."""

import io
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import JSONParser

from config.kernel.errors import MalformedJson, RequestTooLarge


class BoundedJSONParser(JSONParser):
    """
    JSON of at most ``DATA_UPLOAD_MAX_MEMORY_SIZE`` bytes.

    Django's own bound covers only ``request.body``, and REST Framework reads the stream beside it.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """
        The parsed body.

        Raises:
            RequestTooLarge: more bytes than that.
            MalformedJson: nested deeper than any document here is.
        """
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestTooLarge
        try:
            return super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise MalformedJson from None
