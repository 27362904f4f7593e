"""
The project's secrets: from ``HEXIAO_SECRETS_FILE``, or made at first start in ``.local/``.

One JSON file holds them all, so rotation is one atomic rename. The first token key and the first QR
key sign; the others only verify, which is what lets a key retire without signing anybody out.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


class SecretsMissing(Exception):
    """A production process has no secrets file; it must not start with made-up ones."""


@dataclass(frozen=True)
class Secrets:
    """Keys by key id (``kid``); hex where bytes are meant."""

    django_secret_key: str
    token_keys: dict[str, str]
    qr_keys: dict[str, str]
    voucher_code_key: str
    personal_data_key: str
    sandbox_key: str


def new_kid() -> str:
    return secrets.token_hex(3)


def new_token_key() -> str:
    return secrets.token_hex(32)


def new_qr_key() -> str:
    """A fresh P-256 private key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def make() -> Secrets:
    return Secrets(
        django_secret_key=secrets.token_urlsafe(48),
        token_keys={new_kid(): new_token_key()},
        qr_keys={new_kid(): new_qr_key()},
        voucher_code_key=secrets.token_hex(32),
        personal_data_key=secrets.token_hex(32),
        sandbox_key=secrets.token_hex(32),
    )


def store(path: Path, found: Secrets) -> None:
    """Write atomically, readable by the owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(json.dumps(asdict(found), indent=1))
        written.flush()
        os.fsync(written.fileno())  # or a power cut may leave the new name with nothing behind it
    fresh.replace(path)


@contextmanager
def one_change_at_a_time(path: Path) -> Iterator[None]:
    """Two rotations at once follow each other instead of losing one's key."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def load(path: Path, *, make_if_missing: bool) -> Secrets:
    """
    Read the secrets at ``path``; two first starts at once agree on one file.

    Raises:
        SecretsMissing: no file there, and none may be made.
    """
    if not path.exists():
        if not make_if_missing:
            raise SecretsMissing(f"No secrets at {path}. Make them once with: ./manage.py keys init")
        candidate = path.with_name(f"{path.name}.{os.getpid()}.first")
        store(candidate, make())
        try:
            # link() fails where the file has appeared meanwhile; rename() would overwrite it.
            os.link(candidate, path)
        except FileExistsError:
            pass
        finally:
            candidate.unlink()
    return Secrets(**json.loads(path.read_text()))
