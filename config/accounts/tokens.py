"""
Who a token speaks for.

Access tokens are JWTs under HS256, which only servers verify. They are read here without a JWT
library: PyJWT takes 120 µs and more for one, this takes 20 to 25, and the lane reads one per order. PyJWT is the
oracle of the tests. QR tokens are ES256, because pages and other programs verify them too.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import jwt
import msgspec
from django.conf import settings

from config.accounts.keys import key_file
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotSignedIn, TokenExpired

TOKEN_AT_MOST_CHARACTERS = 512
QR_AT_MOST_CHARACTERS = 180


@dataclass(frozen=True)
class AccessToken:
    text: str
    expires_at: datetime


class Claims(msgspec.Struct, omit_defaults=True):
    """What an access token says; ``brd`` is the brand of a customer or a device, ``dev`` the device."""

    aud: Literal["customer", "staff", "counter"]
    sub: str
    iat: int
    exp: int
    brd: str = ""
    dev: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Claims)


def sign_customer(*, customer_id: UUID, brand_id: UUID, at: datetime, seconds: int | None = None) -> AccessToken:
    """A token for one customer of one brand, good for ``seconds`` or as set, and for a day at most."""
    seconds = settings.CUSTOMER_TOKEN_SECONDS if seconds is None else seconds
    assert 0 < seconds <= 24 * 60 * 60, "a customer's token lives a day at most"
    return _sign(Claims(aud="customer", sub=customer_id.hex, brd=brand_id.hex, iat=_seconds(at), exp=0), seconds)


def sign_staff(*, user_id: UUID, at: datetime) -> AccessToken:
    """A token for one person who works here; what she may do is looked up each time, so it is not in it."""
    return _sign(Claims(aud="staff", sub=user_id.hex, iat=_seconds(at), exp=0), settings.STAFF_TOKEN_SECONDS)


def sign_counter(*, user_id: UUID, brand_id: UUID, device_id: UUID, at: datetime) -> AccessToken:
    """A token for one person at one device of a store; good for what a clerk does there, and for nothing else."""
    claims = Claims(aud="counter", sub=user_id.hex, brd=brand_id.hex, dev=device_id.hex, iat=_seconds(at), exp=0)
    return _sign(claims, settings.COUNTER_TOKEN_SECONDS)


def read_token(text: str, at: datetime) -> Caller:
    """
    The customer or staff member an access token speaks for; takes about 25 µs and no network.

    Raises:
        NotSignedIn: not a token of this site, or one whose key has been retired.
        TokenExpired: it was good until ``at`` or earlier.
    """
    if len(text) > TOKEN_AT_MOST_CHARACTERS or not text.isascii():
        raise NotSignedIn
    signed, _, signature = text.rpartition(".")
    header, _, body = signed.partition(".")
    key = key_file().ring().token_keys.get(header) or key_file().fresh_ring().token_keys.get(header)
    # The encoded forms are compared: base64 has several spellings of one signature, and only ours counts.
    if key is None or not hmac.compare_digest(_signature(key, signed), signature):
        raise NotSignedIn
    claims = _decoder.decode(_decoded(body))
    if claims.exp <= at.timestamp():
        raise TokenExpired
    return Caller(
        kind=CallerKind(claims.aud),
        id=UUID(hex=claims.sub),
        brand_id=UUID(hex=claims.brd) if claims.brd else None,
        device_id=UUID(hex=claims.dev) if claims.dev else None,
        signed_at=_moment(claims.iat),
    )


def sign_qr(payload: dict[str, Any], at: datetime) -> str:
    """
    A token to be shown as a QR code, good for ``settings.QR_TOKEN_SECONDS`` and at most 180 characters long.

    The length leaves 39 bytes of JSON, ``exp`` included: a 12-digit code under a one-letter name.
    """
    assert "exp" not in payload, "the time is ours to say"
    assert 0 < settings.QR_TOKEN_SECONDS <= 60, "a photographed code must soon be worthless"
    kid, key = next(iter(key_file().ring().qr_keys.items()))
    claims = {"exp": _seconds(at) + settings.QR_TOKEN_SECONDS, **payload}
    text = jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid, "typ": None})
    assert len(text) <= QR_AT_MOST_CHARACTERS, f"{len(text)} characters make a QR code that cheap scanners miss"
    return text


def read_qr(text: str, at: datetime) -> dict[str, Any]:
    """
    The payload that ``sign_qr`` was given.

    Raises:
        NotSignedIn: not signed by a key of this site.
        TokenExpired: shown too long ago.
    """
    if len(text) > QR_AT_MOST_CHARACTERS or not text.isascii():
        raise NotSignedIn
    try:
        kid = jwt.get_unverified_header(text).get("kid", "")
        key = key_file().ring().qr_keys.get(kid) or key_file().fresh_ring().qr_keys.get(kid)
        if key is None:
            raise NotSignedIn
        # Expiry is judged below by the caller's clock; PyJWT knows only its own.
        claims = jwt.decode(
            text, key.public_key(), algorithms=["ES256"], options={"verify_exp": False, "require": ["exp"]}
        )
    except jwt.InvalidTokenError:
        raise NotSignedIn from None
    if claims.pop("exp") <= at.timestamp():
        raise TokenExpired
    return dict(claims)


def public_keys() -> list[dict[str, Any]]:
    """The QR keys' public halves as JSON Web Keys (RFC 7517), for whoever verifies."""
    return [
        {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "ES256"}
        for kid, key in key_file().ring().qr_keys.items()
    ]


def _sign(claims: Claims, seconds: int) -> AccessToken:
    claims.exp = claims.iat + seconds
    header, key = next(iter(key_file().ring().token_keys.items()))
    signed = f"{header}.{urlsafe_b64encode(_encoder.encode(claims)).rstrip(b'=').decode()}"
    return AccessToken(text=f"{signed}.{_signature(key, signed)}", expires_at=_moment(claims.exp))


def _signature(key: bytes, signed: str) -> str:
    return urlsafe_b64encode(hmac.digest(key, signed.encode(), "sha256")).rstrip(b"=").decode()


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
