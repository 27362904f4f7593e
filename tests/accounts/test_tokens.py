"""Tokens: whom they speak for, until when, and under which keys."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import jwt
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from config.accounts import keys, tokens
from config.accounts.caller import CallerKind
from config.kernel import secrets
from config.kernel.errors import NotSignedIn, TokenExpired
from tests.factories import NOW


@pytest.fixture(autouse=True)
def secrets_file(tmp_path: Path, settings: Settings) -> Path:
    settings.SECRETS_FILE = tmp_path / "secrets.json"
    secrets.store(settings.SECRETS_FILE, secrets.make())
    return settings.SECRETS_FILE


def customer_token() -> str:
    return tokens.sign_customer(customer_id=uuid4(), brand_id=uuid4(), at=NOW).text


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def test_customer_token_carries_her_and_her_brand() -> None:
    her, brand = uuid4(), uuid4()
    token = tokens.sign_customer(customer_id=her, brand_id=brand, at=NOW)

    caller = tokens.read_token(token.text, NOW)

    assert (caller.kind, caller.id, caller.brand_id) == (CallerKind.CUSTOMER, her, brand)
    assert token.expires_at == NOW + timedelta(hours=24)


def test_staff_token_carries_the_user_and_no_brand() -> None:
    user = uuid4()
    token = tokens.sign_staff(user_id=user, at=NOW)

    caller = tokens.read_token(token.text, NOW)

    assert (caller.kind, caller.id, caller.brand_id) == (CallerKind.STAFF, user, None)
    assert token.expires_at == NOW + timedelta(hours=12)


def test_token_is_a_jwt_that_pyjwt_reads(secrets_file: Path) -> None:
    kid, key = next(iter(secrets.load(secrets_file, make_if_missing=False).token_keys.items()))
    text = customer_token()

    claims = jwt.decode(
        text, bytes.fromhex(key), algorithms=["HS256"], audience="customer", options={"verify_exp": False}
    )

    assert jwt.get_unverified_header(text) == {"alg": "HS256", "kid": kid, "typ": "JWT"}
    assert claims["exp"] - claims["iat"] == 24 * 60 * 60
    assert UUID(hex=claims["sub"]).version == 4


def test_token_ends_at_its_second() -> None:
    token = tokens.sign_staff(user_id=uuid4(), at=NOW)

    tokens.read_token(token.text, token.expires_at - timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        tokens.read_token(token.text, token.expires_at)


def forged_with_another_key(kid: str, key: bytes, body: dict[str, object]) -> str:
    return jwt.encode(body, b"x" * 32, algorithm="HS256", headers={"kid": kid})


def forged_without_algorithm(kid: str, key: bytes, body: dict[str, object]) -> str:
    return f"{segment({'alg': 'none', 'kid': kid, 'typ': 'JWT'})}.{segment(body)}."


def forged_under_another_algorithm(kid: str, key: bytes, body: dict[str, object]) -> str:
    return jwt.encode(body, key.ljust(64, b"x")[:64], algorithm="HS512", headers={"kid": kid})


def rightly_signed_under_a_foreign_kid(kid: str, key: bytes, body: dict[str, object]) -> str:
    return jwt.encode(body, key, algorithm="HS256", headers={"kid": "ffffff0"})


def signed_with_the_public_half_of_a_qr_key(kid: str, key: bytes, body: dict[str, object]) -> str:
    jwk = tokens.public_keys()[0]
    signed = f"{segment({'alg': 'HS256', 'kid': jwk['kid'], 'typ': 'JWT'})}.{segment(body)}"
    digest = hmac.digest(json.dumps(jwk).encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "forge",
    [
        forged_with_another_key,
        forged_without_algorithm,
        forged_under_another_algorithm,
        rightly_signed_under_a_foreign_kid,
        signed_with_the_public_half_of_a_qr_key,
    ],
)
def test_forged_token_signs_nobody_in(forge: Callable[..., str], secrets_file: Path) -> None:
    kid, key = next(iter(secrets.load(secrets_file, make_if_missing=False).token_keys.items()))
    body = {"aud": "staff", "sub": uuid4().hex, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60}

    with pytest.raises(NotSignedIn):
        tokens.read_token(forge(kid, bytes.fromhex(key), body), NOW)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "é.b.c", "\x00", "a" * 100_000, "ey.ey", "\ud800.x.y"])
def test_noise_signs_nobody_in(text: str) -> None:
    with pytest.raises(NotSignedIn):
        tokens.read_token(text, NOW)
    with pytest.raises(NotSignedIn):
        tokens.read_qr(text, NOW)


def test_every_altered_character_is_noticed() -> None:
    text = customer_token()

    for place in range(len(text)):
        altered = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(NotSignedIn):
            tokens.read_token(altered, NOW)


def test_qr_token_holds_a_code_within_180_characters() -> None:
    text = tokens.sign_qr({"c": "123456789012"}, NOW)

    assert len(text) <= 180
    assert tokens.read_qr(text, NOW) == {"c": "123456789012"}
    tokens.read_qr(text, NOW + timedelta(seconds=59))
    with pytest.raises(TokenExpired):
        tokens.read_qr(text, NOW + timedelta(seconds=60))


def test_qr_token_too_long_to_scan_is_a_programmers_error() -> None:
    with pytest.raises(AssertionError, match="characters"):
        tokens.sign_qr({"voucher": uuid4().hex}, NOW)


def test_qr_token_is_verified_with_the_published_keys_alone() -> None:
    text = tokens.sign_qr({"c": "123456789012"}, NOW)
    published = jwt.PyJWKSet.from_dict({"keys": tokens.public_keys()})

    key = published[jwt.get_unverified_header(text)["kid"]]

    assert jwt.decode(text, key, algorithms=["ES256"], options={"verify_exp": False})["c"] == "123456789012"
    assert not {"d", "p", "q"} & set(tokens.public_keys()[0])


def test_an_access_token_is_no_qr_token_and_the_other_way_round() -> None:
    with pytest.raises(NotSignedIn):
        tokens.read_qr(tokens.sign_staff(user_id=uuid4(), at=NOW).text[:180], NOW)
    with pytest.raises(NotSignedIn):
        tokens.read_token(tokens.sign_qr({"c": "1"}, NOW), NOW)


def kids(path: Path) -> tuple[list[str], list[str]]:
    found = secrets.load(path, make_if_missing=False)
    return list(found.token_keys), list(found.qr_keys)


def test_rotated_keys_sign_at_once_and_old_tokens_verify_until_their_key_retires(
    secrets_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old_token, old_qr = customer_token(), tokens.sign_qr({"c": "1"}, NOW)
    (old_kid,), (old_qr_kid,) = kids(secrets_file)

    call_command("keys", "rotate")
    forget_when_we_looked()
    new_token, new_qr = customer_token(), tokens.sign_qr({"c": "1"}, NOW)

    assert jwt.get_unverified_header(new_token)["kid"] != old_kid
    assert jwt.get_unverified_header(new_qr)["kid"] != old_qr_kid
    for token in (old_token, new_token):
        tokens.read_token(token, NOW)
    for qr in (old_qr, new_qr):
        tokens.read_qr(qr, NOW)
    assert len(tokens.public_keys()) == 2

    call_command("keys", "retire", old_kid)
    call_command("keys", "retire", old_qr_kid)
    forget_when_we_looked()

    tokens.read_token(new_token, NOW)
    with pytest.raises(NotSignedIn):
        tokens.read_token(old_token, NOW)
    with pytest.raises(NotSignedIn):
        tokens.read_qr(old_qr, NOW)
    key = secrets.load(secrets_file, make_if_missing=False).token_keys
    assert next(iter(key.values())) not in capsys.readouterr().out


def test_running_process_hears_of_a_rotation_within_a_second_without_a_look_at_the_file_each_time(
    secrets_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "time", clock := Clock())
    customer_token()
    (old_kid,), _ = kids(secrets_file)
    looks = count_looks(monkeypatch)
    for _ in range(100):
        tokens.read_token(customer_token(), NOW)
    assert looks() == 0

    call_command("keys", "rotate")
    clock.now += keys.LOOK_EVERY_SECONDS

    assert jwt.get_unverified_header(customer_token())["kid"] != old_kid


def test_a_token_under_a_key_that_another_process_has_just_made_is_read_at_once(secrets_file: Path) -> None:
    here = keys.key_file()
    here.fresh_ring()
    call_command("keys", "rotate")
    signed_elsewhere = keys.KeyFile(secrets_file)
    keys._files[secrets_file] = signed_elsewhere
    token, qr = customer_token(), tokens.sign_qr({"c": "1"}, NOW)

    keys._files[secrets_file] = here

    tokens.read_token(token, NOW)
    tokens.read_qr(qr, NOW)


def test_a_key_added_to_verify_only_signs_after_sign_with(secrets_file: Path) -> None:
    (old_kid,), _ = kids(secrets_file)
    call_command("keys", "rotate", "--verify-only")
    forget_when_we_looked()
    assert jwt.get_unverified_header(customer_token())["kid"] == old_kid

    new_kid = kids(secrets_file)[0][1]
    call_command("keys", "sign-with", new_kid)
    forget_when_we_looked()

    assert jwt.get_unverified_header(customer_token())["kid"] == new_kid


def test_the_key_that_signs_is_not_retired(secrets_file: Path) -> None:
    (kid,), (qr_kid,) = kids(secrets_file)

    for signing in (kid, qr_kid):
        with pytest.raises(CommandError, match="Rotate first"):
            call_command("keys", "retire", signing)
    with pytest.raises(CommandError, match="no key"):
        call_command("keys", "retire", "0000000")
    assert kids(secrets_file) == ([kid], [qr_kid])


def test_init_makes_a_file_only_its_owner_reads_and_never_a_second_one(tmp_path: Path, settings: Settings) -> None:
    settings.SECRETS_FILE = tmp_path / "fresh" / "secrets.json"
    call_command("keys", "init")
    made = settings.SECRETS_FILE.read_text()

    assert settings.SECRETS_FILE.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="exists"):
        call_command("keys", "init")
    assert settings.SECRETS_FILE.read_text() == made


def test_a_broken_secrets_file_leaves_the_known_keys_in_use(
    secrets_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = customer_token()
    secrets_file.write_text("{half")
    forget_when_we_looked()

    assert tokens.read_token(token, NOW).kind is CallerKind.CUSTOMER
    assert "going on with those known" in caplog.text


def forget_when_we_looked() -> None:
    keys.key_file()._look_at = 0.0


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        return self.now


def count_looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    looks: list[int] = []
    really = keys.KeyFile._stamp_now

    def counted(self: keys.KeyFile) -> tuple[int, int, int]:
        looks.append(1)
        return really(self)

    monkeypatch.setattr(keys.KeyFile, "_stamp_now", counted)
    return lambda: len(looks)
