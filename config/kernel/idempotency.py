"""What a request_id must carry again, where the row that answers it may change later."""

import hashlib
from typing import Any

import orjson

from config.kernel.errors import ValueNotStorable


def content_hash(**content: Any) -> bytes:
    """
    The fingerprint of what came: text, numbers, ids and times by name.

    128 bits are enough: it only tells an honest repeat from a mistaken one.

    Raises:
        ValueNotStorable: a number past 64 bits, or text that is no Unicode.
    """
    try:
        written = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise ValueNotStorable from None
    return hashlib.blake2b(written, digest_size=16).digest()
