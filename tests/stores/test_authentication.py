"""The Authorization header: tokens of people, keys of programs, nothing else."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from config.accounts import tokens
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotSignedIn, TokenExpired
from stores.api.authentication import CallerAuthentication, known_keys
from stores.models import ApiClient
from stores.services import api_clients
from tests import factories
from tests.factories import NOW


def authenticate(header: str | None) -> Caller | None:
    headers = {} if header is None else {"HTTP_AUTHORIZATION": header}
    answer = CallerAuthentication().authenticate(Request(APIRequestFactory().get("/", **headers)))
    return answer[0] if answer else None


def test_no_credentials_are_nobody() -> None:
    assert authenticate(None) is None


@pytest.mark.django_db
def test_a_staff_token_names_its_user() -> None:
    user, at = factories.user(), datetime.now(UTC).replace(microsecond=0)

    caller = authenticate(f"Bearer {tokens.sign_staff(user_id=user.id, at=at).text}")

    assert caller == Caller(kind=CallerKind.STAFF, id=user.id, signed_at=at)


@pytest.mark.django_db
def test_a_token_signed_before_her_sessions_ended_speaks_for_nobody() -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    user = factories.user(sessions_from=at + timedelta(milliseconds=1))

    with pytest.raises(NotSignedIn):
        authenticate(f"Bearer {tokens.sign_staff(user_id=user.id, at=at).text}")

    assert authenticate(f"Bearer {tokens.sign_staff(user_id=user.id, at=at + timedelta(seconds=1)).text}") is not None


def test_a_customer_token_names_her_and_her_brand() -> None:
    token = tokens.sign_customer(customer_id=uuid4(), brand_id=(brand_id := uuid4()), at=datetime.now(UTC))

    caller = authenticate(f"bearer {token.text}")

    assert caller is not None
    assert (caller.kind, caller.brand_id) == (CallerKind.CUSTOMER, brand_id)


@pytest.mark.django_db(transaction=True)
def test_a_key_names_its_program() -> None:
    known_keys.forget()
    issued = api_clients.create(
        brand_id=factories.brand().id,
        name="收银",
        scopes=[ApiClient.Scope.REDEEMING],
        by=Caller(kind=CallerKind.STAFF, id=uuid4()),
        at=NOW,
    )

    caller = authenticate(f"Bearer {issued.key}")

    assert caller is not None
    assert (caller.kind, caller.id) == (CallerKind.API_CLIENT, issued.client.id)


def test_an_old_token_has_expired() -> None:
    token = tokens.sign_staff(user_id=uuid4(), at=datetime.now(UTC) - timedelta(days=2))

    with pytest.raises(TokenExpired):
        authenticate(f"Bearer {token.text}")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer hxk_", "Token x"])
def test_anything_else_is_refused_rather_than_ignored(header: str) -> None:
    with pytest.raises(NotSignedIn):
        authenticate(header)
