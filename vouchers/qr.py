"""
The customer's QR code: names one voucher of hers, for a minute, without giving its code away.

The token is signed (ES256, config.accounts.tokens) so that anybody may check that it is fresh. What it
carries is the code's eleven digits and five zeros under FF1 with a key of the brand's own: whoever
photographs it reads a number that is worthless tomorrow, and a token of another brand does not come
out with five zeros (once in 100,000, and then the code must exist, too).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import qrcode
from django.conf import settings

from config.accounts import tokens
from config.kernel.errors import NotSignedIn, TokenExpired
from vouchers.codes import NUMBER_DIGITS, damm, ff1, ff1_inverse, is_well_formed, key_of
from vouchers.errors import QrExpired, QrNotOurs

CHECK_DIGITS = 5
QUIET_ZONE_MODULES = 4
"""ISO/IEC 18004 asks for four light modules around; scanners at counters need them."""
MASK = 2
"""
Every reader takes any of the eight masks. Choosing the one the standard likes best takes seven tenths of the drawing
(21 of 32 ms), and what is drawn here is signed, so as good as random under any.
"""
PURPOSE = "own qr"
"""In the place of the issuer, so that the key is not the one that made the codes."""


@dataclass(frozen=True)
class QrToken:
    text: str
    expires_at: datetime


def token_for(*, brand_id: UUID, code: str, at: datetime) -> QrToken:
    """A fresh token for one of our own codes; another one each time."""
    assert is_well_formed(code), "only our own codes are shown"
    number = int(code[:NUMBER_DIGITS]) * 10**CHECK_DIGITS
    [sealed] = ff1([number], _key(brand_id), digits=NUMBER_DIGITS + CHECK_DIGITS)
    expires_at = at.replace(microsecond=0) + timedelta(seconds=settings.QR_TOKEN_SECONDS)
    return QrToken(text=tokens.sign_qr({"v": sealed}, at), expires_at=expires_at)


def code_of(text: str, *, brand_id: UUID, at: datetime) -> str:
    """
    The code that a token names to a store of ``brand_id``.

    Raises:
        QrExpired: shown too long ago; the customer's page has a newer one.
        QrNotOurs: not signed here, or another brand's, or no voucher's.
    """
    try:
        sealed = tokens.read_qr(text.strip(), at).get("v")
    except TokenExpired:
        raise QrExpired(param="qr") from None
    except NotSignedIn:
        raise QrNotOurs(param="qr") from None
    if not isinstance(sealed, int) or not 0 <= sealed < 10 ** (NUMBER_DIGITS + CHECK_DIGITS):
        raise QrNotOurs(param="qr")
    [number] = ff1_inverse([sealed], _key(brand_id), digits=NUMBER_DIGITS + CHECK_DIGITS)
    number, check = divmod(number, 10**CHECK_DIGITS)
    if check:
        raise QrNotOurs(param="qr")
    digits = f"{number:0{NUMBER_DIGITS}d}"
    return f"{digits}{damm(digits)}"


def as_svg(text: str) -> str:
    """The token as a QR code, black on white, scalable, without script or style."""
    code = qrcode.QRCode(
        error_correction=qrcode.constants.ERROR_CORRECT_M, border=QUIET_ZONE_MODULES, mask_pattern=MASK
    )
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    runs = "".join(f"M{x},{y}h{n}v1h-{n}z" for y, row in enumerate(rows) for x, n in _runs(row))
    size = len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="white"/><path fill="#000000" d="{runs}"/></svg>'
    )


def _runs(row: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where black begins, and for how many modules."""
    at = 0
    for is_black, modules in groupby(row):
        n = len(list(modules))
        if is_black:
            yield at, n
        at += n


def _key(brand_id: UUID) -> bytes:
    return key_of(secret=settings.SECRETS.voucher_code_key, brand_id=brand_id, issuer=PURPOSE).aes
