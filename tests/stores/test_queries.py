"""Who reaches which store: every role, at her own and at a foreign one."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.accounts.models import User
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import MalformedId, NotAllowed
from stores.errors import BrandNotFound, BrandRequired, StoreNotFound
from stores.models import Region, Staff, Store, StoreEntity
from stores.permissions import Permission, Role, roles_with
from stores.queries import (
    Books,
    books_for_caller,
    brand_for_staff,
    entity_on,
    nearest_stores,
    store_for_staff,
    stores_for_clerks,
    stores_of_staff,
)
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

LATE = {day: [["10:00", "26:00"]] for day in "1234567"}


class Chain:
    """A brand with two regions below one, two entities, and a store in each; another brand beside it."""

    def __init__(self) -> None:
        self.brand = factories.brand()
        self.country = self.region("CN")
        self.zhejiang = self.region("ZJ", self.country)
        self.hangzhou = self.region("HZ", self.zhejiang)
        self.guangdong = self.region("GD", self.country)
        self.company, self.franchisee = (factories.entity(self.brand) for _ in range(2))
        self.own = factories.store(self.brand, entity=self.franchisee, region=self.hangzhou)
        self.other = factories.store(self.brand, entity=self.company, region=self.guangdong)
        self.foreign = factories.store(factories.brand())

    def region(self, code: str, parent: Region | None = None) -> Region:
        return Region.objects.create(brand=self.brand, parent=parent, code=code, name=code)

    def appoint(self, role: Role, **fields: object) -> User:
        """Someone of this role at ``own``: by itself, its province or its franchisee."""
        place: dict[str, object] = {}
        if role is Role.REGION_SUPERVISOR:
            place = {"region": self.zhejiang}
        elif role is Role.FRANCHISEE:
            place = {"entity": self.franchisee}
        elif role in {Role.STORE_MANAGER, Role.CLERK}:
            place = {"store": self.own}
        person = fields.pop("user", None) or factories.user()
        factories.staff(self.brand, role=role, user=person, **{**place, **fields})
        assert isinstance(person, User)
        return person


@pytest.fixture
def chain() -> Chain:
    return Chain()


BRAND_WIDE = {Role.OWNER, Role.OPERATOR, Role.FINANCE, Role.CUSTOMER_SERVICE, Role.AUDITOR}
MAY_REDEEM = {Role.OWNER, Role.OPERATOR, Role.REGION_SUPERVISOR, Role.FRANCHISEE, Role.STORE_MANAGER, Role.CLERK}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_redeems_where_it_reaches_and_nowhere_else(chain: Chain, role: Role) -> None:
    person = chain.appoint(role)

    found = stores_for_clerks([(store.id, person.id) for store in (chain.own, chain.other, chain.foreign)], NOW)

    expected = {chain.own.id} if role in MAY_REDEEM else set()
    if role in MAY_REDEEM & BRAND_WIDE:
        expected.add(chain.other.id)
    assert {store_id for store_id, _ in found} == expected


@pytest.mark.parametrize("role", list(Role))
def test_one_store_is_found_refused_or_not_there(chain: Chain, role: Role) -> None:
    person = chain.appoint(role)

    if role in MAY_REDEEM:
        assert store_for_staff(chain.own.public_id, person.id, at=NOW).store_id == chain.own.id
    else:
        with pytest.raises(NotAllowed):
            store_for_staff(chain.own.public_id, person.id, at=NOW)
    with pytest.raises(StoreNotFound):
        store_for_staff(chain.foreign.public_id, person.id, at=NOW)
    if role not in BRAND_WIDE:
        with pytest.raises(StoreNotFound):
            store_for_staff(chain.other.public_id, person.id, at=NOW)


@pytest.mark.parametrize("role", list(Role))
def test_the_list_and_the_look_up_agree(chain: Chain, role: Role) -> None:
    person = chain.appoint(role)

    listed = set(stores_of_staff(person.id, at=NOW).values_list("id", flat=True))

    every = [(store_id, person.id) for store_id in Store.objects.values_list("id", flat=True)]
    assert listed == {s for s, _ in stores_for_clerks(every, NOW, permission=Permission.VIEW_STORES)}
    assert chain.own.id in listed
    assert chain.foreign.id not in listed


def test_a_region_reaches_the_stores_of_the_regions_below_it_only(chain: Chain) -> None:
    in_city, in_country = factories.user(), factories.user()
    factories.staff(chain.brand, role="region_supervisor", region=chain.hangzhou, user=in_city)
    factories.staff(chain.brand, role="region_supervisor", region=chain.country, user=in_country)
    in_province = factories.store(chain.brand, region=chain.zhejiang)
    stores = (chain.own, chain.other, in_province)

    found = stores_for_clerks([(store.id, person.id) for store in stores for person in (in_city, in_country)], NOW)

    assert set(found) == {(chain.own.id, in_city.id), *((store.id, in_country.id) for store in stores)}


def test_a_circle_of_regions_ends(chain: Chain) -> None:
    Region.objects.filter(pk=chain.country.pk).update(parent=chain.hangzhou)
    person = chain.appoint(Role.REGION_SUPERVISOR)

    assert stores_for_clerks([(chain.own.id, person.id)], NOW)
    assert stores_of_staff(person.id, at=NOW).exists()


def test_ended_rows_and_inactive_people_reach_nothing(chain: Chain) -> None:
    gone = chain.appoint(Role.OWNER, ended_at=NOW)
    locked_out = chain.appoint(Role.OWNER, user=factories.user(is_active=False))
    leaving = chain.appoint(Role.OWNER, ended_at=NOW + timedelta(seconds=1))

    people = (gone, locked_out, leaving)
    found = stores_for_clerks([(chain.own.id, person.id) for person in people], NOW)

    assert set(found) == {(chain.own.id, leaving.id)}
    assert [stores_of_staff(person.id, at=NOW).count() for person in people] == [0, 0, 2]


def test_many_pairs_take_one_statement(chain: Chain) -> None:
    clerks = [chain.appoint(Role.CLERK) for _ in range(32)]

    with CaptureQueriesContext(connection) as captured:
        found = stores_for_clerks([(chain.own.id, clerk.id) for clerk in clerks] * 2, NOW)

    assert len(captured) == 1
    assert len(found) == 32


def test_nobody_asked_takes_no_statement() -> None:
    with CaptureQueriesContext(connection) as captured:
        assert stores_for_clerks([], NOW) == {}
    assert len(captured) == 0


def test_a_clerk_gets_all_that_a_redemption_needs(chain: Chain) -> None:
    clerk = chain.appoint(Role.CLERK)
    Store.objects.filter(pk=chain.own.pk).update(hours=LATE, latitude="30.250000", longitude="120.160000")

    (found,) = stores_for_clerks([(chain.own.id, clerk.id)], NOW).values()

    assert found.public_id == chain.own.public_id
    assert (found.brand_id, found.name, found.zone) == (chain.brand.id, chain.own.name, "Asia/Shanghai")
    assert (found.hours, found.status, found.business_date) == (LATE, "open", date(2026, 6, 1))
    assert (found.entity_id, found.latitude, found.longitude) == (chain.franchisee.id, 30.25, 120.16)
    assert found.roles == {Role.CLERK}


def test_the_entity_is_the_business_days_and_so_is_the_franchisees_reach(chain: Chain) -> None:
    """The store changes hands on 2 June and is open until 2 in the morning."""
    Store.objects.filter(pk=chain.own.pk).update(hours=LATE)
    StoreEntity.objects.create(store=chain.own, entity=chain.company, from_date=date(2026, 6, 2))
    seller, buyer, clerk = chain.appoint(Role.FRANCHISEE), factories.user(), chain.appoint(Role.CLERK)
    factories.staff(chain.brand, role="franchisee", entity=chain.company, user=buyer)
    pairs = [(chain.own.id, person.id) for person in (seller, buyer, clerk)]

    before = stores_for_clerks(pairs, datetime(2026, 6, 1, 17, 59, tzinfo=UTC))  # 01:59 on 2 June in Shanghai
    after = stores_for_clerks(pairs, datetime(2026, 6, 1, 18, 0, tzinfo=UTC))

    assert set(before) == {pairs[0], pairs[2]}
    assert before[pairs[2]].entity_id == chain.franchisee.id
    assert set(after) == {pairs[1], pairs[2]}
    assert after[pairs[2]].entity_id == chain.company.id


def test_entities_follow_each_other_by_date(chain: Chain) -> None:
    store = factories.store(chain.brand)
    for entity, day in ((chain.company, date(2026, 1, 1)), (chain.franchisee, date(2026, 3, 1))):
        StoreEntity.objects.create(store=store, entity=entity, from_date=day)

    assert entity_on(store.id, date(2025, 12, 31)) is None
    assert entity_on(store.id, date(2026, 1, 1)) == chain.company.id
    assert entity_on(store.id, date(2026, 2, 28)) == chain.company.id
    assert entity_on(store.id, date(2026, 3, 1)) == chain.franchisee.id
    assert entity_on(uuid4(), date(2026, 3, 1)) is None


def test_a_store_before_its_first_entity_is_served_all_the_same(chain: Chain) -> None:
    store = factories.store(chain.brand)
    owner = chain.appoint(Role.OWNER)

    (found,) = stores_for_clerks([(store.id, owner.id)], NOW).values()

    assert found.entity_id is None


def test_a_brand_is_found_by_the_role_in_it(chain: Chain) -> None:
    owner = chain.appoint(Role.OWNER)
    clerk = chain.appoint(Role.CLERK)
    wanted = roles_with(Permission.EDIT_BRAND)

    assert brand_for_staff(owner.id, wanted, at=NOW) == chain.brand
    assert brand_for_staff(owner.id, wanted, at=NOW, brand=chain.brand.public_id) == chain.brand
    with pytest.raises(NotAllowed):
        brand_for_staff(clerk.id, wanted, at=NOW)
    with pytest.raises(NotAllowed):
        brand_for_staff(factories.user().id, wanted, at=NOW)
    with pytest.raises(BrandNotFound):
        brand_for_staff(owner.id, wanted, at=NOW, brand=factories.brand().public_id)
    with pytest.raises(MalformedId):
        brand_for_staff(owner.id, wanted, at=NOW, brand="brd_1")


def test_who_serves_two_brands_says_which(chain: Chain) -> None:
    owner = chain.appoint(Role.OWNER)
    second = factories.brand()
    factories.staff(second, role="owner", user=owner)
    wanted = roles_with(Permission.EDIT_BRAND)

    with pytest.raises(BrandRequired):
        brand_for_staff(owner.id, wanted, at=NOW)
    assert brand_for_staff(owner.id, wanted, at=NOW, brand=second.public_id) == second
    Staff.objects.filter(brand=second).update(ended_at=NOW)
    assert brand_for_staff(owner.id, wanted, at=NOW) == chain.brand


def test_nearest_stores_come_by_great_circle(chain: Chain) -> None:
    """Shanghai (31.2304, 121.4737) to Beijing (39.9042, 116.4074) is 1,067 km."""
    places = {"北京": (39.9042, 116.4074), "上海": (31.2304, 121.4737), "杭州": (30.2741, 120.1551)}
    Store.objects.all().update(latitude=None, longitude=None)
    for name, (latitude, longitude) in places.items():
        factories.store(chain.brand, name=name, latitude=latitude, longitude=longitude)
    factories.store(chain.brand, name="已停", latitude=31.2304, longitude=121.4737, status="paused")

    near = nearest_stores(chain.brand.stores.all(), latitude=31.2304, longitude=121.4737)

    assert [found.store.name for found in near] == ["上海", "杭州", "北京"]
    assert near[0].distance_metres == 0
    assert near[1].distance_metres == pytest.approx(164_600, rel=0.01)
    assert near[2].distance_metres == pytest.approx(1_067_000, rel=0.01)


def test_nearest_crosses_the_date_line_and_the_antipode() -> None:
    brand = factories.brand()
    factories.store(brand, name="斐济", latitude=-18.0, longitude=179.9)
    factories.store(brand, name="对跖", latitude=18.0, longitude=0.1)

    near = nearest_stores(brand.stores.all(), latitude=-18.0, longitude=-179.9)

    assert [found.store.name for found in near] == ["斐济", "对跖"]
    assert near[0].distance_metres == pytest.approx(21_150, rel=0.01)
    assert near[1].distance_metres == pytest.approx(20_015_000, rel=0.01)


def test_the_ids_of_other_kinds_are_no_stores(chain: Chain) -> None:
    with pytest.raises(MalformedId):
        store_for_staff(chain.brand.public_id, UUID(int=1), at=NOW)


def test_a_franchisee_sees_her_own_entities_books_and_finance_all_of_them() -> None:
    brand = factories.brand()
    entity, former = factories.entity(brand, kind="franchisee"), factories.entity(brand, kind="franchisee")
    hers = factories.staff(brand, role="franchisee", entity=entity)
    factories.staff(brand, role="franchisee", entity=former, user=hers.user, ended_at=NOW)
    finance = factories.staff(brand, role="finance")

    def books(user_id: UUID) -> Books:
        return books_for_caller(Caller(kind=CallerKind.STAFF, id=user_id), at=NOW)

    assert books(hers.user_id) == Books(brand.id, frozenset({entity.id}))
    assert books(finance.user_id) == Books(brand.id, None)
    factories.staff(brand, role="auditor", user=hers.user)
    assert books(hers.user_id) == Books(brand.id, None)
    with pytest.raises(NotAllowed):
        books(factories.staff(brand, store=factories.store(brand)).user_id)
