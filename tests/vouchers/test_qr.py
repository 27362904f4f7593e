"""qr: a code that is shown for a minute and says nothing to whoever photographs it."""

import base64
import json
from datetime import timedelta
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from django.conf import settings

from config.accounts import tokens
from tests.factories import NOW
from vouchers import codes, errors, qr

BRAND = uuid4()
KEY = codes.key_of(secret=settings.SECRETS.voucher_code_key, brand_id=BRAND, issuer="own")
CODES = codes.codes_for(range(200), KEY)
MINUTE = timedelta(seconds=settings.QR_TOKEN_SECONDS)


def test_the_code_comes_back_at_a_store_of_its_brand() -> None:
    for code in CODES:
        token = qr.token_for(brand_id=BRAND, code=code, at=NOW)

        assert qr.code_of(token.text, brand_id=BRAND, at=NOW) == code
        assert len(token.text) <= 180


def test_the_highest_and_the_lowest_code_fit() -> None:
    for digits in ("00000000000", "99999999999"):
        code = f"{digits}{codes.damm(digits)}"
        token = qr.token_for(brand_id=BRAND, code=code, at=NOW)

        assert qr.code_of(token.text, brand_id=BRAND, at=NOW) == code


def test_it_is_good_for_a_minute() -> None:
    token = qr.token_for(brand_id=BRAND, code=CODES[0], at=NOW)

    assert token.expires_at == NOW + MINUTE
    assert qr.code_of(token.text, brand_id=BRAND, at=NOW + MINUTE - timedelta(seconds=1)) == CODES[0]
    with pytest.raises(errors.QrExpired):
        qr.code_of(token.text, brand_id=BRAND, at=NOW + MINUTE)


def test_every_minute_shows_another_one() -> None:
    assert qr.token_for(brand_id=BRAND, code=CODES[0], at=NOW) != qr.token_for(
        brand_id=BRAND, code=CODES[0], at=NOW + MINUTE
    )


def test_whoever_reads_it_does_not_read_the_code() -> None:
    token = qr.token_for(brand_id=BRAND, code=CODES[0], at=NOW)

    payload = token.text.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert said.keys() == {"exp", "v"}
    assert CODES[0][:11] not in str(said["v"])
    assert str(codes.number_of(CODES[0], KEY)) != str(said["v"])


def test_another_brands_store_does_not_take_it() -> None:
    elsewhere = uuid4()

    for code in CODES:
        with pytest.raises(errors.QrNotOurs):
            qr.code_of(qr.token_for(brand_id=BRAND, code=code, at=NOW).text, brand_id=elsewhere, at=NOW)


@pytest.mark.parametrize("text", ["", "https://example.com/", "a.b.c", "970704913269", "x" * 400, "ａ.ｂ.ｃ"])
def test_what_we_did_not_sign_is_not_ours(text: str) -> None:
    with pytest.raises(errors.QrNotOurs):
        qr.code_of(text, brand_id=BRAND, at=NOW)


@pytest.mark.parametrize("payload", [{}, {"v": "12"}, {"v": -1}, {"v": 10**16 - 1}, {"v": True}])
def test_what_we_signed_for_something_else_is_not_a_voucher(payload: dict[str, object]) -> None:
    with pytest.raises(errors.QrNotOurs):
        qr.code_of(tokens.sign_qr(payload, NOW), brand_id=BRAND, at=NOW)


def test_a_forged_one_is_not_ours() -> None:
    header, payload, signature = qr.token_for(brand_id=BRAND, code=CODES[0], at=NOW).text.split(".")
    other = qr.token_for(brand_id=BRAND, code=CODES[1], at=NOW).text.split(".")[1]
    assert other != payload

    with pytest.raises(errors.QrNotOurs):
        qr.code_of(f"{header}.{other}.{signature}", brand_id=BRAND, at=NOW)


def test_the_picture_is_black_on_white_with_its_quiet_zone_and_no_script() -> None:
    drawn = qr.as_svg(qr.token_for(brand_id=BRAND, code=CODES[0], at=NOW).text)
    svg = ElementTree.fromstring(drawn)  # noqa: S314 - drawn here

    background, modules = list(svg)
    assert (background.tag.split("}")[1], background.get("fill")) == ("rect", "white")
    assert modules.get("fill") in (None, "#000000")
    # No module lies within four of the edge.
    width = int(svg.get("viewBox", "").split()[2])
    starts = [tuple(map(int, part[1:].split("h")[0].split(","))) for part in modules.get("d", "").split("z") if part]
    assert min(min(start) for start in starts) == 4
    assert max(max(start) for start in starts) == width - 5
