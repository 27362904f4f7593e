"""
Changing the keys of tokens without signing anybody out: a new key signs, old ones verify, then retire.

Where several machines hold copies of the secrets file, a new key must verify everywhere before it
signs anywhere: ``add_keys``, copy the file, ``sign_with``, copy it again.
"""

from dataclasses import replace
from typing import TypeVar

from config.kernel.secrets import Secrets, new_kid, new_qr_key, new_token_key

V = TypeVar("V")


class CannotRotate(Exception):
    """Says why, to the operator at the terminal."""


def rotate(found: Secrets) -> Secrets:
    """A new token key and a new QR key that sign from now on; all others verify."""
    added = add_keys(found)
    for kid in (list(added.token_keys)[-1], list(added.qr_keys)[-1]):
        added = sign_with(added, kid)
    return added


def add_keys(found: Secrets) -> Secrets:
    """A new token key and a new QR key that verify and do not sign yet."""
    return replace(
        found,
        token_keys={**found.token_keys, _unused_kid(found): new_token_key()},
        qr_keys={**found.qr_keys, _unused_kid(found): new_qr_key()},
    )


def sign_with(found: Secrets, kid: str) -> Secrets:
    """
    Let ``kid`` sign from now on.

    Raises:
        CannotRotate: no such key.
    """
    if kid in found.token_keys:
        return replace(found, token_keys=_first(found.token_keys, kid))
    if kid in found.qr_keys:
        return replace(found, qr_keys=_first(found.qr_keys, kid))
    raise CannotRotate(f"There is no key {kid}.")


def retire(found: Secrets, kid: str) -> Secrets:
    """
    Forget ``kid``: what it signed is refused from now on.

    Raises:
        CannotRotate: no such key, or it is the one that signs.
    """
    if kid in (next(iter(found.token_keys)), next(iter(found.qr_keys))):
        raise CannotRotate(f"Key {kid} signs. Rotate first.")
    if kid not in found.token_keys and kid not in found.qr_keys:
        raise CannotRotate(f"There is no key {kid}.")
    return replace(
        found,
        token_keys={known: key for known, key in found.token_keys.items() if known != kid},
        qr_keys={known: key for known, key in found.qr_keys.items() if known != kid},
    )


def _first(keys: dict[str, V], kid: str) -> dict[str, V]:
    return {kid: keys[kid], **keys}


def _unused_kid(found: Secrets) -> str:
    while (kid := new_kid()) in found.token_keys or kid in found.qr_keys:
        pass
    return kid
