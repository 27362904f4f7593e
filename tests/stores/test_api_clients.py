"""Keys of a brand's programs, and who is calling by them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotSignedIn
from config.kernel.models import AuditEntry
from stores.api.authentication import KnownKeys
from stores.errors import ApiClientNotFound
from stores.models import ApiClient, Brand
from stores.services import api_clients, bearer_keys
from stores.services.api_clients import IssuedKey
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = Caller(kind=CallerKind.STAFF, id=uuid4())
Scope = ApiClient.Scope


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


@pytest.fixture
def issued(brand: Brand) -> IssuedKey:
    scopes = [Scope.CUSTOMERS, Scope.REDEEMING, Scope.CUSTOMERS]
    return api_clients.create(brand_id=brand.id, name="收银", scopes=scopes, by=OWNER, at=NOW)


def test_the_key_is_shown_and_only_its_hash_is_kept(issued: IssuedKey) -> None:
    prefix, kid, secret = issued.key.split("_")

    kept = ApiClient.objects.get()
    assert (prefix, kid, len(secret)) == ("hxk", bearer_keys.kid_of(kept.id), 64)
    assert bytes(kept.key_hash) == bearer_keys.hash_of(secret)
    assert secret not in str(ApiClient.objects.values().get())


def test_a_key_speaks_for_its_client_and_scopes(issued: IssuedKey, brand: Brand) -> None:
    caller = KnownKeys().caller_of(issued.key, NOW)

    assert caller == Caller(
        kind=CallerKind.API_CLIENT,
        id=issued.client.id,
        brand_id=brand.id,
        scopes=frozenset({"customers", "redeeming"}),
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1] + ("0" if key[-1] != "0" else "1"),
        lambda key: key.replace(key.split("_")[1], "00000000"),
        lambda key: "hxk_" + key.split("_")[2],
        lambda key: "hxk__" + key.split("_")[2],
        lambda key: key + "a" * 200,
        lambda key: "hxk_",
        lambda key: key + "é",
    ],
)
def test_another_key_is_nobodys(issued: IssuedKey, spoil: object) -> None:
    assert callable(spoil)
    known = KnownKeys()
    known.caller_of(issued.key, NOW)

    with pytest.raises(NotSignedIn):
        known.caller_of(spoil(issued.key), NOW)


def test_a_known_key_costs_no_statement_for_thirty_seconds(issued: IssuedKey) -> None:
    known = KnownKeys()
    known.caller_of(issued.key, NOW)

    with CaptureQueriesContext(connection) as captured:
        known.caller_of(issued.key, NOW + timedelta(seconds=29.9))
        assert len(captured) == 0
        known.caller_of(issued.key, NOW + timedelta(seconds=30))
        assert len(captured) == 1


def test_a_revoked_key_is_nobodys_after_thirty_seconds_and_at_once_to_who_forgets(issued: IssuedKey) -> None:
    known = KnownKeys()
    known.caller_of(issued.key, NOW)
    brand_id = issued.client.brand_id

    first = api_clients.revoke(client_id=issued.client.id, brand_id=brand_id, by=OWNER, at=NOW)
    again = api_clients.revoke(client_id=issued.client.id, brand_id=brand_id, by=OWNER, at=NOW + timedelta(hours=1))

    assert first.revoked_at == again.revoked_at == NOW
    known.caller_of(issued.key, NOW + timedelta(seconds=29))
    with pytest.raises(NotSignedIn):
        known.caller_of(issued.key, NOW + timedelta(seconds=30))
    known.forget()
    with pytest.raises(NotSignedIn):
        known.caller_of(issued.key, NOW)


def test_what_is_remembered_is_bounded(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stores.api.authentication.REMEMBERED_AT_MOST", 2)
    keys = [
        api_clients.create(brand_id=brand.id, name="a", scopes=[Scope.CATALOG], by=OWNER, at=NOW).key for _ in range(3)
    ]
    known = KnownKeys()
    for key in keys:
        known.caller_of(key, NOW)

    with CaptureQueriesContext(connection) as captured:
        known.caller_of(keys[2], NOW)
        known.caller_of(keys[1], NOW)
        assert len(captured) == 0
        known.caller_of(keys[0], NOW)
        assert len(captured) == 1


def test_another_brands_client_is_not_there(issued: IssuedKey) -> None:
    with pytest.raises(ApiClientNotFound):
        api_clients.revoke(client_id=issued.client.id, brand_id=factories.brand().id, by=OWNER, at=NOW)


def test_who_made_and_who_revoked_it_is_on_record(issued: IssuedKey) -> None:
    for _ in range(2):
        api_clients.revoke(client_id=issued.client.id, brand_id=issued.client.brand_id, by=OWNER, at=NOW)

    trail = AuditEntry.objects.filter(subject_id=issued.client.id).order_by("id")
    assert [(entry.act, entry.actor_id) for entry in trail] == [
        ("api_client.created", OWNER.id),
        ("api_client.revoked", OWNER.id),
    ]
