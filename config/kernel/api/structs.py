"""JSON as msgspec structs: one class says what an operation takes or answers, to both edges and to the document."""

from typing import TypeVar

import msgspec

from config.kernel.errors import MalformedJson, MalformedRequest, UnsupportedMediaType

S = TypeVar("S", bound=msgspec.Struct)
LARGEST_STRUCT = 16 * 1024


def decoded(raw: bytes, content_type: str, decoder: "msgspec.json.Decoder[S]") -> S:
    """
    A body as a struct; ``forbid_unknown_fields`` on the class refuses what it does not know.

    Raises:
        UnsupportedMediaType, MalformedJson, MalformedRequest: by what is wrong.
    """
    if not content_type.startswith("application/json"):
        raise UnsupportedMediaType
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise MalformedRequest(fields={"": [str(error)]}) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedJson from None


encoded = msgspec.json.Encoder().encode
