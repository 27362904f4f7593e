"""Stores open, pause, open again and close; what is said of them; brands and regions around them."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import DomainError
from config.kernel.models import AuditEntry
from stores.errors import (
    CodeTaken,
    EntityNotFound,
    PlaceIncomplete,
    RegionNotFound,
    RegionsWouldCircle,
    SlugTaken,
    StoreHoursInvalid,
    StoreIsClosed,
    StoreNotFound,
    UsernameTaken,
    ZoneUnknown,
)
from stores.models import Brand, Region, Store, StoreEntity
from stores.queries import brand_for_staff
from stores.services import brands, opening, regions
from stores.services.opening import NewStore
from stores.services.people import NewPerson
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = Caller(kind=CallerKind.STAFF, id=uuid4())
NEW = NewStore(
    code="HZ001",
    name="杭州江南大道店",
    city="杭州市",
    latitude=Decimal("30.208000"),
    longitude=Decimal("120.210000"),
    hours={"1": [["10:00", "22:00"]]},
)


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def acts_of(row_id: object) -> list[str]:
    return list(AuditEntry.objects.filter(subject_id=row_id).order_by("id").values_list("act", flat=True))


def test_a_store_opens_in_its_brands_zone_with_its_entity_from_today_on(brand: Brand) -> None:
    entity = factories.entity(brand)

    made = opening.open_store(brand_id=brand.id, new=replace(NEW, entity_id=entity.id), by=OWNER, at=NOW)

    assert made.is_new
    assert (made.row.status, made.row.zone) == ("open", "Asia/Shanghai")
    member = StoreEntity.objects.get(store=made.row)
    assert (member.entity, member.from_date) == (entity, date(2026, 6, 1))
    assert acts_of(made.row.id) == ["store.opened"]


def test_the_same_again_is_the_same_store_and_other_content_is_refused(brand: Brand) -> None:
    first = opening.open_store(brand_id=brand.id, new=NEW, by=OWNER, at=NOW)
    again = opening.open_store(brand_id=brand.id, new=NEW, by=OWNER, at=NOW + timedelta(days=1))

    assert again.row == first.row
    assert not again.is_new
    with pytest.raises(CodeTaken):
        opening.open_store(brand_id=brand.id, new=replace(NEW, name="别的店"), by=OWNER, at=NOW)
    assert opening.open_store(brand_id=factories.brand().id, new=NEW, by=OWNER, at=NOW).is_new


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"zone": "Asia/Nowhere"}, ZoneUnknown),
        ({"hours": {"1": [["22:00", "10:00"]]}}, StoreHoursInvalid),
        ({"latitude": None}, PlaceIncomplete),
        ({"region_id": uuid4()}, RegionNotFound),
        ({"entity_id": uuid4()}, EntityNotFound),
    ],
)
def test_a_store_that_cannot_be_is_not_opened(
    brand: Brand, change: dict[str, object], refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        opening.open_store(brand_id=brand.id, new=replace(NEW, **change), by=OWNER, at=NOW)
    assert not Store.objects.exists()
    assert not AuditEntry.objects.exists()


def test_an_edit_changes_and_tells_what_it_changed(brand: Brand) -> None:
    store = opening.open_store(brand_id=brand.id, new=NEW, by=OWNER, at=NOW).row

    for _ in range(2):
        opening.edit(store_id=store.id, changes={"name": "江南大道二店", "city": "杭州市"}, by=OWNER, at=NOW)

    trail = AuditEntry.objects.get(act="store.edited")
    assert trail.details == {"name": ["杭州江南大道店", "江南大道二店"]}
    with pytest.raises(PlaceIncomplete):
        opening.edit(store_id=store.id, changes={"latitude": None}, by=OWNER, at=NOW)
    with pytest.raises(StoreNotFound):
        opening.edit(store_id=uuid4(), changes={"name": "x"}, by=OWNER, at=NOW)
    foreign = Region.objects.create(brand=factories.brand(), code="X", name="X")
    with pytest.raises(RegionNotFound):
        opening.edit(store_id=store.id, changes={"region_id": foreign.id}, by=OWNER, at=NOW)


def test_a_store_pauses_opens_again_and_closes_for_good(brand: Brand) -> None:
    store = factories.store(brand)
    for _ in range(2):  # each may be repeated
        assert opening.pause(store_id=store.id, reason="停电", by=OWNER, at=NOW).status == "paused"
    for _ in range(2):
        assert opening.reopen(store_id=store.id, by=OWNER, at=NOW).status == "open"
    for later in range(2):
        closed = opening.close(store_id=store.id, reason="租约到期", by=OWNER, at=NOW + timedelta(days=later))
        assert (closed.status, closed.closed_at) == ("closed", NOW)

    assert acts_of(store.id) == ["store.paused", "store.reopened", "store.closed"]
    with pytest.raises(StoreIsClosed):
        opening.reopen(store_id=store.id, by=OWNER, at=NOW)
    with pytest.raises(StoreIsClosed):
        opening.pause(store_id=store.id, reason="", by=OWNER, at=NOW)


def test_a_brand_begins_with_its_owner() -> None:
    owner = NewPerson(username="qingyu", password="qingyu-7-green-leaves")

    opened = brands.open_brand(slug="qingyu", name="青屿茶", owner=owner, by=OWNER, at=NOW)

    assert brand_for_staff(opened.owner.id, ["owner"], at=NOW) == opened.brand
    with pytest.raises(SlugTaken):
        brands.open_brand(slug="qingyu", name="x", owner=replace(owner, username="b"), by=OWNER, at=NOW)
    with pytest.raises(UsernameTaken):
        brands.open_brand(slug="other", name="x", owner=owner, by=OWNER, at=NOW)
    assert Brand.objects.count() == 1
    assert acts_of(opened.brand.id) == ["brand.opened"]
    brands.edit(brand_id=opened.brand.id, changes={"name": "青屿"}, by=OWNER, at=NOW)
    assert acts_of(opened.brand.id) == ["brand.opened", "brand.edited"]


def test_regions_make_a_tree_and_never_a_circle(brand: Brand) -> None:
    def add(code: str, parent: Region | None = None) -> Region:
        return regions.add(
            brand_id=brand.id, code=code, name=code, parent_id=parent and parent.id, by=OWNER, at=NOW
        ).row

    country = add("CN")
    province = add("ZJ", country)
    city = add("HZ", province)

    assert add("HZ", province) == city
    with pytest.raises(CodeTaken):
        add("HZ", country)
    for parent in (country, province, city):
        with pytest.raises(RegionsWouldCircle):
            regions.edit(brand_id=brand.id, region_id=country.id, changes={"parent_id": parent.id}, by=OWNER, at=NOW)
    moved = regions.edit(brand_id=brand.id, region_id=city.id, changes={"parent_id": country.id}, by=OWNER, at=NOW)
    assert moved.parent_id == country.id
    assert regions.line_of(brand.id, city.id) == [city.id, country.id]
    with pytest.raises(RegionNotFound):
        regions.edit(brand_id=factories.brand().id, region_id=city.id, changes={"name": "x"}, by=OWNER, at=NOW)
