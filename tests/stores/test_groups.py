"""groups.change_members takes stores in and lets stores go; who promised something about the group may object."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotAllowed
from config.kernel.models import AuditEntry
from stores.errors import CodeTaken, StoreGroupNotFound, StoreNotFound
from stores.models import Brand, StoreGroup, StoreGroupMember
from stores.queries import store_for_staff
from stores.services import groups
from stores.services.groups import Membership
from stores.signals import ReachChange, reach_changing
from tests import factories
from tests.factories import NOW
from tests.vouchers.http import as_staff

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = Caller(kind=CallerKind.STAFF, id=uuid4())


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


@pytest.fixture
def airports(brand: Brand) -> StoreGroup:
    return groups.add(brand_id=brand.id, code="airports", name="机场店", by=OWNER, at=NOW).row


def change(group: StoreGroup, *, joining: Any = (), leaving: Any = (), brand_id: UUID | None = None) -> Membership:
    return groups.change_members(
        brand_id=brand_id or group.brand_id,
        group_id=group.id,
        joining=[store.id for store in joining],
        leaving=[store.id for store in leaving],
        by=OWNER,
        at=NOW,
    )


def test_the_same_group_again_is_the_same_and_its_code_is_its_own(brand: Brand, airports: StoreGroup) -> None:
    again = groups.add(brand_id=brand.id, code="airports", name="机场店", by=OWNER, at=NOW)

    assert (again.row, again.is_new) == (airports, False)
    with pytest.raises(CodeTaken):
        groups.add(brand_id=brand.id, code="airports", name="别的", by=OWNER, at=NOW)


def test_stores_join_and_leave_and_repeating_changes_nothing(brand: Brand, airports: StoreGroup) -> None:
    one, other = factories.store(brand), factories.store(brand)

    assert change(airports, joining=[one, other]).size == 2
    assert change(airports, joining=[one], leaving=[other]).size == 1
    assert change(airports, joining=[one], leaving=[other]).size == 1

    assert list(StoreGroupMember.objects.values_list("store_id", flat=True)) == [one.id]
    assert AuditEntry.objects.filter(act="store_group.changed").count() == 2


def test_a_store_meets_its_clerk_with_the_groups_it_is_in(brand: Brand, airports: StoreGroup) -> None:
    store = factories.store(brand, is_dearer=True)
    clerk = factories.staff(brand, store=store).user
    change(airports, joining=[store])

    here = store_for_staff(store.public_id, clerk.id, at=NOW)

    assert (here.group_ids, here.is_dearer) == (frozenset({airports.id}), True)


def test_strangers_are_refused(brand: Brand, airports: StoreGroup) -> None:
    with pytest.raises(StoreNotFound):
        change(airports, joining=[factories.store(factories.brand())])
    with pytest.raises(StoreGroupNotFound):
        change(airports, brand_id=factories.brand().id)
    assert not StoreGroupMember.objects.exists()


def test_what_a_receiver_refuses_did_not_happen(brand: Brand, airports: StoreGroup) -> None:
    store, heard = factories.store(brand), []

    def refuse(sender: object, change: ReachChange, **_: Any) -> None:
        heard.append(change)
        raise NotAllowed

    reach_changing.connect(refuse)
    try:
        with pytest.raises(NotAllowed):
            change(airports, joining=[store])
    finally:
        reach_changing.disconnect(refuse)

    assert heard == [ReachChange(brand.id, joining=frozenset({airports.id}))]
    assert not StoreGroupMember.objects.exists()


def test_over_http_a_brand_keeps_its_groups(brand: Brand) -> None:
    operator, stranger = (as_staff(factories.staff(one, role="operator").user) for one in (brand, factories.brand()))
    store, foreign = factories.store(brand), factories.store(factories.brand())

    def send(method: str, path: str, who: dict[str, str], body: Any = None) -> Any:
        return getattr(Client(), method)(f"/api/v1/{path}", body, content_type="application/json", headers=who)

    made = send("post", "store-groups", operator, {"code": "airports", "name": "机场店"})
    again = send("post", "store-groups", operator, {"code": "airports", "name": "机场店"})
    group = f"store-groups/{made.json()['id']}"
    joined = send("patch", f"{group}/members", operator, {"joining": [store.public_id]})

    assert (made.status_code, again.status_code, joined.json()["size"]) == (201, 200, 1)
    listed = Client().get("/api/v1/store-groups", headers=operator).json()["items"]
    members = Client().get(f"/api/v1/{group}/members", headers=operator).json()["items"]
    assert ([one["size"] for one in listed], [one["id"] for one in members]) == ([1], [store.public_id])
    assert Client().get(f"/api/v1/{group}", headers=stranger).status_code == 404
    assert send("patch", f"{group}/members", stranger, {}).status_code == 404
    refused = send("patch", f"{group}/members", operator, {"joining": [foreign.public_id]})
    assert refused.json()["error"]["code"] == "store_not_found"
