"""
The keys that sign and verify tokens, as a running process knows them.

They live in the secrets file. A process looks at its change time at most once a second (and at once
when a token names a key it does not know), so a rotation needs no restart.
"""

import json
import logging
import os
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from config.kernel import secrets

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class KeyRing:
    """
    ``token_keys`` by the exact first segment of the tokens they sign, ``qr_keys`` by ``kid``; the first ones sign.

    A token's first segment (algorithm and kid) is looked up whole, never parsed: what this site would
    not have written names no key, so no algorithm can be talked into another.
    """

    token_keys: dict[str, bytes]
    qr_keys: dict[str, EllipticCurvePrivateKey]


def ring_of(found: secrets.Secrets) -> KeyRing:
    qr_keys = {}
    for kid, pem in found.qr_keys.items():
        key = load_pem_private_key(pem.encode(), password=None)
        assert isinstance(key, EllipticCurvePrivateKey), f"QR key {kid} is not an elliptic curve key"
        qr_keys[kid] = key
    return KeyRing(
        token_keys={token_header(kid): bytes.fromhex(key) for kid, key in found.token_keys.items()},
        qr_keys=qr_keys,
    )


def token_header(kid: str) -> str:
    """The first segment of every access token that the key ``kid`` signs."""
    written = json.dumps({"alg": "HS256", "kid": kid, "typ": "JWT"}, separators=(",", ":"))
    return urlsafe_b64encode(written.encode()).rstrip(b"=").decode()


class KeyFile:
    """The key ring of one secrets file, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._stamp_now()
        self._ring = self._read()
        self._look_at = time.monotonic() + LOOK_EVERY_SECONDS

    def ring(self) -> KeyRing:
        """The keys, at most a second old."""
        return self._ring if time.monotonic() < self._look_at else self.fresh_ring()

    def fresh_ring(self) -> KeyRing:
        """The keys as the file has them now; those known before where it cannot be read."""
        self._look_at = time.monotonic() + LOOK_EVERY_SECONDS
        try:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                self._ring, self._stamp = self._read(), stamp
        except (OSError, ValueError, TypeError, AssertionError):
            log.exception("cannot read the keys in %s; going on with those known", self._path)
        return self._ring

    def _read(self) -> KeyRing:
        return ring_of(secrets.load(self._path, make_if_missing=False))

    def _stamp_now(self) -> tuple[int, int, int]:
        found = os.stat(self._path)
        return found.st_mtime_ns, found.st_ino, found.st_size


_files: dict[Path, KeyFile] = {}


def key_file() -> KeyFile:
    """The secrets file that the settings name."""
    path: Path = settings.SECRETS_FILE
    if (known := _files.get(path)) is not None:
        return known
    return _files.setdefault(path, KeyFile(path))
