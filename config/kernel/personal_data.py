"""
What identifies a person, at rest: sealed to be read back, hashed under a key to be found.

Both keys come from ``personal_data_key`` by HKDF (RFC 5869) with the purpose in the derivation, so
what leaks of one purpose says nothing about another. The sealed form names its version: a later key
or cipher reads what this one wrote.
"""

import hmac
import os
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

VERSION = b"\x01"
NONCE_BYTES = 12


def seal(text: str, *, purpose: str, bound_to: bytes) -> bytes:
    """``text`` under AES-256-GCM, readable only for the same purpose and the row ``bound_to`` names."""
    nonce = os.urandom(NONCE_BYTES)
    return VERSION + nonce + _cipher(_master_key(), purpose).encrypt(nonce, text.encode(), VERSION + bound_to)


def unseal(sealed: bytes | memoryview, *, purpose: str, bound_to: bytes) -> str:
    """
    What was sealed.

    Raises:
        cryptography.exceptions.InvalidTag: changed, moved from another row, or sealed under another key.
    """
    whole = bytes(sealed)  # PostgreSQL's bytea arrives as a memoryview
    assert whole[:1] == VERSION, "sealed by a later version of this site"
    nonce, body = whole[1 : 1 + NONCE_BYTES], whole[1 + NONCE_BYTES :]
    return _cipher(_master_key(), purpose).decrypt(nonce, body, VERSION + bound_to).decode()


def keyed_hash(text: str, *, purpose: str) -> bytes:
    """HMAC-SHA256: equal texts are found again, and without the key nobody tries out eleven digits."""
    return hmac.digest(_derived(_master_key(), f"{purpose}/hash"), text.encode(), "sha256")


def _master_key() -> str:
    key: str = settings.SECRETS.personal_data_key
    return key


def _cipher(master_key: str, purpose: str) -> AESGCM:
    return AESGCM(_derived(master_key, f"{purpose}/seal"))


@lru_cache(maxsize=32)
def _derived(master_key: str, purpose: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"hexiao/{purpose}".encode())
    return hkdf.derive(bytes.fromhex(master_key))
