"""Secrets that are shown once and kept as a hash: keys of programs and devices, tokens of invitations."""

import hashlib
import secrets
from uuid import UUID


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
