"""
How the sandbox and its merchant know each other: HMAC-SHA256 with one shared key.

A message carries ``Sandbox-Signature: v1,<kid>,<unix seconds>,<hex>``, computed over version, time
and the raw bytes, so that neither a changed byte nor an old message passes. Payment parameters travel
through the customer's device and are signed over a canonical string of their own.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256

HEADER = "sandbox-signature"
VERSION = "v1"
TOLERANCE_SECONDS = 300


class BadSignature(Exception):
    """Not from whom it says, not what was sent, or too old."""


class Keys:
    """One key by its ``kid``; the kid tells which key was used and nothing about it."""

    def __init__(self, key_hex: str) -> None:
        self._key = bytes.fromhex(key_hex)
        self.kid = sha256(b"kid" + self._key).hexdigest()[:8]

    def header(self, body: bytes, *, at_seconds: int) -> str:
        return f"{VERSION},{self.kid},{at_seconds},{self._message_digest(body, at_seconds)}"

    def check(self, headers: Mapping[str, str], body: bytes, *, at_seconds: int) -> None:
        """
        Raises:
            BadSignature: see there; the text says which for the log.
        """
        parts = headers.get(HEADER, "").split(",")
        if len(parts) != 4 or parts[0] != VERSION or not (parts[2].isascii() and parts[2].isdigit()):
            raise BadSignature("no signature of version 1")
        if parts[1] != self.kid:
            raise BadSignature("another key")
        if abs(at_seconds - int(parts[2])) > TOLERANCE_SECONDS:
            raise BadSignature("too old or from the future")
        if not hmac.compare_digest(parts[3].encode(), self._message_digest(body, int(parts[2])).encode()):
            raise BadSignature("wrong signature")

    def parameters_signature(self, *, reference: str, amount_fen: int, currency: str, expires_at: int) -> str:
        canonical = f"pay\n{VERSION}\n{self.kid}\n{reference}\n{amount_fen}\n{currency}\n{expires_at}"
        return hmac.digest(self._key, canonical.encode(), "sha256").hex()

    def check_parameters(
        self, signature: str, *, kid: str, reference: str, amount_fen: int, currency: str, expires_at: int
    ) -> None:
        """
        Raises:
            BadSignature: not the merchant's word on what to pay.
        """
        right = self.parameters_signature(
            reference=reference, amount_fen=amount_fen, currency=currency, expires_at=expires_at
        )
        if kid != self.kid or not hmac.compare_digest(signature.encode(), right.encode()):
            raise BadSignature("wrong signature of the parameters")

    def _message_digest(self, body: bytes, at_seconds: int) -> str:
        return hmac.digest(self._key, f"message\n{VERSION}\n{at_seconds}\n".encode() + body, "sha256").hex()
