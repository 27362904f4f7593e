"""Who may stand at a counter besides a clerk with her password: a clerk at a device, and a till's program."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from stores.api.authentication import known_keys
from stores.models import ApiClient, Brand, Store
from stores.services import api_clients, devices
from tests import factories
from tests.livestream.served import play
from tests.stores.people import PIN, Shop
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_staff, error_of, get, post
from vouchers.models import Redemption, RedemptionRequest

pytestmark = pytest.mark.django_db(transaction=True)

OPERATOR = Caller(kind=CallerKind.OPERATOR, id=None)


@pytest.fixture(autouse=True)
def _forget() -> None:
    known_keys.forget()


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def till(brand: Brand, *scopes: ApiClient.Scope) -> dict[str, str]:
    issued = api_clients.create(
        brand_id=brand.id, name="收银", scopes=scopes or [ApiClient.Scope.REDEEMING], by=OPERATOR, at=datetime.now(UTC)
    )
    return {"Authorization": f"Bearer {issued.key}"}


def at_device(counter: Counter) -> dict[str, str]:
    """The counter's clerk, switched to herself by PIN."""
    shop = Shop(
        counter.brand, counter.store, factories.staff(counter.brand, role="store_manager", store=counter.store).user
    )
    clerk = shop.clerk()
    session = devices.switch(device_id=shop.device().device.id, user_id=clerk.user_id, pin=PIN, at=datetime.now(UTC))
    return {"Authorization": f"Bearer {session.token.text}"}


def of_site(path: str, who: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
    answer = post(path, who, body)
    return answer.status_code, answer.json()


def of_lane(path: str, who: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
    async def story(client: httpx.AsyncClient) -> tuple[int, Any]:
        headers = {**who, "Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
        answer = await client.post(f"/api/v1/{path}", headers=headers, content=orjson.dumps(body))
        return answer.status_code, answer.json()

    found: tuple[int, Any] = play(story)
    return found


EDGES = [of_site, of_lane]


def bought_today(counter: Counter) -> str:
    return counter.voucher(bought_at=datetime.now(UTC) - timedelta(minutes=1)).code


def redemptions(store: Store) -> str:
    return f"stores/{store.public_id}/redemptions"


@pytest.mark.parametrize("edge", EDGES)
def test_a_till_redeems_in_its_own_name(counter: Counter, edge: Any) -> None:
    status, body = edge(redemptions(counter.store), till(counter.brand), {"codes": [bought_today(counter)]})

    assert status == 201, body
    request = RedemptionRequest.objects.get()
    entry = AuditEntry.objects.get(act="voucher.redeem")
    assert request.operator_id is None
    assert (entry.actor_kind, entry.actor_id) == ("api_client", ApiClient.objects.get().id)


@pytest.mark.parametrize("edge", EDGES)
def test_a_clerk_at_a_device_redeems_there_and_the_trail_names_both(counter: Counter, edge: Any) -> None:
    who = at_device(counter)

    status, body = edge(redemptions(counter.store), who, {"codes": [bought_today(counter)]})

    assert status == 201, body
    entry = AuditEntry.objects.get(act="voucher.redeem")
    assert (entry.actor_kind, entry.actor_id) == ("staff", RedemptionRequest.objects.get().operator_id)
    assert entry.details["device"].startswith("dev_")


@pytest.mark.parametrize("edge", EDGES)
def test_a_device_redeems_at_no_other_store(counter: Counter, edge: Any) -> None:
    who = at_device(counter)
    elsewhere = counters.counter(brand=counter.brand)

    assert edge(redemptions(elsewhere.store), who, {"codes": [bought_today(elsewhere)]})[0] == 404


@pytest.mark.parametrize("edge", EDGES)
def test_a_till_needs_the_scope_and_its_own_brand(counter: Counter, edge: Any) -> None:
    code = bought_today(counter)
    other_scope = till(counter.brand, ApiClient.Scope.REPORTS, ApiClient.Scope.SELLING)
    stranger = till(factories.brand())

    for who in (other_scope, stranger):
        assert edge(redemptions(counter.store), who, {"codes": [code]})[0] == 404
    assert not Redemption.objects.exists()


@pytest.mark.parametrize("edge", EDGES)
def test_a_revoked_key_redeems_nothing_though_it_is_remembered(counter: Counter, edge: Any) -> None:
    who, code = till(counter.brand), bought_today(counter)
    assert get(redemptions(counter.store), who).status_code == 200

    ApiClient.objects.update(revoked_at=datetime.now(UTC))

    assert edge(redemptions(counter.store), who, {"codes": [code]})[0] == 404


@pytest.mark.parametrize("edge", EDGES)
def test_an_unknown_key_is_nobody(counter: Counter, edge: Any) -> None:
    who = {"Authorization": "Bearer hxk_00000000_" + "0" * 64}

    status, body = edge(redemptions(counter.store), who, {"codes": ["1"]})

    assert (status, body["error"]["code"]) == (401, "not_signed_in")


def test_a_till_checks_lists_and_undoes(counter: Counter) -> None:
    who, code = till(counter.brand), bought_today(counter)
    prepared = post(f"{redemptions(counter.store)}/prepare", who, {"codes": [code]})
    assert prepared.json()["vouchers"][0]["is_usable"]
    [use] = post(redemptions(counter.store), who, {"codes": [code]}).json()["redemptions"]
    [listed] = get(redemptions(counter.store), who).json()["items"]
    assert (listed["id"], listed["operator"]) == (use["id"], None)

    undone = post(f"redemptions/{use['id']}/reversal", who)

    assert undone.status_code == 201
    entry = AuditEntry.objects.get(act="voucher.reverse")
    assert (entry.actor_kind, entry.actor_id) == ("api_client", ApiClient.objects.get().id)


def test_a_reporting_program_reads_and_does_nothing_else(counter: Counter) -> None:
    reports = till(counter.brand, ApiClient.Scope.REPORTS)

    assert get(redemptions(counter.store), reports).status_code == 200
    assert error_of(post(f"{redemptions(counter.store)}/prepare", reports, {"codes": ["1"]})) == (403, "not_allowed")


def test_a_franchisee_sees_what_was_hers_when_the_store_changed_hands(counter: Counter) -> None:
    now = datetime.now(UTC)
    code = bought_today(counter)
    assert post(redemptions(counter.store), till(counter.brand), {"codes": [code]}).status_code == 201
    new = factories.entity(counter.brand, kind="franchisee")
    counter.store.entities.create(entity=new, from_date=now.date() - timedelta(days=2))
    before = factories.staff(counter.brand, role="franchisee", entity=counter.entity)
    after = factories.staff(counter.brand, role="franchisee", entity=new)
    manager = factories.staff(counter.brand, role="store_manager", store=counter.store)

    assert error_of(get(redemptions(counter.store), as_staff(before.user))) == (404, "store_not_found")
    assert get(redemptions(counter.store), as_staff(after.user)).json()["items"] == []
    assert len(get(redemptions(counter.store), as_staff(manager.user)).json()["items"]) == 1
