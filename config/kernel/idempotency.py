"""What a request_id must carry again, where the row that answers it may change later."""

import hashlib
from typing import Any

import orjson


def content_hash(**content: Any) -> bytes:
    """
    The fingerprint of what came: text, numbers, ids and times by name.

    128 bits are enough: it only tells an honest repeat from a mistaken one.
    """
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
