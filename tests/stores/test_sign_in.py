"""Signing in: who gets a token, what it costs to guess, and what an outsider can learn."""

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from config.accounts import sign_in, tokens
from config.accounts.caller import CallerKind
from config.accounts.models import User
from config.kernel import limits
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

PASSWORD = "clear-sky-over-hangzhou"


@pytest.fixture(autouse=True)
def _counted_afresh(settings: Settings) -> Iterator[None]:
    """In this process, so that tests beside each other do not share an address's count."""
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    limits._breaker.closed_until = time.monotonic() + 60
    limits._alone._full_at.clear()
    yield
    limits._breaker.closed_until = 0.0
    limits._alone._full_at.clear()


@pytest.fixture
def clerk() -> User:
    return User.objects.create_user(f"clerk-{uuid4().hex[:8]}", PASSWORD, display_name="小李")


def post(username: str, password: str, **headers: str) -> Any:
    body = {"username": username, "password": password}
    return Client().post("/api/v1/staff/sign-in", body, content_type="application/json", headers=headers)


def test_the_right_password_gives_a_token_and_her_roles(clerk: User) -> None:
    brand = factories.brand()
    store = factories.store(brand)
    row = factories.staff(brand, user=clerk, store=store)
    factories.staff(brand, user=clerk, role="owner", ended_at=NOW)

    answer = post(clerk.username, PASSWORD)

    assert answer.status_code == 200
    body = answer.json()
    caller = tokens.read_token(body["token"], datetime.now(UTC))
    assert (caller.kind, caller.id) == (CallerKind.STAFF, clerk.id)
    assert (body["user"], body["name"]) == (clerk.public_id, "小李")
    assert body["roles"] == [
        {
            "id": row.public_id,
            "role": "clerk",
            "brand": brand.public_id,
            "brand_name": brand.name,
            "region": None,
            "entity": None,
            "store": store.public_id,
            "store_name": store.name,
        }
    ]
    assert answer["Cache-Control"] == "no-store"


def test_a_wrong_password_a_wrong_name_and_one_who_left_hear_the_same(clerk: User) -> None:
    gone = User.objects.create_user("gone", PASSWORD, is_active=False)

    answers = [post(clerk.username, "wrong"), post("nobody", PASSWORD), post(gone.username, PASSWORD)]

    said = [(answer.status_code, answer.json()["error"] | {"request_id": ""}) for answer in answers]
    assert said[0][0] == 401
    assert said[0][1]["code"] == "wrong_credentials"
    assert said[0] == said[1] == said[2]


@pytest.fixture
def _costly_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]


@pytest.mark.usefixtures("_costly_hashes")
def test_an_unknown_name_takes_as_long_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash is what takes long: one either way, at the same cost."""
    clerk = User.objects.create_user("clerk", PASSWORD)
    costs: list[dict[str, Any]] = []
    scrypt = hashlib.scrypt

    def counted(password: bytes, **cost: Any) -> bytes:
        costs.append({name: value for name, value in cost.items() if name != "salt"})
        return scrypt(password, **cost)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    for username in (clerk.username, "nobody"):
        sign_in._is_hers(User.objects.filter(username=username).first(), "wrong")

    assert len(costs) == 2
    assert costs[0] == costs[1]
    assert costs[0]["n"] >= 2**14


def test_a_name_that_failed_too_often_waits_even_with_the_right_password(clerk: User) -> None:
    tries = sign_in.FAILURES_OF_A_NAME.times_alone
    assert {post(clerk.username, "wrong").status_code for _ in range(tries)} == {401}

    answer = post(clerk.username, PASSWORD)

    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
    assert int(answer["Retry-After"]) > 0
    assert post(clerk.username.upper(), "wrong").status_code == 429
    other = User.objects.create_user("other", PASSWORD)
    assert post(other.username, PASSWORD).status_code == 200


def test_an_address_that_tries_many_names_waits() -> None:
    tries = sign_in.FAILURES_OF_AN_ADDRESS.times_alone
    assert {post(f"name{number}", "wrong").status_code for number in range(tries)} == {401}

    assert post("one-more", "wrong").status_code == 429


def test_an_address_is_not_what_the_caller_writes_into_a_header(settings: Settings) -> None:
    tries = sign_in.FAILURES_OF_AN_ADDRESS.times_alone
    for number in range(tries):
        post(f"name{number}", "wrong", X_Forwarded_For=f"10.0.0.{number}")
    assert post("one-more", "wrong", X_Forwarded_For="10.9.9.9").status_code == 429

    settings.TRUSTED_PROXIES = 1

    assert post("one-more", "wrong", X_Forwarded_For="1.1.1.1, 10.9.9.9").status_code == 401


def test_signing_in_again_and_again_with_the_right_password_is_no_failure(clerk: User) -> None:
    answers = {post(clerk.username, PASSWORD).status_code for _ in range(2 * sign_in.FAILURES_OF_A_NAME.times_alone)}

    assert answers == {200}


@pytest.mark.parametrize(
    "body", [{}, {"username": "a"}, {"username": "a\x00", "password": "b"}, {"username": "a", "password": "b" * 129}]
)
def test_a_malformed_body_is_422(body: dict[str, str]) -> None:
    answer = Client().post("/api/v1/staff/sign-in", body, content_type="application/json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "malformed_request")
