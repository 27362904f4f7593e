"""Secrets that are shown once and kept as a hash: keys of programs and devices, tokens of invitations."""

import hashlib
import secrets
from uuid import UUID

KEY_AT_MOST_CHARACTERS = 128


def new_secret() -> str:
    return secrets.token_hex(32)


def hash_of(secret: str) -> bytes:
    """256 random bits need no salt and no slow hash: there is nothing to try out."""
    return hashlib.sha256(secret.encode()).digest()


def kid_of(id: UUID) -> str:
    """What tells keys apart in a log or a list: the random end of their row's id, also inside the key."""
    return id.hex[-8:]


def key_of(prefix: str, id: UUID, secret: str) -> str:
    return f"{prefix}_{kid_of(id)}_{secret}"


def parts_of(key: str) -> tuple[str, bytes] | None:
    """The kid of a key and the hash of its secret; None where it is not of that shape."""
    _, _, rest = key.partition("_")
    kid, _, secret = rest.partition("_")
    if len(key) > KEY_AT_MOST_CHARACTERS or not (kid and secret and key.isascii()):
        return None
    return kid, hash_of(secret)
